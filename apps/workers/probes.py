"""Probes and metrics of a worker: /livez, /readyz and /metrics on a port of its own.

Being alive is not answering but getting on: /readyz fails when input keeps coming and nothing of it is committed.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from confluent_kafka import ConsumerGroupTopicPartitions, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._listoffsets import OffsetSpec
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from apps.workers.progress import Progress
from apps.workers.settings import StreamSettings

STALL_S = 30.0
"""How long nothing may be committed while input comes."""
LOOK_S = 2.0
TIMEOUT_S = 10.0
Place = tuple[str, int]


@dataclass(slots=True)
class Lag:
    """How far one consumer group is behind, as looked at now and then.

    Attributes:
        committed, end: offset by topic and partition. stalled_since: partition -> when its lag began to grow without progress.
    """

    group: str
    committed: dict[Place, int] = field(default_factory=dict)
    end: dict[Place, int] = field(default_factory=dict)
    stalled_since: dict[Place, float] = field(default_factory=dict)
    moved_at: dict[Place, float] = field(default_factory=dict)

    def look(self, committed: Mapping[Place, int], end: Mapping[Place, int], now: float) -> None:
        """Take note of offsets at `now`, seconds of any clock that goes forward."""
        for place, offset in committed.items():
            grew = end[place] > self.end.get(place, end[place])
            moved = offset > self.committed.get(place, offset - 1)
            if moved or end[place] <= offset:
                self.stalled_since.pop(place, None)
                self.moved_at[place] = now
            elif grew:
                self.stalled_since.setdefault(place, now)
        self.committed, self.end = dict(committed), dict(end)

    def stalled(self, now: float) -> list[Place]:
        """Return where input has been coming for STALL_S without anything of it being committed."""
        return sorted(place for place, since in self.stalled_since.items() if now - since >= STALL_S)

    def records(self, place: Place) -> int:
        """Return the lag of a partition in messages."""
        return max(self.end[place] - max(self.committed[place], 0), 0)

    def seconds(self, place: Place, now: float) -> float:
        """Return for how long a partition has been behind."""
        return now - self.moved_at.get(place, now) if self.records(place) else 0.0


class _Watch:
    """Looks at the lag of groups in a thread, and answers probes."""

    def __init__(self, settings: StreamSettings, progress: Sequence[Progress], groups: Mapping[str, str]) -> None:
        self._admin = AdminClient({"bootstrap.servers": settings.kafka})
        self._progress = progress
        self.lags = {stage: Lag(group) for stage, group in groups.items()}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="lag", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.wait(LOOK_S):
            for lag in self.lags.values():
                try:
                    lag.look(*self._offsets(lag.group), time.monotonic())
                except (KafkaException, TimeoutError):
                    continue  # the broker is away: what was known stays

    def _offsets(self, group: str) -> tuple[dict[Place, int], dict[Place, int]]:
        asked = self._admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)])
        found = asked[group].result(TIMEOUT_S).topic_partitions or []
        committed = {(place.topic, place.partition): place.offset for place in found}
        latest = {
            TopicPartition(*place): OffsetSpec.latest()  # type: ignore[no-untyped-call]
            for place in committed
        }
        ends = self._admin.list_offsets(latest) if latest else {}
        end = {(place.topic, place.partition): future.result(TIMEOUT_S).offset for place, future in ends.items()}
        return committed, end

    def close(self) -> None:
        self._stop.set()
        self._thread.join()

    def unready(self) -> list[str]:
        now = time.monotonic()
        return [
            f"{lag.group} gets nothing of {topic}/{partition} done while it grows"
            for lag in self.lags.values()
            for topic, partition in lag.stalled(now)
        ]

    def collect(self) -> Iterable[Metric]:
        now = time.monotonic()
        lag = GaugeMetricFamily(
            "kafka_consumergroup_lag", "messages behind", labels=["consumergroup", "topic", "partition"]
        )
        seconds = GaugeMetricFamily(
            "kafka_consumergroup_group_lag_seconds", "seconds behind", labels=["consumergroup", "topic", "partition"]
        )
        for found in self.lags.values():
            for place in found.committed:
                labels = [found.group, place[0], str(place[1])]
                lag.add_metric(labels, found.records(place))
                seconds.add_metric(labels, found.seconds(place, now))
        yield lag
        yield seconds
        yield from stage_metrics(self._progress, now)


def stage_metrics(progress: Sequence[Progress], now: float) -> Iterator[Metric]:
    """Yield what the stages of this process did; `now` is of the monotonic clock."""
    blocks = CounterMetricFamily("octroi_blocks", "blocks taken", labels=["stage"])
    records = CounterMetricFamily("octroi_records", "records taken", labels=["stage"])
    refused = CounterMetricFamily("octroi_rejects", "records and EDRs refused, by code", labels=["stage", "code"])
    ages = GaugeMetricFamily("octroi_age_seconds", "age of the latest blocks when done", labels=["stage", "quantile"])
    snapshot = GaugeMetricFamily("octroi_snapshot_age_seconds", "seconds since the latest snapshot", labels=["stage"])
    state = GaugeMetricFamily("octroi_state_bytes", "memory of state", labels=["stage"])
    partitions = GaugeMetricFamily("octroi_partitions", "partitions held", labels=["stage"])
    for found in progress:
        blocks.add_metric([found.stage], found.blocks)
        records.add_metric([found.stage], found.records)
        for code, count in sorted(found.rejects.items()):
            refused.add_metric([found.stage, code], count)
        for quantile, age in found.quantiles().items():
            ages.add_metric([found.stage, quantile], age)
        if found.stage in ("resource", "account"):
            snapshot.add_metric([found.stage], now - found.saved_at)
            state.add_metric([found.stage], sum(found.state_bytes.values()))
        partitions.add_metric([found.stage], len(found.owned))
    yield from (blocks, records, refused, ages, snapshot, state, partitions)


@contextmanager
def serve_probes(settings: StreamSettings, progress: Sequence[Progress], groups: Mapping[str, str]) -> Iterator[int]:
    """Answer probes on the setting's port while the context lasts; yield the port."""
    watch = _Watch(settings, progress, groups)
    registry = CollectorRegistry()
    registry.register(watch)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/metrics":
                self._answer(200, generate_latest(registry), "text/plain; version=0.0.4")
            elif self.path == "/livez":
                self._answer(200, b"alive\n")
            elif self.path == "/readyz":
                wrong = watch.unready()
                self._answer(503 if wrong else 200, "".join(f"{line}\n" for line in wrong or ["ready"]).encode())
            else:
                self._answer(404, b"/livez, /readyz and /metrics\n")

        def _answer(self, status: int, body: bytes, form: str = "text/plain") -> None:
            self.send_response(status)
            self.send_header("Content-Type", form)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing: probes come every few seconds."""

    server = ThreadingHTTPServer(("", settings.metrics_port), Handler)
    thread = threading.Thread(target=server.serve_forever, name="probes", daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        watch.close()
