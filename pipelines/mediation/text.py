"""Bytes to text, for the formats that are text: what the head of a file shows, which records are refused, which are UTF-8."""

from __future__ import annotations

from typing import BinaryIO

import numpy as np

from pipelines.mediation.blocks import read_into
from pipelines.mediation.extract import FieldMatrix, Survey, copy_padded
from pipelines.mediation.failures import UnableToDecodeFile
from pipelines.mediation.kernels import encoding, fields
from schemas.source import DelimitedSource, FixedWidthSource

UTF8_MARK = b"\xef\xbb\xbf"
OTHER_MARKS = {b"\xff\xfe": "UTF-16 (or UTF-32)", b"\xfe\xff": "UTF-16", b"\x00\x00\xfe\xff": "UTF-32"}
HEAD_BYTES = 65_536
SAMPLE_BYTES = 256
NUL_SHARE = 4
"""A quarter of NUL bytes at the start of a file means UTF-16 or no text at all."""


def read_head(stream: BinaryIO, source: DelimitedSource | FixedWidthSource) -> bytes:
    """Return the first bytes of the file, without a UTF-8 byte order mark; empty for an empty file.

    Raises:
        UnableToDecodeFile: WRONG_ENCODING when they show another encoding than the source's.
    """
    buffer = np.empty(HEAD_BYTES, np.uint8)
    head = buffer[: read_into(stream, buffer, 0, HEAD_BYTES)].tobytes()
    for mark, name in OTHER_MARKS.items():
        if head.startswith(mark):
            raise UnableToDecodeFile("WRONG_ENCODING", f"the file is {name}, not {source.encoding}")
    sample = head[:SAMPLE_BYTES]
    if len(sample) >= NUL_SHARE and sample.count(0) * NUL_SHARE >= len(sample):
        raise UnableToDecodeFile("WRONG_ENCODING", f"the file begins with NUL bytes: not {source.encoding} text")
    if not head.startswith(UTF8_MARK):
        return head
    if source.encoding != "utf-8":
        raise UnableToDecodeFile("WRONG_ENCODING", f"the file is marked as UTF-8, the source says {source.encoding}")
    return head[len(UTF8_MARK) :]


def refuse_bytes(matrix: FieldMatrix, *, bytes_max: int, seen: Survey | None, utf8: bool = True) -> None:
    """Refuse the records that are too long and, where their bytes were surveyed, hold a NUL or are not UTF-8."""
    check = 0 if seen is None else encoding.HAS_NUL * seen.nul + encoding.HAS_HIGH * (seen.high and utf8)
    encoding.refuse_bytes(
        matrix.raw,
        bytes_max,
        np.empty(0, np.uint8) if seen is None else seen.suspects,
        check,
        matrix.raw_start,
        matrix.raw_end,
        matrix.start,
        matrix.end,
        matrix.reason,
    )


def to_utf8(matrix: FieldMatrix) -> None:
    """Transcode the ISO 8859-1 fields of a matrix that hold bytes from 0x80 on."""
    columns = [matrix.column(slot) for slot in range(len(matrix.start))]
    growth = sum(encoding.latin1_growth(matrix.text, *column) for column in columns)
    out = len(matrix.text)
    matrix.text = copy_padded(matrix.text, growth)
    for column in columns:
        out = encoding.latin1_to_utf8(matrix.text, *column, out)


def blank_nulls(matrix: FieldMatrix, null: str | None) -> None:
    """Make the fields empty that hold `null`, a source's word for nothing."""
    if null:
        word = np.frombuffer(bytearray(null.encode()), np.uint8)
        for slot in range(len(matrix.start)):
            fields.blank_nulls(matrix.text, *matrix.column(slot), word)
