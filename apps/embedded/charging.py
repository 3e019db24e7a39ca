"""The desk of online charging: requests that wait, frames that are logged and applied, answers.

The owner's main loop serves it between two blocks, and at once while it has nothing else to do. A frame is written before it is
applied, and applied while it is synced; it is durable before anybody is answered and before the store has anything of it. A
replay applies it at the same place between the blocks.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import polars as pl
import pyarrow as pa

from apps.embedded.charging_requests import (
    ChargingAnswer,
    ChargingRequest,
    Encoder,
    UnableToRequest,
    answers_of,
)
from apps.embedded.promise import Promise
from pipelines.account.charging import Ground, answer_again, take_frame
from pipelines.spool.charging_log import Frame, Segment, UnableToReadChargingLog, UnableToWriteChargingLog, read_frames
from pipelines.spool.journal import Charging
from schemas.charging import CHARGING_SOURCE, ChargingKind, Rows
from schemas.output import OutputBlock

if TYPE_CHECKING:
    from apps.embedded.engine import Engine

REQUESTS_PER_FRAME = 512
LOOKED_AT_MAX = 4 * REQUESTS_PER_FRAME
"""Requests that are looked at for one frame: some wait, because another one in it has to be answered first."""
WAITING_MAX = 100_000
_STOPPED = "octroi stopped before it could answer; ask again: the answer is the same"
SEGMENT_BYTES = 256 << 20
"""A segment that is longer than this is followed by another one."""


class Answerable(Protocol):
    """What a request leaves behind to be answered: a future, or less."""

    def set_running_or_notify_cancel(self) -> bool:
        """Say whether an answer is still wanted; from now on it is."""

    def done(self) -> bool:
        """Whether it has been answered."""

    def set_result(self, result: ChargingAnswer) -> None:
        """Answer."""

    def set_exception(self, exception: BaseException | None) -> None:
        """Refuse."""


@dataclass(slots=True)
class ChargingDesk:
    """What waits, and the open end of the charging log.

    Attributes:
        woken: called when something begins to wait. told: called once answers are there that nobody waits for by a future of
            their own, so that whoever asked many is woken once.
    """

    woken: Callable[[], None] = lambda: None
    told: list[Callable[[], None]] = field(default_factory=list)
    _waiting: deque[tuple[ChargingRequest, Answerable]] = field(default_factory=deque)
    _questions: deque[tuple[Callable[[Engine], Any], Future[Any]]] = field(default_factory=deque)
    _frames: deque[Frame] = field(default_factory=deque)
    _segment: Segment | None = None
    _encoder: Encoder | None = None
    _shared: threading.Condition = field(default_factory=threading.Condition)
    _is_live: bool = False
    _closed: str = ""

    # ---- the askers' side, from any thread

    def submit(self, request: ChargingRequest) -> Future[ChargingAnswer]:
        """Ask; the future has the answer once it is durable.

        Raises:
            UnableToRequest: when the request cannot be taken as it is, or too many wait; the future raises it, too.
        """
        request.check()
        if self._closed or len(self._waiting) >= WAITING_MAX:
            raise UnableToRequest("UNAVAILABLE", self._closed or f"{WAITING_MAX} requests are waiting")
        future: Future[ChargingAnswer] = Promise(self._shared)
        self._waiting.append((request, future))
        if len(self._waiting) == 1 or self._closed:  # whoever came before woke the main loop, which takes all there are
            self._wait()
        return future

    def submit_all(self, asked: Sequence[tuple[ChargingRequest, Answerable]]) -> None:
        """Ask much at once, in this order. Each has its answer once it is durable, or `UnableToRequest`, and `told` is called.

        The answers come in the main loop's thread.
        """
        fit: list[tuple[ChargingRequest, Any]] = []
        closed = self._closed or (
            f"{WAITING_MAX} requests are waiting" if len(self._waiting) + len(asked) > WAITING_MAX else ""
        )
        for item in asked:
            try:
                item[0].check()
                if closed:
                    raise UnableToRequest("UNAVAILABLE", closed)
                fit.append(item)
            except UnableToRequest as error:
                item[1].set_exception(error)
        self._waiting.extend(fit)
        self._wait()
        if len(fit) < len(asked):
            self._tell()

    def _tell(self) -> None:
        for told in self.told:
            told()

    def look(self, question: Callable[[Engine], Any]) -> Future[Any]:
        """Have the main loop look at the engine between two blocks, changing nothing; return the future of what it finds."""
        future: Future[Any] = Future()
        self._questions.append((question, future))
        self._wait()
        return future

    # ---- the log

    def load(self, engine: Engine) -> None:
        """Read what the state does not include of the segment in hand."""
        state = engine.state.charging
        if state.segment:
            self._read(engine, state.segment, state.frame)

    def begin(self, engine: Engine, entry: Charging) -> None:
        """Go on in the segment of an entry of the journal."""
        if self._frames:
            raise UnableToReadChargingLog(
                f"frame {self._frames[0].number} of segment {engine.state.charging.segment} is late"
            )
        sources = engine.state.vocabulary.sources
        if sources.id(CHARGING_SOURCE) < 0:
            sources.extend(pl.Series([CHARGING_SOURCE], dtype=pl.String))
        number = sources.id(CHARGING_SOURCE)
        name = {"dim_source": pa.table({"id": pa.array([number], pa.uint32()), "code": [CHARGING_SOURCE]})}
        # behind the names of catalogs, which have smaller ids and may still wait: what comes behind larger ones is left out
        engine.writer.then(partial(engine.store.write_names, name))
        engine.state.charging.open_segment(entry.claim)
        if not self._is_live:
            self._read(engine, entry.claim, 0)

    def _read(self, engine: Engine, segment: int, first: int) -> None:
        directory = engine.directory.charging
        later = (entry.claim for entry in reversed(engine.journal.entries) if isinstance(entry, Charging))
        frames = read_frames(directory, segment, closed=next(later) != segment)
        if len(frames) < first:
            raise UnableToReadChargingLog(
                f"{directory} ends with frame {len(frames) - 1} of segment {segment}, but frame {first - 1} was processed: "
                "restore the latest charging log, or all of the data directory from one backup"
            )
        self._frames = deque(frames[first:])

    def replay(self, engine: Engine) -> None:
        """Apply the frames that were applied here before."""
        while self._frames and self._frames[0].position == engine.state.position:
            _, blocks = self._apply(engine, self._frames.popleft())
            for block in blocks:
                engine.emit(block)

    def recovered(self, engine: Engine) -> None:
        """End the replay.

        Raises:
            UnableToReadChargingLog: when frames are left: the journal is older than they are.
        """
        self.replay(engine)
        if self._frames:
            claim, block = self._frames[0].position
            raise UnableToReadChargingLog(
                f"frame {self._frames[0].number} of segment {engine.state.charging.segment} came before block {block} of entry "
                f"{claim}, which the journal does not have: restore both from one backup"
            )
        self._is_live = True

    # ---- the main loop's side

    def between(self, engine: Engine) -> None:
        """Between two blocks: apply what was applied here before, or take what waits."""
        self.replay(engine)
        if self._is_live:
            self.serve(engine)

    def is_due(self, engine: Engine) -> bool:
        """Return whether reservations expire now."""
        return engine.state.charging.kept.is_due(self._now(engine))

    def serve(self, engine: Engine) -> None:
        """Take what waits, and let expire what is due.

        Raises:
            UnableToWriteChargingLog: when the log is in doubt: the process must end.
        """
        if self._questions or self._waiting or self.is_due(engine):
            try:
                self._serve(engine)
            finally:
                self._tell()

    def _serve(self, engine: Engine) -> None:
        while self._questions:
            question, asked = self._questions.popleft()
            if not asked.set_running_or_notify_cancel():
                continue
            try:
                asked.set_result(question(engine))
            except Exception as error:
                asked.set_exception(error)
        if not self._waiting and not self.is_due(engine):
            return
        if not self._is_writable(engine):
            return
        taken = self._next_requests()
        try:
            self._take(engine, taken)
        except BaseException:
            self._refuse([future for _, future in taken], _STOPPED)
            raise
        engine.snapshots.between(engine)
        if self._waiting:
            self.woken()

    def _take(self, engine: Engine, taken: list[tuple[ChargingRequest, Answerable]]) -> None:
        at = self._now(engine)
        requests, refused = self._encoded(engine, [request for request, _ in taken], at)
        answers, fresh = answer_again(requests, engine.state.charging.kept)
        known = np.flatnonzero(~fresh)
        for place, answer in zip(known.tolist(), answers_of(answers.take(known)), strict=True):
            taken[place][1].set_result(answer)  # also where the catalog in force no longer has what it named
        for place, refusal in refused.items():
            if fresh[place]:
                taken[place][1].set_exception(refusal)
        chosen = [place for place in np.flatnonzero(fresh).tolist() if place not in refused]
        if len(engine.state.charging.kept) + len(chosen) > engine.settings.charging_kept_max:
            chosen = self._ending(requests, chosen, taken, engine.settings.charging_kept_max)
        if not chosen and not self.is_due(engine):
            return
        answered = [taken[place][1] for place in chosen]
        state = engine.state.charging
        frame = Frame(state.frame, *engine.state.position, at, requests.take(np.array(chosen, np.int64)))
        assert self._segment is not None
        try:
            self._segment.append(frame)
        except OSError as error:
            self._refuse(answered, f"the charging log cannot be written: {error.strerror}")
            return
        except UnableToWriteChargingLog as error:
            self._refuse(answered, str(error))
            raise
        applied, blocks = self._apply(engine, frame)
        found = answers_of(applied)
        try:
            self._segment.synced()
        except (
            UnableToWriteChargingLog
        ) as error:  # the state is that of a frame which may be lost: nobody may go on with it
            self._refuse(answered, str(error))
            raise
        for block in blocks:
            engine.emit(block)
        for future, answer in zip(answered, found, strict=True):
            future.set_result(answer)

    def _ending(
        self, requests: Rows, chosen: list[int], taken: list[tuple[ChargingRequest, Answerable]], most: int
    ) -> list[int]:
        """Refuse what begins, and return what ends something: that is taken however much is kept."""
        begins = [place for place in chosen if requests["kind"][place] in (ChargingKind.RESERVE, ChargingKind.CHARGE)]
        words = f"{most} requests are kept already, each for charging_keep_s; charging_kept_max says how many may be"
        self._refuse([taken[place][1] for place in begins], words)
        return [place for place in chosen if place not in set(begins)]

    def close(self) -> None:
        """Refuse what waits, and whatever comes."""
        self._closed = "octroi is stopping"
        self._refuse_waiting(self._closed)
        if self._segment is not None:
            self._segment.close()
            self._segment = None

    def _wait(self) -> None:
        if self._closed:  # what came while it closed would never be answered
            self._refuse_waiting(self._closed)
        self.woken()

    def _refuse_waiting(self, words: str) -> None:
        queues: tuple[deque[Any], ...] = (self._waiting, self._questions)
        for queue in queues:
            with suppress(IndexError):  # another thread may have the last one
                while True:
                    future: Answerable = queue.popleft()[1]
                    if future.set_running_or_notify_cancel():
                        future.set_exception(UnableToRequest("UNAVAILABLE", words))
        self._tell()

    @staticmethod
    def _refuse(futures: Sequence[Answerable], words: str) -> None:
        for future in futures:
            if not future.done():
                future.set_exception(UnableToRequest("UNAVAILABLE", words))

    def _now(self, engine: Engine) -> int:
        return max(engine.journal.stage_time(engine.now()), engine.state.charging.at)

    def _is_writable(self, engine: Engine) -> bool:
        """Open the segment that frames go to, a new one where that is due and possible; return whether there is one."""
        state, journal = engine.state.charging, engine.journal
        if engine.active is None:
            return False
        keep_s = engine.settings.charging_keep_s
        if state.segment and self._segment is None:
            self._segment = Segment(engine.directory.charging, state.segment)
        entry = journal.entries[state.segment - 1] if state.segment else None
        full = self._segment is not None and self._segment.size > SEGMENT_BYTES
        other = not isinstance(entry, Charging) or entry.keep_s != keep_s
        if (full or other) and engine.state.position == (journal.next_claim, 0):
            opened = Charging(claim=journal.next_claim, received_at=journal.stage_time(engine.now()), keep_s=keep_s)
            try:
                segment = Segment(engine.directory.charging, opened.claim, fresh=True)  # the entry will need it
                try:
                    journal.append(opened)
                except BaseException:
                    segment.close()
                    raise
            except OSError as error:
                self._refuse_waiting(f"the charging log cannot be written: {error.strerror}")
                return False
            if self._segment is not None:
                self._segment.close()
            self._segment = segment
            engine.process(opened)
        return self._segment is not None

    def _next_requests(self) -> list[tuple[ChargingRequest, Answerable]]:
        """Return what the next frame holds: of requests that have to do with each other the first one only."""
        taken: list[tuple[ChargingRequest, Answerable]] = []
        later: list[tuple[ChargingRequest, Answerable]] = []
        names: set[str] = set()
        for _ in range(LOOKED_AT_MAX):
            if not self._waiting or len(taken) == REQUESTS_PER_FRAME:
                break
            item = self._waiting.popleft()
            request, future = item
            if request.id in names or request.of in names:
                later.append(item)
            elif future.set_running_or_notify_cancel():  # from now on nobody can give it up
                taken.append(item)
            names.add(request.id)
            if request.of:
                names.add(request.of)
        self._waiting.extendleft(reversed(later))
        return taken

    def _encoded(
        self, engine: Engine, requests: list[ChargingRequest], at: int
    ) -> tuple[Rows, dict[int, UnableToRequest]]:
        active = engine.active
        assert active is not None
        if self._encoder is None or self._encoder.active is not active:
            self._encoder = Encoder(active, engine.state.vocabulary, engine.secret)
        return self._encoder.encode(requests, at)

    def _apply(self, engine: Engine, frame: Frame) -> tuple[Rows, list[OutputBlock]]:
        """Apply a frame to the state; return its answers and facts, which nobody may have before it is durable."""
        state = engine.state
        entry = engine.journal.entries[state.charging.segment - 1]
        assert isinstance(entry, Charging)
        assert engine.active is not None
        source = state.vocabulary.sources.id(CHARGING_SOURCE)
        image, tenant = engine.active.image, engine.settings.tenant
        ground = Ground(image, state.account, state.vocabulary, tenant, source, entry.keep_s)
        answers, blocks = take_frame(frame.requests, frame.at, state.charging, ground)
        engine.snapshots.records += len(frame.requests)
        return answers, blocks
