"""Decisions that wait for the charging port, many at once: what all of them ask in one turn of the loop goes there together.

A decision is a generator. It yields requests and is sent their answers, or yields a question and is sent what the main loop
found. Thousands take turns a second, so none of them has a task, a future or a wake-up of its own: the main loop wakes the loop
of peers once for all that it answered together.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from apps.embedded.charging_requests import ChargingAnswer, ChargingRequest

if TYPE_CHECKING:
    from apps.embedded.charging import ChargingDesk
    from apps.embedded.engine import Engine

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Look:
    """A question to the main loop, which changes nothing."""

    question: Callable[[Engine], Any]


Turn: TypeAlias = Generator["list[ChargingRequest] | Look", Any, T]
"""A decision on its way to a `T`."""
Done: TypeAlias = Callable[[Any, BaseException | None], None]
"""Told what a decision came to, or why it failed."""


class _Running:
    """A decision that waits: for so many answers, of which the first failure counts."""

    __slots__ = ("answers", "done", "error", "left", "turn")

    def __init__(self, turn: Turn[Any], done: Done) -> None:
        self.turn, self.done = turn, done
        self.left = 0
        self.answers: list[Any] = []
        self.error: BaseException | None = None


class _Place:
    """Where one answer goes (`apps.embedded.charging.Answerable`); filled by the main loop."""

    __slots__ = ("is_filled", "number", "running", "turns")

    def __init__(self, turns: Turns, running: _Running, number: int) -> None:
        self.turns, self.running, self.number = turns, running, number
        self.is_filled = False

    def set_running_or_notify_cancel(self) -> bool:
        return True

    def done(self) -> bool:
        return self.is_filled

    def set_result(self, result: ChargingAnswer) -> None:
        self.running.answers[self.number] = result
        self._fill()

    def set_exception(self, exception: BaseException | None) -> None:
        self.running.error = self.running.error or exception
        self._fill()

    def _fill(self) -> None:
        self.is_filled = True
        self.running.left -= 1
        if not self.running.left:
            self.turns.ready.append(self.running)


class Turns:
    """All decisions that wait. One thread begins and continues them; another one, the main loop, answers.

    Attributes:
        ready: decisions whose answers are there.
    """

    def __init__(self, desk: ChargingDesk) -> None:
        """Take the desk, which tells when it has answered."""
        self._desk = desk
        self.ready: deque[_Running] = deque()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._asking: list[tuple[ChargingRequest, _Place]] = []
        self._begun: deque[_Running] = deque()
        self._is_stepping = False
        desk.told.append(self._wake)

    def close(self) -> None:
        """Be told no more."""
        self._desk.told.remove(self._wake)

    def begin(self, decisions: Sequence[tuple[Turn[Any], Done]]) -> None:
        """Begin decisions, and ask what they ask together.

        One that ends may have others begun that waited for it; they take their turn behind it, however many they are.
        """
        self._loop = asyncio.get_running_loop()
        self._begun += [_Running(turn, done) for turn, done in decisions]
        if not self._is_stepping:
            self._go_on(0)

    def _go_on(self, count: int) -> None:
        """Continue so many that are ready, and begin all that are to begin."""
        self._is_stepping = True
        try:
            for _ in range(count):
                running = self.ready.popleft()
                self._step(running, running.answers)
            while self._begun:
                self._step(self._begun.popleft(), None)
        finally:
            self._is_stepping = False
        self._ask()

    def _step(self, running: _Running, answers: Any) -> None:
        error, running.error = running.error, None
        try:
            asked = running.turn.send(answers) if error is None else running.turn.throw(error)
        except StopIteration as found:
            running.done(found.value, None)
            return
        except BaseException as failure:
            running.done(None, failure)
            return
        if isinstance(asked, Look):
            self._look(running, asked)
        elif not asked:
            self._step(running, [])
        else:
            running.left, running.answers = len(asked), [None] * len(asked)
            self._asking += [(request, _Place(self, running, number)) for number, request in enumerate(asked)]

    def _look(self, running: _Running, look: Look) -> None:
        running.left, running.answers = 1, [None]

        def found(future: Future[Any]) -> None:
            running.error = future.exception()
            running.answers = future.result() if running.error is None else None  # type: ignore[assignment]
            self.ready.append(running)

        future = self._desk.look(look.question)
        future.add_done_callback(found)
        if future.done():  # it may have been found, and told of, before anybody was there to hear
            self._wake()

    def _ask(self) -> None:
        if self._asking:
            asking, self._asking = self._asking, []
            self._desk.submit_all(asking)

    def _wake(self) -> None:
        """Have decisions continued; called by any thread."""
        loop = self._loop
        if self.ready and loop is not None:
            with suppress(RuntimeError):  # it is closed: its peers are gone, and whoever asks again has the answer
                loop.call_soon_threadsafe(self._continue)

    def _continue(self) -> None:
        """Continue what is ready. What is answered while this runs is told of again."""
        self._go_on(len(self.ready))
