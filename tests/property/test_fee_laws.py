"""Laws of fees: whatever changes between two runs, what was asked comes to what is due, counted day by day."""

from __future__ import annotations

import calendar
from collections import Counter
from datetime import date, timedelta
from fractions import Fraction

import polars as pl
from hypothesis import example, given
from hypothesis import strategies as st
from rating_world import catalog_from

from billing.subscriptions.rules_asking import ASKED_FRAME, to_ask
from schemas.catalog import Catalog
from schemas.fees import DAY_AFTER, DENOMINATOR, FIRST_DAY, NUMERATOR

FIRST = date(2026, 1, 1)
DAYS = st.integers(0, 150).map(lambda days: FIRST + timedelta(days=days))
World = tuple[date, date | None, date | None]
"""When the subscription starts and ends, and when its price changes."""
WORLDS = st.tuples(DAYS, st.none() | DAYS, st.none() | DAYS).filter(
    lambda world: world[1] is None or world[0] < world[1]
)
FEES = ("advance", "arrears", "whole", "setup", "farewell")


def catalog_of(world: World) -> Catalog:
    """Return a catalog with fees of every sort, and a subscription for some days, in Paris."""
    start, end, change = world
    first = f"{{start: {FIRST}T00:00:00+01:00, model: event, price: '30'}}"
    if change is not None and change > FIRST:
        zone = "+02:00" if change >= date(2026, 3, 30) else "+01:00"
        first = first.replace("model", f"end: '{change}T00:00:00{zone}', model")
        first += f", {{start: '{change}T00:00:00{zone}', model: event, price: '40'}}"
    terms = [f"start: '{start}T12:00:00+01:00'", *([f"end: '{end}T12:00:00+01:00'"] if end is not None else [])]
    return catalog_from(
        f"{{kind: price_plan, code: p, currency: EUR, versions: [{first}]}}",
        "{kind: recurring_charge, code: advance, price_plan: p, zone: Europe/Paris, in_advance: true}",
        "{kind: recurring_charge, code: arrears, price_plan: p, zone: Europe/Paris, every: 1 week}",
        "{kind: recurring_charge, code: whole, price_plan: p, zone: Europe/Paris, in_advance: true, prorate_start: false, "
        "prorate_end: false}",
        "{kind: one_shot_charge, code: setup, price_plan: p, zone: Europe/Paris}",
        "{kind: one_shot_charge, code: farewell, price_plan: p, at: end, zone: Europe/Paris}",
        f"{{kind: offer, code: o, charges: [{', '.join(FEES)}]}}",
        "{kind: account, code: a, currency: EUR}",
        f"{{kind: subscription, code: s, account: a, offer: o, {', '.join(terms)}}}",
    )


def period_of(fee: str, day: date) -> tuple[date, date]:
    """Return the period in which a day lies."""
    if fee == "arrears":
        monday = day - timedelta(days=day.weekday())
        return monday, monday + timedelta(days=7)
    first = day.replace(day=1)
    return first, first + timedelta(days=calendar.monthrange(day.year, day.month)[1])


def due_by_day(world: World, until: date) -> dict[tuple[str, bool], Fraction]:
    """Return what is due of each fee, before the price changes and after, by going through the days."""
    start, end, change = world
    change = change if change is not None and change > FIRST else None
    found: Counter[tuple[str, bool]] = Counter()
    for fee in ("advance", "arrears", "whole"):
        day = start  # a subscription that starts at noon pays that day, and not the one on which it ends
        while day < until + timedelta(days=40) and (end is None or day < end):
            begin, after = period_of(fee, day)
            begun, over = max(begin, start), after if end is None else min(after, end)
            if begun < until if fee != "arrears" else over <= until:
                later = change is not None and day >= change
                days = 1
                if fee == "whole":  # the days of the period that the subscription lacks count as its first or last one
                    days += (begun - begin).days if day == begun else 0
                    days += (after - over).days if day == over - timedelta(days=1) else 0
                found[fee, later] += Fraction(days, (after - begin).days)  # type: ignore[assignment]
            day += timedelta(days=1)
    if start < until:
        found["setup", change is not None and start >= change] += 1
    if end is not None and end < until:
        found["farewell", change is not None and end >= change] += 1
    return {key: Fraction(quantity) for key, quantity in found.items() if quantity}


def asked_by_price(rows: pl.DataFrame, change: date | None) -> dict[tuple[str, bool], Fraction]:
    """Return what was asked of each fee, by the price in force when it begins."""
    change = change if change is not None and change > FIRST else None
    found: Counter[tuple[str, bool]] = Counter()
    moments = rows["key_at"].cast(pl.Datetime("us", "UTC")).dt.convert_time_zone("Europe/Paris").dt.date()
    for fee, day, sign, numerator, denominator in zip(
        rows["fee"], moments, rows["quantity"], rows[NUMERATOR], rows[DENOMINATOR], strict=True
    ):
        found[fee, change is not None and day >= change] += sign * Fraction(numerator, denominator)
    return {key: Fraction(quantity) for key, quantity in found.items() if quantity}


@given(
    worlds=st.lists(WORLDS, min_size=1, max_size=4),
    untils=st.lists(DAYS, min_size=4, max_size=4),
    undone=st.lists(st.none() | st.integers(0, 3), min_size=4, max_size=4),
)
@example(  # it ends, what was asked first is undone, and asked beside what was taken back of it
    worlds=[(FIRST, None, None), *[(FIRST, FIRST + timedelta(days=9), None)] * 2],
    untils=[FIRST + timedelta(days=20)] * 4,
    undone=[None, None, 0, None],
)
def test_what_was_asked_comes_to_what_is_due(worlds: list[World], untils: list[date], undone: list[int | None]) -> None:
    files: list[pl.DataFrame] = []
    for world, until, backed_out in zip(worlds, sorted(untils), undone, strict=False):
        if backed_out is not None and backed_out < len(files):
            files.pop(backed_out)
        catalog = catalog_of(world)
        rows = to_ask(catalog, pl.concat([pl.DataFrame(schema=ASKED_FRAME), *files]), until)
        files.append(rows)
        asked = pl.concat(files)
        assert asked_by_price(asked, world[2]) == due_by_day(world, until)
        assert not len(to_ask(catalog, asked, until))
        assert (rows[NUMERATOR] > 0).all()
        assert (rows[FIRST_DAY] < rows[DAY_AFTER]).all()
        # nothing is ever asked under a name that is in use
        assert asked.select("subscription", "fee", "key_at", "nth").is_unique().all()
