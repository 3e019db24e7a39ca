"""Workers as processes: opened from settings, stopped by SIGTERM, with probes and metrics beside them."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient

from apps.clock import now_us
from apps.embedded.layout import DataDirectory
from apps.embedded.lock import OwnerLock
from apps.workers.clients import consumer_settings, producer_settings
from apps.workers.collector import Collector
from apps.workers.objects import Objects
from apps.workers.probes import serve_probes
from apps.workers.progress import Progress
from apps.workers.settings import StreamSettings
from apps.workers.shelf import latest, publish, shelf, streamed, took_effect_at
from apps.workers.sink import Names, Sink
from apps.workers.stages import TOPIC_OF, build, partitions_of
from apps.workers.topics import Change, apply, plan
from schemas.topics import BLOCKS, IMAGES, RATED, topics_of
from sinks.clickhouse.store import Store


class NoImage(Exception):
    """No catalog has taken effect yet."""


def planned(settings: StreamSettings) -> tuple[AdminClient, list[Change]]:
    """Return what `topics apply` would change."""
    objects = Objects(settings.objects_address)
    number = latest(objects)
    sources = streamed(shelf(objects, settings.scratch / "images")(number)) if number else []
    wanted = topics_of(sources, partitions=settings.stream_partitions, raw_partitions=settings.stream_raw_partitions)
    admin = AdminClient({"bootstrap.servers": settings.kafka})
    return admin, plan(admin, wanted)


def apply_topics(settings: StreamSettings) -> list[Change]:
    """Make topics what they should be, and return what was changed."""
    admin, changes = planned(settings)
    apply(admin, changes, replicas=settings.stream_replicas)
    return changes


def activate(settings: StreamSettings) -> tuple[int, list[Change]]:
    """Put the catalog of the data directory on the shelf, make its topics, and tell every worker; return its number."""
    directory = DataDirectory(settings.data_dir)
    number = publish(
        Objects(settings.objects_address),
        directory.catalog,
        settings.scratch / "published",
        now_us(),
        tenant=settings.tenant,
        partitions=settings.stream_partitions,
    )
    changes = apply_topics(settings)
    producer = Producer(producer_settings(settings.kafka, "octroi-activate"))
    producer.produce(IMAGES, b'{"number": %d}' % number, key=b"image", partition=0)
    producer.flush()
    return number, changes


def secret_of(settings: StreamSettings) -> bytes:
    """Return the installation's secret, which all workers share: it is in the object store."""
    objects = Objects(settings.objects_address)
    try:
        return objects.read("secret")
    except FileNotFoundError:
        directory = DataDirectory(settings.data_dir)
        directory.prepare()
        objects.create("secret", directory.secret())
        return objects.read("secret")


def open_store(settings: StreamSettings) -> Store:
    """Open the store of facts that the sink writes."""
    if settings.clickhouse:
        store = Store.connect(settings.clickhouse)
    else:
        store = Store.open(DataDirectory(settings.data_dir).store)
    store.migrate()
    store.remember_tokens()
    return store


def run_stages(settings: StreamSettings, stages: Sequence[str]) -> None:
    """Run the agents of some stages until they are told to stop; does not return."""
    from pipelines.app import run_app

    app, progress = build(settings, stages, secret_of(settings), now_us)
    with _probes(settings, [*progress.values()], {stage: f"octroi.{stage}" for stage in stages}):
        run_app(app)


def run_collector(settings: StreamSettings, stop: threading.Event) -> None:
    """Gather single records until `stop` is set.

    Raises:
        NoImage: when no catalog says which sources there are.
    """
    objects = Objects(settings.objects_address)
    number = latest(objects)
    if not number:
        raise NoImage(
            "no catalog has taken effect yet: `octroi stream activate` puts that of the data directory into force"
        )
    catalog = shelf(objects, settings.scratch / "images")(number)
    name = "octroi-collect"
    progress = Progress("collect", "raw")
    collector = Collector(
        Consumer(consumer_settings(settings.kafka, "octroi.collect", name, session_ms=settings.stream_session_ms)),
        Producer(producer_settings(settings.kafka, name)),
        catalog,
        streamed(catalog),
        settings.tenant,
        partitions_of(settings.kafka, BLOCKS),
        settings.stream_gather_ms / 1000,
        now_us,
        progress,
    )
    with _probes(settings, [progress], {"collect": "octroi.collect"}):
        collector.run(stop)


def run_sink(settings: StreamSettings, stop: threading.Event, say: Callable[[str], None]) -> None:
    """Write output blocks into the store until `stop` is set; of an embedded store the data directory is owned meanwhile.

    Raises:
        DirectoryIsOwned: when another process has it.
    """
    if settings.clickhouse:
        _sink(settings, stop, say)
        return
    directory = DataDirectory(settings.data_dir)
    directory.prepare()
    with OwnerLock(directory.lock):
        _sink(settings, stop, say)


def _sink(settings: StreamSettings, stop: threading.Event, say: Callable[[str], None]) -> None:
    objects = Objects(settings.objects_address)
    store = open_store(settings)
    progress = Progress("sink", RATED)
    name = "octroi-sink"
    try:
        names = Names(
            store,
            shelf(objects, settings.scratch / "images"),
            lambda number: took_effect_at(objects, number),
            settings.tenant,
        )
        sink = Sink(
            Consumer(consumer_settings(settings.kafka, "octroi.sink", name, session_ms=settings.stream_session_ms)),
            Producer(producer_settings(settings.kafka, name)),
            store,
            names,
            settings.stream_store_ms / 1000,
            now_us,
            say,
            progress,
        )
        with _probes(settings, [progress], {"sink": "octroi.sink"}):
            sink.run(stop)
    finally:
        store.close()


@contextmanager
def _probes(settings: StreamSettings, progress: Sequence[Progress], groups: dict[str, str]) -> Iterator[None]:
    if not settings.metrics_port:
        yield
        return
    with serve_probes(settings, progress, groups):
        yield


def stop_on_signals() -> threading.Event:
    """Return what SIGTERM and SIGINT set."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return stop


__all__ = ["TOPIC_OF", "activate", "apply_topics", "planned", "run_collector", "run_sink", "run_stages"]
