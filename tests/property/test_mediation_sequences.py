"""Runs of numbers: what a block brought of every stream, each number once, however it was written and whatever refused it."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipelines.mediation.sequences import SequencePlan
from schemas.rejection import Reason

records = st.lists(
    st.tuples(
        st.sampled_from(["0", "1", "2", "3", "7", "8", "08", str(2**62), str(2**62 + 1), "", "-1", "x", "1.0"]),
        st.sampled_from(["a", "b", "", "é"]),
        st.sampled_from(["", "x"]),
        st.sampled_from(
            [0, 0, int(Reason.FIELD_MISSING), int(Reason.FILTERED_BY_SOURCE), int(Reason.INVALID_QUANTITY), 4]
        ),
    ),
    max_size=30,
)


@given(records=records)
def test_runs_hold_every_number_that_was_seen_once(records: list[tuple[str, str, str, int]]) -> None:
    texts = [field.encode() for row in records for field in row[:3]]
    ends = np.cumsum([len(text) for text in texts], dtype=np.int32).reshape(-1, 3)
    starts = (ends.reshape(-1) - np.array([len(text) for text in texts], np.int32)).reshape(-1, 3)
    text = np.frombuffer(b"".join(texts) + bytes(64), np.uint8)
    start, end = (np.ascontiguousarray(bounds.T.astype(np.int32)) for bounds in (starts, ends))
    reason = np.array([row[3] for row in records], np.uint16)
    runs = SequencePlan(0, np.array([1, 2], np.int32)).read(text, start, end, reason)

    expected: dict[str, set[int]] = {}
    for number, node, kind, refused in records:
        if number.isdigit() and int(number) <= 2**62 and refused != 4:
            expected.setdefault(f"{node}/{kind}", set()).add(int(number))
    found: dict[str, list[tuple[int, int]]] = {}
    for stream, first, last in zip(runs.stream, runs.first.tolist(), runs.last.tolist(), strict=True):
        found.setdefault(stream, []).append((first, last))
    assert set(found) == set(expected)
    for stream, numbers in expected.items():
        parts = found[stream]
        assert [number for first, last in parts for number in range(first, last + 1)] == sorted(numbers)
        assert all(before[1] + 1 < after[0] for before, after in pairwise(parts))
