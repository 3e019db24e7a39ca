"""Decode files of Diameter messages: accounting and credit control, as they were on the wire, one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

from pipelines.mediation.blocks import ROWS_MAX, read_into, split_blocks
from pipelines.mediation.context import DecodeContext
from pipelines.mediation.diameter.codes import Command, command_name
from pipelines.mediation.diameter.messages import HEADER_BYTES, UnableToReadMessage, decode_message
from pipelines.mediation.diameter.paths import AvpTree, compile_paths, name_bounds
from pipelines.mediation.explain import describe_record, raw_record
from pipelines.mediation.extract import PADDING, DecodedBlock, FieldMatrix, extract, offsets
from pipelines.mediation.failures import UnableToDecodeFile
from pipelines.mediation.kernels import diameter
from pipelines.mediation.plan import MappingPlan, compile_mapping
from schemas.arrays import Int64Array, UInt8Array
from schemas.cdr import BlockPosition
from schemas.rejection import Reason
from schemas.source_diameter import DiameterSource

PIECE_BYTES = 1 << 22
COMMANDS = {"ACR": Command.ACCOUNTING, "CCR": Command.CREDIT_CONTROL}
ROWS_MIN = diameter.ELEMENTS_MAX + 1


@dataclass(frozen=True, slots=True)
class DiameterDecoder:
    """A compiled source of Diameter messages."""

    source: DiameterSource
    plan: MappingPlan
    tree: AvpTree
    wanted: Int64Array

    @property
    def field_names(self) -> tuple[str, ...]:
        """The name of each field of a matrix."""
        return self.plan.fields

    def check(self, stream: BinaryIO) -> None:
        """Check that a file, given from its first byte, is messages to its end.

        Raises:
            UnableToDecodeFile: MALFORMED_PACKET.
        """
        buffer = np.empty(PIECE_BYTES, np.uint8)
        passed = kept = 0
        while True:
            size = read_into(stream, buffer, kept, PIECE_BYTES)
            final = size < PIECE_BYTES
            consumed, status, length = diameter.pass_messages(buffer, size)
            if status != diameter.WHOLE:
                raise _malformed(buffer, passed, consumed, size)
            if consumed == 0 and not final:  # one message is longer than the buffer: step over it
                left = length - size
                while left > 0:
                    count = read_into(stream, buffer, 0, min(left, PIECE_BYTES))
                    if count == 0:
                        raise _endless(passed)
                    left -= count
                passed, kept = passed + int(length), 0
                continue
            if final and consumed < size:
                raise _endless(passed + consumed)
            if final:
                return
            passed, kept = passed + consumed, size - consumed
            buffer[:kept] = buffer[consumed:size].copy()

    def decode(self, stream: BinaryIO, *, claim: int, block_bytes: int) -> Iterator[DecodedBlock]:
        """Yield the CDRs of a file, given from its first byte."""
        blocks = split_blocks(
            stream,
            DiameterSplitter(self),
            carried=b"",
            block_bytes=block_bytes,
            record_bytes_max=self.source.record_bytes_max,
        )
        record = 0
        for number, matrix in enumerate(blocks):
            yield extract(self.plan, matrix, BlockPosition(claim, number, record))
            record += len(matrix)

    def describe(self, block: DecodedBlock, row: int) -> str:
        """Return what is wrong with one record."""
        reason, raw = block.reason[row], raw_record(block, row)
        if reason == Reason.MALFORMED_RECORD:
            return _objection(raw)
        if reason == Reason.FILTERED_BY_SOURCE and (name := _name_of(raw)) not in self.source.messages:
            return f"the message is a {name}, which the source does not read"
        return describe_record(self.source, self.plan, block, row)


def _name_of(raw: bytes) -> str:
    word = int.from_bytes(raw[4:8])
    return command_name(word & 0xFFFFFF, request=bool(word >> 31))


def _objection(raw: bytes) -> str:
    """Return why the AVPs of a message cannot be read."""
    try:
        decode_message(raw, len(raw))
    except UnableToReadMessage as error:
        return str(error)
    return f"an AVP does not fit its group, or the message has more than {diameter.ELEMENTS_MAX} records"


def _malformed(buffer: UInt8Array, passed: int, consumed: int, size: int) -> UnableToDecodeFile:
    word = int.from_bytes(buffer[consumed : min(size, consumed + 4)].tobytes())
    told = f"a Diameter message has version 1 and {HEADER_BYTES} bytes or more, not version {word >> 24} and {word & 0xFFFFFF}"
    return UnableToDecodeFile("MALFORMED_PACKET", f"byte {passed + consumed}: {told}")


def _endless(at: int) -> UnableToDecodeFile:
    return UnableToDecodeFile("MALFORMED_PACKET", f"byte {at}: the file ends within a message")


@dataclass(slots=True)
class DiameterSplitter:
    """Splits one file; `passed`: bytes of it that are behind the buffer."""

    decoder: DiameterDecoder
    passed: int = 0

    @property
    def fields(self) -> int:
        """How many fields a matrix has."""
        return self.decoder.tree.fields

    def split(self, buffer: UInt8Array, size: int, *, final: bool) -> tuple[FieldMatrix, int]:
        """Return the complete messages of a buffer, and how many bytes they take.

        Raises:
            UnableToDecodeFile: MALFORMED_PACKET, when the file was not checked, or changed since.
        """
        tree, source = self.decoder.tree, self.decoder.source
        rows_max = min(ROWS_MAX, max(ROWS_MIN, size // diameter.AVP_BYTES + 1))
        start, end = offsets(tree.fields, rows_max), offsets(tree.fields, rows_max)
        kind = np.empty(start.shape, np.uint8)
        origin = np.empty((diameter.LEVELS_MAX, rows_max), np.int32)
        choice = np.empty(rows_max, np.int32)
        raw_start, raw_end = np.empty(rows_max, np.int64), np.empty(rows_max, np.int64)
        reason = np.empty(rows_max, np.uint16)
        rows, consumed, room, status = diameter.walk_messages(
            buffer,
            size,
            source.record_bytes_max,
            self.decoder.wanted,
            tree.near,
            tree.far,
            tree.child,
            tree.role,
            tree.level,
            tree.output,
            tree.out_slot,
            tree.out_kind,
            tree.out_type,
            tree.slot_level,
            np.empty((diameter.DEPTH_MAX, 3), np.int64),
            np.empty(diameter.LEVELS_MAX, np.int64),
            np.empty(diameter.LEVELS_MAX, np.bool_),
            start,
            end,
            kind,
            origin,
            choice,
            raw_start,
            raw_end,
            reason,
        )
        if status != diameter.WHOLE:
            raise _malformed(buffer, self.passed, consumed, size)
        if final and rows == 0 and consumed < size:
            raise _endless(self.passed + consumed)
        names = "".join(source.messages).encode()
        bounds = name_bounds(source.messages)
        text = np.zeros(int(bounds[-1]) + room + PADDING, np.uint8)
        text[1 : bounds[-1]] = np.frombuffer(names, np.uint8)
        used = diameter.render_messages(
            buffer,
            rows,
            tree.slot_level,
            tree.slot_choice,
            kind,
            origin,
            choice,
            reason,
            bounds,
            text,
            bounds[-1],
            start,
            end,
        )
        self.passed += consumed
        matrix = FieldMatrix(
            raw=buffer[:size],
            raw_start=raw_start[:rows],
            raw_end=raw_end[:rows],
            text=text[:used],
            start=start,
            end=end,
            reason=reason[:rows],
            columns=tree.fields,
        )
        return matrix, consumed

    def skip(self, buffer: UInt8Array, size: int, state: int) -> tuple[int, int]:
        """Step over a message too long to hold; `state` is how much of it is to come."""
        if state == 0:
            state = int.from_bytes(buffer[1:4].tobytes())
        left = int(state) - size
        return (-1, left) if left > 0 else (int(state), 0)


def make_diameter(context: DecodeContext, source: DiameterSource) -> DiameterDecoder:
    """Return the decoder of a source of Diameter messages.

    Raises:
        UnableToCompileSource: when the definition contradicts itself, the dictionary or the catalog.
    """
    plan = compile_mapping(context, source.mapping)
    wanted = np.array([COMMANDS[name] for name in source.messages], np.int64)
    return DiameterDecoder(source, plan, compile_paths(plan.fields, source.each), wanted)
