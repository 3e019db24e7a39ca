"""How clients of Kafka are set: one place for all of them, with the reason beside each setting that matters."""

from __future__ import annotations

from typing import Any

from schemas.topics import MESSAGE_BYTES_MAX

PARTITIONER = "murmur2_random"
"""That of Java's client: librdkafka's own default would put the same key on another partition."""


def producer_settings(servers: str, name: str) -> dict[str, Any]:
    """Return the settings of a producer of blocks."""
    return {
        "bootstrap.servers": servers,
        "client.id": name,
        "partitioner": PARTITIONER,
        # what arrives of a partition is always a beginning of what was sent: consumers count on it
        "enable.idempotence": True,
        "acks": "all",
        # never give up a message: what follows it would arrive without it
        "message.timeout.ms": 0,
        "message.max.bytes": MESSAGE_BYTES_MAX,
        "batch.size": 1 << 20,
        "linger.ms": 5,
        "compression.type": "lz4",
        "queue.buffering.max.kbytes": 256 << 10,
    }


def consumer_settings(servers: str, group: str, name: str, *, session_ms: int = 45_000) -> dict[str, Any]:
    """Return the settings of a consumer of a group; offsets are committed by hand, after what they stand for is safe."""
    return {
        "bootstrap.servers": servers,
        "group.id": group,
        "client.id": name,
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "auto.offset.reset": "earliest",
        "isolation.level": "read_committed",
        # partitions that stay where they are go on while others move
        "partition.assignment.strategy": "cooperative-sticky",
        "session.timeout.ms": session_ms,
        "heartbeat.interval.ms": max(session_ms // 10, 100),
        "max.poll.interval.ms": max(session_ms, 300_000),
        # the default, a second, is how long the fetcher sleeps whenever enough is queued
        "fetch.queue.backoff.ms": 2,
        "fetch.wait.max.ms": 10,
        "fetch.message.max.bytes": 4 << 20,
        "fetch.max.bytes": 64 << 20,
        "queued.min.messages": 100_000,
        "queued.max.messages.kbytes": 64 << 10,
        "allow.auto.create.topics": False,
    }
