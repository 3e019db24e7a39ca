"""Files in which octroi states demand: JSON, a statement in each line, so that one at a time is read."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from pipelines.mediation.columns.rows import Row
from pipelines.mediation.failures import UnableToDecodeFile
from schemas.energy import columns_of

BEGINS, ENDS = '{"demand": [', "]}"
_COLUMNS = frozenset(columns_of("intervals"))


def write_statements(rows: Iterable[Row]) -> Iterator[bytes]:
    """Yield a file of statements in pieces; nothing at all where there are none."""
    number = 0
    for number, row in enumerate(rows, 1):
        yield f"{BEGINS if number == 1 else ','}\n{json.dumps(row, ensure_ascii=False)}".encode()
    if number:
        yield f"\n{ENDS}\n".encode()


def read_statements(lines: Iterator[str]) -> Iterator[Row]:
    """Yield the statements of a file, each with its line.

    Raises:
        UnableToDecodeFile: MALFORMED_METER_DATA with the line.
    """
    ended, number = False, 0
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if number == 1 or ended:
            if text != (BEGINS if number == 1 else ""):
                raise _wrong(number, "it is not what a file of demand has there")
        elif text == ENDS:
            ended = True
        else:
            yield _statement(number, text.removesuffix(","))
    if not ended:
        raise _wrong(number, "the file of demand does not end")


def _statement(number: int, text: str) -> Row:
    try:
        row = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _wrong(number, "it is no statement of demand") from error
    if not isinstance(row, dict) or not row.keys() <= _COLUMNS or not all(isinstance(one, str) for one in row.values()):
        raise _wrong(number, "it is no statement of demand")
    return row | {"line": str(number)}


def _wrong(number: int, told: str) -> UnableToDecodeFile:
    return UnableToDecodeFile("MALFORMED_METER_DATA", f"line {number}: {told}")
