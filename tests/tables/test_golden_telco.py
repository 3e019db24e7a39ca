"""The numbers of well-known rules of telephony, each as a price version that anybody can write down."""

from __future__ import annotations

from decimal import Decimal

import pytest
from rating_tables import NOON, PARTIES, costs, world
from rating_world import Use, World, catalog_from, instant

from schemas.money import from_scaled
from schemas.values import pack_digits

COUNTER = "kind: counter\ncode: monthly\nunit: B"
MINUTES = "kind: counter\ncode: monthly\nunit: min"
PEAK = """
kind: calendar
code: week
zone: Europe/Paris
bands: [{name: peak, days: [mon, tue, wed, thu, fri], start: "08:00", end: "20:00"}, {name: off}]
"""
TWELVE = 'model: flat, per: 1 min, price: "0.12"'
BLOCKS = 'per: 100 KiB, price: "1"'
BANDS = (
    'model: flat, per: 1 min, calendar: week, price: {peak: "0.20", off: "0.10"}, increments: {first: 60 s, next: 60 s}'
)
TIERS = 'tiers: [{up_to: 100 min, price: "0.10"}, {up_to: 500 min, price: "0.05"}, {price: "0.02"}]'
THURSDAY = "2026-01-15T18:58:30Z"  # 19:58:30 in Paris

# rule, unit, version, more documents, start, quantities, euros of each
CASES = [
    ("60/30", "s", f"{TWELVE}, increments: {{first: 60 s, next: 30 s}}", "", "", "1 61 91 125 s", "0.12 0.18 0.24 0.30"),
    ("30/1, the longest of EU roaming for calls made", "s", f"{TWELVE}, increments: {{first: 30 s, next: 1 s}}", "", "", "10 31 s", "0.06 0.062"),
    ("60/60", "s", f"{TWELVE}, increments: {{first: 60 s, next: 60 s}}", "", "", "61 s", "0.24"),
    ("1/1, that of EU roaming for calls received", "s", f"{TWELVE}, increments: {{first: 1 s, next: 1 s}}", "", "", "125 s", "0.25"),
    ("an unanswered call has no set-up fee", "s", f'{TWELVE}, connection_fee: "0.05", increments: {{first: 60 s, next: 60 s}}', "", "", "0 s", "0"),
    ("crossing by start", "s", BANDS, PEAK, THURSDAY, "240 s", "0.80"),
    ("crossing, split then rounded", "s", f"{BANDS}, crossing: split_then_round", PEAK, THURSDAY, "240 s", "0.70"),
    ("crossing by increment", "s", f"{BANDS}, crossing: each_increment", PEAK, THURSDAY, "240 s", "0.60"),
    ("crossing by second", "s", f"{BANDS}, crossing: per_second", PEAK, THURSDAY, "240 s", "0.55"),
    ("three parts of a call, rated each", "s", f'{TWELVE}, connection_fee: "0.05", increments: {{first: 60 s, next: 60 s}}', "", "", "100 100 100 s", "0.29 0.29 0.29"),
    ("three parts of a call, put together", "s", f'{TWELVE}, connection_fee: "0.05", increments: {{first: 60 s, next: 60 s}}', "", "", "300 s", "0.65"),
    ("blocks of volume by report", "B", f"model: package, {BLOCKS}", "", "", "150000 150000 150000 B", "2 2 2"),
    ("blocks of volume, cumulated", "B", f"model: package, {BLOCKS}, counter: monthly", COUNTER, "", "150000 150000 150000 B", "2 1 2"),
    ("k is 1,000", "B", 'model: flat, per: 1 kB, price: "1"', "", "", "1024 B", "1.024"),
    ("or 1,024", "B", 'model: flat, per: 1 KiB, price: "1"', "", "", "1024 B", "1"),
    ("a threshold inside one event, by unit", "s", f"model: graduated, per: 1 min, {TIERS}", "", "", "600 min", "32"),
    ("a threshold inside one event, by slab", "s", f"model: volume, per: 1 min, {TIERS}", "", "", "600 min", "12"),
    ("half up of 0.125", "event", 'model: flat, per: 1 event, price: "0.125", rounding: {mode: half_up, decimals: 2}', "", "", "1 event", "0.13"),
    ("half even of 0.125", "event", 'model: flat, per: 1 event, price: "0.125", rounding: {mode: half_even, decimals: 2}', "", "", "1 event", "0.12"),
    ("half up of 0.165", "event", 'model: flat, per: 1 event, price: "0.165", rounding: {mode: half_up, decimals: 2}', "", "", "1 event", "0.17"),
    ("half even of 0.165", "event", 'model: flat, per: 1 event, price: "0.165", rounding: {mode: half_even, decimals: 2}', "", "", "1 event", "0.16"),
    ("1.005 is no binary fraction", "event", 'model: flat, per: 1 event, price: "1.005", rounding: {decimals: 2}', "", "", "1 event", "1.01"),
    ("a daily rate is not rounded before it is multiplied", "event", 'model: flat, per: 30 event, price: "10.00", rounding: {decimals: 2}', "", "", "15 event", "5.00"),
    ("a cap on one event", "s", f'{TWELVE}, cap: "30"', "", "", "86400 s", "30"),
    ("0.4980 is not 0.50", "s", 'model: flat, per: 1 min, price: "0.0996", increments: {first: 1 s, next: 1 s}', "", "", "300 s", "0.498"),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=[case[0] for case in CASES])
def test_a_rule_with_its_numbers(case: tuple[str, str, str, str, str, str, str]) -> None:
    _, unit, version, more, at, written, euros = case
    *numbers, used = written.split()
    place = world(unit, version, more)
    found = costs(place, *(f"{number} {used}" for number in numbers), at=instant(at) if at else NOON)
    assert found == [Decimal(each) for each in euros.split()]


# 1 a second in the hour from 02:00 to 03:00 local time, nothing at other times
HOUR = """
kind: calendar
code: hour
zone: Europe/Paris
bands: [{name: second, start: "02:00", end: "03:00"}, {name: other}]
"""
SUMMER_TIME = """
start                 seconds  of them between two and three
2026-10-25T00:30:00Z  7200     5400
2026-03-29T00:30:00Z  3600     0
"""


@pytest.mark.parametrize("row", SUMMER_TIME.strip().splitlines()[1:])
def test_an_hour_comes_twice_in_autumn_and_not_at_all_in_spring(row: str) -> None:
    at, seconds, within = row.split()
    version = 'model: flat, per: 1 s, calendar: hour, price: {second: "1", other: "0"}, crossing: per_second'
    assert costs(world("s", version, HOUR), f"{seconds} s", at=instant(at)) == [Decimal(within)]


@pytest.mark.parametrize(("zone", "euros"), [("Europe/Paris", "0.10"), ("America/New_York", "0.20")])
def test_the_clock_of_the_roamer_or_of_the_tariff_is_an_attribute(zone: str, euros: str) -> None:
    """21:00 in Paris is peak in New York: the calendar goes by the zone of the subscription."""
    place = World(
        catalog_from(
            "kind: event_type\ncode: usage\nunit: s",
            "kind: charge\ncode: charge\nevent_type: usage\nprice_plan: plan",
            f"kind: price_plan\ncode: plan\ncurrency: EUR\nversions: [{{start: 2000-01-01T00:00:00Z, {BANDS}}}]",
            PARTIES.replace("code: line\n", f"code: line\nzone: {zone}\n"),
            PEAK.replace("zone: Europe/Paris", "zone: subscription"),
        )
    )
    assert costs(place, "60 s", at=instant("2026-01-15T20:00:00Z")) == [Decimal(euros)]


# the longest prefix that has a price, dated
DESTINATIONS = """
called         at                    euros
447937123456   2026-06-10T12:00:00Z  0.3
447812345678   2026-06-10T12:00:00Z  0.2
442071234567   2026-06-10T12:00:00Z  0.1
33612345678    2026-06-10T12:00:00Z  9
447937123456   2027-06-10T12:00:00Z  0.2
"""
TABLE = """
kind: destination_table
code: world
value: called
rows:
  - {prefix: "*", price: "9"}
  - {prefix: "44", price: "0.1"}
  - {prefix: "447", price: "0.2"}
  - {prefix: "447937", price: "0.3", end: "2027-01-01T00:00:00Z"}
"""


@pytest.mark.parametrize("row", DESTINATIONS.strip().splitlines()[1:])
def test_the_longest_dated_prefix_beats_shorter_ones(row: str) -> None:
    called, at, euros = row.split()
    place = World(
        catalog_from(
            "kind: event_type\ncode: usage\nunit: s\nvalues: {called: digits}",
            "kind: charge\ncode: charge\nevent_type: usage\nprice_plan: plan",
            "kind: price_plan\ncode: plan\ncurrency: EUR\nversions: "
            "[{start: 2000-01-01T00:00:00Z, model: flat, per: 1 min, prices: world}]",
            PARTIES,
            TABLE,
        )
    )
    uses = [Use("line", "usage", instant(at), 60_000, values={"called": pack_digits(called)})]
    items = place.items(place.rate(uses))
    assert items == place.rate_twin(uses)
    assert from_scaled(items[0].amount, 9) == Decimal(euros)


@pytest.mark.parametrize(
    ("mode", "euros"), [("up", "0.24"), ("down", "0.12"), ("half_up", "0.24"), ("half_even", "0.24")]
)
def test_the_increments_of_a_row_are_rounded_as_those_of_the_version(mode: str, euros: str) -> None:
    """119 s are a whole increment of 60 s and 59 s of the next."""
    version = f"model: flat, per: 1 min, prices: world, increments: {{first: 1 s, next: 1 s, mode: {mode}}}"
    place = World(
        catalog_from(
            "kind: event_type\ncode: usage\nunit: s\nvalues: {called: digits}",
            "kind: charge\ncode: charge\nevent_type: usage\nprice_plan: plan",
            f"kind: price_plan\ncode: plan\ncurrency: EUR\nversions: [{{start: 2000-01-01T00:00:00Z, {version}}}]",
            PARTIES,
            'kind: destination_table\ncode: world\nvalue: called\nrows: [{prefix: "*", price: "0.12", first: 60 s, next: 60 s}]',
        )
    )
    uses = [Use("line", "usage", NOON, 119_000, values={"called": pack_digits("33")})]
    items = place.items(place.rate(uses))
    assert items == place.rate_twin(uses)
    assert from_scaled(items[0].amount, 9) == Decimal(euros)


ZERO_RATED = """
kind: event_type
code: usage
unit: GB
attributes: [rating_group]
---
kind: counter
code: fair
unit: GB
---
kind: price_plan
code: free
currency: EUR
versions: [{start: 2020-01-01T00:00:00Z, model: flat, per: 1 GB, price: "0", counter: fair, free: 1 GB}]
---
kind: price_plan
code: paid
currency: EUR
versions: [{start: 2020-01-01T00:00:00Z, model: graduated, per: 1 GB, counter: fair, tiers: [{up_to: 5 GB, price: "0"}, {price: "2"}]}]
---
{kind: charge, code: free, event_type: usage, price_plan: free, filters: {rating_group: "900"}, priority: 1}
---
{kind: charge, code: paid, event_type: usage, price_plan: paid}
---
{kind: offer, code: offer, charges: [free, paid]}
---
{kind: account, code: acme, currency: EUR}
---
{kind: subscription, code: line, account: acme, offer: offer}
"""


def test_a_zero_rated_application_is_recorded_and_moves_the_fair_use_counter() -> None:
    place = World(catalog_from(ZERO_RATED))
    gigabytes = [(4, {"rating_group": "900"}), (3, {})]
    uses = [Use("line", "usage", NOON, amount * 10**9, attributes) for amount, attributes in gigabytes]
    items = place.items(place.rate(uses))
    assert items == place.rate_twin(uses)
    assert [(item.reason, item.amount, item.counter_before) for item in items] == [
        (0, 0, 0),
        (0, 4 * 10**9, 4 * 10**9),
    ]


def test_a_late_record_has_the_price_of_its_own_time_and_changes_those_after_it() -> None:
    version = f"model: graduated, per: 1 min, counter: monthly, {TIERS}"
    assert costs(world("s", version, MINUTES), "100 min", "10 min") == [10, Decimal("0.5")]
    assert costs(world("s", version, MINUTES), "10 min", "100 min") == [1, Decimal("9.5")]
