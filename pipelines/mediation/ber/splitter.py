"""Cut a stream of BER records into blocks, and check beforehand that every record has an end.

The contract for formats that build on it:

* Write the specification's types as data (`ber.tags`) and the kinds of records by name (`RecordKind`).
* `compile_tags(records, plan.fields, wanted=…, each=…)` gives the tree; field number i is slot i of the mapping plan.
* `BerSplitter(tree, record_bytes_max)` is a `blocks.Splitter`: `split_blocks(stream, splitter, carried=b"", …)` yields
  matrices whose text is the fields *rendered* (`Kind`), ready for `extract`.
* `check_records(stream, record_bytes_max)` reads a stream to its end beforehand, counts its records, and raises
  MALFORMED_BER when a record has no end: nothing behind it could be trusted.

A record stands for itself: its tag, its length and its contents, back to back; octets 0x00 and 0xFF between records are
padding. With `framed`, each has a CDR header of 3GPP TS 32.297 before it, and nothing is between them. A record of an
unknown kind, or with broken contents, is one MALFORMED_RECORD; one that the source leaves out is one FILTERED_BY_SOURCE; one
that is too long is RECORD_TOO_LONG. All others give one row, or one for each element of the lists that open rows, with all of
the record as raw bytes. What no field lies in is stepped over by its length.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

from pipelines.mediation.ber.tree import TagTree
from pipelines.mediation.blocks import ROWS_MAX, read_into
from pipelines.mediation.extract import PADDING, FieldMatrix, offsets
from pipelines.mediation.failures import UnableToDecodeFile
from pipelines.mediation.kernels.ber import (
    CDR_HEADER_BYTES,
    DEPTH_MAX,
    INCOMPLETE,
    LEVELS_MAX,
    OTHER_FORMAT,
    cdr_frame,
    count_records,
    read_header,
    walk_records,
)
from pipelines.mediation.kernels.ber_text import render
from schemas.arrays import UInt8Array
from schemas.rejection import Reason

CHECK_BYTES = 1 << 20
FRAME_BYTES = CDR_HEADER_BYTES + 1 + 0xFFFF
"""Longest CDR with its header."""


def malformed(offset: int, why: str) -> UnableToDecodeFile:
    """Return the refusal of a file whose records cannot be told apart from `offset` on."""
    return UnableToDecodeFile("MALFORMED_BER", f"{why} at byte {offset}: what follows cannot be told apart")


@dataclass(frozen=True, slots=True)
class BerSplitter:
    """Splits the records of one file, which `check_records` has passed; `framed`: each has a CDR header."""

    tree: TagTree
    record_bytes_max: int
    framed: bool = False

    @property
    def fields(self) -> int:
        """How many fields a matrix has."""
        return self.tree.fields

    def split(self, buffer: UInt8Array, size: int, *, final: bool) -> tuple[FieldMatrix, int]:
        """Return the complete records of a buffer, and how many bytes they take.

        Raises:
            UnableToDecodeFile: MALFORMED_BER, when the file was not checked, or changed since.
        """
        tree = self.tree
        rows_max = min(ROWS_MAX, size // 2 + 1)
        start, end = offsets(tree.fields, rows_max), offsets(tree.fields, rows_max)
        kind = np.empty(start.shape, np.uint8)
        origin = np.empty((LEVELS_MAX, rows_max), np.int32)
        choice = np.empty(rows_max, np.int32)
        raw_start, raw_end = np.empty(rows_max, np.int64), np.empty(rows_max, np.int64)
        reason = np.empty(rows_max, np.uint16)
        rows, _, consumed, room, status = walk_records(
            buffer,
            size,
            self.record_bytes_max,
            self.framed,
            tree.base,
            tree.span,
            tree.table,
            tree.role,
            tree.level,
            tree.output,
            tree.out_slot,
            tree.out_kind,
            tree.slot_level,
            np.zeros((DEPTH_MAX + 1, 3), np.int64),
            start,
            end,
            kind,
            origin,
            choice,
            raw_start,
            raw_end,
            reason,
        )
        if status < 0 and (status != INCOMPLETE or final):
            raise malformed(consumed, "a record has no end")
        names = len(tree.names)
        text = np.zeros(names + room + PADDING, np.uint8)
        text[:names] = np.frombuffer(tree.names, np.uint8)
        render(
            buffer,
            rows,
            tree.slot_level,
            tree.slot_choice,
            kind,
            origin,
            choice,
            tree.name_start,
            tree.name_end,
            text,
            names,
            start,
            end,
        )
        matrix = FieldMatrix(
            raw=buffer[:size],
            raw_start=raw_start[:rows],
            raw_end=raw_end[:rows],
            text=text[: names + room],
            start=start,
            end=end,
            reason=reason[:rows],
            columns=tree.fields,
        )
        return matrix, consumed

    def skip(self, buffer: UInt8Array, size: int, state: int) -> tuple[int, int]:
        """Step over a record too long to hold; `state` is how much of it is to come.

        Raises:
            UnableToDecodeFile: when the file was not checked, or changed since.
        """
        if state == 0:
            state = _total(buffer, size, framed=self.framed)
            if state < 0:
                raise _endless(0)
        left = int(state) - size
        return (-1, left) if left > 0 else (int(state), 0)


def check_records(stream: BinaryIO, record_bytes_max: int, *, framed: bool = False) -> int:
    """Read a stream to its end and return how many records it holds; `framed`: each has a CDR header.

    Raises:
        UnableToDecodeFile: MALFORMED_BER when a record has no end; RECORD_TOO_LONG when one of indefinite length is longer
            than `record_bytes_max`: its end would have to be looked for without a bound; WRONG_ENCODING when a CDR header
            names another encoding.
    """
    capacity = max(CHECK_BYTES, record_bytes_max + PADDING)
    buffer = np.empty(capacity, np.uint8)
    offset = kept = records = 0
    while True:
        size = read_into(stream, buffer, kept, capacity)
        final = size < capacity
        found, consumed, status = count_records(buffer, size, record_bytes_max, framed)
        records += int(found)
        if status == OTHER_FORMAT:
            raise UnableToDecodeFile("WRONG_ENCODING", f"the CDR at byte {offset + consumed} is not in BER")
        if status < INCOMPLETE:
            raise malformed(offset + consumed, "there is no record")
        if status == Reason.RECORD_TOO_LONG:
            raise _endless(offset + consumed)
        if status == INCOMPLETE and final:
            raise malformed(offset + consumed, "the file ends within the record")
        if status == INCOMPLETE and consumed == 0:
            total = _total(buffer, size, framed=framed)
            if total < 0:
                raise _endless(offset)
            _step_over(stream, total - size, offset)
            records, offset, kept = records + 1, offset + total, 0
            continue
        offset += consumed
        kept = size - consumed
        buffer[:kept] = buffer[consumed:size]
        if final:
            return records


def _endless(offset: int) -> UnableToDecodeFile:
    message = f"the record at byte {offset} has an indefinite length and is longer than record_bytes_max"
    return UnableToDecodeFile("RECORD_TOO_LONG", message)


def _total(buffer: UInt8Array, size: int, *, framed: bool) -> int:
    """Return the length of the record that begins a buffer and does not fit, -1 when it does not say."""
    if framed:
        return int(cdr_frame(buffer, 0, size + FRAME_BYTES)[1])
    _, _, start, length = read_header(buffer, 0, size)
    return int(start + length) if length >= 0 else -1


def _step_over(stream: BinaryIO, left: int, offset: int) -> None:
    """Read on over `left` bytes of the record at `offset`."""
    rest = np.empty(min(left, CHECK_BYTES), np.uint8)
    while left > 0:
        count = read_into(stream, rest, 0, min(left, len(rest)))
        if count == 0:
            raise malformed(offset, "the file ends within the record")
        left -= count
