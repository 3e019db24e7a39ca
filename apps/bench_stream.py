"""`octroi bench stream`: a broker, a collector, the stages and a sink on this machine, from messages to rows, recounted."""

from __future__ import annotations

import os
import re
import resource
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from confluent_kafka import Consumer, Producer, TopicPartition

from apps.bench import UnableToMeasure
from apps.bench_results import hand_over, tell
from apps.cli.failures import say
from apps.workers.clients import PARTITIONER, producer_settings
from benchmarks.broker.broker import start_broker
from benchmarks.catalogs.write import write_telephony_catalog
from benchmarks.generate.telephony import COLUMNS, write_telephony
from benchmarks.recount.delimited import recount_telephony
from benchmarks.report import Result
from schemas.frames import to_frame
from schemas.stream_blocks import RawBlock
from schemas.topics import BLOCKS, HEADER_SCHEMA, RATED, raw_topic, schema_of
from sinks.clickhouse.store import Store

STREAM_SUITES = ("records", "blocks", "latency")
RECORDS = {"records": 1_000_000, "blocks": 2_000_000, "latency": 50_000}
WARM_UP = 20_000
BLOCK_ROWS = 16_384
LATENCY_RATE = 5000
PARTITIONS = 2
LIMIT_S = 600.0
_KEY = 4
"""The column of CSV that says whose usage it is."""
_SHEET = """
SELECT sum(received) AS records, sum(accepted) AS accepted, sum(duplicate) AS duplicates, sum(filtered) AS filtered,
  sum(rejected) AS rejected, sum(parked) AS parked, sum(edrs) AS edrs,
  sum(rated) + sum(unrated) AS `edrs that are rated or not` FROM fact_block
"""


def bench_stream(*, only: list[str], records: int | None, seed: int, runs: int, json_file: Path | None) -> bool:
    """Run the suites and print them; return whether every run agreed with the recount."""
    results = []
    for suite in only or STREAM_SUITES:
        measured = [_run(suite, records or RECORDS[suite], seed) for _ in range(runs)]
        middle = sorted(measured, key=lambda run: run.rate)[len(measured) // 2]
        problems = [problem for run in measured for problem in run.problems]
        result = Result(
            name=f"stream.{suite}",
            unit="records/s",
            runs=[round(run.rate) for run in measured],
            recount_ok=not problems,
            details=middle.details | {"problems": problems},
        )
        results.append(tell(result))
    return hand_over(results, json_file)


@dataclass
class _Run:
    rate: float
    problems: list[str]
    details: dict[str, Any]


@dataclass
class _World:
    """Broker, catalog, usage and workers of one run."""

    root: Path
    address: str
    lines: list[bytes] = field(default_factory=list)
    workers: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def data(self) -> Path:
        return self.root / "data"

    def environment(self, port: int) -> dict[str, str]:
        given = {
            "OCTROI_KAFKA": self.address,
            "OCTROI_STREAM_PARTITIONS": PARTITIONS,
            "OCTROI_STREAM_RAW_PARTITIONS": PARTITIONS,
            "OCTROI_DEDUP_WINDOW_DAYS": "unlimited",
            "OCTROI_METRICS_PORT": port,
        }
        return os.environ | {name: str(value) for name, value in given.items()}

    def octroi(self, *arguments: str, port: int = 0) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "apps.cli", *arguments, "--data", str(self.data)]
        with (self.root / "workers.log").open("ab") as log:
            return subprocess.Popen(command, env=self.environment(port), stdout=log, stderr=log)

    def check(self) -> None:
        for name, worker in self.workers.items():
            if worker.poll() is not None:
                said = (self.root / "workers.log").read_text(errors="replace")[-2000:]
                raise UnableToMeasure(f"worker {name} ended with {worker.returncode}: {said}")


@contextmanager
def _world(records: int, seed: int) -> Iterator[_World]:
    with tempfile.TemporaryDirectory(prefix="octroi-bench-") as temporary:
        root = Path(temporary)
        broker = start_broker(root / "broker", heap="1g", quick=False)
        world = _World(root, broker.address)
        try:
            subscribers = min(max(records // 10, 100), 1_000_000)
            write_telephony_catalog(world.data / "catalog", subscribers=subscribers)
            _without_header(world.data / "catalog" / "telephony.yaml")
            files = write_telephony(root / "usage", records=records, subscribers=subscribers, seed=seed)
            world.lines = [line for path in files for line in path.read_bytes().splitlines()[1:]]
            if world.octroi("stream", "activate").wait(LIMIT_S):
                raise UnableToMeasure((root / "workers.log").read_text(errors="replace")[-2000:])
            yield world
        finally:
            for worker in world.workers.values():
                worker.kill()
                worker.wait()
            broker.stop()


def _without_header(path: Path) -> None:
    text = path.read_text()
    path.write_text(text.replace("header: true", f"header: false\ncolumns: [{', '.join(COLUMNS)}]", 1))


def _run(suite: str, records: int, seed: int) -> _Run:
    with _world(records, seed) as world:
        ports = {"collect": 19_201, "stages": 19_202, "sink": 19_203}
        for name, port in ports.items():
            world.workers[name] = world.octroi("worker", name, port=port)
        send = _send_blocks if suite == "blocks" else _send_records
        say(f"{suite}: warming up")
        send(world, world.lines[:WARM_UP])
        _await_stored(world)
        before = {name: cpu_seconds(worker.pid) for name, worker in world.workers.items()}
        say(f"{suite}: measuring")
        started, spent = time.monotonic(), time.process_time()
        rest = world.lines[WARM_UP:]
        send(world, rest, LATENCY_RATE if suite == "latency" else None)
        producing, produced_s = time.process_time() - spent, time.monotonic() - started
        _await_stored(world)
        seconds = time.monotonic() - started
        cpu = {name: round(cpu_seconds(worker.pid) - before[name], 3) for name, worker in world.workers.items()}
        ages = _ages(ports["sink"])
        _stop(world)
        problems = _problems(world)
        details = {
            "records": len(rest),
            "partitions": PARTITIONS,
            "measures": "first message sent to the last row committed; producer and broker on the same machine",
            "seconds": round(seconds, 3),
            "produce_s": round(produced_s, 3),
            "cpu_s": cpu | {"producer": round(producing, 3)},
            "age_s_of_the_oldest_record_of_a_block": ages,
            "cpu_us_per_record": round(sum(cpu.values()) / len(rest) * 1e6, 3),
            "peak_memory_mib_of_children": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024,
        }
        return _Run(len(rest) / seconds, problems, details)


def _send_records(world: _World, lines: list[bytes], rate: int | None = None) -> None:
    producer = Producer({"bootstrap.servers": world.address, "partitioner": PARTITIONER, "linger.ms": 5,
                         "queue.buffering.max.messages": 1_000_000, "compression.type": "lz4"})  # fmt: skip
    topic, started = raw_topic("telephony"), time.monotonic()
    for number, line in enumerate(lines):
        while True:
            try:
                producer.produce(topic, line, key=line.split(b",", _KEY + 1)[_KEY])
                break
            except BufferError:
                producer.poll(0.05)
        if rate is not None and number % 100 == 99:
            producer.poll(0)
            time.sleep(max(started + number / rate - time.monotonic(), 0.0))
    producer.flush()


def _send_blocks(world: _World, lines: list[bytes], _: int | None = None) -> None:
    producer = Producer(producer_settings(world.address, "bench"))
    for number, block in enumerate(_blocks(lines)):
        producer.produce(
            BLOCKS, to_frame(block), partition=number % PARTITIONS, headers=[(HEADER_SCHEMA, schema_of("raw"))]
        )
        producer.poll(0)
    producer.flush()


def _blocks(lines: list[bytes]) -> Iterable[RawBlock]:
    for first in range(0, len(lines), BLOCK_ROWS):
        some = lines[first : first + BLOCK_ROWS]
        payload = np.frombuffer(b"\n".join(some) + b"\n", np.uint8)
        end = np.cumsum(np.fromiter(map(len, some), np.int64, len(some)) + 1)
        yield RawBlock("telephony", "", payload, end, np.arange(len(some)), np.zeros(len(some), np.int64))


def _await_stored(world: _World) -> None:
    """Wait until every stage has committed everything that lies before it."""
    read = {
        "octroi.collect": raw_topic("telephony"),
        "octroi.decode": BLOCKS,
        "octroi.resource": "usage.cdr.decoded.v1",
        "octroi.account": "usage.edr.attributed.v1",
        "octroi.sink": RATED,
    }
    consumers = {
        group: Consumer({"bootstrap.servers": world.address, "group.id": group, "log_level": 2}) for group in read
    }
    deadline, quiet = time.monotonic() + LIMIT_S, 0
    try:
        while quiet < 2:
            world.check()
            if time.monotonic() > deadline:
                raise UnableToMeasure(f"not everything was stored within {LIMIT_S:g} s")
            idle = all(_is_done(consumers[group], topic) for group, topic in read.items())
            quiet = quiet + 1 if idle else 0
            time.sleep(0.05)
    finally:
        for consumer in consumers.values():
            consumer.close()


def _is_done(consumer: Consumer, topic: str) -> bool:
    for place in consumer.committed([TopicPartition(topic, number) for number in range(PARTITIONS)], timeout=30):
        if consumer.get_watermark_offsets(place, timeout=30)[1] > max(place.offset, 0):
            return False
    return True


def cpu_seconds(pid: int) -> float:
    """Return the seconds of CPU that a process has spent."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _ages(port: int) -> dict[str, float]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    return {
        q: float(age) for q, age in re.findall(r'octroi_age_seconds{quantile="([\d.]+)",stage="sink"} ([\d.e-]+)', text)
    }


def _stop(world: _World) -> None:
    for worker in world.workers.values():
        worker.send_signal(signal.SIGTERM)
    for worker in world.workers.values():
        worker.wait(60)


def _problems(world: _World) -> list[str]:
    """Return what differs from the recount, of what does not depend on the order in which an account's usage is rated.

    Log 1 has the order of identities: with several partitions a prepaid balance may refuse another call than in files.
    """
    expected = recount_telephony(sorted((world.root / "usage").iterdir()), world.data / "catalog")
    wanted = {
        name: getattr(expected, name)
        for name in ("records", "accepted", "duplicates", "filtered", "rejected", "parked")
    }
    wanted["edrs"] = wanted["edrs that are rated or not"] = expected.accepted
    wanted["differences"] = 0
    store = Store.open(world.data / "store")
    try:
        found = store.query(_SHEET).to_pylist()[0] | {"differences": len(store.balance_check())}
    finally:
        store.close()
    return [
        f"{name}: the store has {found[name]}, the recount {value}"
        for name, value in wanted.items()
        if found[name] != value
    ]
