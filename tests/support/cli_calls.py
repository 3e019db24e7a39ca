"""A small catalog of telephone calls and files of them, for tests of the command line."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

ANA, BOB, STRANGER = "33600000001", "33600000002", "33600000003"
HEADER = "id,caller,at,seconds"
NOON = "2026-10-05T12:00:00Z"

CATALOG = f"""\
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
---
kind: price_plan
code: voice
currency: EUR
versions:
  - {{start: "2026-01-01T00:00:00Z", model: flat, per: "1 min", price: "0.60"}}
---
{{kind: charge, code: voice, event_type: voice, price_plan: voice}}
---
{{kind: offer, code: mobile, charges: [voice]}}
---
{{kind: account, code: ana, currency: EUR}}
---
{{kind: subscription, code: ana, account: ana, offer: mobile, access_points: [{{id: "{ANA}"}}]}}
---
{{kind: account, code: bob, currency: EUR}}
---
{{kind: subscription, code: bob, account: bob, offer: mobile, access_points: [{{id: "{BOB}"}}]}}
"""
"""A second costs one cent."""

WITH_STRANGER = f"""\
{CATALOG}---
{{kind: account, code: eve, currency: EUR}}
---
{{kind: subscription, code: eve, account: eve, offer: mobile, access_points: [{{id: "{STRANGER}"}}]}}
"""
"""The same catalog, in which the stranger is a customer."""


def write_catalog(data: Path, text: str = CATALOG) -> Path:
    """Write the catalog of a data directory; return the directory."""
    (data / "catalog").mkdir(parents=True, exist_ok=True)
    (data / "catalog" / "catalog.yaml").write_text(text)
    return data


def call(identity: object, seconds: object = 60, caller: str = ANA, at: str = NOON) -> str:
    """Return one line of a file of calls."""
    return f"{identity},{caller},{at},{seconds}"


def calls(lines: Iterable[str]) -> str:
    """Return a file of calls."""
    return "\n".join([HEADER, *lines, ""])


def write_calls(path: Path, *lines: str) -> Path:
    """Write a file of calls; return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(calls(lines))
    return path
