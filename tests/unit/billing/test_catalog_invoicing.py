"""What a catalog may not say of its invoices, each with the place and the fix; `tests/support/catalog_texts.py` has the rest."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from billing_world import CATALOG, documented

from billing.catalog.models import UnableToLoadCatalog
from billing.catalog.store import load_catalog
from billing.invoicing.rules_documents import unnamed

WRONG = {
    "{kind: tax, code: a, category: AE, versions: [{start: '2026-01-01T00:00:00Z', rate: 20}]}": "category AE has the rate 0",
    "{kind: tax, code: a, category: Z, versions: [{start: '2026-01-01T00:00:00Z', rate: 1}]}": "category Z has the rate 0",
    "{kind: tax, code: a, category: S, versions: [{start: '2026-01-01T00:00:00Z', rate: 0}]}": "category S has a rate above 0",
    "{kind: tax, code: a, category: E, versions: [{start: '2026-01-01T00:00:00Z', rate: 0}]}": "category E says why nothing is due",
    "{kind: tax, code: a, reason: x, versions: [{start: '2026-01-01T00:00:00Z', rate: 20}]}": "a reason is said only where nothing is due",
    "{kind: tax, code: a, category: S, parts: [vat, vat]}": "taxes that are due together have each their own category",
    "{kind: account, code: x, currency: EUR, tax_exemption: {reason: embassy, category: O}}": "has the same reason, and another category",
    "{kind: account, code: x, currency: EUR, tax_exemption: {reason: y, category: S}}": "category S is no exemption",
    "{kind: invoice_wording, code: x, language: fr, charges: {nothing: X}}": 'the charge "nothing" is unknown',
    "{kind: invoice_wording, code: x, language: fr, discounts: {tenth/on: X}}": 'the discount plan "tenth" has no item "on"',
    "{kind: invoice_wording, code: x, language: fr, units: {foot: FOT}}": 'the unit "foot" is unknown',
    "{kind: invoice_wording, code: x, language: fr}\n---\n{kind: invoice_wording, code: y, language: fr}": "in this language are worded at",
    "{kind: account, code: x, currency: EUR, invoicing: {party: {name: X, address: {country: FR}}, payment: {means: '58', iban: FR76}}}": "is no IBAN",
}


@pytest.mark.parametrize("text", WRONG)
def test_what_invoices_cannot_say_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "all.yaml").write_text(f"{CATALOG}---\n{text}\n")
    with pytest.raises(UnableToLoadCatalog) as caught:
        load_catalog(tmp_path)
    assert WRONG[text] in str(caught.value)


def test_an_account_has_what_the_one_above_says(tmp_path: Path) -> None:
    said = "{party: {name: X, address: {country: FR}}}"
    more = f"{{kind: account, code: x, currency: EUR, level: customer, invoicing: {said}}}"
    (tmp_path / "all.yaml").write_text(f"{CATALOG}---\n{more}\n")
    assert list(load_catalog(tmp_path).account_invoicing) == ["x"]


def test_who_has_no_name_to_be_invoiced_by_is_known_before(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(
        documented(every=False) + "---\n{kind: account, code: eve, currency: EUR, parent: up}\n---\n"
        "{kind: account, code: up, level: customer_account, currency: EUR, parent: top}\n---\n"
        "{kind: account, code: top, level: customer, currency: EUR, invoicing: {party: {name: Top, address: {country: FR}}}}\n"
    )
    invoices = pl.DataFrame(
        {"seller": ["shop", "shop", "shop", "none", "shop"], "account": ["dan", "ana", "eve", "ana", "dan"]}
    )
    assert unnamed(load_catalog(tmp_path), invoices).to_list() == [True, False, False, True, True]
    (tmp_path / "c.yaml").write_text(CATALOG)
    assert not unnamed(load_catalog(tmp_path), invoices).any()
