"""Workers of the streaming mode, without a broker: what is committed, what a catalog may change, what cannot be read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from cli_calls import CATALOG, write_catalog
from confluent_kafka import TopicPartition

from apps.workers.collector import Collector
from apps.workers.objects import Objects
from apps.workers.progress import Progress
from apps.workers.scratch import own_directory
from apps.workers.shelf import UnableToStream, publish, shelf
from billing.catalog.store import load_catalog
from pipelines.agents.account import account
from pipelines.agents.source import Fetched
from pipelines.partitions.account import AccountPartition

CALLS = CATALOG.replace("format: delimited", "format: delimited\nheader: false\ncolumns: [id, caller, at, seconds]")
PURSE = 'wallets: [{code: purse, type: prepaid, opening_balance: "5", shared_by: %s}]'
JOINED = CALLS.replace(
    "{kind: account, code: ana,", f"{{kind: account, code: ana, level: customer, {PURSE % 'customer'},"
).replace("{kind: account, code: bob,", "{kind: account, code: bob, parent: ana,")


def _publish(tmp_path: Path, text: str, partitions: int) -> int:
    data = write_catalog(tmp_path / "data", text)
    objects = Objects(str(tmp_path / "objects"))
    return publish(objects, data / "catalog", tmp_path / "scratch", 1, tenant="main", partitions=partitions)


def test_a_catalog_that_would_leave_balances_behind_is_refused(tmp_path: Path) -> None:
    assert _publish(tmp_path, CALLS, 3) == 1
    with pytest.raises(UnableToStream, match=r"1 accounts would be of another charge group.*: bob\."):
        _publish(tmp_path, JOINED, 3)
    assert _publish(tmp_path, CALLS, 3) == 1
    assert _publish(tmp_path, JOINED, 1) == 2  # they lie on one partition


def test_a_file_of_the_shelf_is_never_half_there(tmp_path: Path) -> None:
    _publish(tmp_path, CALLS, 1)
    objects = Objects(str(tmp_path / "objects"))
    first = shelf(objects, tmp_path / "cache")(1)
    (kept,) = (tmp_path / "cache" / first.content_hash).rglob("*.yaml")
    before = kept.stat()
    shelf(objects, tmp_path / "cache")(1)
    assert (kept.stat().st_ino, kept.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    kept.write_text("half")
    assert shelf(objects, tmp_path / "cache")(1).content_hash == first.content_hash
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [first.content_hash]


def test_each_worker_has_a_directory_and_leaves_nothing_behind(tmp_path: Path) -> None:
    gone = tmp_path / "workers" / "0"
    gone.mkdir(parents=True)
    (gone.parent / "0.lock").touch()
    (gone / "segment").touch()
    first, second = own_directory(tmp_path), own_directory(tmp_path)
    assert (first, second) == (gone, gone.parent / "1")
    assert not [*first.iterdir(), *second.iterdir()]


class _Message:
    """A message of a raw topic."""

    def __init__(self, offset: int, value: bytes, *headers: tuple[str, bytes]) -> None:
        self._offset, self._value, self._headers = offset, value, list(headers)

    def error(self) -> None:
        return None

    def topic(self) -> str:
        return "usage.events.raw.v1"

    def partition(self) -> int:
        return 0

    def offset(self) -> int:
        return self._offset

    def value(self) -> bytes:
        return self._value

    def headers(self) -> list[tuple[str, bytes]]:
        return self._headers

    def timestamp(self) -> tuple[int, int]:
        return 2, 1_793_500_000_000


class _Broker:
    """A producer whose acknowledgements come when the test says so, and a consumer that takes note of commits."""

    def __init__(self) -> None:
        self.waiting: dict[str, Any] = {}
        self.committed: list[int] = []

    def produce(self, topic: str, value: bytes, *, on_delivery: Any, **_: Any) -> None:
        self.waiting[topic] = on_delivery

    def poll(self, timeout: float) -> int:
        return 0

    def commit(self, offsets: list[TopicPartition], **_: Any) -> None:
        self.committed += [place.offset for place in offsets]


def test_nothing_behind_a_dead_letter_is_committed_before_it_is_safe(tmp_path: Path) -> None:
    write_catalog(tmp_path, CALLS)
    catalog: Any = load_catalog(tmp_path / "catalog")
    catalog.sources["events"] = catalog.sources["calls"].model_copy(update={"format": "cloudevents"})
    broker: Any = _Broker()
    collector = Collector(broker, broker, catalog, ["events"], "main", 1, 0.0, lambda: 1, Progress("collect", "raw"))
    topics = {"usage.events.raw.v1": "events"}
    binary = ("ce_specversion", b"1.0")
    for message in (_Message(0, b"{}"), _Message(1, b"no JSON", binary), _Message(2, b"{}")):
        collector._take(message, topics)  # type: ignore[arg-type]
    collector._send_due(1e9)
    broker.waiting.pop("usage.block.collected.v1")(None, None)
    collector._commit()
    assert broker.committed == []
    broker.waiting.pop("usage.events.raw.v1.dlq")(None, None)
    collector._commit()
    assert broker.committed == [3]


def test_a_block_with_headers_that_are_no_numbers_is_a_dead_letter() -> None:
    dead: list[str] = []

    class Send:
        def dead(self, topic: str, block: Fetched, code: str, message: str) -> None:
            dead.append(code)

    stage = AccountPartition(0, "main", lambda _: pytest.fail("no catalog is needed"))
    headers = {"ce_dataschema": b"edr/1", "x-epoch": b"second"}
    block = Fetched(0, 5, 1, headers, b"", lambda _: None)
    assert account(block, stage, Send(), epoch=1, output_partitions=1) == 0  # type: ignore[arg-type]
    assert (dead, stage.offset) == (["MALFORMED_FRAME"], 6)
