"""Values of event types and sources: what is wrong is told at its place, with a fix."""

from __future__ import annotations

from pathlib import Path

import pytest
from catalog_texts import CATALOG, write_catalog

from billing.catalog.models import UnableToLoadCatalog
from billing.catalog.store import load_catalog

ENERGY, SOURCES = "energy/energy.yml", "sources.yaml"
ATTRIBUTES = "attributes: [class]"
CASES = {
    "unknown type": (ENERGY, ATTRIBUTES, "values: {to: number, day: dat}", "values.day", 'did you mean "date"?'),
    "decimals of none": (ENERGY, ATTRIBUTES, "values: {to: {type: digits, decimals: 2}}", "values.to.decimals", "remove"),
    "an attribute": (ENERGY, ATTRIBUTES, "attributes: [class], values: {class: date}", "values.class", "rename"),
    "too many": (
        ENERGY, ATTRIBUTES, "values: {a: date, b: date, c: date, d: date, e: date}", "values", "at most 4"
    ),
    "not of the event type": (
        SOURCES, "attributes: {destination: dest}", "values: {to: dest}", "mapping.values.to", "add it: `values: {to: number}`"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_a_wrong_value_is_told(name: str, tmp_path: Path) -> None:
    file, old, new, field, fix = CASES[name]
    assert CATALOG[file].count(old) == 1
    write_catalog(tmp_path, {**CATALOG, file: CATALOG[file].replace(old, new)})
    with pytest.raises(UnableToLoadCatalog) as caught:
        load_catalog(tmp_path)
    assert any(problem.field == field and fix in problem.fix for problem in caught.value.problems), caught.value
