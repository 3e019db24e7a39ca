"""Records of fixed places with some fields replaced: every other byte stays as it was."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipelines.mediation.rewrite.failures import UnableToRewrite, UnableToRewriteRecord
from schemas.source import FixedColumn, FixedWidthSource, HeaderRecords

BLANK = b" "
EDGE_TEXT = b"CORRECTED RECORDS"
"""What stands in a header or trailer of which the source knows only how many records it has."""


@dataclass(frozen=True, slots=True)
class FixedWidthRewriter:
    """Replaces fields of records.

    Attributes:
        values: (offset, bytes) of each new field, as wide as its column.
    """

    source: FixedWidthSource
    values: tuple[tuple[int, bytes], ...]

    def record(self, raw: bytes) -> bytes:
        """Return a record with the new values.

        Raises:
            UnableToRewriteRecord: when it is not as long as the source says.
        """
        source = self.source
        line = raw.removesuffix(b"\n").removesuffix(b"\r") if source.lines else raw
        exact = source.record_bytes
        if len(line) < source.reach or (exact is not None and len(line) != exact):
            expected = f"{exact}" if exact is not None else f"at least {source.reach}"
            raise UnableToRewriteRecord(
                f"it has {len(line)} bytes instead of {expected}: no field stands where it should"
            )
        changed = bytearray(line)
        for offset, value in self.values:
            changed[offset : offset + len(value)] = value
        return bytes(changed)

    def file(self, records: Sequence[bytes]) -> bytes:
        """Return a file of records, with the header and the trailer that the source demands.

        Raises:
            UnableToRewrite: when the trailer has no room for the number of records.
        """
        source = self.source
        lines = [*self._edge(source.header), *records, *self._edge(source.trailer)]
        counted = None if source.trailer is None else source.trailer.record_count
        if counted is not None:
            number = f"{len(records):0{counted.width}}".encode()
            if len(number) > counted.width:
                raise UnableToRewrite(
                    f"the trailer counts in {counted.width} digits: select at most {10**counted.width - 1}"
                )
            lines[-1] = _with(lines[-1].ljust(counted.end), counted.start - 1, number)
        return b"".join(line + b"\n" for line in lines) if source.lines else b"".join(lines)

    def _edge(self, edge: HeaderRecords | None) -> list[bytes]:
        """Return the records of a header or trailer."""
        if edge is None:
            return []
        text = EDGE_TEXT if edge.prefix is None else edge.prefix.encode(self.source.encoding)
        length = self.source.record_bytes
        return [text if length is None else text[:length].ljust(length)] * (edge.count or 1)


def _with(record: bytes, offset: int, value: bytes) -> bytes:
    return record[:offset] + value + record[offset + len(value) :]


def _padded(source: FixedWidthSource, column: FixedColumn, value: str) -> bytes:
    name = column.name
    try:
        data = value.encode(source.encoding)
    except UnicodeEncodeError:
        raise UnableToRewrite(f"{name}: {value!r} cannot be written in {source.encoding}") from None
    if b"\x00" in data or (source.lines and (b"\n" in data or b"\r" in data)):
        raise UnableToRewrite(f"{name}: a field can hold neither a NUL byte nor a line end")
    if len(data) > column.width:
        raise UnableToRewrite(f"{name}: {value!r} has {len(data)} bytes, the column {column.width}")
    if len(data) < column.width and source.trim == "none":
        told = f"{name}: {value!r} has {len(data)} bytes, the column {column.width}, and blanks count (`trim: none`)"
        raise UnableToRewrite(told)
    return data.rjust(column.width, BLANK) if source.trim == "left" else data.ljust(column.width, BLANK)


def fixed_width_rewriter(source: FixedWidthSource, values: Mapping[str, str]) -> FixedWidthRewriter:
    """Return what replaces `values` in records of a source.

    Raises:
        UnableToRewrite: when a value fits in no record.
    """
    columns = {column.name: column for column in source.columns}
    return FixedWidthRewriter(
        source,
        tuple((columns[name].start - 1, _padded(source, columns[name], value)) for name, value in values.items()),
    )
