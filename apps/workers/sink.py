"""The sink: output blocks into the store of facts, each exactly once, whoever wrote before.

The rows themselves say what is stored. Groups of one partition are written one after the other, and the offset before a group
is committed before the group is written: a worker that lost its partitions finds out there, so that it has at most one group
under way. That group begins where the new owner begins, hence has the same tokens: of both only one is stored.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from confluent_kafka import Consumer, KafkaException, Message, Producer, TopicPartition

from apps.embedded.names import new_image, new_names
from apps.workers.outbox import UnableToSend, letter_headers
from apps.workers.progress import Progress
from pipelines.activation import opening_movements
from pipelines.agents.source import check_error, headers_of
from pipelines.partitions.images import ImageInForce, Shelf, in_force
from pipelines.snapshot import StageState
from pipelines.spool.journal import ImageClaim
from schemas.frames import UnableToReadFrame, from_frame
from schemas.log_place import LogPlace, activation_claim
from schemas.output import OutputBlock
from schemas.rejection import Reason
from schemas.topics import (
    HEADER_EPOCH,
    HEADER_IMAGE,
    HEADER_NAME,
    HEADER_RECEIVED,
    HEADER_SCHEMA,
    RATED,
    dead_letters,
    schema_of,
)
from sinks.clickhouse.blocks import check_blocks
from sinks.clickhouse.store import Store, UnableToQuery, UnableToStore

MESSAGES = 256
RECORDS_MAX = 500_000
"""Rows of a group: more are a group of their own."""
RETRY_S = (0.1, 0.3, 1.0, 3.0)
"""How long it waits before it writes again what the store refused for now; the last one again and again."""


@dataclass(slots=True)
class _Waiting:
    """What one partition waits to have written."""

    blocks: list[OutputBlock] = field(default_factory=list)
    received_at: list[int] = field(default_factory=list)
    following: int = 0
    rows: int = 0
    since: float = 0.0


@dataclass(slots=True)
class Names:
    """What ids stand for, and opening credits: written as images come up, before the blocks that were rated under them."""

    store: Store
    shelf: Shelf
    took_effect_at: Callable[[int], int]
    tenant: str
    state: StageState = field(default_factory=StageState.empty)
    image: ImageInForce | None = None

    def reach(self, number: int) -> None:
        """Write the names and the credits of every image up to a number; what is stored already is left out."""
        while self.image is None or self.image.number < number:
            following = 1 if self.image is None else self.image.number + 1
            words, before = self.state.vocabulary, self.state.vocabulary.counts()
            found = in_force(self.image, following, self.state, self.shelf)
            claim, at = activation_claim(following), self.took_effect_at(following)
            entry = ImageClaim(claim=claim, received_at=at, content_hash=found.catalog.content_hash)
            names = new_names(found.catalog, found.image, words, before)
            self.store.write_names(names | new_image(words, before, entry))
            opening = found.image.opening_credits(before["wallets"])
            credits = opening_movements(opening, claim, at)
            self.store.write_movements(credits, tenant=self.tenant)
            self.image = found


@dataclass(slots=True)
class Sink:
    """Writes the output blocks of the partitions that it has.

    Attributes:
        wait_s: longest wait for more blocks of a group.
        now: reads the clock, microseconds UTC. say: told what an operator must see.
    """

    consumer: Consumer
    producer: Producer
    store: Store
    names: Names
    wait_s: float
    now: Callable[[], int]
    say: Callable[[str], None]
    progress: Progress
    dead_count: int = 0
    _waiting: dict[int, _Waiting] = field(default_factory=dict)
    _unconfirmed: dict[int, int] = field(default_factory=dict)
    _fresh: set[int] = field(default_factory=set)
    _seen: dict[tuple[int, int], int] = field(default_factory=dict)
    _stop: threading.Event = field(default_factory=threading.Event)

    def run(self, stop: threading.Event) -> None:
        """Write until `stop` is set.

        Raises:
            UnableToStore: when the store refuses for good. KafkaException: when consuming fails for good.
        """
        self._stop = stop
        self.consumer.subscribe([RATED], on_assign=self._assigned, on_revoke=self._revoked, on_lost=self._lost)
        try:
            while not stop.is_set():
                for message in self.consumer.consume(MESSAGES, timeout=min(self.wait_s, 0.05)):
                    self._take(message)
                self._write_due()
        finally:
            self.consumer.close()

    def _take(self, message: Message) -> None:
        if check_error(message):
            return
        partition, offset = int(message.partition() or 0), int(message.offset() or 0)
        headers = headers_of(message)
        appended_at = message.timestamp()[1] * 1000
        found = self._waiting.setdefault(partition, _Waiting())
        found.following = offset + 1
        if not found.since:
            found.since = time.monotonic()
        try:
            output = self._read(message.value() or b"", headers)
        except _Poison as poison:
            self._dead(message, headers, poison)
            return
        if output is None:
            return
        found.blocks.append(output)
        found.received_at.append(int(headers.get(HEADER_RECEIVED, b"0")) or appended_at)
        header = output.header
        found.rows += header.usage_rows + header.operation_rows + header.rejection_rows
        codes, counts = np.unique(output.rejections.column("reason").to_numpy(), return_counts=True)
        named = (Reason(code).name for code in codes.tolist())
        self.progress.rejects.update(dict(zip(named, counts.tolist(), strict=True)))
        self.progress.blocks += 1
        self.progress.records += header.usage_rows
        self.progress.at = time.monotonic()

    def _read(self, value: bytes, headers: dict[str, bytes]) -> OutputBlock | None:
        """Return a block, None when it came before or comes from a worker that had lost its partition."""
        if headers.get(HEADER_SCHEMA) != schema_of("output"):
            raise _Poison("UNKNOWN_SCHEMA", f"the schema is {headers.get(HEADER_SCHEMA)!r}")
        try:
            output = from_frame(OutputBlock, value)
            check_blocks([output])
            place = LogPlace.of(output.header.claim, output.header.block)
            epoch, image = int(headers[HEADER_EPOCH]), int(headers[HEADER_IMAGE])
            int(headers.get(HEADER_RECEIVED, b"0"))
            if str(place).encode() != headers[HEADER_NAME]:
                raise _Poison("WRONG_NAME", f"the block is {place}, its header says {headers[HEADER_NAME]!r}")
        except (UnableToReadFrame, UnableToStore, ValueError, KeyError) as error:
            raise _Poison("MALFORMED_FRAME", str(error)) from error
        key = (int(place.log), place.partition)
        known_epoch, known = divmod(self._seen.get(key, -1), 1 << 40) if key in self._seen else (0, -1)
        if epoch < known_epoch:
            return None
        self._seen[key] = (epoch << 40) + max(known, place.offset)
        if place.offset <= known:
            return None
        self.names.reach(image)
        return output

    def _dead(self, message: Message, headers: dict[str, bytes], poison: _Poison) -> None:
        """Send a poison block to the dead letters: the partition goes on."""
        origin = (RATED, int(message.partition() or 0), int(message.offset() or 0), message.timestamp()[1] * 1000)
        said = headers | letter_headers("sink", poison.code, str(poison), origin, self.now())
        self.say(f"{RATED}/{origin[1]}: offset {origin[2]} is a dead letter: {poison}")
        self.dead_count += 1
        failed: list[Any] = []
        self.producer.produce(
            dead_letters(RATED),
            message.value() or b"",
            partition=0,
            headers=list(said.items()),
            on_delivery=lambda error, _: failed.append(error) if error is not None else None,
        )
        self.producer.flush()
        if failed:
            raise UnableToSend(f"{dead_letters(RATED)}: {failed[0]}")

    # ---- writing

    def _write_due(self) -> None:
        now = time.monotonic()
        for partition in list(self._unconfirmed):
            self._confirm(partition)
        for partition, found in list(self._waiting.items()):
            if partition in self._unconfirmed:
                continue
            if found.since and (found.rows >= RECORDS_MAX or now - found.since >= self.wait_s):
                self._write(partition, found)

    def _write(self, partition: int, found: _Waiting) -> None:
        """Write what waits of one partition, then commit; an unreachable store is waited for."""
        attempt = 0
        while found.blocks:
            try:
                self.store.write(found.blocks, tokens=True, verify=partition in self._fresh)
                self._fresh.discard(partition)
                break
            except (UnableToStore, UnableToQuery) as error:
                if isinstance(error, UnableToStore) and not error.transient:
                    raise
                wait = RETRY_S[min(attempt, len(RETRY_S) - 1)]
                if attempt == 0:
                    self.say(f"the store takes nothing for now; trying again: {error}")
                attempt += 1
                if self._stop.wait(wait):
                    return
        stored_at = self.now()
        for at in found.received_at:
            self.progress.aged(stored_at - at)
        self._waiting[partition] = _Waiting()
        self._unconfirmed[partition] = found.following
        self._confirm(partition)

    def _confirm(self, partition: int) -> None:
        """Commit what is written of a partition: as long as that fails it is not sure whose the partition is."""
        try:
            place = TopicPartition(RATED, partition, self._unconfirmed[partition])
            self.consumer.commit(offsets=[place], asynchronous=False)
            del self._unconfirmed[partition]
        except KafkaException as error:
            if error.args[0].fatal():
                raise

    # ---- membership

    def _assigned(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self.store.forget()
        for found in partitions:
            self._fresh.add(found.partition)
            self.progress.assigned(found.partition)
        consumer.incremental_assign(partitions)

    def _revoked(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        for found in partitions:
            waiting = self._waiting.pop(found.partition, None)
            if waiting is not None and waiting.since and found.partition not in self._unconfirmed:
                self._write(found.partition, waiting)
                self._waiting.pop(found.partition, None)
        self._lost(consumer, partitions)

    def _lost(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._seen.clear()  # a partition of a log may come back, and from an earlier block on
        self.store.forget()
        for found in partitions:
            self._waiting.pop(found.partition, None)
            self._unconfirmed.pop(found.partition, None)
            self._fresh.discard(found.partition)
            self.progress.revoked(found.partition)


class _Poison(Exception):
    """A block that can never be stored."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
