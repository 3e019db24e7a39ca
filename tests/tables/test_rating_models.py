"""Every price model, with prices that a product owner can check with a pocket calculator."""

from __future__ import annotations

from decimal import Decimal

import pytest
from rating_tables import costs, world

MONTHLY_MINUTES = "kind: counter\ncode: monthly\nunit: min"
MONTHLY_BYTES = "kind: counter\ncode: monthly\nunit: B"
MONTHLY_EVENTS = "kind: counter\ncode: monthly\nunit: event"

# all of the usage at the price of the tier reached: below 100 at 0.10, below 500 at 0.05, then 0.02
VOLUME_TIERS = 'tiers: [{up_to: 100 min, price: "0.10"}, {up_to: 500 min, price: "0.05"}, {price: "0.02"}]'
VOLUME = """
bounds     counter  minutes     euros of each
exclusive  no       99          9.9
exclusive  no       100         5
exclusive  no       500         10
inclusive  no       100         10
inclusive  no       101         5.05
inclusive  no       500         25
inclusive  no       501         10.02
exclusive  yes      60 60 400   6 3 8
inclusive  yes      60 40 60    6 4 3
exclusive  yes      0 99 0      0 9.9 0
"""


def table(text: str) -> list[list[str]]:
    """Return the lines of a table but the first, split where two blanks are."""
    return [[cell.strip() for cell in line.split("  ") if cell.strip()] for line in text.strip().splitlines()[1:]]


@pytest.mark.parametrize("row", table(VOLUME))
def test_volume(row: list[str]) -> None:
    bounds, counted, minutes, euros = row
    counter = "counter: monthly, " if counted == "yes" else ""
    place = world("s", f"model: volume, per: 1 min, bounds: {bounds}, {counter}{VOLUME_TIERS}", MONTHLY_MINUTES)
    assert costs(place, *(f"{each} min" for each in minutes.split())) == [Decimal(each) for each in euros.split()]


def test_a_volume_tier_may_have_an_amount_besides() -> None:
    version = (
        'model: volume, per: 1 min, tiers: [{up_to: 100 min, price: "0.1", amount: "3"}, {price: "0", amount: "12"}]'
    )
    assert costs(world("s", version), "10 min", "100 min", "0 min") == [4, 12, 0]


# blocks of 100 KiB at 1.00
PACKAGE = """
blocks  free     counter  bytes                  euros of each
up      -        no       1                      1
up      -        no       102400                 1
up      -        no       102401                 2
up      -        no       150000 150000 150000   2 2 2
up      -        yes      150000 150000 150000   2 1 2
down    -        no       150000 102399 204800   1 0 2
down    -        yes      150000 150000 150000   1 1 2
up      100 KiB  no       102400 102401 307200   0 1 2
up      100 KiB  yes      102400 1 102399 1      0 1 0 1
up      1 KiB    yes      1024 102400 1          0 1 1
up      -        yes      0 1 0                  0 1 0
"""


@pytest.mark.parametrize("row", table(PACKAGE))
def test_package(row: list[str]) -> None:
    blocks, free, counted, sizes, euros = row
    version = f'model: package, per: 100 KiB, price: "1", blocks: {blocks}'
    version += f', free: "{free}"' if free != "-" else ""
    version += ", counter: monthly" if counted == "yes" else ""
    place = world("B", version, MONTHLY_BYTES)
    assert costs(place, *(f"{each} B" for each in sizes.split())) == [Decimal(each) for each in euros.split()]


# up to 10 events 5 in all, up to 100 events 20, above 50
STAIRS = 'tiers: [{up_to: 10 event, amount: "5"}, {up_to: 100 event, amount: "20"}, {amount: "50"}]'
STAIR_STEP = """
bounds     zero     counter  events        euros of each
inclusive  free     no       1 10 11 101   5 5 20 50
exclusive  free     no       9 10 100      5 20 50
inclusive  free     no       0             0
inclusive  charged  no       0 5           5 5
inclusive  free     yes      1 9 1 89 1    5 0 15 0 30
inclusive  free     yes      101 1         50 0
inclusive  free     yes      0 0 1 0       0 0 5 0
"""


@pytest.mark.parametrize("row", table(STAIR_STEP))
def test_stair_step(row: list[str]) -> None:
    bounds, zero, counted, events, euros = row
    counter = "counter: monthly, " if counted == "yes" else ""
    version = f"model: stair_step, bounds: {bounds}, zero_usage: {zero}, {counter}{STAIRS}"
    place = world("event", version, MONTHLY_EVENTS)
    assert costs(place, *(f"{each} event" for each in events.split())) == [Decimal(each) for each in euros.split()]


def test_a_flat_fee_for_each_event() -> None:
    place = world("B", 'model: event, price: "0.35"')
    assert costs(place, "1 B", "1 TB", "0 B") == [Decimal("0.35"), Decimal("0.35"), 0]
    assert costs(world("B", 'model: event, price: "0.35", zero_usage: charged'), "0 B") == [Decimal("0.35")]


# graduated with an amount for each tier that is begun: 2 for the first, 1 more from 100 min on, 0.10 and 0.05 a minute
BEGUN = """
counter  minutes      euros of each
no       10 100 101   3 12 13.05
no       0            0
yes      10 90 1 1    3 9 1.05 0.05
yes      101          13.05
"""


@pytest.mark.parametrize("row", table(BEGUN))
def test_the_usage_that_begins_a_tier_pays_its_amount(row: list[str]) -> None:
    counted, minutes, euros = row
    counter = "counter: monthly, " if counted == "yes" else ""
    tiers = 'tiers: [{up_to: 100 min, price: "0.10", amount: "2"}, {price: "0.05", amount: "1"}]'
    place = world("s", f"model: graduated, per: 1 min, {counter}{tiers}", MONTHLY_MINUTES)
    assert costs(place, *(f"{each} min" for each in minutes.split())) == [Decimal(each) for each in euros.split()]


# 0.12 a minute
FREE = """
free  counter  seconds        euros of each
60    no       30 60 90 150   0 0 0.06 0.18
60    yes      30 60 90       0 0.06 0.18
"""


@pytest.mark.parametrize("row", table(FREE))
def test_the_first_part_of_a_quantity_may_be_free(row: list[str]) -> None:
    free, counted, seconds, euros = row
    counter = ", counter: monthly" if counted == "yes" else ""
    place = world("s", f'model: flat, per: 1 min, price: "0.12", free: "{free} s"{counter}', MONTHLY_MINUTES)
    assert costs(place, *(f"{each} s" for each in seconds.split())) == [Decimal(each) for each in euros.split()]


# 0.12 a minute by the second, a set-up fee of 0.05, at least 0.10 and at most 0.50
LIMITS = """
seconds  euros
0        0
1        0.1
25       0.1
26       0.102
225      0.5
226      0.5
86400    0.5
"""


@pytest.mark.parametrize("row", table(LIMITS))
def test_floor_and_cap_hold_for_the_whole_item(row: list[str]) -> None:
    seconds, euros = row
    version = 'model: flat, per: 1 min, price: "0.12", connection_fee: "0.05", floor: "0.10", cap: "0.50"'
    assert costs(world("s", version), f"{seconds} s") == [Decimal(euros)]


# a call counts 45 s at least, then 30/30 at 0.12 a minute
MINIMUM = """
seconds  euros
0        0
1        0.12
45       0.12
61       0.18
"""


@pytest.mark.parametrize("row", table(MINIMUM))
def test_a_minimum_duration_comes_before_increments(row: list[str]) -> None:
    seconds, euros = row
    version = 'model: flat, per: 1 min, price: "0.12", minimum_quantity: 45 s, increments: {first: 30 s, next: 30 s}'
    assert costs(world("s", version), f"{seconds} s") == [Decimal(euros)]


# at 0.12 a minute: what becomes of a begun increment
MODES = """
increments  mode       seconds            euros of each
60/60       up         1 60 61            0.12 0.12 0.24
60/60       down       59 60 119 120      0 0.12 0.12 0.24
60/60       half_up    29 30 89 90 150    0 0.12 0.12 0.24 0.36
60/60       half_even  30 31 90 150 210   0 0.12 0.24 0.24 0.48
30/6        down       29 30 35 36        0 0.06 0.06 0.072
30/6        half_up    14 15 32 33        0 0.06 0.06 0.072
"""


@pytest.mark.parametrize("row", table(MODES))
def test_increments_are_rounded_by_their_mode(row: list[str]) -> None:
    increments, mode, seconds, euros = row
    first, following = increments.split("/")
    version = (
        'model: flat, per: 1 min, price: "0.12", '
        f'increments: {{first: "{first} s", next: "{following} s", mode: {mode}}}'
    )
    found = costs(world("s", version), *(f"{each} s" for each in seconds.split()))
    assert found == [Decimal(each) for each in euros.split()]


def test_what_is_rounded_down_to_nothing_pays_no_connection_fee() -> None:
    version = (
        'model: flat, per: 1 min, price: "0.12", connection_fee: "0.05", floor: "0.01", '
        "increments: {first: 60 s, next: 60 s, mode: down}"
    )
    assert costs(world("s", version), "59 s", "60 s") == [0, Decimal("0.17")]


# CGRateS RateSlot: 0.40 for the first minute at once, then 0.20 a minute by the second after a set-up fee of 0.10
GROUPS = """
seconds  euros
0        0
1        0.5
60       0.5
61       0.503333
90       0.6
120      0.7
"""


@pytest.mark.parametrize("row", table(GROUPS))
def test_the_first_minute_is_dearer_and_has_increments_of_its_own(row: list[str]) -> None:
    seconds, euros = row
    version = (
        'model: graduated, per: 1 min, connection_fee: "0.10", '
        'tiers: [{up_to: 60 s, price: "0.40", increment: 60 s}, {price: "0.20", increment: 1 s}]'
    )
    assert costs(world("s", version), f"{seconds} s") == [Decimal(euros)]


def test_three_groups_of_increments() -> None:
    version = (
        'model: graduated, per: 1 min, tiers: [{up_to: 60 s, price: "0.6", increment: 30 s}, '
        '{up_to: 180 s, price: "0.3", increment: 20 s}, {price: "0.1", increment: 60 s}]'
    )
    found = costs(world("s", version), "1 s", "31 s", "61 s", "170 s", "181 s")
    assert found == [Decimal(each) for each in ("0.3", "0.6", "0.7", "1.2", "1.3")]


def test_extreme_amounts_stay_exact() -> None:
    version = (
        'model: event, price: "8999999.999999999999", connection_fee: "8999999.999999999", rounding: {decimals: 9}'
    )
    assert costs(world("B", version), "1 B") == [Decimal("17999999.999999999")]
