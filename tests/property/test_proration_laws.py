"""Laws of cycles and parts: periods meet, any division of a period comes to the same, what is charged and taken back is used."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.subscriptions.rules_periods import Cycle, CycleUnit, Period, charged_days, first_instant
from billing.subscriptions.rules_proration import Basis, Terms, recurring_parts, share
from rating.months import months_later

DATES = st.dates(date(1990, 1, 1), date(2090, 12, 31))
UNITS: st.SearchStrategy[CycleUnit] = st.sampled_from(["day", "week", "month", "year"])
CYCLES = st.builds(Cycle, DATES, UNITS, st.integers(1, 4))
OF_MONTHS = st.builds(Cycle, DATES, st.sampled_from(["month", "year"]), st.integers(1, 4))


@given(CYCLES, DATES)
def test_every_day_lies_in_one_period_and_periods_meet(cycle: Cycle, day: date) -> None:
    number = cycle.number_at(day)
    found = cycle.period(number)
    assert found.start <= day < found.end
    assert cycle.period(number + 1).start == found.end
    assert found.days > 0


@given(DATES, st.integers(-600, 600))
def test_months_later_is_the_same_day_or_the_last(start: date, months: int) -> None:
    later = months_later(start, months)
    assert (later.year * 12 + later.month) - (start.year * 12 + start.month) == months
    assert later.day == start.day or (later.day < start.day and (later + timedelta(days=1)).day == 1)


def test_months_beyond_the_calendar_are_refused() -> None:
    with pytest.raises(ValueError, match="year 10000"):
        months_later(date(9999, 12, 1), 1)


@given(OF_MONTHS, st.integers(-30, 30), st.lists(st.integers(0, 1500), max_size=5), st.sampled_from(Basis))
def test_any_division_of_a_period_comes_to_the_same(cycle: Cycle, number: int, cuts: list[int], basis: Basis) -> None:
    whole = cycle.period(number)
    days = sorted({whole.start, whole.end, *(min(whole.start + timedelta(days=cut), whole.end) for cut in cuts)})
    parts = [share(cycle, number, Period(*pair), basis) for pair in pairwise(days)]
    assert min(parts) >= 0
    assert sum(parts) == share(cycle, number, whole, basis)
    if basis in (Basis.ACTUAL, Basis.THIRTY_360, Basis.MONTH_12):
        assert sum(parts) == 1, "a whole period is one"


@given(CYCLES, DATES, st.integers(1, 1500), st.sampled_from(Basis))
def test_what_is_charged_is_every_day_that_was_used_once(cycle: Cycle, start: date, used: int, basis: Basis) -> None:
    basis = basis if cycle.months is not None else Basis.ACTUAL
    end = start + timedelta(days=used)
    owed = list(recurring_parts(Terms(cycle, basis=basis), start, end + timedelta(days=1), end=end))
    assert sum(part.days.days for part in owed) == used
    assert [part.days.start for part in owed[1:]] == [part.days.end for part in owed[:-1]]


MOMENTS = st.datetimes(datetime(2015, 1, 1), datetime(2030, 1, 1)).map(lambda each: each.replace(tzinfo=UTC))
ZONES = st.sampled_from(
    ["UTC", "Europe/Paris", "America/Sao_Paulo", "Asia/Kathmandu", "Pacific/Apia", "America/Havana"]
)


@given(
    MOMENTS,
    st.timedeltas(timedelta(days=2), timedelta(days=500)),
    st.timedeltas(timedelta(days=2), timedelta(days=500)),
    ZONES,
)
def test_a_change_gives_every_day_to_one_side(start: datetime, first: timedelta, second: timedelta, zone: str) -> None:
    change, end = start + first, start + first + second
    for of_old, of_new in (("charged", "free"), ("free", "charged")):
        old = charged_days(start, change, zone, end_day=of_old)  # type: ignore[arg-type]
        new = charged_days(change, end, zone, start_day=of_new)  # type: ignore[arg-type]
        assert old.end == new.start


@given(DATES, ZONES)
def test_days_begin_where_the_ones_before_end(day: date, zone: str) -> None:
    hours = (first_instant(day + timedelta(days=1), zone) - first_instant(day, zone)) / 3_600_000_000
    assert 0 <= hours <= 25, "a day that a zone has skipped is empty"
