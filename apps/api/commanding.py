"""Requests that the engine carries out: done once or not at all, and written down in the audit log.

The engine's log and the tenant's database share no transaction. So a request with an `Idempotency-Key` leaves a mark in the
database before the engine begins, which the answer replaces. A mark that is found without its request means that octroi stopped
in between: whether it was done is then said by the log alone, and the key does nothing any more.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any

from apps.api.gate import Gate
from apps.api.problems import Problem
from apps.control.places import making
from apps.embedded.commands import perform
from apps.embedded.engine import Engine
from apps.embedded.protocol import UnableToTalk
from billing.access.models import Tenant
from billing.access.store.answers import Answered, drop_answer, find_answer, keep_answer
from billing.access.store.changes import Changes
from billing.access.store.database import Database

MARK = 0
"""The status of a mark: no answer has it."""
Note = Callable[[Changes], None]


class Interrupted(Exception):
    """Something was written in the log, and the engine stopped before it was whole: the next start finishes it."""


def carried_out(gate: Gate, request: dict[str, Any]) -> Any:
    """Return what the engine answers to a command (`apps.embedded.commands`); a stop of octroi waits for it.

    Raises:
        Problem: unavailable, when the engine starts or stops; too-many-requests.
        Interrupted: when the command may have been done, in part or whole.
        Exception: why it was not done; then nothing was written in the log.
    """
    action = perform(request)

    def act(engine: Engine) -> Any:
        before = engine.journal.next_claim
        try:
            return action(engine)
        except Exception as error:
            if engine.journal.next_claim != before:
                raise Interrupted(str(error)) from error
            raise

    with gate.admit():
        asked: Future[Any] = gate.ask(act)
        try:
            return asked.result()
        except UnableToTalk as error:  # the main loop ended before it came to this
            raise Problem("unavailable", "octroi is stopping", headers={"Retry-After": "5"}) from error


class Commanding:
    """Requests on their way to the engine, by the digests of their idempotency keys."""

    def __init__(self) -> None:
        """Know of none."""
        self._lock = threading.Lock()
        self._in_progress: set[str] = set()

    def once(
        self,
        database: Database,
        tenant: Tenant,
        author: str,
        request: tuple[str | None, str],
        kept_us: int,
        act: Callable[[], tuple[Answered, Note]],
    ) -> Answered:
        """Return the answer to a request, which is carried out unless it was already.

        Args:
            request: the digest of its idempotency key, None without one, and that of what it says. kept_us: how long answers
                are given again. act: has the engine do it; returns the answer and what writes it down in the audit log.

        Raises:
            Problem: request-in-progress, idempotency-key-reused; conflict, when octroi stopped before the first one was
                answered; unavailable, when it does so now.
            Exception: why nothing was done; the key may be used again.
        """
        key, content = request
        with self._alone(key):
            if key is not None:
                with making(database, author, tenant) as changes:
                    since = changes.recorded_at - kept_us
                    if (before := find_answer(changes, key, since)) is not None:
                        return _again(before, content)
                    keep_answer(changes, key, Answered(content, MARK, {}, ""), since)
            try:
                answer, note = act()
            except Interrupted as error:
                told = (
                    "octroi stopped before it could say what became of this: look at what is open before you ask again"
                )
                raise Problem("unavailable", told, headers={"Retry-After": "30"}) from error
            except BaseException:
                if key is not None:
                    with making(database, author, tenant) as changes:
                        drop_answer(changes, key)
                raise
            with making(database, author, tenant) as changes:
                note(changes)
                if key is not None:
                    drop_answer(changes, key)
                    keep_answer(changes, key, answer, changes.recorded_at - kept_us)
            return answer

    @contextmanager
    def _alone(self, key: str | None) -> Iterator[None]:
        if key is None:
            yield
            return
        with self._lock:
            if key in self._in_progress:
                told = "the first request with this key is not answered yet"
                raise Problem("request-in-progress", told, headers={"Retry-After": "1"})
            self._in_progress.add(key)
        try:
            yield
        finally:
            with self._lock:
                self._in_progress.discard(key)


def _again(before: Answered, content: str) -> Answered:
    if before.content != content:
        told = "take another key for another request, or send the same one again"
        raise Problem("idempotency-key-reused", told)
    if before.status == MARK:
        told = (
            "octroi stopped before the first request with this key was answered, and it may have been done: look at what is "
            "open, and ask with another key for what is left"
        )
        raise Problem("conflict", told)
    return before
