"""Steps cut into grains: arrays say what decimals say, grains add up to their step, and each moment counts once, newest first."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal, localcontext
from typing import Any
from unittest import mock

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipelines.mediation.columns.rows import Row
from pipelines.mediation.enedis.grains import ABOVE_WHOLE, cut_rows, shares
from pipelines.mediation.enedis.words import EPOCH, plain, written
from pipelines.mediation.intervals.demand import rows_of
from pipelines.mediation.kernels.nem12 import NO_VALUE
from pipelines.mediation.meters import grains
from pipelines.mediation.meters.grains import cut_steps
from pipelines.mediation.meters.steps import Steps

BEGIN, MINUTE = 1_775_307_600, 60
HEADS: list[Row] = [
    {"point": "P", "channel": "1-1:1.29.0", "measure": "EA", "direction": "consumption", "unit": unit, **more}
    for unit, more in (("Wh", {}), ("VArh", {"doubt": "why"}), ("W", {}), ("Wh", {"covered": "finer ones say it"}))
]
Stated = tuple[int, int, int | None, int]
"""(which 5 minutes, how many of them it lasts, value in millionths of a unit, head)"""
STATED = st.tuples(
    st.integers(0, 50), st.sampled_from([1, 2, 3, 6, 12, 288, 300, 0]),
    st.none() | st.sampled_from([0, 1, -1, 999_999, 2**60, -(2**60)]) | st.integers(-(10**10), 10**10), st.integers(0, 3),
)  # fmt: skip


def steps_of(stated: list[Stated], shift_s: int = 0) -> Steps:
    """Return intervals as a flow that a kernel reads has them."""
    place, count, head = (np.array([one[n] for one in stated], np.int64) for n in (0, 1, 3))
    value = np.array([NO_VALUE if one[2] is None else one[2] for one in stated], np.int64)
    number = np.arange(len(stated), dtype=np.int64)
    start = BEGIN + shift_s + 5 * MINUTE * place
    return Steps(HEADS, lambda _: ("A", "R"), head, head, start, 5 * MINUTE * count, value, number + 7, number)


def step(start_minute: int, minutes: int, value: str, version: int = 1) -> Row:
    """Return an interval as a flow that is read row by row has it."""
    start = EPOCH + timedelta(seconds=BEGIN, minutes=start_minute)
    ends = {"start": written(start), "end": written(start + timedelta(minutes=minutes)), "step_s": str(60 * minutes)}
    return HEADS[0] | ends | {"value": value, "net": value or "0", "version": str(version)}


@settings(deadline=None)
@given(
    stated=st.lists(STATED, max_size=12), minutes=st.sampled_from([1, 5, 10, 15, 30, 60]), at_once=st.integers(1, 40)
)
@example([(0, 6, 1_000_000, 0), (0, 6, 5_500_001, 0), (6, 6, -7_250_000, 0)], 5, 4)
def test_arrays_are_cut_as_decimals_are(stated: list[Stated], minutes: int, at_once: int) -> None:
    steps = steps_of(stated)
    wanted = list(cut_rows(rows_of(steps), minutes))
    with mock.patch.object(grains, "GRAINS_AT_ONCE", at_once):
        cut = cut_steps(steps, minutes)
        found = None if cut is None else [row for some in cut for row in rows_of(some)]
    if found is None:
        assert any("no whole number" in row["doubt"] or row["doubt"] == "why" for row in wanted)
    else:
        length = {"step_s": ""}  # arrays leave it to their ends
        assert [row | length for row in found] == [row | length for row in wanted]


@given(
    value=st.decimals(allow_nan=False, allow_infinity=False, places=9, min_value=-(10**29), max_value=10**29),
    count=st.integers(1, 1440),
)
def test_grains_add_up_and_are_whole_but_for_the_last(value: Decimal, count: int) -> None:
    parts = [Decimal(text) for text in shares(plain(value), count)]
    with localcontext(prec=80):
        assert sum(parts) == value
    assert all(part == int(part) for part in parts[:-1])
    whole = [abs(int(part)) for part in parts]
    assert max(whole) - min(whole) <= 1
    assert all(not part or part.is_signed() == value.is_signed() for part in parts)


@settings(deadline=None)
@given(
    stated=st.lists(
        st.tuples(st.integers(0, 20), st.sampled_from([1, 2, 3, 6, 12]), st.integers(0, 10**6)), min_size=1, max_size=10
    ),
    data=st.data(),
)
def test_each_moment_counts_once_as_the_newest_statement_says(stated: list[tuple[int, int, int]], data: Any) -> None:
    """Of records of one identity the highest version counts: so the engine does, in any order (`versions.decide_versions`)."""
    rows = [step(5 * place, 5 * count, str(value), version) for version, (place, count, value) in enumerate(stated)]
    standing: dict[str, Row] = {}
    for row in data.draw(st.permutations([*rows, *rows[:2]])):
        for grain in cut_rows([row], 5):
            if grain["start"] not in standing or int(grain["version"]) > int(standing[grain["start"]]["version"]):
                standing[grain["start"]] = grain
    newest = dict[int, int]()
    for version, (place, count, _) in enumerate(stated):
        newest |= dict.fromkeys(range(place, place + count), version)
    assert len(standing) == len(newest)
    for version, (place, count, value) in enumerate(stated):
        left = sum(newest[n] == version for n in range(place, place + count))
        counted = sum(
            Decimal(grain["value"]) for grain in standing.values() if grain["version"] == str(ABOVE_WHOLE + version)
        )
        assert left or not counted  # covered as a whole: taken back as a whole
        assert left < count or counted == value  # covered by nothing: as it was stated
        assert abs(counted - Decimal(value) * left / count) < count  # else its share by time, in whole Wh


BY_30 = [step(0, 30, "600"), step(30, 30, "900")]
BY_15 = [step(0, 15, "100", 2), step(15, 15, "200", 2), step(30, 15, "300", 2), step(45, 15, "400", 2)]
SCENARIOS: dict[str, tuple[list[Row], str]] = {
    "shorter ones replace longer ones": ([*BY_30, *BY_15], "1000"),
    "longer ones replace shorter ones": ([*[row | {"version": "1"} for row in BY_15], *[row | {"version": "2"} for row in BY_30]], "1500"),
    "there and back again": ([*BY_30, *BY_15, *[row | {"version": "3"} for row in BY_30]], "1500"),
    "one of two quarters was stated again as half an hour": ([BY_15[0] | {"version": "1"}, step(0, 30, "600", 2)], "600"),
    "a half hour of which one quarter was corrected keeps its share of the other": ([BY_30[0], step(15, 15, "50", 2)], "350"),
    "a half hour over the ends of two others": ([*BY_30, step(15, 30, "60", 2)], "810"),
    "declared missing": ([BY_15[0] | {"version": "1"}, step(0, 30, "", 2)], "0"),
    "an older statement that comes late": ([*BY_15, *BY_30], "1000"),
    "a step between two others": ([step(0, 15, "10"), step(30, 15, "20"), step(0, 60, "4", 2)], "4"),
}  # fmt: skip


@pytest.mark.parametrize("name", SCENARIOS)
def test_what_is_left_after_corrections(name: str) -> None:
    rows, wanted = SCENARIOS[name]
    for order in (rows, rows[::-1]):
        standing: dict[str, Row] = {}
        for grain in cut_rows(order, 15):
            if int(grain["version"]) >= int(standing.get(grain["start"], {"version": "0"})["version"]):
                standing[grain["start"]] = grain
        assert plain(sum((Decimal(grain["net"]) for grain in standing.values()), Decimal(0))) == wanted


@pytest.mark.parametrize(
    ("change", "is_doubted"),
    [
        ({"start": "2026-04-04T13:01:00Z"}, True),
        ({"end": "2026-04-04T13:47:30Z"}, True),
        ({"end": "2026-04-04T12:55:00Z"}, True),
        ({"end": "?"}, True),
        ({"start": "2026-04-03T13:00:00Z"}, True),  # a day and more
        ({"start": "2026-04-03T13:00:00Z", "channel": "1-1:1.30.0"}, False),
        ({"start": "2026-04-03T13:00:00Z", "measure": "EA_total"}, False),
        ({"start": "2026-04-04T13:01:00Z", "unit": "W"}, False),
        ({"start": "2026-04-04T13:01:00Z", "covered": "by finer ones"}, False),
        ({"start": "?"}, False),  # which no mapping reads
    ],
)
def test_what_is_between_grains_is_doubted_and_what_has_no_parts_stays(change: Row, is_doubted: bool) -> None:
    row = step(0, 30, "600") | change
    [found] = cut_rows([row], 5)
    told = f"{row['start']} to {row['end']} is no whole number of 5 minutes, from a multiple of them on, shorter than a day"
    row = row | {"version": str(ABOVE_WHOLE + 1)}
    assert found == row | ({"doubt": told} if is_doubted else {})
    if is_doubted:
        assert list(cut_rows([row | {"doubt": "of its own"}], 5)) == [row | {"doubt": "of its own"}]


def test_one_step_between_grains_leaves_arrays_to_the_twin() -> None:
    assert cut_steps(steps_of([(0, 6, 10, 0)], shift_s=60), 5) is None
    assert cut_steps(steps_of([(0, 6, 10, 2)], shift_s=60), 5) is not None  # powers have no parts
