"""Conditions, formulas and lookups from the file to the stored item, its explanation, and what a refusal says."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from cli_calls import ANA, NOON, write_catalog
from cli_octroi import balanced, octroi, query

CATALOG = f"""\
{{kind: lookup_table, code: zones, key: code, rows: [{{key: "20801", code: EU}}, {{key: "31001", code: US}}]}}
---
kind: event_type
code: session
unit: B
attributes: [network]
values: {{size: {{type: number, decimals: 2}}, parts: number}}
lookups: {{zone: {{table: zones, of: network}}}}
---
kind: source
code: sessions
format: delimited
mapping:
  identity: [id]
  access_point: caller
  time: {{field: at}}
  quantity: {{field: amount}}
  event_type: {{constant: session}}
  attributes: {{network: network}}
  values: {{size: size, parts: parts}}
---
kind: price_plan
code: shared
currency: EUR
versions:
- {{start: "2026-01-01T00:00:00Z", model: formula, formula: "size / parts * (zone == 'EU' ? 1 : 2)", rounding: {{decimals: 2}}}}
---
{{kind: price_plan, code: fixed, currency: EUR, versions: [{{start: "2026-01-01T00:00:00Z", model: event, price: "0.10"}}]}}
---
{{kind: charge, code: shared, event_type: session, price_plan: shared, priority: 1, condition: "has(usage.parts) && size >= 1.5"}}
---
{{kind: charge, code: fixed, event_type: session, price_plan: fixed}}
---
{{kind: offer, code: mobile, charges: [shared, fixed]}}
---
{{kind: account, code: ana, currency: EUR}}
---
{{kind: subscription, code: ana, account: ana, offer: mobile, access_points: [{{id: "{ANA}"}}]}}
"""
ROWS = [
    ("20801", "2", "3"),
    ("31001", "2", "3"),
    ("99999", "1.49", "3"),
    ("20801", "", "3"),
    ("20801", "2", "0"),
    ("20801", "2", ""),
]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("expressions")
    write_catalog(directory / "data", CATALOG)
    rows = "".join(f"{number},{ANA},{NOON},7,{','.join(row)}\n" for number, row in enumerate(ROWS))
    (directory / "sessions.csv").write_text(f"id,caller,at,amount,network,size,parts\n{rows}")
    octroi("ingest", directory / "sessions.csv", "--source", "sessions", "--data", directory / "data")
    return directory / "data"


def test_the_charge_whose_condition_holds_prices_by_its_formula(data: Path) -> None:
    items = query(data, "SELECT record, charge, amount FROM rated_item ORDER BY record")
    assert [(row["record"], row["charge"], Decimal(row["amount"])) for row in items] == [
        (0, "shared", Decimal("0.67")),
        (1, "shared", Decimal("1.33")),
        (2, "fixed", Decimal("0.1")),
        (5, "fixed", Decimal("0.1")),
    ]
    balanced(data)


def test_a_refusal_says_what_it_lacks(data: Path) -> None:
    told = query(data, "SELECT reason, detail FROM rejection ORDER BY record")
    assert [row["reason"] for row in told] == ["CONDITION_UNDECIDED", "FORMULA_UNUSABLE"]
    assert told[0]["detail"].endswith(
        "; charge shared: has(usage.parts) && size >= 1.5; subscription ana, 7 B of session at 2026-10-05T12:00:00Z, "
        "network 20801, size (none), parts 3"
    )
    assert told[1]["detail"].endswith(
        "; charge shared, price plan shared; subscription ana, 7 B of session at 2026-10-05T12:00:00Z, "
        "network 20801, size 2.00, parts 0"
    )


def test_an_item_is_explained_by_what_its_record_says(data: Path) -> None:
    lines = octroi("explain", "ri-2-1", "--data", data).ok().out
    assert "condition of the charge: has(usage.parts) && size >= 1.5" in lines
    assert "formula size / parts * (zone == 'EU' ? 1 : 2) with parts 3, size 2, zone US = 1.333333333334" in lines
    assert octroi("explain", "ri-2-0", "--data", data, "--json").ok().json["agrees"] is True
