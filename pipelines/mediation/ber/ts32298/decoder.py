"""Decode charging data records of 3GPP TS 32.298 in BER, with or without the file header of TS 32.297."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

from pipelines.mediation.ber.splitter import BerSplitter, check_records
from pipelines.mediation.ber.tree import compile_tags
from pipelines.mediation.ber.ts32298.file_header import ALL_ONES, read_file_header
from pipelines.mediation.ber.ts32298.records import record_kinds
from pipelines.mediation.blocks import split_blocks
from pipelines.mediation.context import DecodeContext
from pipelines.mediation.explain import describe_record, raw_record
from pipelines.mediation.extract import DecodedBlock, extract
from pipelines.mediation.failures import UnableToDecodeFile
from pipelines.mediation.kernels.ber import CDR_HEADER_BYTES, ELEMENTS_MAX, read_header
from pipelines.mediation.plan import MappingPlan, compile_mapping
from schemas.cdr import BlockPosition
from schemas.rejection import Reason
from schemas.source_binary import Ts32298Source


@dataclass(frozen=True, slots=True)
class Ts32298Decoder:
    """A compiled source of charging data records."""

    source: Ts32298Source
    plan: MappingPlan
    splitter: BerSplitter

    @property
    def field_names(self) -> tuple[str, ...]:
        """The name of each field of a matrix."""
        return self.plan.fields

    def check(self, stream: BinaryIO) -> None:
        """Check that all records have an end, and what the file's header says of them; read the file to its end."""
        if not self.source.file_header:
            check_records(stream, self.source.record_bytes_max)
            return
        header = read_file_header(stream)
        if header is None:
            return
        counted = _Counted(stream)
        found = check_records(counted, self.source.record_bytes_max, framed=True)  # type: ignore[arg-type]
        size = header.header_bytes + counted.bytes
        if header.file_bytes not in (size, ALL_ONES):
            raise _mismatch(f"the header says that the file has {header.file_bytes} bytes, it has {size}")
        if header.cdrs not in (found, None):
            raise _mismatch(f"the header says that there are {header.cdrs} CDRs, there are {found}")

    def decode(self, stream: BinaryIO, *, claim: int, block_bytes: int) -> Iterator[DecodedBlock]:
        """Yield the CDRs of a file, given from its first byte."""
        if self.source.file_header:
            read_file_header(stream)
        blocks = split_blocks(
            stream,
            self.splitter,
            carried=b"",
            block_bytes=block_bytes,
            record_bytes_max=self.source.record_bytes_max + CDR_HEADER_BYTES,
        )
        record = 0
        for number, matrix in enumerate(blocks):
            yield extract(self.plan, matrix, BlockPosition(claim, number, record))
            record += len(matrix)

    def describe(self, block: DecodedBlock, row: int) -> str:
        """Return what is wrong with one record."""
        tag, kind = _kind_of(raw_record(block, row))
        reason = block.reason[row]
        if reason == Reason.MALFORMED_RECORD:
            if kind:
                return (
                    f"the contents are not those of a {kind}, or are no BER, or have more than {ELEMENTS_MAX} elements"
                )
            return f"the record begins with the tag {tag}, which no record of TS 32.298 has"
        if reason == Reason.FILTERED_BY_SOURCE and kind not in self.source.records:
            return f"the record is a {kind}, which the source does not read"
        return describe_record(self.source, self.plan, block, row)


class _Counted:
    """A stream that counts what is read from it."""

    def __init__(self, stream: BinaryIO) -> None:
        """Read from `stream`."""
        self._stream = stream
        self.bytes = 0

    def readinto(self, buffer: memoryview) -> int:
        """Read into `buffer`; return how many bytes, 0 at the end."""
        count: int = self._stream.readinto(buffer) or 0  # type: ignore[attr-defined]
        self.bytes += count
        return count


def _kind_of(raw: bytes) -> tuple[str, str]:
    """Return the tag with which a record begins, and the name of its kind, empty when there is none."""
    key = int(read_header(np.frombuffer(raw + bytes(1), np.uint8), 0, len(raw))[0])
    found = [name for name, record in record_kinds().items() if record.tag == key]
    group = ("UNIVERSAL ", "APPLICATION ", "", "PRIVATE ")[key & 3]
    return (f"[{group}{key >> 2}]" if key >= 0 else "nothing"), (found or [""])[0]


def _mismatch(why: str) -> UnableToDecodeFile:
    return UnableToDecodeFile("HEADER_MISMATCH", why)


def make_ts32298(context: DecodeContext, source: Ts32298Source) -> Ts32298Decoder:
    """Return the decoder of a source of charging data records.

    Raises:
        UnableToCompileSource: when the definition contradicts itself, the specification or the catalog.
    """
    plan = compile_mapping(context, source.mapping)
    tree = compile_tags(record_kinds(), plan.fields, wanted=source.records, each=source.each)
    return Ts32298Decoder(source, plan, BerSplitter(tree, source.record_bytes_max, source.file_header))
