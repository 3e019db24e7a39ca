"""The decode stage on raw blocks: each message is a record, and one that cannot be read never takes another one with it."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from pipelines.mediation.decode import Decoder, UnableToDecodeFile, check_file, decode_blocks, describe
from pipelines.partitions.compact import compact_rows
from pipelines.partitions.keys import partitions_of_cdrs
from pipelines.refusals import DESCRIBED_MAX, refused_rows
from schemas.arrays import Int64Array
from schemas.cdr import CdrBlock
from schemas.stream_blocks import CdrMessage, RawBlock

LINES = frozenset({"delimited", "fixed_width", "json", "cloudevents"})
"""Formats whose records are lines: messages of theirs are kept with a line end behind each."""
ONE_BY_ONE = LINES | {"ts32298"}
"""Formats whose records may come as messages."""


ROWS_PER_MESSAGE, BYTES_PER_MESSAGE = 16_384, 4 << 20
"""Records, and their raw bytes, that go into one message of log 1; one that came holds no more records than that."""


@dataclass(frozen=True, slots=True)
class DeadMessage:
    """A message that is no record at all: its number in the raw block, and why."""

    index: int
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Decoded:
    """What became of a raw block: messages by partition of log 1, and those that are nothing."""

    messages: list[tuple[int, CdrMessage]]
    dead: list[DeadMessage]


def decode_raw(raw: RawBlock, decoder: Decoder, *, image: int, window_days: int | None, partitions: int) -> Decoded:
    """Decode a raw block under an image, by partition of log 1.

    Args:
        raw, decoder: of one source. image: its number. window_days: of deduplication. partitions: of log 1.
    """
    found: list[tuple[int, CdrMessage]] = []
    dead: list[DeadMessage] = []
    for cdrs, offset in _decoded(raw, decoder, 0, len(raw), dead):
        target = partitions_of_cdrs(cdrs, offset, partitions)
        for partition in range(partitions):
            for rows in _bounded(cdrs, offset, np.flatnonzero(target == partition)):
                message = CdrMessage(
                    source=raw.source,
                    origin=raw.origin,
                    image=image,
                    window_days=window_days or 0,
                    received_at=int(raw.received_at.min()),
                    offset=np.ascontiguousarray(offset[rows]),
                    cdrs=compact_rows(cdrs, rows),
                    words=_words(decoder, cdrs, rows),
                )
                found.append((partition, message))
    return Decoded(found, dead)


def _bounded(cdrs: CdrBlock, offset: Int64Array, rows: Int64Array) -> Iterator[Int64Array]:
    """Yield rows in runs that fit one message each; the records of one raw message stay together."""
    first = 0
    while first < len(rows):
        last = min(first + ROWS_PER_MESSAGE, len(rows))
        size = np.cumsum(cdrs.raw_end[rows[first:last]] - cdrs.raw_start[rows[first:last]])
        last = first + max(int(np.searchsorted(size, BYTES_PER_MESSAGE, side="right")), 1)
        while last < len(rows) and offset[rows[last]] == offset[rows[last - 1]]:
            last += 1
        yield rows[first:last]
        first = last


def _words(decoder: Decoder, cdrs: CdrBlock, rows: Int64Array) -> list[str]:
    refused = rows[refused_rows(cdrs.reason[rows])]
    return [describe(decoder, cdrs, row) for row in refused[:DESCRIBED_MAX].tolist()]


def _decoded(
    raw: RawBlock, decoder: Decoder, first: int, last: int, dead: list[DeadMessage]
) -> Iterator[tuple[CdrBlock, Int64Array]]:
    """Yield the records of messages first .. last - 1 with the offset of each one's message.

    Messages are read together. Where that goes wrong, or a record reaches into the next message, they are parted there.
    """
    if first == last:
        return
    start = int(raw.end[first - 1]) if first else 0
    data = raw.payload[start : int(raw.end[last - 1])]
    try:
        blocks = _blocks(decoder, data.tobytes())
    except UnableToDecodeFile as error:
        if last - first == 1:
            dead.append(DeadMessage(first, error.code, error.message))
            return
        middle = (first + last) // 2
        yield from _decoded(raw, decoder, first, middle, dead)
        yield from _decoded(raw, decoder, middle, last, dead)
        return
    records = sum(map(len, blocks))
    if last - first == 1:
        if records > ROWS_PER_MESSAGE:
            dead.append(DeadMessage(first, "TOO_MANY_RECORDS", f"{records} records, at most {ROWS_PER_MESSAGE}"))
            return
        for cdrs in blocks:
            yield cdrs, np.full(len(cdrs), raw.offset[first], np.int64)
        return
    if not blocks:
        return
    ends = raw.end[first:last] - start
    (cdrs, *more) = blocks
    message = np.searchsorted(ends, cdrs.raw_start, side="right")
    beyond = np.flatnonzero(cdrs.raw_end > ends[np.minimum(message, len(ends) - 1)])
    if more or len(beyond) or np.bincount(message).max(initial=0) > ROWS_PER_MESSAGE:
        parted = first + (int(message[beyond[0]]) if len(beyond) else (last - first) // 2)
        yield from _decoded(raw, decoder, first, parted, dead)
        yield from _decoded(raw, decoder, parted, parted + 1, dead)
        yield from _decoded(raw, decoder, parted + 1, last, dead)
        return
    yield cdrs, raw.offset[first:last][message]


def _blocks(decoder: Decoder, data: bytes) -> list[CdrBlock]:
    check_file(decoder, io.BytesIO(data))
    return list(decode_blocks(decoder, io.BytesIO(data), claim=0, block_bytes=max(len(data) + 1, 4096)))
