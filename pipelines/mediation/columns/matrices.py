"""What decoders of columns have in common: each reads a file as matrices of text, and a mapping makes CDRs of those."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from pipelines.mediation.explain import describe_record
from pipelines.mediation.extract import DecodedBlock, FieldMatrix, extract
from pipelines.mediation.plan import MappingPlan
from schemas.cdr import BlockPosition
from schemas.source_base import SourceBase

CHECK_BYTES = 8 << 20


@dataclass(frozen=True, slots=True)
class MatrixDecoder(ABC):
    """A compiled source whose files are read as matrices of the fields that its mapping names."""

    source: SourceBase
    plan: MappingPlan

    @property
    def field_names(self) -> tuple[str, ...]:
        """The name of each field of a matrix."""
        return self.plan.fields

    def check(self, stream: BinaryIO) -> None:
        """Read a file to its end: that something is damaged, or not whole, shows when it is read."""
        for _ in self._matrices(stream, CHECK_BYTES):
            pass

    def decode(self, stream: BinaryIO, *, claim: int, block_bytes: int) -> Iterator[DecodedBlock]:
        """Yield the CDRs of a file, given from its first byte."""
        record = 0
        for number, matrix in enumerate(self._matrices(stream, block_bytes)):
            yield self._block(matrix, BlockPosition(claim, number, record))
            record += len(matrix)

    def describe(self, block: DecodedBlock, row: int) -> str:
        """Return what is wrong with one record."""
        return describe_record(self.source, self.plan, block, row)

    def _block(self, matrix: FieldMatrix, position: BlockPosition) -> DecodedBlock:
        return extract(self.plan, matrix, position)

    @abstractmethod
    def _matrices(self, stream: BinaryIO, block_bytes: int) -> Iterator[FieldMatrix]:
        """Yield the records of a file."""
