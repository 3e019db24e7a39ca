"""Usage that crosses time bands: the four rules, summer time, and calls of any length."""

from __future__ import annotations

from decimal import Decimal

import pytest
from rating_tables import PARTIES, costs, world
from rating_world import Use, World, catalog_from, instant

PEAK = """
kind: calendar
code: week
zone: Europe/Paris
bands:
  - {name: peak, days: [mon, tue, wed, thu, fri], start: "08:00", end: "20:00"}
  - {name: off}
"""
PRICES = 'per: 1 min, calendar: week, price: {peak: "0.20", off: "0.10"}'
NEVER = instant("2026-01-15T18:58:30Z")  # Thu 19:58:30 in Paris


def crossing(rule: str, increments: str = "60/60", more: str = "") -> World:
    """Return a world with a flat plan of 0.20 a minute until 20:00 and 0.10 afterwards."""
    first, following = increments.split("/")
    steps = f'increments: {{first: "{first} s", next: "{following} s"}}'
    return world("s", f"model: flat, {PRICES}, crossing: {rule}, {steps}{more}", PEAK)


# four minutes from Thu 2026-01-15 19:58:30 in Paris
RULES = """
rule              increments  seconds  euros
start             60/60       240      0.8
split_then_round  60/60       240      0.7
each_increment    60/60       240      0.6
per_second        60/60       240      0.55
start             1/1         240      0.8
split_then_round  1/1         240      0.55
each_increment    1/1         240      0.55
per_second        1/1         240      0.55
split_then_round  60/60       90       0.4
split_then_round  60/60       91       0.5
each_increment    60/60       121      0.5
per_second        60/60       121      0.45
split_then_round  30/1        121      0.351667
each_increment    30/1        121      0.351667
each_increment    100/60      101      0.433333
each_increment    7200/60     1        24
start             60/60       0        0
split_then_round  60/60       0        0
per_second        60/60       0        0
"""


@pytest.mark.parametrize("row", RULES.strip().splitlines()[1:])
def test_the_rules_of_crossing_bands(row: str) -> None:
    rule, increments, seconds, euros = row.split()
    assert costs(crossing(rule, increments), f"{seconds} s", at=NEVER) == [Decimal(euros)]


def test_the_connection_fee_is_charged_once_however_often_a_call_is_split() -> None:
    for rule, euros in (("split_then_round", "0.75"), ("each_increment", "0.65"), ("per_second", "0.6")):
        assert costs(crossing(rule, more=', connection_fee: "0.05"'), "240 s", at=NEVER) == [Decimal(euros)]


def test_a_day_has_twelve_hours_of_peak() -> None:
    noon = instant("2026-01-14T11:00:00Z")
    for rule in ("split_then_round", "each_increment", "per_second"):
        assert costs(crossing(rule), "86400 s", at=noon) == [Decimal(12 * 12 + 12 * 6)]


def test_a_month_is_split_and_longer_usage_is_refused() -> None:
    place = crossing("per_second")
    start = instant("2026-01-04T23:00:00Z")  # Mon 00:00 in Paris
    whole = 5 * 7 * 86_400_000
    uses = [Use("line", "usage", start, whole), Use("line", "usage", start, whole + 1)]
    items = place.items(place.rate(uses))
    assert items == place.rate_twin(uses)
    peak = 5 * 5 * 12 * 60
    assert items[0].amount == (Decimal("0.2") * peak + Decimal("0.1") * (35 * 1440 - peak)) * 10**9
    assert (items[1].reason, items[1].amount) == (306, 0)


# the part of a usage within one hour of the local day: 2 a second there, and 0.001 at other times
HOUR = """
kind: calendar
code: hour
zone: {zone}
bands: [{{name: here, start: "{start}:00", end: "{end}:00"}}, {{name: other}}]
"""
SUMMER_TIME = """
zone                 hour   from                  seconds  within
Europe/Paris         02-03  2026-10-25T00:30:00Z  7200     5400
Europe/Paris         02-03  2026-03-29T00:30:00Z  3600     0
Europe/Paris         02-03  2026-10-25T00:00:00Z  7200     7200
Europe/Paris         02-03  2026-10-24T23:30:00Z  10800    7200
America/St_Johns     23-24  2010-11-07T02:00:00Z  7200     5340
America/St_Johns     00-01  2010-11-07T02:00:00Z  7200     1860
America/St_Johns     01-02  2010-03-14T03:00:00Z  7200     3540
Asia/Gaza            00-01  2011-03-31T21:00:00Z  7200     60
Australia/Lord_Howe  01-02  2026-04-04T14:00:00Z  7200     5400
Australia/Lord_Howe  02-03  2026-10-03T15:00:00Z  7200     1800
Asia/Kathmandu       02-03  2026-06-10T20:00:00Z  3600     2700
"""


@pytest.mark.parametrize("row", SUMMER_TIME.strip().splitlines()[1:])
def test_summer_time_is_exact(row: str) -> None:
    zone, hour, at, seconds, within = row.split()
    start, end = hour.split("-")
    version = 'model: flat, per: 1 s, calendar: hour, price: {here: "2", other: "0.001"}, crossing: per_second'
    place = world("s", version, HOUR.format(zone=zone, start=start, end=end))
    [found] = costs(place, f"{seconds} s", at=instant(at))
    assert found == 2 * Decimal(within) + (int(seconds) - int(within)) * Decimal("0.001")


def test_a_band_begins_with_the_millisecond_that_starts_in_it() -> None:
    place = crossing("per_second", "1/1")
    border = instant("2026-01-15T19:00:00Z")
    uses = [Use("line", "usage", border - micros, 60_000) for micros in (0, 1, 999, 1000, 1001)]
    items = place.items(place.rate(uses))
    assert items == place.rate_twin(uses)
    peak = [0, 1, 1, 1, 2]  # milliseconds that start before 20:00
    expected = [(Decimal("0.2") * n + Decimal("0.1") * (60_000 - n)) / 60_000 for n in peak]
    assert [item.amount for item in items] == [round(each, 6) * 10**9 for each in expected]


def test_bands_of_one_name_have_no_border_between_them() -> None:
    calendar = """
kind: calendar
code: week
zone: Europe/Paris
bands: [{name: day, days: [thu], start: "18:00", end: "20:00"}, {name: day, start: "20:00", end: "22:00"}, {name: night}]
"""
    version = (
        'model: flat, per: 1 min, calendar: week, price: {day: "0.20", night: "0.10"}, crossing: split_then_round, '
        "increments: {first: 60 s, next: 60 s}"
    )
    # 90 s before 20:00 and 150 s after are four minutes, not two and three
    assert costs(world("s", version, calendar), "240 s", at=NEVER) == [Decimal("0.8")]
    # and so are 90 s before midnight, of one band, and 150 s after it, of another one with the same name
    late = (
        calendar.replace("18:00", "22:00")
        .replace('"20:00"}', '"24:00"}')
        .replace('"20:00", end: "22:00"', '"00:00", end: "06:00"')
    )
    assert costs(world("s", version, late), "240 s", at=NEVER + 4 * 3_600_000_000) == [Decimal("0.8")]


# tiers go on over the border: 100 s free, then 0.60 a minute until 20:00 and 0.30 afterwards; 90 s lie before 20:00
TIERS = 'tiers: [{up_to: 100 s, price: "0"}, {price: {peak: "0.60", off: "0.30"}}]'


def test_tiers_are_climbed_over_the_border() -> None:
    version = f"model: graduated, per: 1 min, calendar: week, crossing: per_second, {TIERS}"
    assert costs(world("s", version, PEAK), "240 s", at=NEVER) == [Decimal("0.7")]
    volume = version.replace("graduated", "volume")
    assert costs(world("s", volume, PEAK), "99 s", "240 s", at=NEVER) == [0, Decimal("1.65")]


def test_a_counter_is_climbed_over_the_border() -> None:
    version = f"model: graduated, per: 1 min, calendar: week, crossing: per_second, counter: monthly, {TIERS}"
    counter = "---\nkind: counter\ncode: monthly\nunit: s"
    # 90 s and 10 s are free; then 80 s before 20:00 and 150 s after, of which nothing is left free
    place = world("s", version, PEAK + counter)
    assert costs(place, "90 s", "20 s", "240 s", at=NEVER) == [0, Decimal("0.1"), Decimal("1.65")]


# the first minute at 0.60 at once, then by half a minute at 0.20; from 20:00 on half of that
GROUPS = """
rule            seconds  euros
start           240      1.2
each_increment  240      0.95
each_increment  61       0.7
per_second      240      0.95
"""


@pytest.mark.parametrize("row", GROUPS.strip().splitlines()[1:])
def test_increments_by_position_meet_the_border(row: str) -> None:
    rule, seconds, euros = row.split()
    version = (
        f"model: graduated, per: 1 min, calendar: week, crossing: {rule}, "
        'tiers: [{up_to: 60 s, price: {peak: "0.60", off: "0.30"}, increment: 60 s}, '
        '{price: {peak: "0.20", off: "0.10"}, increment: 30 s}]'
    )
    assert costs(world("s", version, PEAK), f"{seconds} s", at=NEVER) == [Decimal(euros)]


def test_the_start_decides_where_nothing_says_otherwise() -> None:
    catalog = catalog_from(
        "kind: event_type\ncode: usage\nunit: s",
        "kind: charge\ncode: charge\nevent_type: usage\nprice_plan: plan",
        f"kind: price_plan\ncode: plan\ncurrency: EUR\nversions: [{{start: 2020-01-01T00:00:00Z, model: flat, {PRICES}}}]",
        PARTIES,
        PEAK,
    )
    assert costs(World(catalog), "240 s", at=NEVER) == [Decimal("0.8")]
