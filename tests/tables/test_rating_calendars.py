"""Holidays, day types and seasons on local calendars."""

from __future__ import annotations

from datetime import date

import pytest
from rating_world import Use, World, catalog_from, instant

from rating import image_days, reference_clock
from schemas.price_plan import DateList

CATALOG = """
kind: event_type
code: call
unit: s
---
# public holidays of France: eight days of every year, and three by Easter
kind: date_list
code: france
yearly: ["01-01", "05-01", "05-08", "07-14", "08-15", "11-01", "11-11", "12-25"]
easter: [1, 39, 50]
---
kind: date_list
code: company
dates: ["2026-07-13"]
---
kind: date_list
code: red-days
dates: ["2026-01-14", "2026-01-15", "2026-12-25"]
---
kind: calendar
code: year
zone: Europe/Paris
day_types: {red: [red-days], holiday: [france, company]}
seasons:
  winter: [{first: "11-01", last: "03-31"}]
  leap: [{first: "02-29", last: "02-29"}]
  ski: [{first: "12-20", last: "01-05"}, {first: "04-01", last: "04-30"}]
bands:
  - {name: red, days: [red], start: "06:00", end: "06:15"}
  - {name: red-day, days: [red], start: "06:15", end: "06:00"}
  - {name: quiet, days: [sun, holiday]}
  - {name: winter-night, seasons: [winter], start: "22:00", end: "06:00"}
  - {name: ski-saturday, seasons: [ski], days: [sat]}
  - {name: winter, seasons: [winter]}
  - {name: rest}
---
kind: price_plan
code: plan
currency: EUR
versions: [{start: 2000-01-01T00:00:00Z, model: flat, per: 1 min, price: "1", calendar: year}]
---
{kind: charge, code: charge, event_type: call, price_plan: plan}
---
{kind: offer, code: offer, charges: [charge]}
---
{kind: account, code: acme, currency: EUR}
---
{kind: subscription, code: line, account: acme, offer: offer}
"""
DAYS = """
2026-07-10T10:00:00Z  rest          Fri
2026-07-11T10:00:00Z  rest          Sat
2026-07-12T10:00:00Z  quiet         Sun
2026-07-13T10:00:00Z  quiet         Mon, a day of the company
2026-07-14T10:00:00Z  quiet         Tue, 14 July
2026-07-13T21:59:59Z  quiet         still the 13th in Paris
2026-07-14T22:00:00Z  rest          Wed 00:00 in Paris
2026-04-06T10:00:00Z  quiet         Easter Monday
2026-05-14T10:00:00Z  quiet         Ascension
2026-05-25T10:00:00Z  quiet         Whit Monday
2025-04-21T10:00:00Z  quiet         Easter Monday of another year
2026-01-14T10:00:00Z  red-day       Wed
2026-01-14T05:00:00Z  red           Wed 06:00
2026-01-14T04:59:59Z  winter-night  before a red day it is not red yet
2026-01-16T04:59:59Z  red-day       a red day ends in the morning after
2026-01-16T05:00:00Z  winter        Fri 06:00
2026-12-25T10:00:00Z  red-day       the first day type wins
2026-03-31T10:00:00Z  winter        the last day belongs to a season
2026-03-31T21:59:59Z  winter-night  the night began on it
2026-04-01T03:59:59Z  winter-night  and lasts until 06:00
2026-04-01T04:00:00Z  rest          ski is no band of its own on Wednesdays
2026-04-04T10:00:00Z  ski-saturday  Sat
2026-01-03T10:00:00Z  winter        a Sat of ski too, but a day belongs to the first season that has it
2028-02-29T10:00:00Z  winter        likewise
2026-10-31T23:30:00Z  quiet         Sun 1 November 00:30, a holiday; the night of 31 October is none of winter
2000-01-01T00:30:00Z  quiet         the first holiday
2099-12-31T22:30:00Z  winter-night  Thu 23:30, the last evening
"""


@pytest.fixture(scope="module")
def place() -> World:
    return World(catalog_from(CATALOG))


@pytest.mark.parametrize("row", DAYS.strip().splitlines())
def test_the_band_of_the_day(place: World, row: str) -> None:
    at, band, *_ = row.split()
    uses = [Use("line", "call", instant(at), 60_000)]
    items = place.items(place.rate(uses))
    assert items == place.rate_twin(uses)
    assert place.catalog.calendars["year"].bands[items[0].band].name == band


EASTER_SUNDAYS = ["2000-04-23", "2008-03-23", "2019-04-21", "2026-04-05", "2038-04-25", "2049-04-18", "2076-04-19"]


@pytest.mark.parametrize("text", EASTER_SUNDAYS)
def test_easter_sunday(text: str) -> None:
    day = date.fromisoformat(text)
    assert date.fromordinal(image_days.easter_sunday(day.year) + image_days.EPOCH) == day
    assert reference_clock.easter_sunday(day.year) == day


def test_both_ways_to_easter_agree_as_long_as_calendars_last() -> None:
    for year in image_days.YEARS:
        found = date.fromordinal(image_days.easter_sunday(year) + image_days.EPOCH)
        assert found == reference_clock.easter_sunday(year)
        assert found.weekday() == 6


def test_a_list_has_the_same_days_in_both_readings() -> None:
    listed = DateList(
        kind="date_list", code="x", dates=(date(2026, 7, 13),), yearly=("02-29", "12-31"), easter=(-80, 0, 250)
    )
    days = {day.item() for day in image_days.days_of(listed)}
    for ordinal in range(date(2024, 1, 1).toordinal(), date(2029, 1, 1).toordinal()):
        inside = reference_clock.is_listed(listed, date.fromordinal(ordinal))
        assert inside == (ordinal - image_days.EPOCH in days), date.fromordinal(ordinal)


ABROAD = """
{kind: event_type, code: call, unit: s}
---
kind: calendar
code: week
zone: subscription
bands: [{name: night, start: "22:00", end: "06:00"}, {name: day}]
---
kind: price_plan
code: plan
currency: EUR
versions:
  - {start: 2000-01-01T00:00:00Z, model: flat, per: 1 min, price: {night: "1", day: "2"}, calendar: week, crossing: per_second}
---
{kind: charge, code: charge, event_type: call, price_plan: plan}
---
{kind: offer, code: offer, charges: [charge]}
---
{kind: account, code: acme, currency: EUR}
---
{kind: subscription, code: paris, account: acme, offer: offer, zone: Europe/Paris}
---
{kind: subscription, code: tokyo, account: acme, offer: offer, zone: Asia/Tokyo}
"""


def test_a_calendar_may_go_by_the_clock_of_the_subscription() -> None:
    place = World(catalog_from(ABROAD))
    # 20:59 UTC is 21:59 in Paris and 05:59 in Tokyo, in winter
    uses = [Use(who, "call", instant("2026-01-14T20:59:00Z"), 120_000) for who in ("paris", "tokyo")]
    items = place.items(place.rate(uses))
    assert items == place.rate_twin(uses)
    assert [(item.band, item.amount) for item in items] == [(1, 3 * 10**9), (0, 3 * 10**9)]
    assert place.catalog.zone_of("tokyo") == "Asia/Tokyo"
    assert place.catalog.zone_of("nobody") is None
