"""Tariff images: ids, the access index, what cannot be compiled."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from typing import Any

import numpy as np
import polars as pl
import pytest
from rating_world import World, catalog_from, instant

from rating.image_access import SHARED
from rating.kernels.hashing import hash128_bytes
from rating.tariff_image import AccessIndex, UnableToCompileImage, compile_image
from rating.vocabulary import Vocabulary
from schemas.catalog import TIME_MAX, TIME_MIN, Catalog
from schemas.price_plan import Band, Calendar, Charge, Counter, EventType, PricePlan

CATALOG = """
{kind: event_type, code: call, unit: s, attributes: [zone]}
---
{kind: event_type, code: energy, unit: kWh}
---
{kind: counter, code: monthly, unit: s}
---
{kind: counter, code: daily, unit: s, period: day}
---
{kind: calendar, code: week, zone: Europe/Paris, bands: [{name: night, start: "22:00", end: "06:00"}, {name: day}]}
---
{kind: price_plan, code: plan, currency: EUR, versions: [
  {start: "2026-01-01T00:00:00+01:00", end: "2027-01-01T00:00:00Z", model: flat, per: 1 s, price: "1", counter: monthly},
  {start: "2027-01-01T00:00:00Z", model: flat, per: 1 s, price: {night: "1", day: "2"}, calendar: week, counter: daily}]}
---
{kind: price_plan, code: power, currency: EUR, versions: [{start: 2026-01-01T00:00:00Z, model: graduated, per: 1 kWh,
  tiers: [{up_to: 5 kWh, price: "0.1"}, {price: "0.2"}]}]}
---
{kind: charge, code: calls, event_type: call, price_plan: plan}
---
{kind: charge, code: abroad, event_type: call, price_plan: plan, filters: {zone: world}, priority: 1}
---
{kind: charge, code: power, event_type: energy, price_plan: power}
---
{kind: offer, code: talk, charges: [calls, abroad]}
---
{kind: offer, code: power, charges: [power]}
---
{kind: account, code: acme, currency: EUR, wallets: [{code: late, type: prepaid, priority: 2, opening_balance: "3"},
  {code: bill, type: postpaid}, {code: early, type: prepaid, priority: 1}]}
---
{kind: account, code: zeta, currency: EUR}
---
{kind: subscription, code: line, account: acme, offer: talk, access_points: [
  {id: "33600000001", end: 2026-06-01T00:00:00Z}, {id: "33600000002"}]}
---
{kind: subscription, code: other, account: zeta, offer: talk, access_points: [
  {id: "33600000001", start: 2026-06-01T00:00:00Z}]}
---
{kind: subscription, code: home, account: zeta, offer: power, access_points: [{id: "compteur-é", opening_readings: [
  {series: supplier/HP, at: 2026-01-01T00:00:00Z, index: 12 kWh}, {series: supplier/HC, at: 2026-01-01T00:00:00Z, index: 7 Wh}]}]}
"""


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return catalog_from(CATALOG)


@pytest.fixture
def world(catalog: Catalog) -> World:
    return World(catalog)


def windows(access: AccessIndex, identifier: str) -> list[tuple[int, int, int, int]]:
    """Return (start, end, subscription, access point) of an identifier, found as the resource stage finds it."""
    hi, lo = hash128_bytes(identifier.encode())
    mask = len(access.slots) - 1
    slot = lo & mask
    while tuple(access.slots[slot, :2].tolist()) != (hi, lo):
        if not access.slots[slot].any():
            return []
        slot = (slot + 1) & mask
    first, count = access.slots[slot, 2:].tolist()
    return [tuple(row) for row in access.windows[first : first + count % SHARED].tolist()]


def test_access_points_lead_to_their_windows(world: World) -> None:
    subscriptions, points = world.vocabulary.subscriptions, world.vocabulary.access_points
    change = instant("2026-06-01T00:00:00Z")
    assert windows(world.image.access, "33600000001") == [
        (TIME_MIN, change, subscriptions.id("line"), points.id("33600000001")),
        (change, TIME_MAX, subscriptions.id("other"), points.id("33600000001")),
    ]
    assert windows(world.image.access, "compteur-é") == [
        (TIME_MIN, TIME_MAX, subscriptions.id("home"), points.id("compteur-é"))
    ]
    assert windows(world.image.access, "33600000003") == []


@pytest.mark.parametrize("count", [0, 1, 8, 9, 1000])
def test_the_access_index_is_a_power_of_two_and_at_most_half_full(catalog: Catalog, count: int) -> None:
    points = pl.DataFrame(
        {
            "access_point": [f"p{index}" for index in range(count)],
            "subscription": ["line"] * count,
            "start_at": [TIME_MIN] * count,
            "end_at": [TIME_MAX] * count,
        },
        schema=catalog.access_points.schema,
    )
    access = compile_image(replace(catalog, access_points=points), Vocabulary()).access
    capacity = len(access.slots)
    assert capacity & (capacity - 1) == 0
    assert 2 * count <= capacity
    assert np.count_nonzero(access.slots[:, :2].any(axis=1)) == count
    assert all(len(windows(access, f"p{index}")) == 1 for index in range(count))


def test_opening_readings_are_named_by_point_and_series(world: World) -> None:
    point = hash128_bytes("compteur-é".encode())
    expected = {hash128_bytes(b"supplier/HP", *point): 12_000_000, hash128_bytes(b"supplier/HC", *point): 7_000}
    readings = world.image.opening_readings
    found = zip(readings.series_hi.tolist(), readings.series_lo.tolist(), strict=True)
    assert dict(zip(found, readings.index.tolist(), strict=True)) == expected
    assert set(readings.at.tolist()) == {instant("2026-01-01T00:00:00Z")}


def test_the_same_catalog_gives_the_same_image(catalog: Catalog) -> None:
    first, second = compile_image(catalog, Vocabulary()), compile_image(catalog, Vocabulary())
    for column in first.tariff._fields:
        assert np.array_equal(getattr(first.tariff, column), getattr(second.tariff, column)), column
    for column in fields(AccessIndex):
        assert np.array_equal(getattr(first.access, column.name), getattr(second.access, column.name)), column


def test_kernel_arrays_are_contiguous_and_writable(world: World) -> None:
    access = [getattr(world.image.access, column.name) for column in fields(AccessIndex)]
    for array in [*world.image.tariff, *access]:
        assert array.flags.c_contiguous
        assert array.flags.writeable


def test_ids_outlive_the_catalog_that_gave_them(world: World) -> None:
    names = world.vocabulary.subscriptions
    before = {name: names.id(name) for name in ("line", "other", "home")}
    grown = World(catalog_from(CATALOG, "{kind: subscription, code: aaa, account: zeta, offer: talk}"), world)
    assert {name: names.id(name) for name in before} == before
    assert names.id("aaa") == len(before)
    assert grown.image.image_id == 1
    assert World(world.catalog, grown).image.image_id == 0


def test_charge_versions_are_described(world: World) -> None:
    versions = world.image.charge_versions
    assert [version.name.partition("#")[0] for version in versions] == [
        "abroad/plan@2025-12-31T23:00:00Z",
        "abroad/plan@2027-01-01T00:00:00Z",
        "calls/plan@2025-12-31T23:00:00Z",
        "calls/plan@2027-01-01T00:00:00Z",
        "power/power@2026-01-01T00:00:00Z",
    ]
    for version in versions:
        assert world.vocabulary.charge_versions.name(version.id) == version.name
        assert world.image.describe_charge_version(version.id) == version
    power = versions[-1]
    assert (power.charge, power.price_plan, power.model, power.currency) == ("power", "power", "graduated", "EUR")
    assert (power.unit, power.unit_steps, power.event_type) == ("kWh", 10**6, "energy")
    assert (power.start_at, power.end_at) == (instant("2026-01-01T00:00:00Z"), TIME_MAX)
    with pytest.raises(KeyError):
        world.image.describe_charge_version(len(versions))


CHANGES = {
    "price": ('price: "1", counter', 'price: "1.1", counter'),
    "end": ("end: 2027-01-01T00:00:00Z", "end: 2027-01-01T00:00:00Z"),
    "calendar": ('start: "22:00"', 'start: "23:00"'),
    "counter": ("code: daily, unit: s, period: day", "code: daily, unit: s, period: year"),
    "currency": ("currency: EUR", "currency: USD"),
    "nothing": ("priority: 1}", "priority: 3}"),
}


def test_a_changed_price_has_another_name(catalog: Catalog) -> None:
    def names(text: str) -> list[str]:
        return [version.name for version in compile_image(catalog_from(text), Vocabulary()).charge_versions]

    original = names(CATALOG)
    changed = {
        what: [old != new for old, new in zip(original, names(CATALOG.replace(*change)), strict=True)]
        for what, change in CHANGES.items()
    }
    assert changed == {
        "price": [True, False, True, False, False],
        "end": [False] * 5,
        "calendar": [False, True, False, True, False],
        "counter": [False, True, False, True, False],
        "currency": [True] * 5,
        "nothing": [False] * 5,
    }


def test_wallets_are_drawn_prepaid_by_priority_then_postpaid(world: World) -> None:
    account = world.vocabulary.accounts.id("acme")
    first, end = world.image.account_wallet_ptr[account : account + 2]
    names = [world.vocabulary.wallets.name(int(wallet)) for wallet in world.image.account_wallet[first:end]]
    assert names == ["acme/early", "acme/late", "acme/bill"]
    assert world.image.wallet_prepaid[first:end].tolist() == [True, True, False]
    assert world.image.wallets_max == 3
    assert world.vocabulary.currencies.name(int(world.image.account_currency[account])) == "EUR"


def test_opening_balances_are_credited_once(world: World) -> None:
    assert world.balance("acme/late") == 3 * 10**9
    again = World(
        catalog_from(
            CATALOG,
            "{kind: account, code: new, currency: EUR, wallets: [{code: w, type: prepaid, opening_balance: '4'}]}",
        ),
        world,
    )
    assert again.balance("acme/late") == 3 * 10**9
    assert again.balance("new/w") == 4 * 10**9
    opening = again.image.opening_credits(0)
    assert [again.vocabulary.wallets.name(int(wallet)) for wallet in opening.wallet] == ["acme/late", "new/w"]
    assert [again.vocabulary.accounts.name(int(account)) for account in opening.account] == ["acme", "new"]
    assert opening.amount.tolist() == [3 * 10**9, 4 * 10**9]
    assert len(again.image.opening_credits(len(again.vocabulary.wallets)).wallet) == 0


def test_every_subscription_has_the_counters_of_its_offer(world: World) -> None:
    assert world.vocabulary.counters.names.to_list() == ["line/daily", "line/monthly", "other/daily", "other/monthly"]


def plan_of(catalog: Catalog, code: str, **changes: Any) -> Catalog:
    """Return the catalog with the first version of a plan changed, unchecked."""
    plan = json.loads(catalog.price_plans[code].model_dump_json())
    plan["versions"][0] |= changes
    return replace(catalog, price_plans=catalog.price_plans | {code: PricePlan.model_validate_json(json.dumps(plan))})


def unchecked(catalog: Catalog) -> dict[str, Catalog]:
    """Return catalogs that the checks of billing.catalog would not let pass, by the words of the refusal."""
    charge = Charge(kind="charge", code="calls", event_type="call", price_plan="plan")
    types = {f"t{index}": EventType(kind="event_type", code=f"t{index}", unit="s") for index in range(0xFFFF)}
    twice = pl.concat([catalog.wallets, catalog.wallets.with_columns(pl.lit("twin").alias("wallet"))]).sort(
        "account", "wallet"
    )
    tiers = [{"up_to": f"{bound} kWh", "price": "1"} for bound in range(1, 300)]
    return {
        "is no quantity": plan_of(catalog, "plan", per="1 parsec"),
        "measures energy": plan_of(catalog, "plan", per="1 kWh"),
        "above zero": plan_of(catalog, "plan", increments={"first": "1 s", "next": "0 s"}),
        "too large for its": plan_of(catalog, "plan", price="9223372036854.775808"),
        "without its price": plan_of(catalog, "plan", price=None),
        "where the time bands are": plan_of(catalog, "plan", price={"night": "1"}),
        "overlaps": plan_of(catalog, "plan", end=None),
        "counts kWh": replace(
            catalog, counters=catalog.counters | {"monthly": Counter(kind="counter", code="monthly", unit="kWh")}
        ),
        "must be open": plan_of(catalog, "power", tiers=[{"up_to": "1 kWh", "price": "1"}]),
        "must ascend": plan_of(catalog, "power", tiers=[{"up_to": "2 kWh", "price": "1"}, *tiers[:2], {"price": "1"}]),
        "more than 255 tiers": plan_of(catalog, "power", tiers=[*tiers, {"price": "1"}]),
        "cannot filter": replace(
            catalog, charges=catalog.charges | {"calls": charge.model_copy(update={"filters": {"way": "in"}})}
        ),
        "filter on zone = ''": replace(
            catalog, charges=catalog.charges | {"calls": charge.model_copy(update={"filters": {"zone": ""}})}
        ),
        "several postpaid wallets": replace(catalog, wallets=twice),
        "too many event types": replace(catalog, event_types=catalog.event_types | types),
    }


def test_what_kernels_cannot_hold_is_refused(catalog: Catalog) -> None:
    for words, wrong in unchecked(catalog).items():
        with pytest.raises(UnableToCompileImage, match=words):
            compile_image(wrong, Vocabulary())


def test_a_calendar_in_an_unknown_zone_is_refused(catalog: Catalog) -> None:
    nowhere = Calendar(
        kind="calendar", code="week", zone="Europe/Nowhere", bands=(Band(name="night"), Band(name="day"))
    )
    with pytest.raises(ValueError, match="Europe/Nowhere"):
        compile_image(replace(catalog, calendars={"week": nowhere}), Vocabulary())
