"""Where other systems answer differently, a named option gives the answer of each."""

from __future__ import annotations

from decimal import Decimal

import pytest
from rating_tables import costs, world
from rating_world import instant

BLOCKS = "kind: unit\ncode: unit\n---\nkind: counter\ncode: running\nunit: unit\n---\nkind: counter\ncode: largest\nunit: unit\nfunction: max\n---\nkind: counter\ncode: talk\nunit: s"
PEAK = """
kind: calendar
code: week
zone: Europe/Paris
bands: [{name: peak, start: "08:00", end: "20:00"}, {name: off}]
"""
SIXTY = "increments: {first: 60 s, next: 60 s}"
BANDS = 'per: 1 min, calendar: week, price: {peak: "0.20", off: "0.10"}'
FIRST_BLOCK = "increments: {first: 120 s, next: 1 s}"

# (question, peer, unit, version, usages, what they cost); usage starts 90 s before a band ends
ANSWERS = [
    ("zero usage", "Lago, OpenMeter: the first tier's fee", "event", 'model: stair_step, zero_usage: charged, tiers: [{up_to: 10 event, amount: "5"}, {amount: "9"}]', ["0 event"], ["5"]),
    ("zero usage", "Meteroid, Flexprice: nothing", "event", 'model: stair_step, tiers: [{up_to: 10 event, amount: "5"}, {amount: "9"}]', ["0 event"], ["0"]),
    ("volume cliff", "Kill Bill: 101 blocks of 1,000, then the cheaper tier for all", "unit", 'model: volume, per: 1000 unit, bounds: inclusive, increments: {first: 1000 unit, next: 1000 unit}, tiers: [{up_to: 101000 unit, price: "1"}, {price: "0.5"}]', ["101000 unit", "101001 unit"], ["101", "51"]),
    ("volume cliff", "graduated: no cliff", "unit", 'model: graduated, per: 1000 unit, increments: {first: 1000 unit, next: 1000 unit}, tiers: [{up_to: 101000 unit, price: "1"}, {price: "0.5"}]', ["101000 unit", "101001 unit"], ["101", "101.5"]),
    ("tier fees", "Lago, Stripe graduated: the fee of every tier that is begun", "event", 'model: graduated, per: 1 event, tiers: [{up_to: 10 event, price: "0", amount: "5"}, {price: "0", amount: "9"}]', ["10 event", "11 event"], ["5", "14"]),
    ("tier fees", "Stripe volume, Kill Bill capacity: the fee of the tier that is reached", "event", 'model: stair_step, bounds: inclusive, tiers: [{up_to: 10 event, amount: "5"}, {amount: "9"}]', ["10 event", "11 event"], ["5", "9"]),
    ("begun packages", "Lago: rounded up", "event", 'model: package, per: 100 event, price: "5", free: 100 event', ["100 event", "101 event", "301 event"], ["0", "5", "15"]),
    ("begun packages", "Flexprice: rounded down on request", "event", 'model: package, per: 100 event, price: "5", blocks: down', ["99 event", "101 event"], ["0", "5"]),
    ("a line that is split", "OpenMeter: each piece is rounded up, two", "unit", 'model: package, per: 1000 unit, price: "1"', ["400 unit", "400 unit"], ["1", "1"]),
    ("a line that is split", "the running total is, one", "unit", 'model: package, per: 1000 unit, price: "1", counter: running', ["400 unit", "400 unit", "400 unit"], ["1", "0", "1"]),
    ("rounding", "per item, to the cent", "s", 'model: flat, per: 1 min, price: "0.12", rounding: {decimals: 2}', ["1 s", "1 s", "1 s"], ["0", "0", "0"]),
    ("rounding", "up in each item", "s", 'model: flat, per: 1 min, price: "0.12", rounding: {mode: up, decimals: 2}', ["1 s", "1 s", "1 s"], ["0.01", "0.01", "0.01"]),
    ("rounding", "Lago: kept until the invoice", "s", 'model: flat, per: 1 min, price: "0.12", rounding: {decimals: 9}', ["1 s", "1 s", "1 s"], ["0.002", "0.002", "0.002"]),
    ("rounding", "CGRateS: each increment, here of 6 s", "s", 'model: flat, per: 1 min, price: "0.125", increments: {first: 6 s, next: 6 s}, rounding: {increment: {decimals: 2}}', ["61 s", "6 s"], ["0.11", "0.01"]),
    ("rounding", "CGRateS: each increment, in two rates", "s", 'model: graduated, per: 1 min, rounding: {increment: {decimals: 2, mode: up}}, tiers: [{up_to: 60 s, price: "0.125", increment: 60 s}, {price: "0.125", increment: 1 s}]', ["59 s", "61 s", "70 s"], ["0.13", "0.14", "0.23"]),
    ("rounding", "Opencell: the unit price, then the line", "s", 'model: flat, per: 1 min, price: "0.125", rounding: {decimals: 2, unit_price: {per: 1 s, decimals: 4}}', ["61 s", "100 s"], ["0.13", "0.21"]),
    ("rounding", "Opencell: the unit price of each tier", "s", 'model: graduated, per: 1 min, counter: talk, tiers: [{up_to: 60 s, price: "0.125"}, {price: "0.1"}], rounding: {unit_price: {per: 1 s, decimals: 4}}', ["61 s", "10 s"], ["0.1277", "0.017"]),
    ("maximum of a window", "OpenMeter, Flexprice: what it raises the maximum by", "unit", 'model: flat, per: 1 unit, price: "2", counter: largest', ["3 unit", "5 unit", "4 unit"], ["6", "4", "0"]),
    ("maximum of a window", "the sum", "unit", 'model: flat, per: 1 unit, price: "2", counter: running', ["3 unit", "5 unit", "4 unit"], ["6", "10", "8"]),
    ("band change", "by the start", "s", f"model: flat, {BANDS}, {SIXTY}", ["240 s"], ["0.8"]),
    ("band change", "Oracle BRM, CGRateS: split, then round", "s", f"model: flat, {BANDS}, {SIXTY}, crossing: split_then_round", ["240 s"], ["0.7"]),
    ("band change", "increment by increment", "s", f"model: flat, {BANDS}, {SIXTY}, crossing: each_increment", ["240 s"], ["0.6"]),
    ("band change", "second by second", "s", f"model: flat, {BANDS}, {SIXTY}, crossing: per_second", ["240 s"], ["0.55"]),
    ("band change inside the first minute", "each part has a first minute", "s", f"model: flat, {BANDS}, {FIRST_BLOCK}, crossing: split_then_round", ["110 s"], ["0.6"]),
    ("band change inside the first minute", "the block keeps the price of its start", "s", f"model: flat, {BANDS}, {FIRST_BLOCK}, crossing: each_increment", ["110 s"], ["0.4"]),
    ("band change inside the first minute", "the block is divided", "s", f"model: flat, {BANDS}, {FIRST_BLOCK}, crossing: per_second", ["110 s"], ["0.35"]),
]  # fmt: skip


@pytest.mark.parametrize("row", ANSWERS, ids=[f"{question}: {peer}" for question, peer, *_ in ANSWERS])
def test_each_answer_has_an_option(row: tuple[str, str, str, str, list[str], list[str]]) -> None:
    _, _, unit, version, usages, euros = row
    place = world(unit, version, f"{BLOCKS}\n---\n{PEAK}")
    assert costs(place, *usages, at=instant("2026-01-15T18:58:30Z")) == [Decimal(each) for each in euros]


def test_usage_in_minutes_is_priced_by_the_second() -> None:
    """Opencell: input unit minute, rating unit second, 100 each: one minute is 60 seconds and 6,000."""
    place = world("min", 'model: flat, per: 1 s, price: "100"')
    assert costs(place, "1 min") == [6000]
