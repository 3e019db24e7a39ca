"""Wallets that hold units: usage is drawn from them by quantity, and what they do not cover is paid in money."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from rating_tables import NOON
from rating_world import Use, World, catalog_from

from billing.catalog.models import UnableToLoadCatalog
from billing.catalog.store import load_catalog
from schemas.rejection import Reason

CATALOG = """
{kind: event_type, code: data, unit: MB, attributes: [zone]}
---
{kind: event_type, code: call, unit: min}
---
{kind: unit, code: point}
---
{kind: price_plan, code: bundle, currency: GB, versions: [{start: 2020-01-01T00:00:00Z, model: flat, per: 1 GB, price: "%s"}]}
---
{kind: price_plan, code: data, currency: EUR, versions: [{start: 2020-01-01T00:00:00Z, model: flat, per: 1 MB, price: "0.01"}]}
---
{kind: price_plan, code: minutes, currency: s, versions: [{start: 2020-01-01T00:00:00Z, model: flat, per: 1 s, price: "1",
  increments: {first: 60 s, next: 60 s}}]}
---
{kind: price_plan, code: calls, currency: EUR, versions: [{start: 2020-01-01T00:00:00Z, model: flat, per: 1 min, price: "0.1"}]}
---
{kind: charge, code: bundle, event_type: data, price_plan: bundle, priority: 1, when_used_up: next%s}
---
{kind: charge, code: data, event_type: data, price_plan: data}
---
{kind: charge, code: minutes, event_type: call, price_plan: minutes, priority: 1, when_used_up: next}
---
{kind: charge, code: calls, event_type: call, price_plan: calls}
---
{kind: offer, code: offer, charges: [bundle, data, minutes, calls]}
---
{kind: account, code: acme, currency: EUR, wallets: [%s]}
---
{kind: subscription, code: line, account: acme, offer: offer}
"""
MONEY = '{code: money, type: prepaid, opening_balance: "%s"}'
DATA = '{code: data, type: prepaid, unit: GB, opening_balance: "%s"}'
TALK = '{code: talk, type: prepaid, unit: s, opening_balance: "%s"}'
STEPS = {"data": 1_000_000, "call": 1000}


def _place(*wallets: str, price: str = "1", more: str = "") -> World:
    return World(catalog_from(*(CATALOG % (price, more, ", ".join(wallets))).split("\n---\n")))


def _paid(place: World, *uses: tuple[str, int]) -> list[dict[str, Decimal]]:
    """Return what each item of usage, in MB or seconds, is paid by."""
    asked = [Use("line", event_type, NOON, count * STEPS[event_type]) for event_type, count in uses]
    items = place.items(place.rate(asked))
    assert items == place.rate_twin(asked)
    assert {wallet: place.balance(wallet) for wallet in place.twin_state.balances} == place.twin_state.balances
    return [{move.wallet: Decimal(move.amount) / 10**9 for move in item.movements} for item in items]


def _euros(text: str) -> dict[str, Decimal]:
    return {"acme/money": Decimal(text)}


def _gigabytes(text: str) -> dict[str, Decimal]:
    return {"acme/data#GB": Decimal(text)}


def test_units_cover_what_they_can_and_money_pays_the_rest() -> None:
    place = _place(MONEY % 10, DATA % "0.5")
    assert _paid(place, ("data", 300), ("data", 300), ("data", 100)) == [
        _gigabytes("0.3"), _gigabytes("0.2"), _euros("1"), _euros("1"),
    ]  # fmt: skip


def test_a_byte_is_a_byte() -> None:
    place = _place(MONEY % 10, DATA % "0.000000002")
    asked = [Use("line", "data", NOON, 3)]
    items = place.items(place.rate(asked))
    assert items == place.rate_twin(asked)
    assert [(item.quantity, item.amount) for item in items] == [(2, 2), (1, 0)]


def test_units_that_cost_more_are_used_up_sooner() -> None:
    place = _place(MONEY % 10, DATA % "0.5", price="2")
    assert _paid(place, ("data", 300)) == [_gigabytes("0.5"), _euros("0.5")]


def test_whole_increments_are_covered() -> None:
    place = _place(MONEY % 10, TALK % 150)
    assert _paid(place, ("call", 200), ("call", 30)) == [
        {"acme/talk#s": Decimal(120)}, _euros("0.133333"), _euros("0.05"),
    ]  # fmt: skip


def test_units_of_another_kind_and_money_are_not_touched() -> None:
    place = _place(MONEY % 10, TALK % 100)
    assert _paid(place, ("data", 100)) == [_euros("1")]
    assert _paid(_place(MONEY % 10), ("data", 100), ("data", 0)) == [_euros("1"), {}]


def test_several_wallets_of_a_unit_are_drawn_in_order() -> None:
    other = '{code: gift, type: prepaid, unit: GB, priority: 1, opening_balance: "1"}'
    place = _place(MONEY % 10, other, DATA % "0.5")
    assert _paid(place, ("data", 700)) == [{"acme/data#GB": Decimal("0.5"), "acme/gift#GB": Decimal("0.2")}]


def test_what_a_wallet_of_units_pays_for_counts() -> None:
    only = DATA.replace("}", ", pays_for: [{event_type: data, condition: \"zone == 'home'\"}]}") % 1
    place = _place(MONEY % 10, only)
    asked = [Use("line", "data", NOON, 10**8, {"zone": zone}) for zone in ("home", "far")]
    items = place.items(place.rate(asked))
    assert items == place.rate_twin(asked)
    assert [item.movements[0].wallet for item in items] == ["acme/data#GB", "acme/money"]


def test_what_money_cannot_pay_leaves_the_units_alone() -> None:
    place = _place(MONEY % 1, DATA % "0.5")
    [item] = place.items(place.rate([Use("line", "data", NOON, 10**9)]))
    assert item.reason == Reason.INSUFFICIENT_BALANCE
    assert (place.balance("acme/data#GB"), place.balance("acme/money")) == (5 * 10**8, 10**9)


def test_usage_taken_back_gives_units_back_to_who_has_such_a_wallet() -> None:
    assert _paid(_place(MONEY % 1, DATA % 0), ("data", -100)) == [_gigabytes("-0.1")]
    assert _paid(_place(MONEY % 1), ("data", -100)) == [_euros("-1")]


def test_a_charge_that_refuses_needs_units_for_all_of_it() -> None:
    place = World(
        catalog_from(
            *(CATALOG.replace("when_used_up: next%s", "filters: {zone: home}%s") % ("1", "", DATA % "0.5")).split(
                "\n---\n"
            )
        )
    )
    asked = [Use("line", "data", NOON, mb * 10**6, {"zone": "home"}) for mb in (300, 300)]
    items = place.items(place.rate(asked))
    assert items == place.rate_twin(asked)
    assert [item.reason for item in items] == [Reason.NONE, Reason.INSUFFICIENT_BALANCE]


SPEND = "{kind: counter, code: spend, unit: EUR, function: amount}\n---\n"


def test_what_units_cover_adds_nothing_to_money_that_is_counted() -> None:
    written = CATALOG.replace("minutes, calls]}", "minutes, calls], accumulate: [spend]}")
    documents = (SPEND + written) % ("1", "", f"{MONEY % 9}, {DATA % '0.5'}")
    place = World(catalog_from(*documents.split("\n---\n")))
    rated = place.rate([Use("line", "data", NOON, mb * 10**6) for mb in (300, 700)])
    assert [int(amount) for amount in rated.amount] == [3 * 10**8, 2 * 10**8, 5 * 10**9]
    assert rated.growths is not None
    assert rated.growths.by.tolist() == [0, 0, 5 * 10**9]
    assert [place.state.accumulator(0, cell) for cell in range(4)].count(5 * 10**9) == 1


def test_a_charge_in_units_counts_no_money_itself() -> None:
    documents = (SPEND + CATALOG) % ("1", ", accumulate: [spend]", DATA % 1)
    with pytest.raises(UnableToLoadCatalog) as told:
        catalog_from(*documents.split("\n---\n"))
    [problem] = told.value.problems
    assert problem.message == '"spend" counts EUR, but the charge "bundle" is priced in units, GB'
    assert "units are no money" in problem.fix


@pytest.mark.parametrize(
    ("old", "new", "field", "message"),
    [
        ("unit: GB", "unit: XX", "wallets.0.unit", "no such unit"),
        ("unit: GB", "unit: min", "wallets.0.unit", "cannot tell them apart"),
        ("type: prepaid, unit", "type: postpaid, unit", "wallets.0.unit", "paid in advance"),
        ("currency: s,", "currency: h,", "currency", "cannot tell them apart"),
        ("model: flat, per: 1 GB", "model: package, per: 1 GB", "versions.0.model", "none in units"),
        ("per: 1 GB,", "per: 1 GB, connection_fee: 1,", "versions.0.connection_fee", "has no `connection_fee`"),
    ],
)
def test_what_cannot_be_held_or_priced_is_told(tmp_path: Path, old: str, new: str, field: str, message: str) -> None:
    written = CATALOG % ("1", "", DATA % 1)
    assert old in written
    (tmp_path / "catalog.yaml").write_text(written.replace(old, new, 1))
    with pytest.raises(UnableToLoadCatalog) as told:
        load_catalog(tmp_path)
    assert [each.message for each in told.value.problems if each.field == field and message in each.message]
