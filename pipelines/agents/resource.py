"""The resource agent: a block of log 1 in; EDRs to log 2, and the sheet with what was refused to the output blocks."""

from __future__ import annotations

from pipelines.agents.ports import Send
from pipelines.agents.source import Fetched
from pipelines.partitions.resource import ResourcePartition
from schemas.frames import UnableToReadFrame, from_frame, to_frame
from schemas.log_place import Log, LogPlace
from schemas.stream_blocks import CdrMessage
from schemas.topics import (
    CDRS,
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


def resource(block: Fetched, stage: ResourcePartition, send: Send, *, epoch: int, output_partitions: int) -> int:
    """Take one block of log 1, and return how many records it held. A block that cannot be read changes nothing."""
    if block.headers.get(HEADER_SCHEMA) != schema_of("cdr"):
        send.dead(CDRS, block, "UNKNOWN_SCHEMA", f"the schema is {block.headers.get(HEADER_SCHEMA)!r}")
        stage.offset = block.offset + 1
        return 0
    try:
        message = from_frame(CdrMessage, block.value)
    except UnableToReadFrame as error:
        send.dead(CDRS, block, "MALFORMED_FRAME", str(error))
        stage.offset = block.offset + 1
        return 0
    output = stage.take(block.offset, block.appended_at, message)
    if output is None:
        return 0
    name = str(LogPlace(Log.RESOURCE, block.partition, block.offset)).encode()
    common = {HEADER_NAME: name, HEADER_EPOCH: str(epoch).encode(), HEADER_TENANT: stage.tenant.encode()}
    for partition, edrs in output.edrs:
        send(EDRS, partition, common | {HEADER_SCHEMA: schema_of("edr")}, to_frame(edrs))
    target = block.partition % output_partitions
    assert stage.image is not None
    beside = {
        HEADER_SCHEMA: schema_of("output"),
        HEADER_IMAGE: str(stage.image.number).encode(),
        HEADER_RECEIVED: str(message.received_at).encode(),
    }
    send(RATED, target, common | beside, to_frame(output.sheet))
    return len(message.cdrs)
