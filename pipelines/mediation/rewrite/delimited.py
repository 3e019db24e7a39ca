"""Delimited records with some fields replaced: every other byte stays as it was."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipelines.mediation.rewrite.failures import UnableToRewrite, UnableToRewriteRecord
from schemas.source import DelimitedSource

QUOTE = b'"'


@dataclass(frozen=True, slots=True)
class DelimitedRewriter:
    """Replaces fields of the records of one file.

    Attributes:
        columns: the names of the file's columns in order. values: column number -> its new text, encoded and quoted.
    """

    source: DelimitedSource
    columns: tuple[str, ...]
    values: Mapping[int, bytes]

    def record(self, raw: bytes) -> bytes:
        """Return a record with the new values; columns that it lacks at its end are added, empty.

        Raises:
            UnableToRewriteRecord: when it does not have the columns that the source says.
        """
        source, delimiter = self.source, self.source.delimiter.encode()
        line = raw.removesuffix(b"\n").removesuffix(b"\r")
        if source.quoting == "none":
            most = len(self.columns) - 1 if source.rest else -1
            fields = line.split(delimiter, most)
        else:
            fields = _split_quoted(line, delimiter)
        fewest = min(source.columns_min or len(self.columns), len(self.columns))
        if not fewest <= len(fields) <= len(self.columns):
            least = "" if source.columns_min is None else f"{fewest} to "
            told = f"it has {len(fields)} fields instead of {least}{len(self.columns)}: which is which is not known"
            raise UnableToRewriteRecord(told)
        fields += [b""] * (max(self.values) + 1 - len(fields))
        for place, value in self.values.items():
            fields[place] = value
        return delimiter.join(fields)

    def file(self, records: Sequence[bytes]) -> bytes:
        """Return a file of records, under the header of the file that they came in."""
        header = [encoded(self.source, name, name, last=False) for name in self.columns] if self.source.header else []
        lines = [self.source.delimiter.encode().join(header)] if header else []
        return b"".join(line + b"\n" for line in (*lines, *records))


def _split_quoted(line: bytes, delimiter: bytes) -> list[bytes]:
    """Return the fields of a record with their quotes; a quote opens one only as its first byte."""
    fields: list[bytes] = []
    at = 0
    while True:
        end = _after_quotes(line, at) if line.startswith(QUOTE, at) else line.find(delimiter, at)
        end = len(line) if end < 0 else end
        fields.append(line[at:end])
        if end == len(line):
            return fields
        if not line.startswith(delimiter, end):
            raise UnableToRewriteRecord(f"something follows the closing quote of its field {len(fields)}")
        at = end + 1


def _after_quotes(line: bytes, at: int) -> int:
    """Return where the quoted field that begins at `at` ends, behind its closing quote."""
    close = line.find(QUOTE, at + 1)
    while close >= 0 and line.startswith(QUOTE, close + 1):
        close = line.find(QUOTE, close + 2)
    if close < 0:
        raise UnableToRewriteRecord("a quoted field does not end")
    return close + 1


def encoded(source: DelimitedSource, name: str, value: str, *, last: bool) -> bytes:
    """Return the bytes of a field, quoted where it has to be.

    Args:
        source: the source definition. name: the field. value: its text.
        last: whether it is the last column, which with `rest` holds delimiters.

    Raises:
        UnableToRewrite: when no record of the source can hold it.
    """
    try:
        data = value.encode(source.encoding)
    except UnicodeEncodeError:
        raise UnableToRewrite(f"{name}: {value!r} cannot be written in {source.encoding}") from None
    if b"\x00" in data:
        raise UnableToRewrite(f"{name}: a field cannot hold a NUL byte")
    breaks = b"\r" in data or b"\n" in data
    divides = source.delimiter.encode() in data
    if source.quoting == "none":
        if breaks or (divides and not (source.rest and last)):
            what = "a line end" if breaks else f"the delimiter {source.delimiter!r}"
            raise UnableToRewrite(f"{name}: {value!r} holds {what}, and the source has no quotes (`quoting: none`)")
        return data
    return QUOTE + data.replace(QUOTE, QUOTE * 2) + QUOTE if breaks or divides or QUOTE in data else data


def delimited_rewriter(
    source: DelimitedSource, columns: tuple[str, ...], values: Mapping[str, str]
) -> DelimitedRewriter:
    """Return what replaces `values` in the records of a file that has these columns.

    Raises:
        UnableToRewrite: when a value fits in no record.
    """
    return DelimitedRewriter(
        source,
        columns,
        {columns.index(name): encoded(source, name, value, last=name == columns[-1]) for name, value in values.items()},
    )
