"""Files of rows: read, and what was wrong with them written beside."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from apps.cli.failures import PARTIAL
from apps.cli.output import count, print_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from billing.access.sheets import Fault

FAULTS_SHOWN = 10


def report(noun: str, taken: int, faults: Sequence[Fault], file: Path, errors: Path | None, *, as_json: bool) -> None:
    """Say how many rows were taken; write the others with row, column and reason, and exit with code 5 when there are any."""
    from billing.access.sheets import fault_bytes

    written = None
    rows = len({fault.row for fault in faults})
    if faults:
        written = errors or file.with_name(f"{file.name}.errors.csv")
        written.write_bytes(fault_bytes(faults))
    if as_json:
        print_json({"imported": taken, "refused": rows, "errors": written and str(written)})
    else:
        print(f"{count(taken, noun)} imported, {count(rows, 'row')} refused" + (f": {written}" if written else ""))
        for fault in faults[:FAULTS_SHOWN]:
            print(f"  row {fault.row}: {fault.column or 'all'}: {fault.reason}")
    if faults:
        raise typer.Exit(PARTIAL)


def write_rows(target: Path, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    """Write rows as the name of a file asks: XLSX, else CSV. It is there whole, or not."""
    from billing.access.sheets import csv_bytes, xlsx_bytes

    data = xlsx_bytes(columns, rows) if target.suffix == ".xlsx" else csv_bytes(columns, rows)
    partial = target.with_name(f".{target.name}.partial")
    partial.write_bytes(data)
    partial.rename(target)
