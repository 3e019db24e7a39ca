"""The history of measures (HDM) of a point, in CSV, as records: blocks of curves, of indexes with calendars, of largest powers.

A description, what it describes, a header, and the values make a block. Curves of small points are stamped at their end, and do
not begin at midnight; those of large points begin there. An index is that of the start of the date of its label, whatever clock
stands behind it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from pipelines.mediation.columns.rows import Row
from pipelines.mediation.enedis import words
from pipelines.mediation.failures import UnableToDecodeFile
from schemas.energy import RecordKind

Cells = list[str]
Lines = Iterator[tuple[int, Cells]]
POINT, STAMP, PERIOD = "Identifiant PRM", "Horodate", "Periode"
CURVE, INDEXES, POWERS = "Courbe de charge", "Index", "Puissance maximale quotidienne"
KINDS: dict[RecordKind, tuple[str, ...]] = {"intervals": (CURVE,), "readings": (INDEXES, POWERS)}
MEASURES = {"Energie active": "EA", "Energie reactive inductive": "ERI", "Energie reactive capacitive": "ERC",
            "Puissance maximale atteinte": "PMA"}  # fmt: skip
DIRECTIONS = {"Consommation": "consumption", "Production": "production"}
GRIDS = {"F": "supplier", "D": "distributor", "T": ""}
ROWS_MAX = 1 << 16
SECONDS = 60


@dataclass(slots=True)
class _Block:
    """What is described: its columns by name, and the header of its values."""

    line: int
    said: dict[str, str]
    header: Cells = field(default_factory=list)
    columns: Cells = field(default_factory=list)
    """The header of the values, when another one came behind them."""
    held: list[tuple[int, Cells]] = field(default_factory=list)
    calendars: list[tuple[str, str, dict[str, tuple[str, str]]]] = field(default_factory=list)
    """(from, to, dial -> (calendar, time class)); a day, "" for ever."""

    @property
    def kind(self) -> str:
        """Which data they are."""
        return words.mended(self.said.get("Type de donnees", ""))

    def known(self) -> Row:
        """Return what all records of the block have."""
        measure, sense = self.said.get("Grandeur physique", ""), self.said.get("Grandeur metier", "")
        return {
            "flow": "HDM",
            "point": self.said[POINT],
            "version": words.UNDATED,
            "measure": MEASURES.get(measure, measure),
            "direction": DIRECTIONS.get(sense, sense),
            "nature": "R",
        }


def history_rows(lines: Lines, kind: RecordKind) -> Iterator[Row]:
    """Yield the records of one kind of a file.

    Raises:
        UnableToDecodeFile: WRONG_FLOW when no block has such records, or a line stands where none belongs; RECORD_TOO_LONG.
    """
    wanted, found, block = KINDS.get(kind, ()), False, None
    for line, cells in lines:
        if cells[0] == POINT:
            if block is not None:
                yield from _finished(block)
            number, described = next(lines, (line, Cells()))
            if not described:
                raise UnableToDecodeFile("WRONG_FLOW", f"line {line}: nothing follows a description")
            block = _Block(number, dict(zip(cells, described, strict=False)))
            found = found or block.kind in wanted
        elif block is None:
            raise UnableToDecodeFile("WRONG_FLOW", f"line {line}: no description of a point stands before values")
        elif cells[0] in (STAMP, PERIOD):
            block.header = cells
            block.columns = cells if cells[0] == STAMP else block.columns
        elif block.kind in wanted:
            yield from _taken(block, line, cells)
    if block is not None:
        yield from _finished(block)
    if not found:
        raise UnableToDecodeFile("WRONG_FLOW", f"no history of {' or of '.join(wanted) or kind} in the file")


def _taken(block: _Block, line: int, cells: Cells) -> Iterator[Row]:
    """Take a line of values in, and yield the records that are certain."""
    if not block.header:
        raise UnableToDecodeFile("WRONG_FLOW", f"line {line}: values without a header")
    if block.header[0] == PERIOD:
        block.calendars.append(_calendar(block.header, cells))
        return
    if block.kind == POWERS:
        yield from _power(block, line, cells)
        return
    block.held.append((line, cells))
    if block.kind == CURVE and len(block.held) == 2:
        yield from _finished(block)
    elif len(block.held) > ROWS_MAX:
        raise UnableToDecodeFile("RECORD_TOO_LONG", f"line {line}: more than {ROWS_MAX} indexes before their calendars")
    elif block.kind == CURVE and "step" in block.said:
        yield from _finished(block)


def _finished(block: _Block) -> Iterator[Row]:
    held, block.held = block.held, []
    if block.kind == CURVE and held:
        if "step" not in block.said:
            _measure(block, held)
        for line, cells in held:
            yield _step(block, line, cells)
    elif block.kind == INDEXES:
        for line, cells in held:
            yield from _indexes(block, line, cells)


def _measure(block: _Block, held: list[tuple[int, Cells]]) -> None:
    """Find the step of a curve, and whether stamps are its ends: what the description says, or the first two stamps."""
    stamps = [found for _, cells in held if (found := words.parsed(cells[0])) is not None]
    said = block.said.get("Pas en minutes", "")
    step = int(said) * SECONDS if words.is_count(said) else 0
    if not step and len(stamps) > 1:
        step = round((stamps[1] - stamps[0]).total_seconds())
    if not 0 < step <= 3600:
        raise UnableToDecodeFile("MALFORMED_HEADER", f"line {block.line}: the step of the curve is not told")
    first = stamps[0].astimezone(words.PARIS)
    block.said["step"] = str(step)
    block.said["ends"] = "" if (first.hour, first.minute) == (0, 0) else "yes"


def _step(block: _Block, line: int, cells: Cells) -> Row:
    step_s = int(block.said["step"])
    stamped = words.step_of if block.said["ends"] else words.step_from
    start, end = stamped(cells[0], timedelta(seconds=step_s))
    value = cells[1] if len(cells) > 1 else ""
    counted = words.counted(value, block.said.get("Unite", "") or "W", step_s)
    return block.known() | {"line": str(line), "start": start, "end": end, "step_s": str(step_s)} | counted


def _calendar(header: Cells, cells: Cells) -> tuple[str, str, dict[str, tuple[str, str]]]:
    """Return the days between which calendars were in force, and what the dials meant."""
    said = dict(zip(header, cells, strict=False))
    parts = said[PERIOD].split()
    start = parts[1][:10] if len(parts) > 1 else ""
    end = parts[3][:10] if len(parts) > 3 else ""
    dials = {}
    for name, dial in said.items():
        if name.startswith("Cadran classe temporelle") and dial:
            suffix = name.removeprefix("Cadran classe temporelle")
            grid = "distributeur" if "distributeur" in suffix else "fournisseur"
            code = said.get(f"Identifiant calendrier {grid}", "")
            dials[dial] = (code, said.get(f"Identifiant classe temporelle{suffix}", ""))
    return start, end, dials


def _indexes(block: _Block, line: int, cells: Cells) -> Iterator[Row]:
    """Yield the indexes of a day; a dial without a value has none."""
    day = cells[0][:10]
    known = next((dials for start, end, dials in block.calendars if start <= day and (not end or day < end)), {})
    for name, said in zip(block.columns[2:], cells[2:], strict=False):
        if not said:
            continue
        dial = name.rpartition(" ")[2]
        code, time_class = known.get(name, ("", ""))
        value, unit = words.scaled(said, block.said.get("Unite", "") or "Wh")
        yield block.known() | {
            "line": str(line),
            "at": words.day_start(day),
            "grid": GRIDS.get(dial[:1], dial),
            "calendar": code,
            "time_class": time_class,
            "dial": dial,
            "unit": unit,
            "value": value,
            "truncated": words.truncated(value, unit),
            "status": "I",
            "reason": words.mended(cells[1]),
            "doubt": words.doubt_of(code),
        }


def _power(block: _Block, line: int, cells: Cells) -> Iterator[Row]:
    if len(cells) > 1 and cells[1]:
        at: datetime | None = words.parsed(cells[0])
        yield block.known() | {
            "line": str(line),
            "at": cells[0] if at is None else words.written(at),
            "unit": block.said.get("Unite", "") or "W",
            "value": cells[1],
            "status": "I",
        }
