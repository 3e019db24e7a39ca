"""What `rate` promises around the kernels: reasons, wallets, guards."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from rating_world import Use, World, catalog_from, instant

from rating import rate as rate_module
from rating.rate import UnableToRate, account_of, exact_sum, rate
from rating.state import AccountState
from schemas.rated_item import WALLET_NONE, WALLET_SPLIT
from schemas.rejection import Reason

NOON = instant("2026-06-10T12:00:00Z")
EURO = 10**9
CATALOG = """
{kind: event_type, code: call, unit: s, attributes: [zone, way]}
---
{kind: event_type, code: sms, unit: event}
---
{kind: counter, code: monthly, unit: s}
---
{kind: price_plan, code: home, currency: EUR, versions: [{start: 2026-01-01T00:00:00Z, end: 2027-01-01T00:00:00Z,
  model: flat, per: 1 s, price: "1", counter: monthly, increments: {first: 4 s, next: 1 s}}]}
---
{kind: price_plan, code: abroad, currency: EUR, versions: [{start: 2026-01-01T00:00:00Z, model: flat, per: 1 s,
  price: "2", counter: monthly}]}
---
{kind: price_plan, code: free, currency: EUR, versions: [{start: 2026-01-01T00:00:00Z, model: flat, per: 1 s, price: "0",
  counter: monthly}]}
---
{kind: charge, code: home, event_type: call, price_plan: home, priority: 9}
---
{kind: charge, code: abroad, event_type: call, price_plan: abroad, filters: {zone: world}, priority: 5}
---
{kind: charge, code: free, event_type: call, price_plan: free, filters: {zone: world, way: in}, priority: 1}
---
{kind: offer, code: offer, charges: [home, abroad, free]}
---
{kind: account, code: both, currency: EUR, wallets: [{code: gift, type: prepaid, priority: 1, opening_balance: "2"},
  {code: card, type: prepaid, priority: 2, opening_balance: "10"}, {code: bill, type: postpaid}]}
---
{kind: account, code: prepaid, currency: EUR, wallets: [{code: card, type: prepaid, opening_balance: "10"}]}
---
{kind: account, code: postpaid, currency: EUR}
---
{kind: subscription, code: both, account: both, offer: offer}
---
{kind: subscription, code: prepaid, account: prepaid, offer: offer}
---
{kind: subscription, code: postpaid, account: postpaid, offer: offer}
"""


@pytest.fixture
def world() -> World:
    return World(catalog_from(CATALOG))


def call(subscription: str, seconds: int, at: int = NOON, **attributes: str) -> Use:
    return Use(subscription, "call", at, seconds * 1000, attributes)


def used(world: World, subscription: str) -> int:
    slot = world.vocabulary.counters.id(f"{subscription}/monthly")
    return int(world.state.counter_used[slot].sum())


def test_prepaid_wallets_empty_in_order_then_the_bill_grows(world: World) -> None:
    items = world.items(world.rate([call("both", seconds) for seconds in (4, 5, 4, 5)]))
    drawn = [
        [(part.wallet, part.amount // EURO, part.balance_after // EURO) for part in item.movements] for item in items
    ]
    assert drawn == [
        [("both/gift", 2, 0), ("both/card", 2, 8)],
        [("both/card", 5, 3)],
        [("both/card", 3, 0), ("both/bill", 1, -1)],
        [("both/bill", 5, -6)],
    ]


def test_a_wallet_may_be_drawn_to_exactly_zero(world: World) -> None:
    rated = world.rate([call("prepaid", 10), call("prepaid", 4)])
    assert rated.reason.tolist() == [0, Reason.INSUFFICIENT_BALANCE]
    assert world.balance("prepaid/card") == 0


def test_an_unpayable_item_moves_neither_wallet_nor_counter(world: World) -> None:
    rated = world.rate([call("prepaid", 8), call("prepaid", 8), call("prepaid", 1), call("prepaid", 0)])
    assert rated.reason.tolist() == [0, Reason.INSUFFICIENT_BALANCE, Reason.INSUFFICIENT_BALANCE, 0]
    assert rated.wallet.tolist()[1:] == [WALLET_NONE, WALLET_NONE, WALLET_NONE]
    assert rated.amount.tolist() == [8 * EURO, 0, 0, 0]
    assert used(world, "prepaid") == 8_000
    assert world.balance("prepaid/card") == 2 * EURO


def test_several_wallets_leave_split_rows_in_order(world: World) -> None:
    rated = world.rate([call("both", 4), call("postpaid", 4), call("both", 20)])
    assert rated.wallet.tolist() == [WALLET_SPLIT, world.vocabulary.wallets.id("postpaid/principal"), WALLET_SPLIT]
    assert rated.split_row.tolist() == [0, 0, 2, 2]
    assert (rated.split_amount // EURO).tolist() == [2, 2, 8, 12]
    assert rated.split_balance_hi.tolist() == [0, 0, 0, -1]


def test_the_most_specific_charge_is_the_one_with_the_lowest_priority_number(world: World) -> None:
    items = world.items(
        world.rate(
            [
                call("postpaid", 4),
                call("postpaid", 4, zone="world"),
                call("postpaid", 4, zone="world", way="in"),
                call("postpaid", 4, zone="moon", way="in"),
                call("postpaid", 4, way="in"),
            ]
        )
    )
    assert [item.charge_version.partition("/")[0] for item in items if item.charge_version] == [
        "home",
        "abroad",
        "free",
        "home",
        "home",
    ]
    assert [item.amount // EURO for item in items] == [4, 8, 0, 4, 4]
    assert used(world, "postpaid") == 20_000


REASONS = {
    Reason.NO_MATCHING_CHARGE: Use("postpaid", "sms", NOON, 1),
    Reason.NO_PRICE_VERSION: call("postpaid", 1, at=instant("2025-12-31T23:59:59.999999Z")),
    Reason.AMOUNT_OVERFLOW: call("postpaid", 10**15),
    Reason.INSUFFICIENT_BALANCE: call("prepaid", 11),
}


@pytest.mark.parametrize("reason", REASONS)
def test_every_refusal_leaves_the_state_alone(world: World, reason: Reason) -> None:
    before = world.state.checksum()
    rated = world.rate([REASONS[reason]])
    assert rated.reason.tolist() == [reason]
    assert world.state.checksum() == before


def test_a_price_version_ends_before_its_end(world: World) -> None:
    end = instant("2027-01-01T00:00:00Z")
    rated = world.rate([call("postpaid", 4, at=end - 1), call("postpaid", 4, at=end)])
    assert rated.reason.tolist() == [0, Reason.NO_PRICE_VERSION]


def test_increments_beyond_what_a_quantity_can_hold_are_an_overflow() -> None:
    world = World(catalog_from(CATALOG.replace("first: 4 s, next: 1 s", "first: 4 s, next: 4000000000000000 s")))
    rated = world.rate([Use("postpaid", "call", NOON, 2**62)])
    assert rated.reason.tolist() == [Reason.AMOUNT_OVERFLOW]


def test_a_counter_that_is_full_refuses_and_stays(world: World) -> None:
    world.rate([Use("postpaid", "call", NOON, 2**62, {"zone": "world", "way": "in"}) for _ in range(1)])
    full = [Use("postpaid", "call", NOON, quantity, {"zone": "world", "way": "in"}) for quantity in (2**62 - 1, 1, 0)]
    rated = world.rate(full)
    assert rated.reason.tolist() == [0, Reason.COUNTER_OVERFLOW, 0]
    assert used(world, "postpaid") == 2**63 - 1


def test_the_smallest_reason_is_reported(world: World) -> None:
    free = {"zone": "world", "way": "in"}
    world.rate([Use("prepaid", "call", NOON, 2**62, free), Use("prepaid", "call", NOON, 2**62 - 1, free)])
    rated = world.rate([call("prepaid", 10**15), call("prepaid", 11)])
    assert rated.reason.tolist() == [Reason.AMOUNT_OVERFLOW, Reason.COUNTER_OVERFLOW]


def test_a_balance_that_would_leave_128_bits_cannot_pay(world: World) -> None:
    wallet = world.vocabulary.wallets.id("postpaid/principal")
    world.state.balance_hi[wallet], world.state.balance_lo[wallet] = -(2**63), EURO
    before = world.state.checksum()
    assert world.rate([call("postpaid", 4)]).reason.tolist() == [Reason.INSUFFICIENT_BALANCE]
    assert world.state.checksum() == before


def test_split_columns_grow_when_a_block_splits_more_than_expected() -> None:
    wallets = ", ".join(f'{{code: w{n:02d}, type: prepaid, opening_balance: "1"}}' for n in range(60))
    account = f"{{kind: account, code: postpaid, currency: EUR, wallets: [{wallets}]}}"
    world = World(catalog_from(CATALOG.replace("{kind: account, code: postpaid, currency: EUR}", account)))
    uses = [call("postpaid", 6) for _ in range(11)]
    items = world.items(world.rate(uses))
    assert items == world.rate_twin(uses)
    assert [len(item.movements) for item in items] == [6] * 10 + [0]


def test_a_subscription_that_left_the_catalog_matches_no_charge(world: World) -> None:
    gone = World(
        catalog_from(CATALOG.replace("code: postpaid, account: postpaid", "code: other, account: postpaid")), world
    )
    uses = [call("postpaid", 4), call("other", 4)]
    rated = gone.rate(uses)
    assert rated.reason.tolist() == [Reason.NO_MATCHING_CHARGE, 0]
    assert account_of(gone.block(uses), gone.image).tolist() == [-1, gone.vocabulary.accounts.id("postpaid")]


def test_an_event_type_or_subscription_that_is_none_matches_no_charge(world: World) -> None:
    block = world.block([call("postpaid", 4), call("postpaid", 4)])
    block.event_type[0] = 0xFFFF
    block.subscription[1] = -1
    assert rate(block, world.image, world.state).reason.tolist() == [Reason.NO_MATCHING_CHARGE] * 2
    assert account_of(block, world.image).tolist() == [world.vocabulary.accounts.id("postpaid"), -1]


def test_an_empty_block_has_an_empty_answer(world: World) -> None:
    rated = world.rate([])
    assert len(rated.reason) == len(rated.split_row) == 0


def test_read_only_columns_are_rated_too(world: World) -> None:
    block = world.block([call("postpaid", 4)])
    block.quantity.flags.writeable = False
    assert rate(block, world.image, world.state).amount.tolist() == [4 * EURO]


def wrong_blocks(world: World) -> dict[str, object]:
    block = world.block([call("postpaid", 4)])
    return {
        "a quantity is below": replace(block, quantity=np.array([-(2**62) - 1])),
        "a quantity exceeds": replace(block, quantity=np.array([2**62 + 1])),
        "a subscription is not in the image": replace(block, subscription=np.array([99], np.int32)),
        "a subscription id is negative": replace(block, subscription=np.array([-2], np.int32)),
        "columns of different lengths": replace(block, event_at=np.array([1, 2])),
        "not int64": replace(block, quantity=np.array([4.0])),
        "attributes are not": replace(block, attributes=np.zeros((1, 3), np.int32)),
    }


def test_blocks_that_do_not_fit_are_refused_before_anything_moves(world: World) -> None:
    before = world.state.checksum()
    for message, block in wrong_blocks(world).items():
        with pytest.raises(UnableToRate, match=message):
            rate(block, world.image, world.state)  # type: ignore[arg-type]
    with pytest.raises(UnableToRate, match="grown"):
        rate(world.block([]), world.image, AccountState())
    assert world.state.checksum() == before


def test_lost_money_is_noticed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    honest = rate_module.rate_rows

    def careless(start, usage, tariff, accounts, answer, *more):  # type: ignore[no-untyped-def]
        end = honest(start, usage, tariff, accounts, answer, *more)
        answer.amount[0] += 1
        return end

    monkeypatch.setattr(rate_module, "rate_rows", careless)
    with pytest.raises(UnableToRate, match="billionths moved"):
        world.rate([call("postpaid", 4)])


def test_exact_sum_does_not_wrap() -> None:
    assert exact_sum(np.array([2**63 - 1] * 5 + [-(2**63)] * 2)) == 5 * (2**63 - 1) - 2 * 2**63
