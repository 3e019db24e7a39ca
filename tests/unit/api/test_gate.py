"""The gate: bounds, groups, keys, and what waiting requests are told when the main loop stops."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from resource_journal import NOW, TERMS, spool_in

from apps.api import gate as module
from apps.api.gate import Gate, Waiting
from apps.api.problems import Problem
from apps.embedded.posted import Receipt, body_name
from apps.settings import Settings
from pipelines.spool.claims import Arrival, Spool, UnableToClaim
from pipelines.spool.journal import Journal

KEY, CONTENT, OTHER = "ab" * 12, "cd" * 12, "ef" * 12
HOUR_US = 3_600_000_000


@dataclass
class FakeIntake:
    """A main loop that runs commands when it is told to."""

    engine: Any
    asked: list[Callable[[Any], Any]] = field(default_factory=list)

    def submit(self, action: Callable[[Any], Any]) -> None:
        self.asked.append(action)

    def run_commands(self) -> None:
        asked, self.asked = self.asked, []
        for action in asked:
            action(self.engine)

    def claimed(self, report: Any) -> None:
        pass


@dataclass
class World:
    """A gate with a journal, and stages that do nothing."""

    gate: Gate
    intake: FakeIntake
    spool: Spool
    reported: list[str]
    groups: list[int] = field(default_factory=list)
    fails: BaseException | None = None

    def body(self, name: str = "b", key: str | None = None, size: int = 1) -> Waiting:
        path = self.spool.incoming / ".http" / name
        path.write_bytes(b"x")
        return Waiting(Arrival("calls", body_name(CONTENT, "csv", key), path), size, key, CONTENT)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    spool = spool_in(tmp_path, "calls")
    reported: list[str] = []
    clock = SimpleNamespace(now=NOW)
    engine = SimpleNamespace(
        directory=SimpleNamespace(spool=spool),
        journal=Journal(tmp_path / "journal.log"),
        now=lambda: clock.now,
        flush=lambda: None,
        report=reported.append,
        clock=clock,
        active=None,
    )
    settings = Settings(http_waiting_requests_max=3, http_waiting_bytes_max=100, http_idempotency_hours=2)
    world = World(Gate(settings), FakeIntake(engine), spool, reported)

    def take(engine: Any, arrivals: list[Arrival], claimed: Any) -> list[Receipt]:
        world.groups.append(len(arrivals))
        if world.fails:
            raise world.fails
        entries = engine.journal and spool.claim_all(engine.journal, arrivals, now=engine.now(), terms=TERMS)
        return [Receipt(entry.claim, entry.source, {}) for entry in entries]

    monkeypatch.setattr(module, "take_posted", take)
    world.gate.opened(world.intake)
    return world


def refused(call: Callable[[], Any]) -> Problem:
    with pytest.raises(Problem) as found:
        call()
    return found.value


def test_nobody_is_let_in_before_it_is_opened() -> None:
    gate = Gate(Settings())
    for call in (gate.require_open, lambda: gate.admit().__enter__(), lambda: gate.source("calls")):
        problem = refused(call)
        assert (problem.name, problem.detail, problem.headers["Retry-After"]) == (
            "unavailable",
            "octroi is starting",
            "5",
        )


def test_what_waits_is_taken_together(world: World) -> None:
    futures = [world.gate.submit(world.body(f"b{number}")) for number in range(5)]
    assert len(world.intake.asked) == 1
    world.intake.run_commands()
    assert world.groups == [5]
    assert [future.result(timeout=0).claim for future in futures] == [1, 2, 3, 4, 5]


def test_groups_are_bounded_so_that_the_spool_has_its_turn(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "GROUP_MAX", 3)
    monkeypatch.setattr(module, "GROUP_BYTES", 10)
    futures = [
        world.gate.submit(world.body(f"b{place}", size=size)) for place, size in enumerate((1, 1, 1, 1, 20, 5, 5, 5))
    ]
    while world.intake.asked:
        world.intake.run_commands()
    assert world.groups == [3, 1, 1, 2, 1]
    assert [future.result(timeout=0).claim for future in futures] == list(range(1, 9))


def test_requests_are_bounded(world: World) -> None:
    with world.gate.admit(), world.gate.admit(), world.gate.admit():
        assert refused(lambda: world.gate.admit().__enter__()).name == "too-many-requests"
    with world.gate.admit():
        pass


def test_bytes_are_bounded_and_one_request_always_has_room(world: World) -> None:
    with world.gate.admit() as large:
        large.grow(1000)
        large.grow(2000)
        large.grow(5)
        assert large.bytes == 2000
        with world.gate.admit() as small:
            problem = refused(lambda: small.grow(1))
            assert (problem.name, problem.headers["Retry-After"]) == ("too-many-requests", "1")
    with world.gate.admit() as first, world.gate.admit() as second:
        first.grow(60)
        second.grow(40)
        assert refused(lambda: second.grow(41)).name == "too-many-requests"


def test_a_key_is_answered_once_it_is_known_and_refused_meanwhile(world: World) -> None:
    assert world.gate.begin(KEY, CONTENT) is None
    assert refused(lambda: world.gate.begin(KEY, CONTENT)).name == "request-in-progress"
    future = world.gate.submit(world.body(key=KEY))
    world.intake.run_commands()
    entry = world.gate.begin(KEY, CONTENT)
    assert entry is not None
    assert entry.claim == future.result(timeout=0).claim
    assert refused(lambda: world.gate.begin(KEY, OTHER)).name == "idempotency-key-reused"


def test_a_key_that_came_to_nothing_may_be_used_again(world: World) -> None:
    assert world.gate.begin(KEY, CONTENT) is None
    world.gate.give_up(KEY)
    assert world.gate.begin(KEY, OTHER) is None


def test_keys_are_read_from_the_journal_and_forgotten_in_time(world: World) -> None:
    world.gate.begin(KEY, CONTENT)
    world.gate.submit(world.body(key=KEY))
    world.intake.run_commands()
    again = Gate(Settings(http_idempotency_hours=2))
    again.opened(world.intake)
    assert again.begin(KEY, CONTENT) is not None
    world.intake.engine.clock.now += 2 * HOUR_US + 1
    world.gate.submit(world.body("later"))
    world.intake.run_commands()
    assert world.gate.begin(KEY, CONTENT) is None


def test_what_there_is_no_room_for_is_refused_and_the_gate_stays_open(world: World) -> None:
    world.fails = UnableToClaim("No space left on device")
    world.gate.begin(KEY, CONTENT)
    item = world.body(key=KEY)
    future = world.gate.submit(item)
    world.intake.run_commands()
    problem = refused(lambda: future.result(timeout=0))
    assert (problem.name, problem.headers["Retry-After"]) == ("unavailable", "30")
    assert world.reported == ["1 posted bodies are refused: No space left on device"]
    assert not item.arrival.path.exists()
    world.fails = None
    assert world.gate.begin(KEY, CONTENT) is None
    future = world.gate.submit(world.body(key=KEY))
    world.intake.run_commands()
    assert future.result(timeout=0).claim == 1


def test_a_failure_of_the_stages_ends_the_run_and_is_told(world: World) -> None:
    world.fails = RuntimeError("the store is gone")
    future = world.gate.submit(world.body())
    with pytest.raises(RuntimeError, match="the store is gone"):
        world.intake.run_commands()
    problem = refused(lambda: future.result(timeout=0))
    assert (problem.name, "the store is gone" in problem.detail) == ("unavailable", False)


def test_closing_finishes_what_was_let_in_and_lets_nobody_else_in(world: World) -> None:
    let_in, sent = threading.Event(), []

    def request() -> None:
        with world.gate.admit():
            let_in.set()
            stopping.wait(timeout=10)
            sent.append(world.gate.submit(world.body()).result(timeout=10).claim)

    stopping = threading.Event()
    thread = threading.Thread(target=request)
    thread.start()
    let_in.wait(timeout=10)
    closer = threading.Thread(target=world.gate.closing)
    closer.start()
    while world.gate.is_open:
        pass
    assert refused(lambda: world.gate.admit().__enter__()).detail == "octroi is stopping"
    stopping.set()
    thread.join(timeout=10)
    closer.join(timeout=10)
    assert sent == [1]
    assert refused(lambda: world.gate.submit(world.body("late"))).name == "unavailable"


def test_what_comes_too_late_is_refused(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "GRACE_S", 0.05)
    with world.gate.admit():
        world.gate.closing()
        assert refused(lambda: world.gate.submit(world.body())).name == "unavailable"
    future = None
    gate = Gate(Settings())
    gate.opened(world.intake)
    future = gate.submit(world.body("waits"))
    gate.abandon()
    assert refused(lambda: future.result(timeout=0)).name == "unavailable"
    world.intake.run_commands()  # takes nothing any more
    assert world.groups == []


def test_bodies_that_a_crash_left_are_removed(world: World) -> None:
    left = world.body("left").arrival.path
    Gate(Settings()).opened(world.intake)
    assert not left.exists()
