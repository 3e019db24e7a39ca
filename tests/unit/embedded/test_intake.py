"""Intake: every file is tried, each once, and a log that is half processed is not continued."""

from __future__ import annotations

import queue
import threading
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from resource_journal import NOW, TERMS, archived, file_claim, spool_in

from apps.embedded.engine import CLAIMS_PER_WRITE
from apps.embedded.intake import FILES_PER_FLUSH, Intake
from pipelines.spool.claims import Spool, UnableToClaim
from pipelines.spool.journal import Journal


def nothing_due() -> SimpleNamespace:
    """Return a state at the first claim, without sessions or credit that would end."""
    assembly = SimpleNamespace(is_due=lambda now: False)
    lots = SimpleNamespace(next_due=NOW + 1)
    return SimpleNamespace(claim=1, resource=SimpleNamespace(assembly=assembly), lots=lots)


@dataclass
class FakeEngine:
    """A log without stages: remembers the entries it was to process."""

    directory: Any
    journal: Journal
    processed: list[str] = field(default_factory=list)
    reported: list[str] = field(default_factory=list)
    flushes: int = 0
    newer_came: bool = False
    sources: list[str] = field(default_factory=lambda: ["calls", "data"])
    terms: Any = TERMS
    active: Any = None
    state: Any = field(default_factory=lambda: nothing_due())
    charging: Any = field(default_factory=lambda: SimpleNamespace(serve=lambda engine: None))
    snapshots: Any = field(default_factory=lambda: SimpleNamespace(between=lambda engine: None))
    is_unsettled: bool = True

    def __post_init__(self) -> None:
        self.report = self.reported.append

    def now(self) -> int:
        return NOW

    def process(self, entry: Any) -> str:
        self.processed.append(entry.name)
        return str(entry.name)

    def flush(self, *, serving: bool = False) -> None:
        self.flushes += 1


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return spool_in(tmp_path, "calls", "data")


@pytest.fixture
def engine(tmp_path: Path, spool: Spool) -> FakeEngine:
    return FakeEngine(SimpleNamespace(spool=spool), Journal(tmp_path / "journal.log"))


@pytest.fixture
def intake(engine: FakeEngine) -> Intake:
    return Intake(engine, lambda report: None, threading.Event())


def drop(spool: Spool, *names: str) -> None:
    for name in names:
        (spool.incoming / name).write_bytes(name.encode())


def test_everything_that_waits_is_taken_in_order(intake: Intake, engine: FakeEngine, spool: Spool) -> None:
    drop(spool, "data/1", "calls/2", "calls/1")
    assert intake.drain() == 3
    assert engine.processed == ["1", "2", "1"]
    assert [entry.source for entry in engine.journal.entries] == ["calls", "calls", "data"]
    assert intake.drain() == 0


def test_whoever_asks_is_served_while_the_store_takes_many_files(
    intake: Intake, engine: FakeEngine, spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apps.embedded.intake.FILES_PER_FLUSH", 3)
    monkeypatch.setattr(engine, "flush", lambda *, serving: engine.processed.append(f"flushed, serving: {serving}"))
    drop(spool, *(f"calls/{number}" for number in range(4)))
    intake.drain()
    assert engine.processed == ["0", "1", "2", "flushed, serving: True", "3"]


def test_the_store_is_waited_for_before_the_engine_has_to() -> None:
    assert FILES_PER_FLUSH < CLAIMS_PER_WRITE


def test_files_that_come_while_draining_are_taken_too(intake: Intake, engine: FakeEngine, spool: Spool) -> None:
    drop(spool, "calls/1")
    intake.claimed = lambda report: drop(spool, "calls/2") if report == "1" else None
    assert intake.drain() == 2


def test_a_file_that_cannot_be_claimed_is_told_once_and_tried_again(
    intake: Intake, engine: FakeEngine, spool: Spool, tmp_path: Path
) -> None:
    drop(spool, "calls/1", "calls/3")
    link = spool.incoming / "calls" / "2"
    link.symlink_to(tmp_path / "journal.log")
    assert intake.drain() == 2
    assert intake.drain() == 0
    assert engine.processed == ["1", "3"]
    assert len(intake.failures) == 1
    assert engine.reported == intake.failures
    link.unlink()
    drop(spool, "calls/2")  # the next of its name is a file
    assert intake.drain() == 1
    link.symlink_to(tmp_path / "journal.log")
    assert intake.drain() == 0
    assert len(intake.failures) == 2  # a new failure is told again


def test_stopping_leaves_the_rest_where_it_is(intake: Intake, engine: FakeEngine, spool: Spool) -> None:
    drop(spool, "calls/1", "calls/2")
    intake.claimed = lambda report: intake.stop.set()
    assert intake.drain() == 1
    assert [path.name for _, path in spool.waiting(["calls"])] == ["2"]
    intake.take([("calls", spool.incoming / "calls" / "2")])
    intake.follow(3600.0)
    assert engine.processed == ["1"]


def test_named_files_are_copied_and_those_that_cannot_be_read_are_told(
    intake: Intake, engine: FakeEngine, spool: Spool, tmp_path: Path
) -> None:
    (tmp_path / "a").write_bytes(b"a")
    (tmp_path / "b").write_bytes(b"b")
    intake.take([("calls", tmp_path / "a"), ("calls", tmp_path / "missing"), ("data", tmp_path / "b")])
    assert engine.processed == ["a", "b"]
    assert len(intake.failures) == 1
    assert "missing" in intake.failures[0]
    assert (tmp_path / "a").exists()
    assert len(archived(spool)) == 2


def test_what_a_crash_left_is_adopted_and_processed(intake: Intake, engine: FakeEngine, spool: Spool) -> None:
    (spool.archive / spool.stored_name(1, "calls", "left.csv")).write_bytes(b"x")
    intake.adopt()
    assert engine.processed == ["left.csv"]


def test_a_directory_that_cannot_be_listed_ends_the_run(intake: Intake, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(_: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", denied)
    with pytest.raises(UnableToClaim, match="Permission denied"):
        intake.drain()


def test_following_flushes_when_there_is_nothing_to_do(intake: Intake, engine: FakeEngine, spool: Spool) -> None:
    drop(spool, "calls/1")
    flush = engine.flush

    def flushed(*, serving: bool) -> None:
        assert serving
        flush()
        if engine.flushes == 2:
            intake.stop.set()

    engine.flush = flushed
    intake.follow(0.001)
    assert engine.processed == ["1"]
    assert engine.flushes == 2


def test_commands_run_in_order_between_claims(intake: Intake, engine: FakeEngine, spool: Spool) -> None:
    drop(spool, "calls/1", "calls/2")
    seen = [intake.submit(lambda e, n=n: (n, list(e.processed))) for n in range(2)]
    late: list[Any] = []
    intake.claimed = lambda report: late.append(intake.submit(lambda e: list(e.processed)))
    intake.drain()
    assert [future.result(0) for future in seen] == [(0, []), (1, [])]
    assert [future.result(0) for future in late] == [["1"], ["1", "2"]]


def test_a_command_that_fails_before_the_log_harms_nobody(intake: Intake) -> None:
    def refuse(_: Any) -> None:
        raise ValueError("nothing matches")

    failed, after = intake.submit(refuse), intake.submit(lambda _: "fine")
    intake.run_commands()
    with pytest.raises(ValueError, match="nothing matches"):
        failed.result(0)
    assert after.result(0) == "fine"


def test_a_command_that_fails_after_its_entry_ends_the_run(intake: Intake, engine: FakeEngine) -> None:
    """The entry is in the log, and the state is somewhere in it: going on would process the next one on a wrong state."""

    def half_way(found: Any) -> None:
        found.journal.append(file_claim(1))
        raise RuntimeError("the store is gone")

    failed, after = intake.submit(half_way), intake.submit(lambda _: "too late")
    with pytest.raises(RuntimeError, match="the store is gone"):
        intake.run_commands()
    with pytest.raises(RuntimeError, match="the store is gone"):
        failed.result(0)
    assert not after.done()
    with pytest.raises(queue.Empty):
        [intake.commands.get_nowait() for _ in range(2)]


def test_a_run_that_waits_does_at_once_what_it_is_asked(intake: Intake, engine: FakeEngine) -> None:
    def ask() -> None:
        intake.submit(lambda _: "answered").add_done_callback(lambda _: intake.stop.set())

    timer = threading.Timer(0.05, ask)
    timer.start()
    intake.follow(poll_s=3600)  # nobody looks at the spool meanwhile
    timer.join()


def test_a_run_that_waits_sees_that_it_shall_stop(intake: Intake) -> None:
    timer = threading.Timer(0.05, intake.stop.set)
    timer.start()
    intake.follow(poll_s=3600)
    timer.join()


def test_whoever_asks_again_and_again_keeps_no_file_waiting(intake: Intake, engine: FakeEngine, spool: Spool) -> None:
    def again(_: Any) -> None:
        if not engine.processed:
            intake.submit(again)

    intake.submit(again)
    drop(spool, "calls/1")
    assert intake.drain() == 1
