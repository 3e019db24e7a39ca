"""What is wrong with a price version or a calendar is told with its place and what to do about it."""

from __future__ import annotations

from pathlib import Path

import pytest

from billing.catalog.models import UnableToLoadCatalog
from billing.catalog.store import load_catalog

AROUND = """
{kind: event_type, code: call, unit: s}
---
{kind: event_type, code: data, unit: B}
---
{kind: counter, code: monthly, unit: min}
---
{kind: charge, code: call, event_type: call, price_plan: plan}
---
{kind: offer, code: offer, charges: [call]}
---
{kind: date_list, code: france, yearly: ["07-14"]}
---
{kind: calendar, code: week, zone: Europe/Paris, bands: [{name: night, start: "22:00", end: "06:00"}, {name: day}]}
---
"""
PLAN = '{{kind: price_plan, code: plan, currency: EUR, versions: [{{start: "2026-01-01T00:00:00Z", {}}}]}}'
TIERS = 'tiers: [{up_to: 60 s, amount: "5"}, {amount: "3"}]'


def problems(tmp_path: Path, document: str) -> list[str]:
    """Return "field: message. Fix: fix" of everything that is wrong with a catalog that has this document."""
    (tmp_path / "catalog.yaml").write_text(AROUND + document, encoding="utf-8")
    try:
        load_catalog(tmp_path)
    except UnableToLoadCatalog as error:
        return [str(problem).partition(": ")[2].replace(f"{tmp_path}/", "") for problem in error.problems]
    return []


VERSIONS = {
    'model: flat, per: 1 min, price: "1", blocks: down': [
        "versions.0.blocks: a flat version has no blocks. Fix: remove it"
    ],
    'model: package, price: "1"': ["versions.0.per: a package version needs per. Fix: add `per: …`"],
    'model: event, price: "1", per: 1 min': ["versions.0.per: an event version has no per. Fix: remove it"],
    'model: volume, per: 1 min, price: "1"': [
        "versions.0.price: a volume version has no price. Fix: remove it",
        "versions.0.tiers: a volume version needs tiers. Fix: add `tiers: …`",
    ],
    'model: stair_step, tiers: [{up_to: 1 min, amount: "1"}, {price: "2"}]': [
        'versions.0.tiers.1.amount: the field "amount" is missing. Fix: add `amount: …`',
        "versions.0.tiers.1.price: a tier of a stair_step version has no price. Fix: remove it; `amount` is what the tier "
        "costs",
    ],
    'model: graduated, per: 1 min, tiers: [{amount: "1"}]': [
        'versions.0.tiers.0.price: the field "price" is missing. Fix: add `price: …`'
    ],
    f"model: stair_step, {TIERS}": [],
    f"model: stair_step, counter: monthly, {TIERS}": [
        "versions.0.tiers.1.amount: 3 is less than 5, which the tier before has cost by then. Fix: let amounts rise with a "
        "counter"
    ],
    f"model: stair_step, counter: monthly, zero_usage: charged, {TIERS.replace('3', '6')}": [
        "versions.0.zero_usage: whether the first tier was paid already is not known when nothing is counted. Fix: remove "
        "`zero_usage`, or the counter"
    ],
    'model: volume, per: 1 min, counter: monthly, tiers: [{price: "1", amount: "1"}]': [
        "versions.0.tiers.0.amount: with a counter, nobody knows which usage of the period pays the amount of the tier. "
        "Fix: remove the counter or the amount, or write `model: stair_step`"
    ],
    'model: stair_step, tiers: [{up_to: 1 min, amount: "5000000"}, {amount: "5000000"}]': [
        "versions.0.tiers: the amounts of the tiers are 10000000 together. Fix: write at most 9000000 in all"
    ],
    'model: stair_step, tiers: [{up_to: 1 MB, amount: "5"}, {amount: "6"}]': [
        'price_plan: the price plan "plan" prices data (catalog.yaml:16: up_to "1 MB"), but "call" measures time. Fix: use '
        "a plan per unit of time"
    ],
    'model: flat, per: 1 min, price: "1", minimum_quantity: 1 kB, free: 0 s': [
        'versions.0.free: "0 s" is zero. Fix: write a quantity above zero',
        'versions.0.minimum_quantity: "1 kB" measures data, not time. Fix: use a unit of time: ms, s, min, h',
    ],
    'model: flat, per: 1 min, price: "1", floor: "2", cap: "1.005", rounding: {decimals: 2}': [
        "versions.0.cap: 1.005 has more decimals than the amount, which is rounded to 2. Fix: write at most 2 decimals",
        "versions.0.floor: the floor 2 is above the cap 1.005. Fix: exchange them",
    ],
    'model: flat, per: 1 min, price: "1", crossing: per_second': [
        "versions.0.crossing: without a calendar there are no bands to cross. Fix: add `calendar: …`, or remove `crossing`"
    ],
    'model: package, per: 1 min, price: "1", calendar: week, crossing: per_second': [
        "versions.0.crossing: a package version has no crossing. Fix: remove it"
    ],
    'model: graduated, per: 1 min, calendar: week, crossing: split_then_round, tiers: [{price: "1", increment: 1 s}]': [
        "versions.0.crossing: increments of tiers go by the position in the whole usage, which is split before it is "
        "rounded. Fix: write `crossing: each_increment` or `per_second`"
    ],
    'model: graduated, per: 1 min, tiers: [{up_to: 50 s, price: "1", increment: 20 s}, {price: "1", increment: 1 s}]': [
        'versions.0.tiers.0.increment: the tier is no whole number of increments of "20 s". Fix: choose an increment that '
        "divides the length of the tier"
    ],
    "model: graduated, per: 1 min, counter: monthly, increments: {first: 1 s, next: 1 s}, "
    'tiers: [{up_to: 50 s, price: "1", increment: 10 s}, {price: "1"}]': [
        "versions.0.increments: the tiers have increments of their own. Fix: remove the increments of the version, or those "
        "of its tiers",
        "versions.0.tiers.0.increment: increments of tiers go by the position in one usage, not by a counter. Fix: remove "
        "the increments of tiers, or the counter",
        'versions.0.tiers.1.increment: other tiers have an increment. Fix: add `increment: "NUMBER UNIT"`',
    ],
}


@pytest.mark.parametrize("version", VERSIONS)
def test_a_version_says_what_is_wrong_with_it(tmp_path: Path, version: str) -> None:
    assert sorted(problems(tmp_path, PLAN.format(version))) == VERSIONS[version]


def test_only_time_can_be_split(tmp_path: Path) -> None:
    document = PLAN.format('model: flat, per: 1 kB, price: "1", calendar: week, crossing: each_increment')
    found = problems(tmp_path, document.replace("code: plan", "code: other") + "\n---\n" + GOOD)
    assert found == [
        "versions.0.crossing: only time can be split over bands; the version prices data. Fix: write `crossing: start`"
    ]


GOOD = PLAN.format('model: flat, per: 1 min, price: "1"')
CALENDARS = {
    "day_types: {holiday: [france]}, bands: [{name: quiet, days: [sun, holiday]}, {name: rest}]": [],
    "day_types: {holiday: [frence], sun: [france]}, bands: [{name: rest}]": [
        'day_types.holiday.0: the date list "frence" is unknown. Fix: did you mean "france"?',
        'day_types.sun: "sun" is a weekday. Fix: choose another name, such as "holiday"',
    ],
    "bands: [{name: quiet, days: [holiday, son]}, {name: rest}]": [
        'bands.0.days.0: "holiday" is neither a weekday nor a day type of the calendar. Fix: use one of "mon", "tue", '
        '"wed", "thu", "fri", "sat", "sun"',
        'bands.0.days.1: "son" is neither a weekday nor a day type of the calendar. Fix: did you mean "sun"?',
    ],
    'seasons: {winter: [{first: "11-31", last: "03-31"}], none: []}, bands: [{name: a, seasons: [wintre]}, {name: rest}]': [
        'bands.0.seasons.0: the calendar has no season "wintre". Fix: did you mean "winter"?',
        'seasons.none: the season "none" has no days. Fix: add `{first: MM-DD, last: MM-DD}`',
        'seasons.winter.0.first: no year has the day "11-31". Fix: write a day that is there, MM-DD',
    ],
    'seasons: {winter: [{first: "31.12", last: "03-31"}]}, bands: [{name: rest}]': [
        'seasons.winter.0.first: "31.12" is not well formed. Fix: write a day of every year as MM-DD, such as "12-25"'
    ],
    'seasons: {winter: [{first: "11-01", last: "03-31"}]}, bands: [{name: a, seasons: [winter]}]': [
        "bands.0: the last band must be the rest. Fix: add a last band with only a name"
    ],
}


@pytest.mark.parametrize("fields", CALENDARS)
def test_a_calendar_says_what_is_wrong_with_it(tmp_path: Path, fields: str) -> None:
    document = f"{{kind: calendar, code: year, zone: Europe/Paris, {fields}}}\n---\n{GOOD}"
    assert sorted(problems(tmp_path, document)) == CALENDARS[fields]


LISTS = {
    'yearly: ["02-30"]': ['yearly.0: no year has the day "02-30". Fix: write a day that is there, MM-DD'],
    'dates: ["2026-07-14", "2026-07-14"]': ['dates.1: the date "2026-07-14" is repeated. Fix: remove the repetition'],
    "easter: [1, 1]": ['easter.1: the day "1" is repeated. Fix: remove the repetition'],
    "easter: []": ["code: the list has no day. Fix: add `dates`, `yearly` or `easter`"],
    "dates: [20260714]": ['dates.0: 20260714 is not text. Fix: write it in quotes: "20260714"'],
}


@pytest.mark.parametrize("fields", LISTS)
def test_a_list_of_days_says_what_is_wrong_with_it(tmp_path: Path, fields: str) -> None:
    assert problems(tmp_path, f"{{kind: date_list, code: year, {fields}}}\n---\n{GOOD}") == LISTS[fields]


SUBSCRIBER = """
---
{kind: calendar, code: home, zone: subscription, bands: [{name: all}]}
---
{kind: account, code: acme, currency: EUR}
---
{kind: subscription_table, file: many.csv}
"""


def test_a_calendar_that_asks_for_the_zone_of_the_subscription_must_get_one(tmp_path: Path) -> None:
    plan = PLAN.format('model: flat, per: 1 min, price: "1", calendar: home')
    single = "---\n{kind: subscription, code: line, account: acme, offer: offer%s}"
    header = "account,currency,subscription,offer,access_point,zone\n"
    (tmp_path / "many.csv").write_text(
        header + "a,EUR,one,offer,1,Asia/Tokyo\nb,EUR,two,offer,2,\nc,EUR,six,offer,3,Asia/Tokio\n"
    )
    lacks = 'the calendar "home" of the offer "offer" asks for the time zone of the subscription. Fix: add `zone: …`, such as'
    assert problems(tmp_path, plan + SUBSCRIBER + single % "") == [
        f'zone: {lacks} "Europe/Paris"',
        f'zone: {lacks} "Europe/Paris"',
        'zone: the time zone "Asia/Tokio" is unknown. Fix: did you mean "Asia/Tokyo"?',
    ]
    (tmp_path / "many.csv").write_text(header + "a,EUR,one,offer,1,Asia/Tokyo\n")
    assert problems(tmp_path, plan + SUBSCRIBER + single % ", zone: Europe/Paris") == []
