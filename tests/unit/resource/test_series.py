"""Meter readings: consumption is the difference of consecutive indexes of one register."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from resource_world import ALWAYS, START_US, Row, Stage, held_keys, held_registers, openings

from pipelines.resource.kernels.series import consumption
from pipelines.resource.series import CAPACITY_MIN, RegisterTable
from schemas.cdr import OnDecrease, ReadingRules
from schemas.rejection import Reason

HOUR_US = 3_600_000_000
NONE, OPENED = Reason.NONE, Reason.OPENING_READING
LATE, LOWER = Reason.READING_OUT_OF_ORDER, Reason.INDEX_DECREASED
DUPLICATE, OTHER = Reason.DUPLICATE, Reason.SAME_KEY_OTHER_CONTENT


def reading(hour: int, index: int, *, series: int = 7, key: int | None = None, content: int | None = None) -> Row:
    """Return a reading whose identity is its register and instant unless said otherwise."""
    return Row(
        key=key or (series << 32) + hour + 1,
        at=START_US + hour * HOUR_US,
        quantity=index,
        content=content or index + 1,
        series=series,
    )


def both_ways(rows: list[Row], windows: dict = ALWAYS) -> list[tuple[Reason, tuple | None]]:
    """Process rows as one block and one by one; return the one answer."""
    whole, single = Stage(windows), Stage(windows)
    together = whole.answers(rows)
    assert [answer for row in rows for answer in single.answers([row])] == together
    assert held_registers(whole.state) == held_registers(single.state)
    assert held_keys(whole.state) == held_keys(single.state)
    return together


def test_the_first_reading_opens_and_the_next_measure() -> None:
    rows = [reading(0, 100), reading(1, 130), reading(1 + 24, 130)]
    assert both_ways(rows) == [
        (OPENED, None),
        (NONE, (START_US, 3600, 30, 10, 100)),
        (NONE, (START_US + HOUR_US, 86_400, 0, 10, 100)),
    ]


def test_a_reading_that_begins_anew_is_not_measured_up_to() -> None:
    """A meter is changed: 150 before, 7 after, at the same instant; and 9 more until the next reading."""
    changed = replace(reading(2, 7, key=98), begins=True)
    rows = [reading(0, 100), reading(2, 150), changed, reading(3, 16), replace(reading(1, 0, key=97), begins=True)]
    assert both_ways(rows) == [
        (OPENED, None),
        (NONE, (START_US, 7200, 50, 10, 100)),
        (OPENED, None),
        (NONE, (START_US + 2 * HOUR_US, 3600, 9, 10, 100)),
        (LATE, None),  # older than what was counted since
    ]


@pytest.mark.parametrize(
    ("index", "rolls_over_at", "used"),
    [(15, 1000, 35), (15, 0, None), (15, 980, None), (15, 900, None), (990, 1000, 10), (980, 1000, 0)],
)
def test_a_dial_that_says_so_begins_again_at_zero(index: int, rolls_over_at: int, used: int | None) -> None:
    rows = [reading(0, 980), replace(reading(1, index), rolls_over_at=rolls_over_at)]
    _, (reason, edr) = both_ways(rows)
    assert (reason, edr and edr[2]) == ((LOWER, None) if used is None else (NONE, used))


def test_a_gap_is_measured_over_its_whole_length() -> None:
    ((_, _), (_, edr)) = both_ways([reading(0, 0), reading(24 * 40, 12_345)])
    assert edr == (START_US, 40 * 86_400, 12_345, 10, 100)


def test_each_register_has_its_own_series() -> None:
    rows = [reading(0, 5, series=7), reading(1, 50, series=1 << 64 | 7), reading(2, 6, series=7)]
    rows.append(reading(3, 53, series=1 << 64 | 7))
    answers = both_ways(rows)
    assert [reason for reason, _ in answers] == [OPENED, OPENED, NONE, NONE]
    assert [edr[2] for _, edr in answers if edr] == [1, 3]


def test_registers_are_told_apart_by_either_half_of_their_names() -> None:
    rows = [reading(hour, 10 * hour, series=series, key=100 * hour + place + 1)
            for hour in range(2) for place, series in enumerate([1 << 64, 2 << 64, 1, 2 << 64 | 1])]  # fmt: skip
    assert both_ways(rows) == [(OPENED, None)] * 4 + [(NONE, (START_US, 3600, 10, 10, 100))] * 4


@pytest.mark.parametrize(
    ("second", "reason"),
    [
        (reading(1, 130), NONE),
        (reading(1, 100), NONE),  # nothing was consumed
        (reading(1, 99), LOWER),
        (reading(1, 0), LOWER),  # the meter was replaced, or its index rolled over
        (reading(-1, 130), LATE),
        (reading(0, 130, key=99), LATE),  # another identity at the same instant
        (reading(0, 100), DUPLICATE),
    ],
)
def test_what_a_second_reading_is(second: Row, reason: Reason) -> None:
    answers = both_ways([reading(0, 100), second])
    assert [found for found, _ in answers] == [OPENED, reason]


@pytest.mark.parametrize("refused", [reading(2, 50), reading(1, 140, key=5)])
def test_a_refused_reading_leaves_its_register_and_its_key_as_they_were(refused: Row) -> None:
    stage = Stage()
    stage.take([reading(0, 100), reading(1, 130)])
    registers, keys = held_registers(stage.state), held_keys(stage.state)
    assert stage.take([refused])[0] in (LATE, LOWER)
    assert (held_registers(stage.state), held_keys(stage.state)) == (registers, keys)
    assert stage.answers([reading(3, 150)]) == [(NONE, (START_US + HOUR_US, 7200, 20, 10, 100))]


@pytest.mark.parametrize(
    ("rows", "reasons"),
    [
        # the correction of a bad index, with the same identity
        ([reading(0, 100), reading(1, 5), reading(1, 105)], [OPENED, LOWER, NONE]),
        # the bad one again, then the correction, then both again
        (
            [reading(0, 100), reading(1, 5), reading(1, 5), reading(1, 105), reading(1, 105), reading(1, 5)],
            [OPENED, LOWER, LOWER, NONE, DUPLICATE, OTHER],
        ),
        # the correction comes after the next reading: too late for its register
        ([reading(0, 100), reading(1, 5), reading(2, 110), reading(1, 105)], [OPENED, LOWER, NONE, LATE]),
        # the correction names an access point that nobody knows
        ([reading(0, 100), reading(1, 5), Row(key=(7 << 32) + 2, access=9, at=START_US + HOUR_US, series=7)],
         [OPENED, LOWER, Reason.UNKNOWN_ACCESS_POINT]),
        # plain usage under the identity of a refused reading
        ([reading(0, 100), reading(1, 5), Row(key=(7 << 32) + 2, at=START_US + HOUR_US)], [OPENED, LOWER, NONE]),
    ],
)  # fmt: skip
def test_a_refused_reading_does_not_make_the_next_one_a_duplicate(rows: list[Row], reasons: list[Reason]) -> None:
    assert [reason for reason, _ in both_ways(rows)] == reasons


def test_a_duplicate_reading_measures_nothing_twice() -> None:
    stage = Stage()
    rows = [reading(0, 100), reading(1, 130), reading(2, 150)]
    assert [reason for reason, _ in stage.answers(rows)] == [OPENED, NONE, NONE]
    assert stage.take(rows) == [DUPLICATE, DUPLICATE, DUPLICATE]
    assert held_registers(stage.state) == {7: (START_US + 2 * HOUR_US, 150)}


def test_an_opening_reading_of_the_catalog_makes_the_first_reading_measure() -> None:
    stage = Stage()
    stage.state.registers.open(*openings((7, START_US, 40)))
    assert stage.answers([reading(2, 100)]) == [(NONE, (START_US, 7200, 60, 10, 100))]


def test_an_opening_reading_does_not_move_a_register_that_is_open() -> None:
    stage = Stage()
    stage.take([reading(5, 100)])
    stage.state.registers.open(*openings((7, START_US, 40), (8, START_US, 1), (8, START_US + 1, 2)))
    assert held_registers(stage.state) == {7: (START_US + 5 * HOUR_US, 100), 8: (START_US, 1)}


def test_the_table_grows_and_forgets_no_register() -> None:
    table = RegisterTable()
    for first in range(0, 5 * CAPACITY_MIN, 500):
        # few low bits: every probe goes a long way
        table.open(*openings(*(((index << 64) | (index % 5), index, index) for index in range(first + 1, first + 501))))
    assert table.count == 5 * CAPACITY_MIN // 500 * 500 + 500
    assert table.count <= len(table.key_hi) / 2
    stage = Stage()
    stage.state.registers = table
    assert len(held_registers(stage.state)) == table.count


IDLE = ReadingRules(opens_at_zero=True, idle_days=2, absorbs_repeats=True)
DAY = 24


def test_a_series_of_which_nothing_came_for_long_is_over() -> None:
    stage = Stage(readings=IDLE)
    assert [reason for reason, _ in stage.answers([reading(0, 100), reading(1, 130)])] == [NONE, NONE]
    at = START_US + 3 * DAY * HOUR_US  # the latest reading is older than two days
    assert stage.take([reading(2, 140)], at) == [Reason.BEYOND_WINDOW]
    (answer,) = stage.answers([reading(2 * DAY, 5)], at)
    assert answer == (NONE, (START_US + 2 * DAY * HOUR_US, 0, 5, 10, 100))  # another counter, which began at 0
    assert held_registers(stage.state) == {7: (START_US + 2 * DAY * HOUR_US, 5)}
    assert stage.answers([reading(2 * DAY + 1, 9)], at)[0][1] == (START_US + 2 * DAY * HOUR_US, 3600, 4, 10, 100)


def test_a_reading_keeps_its_series_and_those_of_other_sources_stay_for_ever() -> None:
    stage = Stage(readings=IDLE)
    for day in range(6):
        assert stage.take([reading(day * DAY, 100 * day)], START_US + day * DAY * HOUR_US) == [NONE]
    assert sum(index for _, index in held_registers(stage.state).values()) == 500
    stage = Stage()
    stage.take([reading(0, 100)])
    ((reason, edr),) = stage.answers([reading(900 * DAY, 130)], START_US + 900 * DAY * HOUR_US)
    assert (reason, edr[2] if edr else None) == (NONE, 30)


def test_what_is_over_makes_room_and_bills_nothing_twice() -> None:
    stage = Stage(readings=IDLE)
    rows = [reading(0, index, series=index) for index in range(1, CAPACITY_MIN // 2 + 1)]
    stage.take([*rows, reading(1, 10**6, series=10**6)])
    capacity = len(stage.state.registers.key_hi)
    at = START_US + 2 * DAY * HOUR_US + 1  # all are over but the last, by an instant
    fresh = [reading(2 * DAY, 1, series=10**9 + number) for number in range(capacity)]
    assert set(stage.take(fresh, at)) == {NONE}
    assert 10**6 in held_registers(stage.state)
    assert len(held_registers(stage.state)) == capacity + 1
    assert stage.state.registers.forgotten == {0: START_US}
    # a longer memory does not bring back what is forgotten: such a reading might be billed already
    stage.readings = ReadingRules(opens_at_zero=True, idle_days=30)
    assert stage.take([reading(0, 7, series=5, key=99)], at) == [Reason.BEYOND_WINDOW]
    assert stage.take([reading(1, 7, series=5, key=99)], at) == [NONE]


def test_only_a_source_that_forgets_takes_a_new_register_for_a_forgotten_one() -> None:
    forgets, remembers = ReadingRules(idle_days=1), ReadingRules()
    stage = Stage(readings=forgets)
    assert stage.take([reading(0, 5)]) == [OPENED]
    stage.state.registers.forgotten = {0: START_US + 60 * HOUR_US}
    now = START_US + 70 * HOUR_US
    assert stage.take([reading(50, 7)], now) == [OPENED]  # it is over, but there: it begins anew
    assert stage.take([reading(50, 7, series=8)], now) == [Reason.BEYOND_WINDOW]
    stage.readings = remembers
    assert stage.take([reading(50, 7, series=8)], now) == [OPENED]


@pytest.mark.parametrize("rule", list(OnDecrease), ids=lambda rule: rule.name)
def test_the_same_reading_again_is_no_new_one_whatever_a_decrease_means(rule: OnDecrease) -> None:
    modulus = 2**32 if rule is OnDecrease.WRAP_32 else 0
    stage = Stage(readings=ReadingRules(on_decrease=rule, modulus=modulus, absorbs_repeats=True))
    assert stage.take([reading(1, 5), reading(1, 5, key=9)]) == [OPENED, Reason.REPEATED_READING]
    assert stage.take([reading(1, 6, key=10)]) == [LATE]


@pytest.mark.parametrize(
    ("last", "index", "counted"),
    [(999, 0, 1), (999, 998, 999), (1000, 0, -1), (1001, 1000, -1), (1000, 1000, 0), (5, 1001, 996)],
)
def test_a_counter_that_went_beyond_its_end_does_not_wrap(last: int, index: int, counted: int) -> None:
    assert consumption(last, index, int(OnDecrease.WRAP_32), 1000) == counted


def test_what_one_space_forgot_is_nothing_to_another() -> None:
    brief, long = (replace(IDLE, idle_days=days, space=days) for days in (2, 30))
    stage = Stage(readings=brief)
    stage.take([reading(3 * DAY, index, series=index) for index in range(1, CAPACITY_MIN // 2 + 1)])
    at = START_US + 6 * DAY * HOUR_US
    stage.take([reading(5 * DAY, 1, series=10**6)], at)  # all others are over, and go
    assert stage.state.registers.forgotten == {2: START_US + 3 * DAY * HOUR_US}
    stage.readings = long
    assert stage.take([reading(2 * DAY, 7, series=10**7)], at) == [NONE]
    # a source that sees the same usage, and remembers for longer, bills nothing twice
    stage.readings = replace(long, space=2)
    assert stage.take([reading(2 * DAY, 7, series=5)], at) == [Reason.BEYOND_WINDOW]
    # of those that were forgotten before it was known whose they were, nobody knows
    stage.state.registers.forgotten = {0: START_US + 3 * DAY * HOUR_US}
    stage.readings = long
    assert stage.take([reading(2 * DAY, 7, series=10**8)], at) == [Reason.BEYOND_WINDOW]
    assert set(stage.state.registers.space[stage.state.registers.last_index == 7].tolist()) == {30}


def test_so_many_series_are_kept_and_no_more() -> None:
    stage = Stage(readings=ReadingRules(series_max=2))
    rows = [reading(0, 1, series=series) for series in (1, 2, 3, 1 << 64 | 1)]
    assert stage.take(rows) == [OPENED, OPENED, Reason.TOO_MANY_SERIES, Reason.TOO_MANY_SERIES]
    assert stage.take([reading(1, 2, series=2)]) == [NONE]
    stage.readings = ReadingRules(series_max=3)
    assert stage.take(rows[2:]) == [OPENED, Reason.TOO_MANY_SERIES]  # the key was not taken


@given(st.permutations(range(6)))
def test_readings_of_a_block_can_be_taken_by_their_instants(order: list[int]) -> None:
    rows = [reading(hour, 10 * hour * hour) for hour in range(6)]
    plain, mixed = Stage(), Stage(readings=ReadingRules(by_time=True))
    expected = plain.answers(rows)
    found = mixed.answers([rows[place] for place in order])
    assert [found[order.index(place)] for place in range(6)] == expected
    assert held_registers(mixed.state) == held_registers(plain.state)


@pytest.mark.parametrize("order", [(0, 1, 2), (0, 2, 1), (2, 1, 0)])
def test_of_one_instant_what_ended_is_taken_before_what_begins_anew(order: tuple[int, ...]) -> None:
    rows = [reading(0, 100), reading(2, 150), replace(reading(2, 7, key=98), begins=True)]
    stage = Stage(readings=ReadingRules(by_time=True))
    found = stage.answers([rows[place] for place in order])
    assert [found[order.index(place)] for place in range(3)] == [
        (OPENED, None),
        (NONE, (START_US, 7200, 50, 10, 100)),
        (OPENED, None),
    ]


def test_an_equal_index_of_a_meter_that_is_gone_is_no_repeated_reading() -> None:
    """90, another meter from 20 on, and 100; then comes the last index of the first meter, which is 100, too."""
    stage = Stage(readings=ReadingRules(absorbs_repeats=True))
    changed = replace(reading(3, 20), begins=True)
    assert stage.take([reading(0, 90), changed, reading(4, 100)]) == [OPENED, OPENED, NONE]
    assert stage.take([reading(2, 100), replace(reading(6, 101), begins=True)]) == [LATE, OPENED]


@pytest.mark.parametrize(("later_us", "used"), [(0, 30), (1, 130)])
def test_a_series_is_over_from_one_instant_on(later_us: int, used: int) -> None:
    stage = Stage(readings=IDLE)
    stage.take([reading(0, 100)])
    ((reason, edr),) = stage.answers([reading(2 * DAY, 130)], START_US + 2 * DAY * HOUR_US + later_us)
    assert (reason, edr[2] if edr else None) == (NONE, used)
