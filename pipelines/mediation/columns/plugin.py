"""Decode what a plug-in reads: its record batches are columns, as those of Arrow files are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import BinaryIO

import pyarrow as pa

from pipelines.mediation.columns.blocks import ColumnBlocks
from pipelines.mediation.columns.decoder import CHECK_BYTES, columns_of, find_fields
from pipelines.mediation.context import DecodeContext
from pipelines.mediation.explain import describe_record
from pipelines.mediation.extract import DecodedBlock, FieldMatrix, extract
from pipelines.mediation.failures import UnableToDecodeFile
from pipelines.mediation.plan import MappingPlan, compile_mapping
from pipelines.mediation.plugins import Plugin, find_decoder
from schemas.cdr import BlockPosition
from schemas.source_plugin import PluginSource


@dataclass(frozen=True, slots=True)
class PluginDecoder:
    """A compiled source whose files a plug-in reads."""

    source: PluginSource
    plan: MappingPlan
    plugin: Plugin

    @property
    def field_names(self) -> tuple[str, ...]:
        """The name of each field of a matrix."""
        return self.plan.fields

    def check(self, stream: BinaryIO) -> None:
        """Let the plug-in read a file to its end: nobody else knows whether it can."""
        for _ in self._matrices(stream, CHECK_BYTES):
            pass

    def decode(self, stream: BinaryIO, *, claim: int, block_bytes: int) -> Iterator[DecodedBlock]:
        """Yield the CDRs of a file, given from its first byte."""
        record = 0
        for number, matrix in enumerate(self._matrices(stream, block_bytes)):
            yield extract(self.plan, matrix, BlockPosition(claim, number, record))
            record += len(matrix)

    def describe(self, block: DecodedBlock, row: int) -> str:
        """Return what is wrong with one record."""
        return describe_record(self.source, self.plan, block, row)

    def _matrices(self, stream: BinaryIO, block_bytes: int) -> Iterator[FieldMatrix]:
        batches = self.plugin.batches(stream, self.source.options)
        first = next(batches, None)
        if first is None:
            return
        paths, kinds = find_fields(first.schema, self.plan.fields)
        blocks = ColumnBlocks(self.plan.fields, kinds, block_bytes, self.source.record_bytes_max)
        try:
            yield from blocks.cut(columns_of(chain([first], batches), paths))
        except (pa.ArrowException, OverflowError) as error:
            told = (str(error).splitlines() or [type(error).__name__])[0][:200]
            raise UnableToDecodeFile(
                "PLUGIN_FAILED", f"plug-in {self.plugin.name} yields damaged columns: {told}"
            ) from error


def make_plugin(context: DecodeContext, source: PluginSource) -> PluginDecoder:
    """Return the decoder of a source whose files a plug-in reads.

    Raises:
        UnableToCompileSource: when the plug-in is not installed in its version, or the definition contradicts the catalog.
    """
    return PluginDecoder(source, compile_mapping(context, source.mapping), find_decoder(source))
