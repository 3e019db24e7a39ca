"""Cumulative quantities: which series a reading belongs to, whatever the format, and which definitions make no sense."""

from __future__ import annotations

import json
from typing import Any

import pytest
from mediation_world import CDR_HEADER, Source, blocks_of, cloudevents, context, delimited

from pipelines.mediation.decode import UnableToCompileSource, make_decoder
from rating.kernels.hashing import hash128_bytes
from schemas.cdr import CdrBlock, OnDecrease, ReadingRules
from schemas.rejection import Reason


def _block(source: Source, data: bytes) -> CdrBlock:
    (block,) = blocks_of(source, data)
    return block


def _series(block: CdrBlock) -> list[tuple[int, int]]:
    return list(zip(block.series_hi.tolist(), block.series_lo.tolist(), strict=True))


def _counted(**cumulative: Any) -> Source:
    return delimited(
        mapping={"quantity": {"field": "seconds", "unit": "s", "cumulative": cumulative}, "attributes": {}}
    )


def test_a_series_is_the_access_point_and_the_fields_that_name_it() -> None:
    lines = (
        CDR_HEADER
        + b"1,a,33611,2026-05-01 10:00:00,61,EU\n2,bb,33611,2026-05-01 10:00:00,61,\n3,,33611,2026-05-01 10:00:00,61,EU\n"
    )
    block = _block(_counted(series=["switch", "zone"]), lines)
    point = hash128_bytes(b"33611")
    assert _series(block)[0] == hash128_bytes(b"a/EU", *point)
    assert block.reason.tolist() == [0, Reason.FIELD_MISSING, Reason.FIELD_MISSING]
    assert block.readings == ReadingRules(absorbs_repeats=True)
    alone = _block(_counted(), lines)
    assert set(_series(alone)) == {hash128_bytes(b"", *point)}
    assert alone.reason.tolist() == [0, 0, 0]


def test_usage_that_is_no_reading_has_no_series() -> None:
    block = _block(delimited(), CDR_HEADER + b"1,a,33611,2026-05-01 10:00:00,61,EU\n")
    assert (_series(block), block.readings) == ([(0, 0)], ReadingRules())


def test_events_have_series_too() -> None:
    quantity = {"field": "data.bytes", "unit": "B", "cumulative": {"series": ["data.flow"], "on_decrease": "wrap_64"}}
    event = {
        "specversion": "1.0", "id": "1", "source": "/n", "type": "com.acme.data", "subject": "é",
        "time": "2026-05-01T08:00:00Z", "data": {"bytes": 2**64 - 1, "flow": "up"},
    }  # fmt: skip
    block = _block(cloudevents(mapping={"quantity": quantity, "attributes": {}}), json.dumps(event).encode() + b"\n")
    assert _series(block) == [hash128_bytes(b"up", *hash128_bytes("é".encode()))]
    assert (block.reason.tolist(), block.quantity.tolist()) == ([0], [-1])
    assert block.readings == ReadingRules(on_decrease=OnDecrease.WRAP_64, absorbs_repeats=True)


def test_the_content_tells_series_apart() -> None:
    lines = CDR_HEADER + b"1,a,33611,2026-05-01 10:00:00,61,EU\n1,a,33611,2026-05-01 10:00:00,61,US\n"
    block = _block(_counted(series=["zone"]), lines)
    assert block.key_lo[0] == block.key_lo[1]
    assert block.content[0] != block.content[1]


@pytest.mark.parametrize(
    ("quantity", "rules"),
    [
        ({"on_decrease": "reset", "opens_at": "zero"}, ReadingRules(True, OnDecrease.RESET, 0, True)),
        ({"on_decrease": "wrap_32"}, ReadingRules(False, OnDecrease.WRAP_32, 2**32 * 1000, True)),
    ],
)
def test_rules_are_in_base_steps(quantity: dict[str, Any], rules: ReadingRules) -> None:
    block = _block(_counted(**quantity), CDR_HEADER + b"1,a,33611,2026-05-01 10:00:00,61,EU\n")
    assert block.readings == rules


@pytest.mark.parametrize(
    ("mapping", "told"),
    [
        ({"quantity": {"constant": 1, "cumulative": {}}}, "read from a `field`"),
        ({"quantity": {"field": "seconds", "unit": "s", "cumulative": {"on_decrease": "wrap_64"}}}, "base steps"),
        (
            {"quantity": {"field": "seconds", "cumulative": {"on_decrease": "wrap_32"}},
             "event_type": {"field": "switch", "values": {"a": "call", "b": "ticket"}}, "attributes": {}},
            "counts in one unit",
        ),
        (
            {"quantity": {"field": "seconds", "cumulative": {"on_decrease": "wrap_32"}},
             "event_type": {"constant": "ticket"}, "attributes": {}},
            "more than a quantity can be",
        ),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(mapping: dict[str, Any], told: str) -> None:
    with pytest.raises(UnableToCompileSource, match=told):
        make_decoder(context(delimited(mapping=mapping)))
