"""What is left of an allowance and where it goes: a table of months, orders of drawing, expiry, late usage, publish checks."""

from __future__ import annotations

import pytest
from rating_tables import world
from rating_world import Use, World, catalog_from, instant

from billing.catalog.models import UnableToLoadCatalog
from rating.reference import find_charge_version, price
from schemas.money import from_scaled
from schemas.rejection import Reason

VERSION = 'model: graduated, per: 1 event, counter: pool, tiers: [{up_to: 10 event, price: "0"}, {price: "1"}]'


def place(rule: str, version: str = VERSION) -> World:
    return world("event", version, f"{{kind: counter, code: pool, unit: event, roll_over: {{of: 10 event{rule}}}}}")


def costs(there: World, *usage: tuple[int, int]) -> list[int | str]:
    """Return what usage, in (months, events), costs, having checked that kernels and twin agree."""
    uses = [
        Use("line", "usage", instant(f"{2026 + month // 12}-{month % 12 + 1:02d}-15T12:00:00Z"), count)
        for month, count in usage
    ]
    items = there.items(there.rate(uses))
    assert items == there.rate_twin(uses)
    return [int(from_scaled(item.amount, 9)) if not item.reason else item.reason.name for item in items]


# months from January, 10 free events each
CASES = """
rule                                                    usage                       costs
, periods: 1                                            0:4 1:16 1:1                0 0 1
, periods: 1                                            0:4 2:11                    0 0
, periods: 1                                            0:4 2:21                    0 1
, periods: 1                                            2:4 1:6 2:14                0 0 4
, periods: 1                                            0:4 1:10 2:16 2:1           0 0 0 1
, periods: 1, order: newest_first                       0:4 1:10 2:16 2:1           0 0 6 1
, periods: 2                                            0:4 1:11 2:15 2:1           0 0 0 1
, periods: 2, order: newest_first                       0:4 1:12 2:14 2:1           0 0 0 1
, periods: 2, order: newest_first                       0:4 1:12 2:9 3:12 3:1       0 0 0 1 1
, periods: 3                                            0:1 3:37 3:3                0 0 1
, periods: 1, order: newest_first                       0:10 2:4 5:1 2:6 3:11       0 0 0 0 1
, periods: 1                                            0:4 1:9 2:9 3:9 5:16 5:5    0 0 0 0 0 1
, periods: 3                                            0:1 4:40 4:1                0 0 1
, periods: 3                                            0:1 9:40 9:1                0 0 1
, periods: 1, limit: 3 event                            0:4 1:13 1:1                0 0 1
, periods: 2, limit: 3 event                            0:4 1:10 2:16 2:1           0 0 3 1
, periods: 1                                            1:12 0:4 1:1 1:8 1:1        2 0 0 5 1
, periods: 1                                            1:1 0:4 1:15 0:6 1:1        0 0 0 0 1
, periods: 1                                            0:4 4:1 0:1 4:20            0 0 COUNTER_PERIOD_CLOSED 1
, periods: 1                                            3:12 4:1 0:1 4:9 4:1        2 0 COUNTER_PERIOD_CLOSED 0 1
"""


def _cases() -> list[tuple[str, str, str]]:
    lines = CASES.strip().splitlines()
    header = lines[0]
    usage, cost = header.index("usage"), header.index("costs")
    return [(line[:usage].strip(), line[usage:cost].strip(), line[cost:].strip()) for line in lines[1:]]


@pytest.mark.parametrize(("rule", "usage", "expected"), _cases())
def test_what_is_left_goes_into_the_next_periods(rule: str, usage: str, expected: str) -> None:
    pairs = [tuple(map(int, each.split(":"))) for each in usage.split()]
    assert " ".join(map(str, costs(place(rule), *pairs))) == expected


@pytest.mark.parametrize(
    "version",
    [
        'model: flat, per: 1 event, price: "1", free: 10 event, counter: pool',
        'model: package, per: 1 event, price: "1", free: 10 event, counter: pool',
    ],
)
def test_free_parts_roll_over_likewise(version: str) -> None:
    assert costs(place("", version), (0, 4), (1, 15), (1, 2), (2, 12)) == [0, 0, 1, 2]


def test_it_is_explained() -> None:
    there = place("")
    [_, item] = there.items(
        there.rate([Use("line", "usage", instant(f"2026-0{n}-15T00:00:00Z"), c) for n, c in ((1, 4), (2, 17))])
    )
    assert item.counter_before == -6
    charge, version = find_charge_version(there.catalog, item.charge_version or "")
    at = instant("2026-02-15T00:00:00Z")
    told = price(there.catalog, charge, version, quantity=17, event_at=at, counter_before=-6)
    lines = "\n".join(told.lines())
    assert "counter pool (month 2026-02 in UTC): 6 event carried over left before, 11 event after" in lines
    assert "tier 1 (below 10 event): 16 event at 0 per 1 event = 0" in lines
    assert told.amount == item.amount


def test_refused_usage_carries_nothing_away() -> None:
    there = World(
        catalog_from(
            "{kind: event_type, code: usage, unit: event}\n---\n{kind: charge, code: c, event_type: usage, price_plan: p}",
            f"kind: price_plan\ncode: p\ncurrency: EUR\nversions: [{{start: 2000-01-01T00:00:00Z, {VERSION}}}]",
            "{kind: counter, code: pool, unit: event, roll_over: {of: 10 event}}\n---\n{kind: offer, code: o, charges: [c]}",
            "kind: account\ncode: a\ncurrency: EUR\nwallets: [{code: w, type: prepaid, opening_balance: '1'}]",
            "{kind: subscription, code: line, account: a, offer: o}",
        )
    )
    assert costs(there, (0, 4), (5, 25), (1, 16), (1, 1), (5, 21)) == [
        0,
        "INSUFFICIENT_BALANCE",
        0,
        1,
        "INSUFFICIENT_BALANCE",
    ]
    assert Reason.INSUFFICIENT_BALANCE == 305


@pytest.mark.parametrize(
    ("counter", "version", "message"),
    [
        ("period: ever, roll_over: {of: 10 event}", VERSION, "a counter without periods has nothing to carry over"),
        ("function: max, roll_over: {of: 10 event}", VERSION, "a largest usage leaves nothing"),
        ("roll_over: {of: 10 event, limit: 11 event}", VERSION, "is more than the allowance"),
        ("roll_over: {of: 0 event}", VERSION, "is zero"),
        ("roll_over: {of: 10 s}", VERSION, "measures time, not count"),
        ("roll_over: {of: 10 event, periods: 4}", VERSION, "is too large"),
        ("roll_over: {of: 2000000000000000000 event}", VERSION, "is too large"),
        ("roll_over: {of: 9 event}", VERSION, "which the first tier is not"),
        ("roll_over: {of: 10 event}", VERSION.replace('"0"', '"0.1"'), "which the first tier is not"),
        (
            "roll_over: {of: 10 event}",
            'model: flat, per: 1 event, price: "1", counter: pool',
            "which the version does not have",
        ),
        ("roll_over: {of: 10 event}", 'model: event, price: "1", counter: pool', "an event version has none"),
    ],
)
def test_what_cannot_roll_over_is_told(counter: str, version: str, message: str) -> None:
    with pytest.raises(UnableToLoadCatalog) as caught:
        world("event", version, f"{{kind: counter, code: pool, unit: event, {counter}}}")
    assert any(message in problem.message and problem.fix for problem in caught.value.problems), caught.value
