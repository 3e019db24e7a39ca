"""The decode agent: a raw block in, blocks of CDRs by partition of log 1 out; what cannot be read to the dead letters."""

from __future__ import annotations

import numpy as np

from pipelines.agents.ports import Images, Send
from pipelines.agents.source import Fetched
from pipelines.mediation.decode import UnableToCompileSource
from pipelines.partitions.decoding import decode_raw
from schemas.frames import UnableToReadFrame, from_frame, to_frame
from schemas.stream_blocks import MESSAGES_MAX, RawBlock
from schemas.topics import BLOCKS, CDRS, HEADER_NAME, HEADER_SCHEMA, HEADER_TENANT, dead_letters, schema_of


def decode(block: Fetched, images: Images, send: Send, *, window_days: int | None, partitions: int) -> int:
    """Decode one raw block under the latest image; return how many messages it held."""
    if block.headers.get(HEADER_SCHEMA) != schema_of("raw"):
        send.dead(BLOCKS, block, "UNKNOWN_SCHEMA", f"the schema is {block.headers.get(HEADER_SCHEMA)!r}")
        return 0
    try:
        raw = from_frame(RawBlock, block.value)
    except UnableToReadFrame as error:
        send.dead(BLOCKS, block, "MALFORMED_FRAME", str(error))
        return 0
    if not raw.origin:  # sent as a block: its place in this topic is where its records come from
        place = np.int64(block.offset) * MESSAGES_MAX
        raw = RawBlock(
            raw.source,
            f"{BLOCKS}/{block.partition}",
            raw.payload,
            raw.end,
            place + np.arange(len(raw), dtype=np.int64),
            np.full(len(raw), block.appended_at, np.int64),
        )
    try:
        number, decoder = images.decoder(raw.source)
    except (KeyError, UnableToCompileSource) as error:
        send.dead(BLOCKS, block, "UNKNOWN_SOURCE", f"no catalog in force decodes the source {raw.source!r}: {error}")
        return len(raw)
    found = decode_raw(raw, decoder, image=number, window_days=window_days, partitions=partitions)
    for index, (partition, message) in enumerate(found.messages):
        name = f"{raw.origin}/{int(message.offset[0])}-{int(message.offset[-1])}/{index}"
        headers = {HEADER_SCHEMA: schema_of("cdr"), HEADER_NAME: name.encode(), HEADER_TENANT: images.tenant.encode()}
        send(CDRS, partition, headers, to_frame(message))
    for dead in found.dead:
        start = int(raw.end[dead.index - 1]) if dead.index else 0
        topic, _, partition_text = raw.origin.rpartition("/")
        send.letter(
            dead_letters(topic),
            raw.payload[start : int(raw.end[dead.index])].tobytes(),
            code=dead.code,
            message=dead.message,
            origin=(topic, int(partition_text), int(raw.offset[dead.index]), int(raw.received_at[dead.index])),
        )
    return len(raw)
