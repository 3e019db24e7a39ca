"""The `.rejected` companion of a file: what was refused of it, for whoever sent it. A replay makes the same."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from apps.embedded.ports import FactStore
from pipelines.spool.files import durable_file
from schemas.rejection import Reason, Stage

TEXT_FORMATS = frozenset({"delimited", "fixed_width", "json", "cloudevents", "r151"})
"""Formats whose records are shown as they came; those of the others are hexadecimal."""
PAGE_ROWS = 2000
"""Rejections read at once: with the longest records they stay below what one query may return."""
_PAGE = f"""
SELECT record, reason, detail, raw, raw_truncated FROM fact_rejection
WHERE claim = {{claim:UInt32}} AND stage != {int(Stage.ACCOUNT)} AND record > {{after:Int64}}
ORDER BY record LIMIT {PAGE_ROWS}
"""
_CONTROLS = {code: " " for code in (*range(32), 127)}


def write_companion(store: FactStore, path: Path, claim: int, source_format: str) -> int:
    """Write the refused records of a claim to `path`, whole or not at all; return how many. Without any, there is no file.

    A line is the record, a TAB, the reason, a TAB, the detail. A record that is no single line of text is written as `hex:` and
    its bytes in hexadecimal.

    Raises:
        UnableToQuery: when the store cannot be read. OSError: when the file cannot be written.
    """
    rows = _rows(store, claim)
    first = next(rows, None)
    if first is None:
        return 0
    count = 1
    with durable_file(path) as handle:
        handle.write(_line(first, source_format))
        for row in rows:
            handle.write(_line(row, source_format))
            count += 1
    return count


def _rows(store: FactStore, claim: int) -> Iterator[dict[str, Any]]:
    after = -1
    while True:
        page = store.query(_PAGE, {"claim": claim, "after": after}).to_pylist()
        yield from page
        if len(page) < PAGE_ROWS:
            return
        after = page[-1]["record"]


def _line(row: dict[str, Any], source_format: str) -> bytes:
    raw = row["raw"].encode() if isinstance(row["raw"], str) else bytes(row["raw"])
    detail = row["detail"].translate(_CONTROLS)
    if row["raw_truncated"]:
        detail += f" (the record's first {len(raw):,} bytes)"
    return b"\t".join([_shown(raw, source_format), Reason(row["reason"]).name.encode(), detail.encode()]) + b"\n"


def _shown(raw: bytes, source_format: str) -> bytes:
    try:
        text = raw.rstrip(b"\r\n").decode()
    except UnicodeDecodeError:
        text = "\0"
    plain = source_format in TEXT_FORMATS and text.translate(_CONTROLS) == text and not text.startswith("hex:")
    return text.encode() if plain else b"hex:" + raw.hex().encode()
