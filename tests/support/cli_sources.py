"""A catalog of two sources, and `octroi sources test` on files of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cli_calls import CATALOG
from cli_octroi import Told, octroi

EVENTS = f"""\
{CATALOG}---
{{kind: event_type, code: traffic, unit: MB, attributes: [network, device]}}
---
kind: source
code: events
format: cloudevents
on_same_key: duplicate
mapping:
  identity: [source, id]
  access_point: subject
  time: {{field: time, format: epoch_ms}}
  quantity: {{field: data.used, unit: kB, excess_decimals: half_up}}
  event_type: {{field: type, values: {{up: traffic, down: traffic}}}}
  attributes: {{network: data.network, device: data.device}}
  filters: [{{field: data.billed, drop: ["no", "never"]}}]
---
kind: price_plan
code: traffic
currency: EUR
versions:
  - {{start: "2026-01-01T00:00:00Z", model: flat, per: "1 MB", price: "2"}}
---
{{kind: charge, code: roaming, event_type: traffic, filters: {{network: abroad}}, price_plan: traffic}}
---
{{kind: offer, code: roamer, charges: [roaming]}}
---
{{kind: account, code: cy, currency: EUR}}
---
{{kind: subscription, code: cy, account: cy, offer: roamer, access_points: [{{id: "dev/7"}}]}}
"""


def try_file(data: Path, file: Path, source: str = "calls", *options: object, code: int = 0) -> dict[str, Any]:
    """The document that `octroi sources test` prints."""
    told = octroi("sources", "test", file, "--source", source, "--data", data, "--json", *options)
    assert told.code == code, told
    found: dict[str, Any] = told.json
    return found


def shown(data: Path, file: Path, source: str = "calls", *options: object) -> Told:
    """What it prints for people."""
    return octroi("sources", "test", file, "--source", source, "--data", data, *options)
