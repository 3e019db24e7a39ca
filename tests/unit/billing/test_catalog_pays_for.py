"""What wallets pay for, as documents say it: what is refused, and what is told of a change."""

from __future__ import annotations

from pathlib import Path

import pytest

from billing.catalog.difference import compare
from billing.catalog.models import UnableToLoadCatalog
from billing.catalog.store import load_catalog
from schemas.account import PaysFor
from schemas.catalog import Catalog

CATALOG = """
{kind: event_type, code: data, unit: MB, attributes: [zone]}
---
{kind: price_plan, code: mb, currency: EUR, versions: [{start: 2020-01-01T00:00:00Z, model: flat, per: 1 MB, price: "1"}]}
---
{kind: charge, code: data, event_type: data, price_plan: mb}
---
{kind: offer, code: offer, charges: [data]}
---
{kind: account, code: acme, currency: EUR, wallets: [{code: surf, type: prepaid, pays_for: [%s]}]}
"""


def _load(folder: Path, pays_for: str) -> Catalog:
    (folder / "catalog.yaml").write_text(CATALOG % pays_for)
    return load_catalog(folder)


@pytest.mark.parametrize(
    ("pays_for", "field", "message"),
    [
        ("{offer: none}", "offer", 'the offer "none" is unknown'),
        ("{charge: none}", "charge", 'the charge "none" is unknown'),
        ("{event_type: none}", "event_type", 'the event type "none" is unknown'),
        ("{price_plan: none}", "price_plan", 'the price plan "none" is unknown'),
        ("{charge: data, event_type: none}", "event_type", 'the charge "data" prices "data"'),
        ("{offer: offer, condition: \"zone == 'a'\"}", "condition", "depends on the event type"),
        ("{charge: data, condition: \"way == 'a'\"}", "condition", 'nothing has the name "way"'),
        ("{event_type: data, condition: quantity}", "condition", "a condition is true or false"),
    ],
)
def test_what_is_not_there_is_told(tmp_path: Path, pays_for: str, field: str, message: str) -> None:
    with pytest.raises(UnableToLoadCatalog) as told:
        _load(tmp_path, pays_for)
    found = [problem for problem in told.value.problems if message in problem.message]
    assert [problem.field for problem in found] == [f"wallets.0.pays_for.0.{field}"]


def test_conditions_that_are_too_long_together_are_told(tmp_path: Path) -> None:
    asked = [" || ".join(f"zone == '{letter}{number}'" for number in range(30)) for letter in "ab"]
    long = [f'{{event_type: data, condition: "{condition}"}}' for condition in asked]
    _load(tmp_path, long[0])
    with pytest.raises(UnableToLoadCatalog, match=r"wallets\.0\.pays_for: .*operators"):
        _load(tmp_path, ", ".join(long))


def test_terms_are_kept_by_name_and_a_change_is_told(tmp_path: Path) -> None:
    old, new = _load(tmp_path, "{offer: offer}"), _load(tmp_path, "{event_type: data}")
    assert old.wallet_terms["acme/surf"].pays_for == (PaysFor(offer="offer"),)
    [change] = compare(old, new).documents
    assert (change.kind, change.code) == ("terms of wallet", "acme/surf")
    assert change.lines == ("pays_for 1 event_type: data, new", "pays_for 1 offer: offer → none")
