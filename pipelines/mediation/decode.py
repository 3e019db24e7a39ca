"""The decode stage as the engine calls it: compile a source, check a file, decode it block by block."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from pipelines.mediation.context import DecodeContext
from pipelines.mediation.delimited.decoder import DelimitedDecoder, make_delimited
from pipelines.mediation.enedis.r151 import R151Decoder, make_r151
from pipelines.mediation.events.decoder import CloudEventsDecoder, make_cloudevents
from pipelines.mediation.explain import DETAIL_MAX, describe_bytes, describe_fields
from pipelines.mediation.extract import DecodedBlock
from pipelines.mediation.failures import UnableToCompileSource, UnableToDecodeFile
from pipelines.mediation.fixed_width.decoder import FixedWidthDecoder, make_fixed_width
from schemas.cdr import CdrBlock
from schemas.rejection import EXPLANATIONS, Reason
from schemas.source import CloudEventsSource, DelimitedSource, FixedWidthSource

__all__ = [
    "BLOCK_BYTES",
    "DecodeContext",
    "Decoder",
    "UnableToCompileSource",
    "UnableToDecodeFile",
    "check_file",
    "decode_blocks",
    "describe",
    "make_decoder",
]

BLOCK_BYTES = 8 << 20
BLOCK_BYTES_MAX = 1 << 28

Decoder = DelimitedDecoder | FixedWidthDecoder | CloudEventsDecoder | R151Decoder


def make_decoder(context: DecodeContext) -> Decoder:
    """Compile the context's source.

    Raises:
        UnableToCompileSource: when the definition contradicts itself, or does not fit the event types and units.
    """
    source = context.source
    if isinstance(source, DelimitedSource):
        return make_delimited(context, source)
    if isinstance(source, FixedWidthSource):
        return make_fixed_width(context, source)
    if isinstance(source, CloudEventsSource):
        return make_cloudevents(context, source)
    return make_r151(context, source)


def check_file(decoder: Decoder, stream: BinaryIO) -> None:
    """Check all that must hold before the first block of a file is processed. An empty file is fine.

    Args:
        decoder: the source's.
        stream: the decoded bytes of the file from the first one; it may be read to its end.

    Raises:
        UnableToDecodeFile: when the file must be quarantined whole.
    """
    decoder.check(stream)


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
    reason = Reason(int(block.reason[row]))
    if not isinstance(block, DecodedBlock):
        return EXPLANATIONS[reason]
    if reason < Reason.FIELD_MISSING:
        latin1 = isinstance(decoder, DelimitedDecoder | FixedWidthDecoder) and decoder.source.encoding == "latin-1"
        text = describe_bytes(decoder.source, "latin-1" if latin1 else "utf-8", block, row)
    elif isinstance(decoder, R151Decoder):
        text = decoder.describe(block, row)
    else:
        text = describe_fields(decoder.plan, block, row)
    return text if len(text) <= DETAIL_MAX else text[: DETAIL_MAX - 1] + "…"
