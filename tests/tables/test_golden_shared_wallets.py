"""Wallets that accounts below a customer share: who may draw them, in which order, and what is refused."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from rating_tables import NOON
from rating_world import Use, World, catalog_from

from billing.catalog.models import UnableToLoadCatalog
from billing.catalog.store import load_catalog
from schemas.rejection import Reason

SOLD = """
{kind: event_type, code: usage, unit: event}
---
{kind: price_plan, code: plan, currency: EUR, versions: [{start: 2020-01-01T00:00:00Z, model: flat, per: 1 event, price: "1"}]}
---
{kind: charge, code: charge, event_type: usage, price_plan: plan}
---
{kind: offer, code: offer, charges: [charge]}
---
{kind: subscription, code: mum, account: mum, offer: offer}
---
{kind: subscription, code: kid, account: kid, offer: offer}
---
{kind: subscription, code: gran, account: gran, offer: offer}
"""
FAMILY = """
{kind: account, code: family, currency: EUR, level: customer, wallets: [%s]}
---
{kind: account, code: mum, currency: EUR, parent: family, wallets: [%s]}
---
{kind: account, code: kid, currency: EUR, parent: family, wallets: [%s]}
---
{kind: account, code: gran, currency: EUR}
"""
PURSE = '{code: purse, type: prepaid, opening_balance: "%s", shared_by: customer}'
OWN = '{code: own, type: prepaid, opening_balance: "%s", priority: %s}'


def _place(*wallets: str) -> World:
    return World(catalog_from(SOLD, FAMILY % wallets))


def _paid(place: World, *uses: tuple[str, int]) -> list[dict[str, Decimal]]:
    asked = [Use(subscription, "usage", NOON, count) for subscription, count in uses]
    items = place.items(place.rate(asked))
    assert items == place.rate_twin(asked)
    return [{move.wallet: Decimal(move.amount) / 10**9 for move in item.movements} for item in items]


def test_all_below_a_customer_draw_its_wallet_and_nobody_else_does() -> None:
    place = _place(PURSE % 5, "", "")
    assert _paid(place, ("mum", 3), ("kid", 3), ("kid", 2), ("gran", 1)) == [
        {"family/purse": 3}, {}, {"family/purse": 2}, {"gran/principal": 1},
    ]  # fmt: skip
    groups = [place.image.charge_group[place.vocabulary.accounts.id(code)] for code in ("family", "mum", "kid", "gran")]
    assert len(set(groups[:3])) == 1
    assert groups[3] not in groups[:3]


def test_priority_counts_before_whose_a_wallet_is_and_ones_own_goes_first() -> None:
    place = _place(PURSE % 5, OWN % (1, 0), OWN % (1, 1))
    assert _paid(place, ("mum", 2), ("kid", 5)) == [
        {"mum/own": 1, "family/purse": 1}, {"family/purse": 4, "kid/own": 1},
    ]  # fmt: skip


def test_the_nearest_postpaid_wallet_pays_the_rest() -> None:
    bill = "{code: bill, type: postpaid%s}"
    place = _place(bill % ", shared_by: customer", bill % "", "")
    assert _paid(place, ("mum", 2), ("kid", 3)) == [{"mum/bill": 2}, {"family/bill": 3}]


def test_all_credit_is_drawn_before_any_overdraft() -> None:
    place = _place(
        PURSE.replace("}", ', overdraft: "4"}') % 1, OWN % (2, 9), '{code: own, type: prepaid, overdraft: "3"}'
    )
    assert _paid(place, ("mum", 5), ("kid", 5), ("mum", 1)) == [
        {"family/purse": 3, "mum/own": 2}, {"kid/own": 3, "family/purse": 2}, {},
    ]  # fmt: skip
    assert place.balance("family/purse") == -4 * 10**9


def test_what_a_member_owns_may_be_shared_by_all_beside_it() -> None:
    place = _place("", PURSE % 5, "")
    assert _paid(place, ("kid", 2), ("mum", 3), ("kid", 1)) == [{"mum/purse": 2}, {"mum/purse": 3}, {}]


def test_a_condition_of_a_shared_wallet_holds_for_all() -> None:
    place = _place(PURSE.replace("}", ", pays_for: [{offer: offer}]}") % 5, OWN % (5, 0), "")
    assert _paid(place, ("mum", 6), ("kid", 1)) == [{"family/purse": 5, "mum/own": 1}, {}]


@pytest.mark.parametrize(
    ("wallets", "field", "message"),
    [
        (("", "", PURSE.replace("customer", "user_account") % 1), "wallets.0.shared_by", '"kid" is no user account'),
        (("", "", ""), "wallets", "an account without wallets cannot pay"),
    ],
)
def test_what_cannot_be_shared_is_told(tmp_path: Path, wallets: tuple[str, ...], field: str, message: str) -> None:
    (tmp_path / "catalog.yaml").write_text(SOLD + "---" + FAMILY % wallets)
    with pytest.raises(UnableToLoadCatalog) as told:
        load_catalog(tmp_path)
    assert any(each.field == field and message in each.message for each in told.value.problems)


def test_accounts_of_another_currency_cannot_share(tmp_path: Path) -> None:
    family = FAMILY.replace("code: kid, currency: EUR", "code: kid, currency: CHF") % (PURSE % 1, "", OWN % (1, 0))
    (tmp_path / "catalog.yaml").write_text(
        SOLD.replace("{kind: subscription, code: kid, account: kid", "{kind: subscription, code: kid, account: gran")
        + "---"
        + family
    )
    with pytest.raises(
        UnableToLoadCatalog, match=r'wallets\.0\.shared_by: the account "kid", which shares it, is billed in CHF'
    ):
        load_catalog(tmp_path)


def test_usage_that_nobody_pays_for_says_so() -> None:
    place = _place(PURSE % 1, "", "")
    [item] = place.items(place.rate([Use("kid", "usage", NOON, 2)]))
    assert item.reason == Reason.INSUFFICIENT_BALANCE
