"""Intake: dropped and named files become claims, one after another, and go through the stages."""

from __future__ import annotations

import errno
import queue
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from apps.embedded.archive_files import ArchiveFiles
from apps.embedded.engine import Engine
from apps.embedded.protocol import UnableToTalk
from apps.embedded.reports import ClaimReport
from apps.embedded.sealed import archive_files
from apps.embedded.supersede import settle_newer
from pipelines.spool.claims import UnableToClaim
from pipelines.spool.journal import FileClaim, JournalEntry, Tick

FILES_PER_FLUSH = 160
"""Files after which the store is waited for, serving meanwhile: the engine waits after `CLAIMS_PER_WRITE`, serving nobody."""
_STOP_S = 0.25
"""How soon a run that waits sees that it shall stop, however seldom it looks at the spool."""
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})
"""Not the file's fault: the next one would fail as well."""

Command = tuple[Callable[[Engine], Any], "Future[Any]"]


def _ended() -> UnableToTalk:
    return UnableToTalk("octroi is stopping")


@dataclass(slots=True)
class Intake:
    """The owner's main loop: commands first, then files.

    Attributes:
        engine: recovered, with an active image.
        commands: asked by other processes through the owner's socket; run between two claims.
        claimed: told of every claim that is finished.
        stop: set when the run shall end after the claim in hand.
        failures: files that could not be taken, in words.
    """

    engine: Engine
    claimed: Callable[[ClaimReport], None]
    stop: threading.Event
    commands: queue.Queue[Command] = field(default_factory=queue.Queue)
    failures: list[str] = field(default_factory=list)
    _refused: set[Path] = field(default_factory=set)
    _asked: threading.Event = field(default_factory=threading.Event)
    _door: threading.Lock = field(default_factory=threading.Lock)
    _is_shut: bool = False

    def __post_init__(self) -> None:
        """Wake up for what is charged online."""
        self.engine.charging.woken = self._asked.set

    def submit(self, action: Callable[[Engine], Any]) -> Future[Any]:
        """Ask the main loop to run `action` between two claims; return its future, which fails once the loop has ended."""
        future: Future[Any] = Future()
        with self._door:
            if self._is_shut:
                future.set_exception(_ended())
            else:
                self.commands.put((action, future))
        self._asked.set()
        return future

    def shut(self) -> None:
        """The main loop has ended: whoever waits for it, or asks it later, would wait for ever."""
        with self._door:
            self._is_shut = True
        while not self.commands.empty():
            self.commands.get_nowait()[1].set_exception(_ended())

    def adopt(self) -> None:
        """Journal and process what a crash left archived but not journaled."""
        engine, archives = self.engine, self._archive_files
        left = engine.directory.spool.adopt(
            engine.journal, now=engine.now(), terms=engine.terms, sealed=archives.is_sealed
        )
        for entry in left:
            self.claimed(engine.process(entry))
        for entry in archives.resume(engine.sources, now=engine.now(), terms=engine.terms):
            self.claimed(engine.process(entry))
        self._settle()

    def tick(self) -> None:
        """Journal and process how late it is, when that ends a session or lets credit expire."""
        engine = self.engine
        now = engine.journal.stage_time(engine.now())
        behind = engine.state.claim < engine.journal.next_claim  # an entry would come after those that wait
        if (
            engine.active is not None
            and not behind
            and (engine.state.resource.assembly.is_due(now) or engine.state.lots.next_due <= now)
        ):
            entry = Tick(claim=engine.journal.next_claim, received_at=now)
            engine.journal.append(entry)
            self.claimed(engine.process(entry))
        engine.snapshots.between(engine)
        engine.charging.serve(engine)

    def take(self, files: Iterable[tuple[str, Path]]) -> None:
        """Copy, claim and process named files; those that cannot be read are reported and left.

        Raises:
            UnableToClaim: when there is no room for any file.
        """
        engine = self.engine
        for source, path in files:
            if self.stop.is_set():
                return
            self.tick()
            try:
                now, terms, archives = engine.now(), engine.terms, self._archive_files
                entries = archives.take_copy(source, path, now=now, terms=terms) or [
                    engine.directory.spool.take_copy(
                        engine.journal,
                        source,
                        path,
                        now=now,
                        terms=terms,
                        sealed=archives.is_sealed(source, path),
                    )
                ]
            except UnableToClaim as error:
                self._refuse(path, error)
                continue
            for entry in entries:
                self._process(entry)

    def drain(self) -> int:
        """Claim and process until the spool is empty; return how many files were taken.

        A file that cannot be claimed is tried once; the next drain tries it again.

        Raises:
            UnableToClaim: when there is no room for any file.
        """
        taken = 0
        refused: set[Path] = set()
        while not self.stop.is_set():
            self.tick()
            self.run_commands()
            waiting = self.engine.directory.spool.waiting(self.engine.sources)
            fresh = [item for item in waiting if item[1] not in refused]
            for source, path in fresh:
                if self.stop.is_set():
                    break
                self.tick()
                if self._claim(source, path):
                    taken += 1
                    if taken % FILES_PER_FLUSH == 0:
                        self.engine.flush(serving=True)
                else:
                    refused.add(path)
                self.run_commands()
            if not fresh:
                break
        return taken

    def follow(self, poll_s: float) -> None:
        """Drain again and again until `stop` is set."""
        while not self.stop.is_set():
            if not self.drain():
                if self.engine.is_unsettled:
                    self.engine.flush(serving=True)
                self._wait(poll_s)

    def _wait(self, poll_s: float) -> None:
        """Wait until the spool is to be looked at again, somebody asks for something, or the run shall stop."""
        end = time.monotonic() + poll_s
        while not self.stop.is_set() and (left := end - time.monotonic()) > 0:
            self.engine.snapshots.between(self.engine)
            if self._asked.wait(min(left, _STOP_S)):
                if not self.commands.empty():
                    return
                self._asked.clear()
                self.engine.charging.serve(self.engine)

    def run_commands(self) -> None:
        """Run what was asked for until now: what is asked for meanwhile comes after the next file.

        Raises:
            Exception: what stopped a command after it had written an entry of the log: the state is in the middle of
                that entry, which only the next start can finish.
        """
        self._asked.clear()
        self.engine.charging.serve(self.engine)
        for _ in range(self.commands.qsize()):
            action, future = self.commands.get_nowait()
            journaled = self.engine.journal.next_claim
            try:
                result = action(self.engine)
                self._settle()
                future.set_result(result)
            except Exception as error:
                future.set_exception(error)
                if self.engine.journal.next_claim != journaled:
                    raise

    def _claim(self, source: str, path: Path) -> bool:
        engine = self.engine
        try:
            now, terms, archives = engine.now(), engine.terms, self._archive_files
            entries: list[FileClaim] = archives.claim(source, path, now=now, terms=terms) or [
                engine.directory.spool.claim(
                    engine.journal,
                    source,
                    path,
                    now=now,
                    terms=terms,
                    sealed=archives.is_sealed(source, path),
                )
            ]
        except UnableToClaim as error:
            self._refuse(path, error)
            return False
        self._refused.discard(path)
        for entry in entries:
            self._process(entry)
        return True

    @property
    def _archive_files(self) -> ArchiveFiles:
        return archive_files(self.engine)

    def _process(self, entry: JournalEntry) -> None:
        self.claimed(self.engine.process(entry))
        self._settle()

    def _settle(self) -> None:
        """Put newer records in the place of earlier ones, when the last entries brought any."""
        for report in settle_newer(self.engine):
            self.claimed(report)

    def _refuse(self, path: Path, error: UnableToClaim) -> None:
        if isinstance(error.__cause__, OSError) and error.__cause__.errno in _NO_ROOM:
            raise error
        if path not in self._refused:
            self._refused.add(path)
            self.failures.append(str(error))
            self.engine.report(str(error))
