"""Time bands and counter periods on local clocks, summer time included."""

from __future__ import annotations

from decimal import Decimal

import pytest
from rating_world import Use, World, catalog_from, instant

CATALOG = """
kind: event_type
code: call
unit: s
---
kind: calendar
code: week
zone: Europe/Paris
bands:
  - {name: two-oclock, start: "02:00", end: "03:00"}
  - {name: weekend, days: [sat, sun]}
  - {name: night, start: "22:00", end: "06:00"}
  - {name: lunch, days: [mon, tue, wed, thu, fri], start: "12:00", end: "14:00"}
  - {name: day}
---
kind: price_plan
code: plan
currency: EUR
versions:
  - start: 2020-01-01T00:00:00Z
    model: flat
    per: 1 min
    price: {two-oclock: "2", weekend: "0.05", night: "0.10", lunch: "0.15", day: "0.20"}
    increments: {first: 60 s, next: 60 s}
    calendar: week
---
{kind: charge, code: charge, event_type: call, price_plan: plan}
---
{kind: offer, code: offer, charges: [charge]}
---
{kind: account, code: acme, currency: EUR}
---
{kind: subscription, code: line, account: acme, offer: offer}
"""

BANDS = """
2026-01-15T18:58:30Z  day         Thu 19:58:30, the start decides: four minutes at 0.20 though the price falls at 22:00
2026-01-15T20:59:59Z  day         Thu 21:59:59
2026-01-15T21:00:00Z  night       Thu 22:00
2026-01-16T04:59:59Z  night       Fri 05:59:59, the night crosses midnight
2026-01-16T05:00:00Z  day         Fri 06:00
2026-01-16T10:59:59Z  day         Fri 11:59:59
2026-01-16T11:00:00Z  lunch       Fri 12:00
2026-01-16T13:00:00Z  day         Fri 14:00
2026-01-16T23:00:00Z  weekend     Sat 00:00, the first band that matches wins
2026-01-17T11:00:00Z  weekend     Sat 12:00, no lunch on Saturdays
2026-01-18T22:59:59Z  weekend     Sun 23:59:59
2026-01-18T23:00:00Z  night       Mon 00:00
2026-07-16T19:59:59Z  day         Thu 21:59:59 in summer
2026-07-16T20:00:00Z  night       Thu 22:00 in summer
2026-10-25T00:00:00Z  two-oclock  Sun 02:00 summer time
2026-10-25T00:30:00Z  two-oclock  Sun 02:30 summer time
2026-10-25T01:30:00Z  two-oclock  Sun 02:30 again, winter time
2026-10-25T02:00:00Z  weekend     Sun 03:00 winter time
2026-03-29T00:59:59Z  weekend     Sun 01:59:59
2026-03-29T01:00:00Z  weekend     Sun 03:00: two o'clock does not happen
"""


@pytest.fixture
def place() -> World:
    return World(catalog_from(CATALOG))


@pytest.mark.parametrize("row", BANDS.strip().splitlines())
def test_the_band_at_the_start_of_the_event(place: World, row: str) -> None:
    at, band, *_ = row.split()
    uses = [Use("line", "call", instant(at), 240_000)]
    items = place.items(place.rate(uses))
    assert items == place.rate_twin(uses)
    assert place.catalog.calendars["week"].bands[items[0].band].name == band
    prices = {"two-oclock": "8", "weekend": "0.2", "night": "0.4", "lunch": "0.6", "day": "0.8"}
    assert items[0].amount == Decimal(prices[band]).scaleb(9)


def test_the_doubled_hour_has_two_hours_of_usage_and_the_missing_hour_none(place: World) -> None:
    def bands(start: str, seconds: int) -> list[int]:
        first = instant(start)
        uses = [Use("line", "call", first + second * 1_000_000, 1000) for second in range(0, seconds, 60)]
        return place.rate(uses).band.tolist()

    # 2026-10-25T00:30Z + 7200 s: the local clock says two for the first 5400 s
    assert bands("2026-10-25T00:30:00Z", 7200).count(0) == 90
    assert bands("2026-03-29T00:30:00Z", 3600).count(0) == 0


def counting(period: str, zone: str) -> World:
    """Return a world whose first minute of each period is free."""
    return World(
        catalog_from(
            "{kind: event_type, code: call, unit: s}",
            f"{{kind: counter, code: free, unit: s, period: {period}, zone: {zone}}}",
            "kind: price_plan\ncode: plan\ncurrency: EUR\nversions:\n  - {start: 2000-01-01T00:00:00Z, model: graduated, "
            'per: 1 min, counter: free, tiers: [{up_to: 1 min, price: "0"}, {price: "1"}]}',
            "{kind: charge, code: charge, event_type: call, price_plan: plan}",
            "{kind: offer, code: offer, charges: [charge]}",
            "{kind: account, code: acme, currency: EUR}",
            "{kind: subscription, code: line, account: acme, offer: offer}",
        )
    )


# each line: calls of one minute, in order; "free" the first of a period, "1" a later one, "closed" no longer kept
PERIODS = """
month  Europe/Paris      2026-03-31T21:59:59Z free    2026-03-31T22:00:00Z free    2026-03-31T21:00:00Z 1
month  Europe/Paris      2026-10-31T22:59:59Z free    2026-10-31T23:00:00Z free    2026-11-30T22:59:59Z 1
month  UTC               2026-03-31T22:00:00Z free    2026-03-31T23:59:59Z 1       2026-04-01T00:00:00Z free
month  UTC               2026-12-31T23:59:59Z free    2027-01-01T00:00:00Z free    2026-12-01T00:00:00Z 1
month  UTC               2026-05-01T00:00:00Z free    2026-02-28T23:59:59Z free    2026-01-31T23:59:59Z closed
month/15 Europe/Paris    2026-03-14T22:59:59Z free    2026-03-14T23:00:00Z free    2026-04-14T21:59:59Z 1    2026-04-14T22:00:00Z free
month/28 UTC             2026-02-27T23:59:59Z free    2026-02-28T00:00:00Z free    2026-03-27T23:59:59Z 1    2026-03-28T00:00:00Z free
month/2 UTC              2027-01-01T23:59:59Z free    2026-12-02T00:00:00Z 1       2027-01-02T00:00:00Z free 2026-08-03T00:00:00Z closed
month  UTC               2026-05-01T00:00:00Z free    2025-09-01T00:00:00Z closed  2026-05-02T00:00:00Z 1
day    Europe/Paris      2026-10-24T22:00:00Z free    2026-10-25T22:59:59Z 1       2026-10-25T23:00:00Z free
day    Europe/Paris      2026-03-28T23:00:00Z free    2026-03-29T21:59:59Z 1       2026-03-29T22:00:00Z free
day    America/New_York  2026-01-02T04:59:59Z free    2026-01-02T05:00:00Z free    2026-01-03T04:59:59Z 1
day    UTC               2026-02-28T12:00:00Z free    2026-03-01T12:00:00Z free    2026-02-24T12:00:00Z closed
year   Europe/Paris      2026-12-31T22:59:59Z free    2026-12-31T23:00:00Z free    2026-01-01T00:00:00Z 1
ever   Europe/Paris      2000-01-01T12:00:00Z free    2099-12-31T12:00:00Z 1       2026-01-01T00:00:00Z 1
"""


@pytest.mark.parametrize("row", PERIODS.strip().splitlines())
def test_counter_periods(row: str) -> None:
    period, zone, *calls = row.split()
    place = counting(period.replace("/", ", first_day: "), zone)
    uses = [Use("line", "call", instant(at), 60_000) for at in calls[::2]]
    items = place.items(place.rate(uses))
    assert items == place.rate_twin(uses)
    words = {"free": (0, 0), "1": (0, 10**9), "closed": (302, 0)}
    assert [(item.reason, item.amount) for item in items] == [words[word] for word in calls[1::2]]
