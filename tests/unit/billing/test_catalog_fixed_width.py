"""Fixed-width sources are checked before any file: places, lengths, headers, trailers, and what the mapping reads."""

from __future__ import annotations

from pathlib import Path

import pytest

from billing.catalog.models import UnableToLoadCatalog
from billing.catalog.store import load_catalog
from schemas.source import FixedWidthSource

CATALOG = """\
{kind: event_type, code: voice, unit: s}
---
kind: source
code: switch
format: fixed_width
record_bytes: 60
record_bytes_max: 300
header: {count: 1}
trailer: {prefix: TRL, record_count: {start: 4, width: 10}}
columns:
  - {name: id, start: 41, width: 10}
  - {name: caller, start: 1, width: 16}
  - {name: at, start: 21, width: 14}
  - {name: seconds, start: 35, width: 6}
mapping:
  identity: [id]
  access_point: caller
  time: {field: at, format: compact, zone: Europe/Paris}
  quantity: {field: seconds}
  event_type: {constant: voice}
---
kind: price_plan
code: voice
currency: EUR
versions: [{start: "2026-01-01T00:00:00Z", model: flat, per: "1 s", price: "1"}]
---
{kind: charge, code: voice, event_type: voice, price_plan: voice}
---
{kind: offer, code: mobile, charges: [voice]}
"""


def test_a_sound_source_is_loaded(tmp_path: Path) -> None:
    (tmp_path / "catalog.yaml").write_text(CATALOG)
    source = load_catalog(tmp_path).sources["switch"]
    assert isinstance(source, FixedWidthSource)
    assert [(column.name, column.start, column.end) for column in source.columns] == [
        ("id", 41, 50), ("caller", 1, 16), ("at", 21, 34), ("seconds", 35, 40),
    ]  # fmt: skip
    assert source.reach == 50


def test_a_source_may_say_no_length(tmp_path: Path) -> None:
    text = CATALOG.replace("record_bytes: 60\n", "").replace(", record_count: {start: 4, width: 10}", "")
    (tmp_path / "catalog.yaml").write_text(text)
    assert list(load_catalog(tmp_path).sources) == ["switch"]


PROBLEMS: list[tuple[str, str, int, str, str, str]] = [
    # old, new, line, field, message, fix
    ("start: 21,", "start: 16,", 13, "columns.2.start", 'inside the column "caller", which has bytes 1 to 16', "at byte 17"),
    ("start: 21, width: 14", "start: 21, width: 15", 14, "columns.3.start", 'inside the column "at"', 'or make "at" narrower'),
    ("width: 10}\n  - {name: caller", "width: 21}\n  - {name: caller", 11, "columns.0.width", "ends at byte 61, but a record has 60",
     "correct `record_bytes`"),
    ("name: seconds", "name: at", 14, "columns.3", 'column "at" is repeated', "remove"),
    ("start: 41", "start: 0", 11, "columns.0.start", "too small", "1 or more"),
    ("width: 6", "width: 0", 14, "columns.3.width", "too small", "1 or more"),
    ("record_bytes: 60", "lines: false", 6, "lines", "without line ends a record needs a length", "record_bytes"),
    ("record_bytes: 60", "record_bytes: 301", 6, "record_bytes", "maximum of 300 bytes", "record_bytes_max: 301"),
    ("{count: 1}", "{count: 1, prefix: HDR}", 8, "header", "either by its prefix or by its number", "either `prefix"),
    ("{prefix: TRL, record", "{record", 9, "trailer", "either by its prefix or by its number", "either `prefix"),
    ("prefix: TRL", 'prefix: "T\\n"', 9, "trailer.prefix", "no record begins like this", "without line ends"),
    ("header: {count: 1}", "encoding: latin-1\nheader: {prefix: €}", 9, "header.prefix", "cannot be written in latin-1", "bytes mean"),
    ("start: 4, width: 10", "start: 4, width: 19", 9, "trailer.record_count.width", "too large", "18 or less"),
    ("access_point: caller", "access_point: callers", 17, "mapping.access_point", 'no column "callers"', '"caller"?'),
    ("zone: Europe/Paris", "zone: Paris/Europe", 18, "mapping.time.zone", "unknown", ""),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "line", "field", "message", "fix"), PROBLEMS)
def test_problem(tmp_path: Path, old: str, new: str, line: int, field: str, message: str, fix: str) -> None:
    assert CATALOG.count(old) == 1, "the case must change one place"
    (tmp_path / "catalog.yaml").write_text(CATALOG.replace(old, new))
    with pytest.raises(UnableToLoadCatalog) as refused:
        load_catalog(tmp_path)
    found = [p for p in refused.value.problems if (p.line, p.field) == (line, field)]
    assert [p for p in found if message in p.message and fix in p.fix], refused.value


def test_the_count_of_a_trailer_without_lines_lies_inside_it(tmp_path: Path) -> None:
    text = CATALOG.replace("record_bytes: 60", "record_bytes: 60\nlines: false").replace("start: 4,", "start: 52,")
    (tmp_path / "catalog.yaml").write_text(text)
    with pytest.raises(UnableToLoadCatalog, match=r"trailer\.record_count: it ends at byte 61, but the trailer has 60"):
        load_catalog(tmp_path)
