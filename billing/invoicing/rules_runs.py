"""When a billing run bills: its period, the day of its invoices, and when they are due."""

from __future__ import annotations

import calendar
from dataclasses import dataclass
from datetime import date, timedelta

from billing.subscriptions.rules_periods import Cycle, CycleUnit, first_instant
from schemas.billing_cycle import BillingCycle


@dataclass(frozen=True, slots=True)
class RunDates:
    """The dates of a run, days of the zone of its cycle; `start_at` and `end_at` are when the period begins and ends, UTC."""

    period_start: date
    period_end: date
    invoice_date: date
    due_date: date
    start_at: int
    end_at: int


def cycle_of(terms: BillingCycle) -> Cycle:
    """Return the periods of a billing cycle."""
    count, unit = terms.every.split()
    units: dict[str, CycleUnit] = {"day": "day", "week": "week", "month": "month", "year": "year"}
    return Cycle(terms.anchor, units[unit], int(count))


def run_dates(terms: BillingCycle, until: date, invoice_date: date | None = None) -> RunDates:
    """Return the dates of a run of all periods that have ended by a day.

    Args:
        until: the last period ends on it or before. invoice_date: unless the cycle says it.
    """
    cycle = cycle_of(terms)
    number = cycle.number_at(until)
    period = cycle.period(number - 1)
    dated = invoice_date or period.end + timedelta(days=terms.delay_days)
    due = dated + timedelta(days=terms.due_days)
    if terms.due_end_of_month:
        due = due.replace(day=calendar.monthrange(due.year, due.month)[1])
    return RunDates(
        period.start,
        period.end,
        dated,
        due,
        first_instant(period.start, terms.zone),
        first_instant(period.end, terms.zone),
    )
