"""What a worker sends: by the block that it came of, so that it is known what is acknowledged."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import KafkaException, Producer

from pipelines.agents.source import Fetched
from schemas.topics import dead_letters

WAIT_S = 0.2
LETTER_BYTES_MAX = 8 << 20


class UnableToSend(Exception):
    """A block was not taken by the broker."""


@dataclass(slots=True)
class _Sent:
    offset: int
    waiting: int = 0
    whole: bool = False


@dataclass(slots=True)
class Outbox:
    """One producer, and for each partition of the input which blocks are acknowledged with all that came of them.

    Attributes:
        stage: whose it is, for dead letters. now: reads the clock, microseconds UTC.
    """

    producer: Producer
    stage: str
    now: Callable[[], int]
    error: BaseException | None = None
    dead_count: int = 0
    _sent: dict[int, deque[_Sent]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def begin(self, block: Fetched) -> Sending:
        """Return what sends what comes of a block."""
        sent = _Sent(block.offset)
        with self._lock:
            self._sent.setdefault(block.partition, deque()).append(sent)
        return Sending(self, sent)

    def committable(self) -> dict[int, int]:
        """Return partition -> offset before which everything is acknowledged, of those that moved since the last call.

        Raises:
            UnableToSend: when something was refused.
        """
        self.producer.poll(0)
        self.check()
        moved = {}
        with self._lock:
            for partition, queue in self._sent.items():
                while queue and queue[0].whole and not queue[0].waiting:
                    moved[partition] = queue.popleft().offset + 1
        return moved

    def flush(self) -> None:
        """Wait until everything is acknowledged; raises as `committable` does."""
        while self.producer.flush(WAIT_S):
            self.check()
        self.check()

    def forget(self, partition: int) -> None:
        """Forget a partition that was given up."""
        with self._lock:
            self._sent.pop(partition, None)

    def check(self) -> None:
        """Raise what a delivery reported, UnableToSend."""
        if self.error is not None:
            raise self.error

    def send(self, sent: _Sent, topic: str, partition: int, headers: dict[str, bytes], value: bytes) -> None:
        """Send one message; wait while the producer is full."""

        def acknowledged(error: Any, _: Any) -> None:
            if error is not None:
                self.error = self.error or UnableToSend(f"{topic}/{partition}: {error}")
            with self._lock:
                sent.waiting -= 1

        with self._lock:
            sent.waiting += 1
        while True:
            try:
                self.producer.produce(
                    topic, value, partition=partition, headers=list(headers.items()), on_delivery=acknowledged
                )
                break
            except BufferError:
                self.producer.poll(WAIT_S)
                self.check()
            except KafkaException as error:
                raise UnableToSend(f"{topic}/{partition}: {error}") from error
        self.producer.poll(0)


@dataclass(slots=True)
class Sending:
    """Sends what comes of one block: `pipelines.agents.ports.Send`."""

    outbox: Outbox
    sent: _Sent

    def __call__(self, topic: str, partition: int, headers: dict[str, bytes], frame: bytes) -> None:
        """Send a block to a partition."""
        self.outbox.send(self.sent, topic, partition, headers, frame)

    def dead(self, topic: str, block: Fetched, code: str, message: str) -> None:
        """Send a block, as it came, to the dead letters of its topic."""
        origin = (topic, block.partition, block.offset, block.appended_at)
        self._letter(topic, block.value, code, message, origin, block.headers)

    def letter(self, topic: str, value: bytes, *, code: str, message: str, origin: tuple[str, int, int, int]) -> None:
        """Send bytes to dead letters of a topic."""
        self._letter(topic.removesuffix(".dlq"), value, code, message, origin, {})

    def _letter(
        self,
        topic: str,
        value: bytes,
        code: str,
        message: str,
        origin: tuple[str, int, int, int],
        kept: dict[str, bytes],
    ) -> None:
        headers = kept | letter_headers(self.outbox.stage, code, message, origin, self.outbox.now())
        self.outbox.dead_count += 1
        self.outbox.send(self.sent, dead_letters(topic), 0, headers, value)

    def end(self) -> None:
        """Say that nothing more comes of the block."""
        self.sent.whole = True


def letter_headers(
    stage: str, code: str, message: str, origin: tuple[str, int, int, int], now: int
) -> dict[str, bytes]:
    """Return the headers that a dead letter adds to those it came with."""
    topic, partition, offset, appended_at = origin
    said = {
        "x-error-stage": stage,
        "x-error-code": code,
        "x-error-message": message[:1000],
        "x-error-count": "1",
        "x-error-first-at": str(now),
        "x-origin-topic": topic,
        "x-origin-partition": str(partition),
        "x-origin-offset": str(offset),
        "x-origin-timestamp": str(appended_at),
    }
    return {name: text.encode() for name, text in said.items()}
