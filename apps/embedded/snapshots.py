"""Snapshots that are made beside the main loop, which stops only to copy what changed while the rest was copied.

A thread copies the state; the main loop says, between two blocks, at which position the copy is exact; the thread writes it,
and gives it its name once the store holds everything before that position. One at a time: the next one waits for it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pipelines.key_files import adopt_keys
from pipelines.resource.dedup import Bucket
from pipelines.snapshot import Published, StageState, publish_snapshot, write_snapshot
from pipelines.snapshot_copy import StateCopy
from sinks.clickhouse.store import UnableToQuery, UnableToStore

if TYPE_CHECKING:
    from apps.embedded.engine import Engine


CLAIMS_PER_SNAPSHOT = 20_000
"""However small they are: a replay of that many takes about a minute."""


class _GivenUp(Exception):
    """The snapshot is not wanted any more."""


@dataclass(slots=True)
class _Making:
    """One snapshot in the making.

    Attributes:
        copied: all but a little is copied. placed: the copy is exact, or there will be none: `exact` is None then.
        settle: has the store hold everything before the snapshot's position.
        ended: the thread has nothing more to do; what it has to say is in `published` or `error`.
    """

    copy: StateCopy
    copied: threading.Event = field(default_factory=threading.Event)
    placed: threading.Event = field(default_factory=threading.Event)
    ended: threading.Event = field(default_factory=threading.Event)
    exact: StageState | None = None
    buckets: Mapping[int, Bucket] = field(default_factory=dict)
    settle: Callable[[], None] | None = None
    published: Published | None = None
    error: BaseException | None = None
    given_up: bool = False


@dataclass(slots=True)
class Snapshots:
    """The snapshot in the making, if there is one, and what a replay would have to do.

    Attributes:
        claims, records: those finished, and taken, since the position of the latest snapshot.
        longest_stop_s: for how long one that was made beside the main loop stopped it at most.
    """

    claims: int = 0
    records: int = 0
    longest_stop_s: float = 0.0
    _making: _Making | None = None

    def between(self, engine: Engine) -> None:
        """Where a snapshot may be taken: begin one that is due, say at which position it is, or take note of its end.

        Raises:
            OSError: when it could not be written; those before are untouched. Exception: what else prevented it.
        """
        making = self._making
        if making is None:
            if self.claims >= CLAIMS_PER_SNAPSHOT or self.records >= engine.settings.snapshot_records:
                if engine.state.resource.is_moving:
                    engine.state.resource.move_on()
                else:
                    self._begin(engine)
        elif making.ended.is_set():
            self._end(engine, making)
        elif making.copied.is_set() and not making.placed.is_set() and making.copy.is_near():
            self._place(engine, making)

    def take(self, engine: Engine) -> None:
        """Have the store hold everything, then write the state down, before anything else is done.

        Raises:
            Exception: as `between` does.
        """
        self._finish(engine)
        engine.flush()
        started = time.monotonic()
        write_snapshot(engine.directory.snapshots, engine.state)
        self.claims = self.records = 0
        engine.times.snapshot += time.monotonic() - started
        _keep(engine, _whole(engine.state))

    def _finish(self, engine: Engine) -> None:
        """Wait for the end of one that has its position; give up one that has none. Raises what `between` does."""
        making = self._making
        if making is None:
            return
        if not making.placed.is_set():
            self.close()
            return
        making.ended.wait()
        self._end(engine, making)

    def close(self) -> None:
        """Give up what is in the making, and wait until its thread has ended."""
        making, self._making = self._making, None
        if making is not None:
            making.given_up = True
            making.copy.give_up()
            making.placed.set()
            making.ended.wait()

    def _begin(self, engine: Engine) -> None:
        whole = _whole(engine.state)
        self._making = making = _Making(StateCopy.begin(engine.state))
        directory = engine.directory.snapshots

        def go_on() -> None:
            if making.given_up:
                raise _GivenUp

        def settle() -> None:
            go_on()
            assert making.settle is not None
            making.settle()
            go_on()

        def make() -> None:
            try:
                making.copy.run(lambda: not making.given_up)
                making.copied.set()
                making.placed.wait()
                if making.exact is not None:
                    making.published = publish_snapshot(directory, making.exact, go_on, settle)
                    _keep(engine, whole)
            except _GivenUp:
                pass
            except BaseException as error:
                making.error = error
            finally:
                making.exact = None
                making.ended.set()

        threading.Thread(target=make, name="snapshot", daemon=True).start()

    def _place(self, engine: Engine, making: _Making) -> None:
        started = time.monotonic()
        making.exact = making.copy.finish()
        making.buckets = making.copy.buckets
        making.settle = engine.settling()
        if making.exact is not None:  # else the state changed as a whole, and the next one is begun
            self.claims = self.records = 0
        making.placed.set()
        self.longest_stop_s = max(self.longest_stop_s, time.monotonic() - started)
        engine.times.snapshot += time.monotonic() - started

    def _end(self, engine: Engine, making: _Making) -> None:
        self._making = None
        if making.error is not None:
            raise making.error
        if making.published is not None:
            adopt_keys(engine.state.resource.dedup, making.published.keys, making.published.path, making.buckets)


def _whole(state: StageState) -> int:
    """Return the first entry that is not wholly processed: the segment of online charging that is written to is none."""
    return min(state.claim, state.charging.segment or state.claim)


def _keep(engine: Engine, before: int) -> None:
    """Sum up what the store holds of the entries before one; what fails is left to the next time: nothing depends on sums."""
    try:
        engine.store.keep_usage(before)
    except (UnableToStore, UnableToQuery) as error:
        engine.report(f"usage was not summed up, and will be later: {error}")
