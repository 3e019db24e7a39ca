"""One broker for all processes of a test run: the first that needs it starts it, the last one ends it, one test uses it at a time."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from confluent_kafka.admin import AdminClient

from benchmarks.broker.broker import GivenBroker, JavaBroker, start_broker


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock among processes."""
    with path.open("a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


@dataclass
class SharedBroker:
    """The broker of this run, found by its address in a file of the run's directory."""

    directory: Path
    address: str

    def clean(self) -> None:
        """Remove all topics and groups that another test left."""
        admin = AdminClient({"bootstrap.servers": self.address})
        topics = [name for name in admin.list_topics(timeout=120).topics if not name.startswith("__")]
        for future in admin.delete_topics(topics).values() if topics else ():
            future.result(30)
        deadline = time.monotonic() + 300
        while not set(topics).isdisjoint(admin.list_topics(timeout=120).topics):  # brokers hear of it a little later
            assert time.monotonic() < deadline, topics
            time.sleep(0.05)
        groups = [group.group_id for group in admin.list_consumer_groups().result(30).valid]
        for future in admin.delete_consumer_groups(groups).values() if groups else ():
            future.exception(30)  # one that is not empty yet ends by itself


@contextmanager
def shared_broker(directory: Path) -> Iterator[SharedBroker]:
    """Yield the broker of the run that has this directory."""
    directory.mkdir(exist_ok=True)
    users, found = directory / "users", directory / "broker.json"
    with locked(directory / "start.lock"):
        if not found.exists():
            broker = start_broker(directory / "data")
            pid = broker.pid if isinstance(broker, JavaBroker) else 0
            found.write_text(json.dumps({"address": broker.address, "pid": pid}))
            _ended_here.append(broker) if isinstance(broker, GivenBroker) else None
        known = json.loads(found.read_text())
        users.write_text(str(int(users.read_text() or 0) + 1 if users.exists() else 1))
    try:
        yield SharedBroker(directory, known["address"])
    finally:
        with locked(directory / "start.lock"):
            left = int(users.read_text()) - 1
            users.write_text(str(left))
            if left == 0:
                found.unlink()
                if known["pid"]:
                    os.kill(known["pid"], signal.SIGKILL)


_ended_here: list[GivenBroker] = []
"""Brokers that end with the process that began them: containers are reaped when their owner goes."""
