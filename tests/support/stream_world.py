"""The streaming mode as processes on a broker, and what it stored, in a form that can be compared with the embedded mode's."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cli_calls import CATALOG
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition

from schemas.topics import RATED, raw_topic
from sinks.clickhouse.store import Store

RAW_PARTITIONS = 2
STREAMED = CATALOG.replace("format: delimited", "format: delimited\nheader: false\ncolumns: [id, caller, at, seconds]")
"""The catalog of calls, for messages that are lines."""
FACTS = (
    "SELECT account, subscription, access_point, charge, event_at, quantity, rated_quantity, amount, counter_before, "
    "tier, band FROM rated_item ORDER BY ALL"
)
"""What rated items say, but for where in the log they lie."""
MONEY = "SELECT account, wallet, kind, if(kind = 'usage', toString(at), '') AS used_at, amount, balance_after FROM wallet_operation ORDER BY ALL"
REFUSED = "SELECT stage, if(stage = 'decode', '', reason) AS why, access_point, count() AS n FROM rejection GROUP BY ALL ORDER BY ALL"
SHEET = (
    "SELECT sum(received) AS received, sum(accepted) AS accepted, sum(duplicate) AS duplicate, sum(rejected) AS rejected, "
    "sum(filtered) AS filtered, sum(edrs) AS edrs, sum(rated) AS rated, sum(unrated) AS unrated FROM fact_block"
)


@dataclass
class Stream:
    """One installation of the streaming mode."""

    data: Path
    address: str
    partitions: int = 1
    session_ms: int = 3000
    snapshot_s: float = 60.0
    extra: dict[str, str] = field(default_factory=dict)
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        given = {
            "OCTROI_KAFKA": self.address,
            "OCTROI_STREAM_PARTITIONS": self.partitions,
            "OCTROI_STREAM_RAW_PARTITIONS": RAW_PARTITIONS,
            "OCTROI_STREAM_SESSION_MS": self.session_ms,
            "OCTROI_STREAM_SNAPSHOT_S": self.snapshot_s,
            "OCTROI_STREAM_GATHER_MS": 50,
            "OCTROI_STREAM_STORE_MS": 100,
            "OCTROI_DEDUP_WINDOW_DAYS": "unlimited",
        }
        return os.environ | {name: str(value) for name, value in given.items()} | self.extra

    def octroi(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "apps.cli", *arguments, "--data", str(self.data)]
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False)

    def activate(self) -> None:
        ended = self.octroi("stream", "activate")
        assert ended.returncode == 0, ended.stderr

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start a worker; what it says goes to a file beside the data."""
        command = [sys.executable, "-m", "apps.cli", "worker", *arguments, "--data", str(self.data)]
        with (self.data / f"worker-{len(self.workers)}.log").open("wb") as log:
            worker = subprocess.Popen(command, env=self.environment, stdout=log, stderr=log)
        self.workers.append(worker)
        return worker

    def said(self, worker: subprocess.Popen[bytes]) -> str:
        return (self.data / f"worker-{self.workers.index(worker)}.log").read_text(errors="replace")

    def produce(self, source: str, messages: Iterable[tuple[str, bytes]], **settings: Any) -> None:
        producer = Producer({"bootstrap.servers": self.address, "partitioner": "murmur2_random", **settings})
        for key, value in messages:
            producer.produce(raw_topic(source), value, key=key)
        assert producer.flush(300) == 0

    def await_some(self, stored: int, within_s: float = 900.0) -> None:
        """Wait until the sink has committed so many output blocks."""
        consumer = Consumer({"bootstrap.servers": self.address, "group.id": "octroi.sink"})
        places = [TopicPartition(RATED, partition) for partition in range(self.partitions)]
        deadline = time.monotonic() + within_s
        try:
            while sum(self._committed(consumer, places)) < stored:
                assert time.monotonic() < deadline, self.everything_said()
                time.sleep(0.1)
        finally:
            consumer.close()

    @staticmethod
    def _committed(consumer: Consumer, places: list[TopicPartition]) -> list[int]:
        """Return committed offsets, zeros while the broker begins to coordinate: those who wait have a deadline."""
        try:
            return [max(place.offset, 0) for place in consumer.committed(places, timeout=120)]
        except KafkaException:
            return [0] * len(places)

    def await_sheet(self, worker: subprocess.Popen[bytes], stored: int, within_s: float = 900.0) -> None:
        """Wait until the sink has committed everything there is, and that is at least so many blocks."""
        consumer = Consumer({"bootstrap.servers": self.address, "group.id": "octroi.sink"})
        places = [TopicPartition(RATED, partition) for partition in range(self.partitions)]
        deadline, quiet = time.monotonic() + within_s, 0
        try:
            while time.monotonic() < deadline:
                assert worker.poll() is None, self.said(worker)
                committed = self._committed(consumer, places)
                ends = [consumer.get_watermark_offsets(place, timeout=120)[1] for place in places]
                behind = self.behind(consumer)
                quiet = quiet + 1 if committed == ends and sum(ends) >= stored and not behind else 0
                if quiet == 2:
                    return
                time.sleep(0.2)
        finally:
            consumer.close()
        raise AssertionError(
            f"not done in {within_s} s: {committed} of {ends}, {behind} behind\n{self.everything_said()}"
        )

    def behind(self, consumer: Consumer) -> int:
        """Return how many messages lie before the stages, or some number while the broker does not say."""
        try:
            return self._behind(consumer)
        except KafkaException:
            return -1

    def _behind(self, consumer: Consumer) -> int:
        from confluent_kafka import ConsumerGroupTopicPartitions
        from confluent_kafka.admin import AdminClient

        admin, total = AdminClient({"bootstrap.servers": self.address}), 0
        topics = [name for name in admin.list_topics(timeout=120).topics if name.startswith("usage.")]
        for group in ("octroi.collect", "octroi.decode", "octroi.resource", "octroi.account"):
            found = admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)])[group].result(30)
            known = {(place.topic, place.partition): place.offset for place in found.topic_partitions or []}
            for topic in topics:
                if not _reads(group, topic):
                    continue
                for partition in range(RAW_PARTITIONS if topic.endswith(".raw.v1") else self.partitions):
                    end = consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=120)[1]
                    total += max(end - max(known.get((topic, partition), 0), 0), 0)
        return total

    def everything_said(self) -> str:
        return "\n".join(f"== {worker.args}\n{self.said(worker)[-3000:]}" for worker in self.workers)

    def stop(self) -> None:
        for worker in self.workers:
            if worker.poll() is None:
                worker.send_signal(signal.SIGTERM)
        for worker in self.workers:
            try:
                worker.wait(30)
            except subprocess.TimeoutExpired:
                worker.kill()
                worker.wait()

    def kill(self, worker: subprocess.Popen[bytes]) -> None:
        worker.kill()
        worker.wait()


def _reads(group: str, topic: str) -> bool:
    from schemas.topics import BLOCKS, CDRS, EDRS

    read = {"octroi.decode": BLOCKS, "octroi.resource": CDRS, "octroi.account": EDRS}
    return topic == read[group] if group in read else topic.endswith(".raw.v1")


def contents(data: Path, statements: Sequence[str] = (FACTS, MONEY, REFUSED, SHEET)) -> list[list[dict[str, Any]]]:
    """Return what a store answers, and check that it balances."""
    store = Store.open(data / "store")
    try:
        differences = store.balance_check()
        assert not differences, differences
        return [store.query(statement).to_pylist() for statement in statements]
    finally:
        store.close()
