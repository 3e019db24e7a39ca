"""How often somebody may ask: a token bucket for each key, each user, and each address from which nobody is recognised.

A bucket is one number (GCRA: the instant, in the bucket's own units, at which it is full again). There are at most BUCKETS_MAX
of a kind, of which the one that was asked for the longest ago goes first. All of it belongs to the server's thread.
"""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from starlette.requests import Request

from apps.api.problems import Problem
from apps.settings import Settings
from billing.access.permissions import Principal

BUCKETS_MAX = 20_000
BURST_S = 5
"""A bucket holds what comes in so many seconds."""
_SECOND = 1_000_000_000
_NETWORK_BITS = 64
"""Of an address of IPv6: who has one has all with the same first bits (RFC 6177)."""


class Buckets:
    """Buckets of one kind: each fills with `rate` tokens a second, and holds at most BURST_S seconds of them."""

    def __init__(self, rate: int, clock: Callable[[], int] = time.monotonic_ns) -> None:
        """Take the rate, and a clock (nanoseconds)."""
        self._rate = rate
        self._clock = clock
        self._full_at: OrderedDict[str, int] = (
            OrderedDict()
        )  # in 1 / rate nanoseconds, so that a token is a whole number

    def take(self, who: str) -> float:
        """Take a token; return 0, or how many seconds it takes until there is one, and none was taken."""
        now = self._clock() * self._rate
        full_at = max(self._full_at.get(who, now), now) + _SECOND
        late = full_at - now - self._rate * BURST_S * _SECOND
        if late > 0:
            return late / self._rate / _SECOND
        self._full_at[who] = full_at
        self._full_at.move_to_end(who)
        if len(self._full_at) > BUCKETS_MAX:
            self._full_at.popitem(last=False)
        return 0.0

    def __len__(self) -> int:
        """How many there are."""
        return len(self._full_at)


class Rates:
    """The buckets of an installation."""

    def __init__(self, settings: Settings) -> None:
        """Take how often is how often."""
        self._buckets = {"key": Buckets(settings.http_key_rate), "user": Buckets(settings.http_user_rate)}
        self._addresses = Buckets(settings.http_address_rate)
        self._proxies = settings.http_proxies

    def of(self, principal: Principal) -> None:
        """Count a request of who is recognised.

        Raises:
            Problem: rate-limited.
        """
        require(self._buckets[principal.kind].take(principal.id))

    def unrecognised(self, request: Request) -> str:
        """Count a request of who is not, and return its address; who is recognised is never held up by what comes from there.

        Raises:
            Problem: rate-limited.
        """
        address = address_of(request, self._proxies)
        require(self._addresses.take(address))
        return address


def require(wait_s: float) -> None:
    """Let a request go on that need not wait.

    Raises:
        Problem: rate-limited, when it must.
    """
    if wait_s > 0:
        after = max(1, math.ceil(wait_s))
        raise Problem("rate-limited", "you ask too often", headers={"Retry-After": str(after)})


def address_of(request: Request, proxies: Iterable[IPv4Network | IPv6Network]) -> str:
    """Return from where a request came: what the last proxy that is trusted says, of IPv6 the network.

    Headers of who is no proxy of ours say nothing: anybody can write them.
    """
    found = "" if request.client is None else request.client.host
    told = [one.strip() for line in request.headers.getlist("x-forwarded-for") for one in line.split(",")]
    while told and _is_within(found, proxies):
        said = _without_port(told.pop())
        if _read(said) is None:  # what a proxy says that is no address is nobody's: all of its own is one
            break
        found = said
    return _shared(found)


def _without_port(address: str) -> str:
    """Return an address without the port that some proxies write: `192.0.2.1:4711`, `[2001:db8::1]:443`."""
    if address.startswith("["):
        return address[1:].partition("]")[0]
    return address.partition(":")[0] if address.count(":") == 1 else address


def _read(address: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(address)
    except ValueError:
        return None


def _is_within(address: str, networks: Iterable[IPv4Network | IPv6Network]) -> bool:
    known = _read(address)
    return known is not None and any(known.version == one.version and known in one for one in networks)


def _shared(address: str) -> str:
    known = _read(address)
    if known is None:
        return "?"
    if isinstance(known, IPv6Address):
        if known.ipv4_mapped is not None:
            return str(known.ipv4_mapped)
        return str(ip_network((int(known), _NETWORK_BITS), strict=False))
    return str(known)
