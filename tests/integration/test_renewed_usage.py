"""Refused usage that is tried again says what its record says under the catalog now in force, not under the one it came with."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

from cli_calls import ANA, NOON, write_catalog
from cli_octroi import octroi, query

BEFORE = f"""\
{{kind: event_type, code: message, unit: B, attributes: [way, zone], values: {{size: {{type: number, decimals: 2}}}}}}
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
kind: price_matrix
code: zones
columns: {{zone: code, size: number}}
rows:
- {{zone: EU, size: "*", price: "0.30"}}
---
{{kind: price_plan, code: messages, currency: EUR, versions: [{{start: "2026-01-01T00:00:00Z", model: event, prices: zones}}]}}
---
{{kind: charge, code: messages, event_type: message, price_plan: messages}}
---
{{kind: offer, code: mobile, charges: [messages]}}
---
{{kind: account, code: ana, currency: EUR}}
---
{{kind: subscription, code: ana, account: ana, offer: mobile, access_points: [{{id: "{ANA}"}}]}}
"""
# a text that nothing named before, slots in another order, and a finer number
AFTER = (
    BEFORE.replace("- {zone: EU", '- {zone: US, size: "1..", price: "5"}\n- {price: "1"}\n- {zone: EU')
    .replace("attributes: [way, zone]", "attributes: [zone, way]")
    .replace("decimals: 2", "decimals: 3")
)
USAGE = f"id,caller,at,amount,way,zone,size\n0,{ANA},{NOON},140,out,EU,1\n1,{ANA},{NOON},140,out,US,1\n"


def test_usage_is_tried_again_with_what_its_record_says(tmp_path: Path) -> None:
    data = write_catalog(tmp_path / "data", BEFORE)
    (tmp_path / "messages.csv").write_text(USAGE)
    octroi("ingest", tmp_path / "messages.csv", "--source", "messages", "--data", data)
    assert query(data, "SELECT record, reason FROM rejection") == [{"record": 1, "reason": "NO_MATRIX_PRICE"}]
    write_catalog(data, AFTER)
    (stored,) = [path for path in (data / "archive").rglob("*") if path.is_file() and "messages" in path.name]
    stored.rename(stored.with_suffix(".away"))
    told = octroi("rejects", "replay", "--all", "--data", data)
    stored.with_suffix(".away").rename(stored)
    assert told.code == 4
    assert "is gone: what its usage says cannot be read again" in told.err
    assert query(data, "SELECT status FROM rejection") == [{"status": "OPEN"}]
    octroi("rejects", "replay", "--all", "--data", data).ok()
    (item,) = query(data, "SELECT id, amount FROM rated_item WHERE claim > 2")
    assert Decimal(item["amount"]) == 5
    assert octroi("explain", item["id"], "--data", data, "--json").ok().json["agrees"] is True


IN_PARTS = """\
  identity: [call, number]
  assembly:
    key: [call]
    sequence: number
    part: {field: kind, first: [F], middle: [I], last: [L], single: [S]}
    time_out: PT1H
"""
PARTS = (
    "call,number,kind,caller,at,amount,way,zone,size\n"
    f"1,1,F,{ANA},2026-10-05T12:00:00Z,10,out,US,1\n1,2,L,{ANA},2026-10-05T12:00:10Z,10,out,EU,0.5\n"
)


def test_a_session_is_tried_again_with_what_its_first_part_says(tmp_path: Path) -> None:
    before, after = (text.replace("  identity: [id]\n", IN_PARTS) for text in (BEFORE, AFTER))
    data = write_catalog(tmp_path / "data", before)
    (tmp_path / "parts.csv").write_text(PARTS)
    octroi("ingest", tmp_path / "parts.csv", "--source", "messages", "--data", data)
    write_catalog(data, after)
    octroi("rejects", "replay", "--all", "--data", data).ok()
    (item,) = query(data, "SELECT id, amount FROM rated_item")
    assert Decimal(item["amount"]) == 5
    told = octroi("explain", item["id"], "--data", data).ok().out
    assert "put together from 2 records: 2-0, 2-1" in told
    assert "the row for zone US, size 1.." in told
