"""Values from the file to the price, the explanation and the retry: calls by destination, messages by a matrix."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from cli_calls import ANA, NOON, write_catalog
from cli_octroi import octroi, query

from schemas.rejection import Reason

CATALOG = f"""\
{{kind: event_type, code: call, unit: s, attributes: [way], values: {{called: digits}}}}
---
{{kind: event_type, code: message, unit: B, attributes: [way, zone], values: {{size: {{type: number, decimals: 2}}}}}}
---
kind: source
code: calls
format: delimited
mapping:
  identity: [id]
  access_point: caller
  time: {{field: at}}
  quantity: {{field: amount}}
  event_type: {{constant: call}}
  attributes: {{way: way}}
  values: {{called: called}}
---
kind: source
code: messages
format: delimited
mapping:
  identity: [id]
  access_point: caller
  time: {{field: at}}
  quantity: {{field: amount}}
  event_type: {{constant: message}}
  attributes: {{way: way, zone: zone}}
  values: {{size: size}}
---
kind: destination_table
code: world
value: called
rows:
- {{prefix: "33", destination: France, price: "0.06"}}
- {{prefix: "336", destination: France mobile, price: "0.60", connection_fee: "0.01", first: 60 s, next: 1 s}}
---
kind: price_matrix
code: zones
columns: {{zone: code, size: number}}
rows:
- {{zone: EU, size: ..2.5, price: "0.10"}}
- {{zone: EU, price: "0.30"}}
---
{{kind: price_plan, code: calls, currency: EUR, versions: [{{start: "2026-01-01T00:00:00Z", model: flat, per: 1 min, prices: world}}]}}
---
{{kind: price_plan, code: messages, currency: EUR, versions: [{{start: "2026-01-01T00:00:00Z", model: event, prices: zones}}]}}
---
{{kind: charge, code: calls, event_type: call, price_plan: calls}}
---
{{kind: charge, code: messages, event_type: message, price_plan: messages}}
---
{{kind: offer, code: mobile, charges: [calls, messages]}}
---
{{kind: account, code: ana, currency: EUR}}
---
{{kind: subscription, code: ana, account: ana, offer: mobile, access_points: [{{id: "{ANA}"}}]}}
"""
HEADER = "id,caller,at,amount,type,way,zone,called,size\n"
CALLS = HEADER + "".join(
    f"{number},{ANA},{NOON},{seconds},c,out,,{called},\n"
    for number, (seconds, called) in enumerate([(90, "+33145000000"), (30, "33612345678"), (30, "44123"), (30, "")])
)
MESSAGES = HEADER + "".join(
    f"{number},{ANA},{NOON},140,m,out,{zone},,{size}\n"
    for number, (zone, size) in enumerate([("EU", "2.49"), ("EU", "2.5"), ("US", "1"), ("EU", "")])
)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One file of each source, ingested."""
    directory = tmp_path_factory.mktemp("tables")
    write_catalog(directory / "data", CATALOG)
    for source, text in (("calls", CALLS), ("messages", MESSAGES)):
        (directory / f"{source}.csv").write_text(text)
        assert octroi("ingest", directory / f"{source}.csv", "--source", source, "--data", directory / "data").code == 0
    return directory / "data"


def explained(data: Path, item: str) -> dict[str, Any]:
    """Return the explanation of an item, which agrees with what is stored."""
    told: dict[str, Any] = octroi("explain", item, "--data", data, "--json").ok().json
    assert told["agrees"] is True
    return told


def test_every_usage_is_priced_by_its_row_or_waits(data: Path) -> None:
    items = query(data, "SELECT id, amount FROM rated_item WHERE claim <= 3 ORDER BY claim, record")
    assert [(row["id"], Decimal(row["amount"])) for row in items] == [
        ("ri-2-0", Decimal("0.09")),
        ("ri-2-1", Decimal("0.61")),
        ("ri-3-0", Decimal("0.1")),
        ("ri-3-1", Decimal("0.3")),
        ("ri-3-3", Decimal("0.3")),
    ]
    waiting = query(data, "SELECT claim, record, code FROM rejection WHERE claim <= 3 ORDER BY claim, record")
    assert [tuple(row.values()) for row in waiting] == [
        (2, 2, Reason.NO_DESTINATION_PRICE),
        (2, 3, Reason.NO_DESTINATION_PRICE),
        (3, 2, Reason.NO_MATRIX_PRICE),
    ]


def test_the_row_is_told(data: Path) -> None:
    told = explained(data, "ri-2-1")["explanation"]
    assert told["row"] == "world: called 33612345678 has the prefix 336, France mobile"
    assert (told["increments"], Decimal(told["connection_fee"])) == ("60 s, then 1 s", Decimal("0.01"))
    assert explained(data, "ri-3-0")["explanation"]["row"].startswith("zones: the row for zone EU, size ..2.5")
    lines = octroi("explain", "ri-3-1", "--data", data).ok().out
    assert "price table zones: the row for zone EU" in lines


def test_what_has_no_price_gets_one_by_a_new_row_and_a_retry(data: Path) -> None:
    write_catalog(data, CATALOG.replace('- {prefix: "33",', '- {prefix: "44", price: "1.20"}\n- {prefix: "33",'))
    octroi("rejects", "replay", "--code", "NO_DESTINATION_PRICE", "--data", data).ok()
    (item,) = query(data, "SELECT id, amount FROM rated_item WHERE claim > 3")
    assert Decimal(item["amount"]) == Decimal("0.6")
    assert explained(data, item["id"])["explanation"]["row"] == "world: called 44123 has the prefix 44"
    again = query(
        data, f"SELECT claim, record FROM rejection WHERE code = {Reason.NO_DESTINATION_PRICE:d} AND claim > 3"
    )
    assert [row["record"] for row in again] == [1]  # of the retry: usage without digits never finds one


def test_an_item_whose_file_is_gone_cannot_be_explained(data: Path) -> None:
    (stored,) = [path for path in (data / "archive").rglob("*") if path.is_file() and "messages" in path.name]
    stored.rename(stored.with_suffix(".away"))
    told = octroi("explain", "ri-3-0", "--data", data)
    stored.with_suffix(".away").rename(stored)
    assert told.code != 0
    assert "found its price by what its record says" in told.err
