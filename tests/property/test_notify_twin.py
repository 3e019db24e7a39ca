"""Accumulators and notifications agree with their twin, and with sums over the items; order and splitting change nothing."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st
from notify_twin import NotifyTwin, Told, told_in
from rating_world import Use, World, catalog_from, instant

from pipelines.account.notify import notifications
from rating.rate import account_of, rate
from schemas.edr import EdrBlock, select_edrs

CATALOG = catalog_from(
    "{kind: event_type, code: data, unit: B, attributes: [network, area]}",
    "{kind: event_type, code: text, unit: event, attributes: [zone], lookups: {area: {table: areas, of: zone}}}",
    "{kind: lookup_table, code: areas, key: code, rows: [{key: EU, code: north}, {key: CH, code: south}, {key: US, code: west}]}",
    "{kind: counter, code: month, unit: B, zone: Europe/Paris, notify: ['80 %', '100 %', 9 B]}",
    "{kind: counter, code: peak, unit: B, period: day, function: max, notify: [3 B, 5 B]}",
    "{kind: counter, code: rolling, unit: B, period: day, roll_over: {of: 5 B, periods: 2}, notify: ['50 %', '100 %']}",
    "{kind: counter, code: volume, unit: kB, period: day, shared_by: account, notify: ['0.007 kB']}",
    "{kind: counter, code: texts, unit: event, period: ever, shared_by: group, notify: [2 event, 4 event]}",
    "{kind: counter, code: spend, unit: EUR, function: amount, period: day, zone: Asia/Tokyo, shared_by: customer, "
    "notify: [4 EUR, '6.5 EUR']}",
    "{kind: counter, code: quiet, unit: B, period: year}",
    "{kind: counter, code: zones, unit: event, period: day, by: zone, values: [EU, CH], notify: [2 event]}",
    "{kind: counter, code: areas, unit: EUR, function: amount, period: day, shared_by: account, by: area, "
    "values: [south, north], notify: [2 EUR, '3.5 EUR']}",
    *(
        f"kind: price_plan\ncode: {code}\ncurrency: EUR\nversions:\n- start: '2026-01-01T00:00:00Z'\n  model: graduated\n"
        f"  per: 1 B\n  counter: {code}\n  tiers: [{{up_to: 5 B, price: '0'}}, {{price: '1'}}]"
        for code in ("month", "peak", "rolling")
    ),
    "kind: price_plan\ncode: text\ncurrency: EUR\nversions:\n- {start: '2026-01-01T00:00:00Z', model: event, price: '0.75'}",
    *(
        f"{{kind: charge, code: {code}, event_type: data, price_plan: {code}, accumulate: [quiet, volume]}}"
        for code in ("month", "peak", "rolling")
    ),
    "{kind: charge, code: text, event_type: text, price_plan: text, accumulate: [texts, zones]}",
    *(
        f"{{kind: offer, code: {code}, charges: [{code}, text], accumulate: [spend, areas]}}"
        for code in ("month", "peak", "rolling")
    ),
    "{kind: account, code: acme, currency: EUR, level: customer}",
    "{kind: account, code: ana, currency: EUR, parent: acme, wallets: [{code: main, type: postpaid, notify_below: ['-3', '-8']}]}",
    "kind: account\ncode: ben\ncurrency: EUR\nparent: acme\nwallets: [{code: gift, type: prepaid, opening_balance: '7', "
    "notify_below: ['5', '0']}, {code: credit, type: prepaid, priority: 2, opening_balance: '9', notify_below: ['2']}]",
    "{kind: contract, code: deal, account: ana, start: '2026-03-27T06:00:00Z', end: '2026-03-29T06:00:00Z', "
    "items: [{charge: month, percentage: '50'}]}",
    *(
        f"{{kind: subscription, code: {code}, account: {account}, offer: {offer}, group: {group}, "
        f"access_points: [{{id: '{code}'}}]}}"
        for code, account, offer, group in (
            ("a1", "ana", "month", "red"),
            ("a2", "ana", "peak", "blue"),
            ("b1", "ben", "rolling", "red"),
            ("b2", "ben", "month", "blue"),
        )
    ),
)  # fmt: skip
START = instant("2026-03-26T00:00:00Z")
HOUR_US = 3_600_000_000
usage = st.lists(
    st.tuples(
        st.sampled_from(["a1", "a2", "b1", "b2"]), st.sampled_from(["data", "data", "text"]),
        st.integers(0, 24 * 7), st.integers(-3, 6), st.sampled_from(["EU", "CH", "US", "XX", ""]),
        st.sampled_from(["north", "south", "EU"]),
    ),
    max_size=24,
).map(
    lambda uses: [
        Use(code, kind, START + hour * HOUR_US, count, {"area": area} if kind == "data" else {"zone": zone} if zone else {})
        for code, kind, hour, count, zone, area in uses
    ]
)  # fmt: skip
"""A week, of which a counter by the day keeps four days."""


def told_by(world: World, edrs: EdrBlock) -> pa.RecordBatch | None:
    rated = rate(edrs, world.image, world.state)
    return notifications(edrs, rated, account_of(edrs, world.image), world.image, world.vocabulary)


@settings(max_examples=40)
@given(blocks=st.lists(usage, max_size=3))
def test_kernels_and_twin_tell_the_same(blocks: list[list[Use]]) -> None:
    world = World(CATALOG)
    twin = NotifyTwin(world)
    for uses in blocks:
        expected = twin.take(uses, world.rate_twin(uses))
        assert told_in(told_by(world, world.block(uses)), world) == expected
    assert values(world) == {
        (holder, code, period): value for (holder, code, _), (period, value) in twin.accumulated.items()
    }


def values(world: World) -> dict[tuple[str, str, int], int]:
    """Return what accumulators hold, by holder, counter and number of the period."""
    found = {}
    for slot, name in enumerate(world.vocabulary.accumulators.names.to_list()):
        holder, _, code = name.rpartition("/")
        for cell, tag in enumerate(world.state.accumulated_period[slot].tolist()):
            if tag >= 0:
                found[holder, code.partition("#")[0], tag >> 2] = world.state.accumulator(slot, cell)
    return found


@settings(max_examples=20)
@given(uses=usage)
def test_what_accumulated_is_the_sum_of_the_items_of_the_period(uses: list[Use]) -> None:
    world = World(CATALOG)
    rated = world.rate(uses)
    sums: Counter[tuple[str, str, int]] = Counter()
    for use, reason, amount, quantity in zip(uses, rated.reason, rated.amount, rated.rated_quantity, strict=True):
        if reason == 0:
            sums["account/acme", "spend", (use.at + 9 * HOUR_US) // (24 * HOUR_US)] += int(amount)
            account, day = {"a": "account/ana", "b": "account/ben"}[use.subscription[0]], use.at // (24 * HOUR_US)
            zone = use.attributes.get("zone", "")
            area = use.attributes.get("area") or {"EU": "north", "CH": "south"}.get(zone, "*")
            sums[account, f"areas={area if area in ('north', 'south') else '*'}", day] += int(amount)
            if use.event_type == "text":
                sums[use.subscription, f"zones={zone if zone in ('EU', 'CH') else '*'}", day] += int(quantity)
                sums["group/red" if use.subscription in ("a1", "b1") else "group/blue", "texts", 0] += int(quantity)
            else:
                sums[account, "volume", day] += int(quantity)
                sums[use.subscription, "quiet", 56] += int(quantity)
    found = values(world)
    assert {key: sums[key] for key in found} == found
    newest = {key[:2]: max(period for *of, period in found if tuple(of) == key[:2]) for key in found}
    assert all(key in found or key[2] <= newest[key[:2]] - 4 for key in sums)


def test_who_shares_an_accumulator_is_one_charge_group() -> None:
    world = World(CATALOG)
    group = world.image.charge_group[world.vocabulary.accounts.ids(CATALOG.accounts["account"])].tolist()
    assert dict(zip(CATALOG.accounts["account"], group, strict=True)) == {"acme": 0, "ana": 1, "ben": 1}
    assert World(ALONE).image.charge_group.tolist() == [0, 1]


@settings(max_examples=20)
@given(uses=usage, cut_at=st.integers(0, 24))
def test_where_blocks_are_cut_does_not_change_what_is_told(uses: list[Use], cut_at: int) -> None:
    whole, cut = World(CATALOG), World(CATALOG)
    edrs = whole.block(uses)
    halves = [select_edrs(edrs, rows) for rows in np.split(np.arange(len(uses)), [min(cut_at, len(uses))])]
    parts = [told_by(cut, half) for half in halves if len(half)]
    told = told_by(whole, edrs)
    joined = [part for part in parts if part is not None]
    assert (told is None) == (not joined)
    if told is not None:
        assert pa.Table.from_batches([told]).equals(pa.Table.from_batches(joined))
    assert whole.state.checksum() == cut.state.checksum()


ALONE = catalog_from(
    "{kind: event_type, code: data, unit: B}",
    "{kind: counter, code: month, unit: B, notify: ['80 %', 9 B]}",
    "{kind: counter, code: spend, unit: EUR, function: amount, shared_by: account, notify: [4 EUR]}",
    "kind: price_plan\ncode: plan\ncurrency: EUR\nversions:\n- start: '2026-01-01T00:00:00Z'\n  model: graduated\n"
    "  per: 1 B\n  counter: month\n  tiers: [{up_to: 5 B, price: '0'}, {price: '1'}]",
    "{kind: charge, code: data, event_type: data, price_plan: plan}",
    "{kind: offer, code: offer, charges: [data], accumulate: [spend]}",
    *(f"{{kind: account, code: {code}, currency: EUR}}" for code in ("ana", "ben")),
    *(
        f"{{kind: subscription, code: {code}, account: {account}, offer: offer, access_points: [{{id: {code}}}]}}"
        for code, account in (("a1", "ana"), ("a2", "ana"), ("b1", "ben"), ("b2", "ben"))
    ),
)


@settings(max_examples=15)
@given(uses=usage)
def test_the_order_across_accounts_does_not_change_what_is_told(uses: list[Use]) -> None:
    uses = [Use(use.subscription, "data", use.at, use.quantity) for use in uses]
    mixed, apart = World(ALONE), World(ALONE)
    ordered = sorted(uses, key=lambda use: use.subscription[0])
    row = {id(use): place for place, use in enumerate(uses)}

    def by_usage(told: list[Told], of: list[Use]) -> set[Told]:
        return {Told(row[id(of[one.row])], one.thing, one.level, one.before, one.after) for one in told}

    found = told_in(told_by(mixed, mixed.block(uses)), mixed)
    assert by_usage(found, uses) == by_usage(told_in(told_by(apart, apart.block(ordered)), apart), ordered)
    assert mixed.state.checksum() == apart.state.checksum()
