"""Decode RADIUS accounting: packets back to back, packets in hexadecimal lines, or `detail` files of FreeRADIUS."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

from pipelines.mediation.blocks import ROWS_MAX, read_into, split_blocks
from pipelines.mediation.context import DecodeContext
from pipelines.mediation.explain import describe_record
from pipelines.mediation.extract import PADDING, DecodedBlock, FieldMatrix, copy_padded, extract, offsets, survey
from pipelines.mediation.failures import UnableToDecodeFile
from pipelines.mediation.kernels import radius, radius_detail
from pipelines.mediation.kernels.fixed_width import split_lines
from pipelines.mediation.plan import MappingPlan, compile_mapping
from pipelines.mediation.radius.attributes import FieldTable, compile_fields
from pipelines.mediation.text import refuse_bytes
from schemas.arrays import UInt8Array
from schemas.cdr import BlockPosition
from schemas.rejection import Reason
from schemas.source_radius import RadiusSource

NEWLINE = 10
HEAD_BYTES = 256
NUL_SHARE = 16
"""One NUL byte in sixteen at the start of a file: packets, or another encoding, not lines of text."""
PIECE_BYTES = 1 << 22
RECORD_BYTES_MIN = {"packets": radius.HEADER_BYTES, "hex": 2, "detail": 2}


@dataclass(frozen=True, slots=True)
class RadiusDecoder:
    """A compiled RADIUS source.

    Attributes:
        table: how its fields find their attributes.
    """

    source: RadiusSource
    plan: MappingPlan
    table: FieldTable

    @property
    def field_names(self) -> tuple[str, ...]:
        """The name of each field of a matrix."""
        return self.plan.fields

    def check(self, stream: BinaryIO) -> None:
        """Check that a file, given from its first byte, is what its layout says: packets to its end, or text."""
        if self.source.layout != "packets":
            read_head(stream)
            return
        buffer = np.empty(PIECE_BYTES, np.uint8)
        passed = carried = 0
        while True:
            size = read_into(stream, buffer, carried, PIECE_BYTES)
            consumed, sound = radius.pass_packets(buffer, size)
            final = size < PIECE_BYTES
            expect_packets(buffer, consumed, size, passed, sound=sound, whole=not final)
            if final:
                return
            passed, carried = passed + consumed, size - consumed
            buffer[:carried] = buffer[consumed:size].copy()

    def decode(self, stream: BinaryIO, *, claim: int, block_bytes: int) -> Iterator[DecodedBlock]:
        """Yield the CDRs of a file, given from its first byte."""
        head = b"" if self.source.layout == "packets" else read_head(stream)
        blocks = split_blocks(
            stream,
            RadiusSplitter(self),
            carried=head,
            block_bytes=block_bytes,
            record_bytes_max=self.source.record_bytes_max,
        )
        record = 0
        for number, matrix in enumerate(blocks):
            yield extract(self.plan, matrix, BlockPosition(claim, number, record))
            record += len(matrix)

    def describe(self, block: DecodedBlock, row: int) -> str:
        """Return what is wrong with one record."""
        if block.reason[row] == Reason.MALFORMED_RECORD:
            return explain_packet(self.source, block.raw[block.raw_start[row] : block.raw_end[row]].tobytes())
        if block.reason[row] == Reason.INVALID_ENCODING:
            return "an attribute that is text is not UTF-8"
        return describe_record(self.source, self.plan, block, row)


@dataclass(slots=True)
class RadiusSplitter:
    """Splits one file.

    Attributes:
        passed: how many bytes of the file are behind the buffer.
    """

    decoder: RadiusDecoder
    passed: int = 0

    @property
    def fields(self) -> int:
        """How many fields a matrix has."""
        return len(self.decoder.plan.fields)

    def split(self, buffer: UInt8Array, size: int, *, final: bool) -> tuple[FieldMatrix, int]:
        """Return the complete records of a buffer, and how many bytes they take."""
        layout = self.decoder.source.layout
        buffer[size : size + PADDING] = NEWLINE
        rows_max = min(ROWS_MAX, size // RECORD_BYTES_MIN[layout] + 1)
        raw_start, raw_end = np.empty(rows_max, np.int64), np.empty(rows_max, np.int64)
        reason = np.empty(rows_max, np.uint16)
        seen = survey(buffer, size)
        if layout == "packets":
            rows, consumed, sound = radius.split_packets(buffer, size, raw_start, raw_end, reason)
            whole = rows == rows_max or not final
            expect_packets(buffer, consumed, size, self.passed, sound=sound, whole=whole)
        elif layout == "hex":
            if final and size and buffer[size - 1] != NEWLINE:
                size += 1
            rows, consumed = split_lines(buffer, size, 0, size, raw_start, raw_end, reason)
        else:
            rows, consumed = radius_detail.split_details(buffer, size, final, raw_start, raw_end, reason)
        self.passed += consumed
        matrix = FieldMatrix(
            raw=buffer[:size],
            raw_start=raw_start[:rows],
            raw_end=raw_end[:rows],
            text=buffer[:size],
            start=offsets(self.fields, rows),
            end=offsets(self.fields, rows),
            reason=reason[:rows],
            columns=self.fields,
        )
        if layout != "packets":
            refuse_bytes(matrix, bytes_max=self.decoder.source.record_bytes_max, seen=seen)
        self._read(matrix)
        return matrix, consumed

    def skip(self, buffer: UInt8Array, size: int, state: int) -> tuple[int, int]:
        """Look for the end of a record too long to hold; `state` is 1 when the bytes before ended a line."""
        data = buffer[:size].tobytes()
        if self.decoder.source.layout == "hex":
            return data.find(b"\n") + 1 or -1, state
        if state and data[:1] not in (b" ", b"\t"):
            return 0, 0
        found = re.search(rb"\n(?=[^ \t])", data)
        return (found.end() if found else -1), int(data.endswith(b"\n"))

    def _read(self, matrix: FieldMatrix) -> None:
        """Find the fields of a matrix whose records are split."""
        table, rows = self.decoder.table, len(matrix)
        if self.decoder.source.layout == "detail":
            room = len(matrix.raw) + radius_detail.TEXT_PER_RECORD * rows
            matrix.text = copy_padded(matrix.raw, room)
            radius_detail.walk_details(
                matrix.text,
                len(matrix.raw),
                matrix.raw_start,
                matrix.raw_end,
                table.names,
                table.bounds,
                table.named,
                table.virtual,
                matrix.start,
                matrix.end,
                matrix.reason,
            )
            return
        packets, first, last = matrix.raw, matrix.raw_start, matrix.raw_end
        if self.decoder.source.layout == "hex":
            packets = np.empty(len(matrix.raw) // 2 + PADDING, np.uint8)
            first, last = np.empty(rows, np.int64), np.empty(rows, np.int64)
            radius.unhex(matrix.raw, matrix.raw_start, matrix.raw_end, packets, first, last, matrix.reason)
        room = 1 + radius.TEXT_PER_BYTE * len(packets) + radius.TEXT_PER_PACKET * rows
        text = np.empty(room + PADDING, np.uint8)
        matrix.text = text[:room]
        out = radius.walk_packets(
            packets,
            first,
            last,
            table.standard,
            table.entries,
            table.virtual,
            matrix.text,
            matrix.start,
            matrix.end,
            matrix.reason,
        )
        text[out : out + PADDING] = 0
        matrix.text = text[:out]


def expect_packets(buffer: UInt8Array, consumed: int, size: int, passed: int, *, sound: bool, whole: bool) -> None:
    """Refuse a file that is no packets, or ends within one.

    Args:
        buffer: what was split, `size` bytes of it; consumed: where the packet begins that was not taken.
        passed: how many bytes of the file are behind the buffer.
        sound: its length may be; whole: more follows.

    Raises:
        UnableToDecodeFile: MALFORMED_PACKET.
    """
    at = passed + consumed
    if not sound:
        length = int(buffer[consumed + 2]) << 8 | int(buffer[consumed + 3])
        raise UnableToDecodeFile("MALFORMED_PACKET", f"byte {at}: a RADIUS packet has 20 to 4096 bytes, not {length}")
    if not whole and consumed < size:
        message = f"byte {at}: the file ends within a packet, {size - consumed} bytes after its beginning"
        raise UnableToDecodeFile("MALFORMED_PACKET", message)


def explain_packet(source: RadiusSource, raw: bytes) -> str:
    """Return why a record is no Accounting-Request that can be read."""
    if source.layout == "detail":
        return "a line is not `name = value`" if raw.count(b"\n") else "it has no attributes"
    packet = raw
    if source.layout == "hex":
        try:
            packet = bytes.fromhex(raw.decode("ascii"))
        except ValueError:
            return "the line is not octets in hexadecimal"
    length = int.from_bytes(packet[2:4], "big")
    if len(packet) < radius.HEADER_BYTES or not radius.HEADER_BYTES <= length <= len(packet):
        return f"the packet says that it has {length} bytes, and has {len(packet)}"
    if packet[0] != radius.ACCOUNTING_REQUEST:
        return f"the packet's code is {packet[0]}, an Accounting-Request's is {radius.ACCOUNTING_REQUEST}"
    if length > radius.PACKET_BYTES_MAX:
        return f"the packet has {length} bytes, more than {radius.PACKET_BYTES_MAX}"
    return "an attribute does not fit the packet"


def read_head(stream: BinaryIO) -> bytes:
    """Return the first bytes of a file of text.

    Raises:
        UnableToDecodeFile: WRONG_ENCODING when they are no text in UTF-8 or ASCII.
    """
    buffer = np.empty(HEAD_BYTES, np.uint8)
    head = buffer[: read_into(stream, buffer, 0, HEAD_BYTES)].tobytes()
    if head.startswith((b"\xff\xfe", b"\xfe\xff")) or (len(head) >= 4 and head.count(0) * NUL_SHARE >= len(head)):
        raise UnableToDecodeFile("WRONG_ENCODING", "the file is not lines of text")
    return head.removeprefix(b"\xef\xbb\xbf")


def make_radius(context: DecodeContext, source: RadiusSource) -> RadiusDecoder:
    """Return the decoder of a RADIUS source.

    Raises:
        UnableToCompileSource: when the definition contradicts itself or the catalog.
    """
    plan = compile_mapping(context, source.mapping)
    return RadiusDecoder(source, plan, compile_fields(plan.fields, detail=source.layout == "detail"))
