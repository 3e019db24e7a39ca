"""Recount of delimited text without quoted fields, such as `benchmarks.generate.telephony` writes."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from benchmarks.recount.fields import read_instant, read_quantity
from benchmarks.recount.result import Recount
from benchmarks.recount.rules import Rules, read_rules
from benchmarks.recount.stages import Decoded, recount_events

_SEPARATOR = "\x1f"


def recount_telephony(files: Sequence[Path], catalog: Path, *, source: str = "telephony", parts: int = 1) -> Recount:
    """Recount delimited files, read in the given order, with the source definition `source` of a catalog directory.

    Args:
        parts: into how many the access points are shared out. All files are read for each, so that memory suffices: no record
            of one access point matters to another's, where each has an account and identities of its own.
    """
    rules = read_rules(catalog)
    each = (decode_delimited(files, rules, source=source, part=(part, parts)) for part in range(parts))
    return sum((recount_events(decoded, rules) for decoded in each), Recount())


def decode_delimited(files: Sequence[Path], rules: Rules, *, source: str, part: tuple[int, int] = (0, 1)) -> Decoded:
    """Return what a source definition makes of delimited files, read in the given order; of one of so many parts of them."""
    reader = Reader(rules, rules.sources[source], part)
    frames = [reader.read(path) for path in files]
    return Decoded(pl.concat(frames), tuple(reader.attributes), reader.records, reader.filtered, reader.rejected)


class Reader:
    """Reads files with one source definition, and counts what it refuses."""

    def __init__(self, rules: Rules, source: Any, part: tuple[int, int] = (0, 1)) -> None:
        mapping = source["mapping"]
        self._part, self._parts = part
        self.attributes: dict[str, str] = mapping.get("attributes", {})
        self.records = 0
        self.filtered = 0
        self.rejected: Counter[str] = Counter()
        self._delimiter: str = source.get("delimiter", ",")
        self._identity: list[str] = mapping["identity"]
        self._access_point: str = mapping["access_point"]
        self._time: str = mapping["time"]["field"]
        self._zone: str | None = mapping["time"].get("zone")
        self._quantity: str = mapping["quantity"]["field"]
        self._type: str = mapping["event_type"]["field"]
        self._types: dict[str, str] = mapping["event_type"]["values"]
        self._filters: list[Any] = mapping.get("filters", [])
        unit = mapping["quantity"].get("unit")
        self._steps = {code: rules.units[unit or rules.event_units[code]] for code in self._types.values()}
        others = [self._access_point, self._time, self._quantity, self._type, *self.attributes.values()]
        self._columns = list(dict.fromkeys([*self._identity, *others, *(rule["field"] for rule in self._filters)]))

    def read(self, path: Path) -> pl.DataFrame:
        """Return the usable records of a file."""
        table = self._table(path.read_bytes()).fill_null("")
        if self._parts > 1:
            table = table.filter(pl.col(self._access_point).hash(seed=7) % self._parts == self._part)
        keep = pl.lit(value=True)
        for rule in self._filters:
            value = pl.col(rule["field"])
            keep = keep & (value.is_in(rule["keep"]) if rule.get("keep") else ~value.is_in(rule["drop"]))
        self.filtered += int(table.select((~keep).sum()).item())
        table = table.filter(keep)
        decoded = table.select(*self._decoded(table.columns))
        needed = ["identity", "event_at", "quantity", "event_type"]
        good = pl.all_horizontal(pl.col(name).is_not_null() for name in needed)
        good = good & (pl.col("access_point") != "") & (pl.col("identity").str.strip_chars(_SEPARATOR) != "")
        odd = decoded.select((~good).fill_null(value=True)).to_series()
        for row in table.filter(odd).iter_rows(named=True):
            self.rejected[self._objection(row)] += 1
        return decoded.filter(~odd)

    def _table(self, data: bytes) -> pl.DataFrame:
        """Return the columns that the mapping names, as text."""
        text = io.BytesIO(self._well_formed(data))
        return pl.read_csv(text, separator=self._delimiter, columns=self._columns, infer_schema=False, quote_char=None)

    def _well_formed(self, data: bytes) -> bytes:
        """Return the file without the lines that are no records, which are counted, with the first part."""
        if self._part:
            counted = self.records, self.rejected.copy()
            try:
                return self._without_others(data)
            finally:
                self.records, self.rejected = counted
        return self._without_others(data)

    def _without_others(self, data: bytes) -> bytes:
        self.records += data.count(b"\n") - 1 + (not data.endswith(b"\n"))
        if b"\0" in data or not _is_utf8(data):
            lines = data.split(b"\n")
            self.rejected["NUL_BYTE"] += sum(b"\0" in line for line in lines)
            lines = [line for line in lines if b"\0" not in line]
            self.rejected["INVALID_ENCODING"] += sum(not _is_utf8(line) for line in lines)
            data = b"\n".join(line for line in lines if _is_utf8(line))
        octets = np.frombuffer(data, np.uint8)
        ends = np.flatnonzero(octets == ord("\n"))
        separators = np.flatnonzero(octets == ord(self._delimiter))
        per_line = np.diff(np.searchsorted(separators, ends), prepend=0)
        wrong = np.flatnonzero(per_line != per_line[0])
        if len(wrong):
            self.rejected["FIELD_COUNT"] += len(wrong)
            starts = np.concatenate([[0], ends[:-1] + 1])
            kept, position = [], 0
            for line in wrong:
                kept.append(data[position : starts[line]])
                position = ends[line] + 1
            data = b"".join([*kept, data[position:]])
        return data

    def _decoded(self, columns: list[str]) -> list[pl.Expr]:
        identity = pl.col(self._identity[0])
        if len(self._identity) > 1:
            identity = pl.concat_str(self._identity, separator=_SEPARATOR)
        event_type = pl.col(self._type).replace_strict(self._types, default=None, return_dtype=pl.Categorical)
        steps = pl.col(self._type).replace_strict(
            {value: self._steps[code] for value, code in self._types.items()}, default=None, return_dtype=pl.Int64
        )
        quantity = pl.col(self._quantity).cast(pl.Int64, strict=False)
        instant = pl.col(self._time).str.to_datetime("%Y-%m-%dT%H:%M:%SZ", time_unit="us", strict=False, exact=True)
        return [
            identity.alias("identity"),
            pl.col(self._access_point).alias("access_point"),
            instant.cast(pl.Int64).alias("event_at"),
            pl.when(quantity >= 0).then(quantity * steps).alias("quantity"),
            event_type.alias("event_type"),
            *(pl.col(name).cast(pl.Categorical).alias(code) for code, name in self.attributes.items()),
        ]

    def _objection(self, row: dict[str, str]) -> str:
        """Return the first reason, in the order of the codes, why a record is refused."""
        if any(not row[name] for name in (self._access_point, self._time, self._quantity, self._type)):
            return "FIELD_MISSING"
        if not any(row[name] for name in self._identity):
            return "IDENTITY_MISSING"
        code = self._types.get(row[self._type])
        if code is None:
            return "UNKNOWN_EVENT_TYPE"
        answers = (read_instant(row[self._time], self._zone), read_quantity(row[self._quantity], self._steps[code]))
        for answer in answers:
            if isinstance(answer, str):
                return answer
        raise AssertionError(f"nothing is wrong with {row}, but the recount reads only the commonest forms")


def _is_utf8(data: bytes) -> bool:
    if data.isascii():
        return True
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
