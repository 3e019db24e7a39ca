r"""Decode CloudEvents: one JSON object per line, required attributes, fields by dotted path, CDRs.

Values of mapped paths may be strings or numbers; null, objects and arrays count as absent. Of duplicate keys the last
wins. A NUL (even as `\u0000`) and an unpaired surrogate anywhere in the event refuse it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import BinaryIO

import numpy as np

from pipelines.mediation.blocks import ROWS_MAX, read_into, split_blocks
from pipelines.mediation.context import DecodeContext
from pipelines.mediation.events.paths import PathTree, compile_paths
from pipelines.mediation.explain import describe_record
from pipelines.mediation.extract import PADDING, DecodedBlock, FieldMatrix, copy_padded, extract, offsets, survey
from pipelines.mediation.failures import UnableToCompileSource, UnableToDecodeFile
from pipelines.mediation.kernels.json_lines import DEPTH_MAX, SCRATCH_BYTES, check_envelope, walk_lines
from pipelines.mediation.kernels.json_text import unescape_strings
from pipelines.mediation.plan import MappingPlan, compile_mapping
from pipelines.mediation.text import refuse_bytes
from schemas.arrays import Int32Array, UInt8Array
from schemas.cdr import BlockPosition
from schemas.source import CloudEventsSource

NEWLINE = 10
VERSION = "specversion"
REQUIRED = (VERSION, "id", "source", "type")
IDENTITY = ("source", "id")
UTF8_MARK = b"\xef\xbb\xbf"
HEAD_BYTES = 256


@dataclass(frozen=True, slots=True)
class CloudEventsDecoder:
    """A compiled CloudEvents source.

    Attributes:
        version: slot of `specversion`; required: (4,) slots of the required attributes.
    """

    source: CloudEventsSource
    plan: MappingPlan
    paths: PathTree
    version: int
    required: Int32Array

    @property
    def fields(self) -> int:
        """How many fields a matrix has."""
        return len(self.plan.fields)

    @property
    def field_names(self) -> tuple[str, ...]:
        """The name of each field of a matrix."""
        return self.plan.fields

    def check(self, stream: BinaryIO) -> None:
        """Check that a file, given from its first byte, is not in another encoding."""
        read_head(stream)

    def decode(self, stream: BinaryIO, *, claim: int, block_bytes: int) -> Iterator[DecodedBlock]:
        """Yield the CDRs of a file, given from its first byte."""
        head = read_head(stream)
        blocks = split_blocks(
            stream, self, carried=head, block_bytes=block_bytes, record_bytes_max=self.source.record_bytes_max
        )
        record = 0
        for number, matrix in enumerate(blocks):
            yield extract(self.plan, matrix, BlockPosition(claim, number, record))
            record += len(matrix)

    def describe(self, block: DecodedBlock, row: int) -> str:
        """Return what is wrong with one record."""
        return describe_record(self.source, self.plan, block, row)

    def split(self, buffer: UInt8Array, size: int, *, final: bool) -> tuple[FieldMatrix, int]:
        """Return the complete lines of a buffer as records, and how many bytes they take."""
        high, nul, _ = survey(buffer, size)
        buffer[size : size + PADDING] = NEWLINE
        if final and size and buffer[size - 1] != NEWLINE:
            size += 1
        rows_max = min(ROWS_MAX, size // 2 + 1)
        start, end = offsets(self.fields, rows_max), offsets(self.fields, rows_max)
        raw_start, raw_end = np.empty(rows_max, np.int64), np.empty(rows_max, np.int64)
        reason = np.empty(rows_max, np.uint16)
        paths = self.paths
        rows, consumed, escapes = walk_lines(
            buffer,
            size,
            paths.keys,
            paths.names,
            paths.node_slot,
            paths.covers,
            np.zeros(SCRATCH_BYTES, np.uint8),
            np.full(len(paths.node_slot), -1, np.int64),
            np.zeros(DEPTH_MAX + 1, np.int64),
            start,
            end,
            raw_start,
            raw_end,
            reason,
        )
        matrix = FieldMatrix(
            buffer[:size], raw_start[:rows], raw_end[:rows], buffer[:size], start, end, reason[:rows], self.fields
        )
        self._finish(matrix, high=high, nul=nul, escaped=escapes > 0)
        return matrix, consumed

    def skip(self, buffer: UInt8Array, size: int, state: int) -> tuple[int, int]:
        """Look for the end of a line too long to hold."""
        return buffer[:size].tobytes().find(b"\n") + 1 or -1, state

    def _finish(self, matrix: FieldMatrix, *, high: bool, nul: bool, escaped: bool) -> None:
        refuse_bytes(matrix, bytes_max=self.source.record_bytes_max, nul=nul, utf8=high)
        if escaped:
            matrix.text = copy_padded(matrix.raw, 0)
            for slot in range(self.fields):
                unescape_strings(matrix.text, *matrix.column(slot))
        check_envelope(matrix.raw, matrix.text, matrix.start, matrix.end, self.version, self.required, matrix.reason)


def read_head(stream: BinaryIO) -> bytes:
    """Return the first bytes of a file without a UTF-8 byte order mark.

    Raises:
        UnableToDecodeFile: WRONG_ENCODING when the file is UTF-16 or UTF-32: JSON Lines are UTF-8.
    """
    buffer = np.empty(HEAD_BYTES, np.uint8)
    head = buffer[: read_into(stream, buffer, 0, HEAD_BYTES)].tobytes()
    if head.startswith((b"\xff\xfe", b"\xfe\xff")) or (len(head) >= 4 and head.count(0) * 4 >= len(head)):
        raise UnableToDecodeFile("WRONG_ENCODING", "the file is not UTF-8 text")
    return head.removeprefix(UTF8_MARK)


def make_cloudevents(context: DecodeContext, source: CloudEventsSource) -> CloudEventsDecoder:
    """Return the decoder of a CloudEvents source.

    Raises:
        UnableToCompileSource: when the definition contradicts itself or the catalog.
    """
    if set(source.mapping.identity) != set(IDENTITY):
        raise UnableToCompileSource("identity: a CloudEvent is always identified by `source` and `id`; write both")
    mapping = source.mapping.model_copy(update={"identity": IDENTITY})
    plan = compile_mapping(context, mapping, extra_fields=REQUIRED)
    required = [plan.fields.index(name) for name in REQUIRED]
    plan = replace(plan, required=tuple(dict.fromkeys((*required, *plan.required))))
    version = plan.fields.index(VERSION)
    return CloudEventsDecoder(source, plan, compile_paths(plan.fields), version, np.array(required, np.int32))
