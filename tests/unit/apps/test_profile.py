"""The profile of a file against a plain-Python twin, whatever the blocks; distinct keys up to their bound."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from resource_world import FOREVER_US, START_US, Row, access_index, cdr_block

from apps.embedded import profile as module
from apps.embedded.profile import DistinctKeys, Profile
from schemas.cdr import ATTRIBUTE_SLOTS, BlockPosition
from schemas.edr import EdrBlock
from schemas.rejection import OUTCOMES, Outcome, Reason

Line = tuple[Row, int, int]
"""A decoded record, its final reason, and its EDR's reason for being unrated."""

DECODER_REASONS = [reason for reason in Reason if 0 < reason < Reason.DUPLICATE]
RESOURCE_REASONS = [reason for reason in Reason if Reason.DUPLICATE <= reason < Reason.NO_MATCHING_CHARGE]
ACCOUNT_REASONS = [reason for reason in Reason if reason >= Reason.NO_MATCHING_CHARGE]


def _line(decoder: int, resource: int, account: int, row: Row) -> Line:
    decoded = Row(**{**vars(row), "reason": decoder})
    final = decoder or resource
    return decoded, final, 0 if final else account


rows = st.builds(
    Row,
    key=st.just(1),
    access=st.integers(1, 6) | st.just(2**127 + 1),
    at=st.integers(START_US, START_US + 10**12),
    quantity=st.integers(0, 2**62),
    series=st.sampled_from([0, 0, 5]),
    event_type=st.integers(0, 2),
)
lines = st.builds(
    _line,
    st.sampled_from([0, 0, *DECODER_REASONS]),
    st.sampled_from([0, 0, *RESOURCE_REASONS]),
    st.sampled_from([0, 0, *ACCOUNT_REASONS]),
    rows,
)


def _profile(found: list[Line], cuts: list[int]) -> Profile:
    profile = Profile()
    bounds = sorted({0, len(found), *(cut for cut in cuts if cut < len(found))})
    for block, (first, last) in enumerate(pairwise(bounds)):
        part = found[first:last]
        position = BlockPosition(2, block, first)
        kept = [(first + i, row, unrated) for i, (row, final, unrated) in enumerate(part) if final == 0]
        n = len(kept)
        edrs = EdrBlock(
            position,
            np.array([record for record, _, _ in kept], np.int64),
            np.zeros(n, np.uint8),
            np.zeros(n, np.int64),
            np.zeros(n, np.int64),
            np.array([row.quantity // 2 for _, row, _ in kept], np.int64),
            np.array([row.event_type for _, row, _ in kept], np.uint16),
            np.zeros((n, ATTRIBUTE_SLOTS), np.int32),
            np.zeros(n, np.int32),
            np.zeros(n, np.int32),
        )
        profile.add(
            cdr_block([row for row, _, _ in part], position),
            np.array([final for _, final, _ in part], np.uint16),
            edrs,
            np.array([unrated for _, _, unrated in kept], np.uint16),
        )
    return profile


@given(st.lists(lines, max_size=40), st.lists(st.integers(1, 39), max_size=5))
def test_any_blocks_give_what_the_twin_counts(found: list[Line], cuts: list[int]) -> None:
    profile = _profile(found, cuts)
    assert profile.records == len(found)
    outcomes = Counter(OUTCOMES[Reason(final)] for _, final, _ in found)
    assert profile.outcomes.tolist() == [outcomes[outcome] for outcome in Outcome]
    reasons: dict[int, list[int]] = {}
    for record, (_, final, unrated) in enumerate(found):
        if final or unrated:
            reasons.setdefault(final or unrated, []).append(record)
    assert {code: (c.records, c.first_record) for code, c in profile.reasons.items()} == {
        code: (len(records), records[0]) for code, records in reasons.items()
    }
    times = [row.at for row, final, _ in found if final == 0 or final >= Reason.INVALID_QUANTITY]
    assert profile.is_dated is bool(times)
    if times:
        assert (profile.first_at, profile.last_at) == (min(times), max(times))
    owned = access_index({1: [(0, FOREVER_US, 1, 1)], 2: [(START_US, START_US + 1, 2, 2)]})
    points = {row.access for row, final, _ in found if final == 0 or final >= Reason.UNKNOWN_EVENT_TYPE}
    assert profile.unknown_access_points(owned) == (len(points), len(points - {1, 2}), True)


@given(st.lists(lines, max_size=40), st.lists(st.integers(1, 39), max_size=5))
def test_sums_by_event_type_are_exact(found: list[Line], cuts: list[int]) -> None:
    sums = _profile(found, cuts).event_types
    expected: dict[int, list[int]] = {}
    for row, final, _ in found:
        if row.reason == 0:
            figures = expected.setdefault(row.event_type, [0, 0, 0, 0, 0])
            usage = row.series == 0
            kept = final == 0
            own = (1, not usage, usage * row.quantity, kept, kept * (row.quantity // 2))
            expected[row.event_type] = [a + b for a, b in zip(figures, own, strict=True)]
    assert {code: [s.records, s.readings, s.quantity, s.edrs, s.edr_quantity] for code, s in sums.items()} == expected


@given(st.lists(st.lists(st.integers(0, 50).map(lambda n: n * (2**64 + 1)), max_size=30), max_size=8))
def test_distinct_keys_are_counted_across_blocks(blocks: list[list[int]]) -> None:
    counted = DistinctKeys()
    for block in blocks:
        counted.add(*_halves(block))
    hi, lo, exact = counted.keys()
    assert exact
    found = [(int(a) << 64) | int(b) for a, b in zip(hi, lo, strict=True)]
    assert sorted(found) == sorted({key for block in blocks for key in block})


@pytest.mark.parametrize("pending", [1, 1 << 16])
def test_more_keys_than_the_bound_are_not_kept(pending: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PENDING_MIN", pending)
    counted = DistinctKeys(most=10)
    for first in range(0, 10, 5):
        counted.add(*_halves(list(range(first, first + 5))))
        counted.add(*_halves(list(range(first, first + 5))))
    assert (len(counted.keys()[0]), counted.keys()[2]) == (10, True)
    for first in range(0, 100, 5):
        counted.add(*_halves(list(range(first, first + 5))))
    assert (len(counted.keys()[0]), counted.keys()[2]) == (10, False)


def _halves(keys: list[int]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([key >> 64 for key in keys], np.uint64), np.array([key & (2**64 - 1) for key in keys], np.uint64)
