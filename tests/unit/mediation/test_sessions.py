"""Which session, part and number records have; what cannot be told is refused with the fields' values."""

from __future__ import annotations

from typing import Any

import pytest
from mediation_world import CDR_HEADER, blocks_of, context, delimited

from pipelines.mediation.decode import UnableToCompileSource, describe, make_decoder
from rating.kernels.hashing import hash128_bytes
from schemas.cdr import Part
from schemas.rejection import Reason
from schemas.source import DelimitedSource

PART = {"field": "zone", "first": ["F"], "middle": ["I", "J"], "last": ["L"], "single": ["", "S"]}
LINES = b"".join(
    b"%d,%s,33611,2026-05-01 10:00:00,6%s,%s\n" % (number, switch, number_text, zone)
    for number, (switch, number_text, zone) in enumerate(
        [(b"a", b"1", b"F"), (b"a", b"2", b"J"), (b"a", b"3", b"L"), (b"a", b"4", b""), (b"a", b"x", b"I"), (b"a", b"5", b"Q"),
         (b"", b"6", b"F"), (b"", b"7", b"S")]
    )
)  # fmt: skip


def _source(**assembly: Any) -> DelimitedSource:
    rule = {"key": ["switch"], "part": PART, "time_out": "PT90M"} | assembly
    return delimited(mapping={"identity": ["id"], "quantity": {"constant": 1}, "attributes": {}, "assembly": rule})


def test_parts_are_told_by_values_and_sessions_by_their_fields() -> None:
    (block,) = blocks_of(_source(sequence="seconds"), CDR_HEADER + LINES)
    assert block.parts is not None
    refused = Reason.INVALID_SEQUENCE, Reason.UNKNOWN_PART
    assert block.reason.tolist() == [0, 0, 0, 0, refused[0], refused[1], refused[1], 0]
    assert block.parts.part.tolist()[:4] == [Part.FIRST, Part.MIDDLE, Part.LAST, Part.SINGLE]
    assert block.parts.sequence.tolist()[:4] == [61, 62, 63, 64]
    assert block.parts.time_out_us == 90 * 60 * 1_000_000
    decoder = make_decoder(context(_source(sequence="seconds")))
    seed = hash128_bytes(b"session", *decoder.plan.seed)  # type: ignore[union-attr]
    assert (int(block.parts.key_hi[0]), int(block.parts.key_lo[0])) == hash128_bytes(b"a", *seed)
    assert describe(decoder, block, 4) == "seconds is '6x'"
    assert describe(decoder, block, 5) == "zone is 'Q', switch is 'a'"


def test_without_a_number_there_is_none() -> None:
    (block,) = blocks_of(_source(), CDR_HEADER + LINES)
    assert block.parts is not None
    assert set(block.parts.sequence.tolist()) == {-1}


def test_a_part_is_another_content_when_it_says_another_number() -> None:
    twice = b"1,a,33611,2026-05-01 10:00:00,61,F\n1,a,33611,2026-05-01 10:00:00,62,F\n"
    (block,) = blocks_of(_source(sequence="seconds"), CDR_HEADER + twice)
    assert block.key_lo[0] == block.key_lo[1]
    assert block.content[0] != block.content[1]


@pytest.mark.parametrize(
    ("part", "told"),
    [
        ({"field": "zone", "first": ["F"], "last": ["F"]}, "cannot be two parts"),
        ({"field": "zone", "first": ["F"]}, "the `first` and the `last` part"),
    ],
)
def test_what_makes_no_sense_is_refused(part: dict[str, Any], told: str) -> None:
    with pytest.raises(UnableToCompileSource, match=told):
        make_decoder(context(_source(part=part)))
