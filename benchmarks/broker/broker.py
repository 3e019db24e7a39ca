"""Starting and stopping a broker: the one at OCTROI_TEST_KAFKA, else Docker's, else one of Java and Maven's jars."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.broker.jars import UnableToStartBroker, jars, java

IMAGE = "apache/kafka:4.1.0"
START_S = 60.0
_CLUSTER, _DIRECTORY = "b2N0cm9pLXRlc3QtYnJrcg", "b2N0cm9pLWRpcmVjdG9yeQ"
_PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
log.dirs={directory}/log
auto.create.topics.enable=false
group.initial.rebalance.delay.ms=0
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.min.session.timeout.ms=1000
broker.session.timeout.ms=6000
broker.heartbeat.interval.ms=500
log.segment.bytes=67108864
num.network.threads=2
num.io.threads=2
"""


@dataclass(slots=True)
class JavaBroker:
    """A broker of this machine's Java, whose data lie in `directory`; it can be killed and started again there."""

    directory: Path
    port: int = 0
    heap: str = "512m"
    options: tuple[str, ...] = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
    _process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """Where clients find it."""
        return f"127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """Its process."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start it and wait until it answers.

        Raises:
            UnableToStartBroker: when it cannot, with the end of what it said.
        """
        log = self.directory / "log"
        if not log.is_dir():
            log.mkdir(parents=True)
            said = f"version=1\ncluster.id={_CLUSTER}\nnode.id=1\ndirectory.id={_DIRECTORY}\n"
            (log / "meta.properties").write_text(said)
            self.port, controller = _free_port(), _free_port()
            written = _PROPERTIES.format(port=self.port, controller=controller, directory=self.directory)
            (self.directory / "server.properties").write_text(written)
        command = [java(), f"-Xmx{self.heap}", f"-Xms{self.heap}", "-Xshare:auto", *self.options]
        command += ["-cp", f"{jars()}/*", "kafka.Kafka", str(self.directory / "server.properties")]
        with (self.directory / "broker.out").open("ab") as out:
            self._process = subprocess.Popen(command, stdout=out, stderr=out, start_new_session=True)
        await_broker(self.address, self._ended)

    def _ended(self) -> str | None:
        assert self._process is not None
        if self._process.poll() is None:
            return None
        return (self.directory / "broker.out").read_text(errors="replace")[-2000:]

    def kill(self) -> None:
        """End it at once, as kill -9 does; what it wrote stays."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None

    def stop(self) -> None:
        """End it and forget what it wrote."""
        self.kill()
        shutil.rmtree(self.directory, ignore_errors=True)


@dataclass(slots=True)
class GivenBroker:
    """A broker that somebody else runs, or one in a container."""

    address: str
    end: Callable[[], object] = field(default=lambda: None)

    def stop(self) -> None:
        """End it, if it was started here."""
        self.end()


def start_broker(directory: Path, *, heap: str = "512m", quick: bool = True) -> GivenBroker | JavaBroker:
    """Return a running broker; `directory` is for its data. `quick`: one that starts fast rather than runs fast.

    Raises:
        UnableToStartBroker: when there is none, with what is missing.
    """
    if address := os.environ.get("OCTROI_TEST_KAFKA"):
        await_broker(address, lambda: None)
        return GivenBroker(address)
    if contained := _contained():
        return contained
    broker = JavaBroker(directory, heap=heap)
    if not quick:
        broker.options = ("-XX:+UseG1GC",)
    broker.start()
    return broker


def _contained() -> GivenBroker | None:
    """Return a broker in a container, None where no Docker daemon answers."""
    if not (os.environ.get("DOCKER_HOST") or Path("/var/run/docker.sock").exists()):
        return None
    from testcontainers.kafka import KafkaContainer  # what it imports takes longer than all of this

    container = KafkaContainer(IMAGE).with_kraft()
    container.start()
    return GivenBroker(container.get_bootstrap_server(), container.stop)


def await_broker(address: str, ended: Callable[[], str | None], within_s: float = START_S) -> None:
    """Wait until a broker answers at an address.

    Raises:
        UnableToStartBroker: when it does not in time, or has `ended`, which says what it said.
    """
    from confluent_kafka import KafkaException
    from confluent_kafka.admin import AdminClient

    host, _, port = address.split(",")[0].rpartition(":")
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if (said := ended()) is not None:
            raise UnableToStartBroker(f"the broker ended:\n{said}")
        try:
            socket.create_connection((host, int(port)), 1).close()
            if AdminClient({"bootstrap.servers": address, "log_level": 2}).list_topics(timeout=5).brokers:
                return
        except (OSError, KafkaException):
            time.sleep(0.1)
    raise UnableToStartBroker(f"no broker answers at {address} within {within_s:g} s")


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
