"""The collector: single records from network elements become raw blocks, whose rows keep raw partition and offset.

A raw offset is committed once the block with it is acknowledged; what a crash repeats is dropped by the resource stage.
"""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl
from confluent_kafka import Consumer, Message, Producer, TopicPartition

from apps.workers.outbox import WAIT_S, UnableToSend, letter_headers
from apps.workers.progress import Progress
from pipelines.agents.source import check_error, headers_of
from pipelines.partitions.decoding import LINES
from pipelines.partitions.keys import partitions_of_keys
from schemas.catalog import Catalog
from schemas.frames import to_frame
from schemas.stream_blocks import RawBlock
from schemas.topics import BLOCKS, HEADER_NAME, HEADER_SCHEMA, HEADER_TENANT, dead_letters, raw_topic, schema_of

MESSAGES = 10_000
"""Messages asked for at once."""
ROWS_MAX, BYTES_MAX = 16_384, 4 << 20
"""A block's messages and bytes."""
BLOCKS_AHEAD = 64
"""Blocks that may wait for their acknowledgement."""
JSON = frozenset({"json", "cloudevents"})


@dataclass(slots=True)
class _Gathering:
    """Messages of one raw partition that are not in a block yet."""

    source: str
    origin: str
    target: int
    lines: bool
    values: list[bytes] = field(default_factory=list)
    offsets: list[int] = field(default_factory=list)
    times: list[int] = field(default_factory=list)
    size: int = 0
    since: float = 0.0


@dataclass(slots=True)
class Collector:
    """Gathers the records of all sources that can be streamed.

    Attributes:
        catalog: says which sources there are, and of which format. gather_s: longest wait for a fuller block.
        now: reads the clock, microseconds UTC.
    """

    consumer: Consumer
    producer: Producer
    catalog: Catalog
    sources: list[str]
    tenant: str
    partitions: int
    gather_s: float
    now: Callable[[], int]
    progress: Progress
    dead_count: int = 0
    _gathered: dict[tuple[str, int], _Gathering] = field(default_factory=dict)
    _sent: deque[tuple[TopicPartition | None, list[bool]]] = field(default_factory=deque)
    _error: BaseException | None = None

    def run(self, stop: threading.Event) -> None:
        """Gather until `stop` is set; then send and commit what is gathered.

        Raises:
            UnableToSend: when the broker refuses a block. KafkaException: when consuming fails for good.
        """
        topics = {raw_topic(code): code for code in self.sources}
        self.consumer.subscribe(list(topics), on_revoke=self._revoked, on_lost=self._lost)
        try:
            while not stop.is_set():
                messages = self.consumer.consume(MESSAGES, timeout=min(self.gather_s, 0.05))
                for message in messages:
                    self._take(message, topics)
                self._send_due(time.monotonic())
                self._commit()
            self._finish()
        finally:
            self.consumer.close()

    def _take(self, message: Message, topics: dict[str, str]) -> None:
        if check_error(message):
            return
        topic, partition = message.topic(), message.partition()
        key = (topic, partition)
        found = self._gathered.get(key)  # type: ignore[arg-type]
        if found is None:
            found = self._gathered[key] = self._gathering(topics[topic], topic, partition)  # type: ignore[index, arg-type]
        value = message.value()
        if value is None:
            return  # a tombstone is no record
        if found.lines:
            value = _line(value, message, self.catalog.sources[found.source].format)
            if value is None:
                self._dead(message, "MALFORMED_JSON", "the event's data is no JSON")
                return
        if not found.values:
            found.since = time.monotonic()
        found.values.append(value)
        found.offsets.append(message.offset())  # type: ignore[arg-type]
        found.times.append(message.timestamp()[1])
        found.size += len(value) + 1
        if len(found.values) >= ROWS_MAX or found.size >= BYTES_MAX:
            self._send(found)

    def _gathering(self, source: str, topic: str, partition: int) -> _Gathering:
        origin = f"{topic}/{partition}"
        target = int(partitions_of_keys(pl.Series([origin]), self.partitions)[0])
        self.progress.assigned(partition)
        return _Gathering(source, origin, target, self.catalog.sources[source].format in LINES)

    def _send_due(self, now: float) -> None:
        for found in self._gathered.values():
            if found.values and now - found.since >= self.gather_s:
                self._send(found)
        self.producer.poll(0)

    def _send(self, found: _Gathering) -> None:
        block = raw_block(found.source, found.origin, found.values, found.offsets, found.times, lines=found.lines)
        topic, _, partition = found.origin.rpartition("/")
        first, last = found.offsets[0], found.offsets[-1]
        name = f"{found.origin}/{first}-{last}"
        headers = {HEADER_SCHEMA: schema_of("raw"), HEADER_NAME: name.encode(), HEADER_TENANT: self.tenant.encode()}
        acknowledged = [False]
        self._sent.append((TopicPartition(topic, int(partition), last + 1), acknowledged))
        self._produce(BLOCKS, found.target, to_frame(block), headers, acknowledged)
        self.progress.blocks += 1
        self.progress.records += len(found.values)
        self.progress.at = time.monotonic()
        found.values, found.offsets, found.times, found.size = [], [], [], 0
        while len(self._sent) > BLOCKS_AHEAD:
            self.producer.poll(WAIT_S)
            self._commit()

    def _produce(
        self, topic: str, partition: int, value: bytes, headers: dict[str, bytes], acknowledged: list[bool]
    ) -> None:
        def told(error: Any, _: Any) -> None:
            if error is not None:
                self._error = self._error or UnableToSend(f"{topic}/{partition}: {error}")
            acknowledged[0] = True

        while True:
            try:
                self.producer.produce(
                    topic, value, partition=partition, headers=list(headers.items()), on_delivery=told
                )
                return
            except BufferError:
                self.producer.poll(WAIT_S)

    def _dead(self, message: Message, code: str, text: str) -> None:
        topic, partition, offset = message.topic(), message.partition(), message.offset()
        origin = (str(topic), int(partition or 0), int(offset or 0), message.timestamp()[1] * 1000)
        kept = headers_of(message)
        headers = kept | letter_headers("collect", code, text, origin, self.now())
        self.dead_count += 1
        acknowledged = [False]
        self._sent.append((None, acknowledged))  # nothing behind it is committed before it is safe
        self._produce(dead_letters(origin[0]), 0, message.value() or b"", headers, acknowledged)

    def _commit(self) -> None:
        if self._error is not None:
            raise self._error
        moved: dict[tuple[str, int], TopicPartition] = {}
        while self._sent and self._sent[0][1][0]:
            place, _ = self._sent.popleft()
            if place is not None:
                moved[place.topic, place.partition] = place
        if moved:
            self.consumer.commit(offsets=list(moved.values()), asynchronous=True)

    def _finish(self) -> None:
        for found in self._gathered.values():
            if found.values:
                self._send(found)
        while self._sent:
            self.producer.flush(WAIT_S)
            self._commit()
        self.producer.flush()

    def _revoked(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        """Send what is gathered, so that whoever goes on begins behind it."""
        self._finish()
        self._lost(consumer, partitions)

    def _lost(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        for found in partitions:
            self._gathered.pop((found.topic, found.partition), None)


def raw_block(
    source: str, origin: str, values: list[bytes], offsets: list[int], times_ms: list[int], *, lines: bool
) -> RawBlock:
    """Return messages as a raw block; of a source whose records are `lines`, each with a line end behind it."""
    payload = b"\n".join(values) + b"\n" if lines else b"".join(values)
    lengths = np.fromiter(map(len, values), np.int64, len(values)) + int(lines)
    return RawBlock(
        source=source,
        origin=origin,
        payload=np.frombuffer(payload, np.uint8),
        end=np.cumsum(lengths),
        offset=np.array(offsets, np.int64),
        received_at=np.array(times_ms, np.int64) * 1000,
    )


def _line(value: bytes, message: Message, form: str) -> bytes | None:
    """Return a message as one line; None when it is an event whose data is no JSON."""
    if form == "cloudevents":
        headers = {name: text for name, text in headers_of(message).items() if name.startswith("ce_")}
        if "ce_specversion" in headers:
            return _event(value, headers)
    if form in JSON and b"\n" in value:
        return value.replace(b"\n", b" ")  # within a string of JSON there is none
    return value


def _event(value: bytes, headers: dict[str, bytes]) -> bytes | None:
    """Return an event in binary mode as one in structured mode."""
    event: dict[str, Any] = {
        name.removeprefix("ce_"): text.decode("utf-8", "replace") for name, text in headers.items()
    }
    head = json.dumps(event, ensure_ascii=False).encode()
    if not value:
        return head
    try:
        json.loads(value)
    except ValueError:
        return None
    return head[:-1] + b', "data": ' + value.replace(b"\n", b" ") + b"}"  # its numbers stay as they are written
