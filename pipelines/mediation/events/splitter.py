"""Blocks of JSON records: find them, and the values of configured paths in them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipelines.mediation.blocks import ROWS_MAX
from pipelines.mediation.events.frame import Frame
from pipelines.mediation.events.paths import PathTree
from pipelines.mediation.extract import PADDING, FieldMatrix, Survey, copy_padded, offsets, survey
from pipelines.mediation.kernels.json_lines import check_envelope, find_lines
from pipelines.mediation.kernels.json_objects import SCRATCH_BYTES, walk_objects
from pipelines.mediation.kernels.json_text import unescape_strings
from pipelines.mediation.text import refuse_bytes
from schemas.arrays import Int32Array, Int64Array, UInt8Array

NEWLINE = 10


@dataclass(frozen=True, slots=True)
class Envelope:
    """What CloudEvents demand: `version` is the slot of `specversion`, `required` (4,) the slots of required attributes."""

    version: int
    required: Int32Array


@dataclass(frozen=True, slots=True)
class JsonSplitter:
    """Splits the records of one file.

    Attributes:
        fields: how many fields a matrix has.
        bytes_max: longest record accepted.
        frame: where records are; None when they are lines.
    """

    fields: int
    paths: PathTree
    envelope: Envelope | None
    bytes_max: int
    frame: Frame | None

    def split(self, buffer: UInt8Array, size: int, *, final: bool) -> tuple[FieldMatrix, int]:
        """Return the complete records of a buffer, and how many bytes they take.

        Raises:
            UnableToDecodeFile: when a document is broken outside of its records.
        """
        seen = survey(buffer, size)
        buffer[size : size + PADDING] = NEWLINE
        ended = final and size > 0 and buffer[size - 1] != NEWLINE
        size += ended
        rows_max = min(ROWS_MAX, size // 2 + 1)
        raw_start, raw_end = np.empty(rows_max, np.int64), np.empty(rows_max, np.int64)
        rows, consumed = self._find(buffer, size, raw_start, raw_end, final=final)
        start, end = offsets(self.fields, rows), offsets(self.fields, rows)
        matrix = FieldMatrix(
            raw=buffer[:size],
            raw_start=raw_start[:rows],
            raw_end=raw_end[:rows],
            text=buffer[:size],
            start=start,
            end=end,
            reason=np.empty(rows, np.uint16),
            columns=self.fields,
        )
        self._walk(matrix, seen)
        return matrix, consumed

    def skip(self, buffer: UInt8Array, size: int, state: int) -> tuple[int, int]:
        """Look for the end of a record too long to hold.

        Raises:
            UnableToDecodeFile: when a document is broken there.
        """
        if self.frame is None:
            return buffer[:size].tobytes().find(b"\n") + 1 or -1, state
        if len(buffer) < size + PADDING:
            buffer = copy_padded(buffer[:size], 0)
        rows, consumed = self.frame.find(buffer, size, np.empty(1, np.int64), np.empty(1, np.int64), hold=False)
        return consumed if rows else -1, state

    def _find(
        self, buffer: UInt8Array, size: int, raw_start: Int64Array, raw_end: Int64Array, *, final: bool
    ) -> tuple[int, int]:
        if self.frame is None:
            rows, consumed = find_lines(buffer, size, raw_start, raw_end)
            return rows, consumed
        rows, consumed = self.frame.find(buffer, size, raw_start, raw_end, hold=True)
        if final and rows < len(raw_start):
            if consumed < size:
                self.frame.find(buffer[consumed:], size - consumed, raw_start[rows:], raw_end[rows:], hold=False)
            self.frame.finish()
        return rows, consumed

    def _walk(self, matrix: FieldMatrix, seen: Survey) -> None:
        paths = self.paths
        escapes = walk_objects(
            matrix.raw,
            matrix.raw_start,
            matrix.raw_end,
            paths.keys,
            paths.names,
            paths.node_slot,
            paths.covers,
            paths.item_ptr,
            paths.item_node,
            np.zeros(SCRATCH_BYTES, np.uint8),
            matrix.start,
            matrix.end,
            matrix.reason,
        )
        refuse_bytes(matrix, bytes_max=self.bytes_max, seen=seen)
        if escapes:
            matrix.text = copy_padded(matrix.raw, 0)
            for slot in range(self.fields):
                unescape_strings(matrix.text, *matrix.column(slot))
        if self.envelope is not None:
            version, required = self.envelope.version, self.envelope.required
            check_envelope(matrix.raw, matrix.text, matrix.start, matrix.end, version, required, matrix.reason)
