"""Decisions that wait for the charging port: asked together, continued together, each with its own answers or failure."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from typing import Any

from apps.diameter.turns import Done, Look, Turn, Turns
from apps.embedded.charging import ChargingDesk
from apps.embedded.charging_requests import ChargingRequest, UnableToRequest
from schemas.charging import ChargingKind


def request(name: str) -> ChargingRequest:
    return ChargingRequest(ChargingKind.RESERVE, name)


class Desk:
    """Keeps what is asked until `serve`; answers with the names, and refuses those that end with `!`."""

    def __init__(self) -> None:
        self.told: list[Any] = []
        self.asked: list[list[tuple[ChargingRequest, Any]]] = []
        self.looks: list[tuple[Any, Future[Any]]] = []

    def submit_all(self, asked: list[tuple[ChargingRequest, Any]]) -> None:
        self.asked.append(asked)

    def look(self, question: Any) -> Future[Any]:
        self.looks.append((question, Future()))
        return self.looks[-1][1]

    def serve(self) -> list[list[str]]:
        names = [[asked.id for asked, _ in group] for group in self.asked]
        for group in self.asked:
            for asked, place in group:
                assert place.set_running_or_notify_cancel()
                if asked.id.endswith("!"):
                    place.set_exception(UnableToRequest("UNAVAILABLE", asked.id))
                else:
                    place.set_result(asked.id)
                assert place.done()
        for question, future in self.looks:
            future.set_result(question("engine"))
        self.asked, self.looks = [], []
        for told in self.told:
            told()
        return names


def asks(*steps: Any) -> Turn[list[Any]]:
    found = []
    for step in steps:
        try:
            found.append((yield step))
        except UnableToRequest as error:
            found.append(str(error))
    return found


def keep(into: dict[str, Any], name: str) -> Done:
    def done(value: Any, error: BaseException | None) -> None:
        assert name not in into
        into[name] = error if error is not None else value

    return done


def test_decisions_ask_together_and_go_on_together() -> None:
    desk, found = Desk(), dict[str, Any]()

    async def act() -> list[list[list[str]]]:
        turns = Turns(desk)  # type: ignore[arg-type]
        turns.begin([
            (asks([request("a1"), request("a2")], [], [request("a3")]), keep(found, "a")),
            (asks([request("b1!"), request("b2")], [request("b3")]), keep(found, "b")),
            (asks(Look(lambda engine: engine * 2), [request("c1")]), keep(found, "c")),
            (asks(), keep(found, "d")),
        ])  # fmt: skip
        seen = []
        for _ in range(2):
            seen.append(desk.serve())
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        turns.close()
        assert desk.told == []
        return seen

    first, second = asyncio.run(act())
    assert first == [["a1", "a2", "b1!", "b2"]]
    assert [sorted(names) for names in second] == [["a3", "b3", "c1"]]
    assert found == {"a": [["a1", "a2"], [], ["a3"]], "b": ["b1!", ["b3"]], "c": ["engineengine", ["c1"]], "d": []}


def test_however_many_wait_for_one_another_all_end() -> None:
    ended: list[int] = []

    async def act() -> None:
        turns = Turns(Desk())  # type: ignore[arg-type]

        def done(value: Any, error: BaseException | None) -> None:
            ended.append(len(ended))
            if len(ended) < 5000:
                turns.begin([(asks(), done)])

        turns.begin([(asks(), done)])

    asyncio.run(act())
    assert len(ended) == 5000


def test_what_is_found_before_anybody_listens_is_heard() -> None:
    desk, found = Desk(), dict[str, Any]()

    def at_once(question: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(question("engine"))  # the main loop was quicker than who asked it
        return future

    desk.look = at_once  # type: ignore[method-assign]

    async def act() -> None:
        Turns(desk).begin([(asks(Look(lambda engine: engine * 2)), keep(found, "a"))])  # type: ignore[arg-type]
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    asyncio.run(act())
    assert found == {"a": ["engineengine"]}


def test_a_decision_that_fails_tells_why() -> None:
    found: dict[str, Any] = {}

    def fails() -> Turn[None]:
        yield []
        raise ZeroDivisionError

    async def act() -> None:
        Turns(Desk()).begin([(fails(), keep(found, "a"))])  # type: ignore[arg-type]

    asyncio.run(act())
    assert isinstance(found["a"], ZeroDivisionError)


def test_a_loop_that_is_over_is_not_woken() -> None:
    desk, found = Desk(), dict[str, Any]()

    async def act() -> None:
        Turns(desk).begin([(asks([request("a")]), keep(found, "a"))])  # type: ignore[arg-type]

    asyncio.run(act())
    assert desk.serve() == [["a"]]
    assert found == {}


def test_what_a_desk_cannot_take_is_told_at_once() -> None:
    woken: list[str] = []
    desk, found = ChargingDesk(woken=lambda: woken.append("woken")), dict[str, Any]()

    async def act() -> None:
        turns = Turns(desk)
        turns.begin([(asks([request(""), request("a")]), keep(found, "a")), (asks([request("b")]), keep(found, "b"))])
        assert (found, woken) == ({}, ["woken"])
        desk.close()
        await asyncio.sleep(0)
        assert {name: value[0] for name, value in found.items()} == {
            "a": "an id has 1 to 255 characters", "b": "octroi is stopping",
        }  # fmt: skip
        turns.begin([(asks([request("c")]), keep(found, "c"))])
        await asyncio.sleep(0)
        assert found["c"] == ["octroi is stopping"]

    asyncio.run(act())
