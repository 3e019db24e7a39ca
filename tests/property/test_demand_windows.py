"""Demand over several files: what arrays say is what decimals say, and neither order, repetition nor split of intervals changes it."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any
from unittest import mock
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipelines.mediation.columns.rows import Row
from pipelines.mediation.enedis.words import EPOCH, plain, written
from pipelines.mediation.failures import UnableToDecodeFile
from pipelines.mediation.intervals import windows
from pipelines.mediation.intervals.demand import with_demand
from pipelines.mediation.intervals.statements import read_statements, write_statements
from pipelines.mediation.intervals.windows import Intervals, demands, key_of, passes, restated
from pipelines.mediation.kernels.nem12 import NO_VALUE
from pipelines.mediation.meters.steps import Steps
from schemas.source import Filter

SYDNEY = "Australia/Sydney"
BEGIN = 1_775_307_600
"""An hour before the clocks of Sydney go back, in April 2026."""
KNOWN = {"point": "P", "channel": "1-1:1.29.0", "measure": "EA", "direction": "consumption", "unit": "Wh"}
Stated = tuple[int, int, int | None, int]
"""(which quarter of an hour, quarters that it lasts, value in thousandths of a Wh, version)"""
INTERVALS = st.lists(
    st.tuples(
        st.integers(0, 11), st.sampled_from([1, 1, 1, 2]),
        st.none() | st.integers(-2000, 900_000) | st.sampled_from([0, 10**15, 1]), st.integers(1, 3),
    ),
    max_size=24,
)  # fmt: skip


def row_of(stated: Stated, scale: int = 1000) -> Row:
    """Return an interval as a flow that is read row by row has it."""
    place, quarters, value, version = stated
    start = EPOCH + timedelta(seconds=BEGIN + 900 * place)
    return KNOWN | {
        "start": written(start), "end": written(start + timedelta(seconds=900 * quarters)), "version": str(version),
        "value": "" if value is None else plain(Decimal(value) / scale),
    }  # fmt: skip


def steps_of(stated: list[Stated]) -> Steps:
    """Return intervals as a flow that a kernel reads has them, of two heads."""
    place, quarters, version = (np.array([one[n] for one in stated], np.int64) for n in (0, 1, 3))
    value = np.array([NO_VALUE if one[2] is None else 1000 * one[2] for one in stated], np.int64)
    head = np.arange(len(stated)) % 2
    return Steps(
        [KNOWN, dict(KNOWN)], lambda _: ("", ""), head, head, BEGIN + 900 * place, 900 * quarters, value, version, head
    )


def slowly(stated: list[Stated], minutes: int, zone: str | None, *, fixed: bool) -> list[tuple[str, ...]]:
    """Return (start, demand, hour) of all windows by the twin, given what counts of each start in order."""
    latest: dict[int, tuple[Any, ...]] = {}
    for place, quarters, value, version in stated:
        rank = (version, -quarters, value is not None, value or 0)
        latest[place] = max(latest.get(place, rank), rank)
    rows = [
        row_of((place, -less, value, version))
        for place, (version, less, there, value) in sorted(latest.items())
        if there
    ]
    found = next(with_demand(iter([rows]), 60 * minutes, None if zone is None else ZoneInfo(zone), fixed=fixed))
    return [(row["start"], row["demand"], row.get("hour", "")) for row in found if row["demand"] not in ("", "0")]


def told(intervals: Intervals, minutes: int, zone: str | None, *, fixed: bool) -> list[tuple[str, ...]]:
    """Return (start, demand, hour) of all windows."""
    found = demands(intervals, 60 * minutes, zone, fixed=fixed)
    return [(row["start"], row["demand"], row.get("hour", "")) for row in found]


@settings(deadline=None)
@given(
    stated=INTERVALS,
    minutes=st.sampled_from([15, 30, 60]),
    zone=st.sampled_from([None, SYDNEY]),
    fixed=st.booleans(),
    data=st.data(),
)
@example([(n, 1, 250_000, 1) for n in range(8)], 30, SYDNEY, True, None)
def test_windows_are_those_of_the_twin_in_any_order_and_split(
    stated: list[Stated], minutes: int, zone: str | None, fixed: bool, data: Any
) -> None:
    wanted = slowly(stated, minutes, zone, fixed=fixed)
    arrays = Intervals()
    arrays.take(steps_of(stated))
    assert told(arrays, minutes, zone, fixed=fixed) == wanted
    mixed = Intervals()
    order = list(stated) if data is None else data.draw(st.permutations([*stated, *stated[:2]]))
    for place in range(0, len(order), 3):
        mixed.take(
            [row_of(one) for one in order[place : place + 3]] if place % 2 else steps_of(order[place : place + 3])
        )
    assert told(mixed, minutes, zone, fixed=fixed) == wanted
    with mock.patch.object(windows, "SUM_LIMIT", 0):  # all of it in decimals
        assert told(mixed, minutes, zone, fixed=fixed) == wanted


def test_values_that_are_no_millionths_are_added_exactly() -> None:
    rows = [row_of((n, 1, 1, 1), scale=3 * 10**0) | {"value": f"0.{'3' * 9}"} for n in range(2)]
    intervals = Intervals()
    intervals.take(rows)
    assert told(intervals, 30, None, fixed=False) == [(rows[1]["start"], "1.333333", "")]


@pytest.mark.parametrize(
    "change",
    [
        {"doubt": "x"},
        {"measure": "EA_total"},
        {"covered": "x"},
        {"unit": "m3"},
        {"start": "x"},
        {"value": "x"},
        {"start": "2026-04-04T14:00:00.5Z"},
        {"end": ""},
    ],
)
def test_what_is_no_energy_of_an_interval_is_a_gap(change: dict[str, str]) -> None:
    intervals = Intervals()
    intervals.take([row_of((0, 1, 1000, 1)), row_of((1, 1, 1000, 1)) | change, row_of((2, 1, 1000, 1))])
    assert told(intervals, 30, None, fixed=False) == []


def test_fixed_windows_end_on_multiples_of_their_length() -> None:
    intervals = Intervals()
    intervals.take([row_of((n, 1, 1000 * n, 1)) for n in range(5)])
    rolling = {start[11:16]: demand for start, demand, _ in told(intervals, 30, SYDNEY, fixed=False)}
    fixed = {start[11:16]: demand for start, demand, _ in told(intervals, 30, SYDNEY, fixed=True)}
    assert rolling == {"13:15": "2", "13:30": "6", "13:45": "10", "14:00": "14"}
    assert fixed == {"13:15": "2", "13:45": "10"}


@pytest.mark.parametrize(
    ("condition", "kept"),
    [
        ({"keep": ["15", "16"]}, True), ({"keep": ["17"]}, False), ({"drop": ["15"]}, False), ({"drop": ["17"]}, True),
        ({"prefix": ["1"]}, True), ({"prefix": ["2"]}, False), ({"present": True}, True), ({"present": False}, False),
        ({"min": "15"}, True), ({"min": "15.5"}, False), ({"max": "15"}, True), ({"max": "14"}, False),
    ],
)  # fmt: skip
def test_filters_decide_before_a_window_is_stated(condition: dict[str, Any], kept: bool) -> None:
    assert passes(Filter(field="hour", **condition), {"hour": "15"}) is kept
    assert passes(Filter(field="hour", min="3"), {"hour": "x"})


def test_only_what_is_new_other_or_no_more_is_stated_again() -> None:
    first = [{**KNOWN, "start": f"2026-01-0{n}", "end": "e", "demand": str(n)} for n in (1, 2, 3)]
    stated = {key_of(row): row for row in restated(first, {}, 7)}
    assert [row["version"] for row in stated.values()] == [str(10**17 + 7)] * 3
    assert list(restated(first, stated, 9)) == []
    again = list(restated([first[0], first[1] | {"demand": "5"}], stated, 9))
    assert [(row["start"], row["demand"], row["version"]) for row in again] == [
        ("2026-01-02", "5", str(10**17 + 9)), ("2026-01-03", "0", str(10**17 + 9)),
    ]  # fmt: skip
    gone = stated | {key_of(row): row for row in again}
    assert list(restated([first[0], first[1] | {"demand": "5"}], gone, 11)) == []


def test_a_file_of_statements_is_read_as_it_was_written() -> None:
    rows = [{"flow": "DEMAND", "point": "é", "demand": "1"}, {"point": "Q"}]
    text = b"".join(write_statements(rows)).decode()
    assert list(read_statements(iter(text.splitlines()))) == [row | {"line": str(n)} for n, row in enumerate(rows, 2)]
    assert b"".join(write_statements([])) == b""
    lines = text.splitlines()
    for broken in (
        lines[:-1],
        [*lines, "x"],
        [lines[0], "[]", lines[-1]],
        [lines[0], '{"a": "b"}', lines[-1]],
        [lines[0], '{"point": 1}', "]}"],
        [],
    ):
        with pytest.raises(UnableToDecodeFile, match="line"):
            list(read_statements(iter(broken)))
