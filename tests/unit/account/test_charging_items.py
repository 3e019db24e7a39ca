"""Usage charged online that comes to several items: told item by item, and given back as a whole."""

from __future__ import annotations

from charging_desk import AT, EURO, Desk
from charging_twin import CATALOG
from rating_world import Use, World, catalog_from

from schemas.charging import ChargingCode, ChargingKind
from schemas.output import OutputBlock
from schemas.rejection import Reason


def told(block: OutputBlock) -> list[tuple[int, int, int, float]]:
    """Return number, quantity, rest and amount of every item."""
    assert block.rated.items is not None
    assert block.rest is not None
    columns = (block.rated.items.number, block.edrs.quantity, block.rest, block.rated.amount / EURO)
    return list(zip(*(column.tolist() for column in columns), strict=True))


def test_a_charge_of_several_items_is_told_and_refunded_item_by_item() -> None:
    desk = Desk()
    answer, [block] = desk.ask(ChargingKind.CHARGE, 6)
    assert answer["amount"] == 2 * EURO
    assert told(block) == [(0, 6, 0, 0.6), (1, 4, 2, 0.0), (2, 2, 4, 1.4)]
    assert (block.header.edrs, block.header.rated, block.header.usage_rows) == (1, 1, 3)
    assert desk.stands() == (0.0, 4.25, 4)
    answer, [back] = desk.ask(ChargingKind.REFUND, of=1)
    assert (answer["amount"], answer["granted"]) == (2 * EURO, 6)
    assert told(back) == [(0, -6, 0, -0.6), (1, -4, -2, 0.0), (2, -2, -4, -1.4)]
    assert (back.header.edrs, back.header.cancelled, back.header.usage_rows, back.header.reversal_rows) == (1, 1, 3, 3)
    assert back.reversals is not None
    assert back.reversals.item.tolist() == [0, 1, 2]
    assert set(back.reversals.record.tolist()) == {0}
    assert desk.stands() == (2.0, 4.25, 0)


def test_a_reservation_holds_all_items_and_grants_what_they_can_pay_together() -> None:
    desk = Desk()
    answer, blocks = desk.ask(ChargingKind.RESERVE, 100, increment=1)
    assert (answer["granted"], blocks) == (11, [])  # 1.1 + 7 x 0.7 = 6 EUR
    assert desk.stands() == (0.0, 0.25, 4)
    answer, [block] = desk.ask(ChargingKind.CONFIRM, 11, of=1)
    assert answer["amount"] == 6 * EURO
    assert told(block) == [(0, 11, 0, 1.1), (1, 4, 7, 0.0), (2, 7, 4, 4.9)]
    assert block.rated.split_row.tolist() == [2, 2]
    desk = Desk()
    desk.ask(ChargingKind.RESERVE, 11)
    desk.ask(ChargingKind.CANCEL, of=1)
    assert desk.stands() == (2.0, 4.25, 0)
    desk.ask(ChargingKind.RESERVE, 5)
    _, [block] = desk.ask(ChargingKind.CONFIRM, 13, of=3)  # more than the wallets have
    assert [amount for *_, amount in told(block)] == [1.3, 0.0, 6.3]
    assert desk.stands() == (0.0, -1.35, 4)


def test_what_was_taken_back_meanwhile_leaves_the_bundle_below_nothing() -> None:
    desk = Desk()
    desk.ask(ChargingKind.RESERVE, 3)
    desk.world.rate([Use("two", "text", AT, -2)])
    assert desk.stands() == (1.7, 4.45, 1)
    desk.ask(ChargingKind.CANCEL, of=1)
    assert desk.stands() == (2.0, 4.45, -2)


def test_a_reservation_is_cut_to_what_a_ceiling_leaves_that_refuses_more() -> None:
    desk = Desk(CATALOG.replace("when_used_up: next", "when_used_up: refuse"))
    answer, _ = desk.ask(ChargingKind.RESERVE, 3, increment=2)
    assert answer["granted"] == 3
    answer, _ = desk.ask(ChargingKind.RESERVE, 9, increment=2, code=ChargingCode.RATING_FAILED)
    assert (answer["granted"], answer["reason"]) == (0, Reason.COUNTER_USED_UP)
    answer, _ = desk.ask(ChargingKind.RESERVE, 9, increment=1)
    assert (answer["granted"], desk.stands()) == (1, (1.6, 4.25, 4))


def test_what_charging_accumulates_is_in_a_copy_that_is_made_beside_it() -> None:
    """What is reserved adds to no accumulator, so that it is not the rating of it that tells of what is confirmed."""
    spend = "{kind: counter, code: spend, unit: EUR, function: amount}\n---\n"
    desk = Desk(spend + CATALOG.replace("priority: 3}", "priority: 3, accumulate: [spend]}"))
    state = desk.world.state
    asks = (
        (ChargingKind.CHARGE, 6, 0),
        (ChargingKind.REFUND, 0, 1),
        (ChargingKind.RESERVE, 6, 0),
        (ChargingKind.CONFIRM, 6, 3),
    )
    for kind, quantity, of in asks:
        following = state.follow()
        following.run(lambda: True)
        desk.ask(kind, quantity, of)
        assert state.followed(following.finish()).checksum() == state.checksum()
    assert state.accumulated.any()


def test_units_are_no_money_by_a_catalog_that_no_longer_prices_in_them() -> None:
    desk = Desk(subscription="pack", event_type="fax")
    desk.ask(ChargingKind.CHARGE, 2)
    desk.ask(ChargingKind.RESERVE, 3)
    pack = "{kind: charge, code: pack, event_type: fax, price_plan: pack, priority: 1, when_used_up: next}\n---\n"
    assert pack in CATALOG
    without = CATALOG.replace(pack, "").replace("call, pack, fax", "call, fax")
    desk.world = World(catalog_from(without % 1), desk.world)
    answer, [back] = desk.ask(ChargingKind.REFUND, of=1)
    assert (answer["amount"], back.header.amounts) == (0, {desk.world.vocabulary.currencies.id("event"): -2 * EURO})
    answer, _ = desk.ask(ChargingKind.CANCEL, of=2)
    assert answer["amount"] == 0
    assert desk.world.balance("pack/pack#event") == 15 * EURO


def test_what_an_account_paid_that_is_no_more_is_not_refunded_until_it_is_there_again() -> None:
    desk = Desk(subscription="pack", event_type="fax")
    desk.ask(ChargingKind.CHARGE, 16)
    before = desk.world
    kept = [text for text in (CATALOG % 1).split("\n---\n") if "code: pack, account: pack" not in text]
    without = [text for text in kept if "{kind: account, code: pack" not in text]
    assert len(without) == len(kept) - 1
    desk.world = World(catalog_from(*without), before)
    _, blocks = desk.ask(ChargingKind.REFUND, of=1, code=ChargingCode.RATING_FAILED)
    assert not blocks
    desk.world = World(before.catalog, desk.world)
    answer, [_] = desk.ask(ChargingKind.REFUND, of=1)
    assert (answer["amount"], desk.world.balance("pack/card")) == (3 * EURO // 10, 2 * EURO)
