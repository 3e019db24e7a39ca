"""The account agent: a block of log 2 in, an output block out."""

from __future__ import annotations

from pipelines.agents.ports import Send
from pipelines.agents.source import Fetched
from pipelines.partitions.account import AccountPartition
from schemas.frames import from_frame, to_frame
from schemas.log_place import Log, LogPlace
from schemas.stream_blocks import EdrMessage
from schemas.topics import (
    EDRS,
    HEADER_EPOCH,
    HEADER_IMAGE,
    HEADER_NAME,
    HEADER_RECEIVED,
    HEADER_SCHEMA,
    HEADER_TENANT,
    RATED,
    schema_of,
)


def account(block: Fetched, stage: AccountPartition, send: Send, *, epoch: int, output_partitions: int) -> int:
    """Take one block of log 2, and return how many EDRs counted. A block that cannot be read changes nothing.

    Raises:
        LogHasGap: when one is missing.
    """
    if block.headers.get(HEADER_SCHEMA) != schema_of("edr"):
        send.dead(EDRS, block, "UNKNOWN_SCHEMA", f"the schema is {block.headers.get(HEADER_SCHEMA)!r}")
        stage.offset = block.offset + 1
        return 0
    try:
        message = from_frame(EdrMessage, block.value)
        written_under = int(block.headers.get(HEADER_EPOCH, b"0"))
    except ValueError as error:
        send.dead(EDRS, block, "MALFORMED_FRAME", str(error))
        stage.offset = block.offset + 1
        return 0
    output = stage.take(block.offset, block.appended_at, written_under, message)
    if output is None:
        return 0
    assert stage.image is not None
    headers = {
        HEADER_SCHEMA: schema_of("output"),
        HEADER_NAME: str(LogPlace(Log.ACCOUNT, block.partition, block.offset)).encode(),
        HEADER_EPOCH: str(epoch).encode(),
        HEADER_TENANT: stage.tenant.encode(),
        HEADER_IMAGE: str(stage.image.number).encode(),
        HEADER_RECEIVED: str(message.received_at).encode(),
    }
    send(RATED, block.partition % output_partitions, headers, to_frame(output))
    return len(message.edrs)
