"""The source of an agent: a thread with a librdkafka consumer, which owns membership and bytes; blocks go to a channel.

Faust's own consumer costs 50 to 70 microseconds a message, and its commits are not trusted with money: it serves control
topics. Membership is cooperative: partitions that stay go on while others are handed over.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Protocol

from confluent_kafka import OFFSET_INVALID, Consumer, KafkaError, KafkaException, Message, TopicPartition
from mode import Service

POLL_S = 0.1
TRIES = 10
IN_FLIGHT = 8
"""Blocks that wait in the channel: more would only be given up when partitions move."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """One message of a partition, on its way through an agent; `done` is called when what came of it was sent."""

    partition: int
    offset: int
    appended_at: int
    headers: dict[str, bytes]
    value: bytes
    done: Callable[[BaseException | None], None]


def headers_of(message: Message) -> dict[str, bytes]:
    """Return the headers of a message; one without a value is left out."""
    return {str(name): value for name, value in dict(message.headers() or []).items() if isinstance(value, bytes)}


def check_error(message: Message) -> bool:
    """Return whether a message is only news of an error that passes.

    Raises:
        KafkaException: when it does not.
    """
    error = message.error()
    if error is None:
        return False
    if error.fatal() or not (error.retriable() or error.code() == KafkaError._PARTITION_EOF):
        raise KafkaException(error)
    return True


class Owner(Protocol):
    """Who keeps what partitions need; called by the thread of the source, never while a block is worked on."""

    def assigned(self, partition: int, log: tuple[int, int]) -> int | None:
        """Prepare for a partition whose log holds these offsets; return where to begin, None for the committed offset."""

    def revoked(self, partition: int) -> None:
        """Hand over: everything up to here is to be safe."""

    def lost(self, partition: int) -> None:
        """Forget the partition: somebody else has it already."""

    def idle(self) -> None:
        """Do what is done between blocks."""

    def committable(self) -> dict[int, int]:
        """Return partition -> offset before which everything is acknowledged, of those that moved."""


class BlockSource(Service):
    """Consumes one topic in a group and puts its messages into a Faust channel, one after the other."""

    abstract = False

    def __init__(self, topic: str, settings: dict[str, Any], channel: Any, owner: Owner, **options: Any) -> None:
        """Take what to consume, where to put it, and who keeps the partitions."""
        super().__init__(**options)
        self._topic = topic
        self._settings = settings
        self._channel = channel
        self._owner = owner
        self._room = threading.Semaphore(IN_FLIGHT)
        self._end = threading.Event()
        self._busy: dict[int, int] = {}
        self._changed = threading.Condition()
        self._consumer: Consumer | None = None
        self._error: BaseException | None = None
        self._ended: Future[None] = Future()
        self.owned: set[int] = set()

    async def on_start(self) -> None:
        """Begin in a thread of its own."""
        self._loop = asyncio.get_running_loop()
        threading.Thread(target=self._run, name=f"source-{self._topic}", daemon=True).start()

    async def on_stop(self) -> None:
        """Hand over every partition and leave the group."""
        self._end.set()
        await asyncio.wrap_future(self._ended)

    @Service.task
    async def _watch(self) -> None:
        await asyncio.wrap_future(self._ended)
        if self._error is not None:
            await self.crash(self._error)

    # ---- the thread

    def _run(self) -> None:
        consumer = Consumer(self._settings)
        self._consumer = consumer
        try:
            consumer.subscribe([self._topic], on_assign=self._assign, on_revoke=self._revoke, on_lost=self._lose)
            while not self._end.is_set() and self._error is None:
                message = consumer.poll(POLL_S)
                self._commit()
                self._owner.idle()
                if message is not None:
                    self._put(message)
            self._commit()
        except BaseException as error:
            self._error = self._error or error
        finally:
            try:
                if self._error is not None:
                    self._owner = _Nobody()  # nothing is handed over after a failure: the next owner replays
                consumer.close()
            except BaseException as error:
                self._error = self._error or error
            self._ended.set_result(None)

    def _put(self, message: Message) -> None:
        if check_error(message):
            return
        partition, offset = message.partition(), message.offset()
        assert partition is not None
        assert offset is not None
        assert self._loop is not None
        with self._changed:
            self._busy[partition] = self._busy.get(partition, 0) + 1
        while not self._room.acquire(timeout=POLL_S):
            if self._end.is_set() or self._error is not None:
                self._leave(partition)
                return

        def done(failure: BaseException | None) -> None:
            if failure is not None:
                self._error = self._error or failure
            self._room.release()
            self._leave(partition)

        headers = headers_of(message)
        block = Fetched(partition, offset, message.timestamp()[1] * 1000, headers, message.value() or b"", done)
        asyncio.run_coroutine_threadsafe(self._channel.put(block), self._loop)

    def _leave(self, partition: int) -> None:
        with self._changed:
            self._busy[partition] -= 1
            self._changed.notify_all()

    def _commit(self) -> None:
        moved = self._owner.committable()
        if moved and self._consumer is not None:
            offsets = [TopicPartition(self._topic, partition, offset) for partition, offset in moved.items()]
            try:
                self._consumer.commit(offsets=offsets, asynchronous=True)
            except KafkaException as error:
                if error.args[0].fatal():
                    raise

    # ---- membership, called within poll

    def _assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        try:
            for found in partitions:
                log = consumer.get_watermark_offsets(found, timeout=30)
                begin = self._owner.assigned(found.partition, log)
                found.offset = OFFSET_INVALID if begin is None else begin
                self.owned.add(found.partition)
            if any(found.offset == OFFSET_INVALID for found in partitions):
                for found, known in zip(partitions, _committed(consumer, partitions), strict=True):
                    found.offset = known.offset if found.offset == OFFSET_INVALID else found.offset
            consumer.incremental_assign(partitions)
        except BaseException as error:
            self._error = self._error or error

    def _revoke(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        try:
            for found in partitions:
                self._drain(found.partition)
                if self._error is None:
                    self._owner.revoked(found.partition)
                self.owned.discard(found.partition)
            self._commit()
        except BaseException as error:
            self._error = self._error or error

    def _lose(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        for found in partitions:
            self._drain(found.partition)
            self._owner.lost(found.partition)
            self.owned.discard(found.partition)

    def _drain(self, partition: int) -> None:
        """Wait until no block of a partition is on its way."""
        with self._changed:
            while self._busy.get(partition, 0) and self._error is None:
                self._changed.wait(POLL_S)


def _committed(consumer: Consumer, partitions: list[TopicPartition]) -> list[TopicPartition]:
    """Return where a group has come to; a coordinator that is only just beginning is waited for.

    Raises:
        KafkaException: when it does not answer after TRIES.
    """
    for attempt in range(TRIES):
        try:
            return consumer.committed(partitions, timeout=30)
        except KafkaException:
            if attempt == TRIES - 1:
                raise
            threading.Event().wait(POLL_S * (attempt + 1))
    raise AssertionError


class _Nobody:
    """Keeps nothing."""

    def assigned(self, partition: int, log: tuple[int, int]) -> int | None:
        return None

    def revoked(self, partition: int) -> None:
        return

    def lost(self, partition: int) -> None:
        return

    def idle(self) -> None:
        return

    def committable(self) -> dict[int, int]:
        return {}
