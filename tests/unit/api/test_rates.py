"""Buckets by their slow twin, the addresses that proxies tell, and bounded memory."""

from __future__ import annotations

from fractions import Fraction
from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request

from apps.api import rates
from apps.api.problems import Problem
from apps.api.rates import BURST_S, Buckets, address_of, require

PROXIES = [ip_network("127.0.0.0/8"), ip_network("10.0.0.0/8"), ip_network("fd00::/8")]


class Twin:
    """A bucket with tokens in it."""

    def __init__(self, rate: int) -> None:
        self.rate, self.tokens, self.at = rate, Fraction(rate * BURST_S), 0

    def take(self, now: int) -> Fraction:
        self.tokens = min(Fraction(self.rate * BURST_S), self.tokens + Fraction((now - self.at) * self.rate, 10**9))
        self.at = now
        if self.tokens >= 1:
            self.tokens -= 1
            return Fraction(0)
        return (1 - self.tokens) / self.rate


@given(st.integers(1, 5), st.lists(st.integers(0, 400_000_000), max_size=60))
def test_a_bucket_is_its_twin(rate: int, steps: list[int]) -> None:
    now = 0
    buckets, twin = Buckets(rate, lambda: now), Twin(rate)
    for step in steps:
        now += step
        taken, expected = buckets.take("a"), twin.take(now)
        assert (taken == 0) == (expected == 0)
        assert taken == pytest.approx(float(expected))


def test_everybody_has_a_bucket_and_they_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rates, "BUCKETS_MAX", 3)
    buckets = Buckets(1, lambda: 0)
    for _ in range(BURST_S):
        assert buckets.take("a") == 0
    assert buckets.take("a") == 1
    for who in "bcde":
        assert buckets.take(who) == 0
    assert len(buckets) == 3


def test_who_must_wait_is_told_for_how_long() -> None:
    require(0)
    for wait, told in ((0.01, "1"), (1.0, "1"), (1.2, "2")):
        with pytest.raises(Problem) as caught:
            require(wait)
        assert (caught.value.kind.status, caught.value.headers) == (429, {"Retry-After": told})


@pytest.mark.parametrize(
    ("peer", "told", "address"),
    [
        ("203.0.113.7", [], "203.0.113.7"),
        ("203.0.113.7", ["198.51.100.1"], "203.0.113.7"),  # no proxy of ours: what it says is nothing
        ("127.0.0.1", [], "127.0.0.1"),
        ("127.0.0.1", ["198.51.100.1"], "198.51.100.1"),
        ("127.0.0.1", ["1.2.3.4, 198.51.100.1"], "198.51.100.1"),  # the first one is what the client wrote
        ("127.0.0.1", ["198.51.100.1, 10.0.0.3"], "198.51.100.1"),
        ("127.0.0.1", ["1.2.3.4", "198.51.100.1", "10.0.0.3"], "198.51.100.1"),
        ("127.0.0.1", ["10.0.0.3"], "10.0.0.3"),
        ("127.0.0.1", ["nonsense"], "127.0.0.1"),
        ("127.0.0.1", ["198.51.100.1:4711"], "198.51.100.1"),
        ("127.0.0.1", ["[2001:db8:1:2::9]:443"], "2001:db8:1:2::/64"),
        ("127.0.0.1", ["198.51.100.1, unknown, 10.0.0.3:80"], "10.0.0.3"),
        ("2001:db8:1:2:3:4:5:6", [], "2001:db8:1:2::/64"),
        ("fd00::1", ["2001:db8:1:2::9"], "2001:db8:1:2::/64"),
        ("::ffff:203.0.113.7", [], "203.0.113.7"),
        (None, ["198.51.100.1"], "?"),
    ],
)
def test_from_where(peer: str | None, told: list[str], address: str) -> None:
    headers = [(b"x-forwarded-for", one.encode()) for one in told]
    scope = {"type": "http", "headers": headers, "client": None if peer is None else (peer, 1)}
    assert address_of(Request(scope), PROXIES) == address
