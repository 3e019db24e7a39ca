"""A worker of stages: one Faust application with the agents of the stages that it runs."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from apps.workers.clients import consumer_settings, producer_settings
from apps.workers.objects import Objects
from apps.workers.outbox import Outbox
from apps.workers.progress import Progress
from apps.workers.scratch import own_directory
from apps.workers.settings import StreamSettings
from apps.workers.shelf import latest, shelf
from apps.workers.snapshots import Partition, PartitionSnapshots
from pipelines.activation import decode_context
from pipelines.agents.account import account
from pipelines.agents.decode import decode
from pipelines.agents.resource import resource
from pipelines.agents.source import Fetched
from pipelines.mediation.decode import Decoder, make_decoder
from pipelines.partitions.account import AccountPartition
from pipelines.partitions.images import ImageInForce, Shelf, in_force
from pipelines.partitions.resource import ResourcePartition
from pipelines.resource.dedup import open_period_days
from pipelines.snapshot import StageState
from schemas.topics import BLOCKS, CDRS, EDRS

TOPIC_OF = {"decode": BLOCKS, "resource": CDRS, "account": EDRS}
"""What each stage reads."""


@dataclass(slots=True)
class KnownImages:
    """The images that took effect so far, for the decode stage: `pipelines.agents.ports.Images`."""

    tenant: str
    secret: bytes
    shelf: Shelf
    state: StageState = field(default_factory=StageState.empty)
    image: ImageInForce | None = None
    _decoders: dict[str, Decoder] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def activate(self, number: int) -> None:
        """Take note of an image that took effect."""
        with self._lock:
            if self.image is None or self.image.number < number:
                self.image = in_force(self.image, number, self.state, self.shelf)
                self._decoders = {}

    def decoder(self, source: str) -> tuple[int, Decoder]:
        """Return the number of the latest image, and its decoder of a source; KeyError when it has none."""
        with self._lock:
            if self.image is None:
                raise KeyError("no catalog has taken effect yet")
            if source not in self._decoders:
                context = decode_context(self.image.catalog, source, self.state, tenant=self.tenant, secret=self.secret)
                self._decoders[source] = make_decoder(context)
            return self.image.number, self._decoders[source]


@dataclass(slots=True)
class DecodeOwner:
    """Keeps nothing but offsets: the decode stage has no state."""

    outbox: Outbox
    progress: Progress

    def assigned(self, partition: int, log: tuple[int, int]) -> int | None:
        """Go on where the group has come to."""
        self.progress.assigned(partition)
        return None

    def revoked(self, partition: int) -> None:
        """Have everything acknowledged."""
        self.outbox.flush()
        self.progress.revoked(partition)

    def lost(self, partition: int) -> None:
        """Forget it."""
        self.outbox.forget(partition)
        self.progress.revoked(partition)

    def idle(self) -> None:
        """Let the producer work."""
        self.outbox.producer.poll(0)

    def committable(self) -> dict[int, int]:
        """Return what is acknowledged."""
        return self.outbox.committable()


@dataclass(slots=True)
class _Held:
    stage: Any
    epoch: int
    snapshots: PartitionSnapshots
    saved_at: float
    saved_offset: int


@dataclass(slots=True)
class StateOwner:
    """Keeps the state of the partitions of one stage: restored when one comes, written down when it goes and now and then.

    Attributes:
        make: returns a stage without state on a partition.
        trim: told the partition and the offset below which its log is no longer needed.
        lock: held while a stage works on a block, and while its state is written down.
    """

    name: str
    outbox: Outbox
    progress: Progress
    objects: Objects
    directory: Path
    make: Callable[[int], Partition]
    trim: Callable[[int, int], None]
    snapshot_s: float
    held: dict[int, _Held] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def assigned(self, partition: int, log: tuple[int, int]) -> int | None:
        """Take the next epoch, restore the best snapshot, and return the offset from which the log is replayed.

        Raises:
            UnableToReplay: when the log is trimmed past every snapshot.
        """
        directory = self.directory / self.name / f"{partition:04d}"
        snapshots = PartitionSnapshots(self.objects, self.name, partition, directory)
        epoch = snapshots.take_epoch()
        stage = self.make(partition)
        begin = snapshots.load(stage, log)
        self.held[partition] = _Held(stage, epoch, snapshots, time.monotonic(), begin)
        self.progress.assigned(partition)
        return begin

    def revoked(self, partition: int) -> None:
        """Write the state down, so that the next owner has nothing to replay."""
        held = self.held.pop(partition, None)
        if held is not None:
            self._save(partition, held)
        self.outbox.forget(partition)
        self.progress.revoked(partition)

    def lost(self, partition: int) -> None:
        """Forget it: somebody else has replayed it."""
        self.held.pop(partition, None)
        self.outbox.forget(partition)
        self.progress.revoked(partition)

    def idle(self) -> None:
        """Write states down that are due."""
        self.outbox.producer.poll(0)
        for partition, held in self.held.items():
            if time.monotonic() - held.saved_at >= self.snapshot_s:
                self._save(partition, held)

    def committable(self) -> dict[int, int]:
        """Return what is acknowledged: for those who watch; the state's offset is what counts."""
        return self.outbox.committable()

    def _save(self, partition: int, held: _Held) -> None:
        with self.lock:
            held.saved_at = time.monotonic()
            if held.stage.offset == held.saved_offset:
                return
            self.outbox.flush()
            oldest = held.snapshots.save(held.stage, held.epoch)
            held.saved_offset = held.stage.offset
            state = held.stage.state
            self.progress.state_bytes[partition] = state.account.nbytes + state.resource.dedup.nbytes
        self.progress.saved()
        if oldest is not None:
            self.trim(partition, oldest)


def partitions_of(servers: str, topic: str) -> int:
    """Return how many partitions a topic has.

    Raises:
        LookupError: when there is no such topic.
    """
    found = AdminClient({"bootstrap.servers": servers}).list_topics(topic, timeout=30).topics[topic]
    if found.error is not None or not found.partitions:
        raise LookupError(f"there is no topic {topic}; `octroi topics apply` makes it")
    return len(found.partitions)


def trimming(servers: str, topic: str) -> Callable[[int, int], None]:
    """Return what trims a topic's partition below an offset."""
    admin = AdminClient({"bootstrap.servers": servers})

    def trim(partition: int, offset: int) -> None:
        admin.delete_records([TopicPartition(topic, partition, offset)])

    return trim


def build(
    settings: StreamSettings, stages: Sequence[str], secret: bytes, now: Callable[[], int]
) -> tuple[Any, dict[str, Progress]]:
    """Return the Faust application of a worker, and the progress of each of its stages."""
    from pipelines.app import add_stage, make_app

    name = f"octroi-{'-'.join(stages)}-{os.uname().nodename}-{os.getpid()}"
    objects = Objects(settings.objects_address)
    scratch = own_directory(settings.scratch)
    catalogs = shelf(objects, settings.scratch / "images")
    images = KnownImages(settings.tenant, secret, catalogs)
    if "decode" in stages and (number := latest(objects)):
        images.activate(number)
    app = make_app(name, settings.kafka, images.activate if "decode" in stages else lambda _: None)
    progress: dict[str, Progress] = {}
    for stage in stages:
        outbox = Outbox(Producer(producer_settings(settings.kafka, name)), stage, now)
        seen = progress[stage] = Progress(stage, TOPIC_OF[stage])
        consumer = consumer_settings(settings.kafka, f"octroi.{stage}", name, session_ms=settings.stream_session_ms)
        if stage == "decode":
            owner: Any = DecodeOwner(outbox, seen)
            work = _decoding(settings, outbox, images, seen, now)
        else:
            owner, work = _stateful(settings, stage, outbox, objects, scratch, catalogs, seen)
        add_stage(app, TOPIC_OF[stage], consumer, owner, work)
    return app, progress


def _decoding(
    settings: StreamSettings, outbox: Outbox, images: KnownImages, progress: Progress, now: Callable[[], int]
) -> Callable[[Fetched], None]:
    partitions = partitions_of(settings.kafka, CDRS)

    def work(block: Fetched) -> None:
        days = settings.dedup_window_days
        if days == "open_period":
            days = open_period_days(now())
        window = None if days == "unlimited" else days
        send = outbox.begin(block)
        count = decode(block, images, send, window_days=window, partitions=partitions)
        send.end()
        progress.took(block, count)

    return work


def _stateful(
    settings: StreamSettings,
    stage: str,
    outbox: Outbox,
    objects: Objects,
    scratch: Path,
    catalogs: Shelf,
    progress: Progress,
) -> tuple[StateOwner, Callable[[Fetched], None]]:
    from schemas.topics import RATED

    account_partitions = partitions_of(settings.kafka, EDRS)
    output_partitions = partitions_of(settings.kafka, RATED)

    def make(partition: int) -> Any:
        if stage == "resource":
            return ResourcePartition(partition, account_partitions, settings.tenant, catalogs)
        return AccountPartition(partition, settings.tenant, catalogs)

    trim = trimming(settings.kafka, TOPIC_OF[stage])
    owner = StateOwner(stage, outbox, progress, objects, scratch, make, trim, settings.stream_snapshot_s)
    step = resource if stage == "resource" else account

    def work(block: Fetched) -> None:
        held = owner.held.get(block.partition)
        if held is None:
            return  # it was given up while the block waited
        with owner.lock:
            send = outbox.begin(block)
            count = step(block, held.stage, send, epoch=held.epoch, output_partitions=output_partitions)
            send.end()
        progress.took(block, count)

    return owner, work
