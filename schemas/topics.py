"""Topics as data: names, partitions, settings, and the headers of their messages.

Names are `<domain>.<dataset>.<event>.v<n>`, lower case, without environment, team or service; what cannot be read goes to
the topic's name with `.dlq`. A message of an internal topic is a block (`schemas.frames`); its headers say of which schema.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

MESSAGE_BYTES_MAX = 16 << 20
"""Largest message of the topics of blocks: what a stage makes is cut below it."""
RECORD_BYTES_MAX = 1 << 20
"""Largest message of a topic of single records, as brokers have it by default."""
PARTITIONS_MAX = 2048
HOUR_MS = 3_600_000
FOR_EVER = "-1"

BLOCKS = "usage.block.collected.v1"
"""Raw blocks: records as they came, each with its raw partition and offset."""
CDRS = "usage.cdr.decoded.v1"
"""Log 1: decoded records, by stream key."""
EDRS = "usage.edr.attributed.v1"
"""Log 2: EDRs, by charge group."""
RATED = "usage.block.rated.v1"
"""Output blocks: rated items, wallet operations, rejections and sheets."""
IMAGES = "catalog.image.activated.v1"
"""Which catalogs took effect, in order: one partition, kept for ever."""

SCHEMA_VERSION = 1
"""Of the blocks of all internal topics."""
HEADER_SCHEMA, HEADER_NAME, HEADER_TENANT = "ce_dataschema", "ce_id", "x-tenant"
"""Schema and its version, `cdr/1`; the block's name; whose it is."""
HEADER_EPOCH, HEADER_IMAGE, HEADER_RECEIVED = "x-epoch", "x-image", "x-received-at"
"""The epoch of who wrote it; the number of the image in force; when the records came, microseconds UTC."""


def raw_topic(source: str) -> str:
    """Return the topic of a source's single records."""
    return f"usage.{source.replace('_', '-')}.raw.v1"


def dead_letters(topic: str) -> str:
    """Return the topic of what could not be read of a topic."""
    return f"{topic}.dlq"


def schema_of(kind: str) -> bytes:
    """Return the header that says what a message's value is."""
    return f"{kind}/{SCHEMA_VERSION}".encode()


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic as it should be."""

    name: str
    partitions: int
    settings: Mapping[str, str]


def topics_of(sources: Iterable[str], *, partitions: int, raw_partitions: int) -> list[Topic]:
    """Return every topic of an installation.

    Args:
        sources: whose records come one by one. partitions: of each log. raw_partitions: of each topic of single records.

    Raises:
        ValueError: when a number of partitions is out of range.
    """
    for count in (partitions, raw_partitions):
        if not 1 <= count <= PARTITIONS_MAX:
            raise ValueError(f"a topic has 1 .. {PARTITIONS_MAX} partitions, not {count}")
    stamped = {"message.timestamp.type": "LogAppendTime", "cleanup.policy": "delete"}
    # trimmed by offset below the oldest kept snapshot, never by time
    log = stamped | {"max.message.bytes": str(MESSAGE_BYTES_MAX), "retention.ms": FOR_EVER}
    passing = stamped | {"max.message.bytes": str(MESSAGE_BYTES_MAX), "retention.ms": str(14 * 24 * HOUR_MS)}
    raw = stamped | {"max.message.bytes": str(RECORD_BYTES_MAX), "retention.ms": str(7 * 24 * HOUR_MS)}
    letters = {
        "cleanup.policy": "delete",
        "retention.ms": FOR_EVER,
        "max.message.bytes": str(MESSAGE_BYTES_MAX + (1 << 20)),
    }
    made = [
        Topic(IMAGES, 1, {"cleanup.policy": "delete", "retention.ms": FOR_EVER}),
        Topic(BLOCKS, partitions, passing),
        Topic(CDRS, partitions, log),
        Topic(EDRS, partitions, log),
        Topic(RATED, partitions, passing),
        *(Topic(dead_letters(name), 1, letters) for name in (BLOCKS, CDRS, EDRS, RATED)),
    ]
    for source in sorted(set(sources)):
        name = raw_topic(source)
        made += [Topic(name, raw_partitions, raw), Topic(dead_letters(name), 1, letters)]
    return made
