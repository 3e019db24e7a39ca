"""Minimums over accounts: who has none to be over, and who would pay one twice, is told when the catalog is loaded."""

from __future__ import annotations

import pytest
from rating_world import catalog_from

from billing.catalog.models import UnableToLoadCatalog

CATALOG = """
{kind: price_plan, code: p, currency: EUR, versions: [{start: "2026-01-01T00:00:00Z", model: event, price: "31"}]}
---
{kind: recurring_charge, code: line, price_plan: p}
---
{kind: minimum_charge, code: mine, price_plan: p}
---
{kind: minimum_charge, code: ours, price_plan: p, scope: account, of: [line, mine]}
---
{kind: minimum_charge, code: theirs, price_plan: p, scope: customer}
---
{kind: offer, code: o, charges: [line]}
---
{kind: offer, code: frame, charges: [ours, theirs]}
---
{kind: account, code: top, currency: EUR, level: customer}
---
{kind: account, code: a, currency: EUR, parent: top}
---
{kind: account, code: b, currency: EUR, parent: top}
---
{kind: subscription, code: s, account: a, offer: o, start: "2026-01-01T00:00:00Z"}
---
{kind: subscription, code: f, account: a, offer: frame, start: "2026-01-01T00:00:00Z", end: "2026-07-01T00:00:00Z"}
---
{kind: subscription, code: g, account: b, offer: frame, start: "2026-07-01T00:00:00Z"}
"""


def _problems(old: str, new: str) -> list[tuple[str, str, str]]:
    assert old in CATALOG
    with pytest.raises(UnableToLoadCatalog) as told:
        catalog_from(*CATALOG.replace(old, new).split("\n---\n"))
    return [(problem.field, problem.message, problem.fix) for problem in told.value.problems]


def test_a_minimum_may_be_paid_by_one_after_another() -> None:
    catalog = catalog_from(*CATALOG.split("\n---\n"))
    assert {code: fee.scope for code, fee in catalog.minimum_charges.items()} == {
        "mine": "subscription",
        "ours": "account",
        "theirs": "customer",
    }


def test_two_at_a_time_are_told() -> None:
    [problem] = _problems('end: "2026-07-01', 'end: "2026-07-02')
    message = 'the minimum "theirs" of the account "top" would be paid by "f" as well'
    assert problem == ("offer", message, "sell it to one of them at a time")


def test_an_account_that_is_below_none_is_told() -> None:
    problems = _problems("code: b, currency: EUR, parent: top", "code: b, currency: EUR")
    assert [(field, message) for field, message, _ in problems] == [
        ("account", 'the minimum "theirs" of the offer "frame" is that of a customer, but the account "b" is none, and is below none')
    ]  # fmt: skip


@pytest.mark.parametrize("code", ["ours", "theirs"])
def test_what_counts_has_a_narrower_scope(code: str) -> None:
    problems = _problems("of: [line, mine]", f"of: [line, {code}]")
    assert [(field, message) for field, message, _ in problems] == [("of.1", f'"{code}" is a minimum itself')]
