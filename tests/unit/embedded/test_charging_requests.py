"""What tells requests of online charging apart, and from repetitions."""

from __future__ import annotations

import polars as pl
import pytest

from apps.embedded.charging_requests import ChargingRequest, _content, keys_of
from rating.image_access import hash_identifiers, hash_texts
from schemas.charging import ChargingKind

SAID = ChargingRequest(ChargingKind.RESERVE, "a", "", "1", "call", 1, 2, 3, 4, {"to": "b", "on": "c"}, {"x": 5, "y": 6})


def test_the_same_said_in_another_order_is_the_same() -> None:
    turned = SAID._replace(attributes={"on": "c", "to": "b"}, values={"y": 6, "x": 5})
    assert _content(turned) == _content(SAID)


@pytest.mark.parametrize("name", ChargingRequest._fields)
def test_whatever_is_said_otherwise_is_another_request(name: str) -> None:
    other = SAID._replace(
        **{name: {str: "z", int: 99, dict: {"x": 7}, ChargingKind: ChargingKind.CHARGE}[type(getattr(SAID, name))]}
    )
    assert _content(other) != _content(SAID)


def test_texts_that_join_to_the_same_are_told_apart() -> None:
    assert _content(SAID._replace(access_point="1c", event_type="all")) != _content(SAID)
    assert _content(SAID._replace(access_point="''", event_type="")) != _content(
        SAID._replace(access_point="", event_type="''")
    )


def test_an_id_has_its_key_whatever_stands_beside_it() -> None:
    hi, lo = keys_of(b"secret", ["a", "é\ud800", "a"])
    assert (hi[0], lo[0]) == (hi[2], lo[2]) != (hi[1], lo[1])
    assert (hi[1], lo[1]) == tuple(half[0] for half in keys_of(b"secret", ["é\ud800"]))
    assert (hi[0], lo[0]) != tuple(half[0] for half in keys_of(b"another", ["a"]))


def test_a_few_texts_have_the_hashes_of_a_column() -> None:
    texts = ["", "33600000001", "é" * 40, "\0", "x"]
    few, column = hash_texts(texts), hash_identifiers(pl.Series(texts))
    assert [half.tolist() for half in few] == [half.tolist() for half in column]
    assert [len(half) for half in hash_texts([])] == [0, 0]
