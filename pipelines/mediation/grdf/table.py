"""Delimited files of GRDF for suppliers (OMEGA), whose columns the source names: there is no public specification of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import BinaryIO

from pipelines.mediation.columns.rows import Row
from pipelines.mediation.delimited.header import missing_text
from pipelines.mediation.enedis import words as common
from pipelines.mediation.failures import UnableToDecodeFile
from pipelines.mediation.grdf import words
from pipelines.mediation.grdf.adict import energy_row
from pipelines.mediation.text_lines import read_table
from schemas.source_energy import GrdfTable
from schemas.time_pattern import pattern_tokens

_DIGITS = {"YYYY": r"\d{4}", "M": r"\d{1,2}", "D": r"\d{1,2}", "h": r"\d{1,2}", "Z": r"Z|[+-]\d\d(?::?\d\d)?"}
_PARTS = {"YYYY": "year", "YY": "year", "MM": "month", "M": "month", "DD": "day", "D": "day",
          "hh": "hour", "h": "hour", "mm": "minute", "ss": "second"}  # fmt: skip


def table_rows(stream: BinaryIO, head: bytes, table: GrdfTable) -> Iterator[Row]:
    """Yield the energies of a file, given from its first byte.

    Raises:
        UnableToDecodeFile: MISSING_COLUMN, WRONG_ENCODING or RECORD_TOO_LONG.
    """
    encoding = "utf-8-sig" if table.encoding == "utf-8" else table.encoding
    rows = read_table(stream, head, table.delimiter, encoding)
    _, header = next(rows, (0, list[str]()))
    if not header:
        return
    places = {name.strip(): place for place, name in enumerate(header)}
    named = dict.fromkeys(table.columns.values())
    missing = [name for name in named if name not in places]
    if missing:
        raise UnableToDecodeFile("MISSING_COLUMN", missing_text(missing, header, of=len(named)))
    slots = {column: places[name] for column, name in table.columns.items()}
    instant = instant_reader(table.pattern)
    for line, cells in rows:
        said: dict[str, str] = {column: cells[at].strip() if at < len(cells) else "" for column, at in slots.items()}
        yield _row(said, table, instant) | {"line": str(line)}


def _row(said: dict[str, str], table: GrdfTable, instant: Callable[[str], str]) -> Row:
    def number(name: str) -> str:
        return said.get(name, "").replace(table.decimal, ".") if table.decimal != "." else said.get(name, "")

    status = table.statuses.get(said.get("status", ""), "I")
    created = instant(said["created_at"]) if said.get("created_at") else ""
    shown = said.get("publication")
    row = energy_row(
        instant(said["start"]),
        instant(said["end"]),
        number("energy"),
        number("converted") if (common.number(number("converted")) or 0) != 0 else number("volume"),
        number("coefficient"),
        "",
    )
    return row | {
        "flow": "OMEGA",
        "point": said["point"],
        "id": said.get("id", ""),
        "created_at": created,
        "version": common.version(created, status),
        "status": status,
        "net": "0" if status == "A" else row["net"],
        "direction": "consumption",
        "nature": table.natures.get(said.get("nature", ""), words.nature(said.get("nature", ""))),
        "reason": said.get("reason", ""),
        "publication": words.PUBLISHED if shown is None or shown in table.published else words.INFORMATIVE,
    }


def instant_reader(pattern: str) -> Callable[[str], str]:
    """Return what reads instants of a pattern as UTC, of Europe/Paris without an offset; another text stays."""
    clock = clock_reader(pattern)

    def read(text: str) -> str:
        found = clock(text)
        if found is None:
            return text
        try:
            return common.written((found if found.tzinfo else found.replace(tzinfo=common.PARIS)).astimezone(UTC))
        except OverflowError:
            return text

    return read


def clock_reader(pattern: str) -> Callable[[str], datetime | None]:
    """Return what reads times of a pattern, without a zone where they have no offset; None for another text."""
    regex = "".join(
        re.escape(literal) if literal else f"(?P<{_PARTS.get(token, token[0])}>{_DIGITS.get(token, _exactly(token))})"
        for token, literal in pattern_tokens(pattern)
    )
    compiled = re.compile(regex, re.ASCII)

    def read(text: str) -> datetime | None:
        found = compiled.fullmatch(text)
        if found is None:
            return None
        parts = found.groupdict()
        offset = parts.pop("Z", None)
        parts.pop("f", None)
        numbers = {name: int(value) for name, value in parts.items()}
        if len(parts["year"] or "") == 2:
            numbers["year"] += 2000
        try:
            zone = None if offset is None else datetime.fromisoformat(f"2000-01-01T00:00:00{offset}").tzinfo
            return datetime(**numbers, tzinfo=zone)
        except (ValueError, OverflowError):
            return None

    return read


def _exactly(token: str) -> str:
    return r"\d{1,9}" if token == "f" else rf"\d{{{len(token)}}}"
