"""The short way through the kernel gives the bytes of the long one, or leaves the usage to it."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numba import njit
from rating_strategies import catalogs, usage, yaml_of
from rating_world import Use, World, catalog_from, expect_same_bytes, instant

from rating.image_plain import NEVER
from rating.kernels import layout
from rating.kernels.graduated import price_graduated
from rating.kernels.plain import divide_plainly, inverse_of, price_plainly
from rating.kernels.wide import add, to_amount
from rating.rate import rate
from schemas.values import pack_digits

INT64_MAX = 2**63 - 1
numbers = st.one_of(st.integers(0, 100), st.integers(0, 2**62), st.sampled_from([0, 1, 2**31, 2**32, 2**62]))


def closely(world: World) -> World:
    """Return a world whose image knows of no plain versions."""
    tariff = world.image.tariff
    world.image = replace(world.image, tariff=tariff._replace(cell_version=np.full_like(tariff.cell_version, -1)))
    return world


@given(documents=catalogs(), uses=usage)
def test_both_ways_give_the_same_bytes(documents: list[dict], uses: list[Use]) -> None:
    catalog = catalog_from(*yaml_of(documents))
    short, long = World(catalog), closely(World(catalog))
    block = short.block(uses)
    rated = [rate(block, world.image, world.state) for world in (short, long)]
    expect_same_bytes(*rated)
    assert short.state.checksum() == long.state.checksum()


CATALOG = """
{kind: event_type, code: call, unit: s}
---
{kind: counter, code: month, unit: s, period: month, zone: Europe/Paris}
---
{kind: price_plan, code: plan, currency: EUR, versions: [{start: "2026-01-01T00:00:00Z", end: "2027-01-01T00:00:00Z",
  model: graduated, per: "1 min", counter: month, tiers: [{up_to: "60 s", price: "0"}, {price: "9000"}]}]}
---
{kind: charge, code: call, event_type: call, price_plan: plan}
---
{kind: offer, code: offer, charges: [call]}
---
{kind: account, code: a, currency: EUR, wallets: [{code: credit, type: prepaid, opening_balance: "1000"}]}
---
{kind: subscription, code: s, account: a, offer: offer, access_points: [{id: "1"}]}
"""
JUNE = instant("2026-06-10T00:00:00Z")


def test_usage_takes_the_short_way_unless_something_is_the_matter() -> None:
    """A long way that knows another name of the version tells which way was taken."""
    world = World(catalog_from(CATALOG))
    rows = world.image.tariff.version_row.copy()
    rows[0, layout.VERSION_ID] = 7
    tariff = world.image.tariff._replace(version_row=rows)
    uses = [
        Use("s", "call", JUNE, 50_000),
        Use("s", "call", JUNE, 12_000),
        Use("s", "call", JUNE, 2**62),  # too expensive for 64 bits
        Use("s", "call", JUNE, 60_000),  # more than there is in the wallet
        Use("s", "call", instant("2028-06-10T00:00:00Z"), 1),  # no version
        Use("s", "call", instant("2026-11-01T00:00:00Z"), 0),
        Use("s", "call", JUNE - 400, 1),
        Use("s", "call", instant("2026-07-01T00:00:00Z"), 1),  # November has its place already
    ]
    rated = rate(world.block(uses), replace(world.image, tariff=tariff), world.state)
    assert rated.charge_version.tolist() == [0, 0, 7, 7, -1, 0, 0, 7]
    assert rated.reason.tolist() == [0, 0, 303, 305, 301, 0, 0, 302]
    assert rated.amount.tolist() == [0, 300 * 10**9, 0, 0, 0, 0, 150_000_000, 0]
    assert rated.counter_before.tolist() == [0, 50_000, 0, 0, 0, 0, 62_000, 0]


def test_each_version_of_a_charge_takes_the_short_way_while_it_is_in_force() -> None:
    plans = CATALOG.replace('{price: "9000"}]}', "MORE").replace('2027-01-01T00:00:00Z",', '2026-06-20T00:00:00Z",')
    more = """{price: "9000"}]}, {start: "2026-06-30T00:00:00Z", end: "2026-07-02T00:00:00Z", model: flat, per: "1 min", price: "6", cap: "2"},
      {start: "2026-07-02T00:00:00Z", end: "2026-07-03T00:00:00Z", model: flat, per: "1 min", price: "3"}"""
    world = World(catalog_from(plans.replace("MORE", more)))
    rows = world.image.tariff.version_row.copy()
    rows[:, layout.VERSION_ID] += 7
    tariff = world.image.tariff._replace(version_row=rows)
    days = ["01-01", "06-19", "06-20", "06-30", "07-01", "07-02", "07-03"]
    uses = [Use("s", "call", instant(f"2026-{day}T00:00:00Z"), 20_000) for day in days]
    rated = rate(world.block(uses), replace(world.image, tariff=tariff), world.state)
    assert rated.charge_version.tolist() == [0, 0, -1, 8, 8, 2, -1]
    assert rated.amount.tolist() == [0, 0, 0, 2 * 10**9, 2 * 10**9, 10**9, 0]


CALLS = """
{kind: event_type, code: call, unit: s, values: {called: digits}}
---
{kind: counter, code: month, unit: s, period: month, zone: Europe/Paris}
---
{kind: calendar, code: hours, zone: subscription, bands: [{name: day, start: "08:00", end: "20:00"}, {name: night}]}
---
{kind: destination_table, code: world, value: called, rows: [
  {prefix: "1", price.day: "3", price.night: "2", first: "60 s", next: "30 s"},
  {prefix: "12", price.day: "5", price.night: "4", connection_fee: "1"},
  {prefix: "123", end: "2026-07-01T00:00:00Z", price.day: "7", price.night: "6"}]}
---
{kind: price_plan, code: plan, currency: EUR, versions: [{start: "2026-01-01T00:00:00Z", model: flat, per: "1 s",
  prices: world, calendar: hours, counter: month, free: "600 s"}]}
---
{kind: charge, code: call, event_type: call, price_plan: plan}
---
{kind: offer, code: offer, charges: [call]}
---
{kind: account, code: a, currency: EUR}
---
{kind: subscription, code: s, account: a, offer: offer, zone: Asia/Tokyo}
---
{kind: subscription, code: t, account: a, offer: offer, zone: Europe/Paris}
"""


def test_usage_that_is_found_by_prefix_and_by_the_clock_takes_the_short_way() -> None:
    """But for the first ones, whose destination nobody looked up ahead, and those without a price."""
    short, long = World(catalog_from(CALLS)), closely(World(catalog_from(CALLS)))
    # from the evening of summer to the late afternoon of winter
    days = [JUNE + (day * 7 * 24 + 18) * 3_600_000_000 + 1_800_000_000 for day in range(24)]
    numbers = ["1234", "12", "1999", "2", "", "123456789012"]
    uses = [
        Use("st"[place > 5], "call", at, 45_000 * place, values={"called": pack_digits(numbers[place % 6])})
        for place, at in enumerate(days)
    ]
    block = short.block(uses)
    rated = [rate(block, world.image, world.state) for world in (short, long)]
    expect_same_bytes(*rated)
    rows = short.image.tariff.version_row.copy()
    rows[0, layout.VERSION_ID] = 7
    tariff = short.image.tariff._replace(version_row=rows)
    marked = rate(block, replace(short.image, tariff=tariff), World(short.catalog).state)
    assert set(rated[0].band.tolist()) == {0, 1}
    assert set(rated[0].tier.tolist()) == {0, 1}
    assert [int(reason > 0) for reason in rated[0].reason] == [0, 0, 0, 1, 1, 0] * 4
    assert (marked.charge_version == 7).tolist() == [place < 9 or place % 6 in {3, 4} for place in range(24)]


def test_a_version_is_plain_if_the_terms_of_its_table_are() -> None:
    for term, plain in (("", True), (', minimum_quantity: "45 s"', False)):
        image = World(catalog_from(CALLS.replace(', first: "60 s"', f'{term}, first: "60 s"'))).image
        assert bool(image.tariff.plain_row[0, layout.PLAIN_START] < NEVER) is plain


@njit
def both(quantity, before, row, upper, price):  # type: ignore[no-untyped-def]
    """Return (short, long) ways to an amount; the long one as `rate_rows` goes it."""
    hi, lo, tier = price_graduated(quantity, before, upper, 0, row[layout.PLAIN_TIER_COUNT], price, 0, 1)
    if quantity > 0:
        hi, lo, _ = add(hi, lo, np.int64(0), np.uint64(row[layout.PLAIN_FEE]))
    one = np.int64(1)
    amount, overflow = to_amount(
        hi, lo, row[layout.PLAIN_DIVISOR], one, row[layout.PLAIN_MODE], row[layout.PLAIN_FACTOR]
    )
    short = price_plainly(
        quantity,
        before,
        row[layout.PLAIN_FEE],
        row[layout.PLAIN_DIVISOR],
        row[layout.PLAIN_INVERSE],
        row[layout.PLAIN_MODE],
        row[layout.PLAIN_FACTOR],
        np.int64(0),
        row[layout.PLAIN_TIER_COUNT],
        np.int64(0),
        one,
        upper,
        price,
    )
    return short, (amount, tier, not overflow)


@given(
    quantity=numbers,
    before=numbers,
    bounds=st.lists(st.integers(1, 2**62), unique=True, max_size=3),
    prices=st.lists(st.one_of(st.integers(0, 1000), st.integers(0, INT64_MAX)), min_size=4, max_size=4),
    fee=st.sampled_from([0, 1, 10**9, 2**62 - 1]),
    divisor=st.one_of(st.integers(1, 1000), st.integers(1, INT64_MAX)),
    mode=st.integers(0, 3),
    decimals=st.integers(0, 9),
)
@example(2**62, 2**62, [1], [0, 1, 0, 0], 2**62 - 1, 1, 0, 0)
@example(2, 0, [1], [INT64_MAX, INT64_MAX, 0, 0], 0, 1, 0, 0)
@example(0, INT64_MAX, [1], [1, 1, 0, 0], 0, 1, 0, 0)
def test_what_fits_has_the_amount_of_the_long_way(
    quantity: int, before: int, bounds: list[int], prices: list[int], fee: int, divisor: int, mode: int, decimals: int
) -> None:
    row = np.zeros(layout.PLAIN_COLUMNS, np.int64)
    row[layout.PLAIN_TIER_COUNT] = len(bounds) + 1
    row[layout.PLAIN_FEE], row[layout.PLAIN_DIVISOR], row[layout.PLAIN_MODE] = fee, divisor, mode
    row[layout.PLAIN_FACTOR] = 10**decimals
    row[layout.PLAIN_INVERSE] = inverse_of(np.array([divisor]))[0]
    before = min(before, INT64_MAX - quantity)
    upper = np.array([*sorted(bounds), INT64_MAX], np.int64)
    (amount, tier, fits), long = both(np.int64(quantity), np.int64(before), row, upper, np.array(prices, np.int64))
    if fits:
        assert (amount, tier, True) == long
    else:
        low = [0, *upper[:-1].tolist()]
        spans = zip(low, upper.tolist(), prices, strict=False)
        parts = [max(0, min(before + quantity, end) - max(before, start)) * price for start, end, price in spans]
        total = sum(parts) + (fee if quantity else 0)
        assert total > INT64_MAX or total // divisor * 10**decimals >= INT64_MAX - 10**decimals


@pytest.mark.parametrize("mode", range(4))
@given(
    total=st.one_of(numbers, st.integers(0, INT64_MAX)), divisor=st.one_of(st.integers(1, 9), st.integers(1, INT64_MAX))
)
@example(INT64_MAX, 1)
@example(INT64_MAX, INT64_MAX)
@example(INT64_MAX - 1, 2)
def test_divisions_are_rounded_as_named(mode: int, total: int, divisor: int) -> None:
    exact = Fraction(total, divisor)
    half = (exact + Fraction(1, 2)).__floor__()
    rounded = [half, round(exact), exact.__ceil__(), exact.__floor__()][mode]
    inverse = inverse_of(np.array([divisor]))[0]
    assert DIVIDE(np.int64(total), np.int64(divisor), inverse, mode) == rounded


@njit
def DIVIDE(total, divisor, inverse, mode):  # type: ignore[no-untyped-def]
    return divide_plainly(total, divisor, inverse, mode)
