"""Decode what a plug-in reads: its record batches are columns, as those of Arrow files are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import BinaryIO

import pyarrow as pa

from pipelines.mediation.columns.blocks import ColumnBlocks
from pipelines.mediation.columns.decoder import columns_of, find_fields
from pipelines.mediation.columns.matrices import MatrixDecoder
from pipelines.mediation.context import DecodeContext
from pipelines.mediation.extract import FieldMatrix
from pipelines.mediation.failures import UnableToDecodeFile
from pipelines.mediation.plan import compile_mapping
from pipelines.mediation.plugins import Plugin, find_decoder
from schemas.source_plugin import PluginSource


@dataclass(frozen=True, slots=True)
class PluginDecoder(MatrixDecoder):
    """A compiled source whose files a plug-in reads."""

    source: PluginSource
    plugin: Plugin

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
