"""The decode stage as the engine calls it: compile a source, check a file, decode it block by block."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, Protocol

from pipelines.mediation.ber.ts32298.decoder import make_ts32298
from pipelines.mediation.columns.decoder import make_columns
from pipelines.mediation.columns.plugin import make_plugin
from pipelines.mediation.context import DecodeContext
from pipelines.mediation.delimited.decoder import make_delimited
from pipelines.mediation.diameter.decoder import make_diameter
from pipelines.mediation.enedis.decoder import make_enedis
from pipelines.mediation.enedis.r151 import make_r151
from pipelines.mediation.events.decoder import make_cloudevents, make_json
from pipelines.mediation.explain import DETAIL_MAX
from pipelines.mediation.extract import DecodedBlock
from pipelines.mediation.failures import UnableToCompileSource, UnableToDecodeFile
from pipelines.mediation.fixed_width.decoder import make_fixed_width
from pipelines.mediation.grdf.decoder import make_grdf
from pipelines.mediation.intervals.decoder import make_meter_data
from pipelines.mediation.radius.decoder import make_radius
from pipelines.mediation.tap.decoder import make_tap
from pipelines.mediation.transform import TransformingDecoder, make_transforming
from schemas.cdr import CdrBlock
from schemas.rejection import EXPLANATIONS, Reason
from schemas.source import SourceBase

__all__ = [
    "BLOCK_BYTES",
    "DecodeContext",
    "Decoder",
    "UnableToCompileSource",
    "UnableToDecodeFile",
    "check_file",
    "check_records",
    "decode_blocks",
    "describe",
    "make_decoder",
]

BLOCK_BYTES = 4 << 20
BLOCK_BYTES_MAX = 1 << 28


class Decoder(Protocol):
    """A compiled source."""

    @property
    def source(self) -> SourceBase:
        """The definition it was compiled from."""

    @property
    def field_names(self) -> tuple[str, ...]:
        """The name of each field of its blocks' matrices."""

    def check(self, stream: BinaryIO) -> None:
        """Check all that must hold before a file's first block; raise UnableToDecodeFile."""

    def decode(self, stream: BinaryIO, *, claim: int, block_bytes: int) -> Iterator[DecodedBlock]:
        """Yield the CDRs of a file, given from its first byte."""

    def describe(self, block: DecodedBlock, row: int) -> str:
        """Return what the decoder objects to in one record, in words."""


_MAKERS: dict[str, Callable[[DecodeContext, Any], Decoder]] = {
    "delimited": make_delimited,
    "fixed_width": make_fixed_width,
    "json": make_json,
    "cloudevents": make_cloudevents,
    "arrow": make_columns,
    "parquet": make_columns,
    "plugin": make_plugin,
    "r151": make_r151,
    "enedis": make_enedis,
    "grdf": make_grdf,
    "meter_data": make_meter_data,
    "ts32298": make_ts32298,
    "tap": make_tap,
    "radius": make_radius,
    "diameter": make_diameter,
}
"""How the source of each format is compiled: a new format takes its place here and in `schemas.source.SOURCE_MODELS`."""


def make_decoder(context: DecodeContext) -> Decoder:
    """Compile the context's source.

    Raises:
        UnableToCompileSource: when the definition contradicts itself, or does not fit the event types and units.
    """
    if context.source.transform is not None:
        return make_transforming(context, context.source.transform, make_decoder)
    return _MAKERS[context.source.format](context, context.source)


def check_file(decoder: Decoder, stream: BinaryIO) -> None:
    """Check all that must hold before the first block of a file is processed. An empty file is fine.

    Args:
        decoder: the source's.
        stream: the decoded bytes of the file from the first one; it may be read to its end.

    Raises:
        UnableToDecodeFile: when the file must be quarantined whole.
    """
    decoder.check(stream)


def check_records(decoder: Decoder, stream: BinaryIO, *, block_bytes: int) -> None:
    """Check what shows only when every record is read, where a decoder has such checks; `check_file` comes before.

    Args:
        decoder, stream: as for `check_file`; a stream of its own. block_bytes: with which the file will be decoded.

    Raises:
        UnableToDecodeFile: when the file must be quarantined whole.
    """
    if isinstance(decoder, TransformingDecoder):
        decoder.check_records(stream, block_bytes)


def decode_blocks(
    decoder: Decoder, stream: BinaryIO, *, claim: int, block_bytes: int = BLOCK_BYTES
) -> Iterator[CdrBlock]:
    """Yield the CDRs of a file in blocks 0, 1, …; record numbers run from 0 over the whole file.

    Args:
        decoder: the source's.
        stream: the decoded bytes of the file from the first one.
        claim: the file's place in the log.
        block_bytes: preferred size of a block; blocks are a function of the bytes and of this.

    Raises:
        UnableToDecodeFile: when the file was not checked, or changed since.
        ValueError: when `block_bytes` is out of range.
    """
    if not 1 <= block_bytes <= BLOCK_BYTES_MAX:
        raise ValueError(f"block_bytes must be 1 .. {BLOCK_BYTES_MAX}, not {block_bytes}")
    return decoder.decode(stream, claim=claim, block_bytes=block_bytes)


def describe(decoder: Decoder, block: CdrBlock, row: int) -> str:
    """Return what the decoder objects to in one record: field names and values, at most 200 characters.

    Args:
        decoder: the one that made the block.
        block: a block it made.
        row: the record's row, one with a reason.
    """
    if not isinstance(block, DecodedBlock):
        return EXPLANATIONS[Reason(int(block.reason[row]))]
    text = decoder.describe(block, row)
    return text if len(text) <= DETAIL_MAX else text[: DETAIL_MAX - 1] + "…"
