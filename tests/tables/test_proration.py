"""Cycles, parts of periods and recurring charges, as tables; where other systems answer differently, an option for each."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from rating_world import instant

from billing.subscriptions.rules_periods import Cycle, CycleUnit, DayRule, Period, charged_days, first_instant
from billing.subscriptions.rules_proration import (
    Basis,
    Terms,
    UnableToProrate,
    recurring_amount,
    recurring_parts,
    share,
    share_by_second,
)
from billing.subscriptions.rules_schedule import schedule
from schemas.money import from_scaled
from schemas.price_plan import Rounding

CENTS = Rounding(decimals=2)
UNITS: dict[str, CycleUnit] = {"day": "day", "week": "week", "month": "month", "year": "year"}


def _day(text: str) -> date:
    return date.fromisoformat(text)


def _cycle(anchor: str, length: str) -> Cycle:
    count, unit = length.split("-")
    return Cycle(_day(anchor), UNITS[unit], int(count))


# ---- periods

PERIODS = """
anchor      length   day         period
2026-01-31  1-month  2026-02-27  2026-01-31 2026-02-28
2026-01-31  1-month  2026-02-28  2026-02-28 2026-03-31
2026-01-31  1-month  2026-03-31  2026-03-31 2026-04-30
2026-01-31  1-month  2024-02-29  2024-02-29 2024-03-31
2026-01-31  1-month  2024-02-28  2024-01-31 2024-02-29
2026-01-30  1-month  2026-03-01  2026-02-28 2026-03-30
2024-02-29  1-year   2026-02-28  2026-02-28 2027-02-28
2024-02-29  1-year   2028-02-28  2027-02-28 2028-02-29
2026-01-31  3-month  2026-05-01  2026-04-30 2026-07-31
2026-01-15  1-month  2026-01-15  2026-01-15 2026-02-15
2026-01-15  1-month  2026-01-14  2025-12-15 2026-01-15
2026-01-05  1-week   2026-01-04  2025-12-29 2026-01-05
2026-01-05  2-week   2026-01-19  2026-01-19 2026-02-02
2026-01-01  10-day   2026-03-01  2026-02-20 2026-03-02
"""


@pytest.mark.parametrize("row", PERIODS.strip().splitlines()[1:])
def test_the_period_of_a_day_is_counted_from_the_anchor(row: str) -> None:
    anchor, length, day, start, end = row.split()
    cycle = _cycle(anchor, length)
    assert cycle.period(cycle.number_at(_day(day))) == Period(_day(start), _day(end))


def test_a_cycle_without_length_is_none() -> None:
    with pytest.raises(ValueError, match="at least 1 month"):
        Cycle(date(2026, 1, 1), count=0)


MIDNIGHTS = """
day         zone               instant
2026-03-29  Europe/Paris       2026-03-28T23:00:00Z
2026-03-30  Europe/Paris       2026-03-29T22:00:00Z
2026-10-26  Europe/Paris       2026-10-25T23:00:00Z
2018-11-04  America/Sao_Paulo  2018-11-04T03:00:00Z
2026-11-01  America/Havana     2026-11-01T04:00:00Z
"""


@pytest.mark.parametrize("row", MIDNIGHTS.strip().splitlines()[1:])
def test_a_day_begins_at_its_first_instant(row: str) -> None:
    day, zone, at = row.split()
    assert first_instant(_day(day), zone) == instant(at)


# whose day it is when something begins or ends in the middle of one
DAYS = """
start                      end                        start_day  end_day  days
2026-04-16T10:00:00+02:00  2026-06-11T15:00:00+02:00  charged    free     2026-04-16 2026-06-11
2026-04-16T10:00:00+02:00  2026-06-11T15:00:00+02:00  charged    charged  2026-04-16 2026-06-12
2026-04-16T10:00:00+02:00  2026-06-11T15:00:00+02:00  free       free     2026-04-17 2026-06-11
2026-04-16T00:00:00+02:00  2026-06-11T00:00:00+02:00  free       charged  2026-04-16 2026-06-11
2026-04-15T22:00:00+00:00  2026-06-10T22:00:00+00:00  charged    free     2026-04-16 2026-06-11
2026-03-29T12:00:00+02:00  2026-03-30T00:00:00+02:00  charged    free     2026-03-29 2026-03-30
2026-03-29T12:00:00+02:00  2026-03-29T13:00:00+02:00  charged    free     2026-03-29 2026-03-29
2026-03-29T12:00:00+02:00  2026-03-29T13:00:00+02:00  charged    charged  2026-03-29 2026-03-30
"""


@pytest.mark.parametrize("row", DAYS.strip().splitlines()[1:])
def test_the_day_of_a_change_has_an_owner(row: str) -> None:
    start, end, start_day, end_day, *days = row.split()
    rules: dict[str, DayRule] = {"charged": "charged", "free": "free"}
    moments = datetime.fromisoformat(start), datetime.fromisoformat(end)
    found = charged_days(*moments, "Europe/Paris", start_day=rules[start_day], end_day=rules[end_day])
    assert found == Period(*map(_day, days))


# ---- shares

# (who answers so, anchor, length, part, basis, share): every difference between systems is the cycle, the basis, or whose day
SHARES = """
who                                    anchor      length   part                   basis       share
Kill_Bill:_the_cycle_it_belongs_to     2026-02-13  1-month  2026-02-01 2026-02-13  actual      12/31
Lago:_calendar_month,_inclusive        2026-01-01  1-month  2026-02-01 2026-02-14  actual      13/28
Meteroid:_the_component's_own_period   2026-01-01  1-year   2026-01-01 2026-01-31  actual      30/365
Opencell:_days_of_the_calendar         2026-01-01  1-month  2026-04-16 2026-05-01  actual      15/30
a_leap_February                        2024-01-01  1-month  2024-02-15 2024-03-01  actual      15/29
Zuora:_30/360                          2026-01-01  1-month  2026-01-16 2026-02-01  thirty_360  15/30
30/360_of_February_is_whole            2026-01-01  1-month  2026-02-01 2026-03-01  thirty_360  1/1
30/360_its_last_day_has_three          2026-01-01  1-month  2026-02-28 2026-03-01  thirty_360  3/30
30/360_the_31st_is_the_30th            2026-01-01  1-month  2026-01-30 2026-01-31  thirty_360  0/30
30/360_of_a_short_period_is_whole      2026-01-31  1-month  2026-01-31 2026-02-28  thirty_360  1/1
30/360_of_a_long_period_is_no_more     2026-01-31  1-month  2026-02-28 2026-03-30  thirty_360  1/1
30/360_of_a_quarter                    2026-01-31  3-month  2026-02-28 2026-04-30  thirty_360  62/90
actual/360_of_a_month                  2026-01-01  1-month  2026-01-01 2026-02-01  actual_360  31/30
actual/360_of_a_year                   2026-01-01  1-year   2026-01-01 2027-01-01  actual_360  365/360
actual/365_of_a_leap_year              2024-01-01  1-year   2024-01-01 2025-01-01  actual_365  366/365
actual/365_of_a_month                  2026-01-01  1-month  2026-01-01 2026-02-01  actual_365  372/365
a_twelfth_of_a_year                    2026-01-01  1-year   2026-02-01 2026-03-01  month_12    1/12
half_of_February_of_a_year             2026-01-01  1-year   2026-02-15 2026-03-01  month_12    1/24
two_months_and_a_day_of_the_31st       2026-01-31  1-year   2026-01-31 2026-04-01  month_12    61/360
a_week_of_a_week                       2026-01-05  1-week   2026-01-05 2026-01-12  actual      1/1
outside_of_the_period                  2026-01-01  1-month  2026-02-10 2026-02-10  actual      0/1
"""


@pytest.mark.parametrize("row", SHARES.strip().splitlines()[1:], ids=lambda row: row.split()[0])
def test_each_answer_has_an_option(row: str) -> None:
    _, anchor, length, start, end, basis, expected = row.split()
    cycle, part = _cycle(anchor, length), Period(_day(start), _day(end))
    assert share(cycle, cycle.number_at(part.start), part, Basis(basis)) == Fraction(expected)


def test_a_part_counts_only_within_its_period() -> None:
    january = Cycle(date(2026, 1, 1))
    assert share(january, 0, Period(date(2025, 12, 1), date(2026, 3, 1)), Basis.ACTUAL) == 1


@pytest.mark.parametrize("basis", [basis for basis in Basis if basis is not Basis.ACTUAL])
def test_weeks_have_no_months(basis: Basis) -> None:
    with pytest.raises(UnableToProrate, match="1 week"):
        share(Cycle(date(2026, 1, 5), "week"), 0, Period(date(2026, 1, 5), date(2026, 1, 6)), basis)


def test_by_the_second_a_day_of_23_hours_is_shorter() -> None:
    begun, ended = (first_instant(day, "Europe/Paris") for day in (date(2026, 3, 29), date(2026, 3, 30)))
    month = [first_instant(day, "Europe/Paris") for day in (date(2026, 3, 1), date(2026, 4, 1))]
    assert share_by_second(month[0], month[1], begun, ended) == Fraction(23, 31 * 24 - 1)
    assert share_by_second(month[0], month[1], ended, begun) == 0
    assert share_by_second(month[0], month[1], 0, 2**62) == 1


# ---- recurring charges

MONTHLY = Cycle(date(2026, 1, 1))
APRIL_16, MAY, JUNE_11, JULY = date(2026, 4, 16), date(2026, 5, 1), date(2026, 6, 11), date(2026, 7, 1)


@pytest.mark.parametrize(("prorate", "quantity", "euros"), [(True, "1/2", "15"), (False, "1", "30")])
def test_a_month_that_begins_in_the_middle(prorate: bool, quantity: str, euros: str) -> None:
    terms = Terms(MONTHLY, in_advance=True, prorate_start=prorate)
    first, second = recurring_parts(terms, APRIL_16, date(2026, 5, 2))
    assert (first.days, first.quantity, first.charged_on) == (Period(APRIL_16, MAY), Fraction(quantity), APRIL_16)
    assert (second.quantity, second.charged_on) == (1, MAY)
    assert from_scaled(recurring_amount(Decimal(30), first.quantity, CENTS), 9) == Decimal(euros)


CHARGES = """
advance  start       until       end         prorated  charged
no       2026-04-16  2026-06-01  -           yes       2026-05-01:1/2
no       2026-04-16  2026-06-02  -           yes       2026-05-01:1/2 2026-06-01:1
yes      2026-04-16  2026-04-16  -           yes
yes      2026-04-16  2026-04-17  -           yes       2026-04-16:1/2
no       2026-04-01  2026-09-01  2026-06-11  yes       2026-05-01:1 2026-06-01:1 2026-06-11:1/3
no       2026-04-01  2026-09-01  2026-06-11  no        2026-05-01:1 2026-06-01:1 2026-06-11:1
yes      2026-04-01  2026-09-01  2026-06-11  yes       2026-04-01:1 2026-05-01:1 2026-06-01:1/3
yes      2026-04-16  2026-09-01  2026-04-20  yes       2026-04-16:2/15
yes      2026-04-16  2026-09-01  2026-04-16  yes
no       2026-04-01  2026-09-01  2026-05-01  yes       2026-05-01:1
"""


@pytest.mark.parametrize("row", CHARGES.strip().splitlines()[1:])
def test_what_is_charged_until_a_day(row: str) -> None:
    advance, start, until, end, prorated, *charged = row.split()
    terms = Terms(MONTHLY, in_advance=advance == "yes", prorate_start=prorated == "yes", prorate_end=prorated == "yes")
    parts = recurring_parts(terms, _day(start), _day(until), end=None if end == "-" else _day(end))
    assert [f"{part.charged_on}:{part.quantity}" for part in parts] == charged


def test_a_share_is_not_rounded_before_its_price() -> None:
    """Ten euros a month by days: a daily rate that is rounded first would make 4.95 of half a month."""
    assert from_scaled(recurring_amount(Decimal(10), Fraction(15, 30), CENTS), 9) == Decimal(5)
    assert from_scaled(recurring_amount(Decimal("9.99"), Fraction(-1, 3), CENTS), 9) == Decimal("-3.33")


# ---- schedules


def test_usage_is_billed_by_the_schedule_of_its_month() -> None:
    at = np.array([instant("2022-04-14T09:00:00Z")], np.int64)
    found = schedule(Cycle(date(2022, 1, 1)), 0, 12, "Europe/Paris", at, np.array([12], np.int64))
    assert [each.quantity for each in found.schedules] == [0, 0, 0, 12, *[0] * 8]
    assert found.schedules[3].period == Period(date(2022, 4, 1), date(2022, 5, 1))
    assert len(found.outside) == 0


def test_a_schedule_begins_with_its_day_in_the_zone_and_nothing_is_lost() -> None:
    moments = ["2022-03-31T21:59:59Z", "2022-03-31T22:00:00Z", "2022-04-30T21:59:59Z", "2022-04-30T22:00:00Z"]
    at = np.array([instant(each) for each in moments], np.int64)
    found = schedule(Cycle(date(2022, 1, 1)), 3, 1, "Europe/Paris", at, np.array([1, 2, 2**62, 8], np.int64))
    assert [each.quantity for each in found.schedules] == [2**62 + 2]
    assert found.outside.tolist() == [0, 3]
    many = np.full(3, 2**62, np.int64)
    assert schedule(Cycle(date(2022, 4, 1)), 0, 1, "UTC", np.full(3, at[1]), many).schedules[0].quantity == 0
    assert schedule(Cycle(date(2022, 3, 1)), 0, 1, "UTC", np.full(3, at[1]), many).schedules[0].quantity == 3 * 2**62
