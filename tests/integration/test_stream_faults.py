"""What goes wrong on a broker: blocks of another release, partitions that were changed, logs that were trimmed, workers that sleep."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from pathlib import Path
from socket import socket
from urllib.request import urlopen

import pytest
from cli_calls import ANA, BOB, call, write_catalog
from confluent_kafka import Consumer, Producer, TopicPartition
from shared_broker import SharedBroker
from stream_world import FACTS, MONEY, SHEET, STREAMED, Stream, contents

from apps.workers.objects import Objects
from apps.workers.snapshots import PartitionSnapshots, UnableToReplay
from pipelines.partitions.account import AccountPartition
from schemas.topics import BLOCKS, EDRS, RATED, dead_letters


@pytest.fixture
def stream(tmp_path: Path, broker: SharedBroker) -> Iterator[Stream]:
    found = Stream(write_catalog(tmp_path / "data", STREAMED), broker.address, partitions=2, snapshot_s=0.5)
    yield found
    found.stop()


def _letters(address: str, topic: str) -> list[dict[str, bytes]]:
    consumer = Consumer({"bootstrap.servers": address, "group.id": "letters", "auto.offset.reset": "earliest"})
    place = TopicPartition(dead_letters(topic), 0, 0)
    consumer.assign([place])
    end = consumer.get_watermark_offsets(place, timeout=120)[1]
    found = consumer.consume(end, timeout=120) if end else []
    consumer.close()
    return [dict(message.headers() or []) for message in found]  # type: ignore[misc]


LAG = 'kafka_consumergroup_lag{consumergroup="octroi.sink",partition="0",topic="usage.block.rated.v1"}'


def _metrics(port: int) -> dict[str, float]:
    lines = urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60).read().decode().splitlines()
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines if not line.startswith("#")}


def test_what_cannot_be_read_is_set_aside_and_a_sleeper_changes_nothing(stream: Stream) -> None:
    stream.activate()
    foreign = Producer({"bootstrap.servers": stream.address})
    for topic in (BLOCKS, EDRS, RATED):
        foreign.produce(topic, b"of the next release", partition=0, headers={"ce_dataschema": b"raw/2"})
    foreign.flush()
    calls = [
        (caller, call(number, 60, caller).encode()) for number in range(2000) for caller in (ANA, BOB)[number % 2 :][:1]
    ]
    first = stream.start("stages")
    stream.start("collect")
    with socket() as found:
        found.bind(("", 0))
        port = found.getsockname()[1]
    stream.extra = {"OCTROI_METRICS_PORT": str(port)}
    sink = stream.start("sink")
    stream.extra = {}
    stream.produce("calls", calls[:1000])
    stream.await_some(3)
    first.send_signal(signal.SIGSTOP)  # it sleeps past its session: the other one takes its partitions
    stream.produce("calls", calls[500:1500])  # half of it a second time: other offsets, the same identities
    stream.start("stages")
    stream.produce("calls", reversed(calls[1500:]))
    stream.await_sheet(sink, 4)
    first.send_signal(signal.SIGCONT)
    time.sleep(2)  # it wakes, and writes what it has under its old epoch
    stream.produce("calls", [(ANA, call("last", 60).encode())])
    stream.await_sheet(sink, 5)
    metrics = _metrics(port)
    deadline = time.monotonic() + 300
    while metrics.get(LAG) != 0:  # it is looked at now and then
        assert time.monotonic() < deadline, metrics
        time.sleep(0.2)
        metrics = _metrics(port)
    assert metrics['octroi_records_total{stage="sink"}'] == 2001
    assert metrics['octroi_blocks_total{stage="sink"}'] >= 4
    assert urlopen(f"http://127.0.0.1:{port}/readyz", timeout=60).read() == b"ready\n"
    assert stream.octroi("query", "SELECT 1").returncode == 4  # the sink owns the store
    stream.stop()
    counted = stream.octroi("query", "SELECT sum(received) AS n FROM record_sheet", "--json")
    assert '"n": 2501' in counted.stdout
    for topic in (BLOCKS, EDRS, RATED):
        letters = _letters(stream.address, topic)
        assert letters  # once or more: who took a partition over may have sent it again
        for headers in letters:
            assert headers["x-error-code"] == b"UNKNOWN_SCHEMA"
            assert headers["x-origin-topic"] == topic.encode()
            assert headers["x-origin-offset"] == b"0"
            assert headers["ce_dataschema"] == b"raw/2"
    facts, money, (sheet,) = contents(stream.data, (FACTS, MONEY, SHEET))
    assert (sheet["received"], sheet["accepted"], sheet["duplicate"], sheet["rated"]) == (2501, 2001, 500, 2001)
    assert {(row["account"], row["amount"]) for row in facts} == {
        ("ana", facts[0]["amount"]),
        ("bob", facts[0]["amount"]),
    }
    assert len(money) == 2001


def test_topics_are_planned_and_partitions_of_logs_never_change(stream: Stream) -> None:
    planned = stream.octroi("topics", "plan")
    assert "create" in planned.stdout
    assert stream.octroi("topics", "apply").returncode == 0
    assert stream.octroi("topics", "plan").stdout == "topics are as they should be\n"
    stream.partitions = 3
    refused = stream.octroi("topics", "apply")
    assert refused.returncode == 4
    assert f"{EDRS} has 2 partitions instead of 3" in refused.stderr


def test_a_log_that_was_trimmed_past_every_snapshot_is_a_clear_error(tmp_path: Path) -> None:
    snapshots = PartitionSnapshots(Objects(str(tmp_path / "objects")), "account", 0, tmp_path / "local")

    def partition() -> AccountPartition:
        return AccountPartition(0, "main", lambda _: pytest.fail("no catalog is needed"))

    assert snapshots.load(partition(), (0, 10)) == 0
    with pytest.raises(UnableToReplay, match="holds offsets 5 to 9, the latest snapshot ends at 0"):
        snapshots.load(partition(), (5, 10))
    epoch = snapshots.take_epoch()
    written = partition()
    written.offset, written.stage_time = 7, 3
    assert snapshots.save(written, epoch) == 7
    restored = partition()
    assert snapshots.load(restored, (5, 10)) == 7
    assert restored.facts() == written.facts()
    for log in ((8, 10), (0, 6)):
        with pytest.raises(UnableToReplay, match="'A log that was trimmed too far'"):
            snapshots.load(partition(), log)


def test_snapshots_of_a_lost_epoch_are_passed_over_and_damaged_ones_too(tmp_path: Path) -> None:
    objects = Objects(str(tmp_path / "objects"))
    old, new = (PartitionSnapshots(objects, "account", 0, tmp_path / name) for name in ("old", "new"))

    def at(offset: int) -> AccountPartition:
        found = AccountPartition(0, "main", lambda _: pytest.fail("no catalog is needed"))
        found.offset = offset
        return found

    first = old.take_epoch()
    assert old.save(at(4), first) == 4
    second = new.take_epoch()
    assert second > first
    assert old.save(at(9), first) is None  # it does not know yet that it lost the partition
    assert new.save(at(6), second) == 4
    found = at(0)
    assert new.load(found, (0, 10)) == 6
    manifest = next((tmp_path / "objects").glob("snapshots/account/0000/*6/manifest.json"))
    manifest.write_bytes(manifest.read_bytes()[:-9])
    assert new.load(found, (0, 10)) == 4
