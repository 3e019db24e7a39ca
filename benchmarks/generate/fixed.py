"""Telephone usage in lines of fixed width: the records of `benchmarks.generate.telephony`, cut to the columns of a switch."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from benchmarks.generate.rows import write_atomically

WIDTHS = {
    "record_id": 16, "record_type": 5, "direction": 3, "msisdn": 11, "called_number": 16, "zone": 8, "start_time": 20,
    "quantity": 12, "release_cause": 3, "call_reference": 19, "cell_id": 15,
}  # fmt: skip
"""Bytes of each column, in order; text is padded with blanks on its right."""


def places() -> list[dict[str, object]]:
    """Return the columns as a source definition has them: positions count from 1."""
    found, start = [], 1
    for name, width in WIDTHS.items():
        found.append({"name": name, "start": start, "width": width})
        start += width
    return found


def write_fixed(directory: Path, files: Sequence[Path]) -> list[Path]:
    """Write each CSV file of `write_telephony` (without bad records) as `NAME.dat`; return the paths."""
    directory.mkdir(parents=True, exist_ok=True)
    written = []
    for path in files:
        table = pl.read_csv(path, columns=list(WIDTHS), infer_schema=False, quote_char=None).select(list(WIDTHS))
        too_long = [name for name, width in WIDTHS.items() if (table[name].str.len_bytes().max() or 0) > width]  # type: ignore[operator]
        if too_long:
            raise ValueError(f"{path.name}: longer than their columns: {', '.join(too_long)}")
        lines = table.select(
            pl.concat_str(pl.col(name).fill_null("").str.pad_end(width) for name, width in WIDTHS.items())
        )
        text = io.BytesIO()
        lines.write_csv(text, include_header=False, quote_style="never")
        target = directory / f"{path.stem}.dat"
        write_atomically(target, [text.getvalue()])
        written.append(target)
    return written
