"""Recount of CloudEvents, one JSON object per line."""

from __future__ import annotations

import json
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl

from benchmarks.recount.fields import read_instant, read_quantity
from benchmarks.recount.result import Recount
from benchmarks.recount.rules import Rules, read_rules
from benchmarks.recount.stages import Decoded, recount_events

_SEPARATOR = "\x1f"


def recount_cloud(files: Sequence[Path], catalog: Path, *, source: str = "events") -> Recount:
    """Recount event files, read in the given order, with the source definition `source` of a catalog directory."""
    rules = read_rules(catalog)
    return recount_events(decode_events(files, rules, source=source), rules)


def decode_events(files: Sequence[Path], rules: Rules, *, source: str) -> Decoded:
    """Return what a source definition makes of event files, read in the given order."""
    mapping = rules.sources[source]["mapping"]
    attributes = tuple(mapping.get("attributes", {}))
    decoded = Decoded(pl.DataFrame(), attributes, 0)
    rows = []
    for path in files:
        for line in path.read_bytes().splitlines():
            decoded.records += 1
            row = _read(line, mapping, rules)
            if isinstance(row, str):
                decoded.rejected[row] += 1
            else:
                rows.append(row)
    schema: dict[str, Any] = {
        "identity": pl.String, "access_point": pl.String, "event_at": pl.Int64, "quantity": pl.Int64,
        "event_type": pl.String, **dict.fromkeys(attributes, pl.String),
    }  # fmt: skip
    decoded.usable = pl.DataFrame(rows, schema=schema, orient="row")
    return decoded


def _read(line: bytes, mapping: Any, rules: Rules) -> tuple[Any, ...] | str:
    """Return a row of the decoded feed, or the first reason, in the order of the codes, why there is none."""
    try:
        event = json.loads(line, parse_float=Decimal)
    except ValueError:
        return "MALFORMED_RECORD"
    access_point = _at(event, mapping["access_point"])
    time, quantity, kind = (_at(event, mapping[name]["field"]) for name in ("time", "quantity", "event_type"))
    if any(value in {None, ""} for value in (access_point, time, quantity, kind)):
        return "FIELD_MISSING"
    identity = (event.get("source"), event.get("id"))
    if not any(identity):
        return "IDENTITY_MISSING"
    code = mapping["event_type"]["values"].get(kind)
    if code is None:
        return "UNKNOWN_EVENT_TYPE"
    event_at = read_instant(time, mapping["time"].get("zone"))
    if isinstance(event_at, str):
        return event_at
    unit = mapping["quantity"].get("unit") or rules.event_units[code]
    steps = read_quantity(str(quantity), rules.units[unit])
    if isinstance(steps, str):
        return steps
    attributes = (_at(event, path) for path in mapping.get("attributes", {}).values())
    return (_SEPARATOR.join(part or "" for part in identity), access_point, event_at, steps, code, *attributes)


def _at(event: Any, path: str) -> Any:
    """Return the value at a dotted path, None when there is none."""
    for name in path.split("."):
        event = event.get(name) if isinstance(event, dict) else None
    return event
