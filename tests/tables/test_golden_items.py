"""Golden cases of usage that becomes several items: ceilings of counters, charges one after another, usage taken back."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from rating_items import rated_items
from rating_tables import NOON
from rating_world import Use, World, catalog_from

from rating.kernels.wide import join
from rating.reference_block import ReferenceItem
from rating.reversal import reverse
from schemas.money import from_scaled
from schemas.rejection import Reason

PARTIES = """
{kind: event_type, code: usage, unit: event, attributes: [zone], values: {size: number}}
---
{kind: counter, code: c100, unit: event, shared_by: user_account, ceiling: 100 event}
---
{kind: counter, code: c50, unit: event, shared_by: user_account, ceiling: 50 event}
---
{kind: price_plan, code: one, currency: EUR, versions: [{start: 2020-01-01T00:00:00Z, model: flat, per: 1 event, price: "1"}]}
---
kind: price_plan
code: in100
currency: EUR
versions: [{start: 2020-01-01T00:00:00Z, model: flat, per: 1 event, price: "1", counter: c100}]
---
kind: price_plan
code: in50
currency: EUR
versions: [{start: 2020-01-01T00:00:00Z, model: flat, per: 1 event, price: "1", counter: c50}]
"""
CHARGES = {
    "levy": "price_plan: one, priority: 1, then_next: true",
    "first": "price_plan: in100, priority: 2, when_used_up: next",
    "second": "price_plan: in50, priority: 3, when_used_up: next",
    "third": "price_plan: one, priority: 4, then_next: \"zone != 'nowhere'\"",
    "last": "price_plan: one, priority: 5, then_next: \"zone == 'nowhere'\"",
}


SIZED = "sized: price_plan: one, priority: 1, then_next: \"size > 5 && zone == 'EU'\""


def place(*charges: str, users: int = 1, more: str = "", before: str = "") -> World:
    """Return a world whose offer has these charges: `CODE` of CHARGES, or `CODE: fields`."""
    documents = [PARTIES, before] if before else [PARTIES]
    for charge in charges:
        code, _, fields = charge.partition(": ")
        documents.append(f"{{kind: charge, code: {code}, event_type: usage, {fields or CHARGES[code]}}}")
    names = ", ".join(charge.partition(":")[0] for charge in charges)
    documents.append(f"{{kind: offer, code: offer, charges: [{names}]}}")
    for user in range(users):
        documents.append(f"{{kind: account, code: u{user}, currency: EUR, level: user_account{more}}}")
        documents.append(f"{{kind: subscription, code: s{user}, account: u{user}, offer: offer}}")
    return World(catalog_from(*documents))


def rated(world: World, *uses: Use) -> list[ReferenceItem]:
    """Return the items of usage, having checked that kernels and twin agree."""
    items = world.items(world.rate(uses))
    assert items == world.rate_twin(uses)
    return items


def use(quantity: int, user: int = 0, **attributes: str) -> Use:
    """Return one usage at noon."""
    return Use(f"s{user}", "usage", NOON, quantity, attributes)


def left(world: World, counter: str, ceiling: int) -> int:
    """Return what a counter of the first user has left."""
    slot = world.vocabulary.counters.id(f"account/u0/{counter}")
    return ceiling - int(world.state.counter_used[slot].sum())


# G1: a counter of 100 a month, and one charge that runs on it
CEILING = """
quantity  left  reason
50        50    NONE
-30       80    NONE
180       80    NO_MATCHING_CHARGE
80        0     NONE
-45       45    NONE
45        0     NONE
0         0     NONE
1         0     NO_MATCHING_CHARGE
-150      150   NONE
150       0     NONE
"""


def test_what_is_taken_back_may_be_used_again_and_what_does_not_fit_moves_nothing() -> None:
    world = place("first")
    for row in CEILING.strip().splitlines()[1:]:
        quantity, rest, reason = row.split()
        [item] = rated(world, use(int(quantity)))
        assert (item.reason, left(world, "c100", 100)) == (Reason[reason], int(rest)), row
        if reason == "NONE":
            assert (item.amount, item.rated_quantity) == (int(quantity) * 10**9, int(quantity))
    assert world.balance("u0/principal") == -100 * 10**9


def test_a_charge_that_follows_and_has_nothing_left_is_due_as_one_that_has_too_little() -> None:
    world = place("levy", "first")
    [levy, first] = rated(world, use(90))
    assert (levy.quantity, first.quantity) == (90, 90)
    for quantity in (20, 10, 1, 11):
        items = rated(world, use(quantity))
        reasons = [item.reason for item in items]
        assert reasons == ([Reason.NONE] * 2 if quantity == 10 else [Reason.NO_MATCHING_CHARGE]), quantity


# G2: every CDR on an account of its own
TOTALS = """
quantity  total  parts
80        160    80 80
100       200    100 100
120       240    120 100 20
200       450    200 100 50 50 50
500       1350   500 100 50 350 350
"""
ROWS = TOTALS.strip().splitlines()[1:]


@pytest.mark.parametrize("together", [True, False], ids=["one block", "a block each"])
def test_charges_price_one_after_another_what_is_due(together: bool) -> None:
    world = place("levy", "first", "second", "third", "last", users=len(ROWS))
    uses = [use(int(row.split()[0]), user) for user, row in enumerate(ROWS)]
    items = rated(world, *uses) if together else [item for each in uses for item in rated(world, each)]
    for user, row in enumerate(ROWS):
        _, total, *parts = row.split()
        mine = [item for item in items if item.movements[0].wallet == f"u{user}/principal"]
        assert [item.quantity for item in mine] == [int(part) for part in parts]
        assert [item.number for item in mine] == list(range(len(parts)))
        assert sum(from_scaled(item.amount, 9) for item in mine) == Decimal(total)
        assert world.balance(f"u{user}/principal") == -int(total) * 10**9


def test_a_ceiling_refuses_the_whole_usage_and_tells_what_was_counted() -> None:
    world = place("strict: price_plan: in100, priority: 1", "last")
    [fits, beyond] = rated(world, use(70), use(40))
    assert (fits.reason, beyond.reason) == (Reason.NONE, Reason.COUNTER_USED_UP)
    assert (beyond.charge_version, beyond.counter_before) == (fits.charge_version, 70)
    assert (left(world, "c100", 100), world.balance("u0/principal")) == (30, -70 * 10**9)


def test_less_than_the_minimum_of_a_price_does_not_fit() -> None:
    world = place(
        "first: price_plan: least, priority: 1, when_used_up: next",
        "last",
        before="{kind: price_plan, code: least, currency: EUR, versions: [{start: 2020-01-01T00:00:00Z, model: flat, "
        'per: 1 event, price: "1", counter: c100, minimum_quantity: 20 event}]}',
    )
    assert [item.quantity for item in rated(world, use(90), use(15), use(5))] == [90, 15, 5]
    assert left(world, "c100", 100) == 10


def test_what_nobody_prices_takes_everything_back_that_was_priced() -> None:
    world = place("levy", "first", "second")
    before = world.state.checksum()
    [item] = rated(world, use(151))
    assert (item.reason, item.quantity, world.state.checksum()) == (Reason.NO_MATCHING_CHARGE, 151, before)
    assert item.charge_version is not None
    assert item.charge_version.startswith("second/in50@")
    assert [each.quantity for each in rated(world, use(150))] == [150, 100, 50]


def test_what_is_priced_once_more_need_not_be_but_a_part_of_it_needs_the_rest() -> None:
    world = place("levy")
    assert [item.quantity for item in rated(world, use(7))] == [7]
    world = place("levy", "first")
    assert [item.quantity for item in rated(world, use(100), use(1))] == [100, 100, 1]
    [item] = rated(place("levy", "first"), use(101))
    assert item.reason == Reason.NO_MATCHING_CHARGE


def test_wallets_that_cannot_pay_the_last_item_pay_none() -> None:
    wallets = ', wallets: [{code: gift, type: prepaid, opening_balance: "5"}, {code: card, type: prepaid, priority: 1, '
    wallets += 'opening_balance: "10"}]'
    world = place("levy", "last", more=wallets)
    before = world.state.checksum()
    [item] = rated(world, use(8))
    assert (item.reason, item.movements, world.state.checksum()) == (Reason.INSUFFICIENT_BALANCE, (), before)
    items = rated(world, use(7))
    assert [[(move.wallet, move.amount // 10**9) for move in item.movements] for item in items] == [
        [("u0/gift", 5), ("u0/card", 2)],
        [("u0/card", 7)],
    ]
    # what is taken back goes to the wallet that is drawn last
    [first, second] = rated(world, use(-3))
    assert [move.balance_after // 10**9 for item in (first, second) for move in item.movements] == [4, 7]


TAKEN_BACK = """
price                                                                                     before  back   amount
model: flat, per: 10 event, price: "1"                                                    0       -25    -2.5
model: flat, per: 10 event, price: "1", counter: c100                                     5       -25    -2.5
model: graduated, per: 1 event, counter: c100, tiers: [{up_to: 10 event, price: "1"}, {price: "3"}]   15   -8   -18
model: graduated, per: 1 event, counter: c100, tiers: [{up_to: 10 event, price: "1"}, {price: "3"}]   5    -8   -8
model: flat, per: 1 event, price: "1", free: 10 event, counter: c100                      15      -8     -5
model: graduated, per: 1 event, tiers: [{up_to: 10 event, price: "1"}, {price: "3"}]      0       -8     NEGATIVE_UNPRICED
model: flat, per: 1 event, price: "1", connection_fee: "0.1"                              0       -8     NEGATIVE_UNPRICED
model: flat, per: 1 event, price: "1", cap: "5"                                           0       -8     NEGATIVE_UNPRICED
model: flat, per: 1 event, price: "1", increments: {first: 2 event, next: 2 event}        0       -8     NEGATIVE_UNPRICED
model: package, per: 5 event, price: "1"                                                  0       -8     NEGATIVE_UNPRICED
model: event, price: "1"                                                                  0       -8     NEGATIVE_UNPRICED
model: formula, formula: quantity * 0.5                                                   3       -8     -4
model: formula, formula: 'quantity > 5 ? 3 : 1', rounding: {decimals: 2}                    0       -8     -3
model: formula, formula: quantity * 0.5, counter: c100                                    9       -8     NEGATIVE_UNPRICED
model: formula, formula: quantity * 0.5, floor: "1"                                       0       -8     NEGATIVE_UNPRICED
model: formula, formula: quantity * 0.5, cap: "90"                                        0       -8     NEGATIVE_UNPRICED
model: formula, formula: quantity * 0.5, connection_fee: "0.01"                           0       -8     NEGATIVE_UNPRICED
model: formula, formula: quantity * 0.5, minimum_quantity: 2 event                        0       -8     NEGATIVE_UNPRICED
model: formula, formula: quantity * 0.5, zero_usage: charged                              0       -8     NEGATIVE_UNPRICED
model: formula, formula: quantity * 0.5, increments: {first: 1 event, next: 2 event}      0       -8     NEGATIVE_UNPRICED
model: formula, formula: quantity - 9                                                     0       -8     FORMULA_UNUSABLE
"""


@pytest.mark.parametrize("row", TAKEN_BACK.strip().splitlines()[1:])
def test_usage_taken_back_gives_back_what_it_would_cost_as_the_last(row: str) -> None:
    price, before, back, amount = row.rsplit(maxsplit=3)
    world = World(
        catalog_from(
            PARTIES,
            f"{{kind: price_plan, code: p, currency: EUR, versions: [{{start: 2020-01-01T00:00:00Z, {price}}}]}}",
            "{kind: charge, code: c, event_type: usage, price_plan: p}",
            "{kind: offer, code: offer, charges: [c]}",
            "{kind: account, code: u0, currency: EUR, level: user_account}",
            "{kind: subscription, code: s0, account: u0, offer: offer}",
        )
    )
    *_, item = rated(world, *([use(int(before))] if int(before) else []), use(int(back)))
    if item.reason:
        assert (item.reason.name, item.amount) == (amount, 0)
    else:
        assert from_scaled(item.amount, 9) == Decimal(amount)


def test_whether_the_next_charge_follows_is_asked_of_the_usage_and_must_be_told() -> None:
    world = place(SIZED, "last")
    asked = [
        Use("s0", "usage", NOON, 2, {"zone": zone}, {"size": size}) for zone, size in (("EU", 6), ("EU", 5), ("US", 6))
    ]
    assert [item.quantity for item in rated(world, *asked)] == [2, 2, 2, 2]
    before = world.state.checksum()
    [undecided, sure] = rated(world, use(3, zone="EU"), use(3, zone="US"))
    assert (undecided.reason, sure.reason) == (Reason.CONDITION_UNDECIDED, Reason.NONE)
    assert world.state.checksum() != before


def test_what_several_items_come_to_together_is_an_amount() -> None:
    world = place("levy", "last")
    before = world.state.checksum()
    for quantity in (6 * 10**9, -6 * 10**9):
        [item] = rated(world, use(quantity))
        assert (item.reason, item.number, world.state.checksum()) == (Reason.AMOUNT_OVERFLOW, 0, before)
        assert item.charge_version is not None
        assert item.charge_version.startswith("last/one@")
    assert [item.amount // 10**9 for item in rated(world, use(4 * 10**9))] == [4 * 10**9] * 2
    world = place("levy", "again: price_plan: one, priority: 2, then_next: true", "last")
    [item] = rated(world, use(4 * 10**9))  # any two of them would fit
    assert item.reason == Reason.AMOUNT_OVERFLOW


def test_an_accumulator_stands_below_zero_where_more_was_taken_back_than_used() -> None:
    world = place(
        "counted: price_plan: one, accumulate: [used, spent]",
        before="{kind: counter, code: used, unit: event}\n---\n{kind: counter, code: spent, unit: EUR, function: amount}",
    )
    world.rate([use(-5)])
    after = world.rate([use(3)])
    assert after.growths is not None
    assert after.growths.by.tolist() == [3, 3 * 10**9]
    before = zip(after.growths.before_hi.tolist(), after.growths.before_lo.tolist(), strict=True)
    assert [join(*each) for each in before] == [-5, -5 * 10**9]
    slots = after.growths.slot.tolist()
    cell = (int(after.growths.period[0]) >> 2) % 4
    assert [world.state.accumulator(slot, cell) for slot in slots] == [-2, -2 * 10**9]
    kept = rated_items(world, world.rated, after)
    grown = {f"grown_{name}": getattr(after.growths, name) for name in ("slot", "period", "by")}
    reverse(replace(kept, **grown), world.state, below_zero=True)
    assert [world.state.accumulator(slot, cell) for slot in slots] == [-5, -5 * 10**9]


def test_every_item_of_a_usage_grows_the_accumulators_of_its_own_subscription() -> None:
    world = place(
        "levy: price_plan: one, priority: 1, then_next: true, accumulate: [used]",
        "first",
        "last: price_plan: one, priority: 5, accumulate: [used]",
        users=2,
        before="{kind: counter, code: used, unit: event}",
    )
    done = world.rate([use(120), use(30, 1), use(7)])
    assert done.growths is not None
    assert done.growths.row.tolist() == [0, 2, 3, 5, 6]
    assert done.growths.by.tolist() == [120, 20, 30, 7, 7]
    [first, *_, last] = done.growths.slot.tolist()
    assert done.growths.slot.tolist() == [first, first, done.growths.slot[2], first, last]
    totals = [int(world.state.accumulated[slot, :, 1].sum()) for slot in (first, done.growths.slot[2])]
    assert totals == [154, 30]
