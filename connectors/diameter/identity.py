"""Who we are, who may connect, and what everybody is bounded by."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import NamedTuple, Protocol

from pipelines.mediation.diameter.codes import Application
from pipelines.mediation.diameter.fields import Group
from pipelines.mediation.diameter.messages import Avp, Header


@dataclass(frozen=True, slots=True)
class Identity:
    """What we tell peers of ourselves.

    Attributes:
        origin_state_id: greater at each start, so that peers know what we have forgotten.
        realms: whose requests are ours.
        applications: what we serve.
    """

    host: str
    realm: str
    origin_state_id: int
    realms: frozenset[str] = frozenset()
    applications: tuple[int, ...] = (Application.CREDIT_CONTROL,)
    product: str = "octroi"

    def serves(self, realm: str) -> bool:
        """Whether requests to a realm are ours; names are compared without case (RFC 6733 §4.3.1)."""
        return realm.lower() in self.served

    @property
    def served(self) -> frozenset[str]:
        """The realms whose requests are ours, in lower case."""
        return frozenset({self.realm.lower(), *(each.lower() for each in self.realms)})


@dataclass(frozen=True, slots=True)
class PeerRule:
    """Who may connect: `host` is an Origin-Host in which `*` stands for anything; `networks`: from where, empty: anywhere."""

    host: str
    networks: tuple[str, ...] = ()

    def allows(self, host: str, address: str) -> bool:
        """Whether a peer of that name may come from an address."""
        if not fnmatchcase(host.lower(), self.host.lower()):
            return False
        found = ipaddress.ip_address(address.partition("%")[0])
        mapped = getattr(found, "ipv4_mapped", None) or found
        return not self.networks or any(mapped in ipaddress.ip_network(network) for network in self.networks)


@dataclass(frozen=True, slots=True)
class Limits:
    """What a connection may take. Times in seconds.

    Attributes:
        hello_s: for the capabilities exchange. message_s: for a message that has begun. watchdog_s: silence after which
            we ask whether a peer is there; after twice that it is not. leave_s: for what is on its way when we stop.
        message_bytes_max: of one message. waiting_bytes_max: answers that a peer does not read.
        requests_max, requests_of_peer_max: on their way at once; more are answered TOO_BUSY. peers_max: connections.
    """

    hello_s: float = 10.0
    message_s: float = 10.0
    watchdog_s: float = 30.0
    leave_s: float = 3.0
    message_bytes_max: int = 256 << 10
    waiting_bytes_max: int = 4 << 20
    requests_max: int = 4096
    requests_of_peer_max: int = 512
    peers_max: int = 1000


@dataclass(frozen=True, slots=True)
class Request:
    """What a handler is asked. `peer`: Origin-Host of the connection, which may be a relay."""

    peer: str
    header: Header
    said: Group


class Answer(NamedTuple):
    """What a handler answers, besides Session-Id, Origin-Host and Origin-Realm. `tail`: AVPs behind `avps`, encoded already."""

    result: int
    avps: Sequence[Avp] = ()
    tail: bytes = b""


class Handler(Protocol):
    """Decides about requests of applications; raises `UnableToReadMessage` for what cannot be answered otherwise."""

    async def __call__(self, request: Request) -> Answer:
        """Answer a request."""


@dataclass(slots=True)
class PeerSheet:
    """What is counted of a connection."""

    requests: int = 0
    answers: int = 0
    busy: int = 0
    errors: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    by_result: dict[int, int] = field(default_factory=dict)


Say = Callable[[str], None]
