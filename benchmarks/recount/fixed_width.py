"""Recount of lines of fixed width in ASCII, such as `benchmarks.generate.fixed` writes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from benchmarks.recount.delimited import Reader
from benchmarks.recount.rules import Rules
from benchmarks.recount.stages import Decoded


def decode_fixed_width(files: Sequence[Path], rules: Rules, *, source: str) -> Decoded:
    """Return what a source definition makes of files of fixed-width lines, read in the given order."""
    reader = _FixedReader(rules, rules.sources[source])
    frames = [reader.read(path) for path in files]
    return Decoded(pl.concat(frames), tuple(reader.attributes), reader.records, reader.filtered, reader.rejected)


class _FixedReader(Reader):
    """Cuts each line where the definition says."""

    def __init__(self, rules: Rules, source: Any) -> None:
        super().__init__(rules, source)
        self._places = [(column["name"], column["start"] - 1, column["width"]) for column in source["columns"]]

    def _table(self, data: bytes) -> pl.DataFrame:
        lines = pl.Series("line", data.decode("ascii").splitlines())
        self.records += len(lines)
        line = pl.col("line")
        return lines.to_frame().select(
            line.str.slice(start, width).str.strip_chars(" ").alias(name) for name, start, width in self._places
        )
