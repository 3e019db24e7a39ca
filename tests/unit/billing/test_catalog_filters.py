"""A source's filter keeps some values or drops some: a decoder could not tell which of the two wins."""

from __future__ import annotations

from pathlib import Path

import pytest

from billing.catalog.models import UnableToLoadCatalog
from billing.catalog.store import load_catalog

CATALOG = """
{{kind: event_type, code: voice, unit: s}}
---
kind: source
code: calls
format: delimited
mapping:
  identity: [id]
  access_point: caller
  time: {{field: at}}
  quantity: {{field: seconds}}
  event_type: {{constant: voice}}
  filters: [{{field: direction{rule}}}]
---
kind: price_plan
code: voice
currency: EUR
versions: [{{start: "2026-01-01T00:00:00Z", model: flat, per: "1 s", price: "1"}}]
---
{{kind: charge, code: voice, event_type: voice, price_plan: voice}}
---
{{kind: offer, code: mobile, charges: [voice]}}
"""


@pytest.mark.parametrize("rule", [", keep: [out]", ", drop: [in]"])
def test_a_filter_keeps_or_drops(tmp_path: Path, rule: str) -> None:
    (tmp_path / "catalog.yaml").write_text(CATALOG.format(rule=rule))
    assert list(load_catalog(tmp_path).sources) == ["calls"]


@pytest.mark.parametrize(
    ("rule", "message"),
    [("", "neither keeps nor drops anything"), (", keep: [out], drop: [in]", "has `keep` and `drop`")],
)
def test_a_filter_that_does_neither_or_both_is_a_problem(tmp_path: Path, rule: str, message: str) -> None:
    (tmp_path / "catalog.yaml").write_text(CATALOG.format(rule=rule))
    with pytest.raises(UnableToLoadCatalog) as refused:
        load_catalog(tmp_path)
    assert [(p.line, p.field) for p in refused.value.problems] == [(13, "mapping.filters.0")]
    assert message in str(refused.value)
