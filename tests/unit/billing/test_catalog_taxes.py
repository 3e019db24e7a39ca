"""Taxes in catalogs: which one is due and why, and what is refused: what is sold and has none, above all."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import polars as pl
import pytest
from catalog_texts import write_catalog
from rating_world import catalog_from, instant
from tax_world import PARTIES, SOLD, mapping

from billing.catalog.models import Problem, UnableToLoadCatalog
from billing.catalog.store import load_catalog
from billing.catalog.taxation import Taxation, TaxDue, TaxStatus
from schemas.catalog import Catalog
from schemas.money import to_scaled
from schemas.tax import RATE_DECIMALS

ALL = mapping("tax_category: consumer, tax: high", "tax_category: business, tax: low")
JUNE = "2026-06-01T00:00:00Z"


def _refused(*documents: str) -> list[Problem]:
    with pytest.raises(UnableToLoadCatalog) as caught:
        catalog_from(*documents)
    return list(caught.value.problems)


def _due(catalog: Catalog, subscription: str, charge: str, at: str) -> TaxDue:
    item = pl.DataFrame({"subscription": [subscription], "charge": [charge], "event_at": [instant(at)]})
    places, dues = Taxation(catalog).due(item)
    return dues[places[0]]


# ---- what is due

ROWS = """
subscription  charge  at                    status  tax   percent
ana-1         calls   2026-05-31T23:59:59Z  taxed   high  19.6
ana-1         calls   2026-06-01T00:00:00Z  taxed   low   5.5
ana-1         extras  2026-06-01T00:00:00Z  taxed   high  20
office-1      calls   2026-03-01T00:00:00Z  taxed   both  25.1
office-1      extras  2026-03-01T00:00:00Z  taxed   high  19.6
embassy-1     calls   2026-02-28T23:59:59Z  taxed   low   5.5
embassy-1     calls   2026-03-01T00:00:00Z  exempt  -     0
embassy-1     calls   2026-04-30T23:59:59Z  exempt  -     0
embassy-1     calls   2026-05-01T00:00:00Z  taxed   low   5.5
ana-1         calls   2025-12-31T23:59:59Z  taxed   high  19.6
"""


@pytest.fixture(scope="module")
def taxed() -> Catalog:
    rows = mapping(
        "tax_category: consumer, tax: high",
        f'tax_category: consumer, tax_class: telephony, tax: low, start: "{JUNE}"',
        "tax_category: business, tax: high",
        "tax_category: business, buyer_country: DE, tax: low",
        "tax_category: business, tax_class: telephony, tax: low, priority: 50",
        "tax_category: business, tax_class: telephony, seller_country: FR, tax: low",
        "tax_category: business, tax_class: telephony, seller_country: FR, buyer_country: DE, tax: both, condition: 'account == \"office\"'",
    ).replace("buyer_country: DE, tax: low}", "buyer_country: DE, tax: high}")
    return catalog_from(SOLD, PARTIES, rows)


@pytest.mark.parametrize("row", ROWS.strip().splitlines()[1:])
def test_the_best_row_at_the_instant_says_which_tax_is_due(taxed: Catalog, row: str) -> None:
    subscription, charge, at, status, tax, percent = row.split()
    due = _due(taxed, subscription, charge, at)
    assert (str(due.status), due.tax or "-", due.rate) == (status, tax, to_scaled(Decimal(percent), RATE_DECIMALS))


def test_stretches_without_a_tax_say_each_why() -> None:
    text = SOLD.replace('low, versions: [{start: "2026-01-01', 'low, versions: [{start: "2025-01-01')
    text = text.replace(
        '{start: "2000-01-01T00:00:00Z", end: "2026-06-01',
        '{start: "2024-01-01T00:00:00Z", end: "2024-07-01T00:00:00Z", rate: 1}, {start: "2025-07-01T00:00:00Z", end: "2026-06-01',
    )
    text = text.replace("parts: [low, high]", "parts: [high, low]")
    rows = mapping("tax_category: consumer, tax: both", "tax_category: business, tax: both")
    catalog = catalog_from(text, PARTIES, rows)
    found = Taxation(catalog).stretches((None, "consumer", "FR", "FR"), ())
    assert [(each.reason, each.tax) for each in found] == [
        ("the tax high has no rate then", None),
        ("the tax low has no rate then", None),
        ("the tax high has no rate then", None),
        (None, "both"),
        (None, "both"),
    ]
    assert all(one.end_at == other.start_at for one, other in pairwise(found))


def test_why_is_told_in_words(taxed: Catalog) -> None:
    assert _due(taxed, "office-1", "calls", JUNE).lines() == [
        "tax both, 25.5 % (low 5.5 % and high 20 %): rows row 7 says so for tax class telephony, tax category business, "
        "seller in FR, account in DE"
    ]
    assert _due(taxed, "embassy-1", "calls", "2026-03-01T00:00:00Z").lines() == [
        "no tax: the account is exempt (mission)"
    ]
    late = catalog_from(SOLD, PARTIES, ALL.replace("tax: high", 'tax: high, end: "2027-01-01T00:00:00Z"'))
    due = _due(late, "ana-1", "extras", "2027-01-01T00:00:00Z")
    assert due.status is TaxStatus.NO_TAX
    assert due.lines() == [
        "NO_TAX: no row of a tax mapping matches, for tax class (none), tax category consumer, seller in FR, account in FR"
    ]


# ---- what has no tax


def test_a_combination_without_a_tax_is_refused_with_what_it_is(tmp_path: Path) -> None:
    problems = _refused(
        SOLD,
        PARTIES,
        mapping("tax_category: consumer, tax: high", "tax_category: business, buyer_country: FR, tax: low"),
    )
    assert [(each.line, each.message, each.fix) for each in problems] == [
        (
            line,
            f'from 2026-01-01T00:00:00Z on the charge "{charge}" has no tax for the account "office": no row of a tax mapping '
            f"matches (tax class {class_}, tax category business, seller in FR, account in DE)",
            f"add a row to a `tax_mapping`, such as {{{asked}tax_category: business, seller_country: FR, buyer_country: DE, tax: …}}",
        )
        for line, charge, class_, asked in (
            (9, "calls", "telephony", "tax_class: telephony, "),
            (11, "extras", "(none)", ""),
        )
    ]


GAPS = """
rows                                                                                                    moment
tax_category: consumer, tax: low, start: "2026-02-01T00:00:00Z"                                         2026-01-01T00:00:00Z
tax_category: consumer, tax: low, end: "2026-12-31T00:00:00Z"                                           2026-12-31T00:00:00Z
tax_category: consumer, tax: low, end: "2026-03-01T00:00:00Z" / tax_category: consumer, tax: high, start: "2026-03-02T00:00:00Z"  2026-03-01T00:00:00Z
tax_category: consumer, tax: high, condition: 'charge == "calls"'                                       2026-01-01T00:00:00Z
tax_category: consumer, tax_class: energy, tax: high                                                    2026-01-01T00:00:00Z
tax_category: consumer, seller_country: BE, tax: high                                                   2026-01-01T00:00:00Z
"""


@pytest.mark.parametrize("row", GAPS.strip().splitlines()[1:])
def test_every_instant_with_a_price_needs_a_tax(row: str) -> None:
    rows, moment = row.rsplit("  ", 1)
    problems = _refused(SOLD, PARTIES, mapping(*rows.strip().split(" / "), "tax_category: business, tax: low"))
    assert all(f"from {moment} on the charge" in each.message and '"ana"' in each.message for each in problems)


def test_a_tax_without_a_rate_then_is_no_tax() -> None:
    older = SOLD.replace(
        'code: low, versions: [{start: "2026-01-01T00:00:00Z"', 'code: low, versions: [{start: "2026-01-02T00:00:00Z"'
    )
    first, *_ = _refused(older, PARTIES, ALL)
    assert "the tax low has no rate then (rows row 2)" in first.message
    assert first.fix == "add a version to the tax, or end the row before"


# (what the subscription may do, rows): everything that can be used has a tax
COVERED = [
    ('{id: "1", start: "2026-02-01T00:00:00Z", end: "2026-03-01T00:00:00Z"}', ['tax: high, start: "2026-02-01T00:00:00Z", end: "2026-03-01T00:00:00Z"']),
    ('{id: "1", end: "2026-02-01T00:00:00Z"}, {id: "2", start: "2026-09-01T00:00:00Z"}', ['tax: low, end: "2026-02-01T00:00:00Z"', 'tax: high, start: "2026-09-01T00:00:00Z"']),
]  # fmt: skip


@pytest.mark.parametrize(("points", "rows"), COVERED, ids=["one window", "two windows"])
def test_only_what_can_be_used_needs_a_tax(points: str, rows: list[str]) -> None:
    offer = "account: ana, offer: mobile"
    bought = PARTIES.replace(offer, f"{offer}, access_points: [{points}]")
    taxes = mapping("tax_category: business, tax: low", *(f"tax_category: consumer, {row}" for row in rows))
    catalog_from(SOLD, bought, taxes)
    assert _refused(SOLD, PARTIES, taxes)


def test_an_account_that_is_exempt_needs_no_tax() -> None:
    dates = 'start: "2026-03-01T00:00:00Z", end: "2026-05-01T00:00:00Z"'
    only = [part for part in PARTIES.split("---") if "office" not in part and "ana" not in part]
    rows = mapping(
        'tax_category: business, tax: low, end: "2026-03-01T00:00:00Z"',
        'tax_category: business, tax: high, start: "2026-05-01T00:00:00Z"',
    )
    catalog_from(SOLD, "---".join(only), rows)
    assert _refused(SOLD, "---".join(only).replace(dates, 'start: "2026-03-02T00:00:00Z"'), rows)


OLDER = """
kind: price_plan
code: negotiated
currency: EUR
versions: [{start: "2025-06-01T00:00:00Z", end: "2026-01-01T00:00:00Z", model: flat, per: 1 s, price: "0.5"}]
---
{kind: contract, code: deal, account: corp, start: "2025-07-01T00:00:00Z", items: [{charge: calls, price_plan: negotiated}]}
"""


def test_a_plan_of_a_contract_needs_a_tax_for_those_who_have_it() -> None:
    since = 'tax: low, start: "2026-01-01T00:00:00Z"'
    dated = ALL.replace("tax: low", since).replace("tax: high", 'tax: high, start: "2026-01-01T00:00:00Z"')
    problems = _refused(SOLD, PARTIES, OLDER, dated)
    assert {each.message.partition(": ")[0] for each in problems} == {
        f'from 2025-07-01T00:00:00Z on the charge "calls" has no tax for the account "{account}"'
        for account in ("embassy", "office")
    }
    catalog_from(
        SOLD,
        PARTIES,
        OLDER.replace("charge: calls", "charge: calls, offer: other")
        + "---\n{kind: offer, code: other, charges: [calls]}\n",
        dated,
    )


def test_a_catalog_without_taxes_asks_for_none() -> None:
    without = "---".join(part for part in SOLD.split("---") if "kind: tax, " not in part)
    assert not catalog_from(without, PARTIES).has_taxes


# ---- what is wrong in documents

WRONG = [
    (SOLD, "code: low, versions", "code: low, parts: [high, both], versions", "either a rate, or other taxes", "versions"),
    (SOLD, "parts: [low, high]", "parts: [low, low]", 'the part "low" is repeated', "remove"),
    (SOLD, "parts: [low, high]", "parts: [low, other]", 'the tax "other" is unknown', "both"),
    (SOLD, "code: low, versions: [{start: \"2026-01-01T00:00:00Z\", rate: \"5.5\"}]", "code: low, parts: [high, both]", 'the tax "both" consists of other taxes', "name the taxes"),
    (SOLD, 'rate: "5.5"', "rate: 5.5", "binary floating point", 'write it in quotes: "5.5"'),
    (SOLD, 'rate: "5.5"', 'rate: "-1"', "too small", "0 or more"),
    (SOLD, 'rate: "5.5"', 'rate: "5.1234567"', "too many decimals", "at most 6"),
    (SOLD, 'end: "2026-06-01T00:00:00Z", rate', "rate", "overlaps version 0", "start this one later"),
    (SOLD, "country: FR, prices", "country: France, prices", "not well formed", "ISO 3166"),
    (SOLD, "prices: net", "prices: bare", '"bare" is not allowed', '"net"'),
    (SOLD, "tax_category: consumer}\n---\n{kind: tax_class, code: telephony", "tax_category: consumers}\n---\n{kind: tax_class, code: telephony", 'the tax category "consumers" is unknown', "consumer"),
    (SOLD, "tax_class: telephony}", "tax_class: telephone}", 'the tax class "telephone" is unknown', "telephony"),
    (SOLD, "charges: [calls, extras]}", "charges: [calls, extras], seller: shops}", 'the seller "shops" is unknown', "shop"),
    (SOLD, "{kind: seller, code: shop, country: FR, prices: net, tax_category: consumer}", "{kind: tax_class, code: none}", "nobody who sells", "kind: seller"),
    (SOLD, "{kind: tax_class, code: energy}", "{kind: seller, code: other, country: BE, prices: gross}", "several sellers", "seller: …"),
    (PARTIES, "tax_category: business", "tax_category: company", 'the tax category "company" is unknown', ""),
    (PARTIES, 'end: "2026-05-01T00:00:00Z"', 'end: "2026-02-01T00:00:00Z"', "ends before it starts", "2026-03-01"),
    (PARTIES, "reason: mission", 'reason: " "', "too short", "at least 1"),
    (ALL, "tax: high", "tax: higher", 'the tax "higher" is unknown', "high"),
    (ALL, "tax_category: consumer, tax: high", "tax: high", "tax_category", "add `tax_category"),
    (ALL, "tax: low", "tax: low, condition: 'acount == \"a\"'", 'there is no "acount" here', "correct"),
    (ALL, "tax: low", "tax: low, condition: 'account == 1'", "a code or a text in quotes", "correct"),
    (ALL, "tax: low", "tax: low, condition: 'account.size() > 1'", "not for codes", "correct"),
    (ALL, "tax: low", "tax: low, condition: 'account'", "a comparison is expected", "correct"),
    (ALL, "tax: low", "tax: low}\n  - {tax_category: business, tax: high", "asks for the same as the one at", "different priorities"),
    (ALL, "tax: low", "tax: low, tax_class: energies", 'the tax class "energies" is unknown', "energy"),
    (ALL, "tax: low", 'tax: low, start: "2026-02-01T00:00:00Z", end: "2026-01-01T00:00:00Z"', "ends before it starts", ""),
]  # fmt: skip


@pytest.mark.parametrize("case", WRONG, ids=[case[3] + " " + str(place) for place, case in enumerate(WRONG)])
def test_what_is_wrong_is_told_with_a_fix(case: tuple[str, str, str, str, str]) -> None:
    text, old, new, message, fix = case
    assert text.count(old) == 1
    problems = _refused(*(each.replace(old, new) if each == text else each for each in (SOLD, PARTIES, ALL)))
    assert any(message in each.message and fix in each.fix and each.line for each in problems), problems


def test_rows_that_ask_for_the_same_may_follow_each_other_or_have_priorities() -> None:
    catalog = catalog_from(SOLD, PARTIES, mapping(
        f'tax_category: consumer, tax: high, end: "{JUNE}"', f'tax_category: consumer, tax: low, start: "{JUNE}"',
        "tax_category: business, tax: low", "tax_category: business, tax: high, priority: 5, condition: 'charge in [\"calls\"]'",
    ))  # fmt: skip
    assert [_due(catalog, "office-1", charge, JUNE).tax for charge in ("calls", "extras")] == ["high", "low"]


# ---- tables

TABLE = "account,currency,subscription,offer,access_point,country,tax_category,tax_exemption\n"
FILES = {"c.yaml": f"{SOLD}---\n{ALL}---\n{{kind: subscription_table, file: t.csv}}\n"}


def test_accounts_of_tables_are_taxed_likewise(tmp_path: Path) -> None:
    write_catalog(
        tmp_path,
        {
            **FILES,
            "t.csv": f"{TABLE}a,EUR,s1,mobile,1,FR,,\nb,EUR,s2,mobile,2,DE,business,\nc,EUR,s3,mobile,3,,business,embassy\n",
        },
    )
    catalog = load_catalog(tmp_path)
    dues = [_due(catalog, subscription, "calls", JUNE) for subscription in ("s1", "s2", "s3")]
    assert [(due.tax, due.facts[1], due.facts[3], due.reason) for due in dues] == [
        ("high", "consumer", "FR", None), ("low", "business", "DE", None), (None, "business", None, "embassy"),
    ]  # fmt: skip


def test_what_is_wrong_in_a_table_is_told_at_its_line(tmp_path: Path) -> None:
    write_catalog(tmp_path, {**FILES, "t.csv": f"{TABLE}a,EUR,s1,mobile,1,FRA,,\nb,EUR,s2,mobile,2,DE,busines,\n"})
    with pytest.raises(UnableToLoadCatalog) as caught:
        load_catalog(tmp_path)
    told = [(each.line, each.field, each.fix) for each in caught.value.problems]
    assert told == [
        (2, "country", 'write the two capital letters of ISO 3166, such as "FR"'),
        (3, "tax_category", 'did you mean "business"?'),
    ]


def test_an_account_without_a_category_is_told_where_it_is_declared() -> None:
    problems = _refused(SOLD.replace(", tax_category: consumer}", "}", 1), PARTIES, ALL)
    assert [(each.field, each.message) for each in problems] == [
        ("tax_category", 'the account "ana" has no tax category, and neither has a parent or the seller')
    ]
