"""An agent of Faust that rates one event after another, as its tutorial has it: one message, one record."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import faust
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from benchmarks.baselines.python_rater import Rater, Totals, read_usage

TOPIC = "baseline.calls"
SEND_S = 120.0


def send(usage: Path, broker: str) -> int:
    """Send all records, in one partition so that their order stays; return how many.

    Raises:
        RuntimeError: when the broker did not take them.
    """
    admin = AdminClient({"bootstrap.servers": broker})
    for made in admin.create_topics([NewTopic(TOPIC, 1, 1)]).values():
        made.result(SEND_S)
    producer = Producer(
        {
            "bootstrap.servers": broker,
            "linger.ms": 5,
            "queue.buffering.max.messages": 10_000_000,
            "queue.buffering.max.kbytes": 4_000_000,
        }
    )
    lines = [line for path in read_usage(usage) for line in path.read_bytes().splitlines()[1:]]
    for line in lines:
        producer.produce(TOPIC, line)
    if left := producer.flush(SEND_S):
        raise RuntimeError(f"the broker did not take {left:,} of {len(lines):,} records")
    return len(lines)


def run(customers: Path, broker: str, records: int, done: Callable[[Totals, float, float], None]) -> None:
    """Rate all messages; `done` is told the totals, and the seconds and CPU seconds since the first. Does not return."""
    app = faust.App("baseline", broker=f"kafka://{broker}", store="memory://", web_enabled=False, topic_allow_declare=False,
                    topic_disable_leader=True, consumer_auto_offset_reset="earliest", autodiscover=False,
                    worker_redirect_stdouts=False)  # fmt: skip
    topic = app.topic(TOPIC, value_serializer="raw", key_serializer="raw", value_type=bytes, key_type=bytes)
    rater = Rater(customers)

    @app.agent(topic)
    async def _(stream: Any) -> None:
        count, started, spent = 0, 0.0, 0.0
        async for line in stream:
            if not count:
                started, spent = time.perf_counter(), time.process_time()
            rater.rate(line.decode().split(","))
            count += 1
            if count == records:
                done(rater.totals, time.perf_counter() - started, time.process_time() - spent)
                os._exit(0)  # a worker of Faust takes seconds to stop, and nothing is kept

    faust.Worker(app, loglevel="WARN", redirect_stdouts=False, quiet=True).execute_from_commandline()
