"""Rejections as rows: what is refused, why, and with which bytes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from resource_world import START_US, Row, cdr_block, edrs_of

from pipelines import refusals
from pipelines.refusals import DESCRIBED_MAX, OUTCOME_OF, refused_records, unrated_edrs
from schemas.cdr import BlockPosition, CdrBlock
from schemas.edr import PACKED_WORDS, EdrBlock, unpack
from schemas.rejection import EXPLANATIONS, RAW_BYTES_MAX, REJECTION_SCHEMA, Outcome, Reason, Stage

WRITTEN = {
    Outcome.ACCEPTED: {Reason.NONE},
    Outcome.ABSORBED: {Reason.KEPT_READING, Reason.OPENING_READING, Reason.REPEATED_READING, Reason.ABSORBED_PART},
    Outcome.DUPLICATE: {Reason.DUPLICATE},
    Outcome.SUPERSEDED: {Reason.NEWER_VERSION_KNOWN},
    Outcome.FILTERED: {Reason.FILTERED_BY_SOURCE},
    Outcome.PARKED: {
        Reason.DOUBTFUL_READING,
        Reason.BEYOND_WINDOW,
        Reason.READING_OUT_OF_ORDER,
        Reason.LATE_PART,
        Reason.REOPENS_SESSION,
        Reason.TOO_MANY_SESSIONS,
        Reason.TOO_MANY_SERIES,
        Reason.SUPERSEDES_EARLIER,
        Reason.COUNTER_PERIOD_CLOSED,
        Reason.BEYOND_BILLABLE,
        Reason.AWAITS_EXECUTION,
    },
}


def outcome_of(reason: Reason) -> Outcome:
    return next((outcome for outcome, reasons in WRITTEN.items() if reason in reasons), Outcome.REJECTED)


def refuse(cdrs: CdrBlock, *reasons: int, retry_count: int = 0) -> list[dict]:
    batch = refused_records(
        cdrs, np.array(reasons, np.uint16), lambda block, row: f"row {row} of {len(block)}", retry_count
    )
    assert batch.schema == REJECTION_SCHEMA
    batch.validate(full=True)
    return batch.to_pylist()


def block(count: int, position: BlockPosition | None = None) -> CdrBlock:
    return cdr_block([Row(key=index + 1, access=index + 40, at=START_US + index) for index in range(count)], position)


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_has_its_outcome_and_only_rejected_and_parked_ones_are_kept(reason: Reason) -> None:
    outcome = outcome_of(reason)
    assert OUTCOME_OF[reason] == outcome
    rows = refuse(block(1), reason)
    if outcome not in (Outcome.REJECTED, Outcome.PARKED):
        assert rows == []
        return
    (row,) = rows
    assert (row["reason"], row["outcome"]) == (reason, outcome)
    assert row["stage"] == (Stage.DECODE if reason < 200 else Stage.RESOURCE)
    assert row["detail"] == ("row 0 of 1" if reason < 200 else EXPLANATIONS[reason])
    assert row["raw"] == b"0|40;"
    assert row["access_point"] == ("40" if reason >= Reason.UNKNOWN_EVENT_TYPE else "")
    assert row["event_at"] == (START_US if reason >= Reason.INVALID_QUANTITY else 0)
    assert (row["edr"], row["raw_truncated"], row["retry_count"]) == (b"", False, 0)


def test_rows_keep_their_order_place_and_bytes() -> None:
    position = BlockPosition(7, 3, 1000)
    reasons = [0, Reason.UNKNOWN_ACCESS_POINT, Reason.DUPLICATE, Reason.BEYOND_WINDOW, Reason.FIELD_COUNT]
    rows = refuse(block(5, position), *reasons, retry_count=4)
    assert [(row["claim"], row["block"], row["record"], row["raw"], row["access_point"]) for row in rows] == [
        (7, 3, 1001, b"1001|41;", "41"),
        (7, 3, 1003, b"1003|43;", "43"),
        (7, 3, 1004, b"1004|44;", ""),
    ]
    assert {row["retry_count"] for row in rows} == {4}


@pytest.mark.parametrize(
    ("size", "kept", "truncated"),
    [
        (0, 0, False),
        (RAW_BYTES_MAX - 1, RAW_BYTES_MAX - 1, False),
        (RAW_BYTES_MAX, RAW_BYTES_MAX, False),
        (RAW_BYTES_MAX + 1, RAW_BYTES_MAX, True),
        (10_000_000, RAW_BYTES_MAX, True),
    ],
)
def test_raw_bytes_are_kept_up_to_a_bound(size: int, kept: int, truncated: bool) -> None:
    content = np.resize(np.arange(251, dtype=np.uint8), size + 7)
    cdrs = replace(block(1), raw=content, raw_start=np.array([7]), raw_end=np.array([7 + size]))
    (row,) = refuse(cdrs, Reason.RECORD_TOO_LONG)
    assert row["raw"] == content[7 : 7 + kept].tobytes()
    assert row["raw_truncated"] is truncated


def test_only_so_many_rows_get_a_sentence_of_their_own() -> None:
    count = DESCRIBED_MAX + 2
    rows = refuse(block(count), *[int(Reason.FIELD_COUNT)] * count)
    assert rows[DESCRIBED_MAX - 1]["detail"] == f"row {DESCRIBED_MAX - 1} of {count}"
    assert rows[DESCRIBED_MAX]["detail"] == EXPLANATIONS[Reason.FIELD_COUNT]


def test_an_identifier_outside_utf8_is_shown_with_replacement_characters_and_kept_whole() -> None:
    text = np.frombuffer(b"\xff6;ok", np.uint8).copy()
    cdrs = replace(
        block(2),
        raw=text,
        raw_start=np.array([0, 3]),
        raw_end=np.array([3, 5]),
        text=text,
        access_start=np.array([0, 3]),
        access_end=np.array([2, 5]),
    )
    rows = refuse(cdrs, Reason.UNKNOWN_ACCESS_POINT, Reason.UNKNOWN_ACCESS_POINT)
    assert [(row["access_point"], row["raw"]) for row in rows] == [("\ufffd6", b"\xff6;"), ("ok", b"ok")]


def test_field_offsets_are_not_read_before_the_decoder_has_written_them() -> None:
    """Early reasons leave them undefined."""
    wild = np.full(1, 2**40)
    cdrs = replace(block(1), access_start=wild, access_end=wild + 99, event_at=np.full(1, -1))
    (row,) = refuse(cdrs, Reason.MALFORMED_RECORD)
    assert (row["access_point"], row["event_at"]) == ("", 0)


def test_rejections_of_more_than_two_gib_are_refused_before_they_are_made() -> None:
    with pytest.raises(OverflowError, match="2 GiB"):
        refusals._binary(np.zeros(1, np.uint8), np.zeros(2, np.int64), np.full(2, 2**30, np.int64))


def test_an_unrated_edr_keeps_all_that_rating_it_again_needs() -> None:
    edrs = EdrBlock(
        position=BlockPosition(7, 3, 1000),
        record=np.array([1000, 1001, 1002], np.int64),
        branch=np.array([0, 1, 0], np.uint8),
        event_at=np.array([5, 6, 7], np.int64),
        span_s=np.array([0, 60, 0], np.int64),
        quantity=np.array([1, 2**62, 3], np.int64),
        event_type=np.array([0, 65_534, 2], np.uint16),
        attributes=np.array([[0, 0, 0, 0], [1, 2, 3, 2**31 - 1], [0, 0, 0, 0]], np.int32),
        access_point=np.array([0, 1, 0], np.int32),
        subscription=np.array([4, 5, 6], np.int32),
    )
    names = pl.Series(["first", "deuxième"])
    batch = unrated_edrs(
        edrs,
        np.array([0, Reason.INSUFFICIENT_BALANCE, 0], np.uint16),
        lambda ids: names.gather(ids).to_arrow().cast(REJECTION_SCHEMA.field("access_point").type),
        2,
    )
    assert batch.schema == REJECTION_SCHEMA
    (row,) = batch.to_pylist()
    assert (row["claim"], row["block"], row["record"], row["stage"]) == (7, 3, 1001, Stage.ACCOUNT)
    assert (row["reason"], row["outcome"]) == (Reason.INSUFFICIENT_BALANCE, Outcome.ACCEPTED)
    assert (row["access_point"], row["event_at"], row["raw"], row["retry_count"]) == ("deuxième", 6, b"", 2)
    assert row["detail"] == EXPLANATIONS[Reason.INSUFFICIENT_BALANCE]
    back = unpack(np.frombuffer(row["edr"], np.int64).reshape(-1, PACKED_WORDS), BlockPosition(9, 0, 50))
    assert edrs_of(back) == [(6, 60, 2**62, 5, 1)]
    assert (back.event_type.tolist(), back.attributes.tolist()) == ([65_534], [[1, 2, 3, 2**31 - 1]])
    assert (back.record.tolist(), back.branch.tolist(), row["branch"]) == ([50], [1], 1)
