"""Explaining the tax of one item: what is due, why, and what it comes to."""

from __future__ import annotations

from decimal import Decimal

import pytest
from rating_world import catalog_from, instant
from tax_world import PARTIES, SOLD, mapping

from apps.embedded.explain_tax import explain_tax
from schemas.catalog import Catalog


@pytest.fixture(scope="module")
def taxed() -> Catalog:
    rows = mapping('tax_category: consumer, tax: both, end: "2027-01-01T00:00:00Z"', "tax_category: business, tax: low")
    return catalog_from(SOLD.replace("prices: net", "prices: gross, item_rounding: {decimals: 2}"), PARTIES, rows)


ITEMS = """
subscription  at                    words
ana-1         2026-06-01T00:00:00Z  tax both, 25.5 % (low 5.5 % and high 20 %): rows row 1 says so / gross prices: net 7.97, tax 2.03, gross 10 EUR
embassy-1     2026-03-01T00:00:00Z  no tax: the account is exempt (mission) / gross prices: net 10, tax 0, gross 10 EUR
ana-1         2027-01-01T00:00:00Z  NO_TAX: no row of a tax mapping matches, for tax class telephony
"""


@pytest.mark.parametrize("row", ITEMS.strip().splitlines()[1:])
def test_the_tax_of_an_item_is_told(taxed: Catalog, row: str) -> None:
    subscription, at, words = row.split(maxsplit=2)
    told = explain_tax(taxed, subscription, "calls", instant(at), Decimal("10.000000000"))
    assert told is not None
    for line, expected in zip(told.lines("EUR"), words.split(" / "), strict=True):
        assert line.startswith(expected)
    assert told.as_dict()["status"] == str(told.due.status)


def test_a_catalog_without_taxes_explains_none() -> None:
    without = "---".join(part for part in SOLD.split("---") if "kind: tax, " not in part)
    assert explain_tax(catalog_from(without, PARTIES), "ana-1", "calls", 0, Decimal(1)) is None
