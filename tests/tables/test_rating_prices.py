"""Prices that a product owner can check with a pocket calculator."""

from __future__ import annotations

from decimal import Decimal

import pytest
from rating_tables import costs, world

# a call at 0.12 a minute, first increment / following increments, with a set-up fee of 0.05 where it says so
INCREMENTS = """
increments  set-up  seconds  euros
60/30       0       1        0.12
60/30       0       60       0.12
60/30       0       61       0.18
60/30       0       90       0.18
60/30       0       91       0.24
60/30       0       125      0.30
30/1        0       10       0.06
30/1        0       30       0.06
30/1        0       31       0.062
60/60       0       60       0.12
60/60       0       61       0.24
1/1         0       125      0.25
1/1         0       0.001    0.002
60/60       0       0        0
60/60       0.05    0        0
60/60       0.05    1        0.17
60/60       0.05    100      0.29
60/60       0.05    300      0.65
"""


@pytest.mark.parametrize("row", INCREMENTS.strip().splitlines()[1:])
def test_increments_and_set_up_fee(row: str) -> None:
    increments, fee, seconds, euros = row.split()
    first, following = increments.split("/")
    version = (
        f'model: flat, per: 1 min, price: "0.12", connection_fee: "{fee}", '
        f'increments: {{first: "{first} s", next: "{following} s"}}'
    )
    assert costs(world("s", version), f"{seconds} s") == [Decimal(euros)]


def test_three_partial_calls_cost_more_than_the_whole_one() -> None:
    version = 'model: flat, per: 1 min, price: "0.12", connection_fee: "0.05", increments: {first: 60 s, next: 60 s}'
    assert sum(costs(world("s", version), "100 s", "100 s", "100 s")) == Decimal("0.87")
    assert costs(world("s", version), "300 s") == [Decimal("0.65")]


def test_blocks_of_volume_are_counted_per_report() -> None:
    version = 'model: flat, per: 100 KiB, price: "1", increments: {first: 100 KiB, next: 100 KiB}'
    assert costs(world("B", version), "150000 B", "150000 B", "150000 B") == [2, 2, 2]
    assert costs(world("B", version), "450000 B") == [5]


# the first 100 minutes of a month at 0.10, up to 500 at 0.05, then 0.02
TIERS = """
calls of minutes         euros of each
100                      10
101                      10.05
99 1                     9.9 0.1
99 2                     9.9 0.15
100 1                    10 0.05
500 1                    30 0.02
600                      32
50 450 100               5 25 2
0 0 600                  0 0 32
"""


@pytest.mark.parametrize("row", TIERS.strip().splitlines()[1:])
def test_graduated_tiers_with_a_counter(row: str) -> None:
    minutes, euros = row[:25].split(), row[25:].split()
    version = (
        'model: graduated, per: 1 min, counter: monthly, tiers: [{up_to: 100 min, price: "0.10"}, '
        '{up_to: 500 min, price: "0.05"}, {price: "0.02"}]'
    )
    place = world("s", version, "kind: counter\ncode: monthly\nunit: min")
    assert costs(place, *(f"{each} min" for each in minutes)) == [Decimal(each) for each in euros]


def test_without_a_counter_each_event_climbs_the_tiers_alone() -> None:
    version = 'model: graduated, per: 1 GB, tiers: [{up_to: 1 GB, price: "2"}, {price: "1"}]'
    assert costs(world("B", version), "1 GB", "1 GB", "3 GB") == [2, 2, 4]


def test_a_counter_takes_rated_not_raw_usage() -> None:
    version = (
        "model: graduated, per: 1 min, counter: monthly, increments: {first: 1 min, next: 1 min}, "
        'tiers: [{up_to: 2 min, price: "0"}, {price: "1"}]'
    )
    place = world("s", version, "kind: counter\ncode: monthly\nunit: min")
    assert costs(place, "1 s", "1 s", "1 s") == [0, 0, 1]


def test_any_split_of_a_period_costs_the_same() -> None:
    version = (
        'model: graduated, per: 1 kWh, counter: yearly, tiers: [{up_to: 10 kWh, price: "0.25"}, {price: "0.15"}], '
        "rounding: {decimals: 9}"
    )
    counter = "kind: counter\ncode: yearly\nunit: kWh\nperiod: year\nzone: Europe/Paris"
    whole = sum(costs(world("Wh", version, counter), "17500 Wh"))
    assert whole == sum(costs(world("Wh", version, counter), "9 kWh", "2 kWh", "6.5 kWh")) == Decimal("3.625")


# rounding happens once per item, to the decimals that the plan names
ROUNDING = """
price           per     quantity   mode       decimals  euros
10.00           30 min  15 min     half_up    2         5.00
0.165           1 min   1 min      half_up    2         0.17
0.165           1 min   1 min      half_even  2         0.16
0.125           1 min   1 min      half_even  2         0.12
0.375           1 min   1 min      half_even  2         0.38
0.121           1 min   1 min      up         2         0.13
0.129           1 min   1 min      down       2         0.12
1               3 min   1 min      half_up    9         0.333333333
2               3 min   1 min      half_up    9         0.666666667
1               7 min   1 min      up         9         0.142857143
1               7 min   1 min      down       0         0
0.00000080000   1 min   1 min      half_up    9         0.0000008
0.000000000001  1 min   499 min    half_up    9         0
0.000000000001  1 min   500 min    half_up    9         0.000000001
0.000000000001  1 min   500 min    half_even  9         0
0.000000000001  1 min   1 min      up         9         0.000000001
9000000         1 min   1000 min   half_up    6         9000000000
"""


@pytest.mark.parametrize("row", ROUNDING.strip().splitlines()[1:])
def test_rounding(row: str) -> None:
    price, per, per_unit, quantity, unit, mode, decimals, euros = row.split()
    version = f'model: flat, per: {per} {per_unit}, price: "{price}", rounding: {{mode: {mode}, decimals: {decimals}}}'
    assert costs(world("s", version), f"{quantity} {unit}") == [Decimal(euros)]


# 1 TB at 12 decimals needs a divisor of more than 64 bits, and the sum more than 128 bits could be feared
def test_extreme_scales_stay_exact() -> None:
    version = 'model: flat, per: 1000000 TB, price: "0.000000000001", rounding: {mode: up, decimals: 0}'
    assert costs(world("B", version), "1 B", "4000000 TB") == [1, 1]
    version = 'model: flat, per: 1 B, price: "0.000000000001", rounding: {decimals: 9}'
    assert costs(world("B", version), "4611686018427387904 B") == [Decimal("4611686.018427388")]
