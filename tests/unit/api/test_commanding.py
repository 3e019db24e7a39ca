"""What the engine is asked over HTTP: once or not at all, whatever ends in between, and written down."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from apps.api.commanding import Commanding, Interrupted
from apps.api.problems import Problem
from apps.control.places import create, opened
from apps.settings import Settings
from billing.access.queries import audit_log, find_tenant
from billing.access.store.answers import Answered
from billing.access.store.database import Database

KEPT_US = 3_600_000_000


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    settings = Settings(data_dir=tmp_path)
    create(settings, "main", "main", "test")
    with opened(settings) as found:
        yield found


class Engine:
    """Counts what it was asked."""

    def __init__(self, fails: BaseException | None = None) -> None:
        self.done = 0
        self.fails = fails

    def __call__(self) -> tuple[Answered, Callable[..., None]]:
        if self.fails is not None:
            raise self.fails
        self.done += 1
        answer = Answered("content", 200, {}, f'{{"done": {self.done}}}')
        return answer, lambda changes: changes.note("rejection", "replay", {"done": self.done})


def asked(
    commanding: Commanding, database: Database, engine: Engine, key: str | None = "k", content: str = "content"
) -> Answered:
    return commanding.once(database, find_tenant(database), "key shop", (key, content), KEPT_US, engine)


def refused(*arguments: object, **more: object) -> str:
    with pytest.raises(Problem) as told:
        asked(*arguments, **more)  # type: ignore[arg-type]
    return told.value.name


def test_a_request_is_done_once_and_answered_the_same(database: Database) -> None:
    engine, commanding = Engine(), Commanding()
    first = asked(commanding, database, engine)
    assert asked(commanding, database, engine) == asked(Commanding(), database, engine) == first
    assert refused(commanding, database, engine, content="other") == "idempotency-key-reused"
    assert engine.done == 1
    assert asked(commanding, database, engine, key="k2") != first
    asked(commanding, database, engine, key=None)
    asked(commanding, database, engine, key=None)
    told = audit_log(database, entity="rejection")
    assert {(one.by, one.key) for one in told} == {("key shop", "replay")}
    assert sorted(one.after["done"] for one in told) == [1, 2, 3, 4]


def test_what_was_not_done_may_be_asked_again(database: Database) -> None:
    engine, commanding = Engine(ValueError("none matches")), Commanding()
    with pytest.raises(ValueError, match="none matches"):
        asked(commanding, database, engine)
    assert audit_log(database, entity="rejection") == []
    engine.fails = None
    assert asked(commanding, database, engine).body == '{"done": 1}'


def test_what_may_have_been_done_is_not_done_again(database: Database) -> None:
    engine, commanding = Engine(Interrupted("disk full")), Commanding()
    assert refused(commanding, database, engine) == "unavailable"
    engine.fails = None
    for other in (commanding, Commanding()):  # this process, and the next one
        assert refused(other, database, engine) == "conflict"
        assert refused(other, database, engine, content="other") == "idempotency-key-reused"
    assert engine.done == 0


def test_a_request_that_is_on_its_way_is_not_begun_again(database: Database) -> None:
    began, goes_on = threading.Event(), threading.Event()

    class Slow(Engine):
        def __call__(self) -> tuple[Answered, Callable[..., None]]:
            began.set()
            assert goes_on.wait(60)
            return super().__call__()

    engine, commanding = Slow(), Commanding()
    with ThreadPoolExecutor(1) as threads:
        first = threads.submit(asked, commanding, database, engine)
        assert began.wait(60)
        assert refused(commanding, database, engine) == "request-in-progress"
        goes_on.set()
        assert first.result().body == '{"done": 1}'
    assert asked(commanding, database, engine).body == '{"done": 1}'
