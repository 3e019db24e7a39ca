"""A catalog is loaded, checked and compiled in a process beside the engine, which goes on meanwhile.

The engine's main loop is asked twice, for moments: which names and access points there are, and to put into force what was made
for these. A process rather than a thread: loading a large catalog keeps the interpreter busy for seconds, takes more than a
gigabyte, and may fail without taking the engine with it.
"""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

from apps.embedded.activation import told
from apps.embedded.beside import beside
from apps.embedded.engine import Engine
from apps.embedded.images import ActiveImage, PreparedActivation, former_catalog, former_sources
from apps.embedded.layout import DataDirectory
from apps.embedded.measures import check_measures
from apps.embedded.ports import FactStore
from apps.embedded.preparing_words import Wanted, read_prepared, write_wanted
from apps.embedded.renew_sessions import renew_sessions
from billing.catalog.store import copy_catalog, is_copy
from rating.vocabulary import Vocabulary


class MainLoop(Protocol):
    """Runs what it is asked for between two entries."""

    def submit(self, action: Callable[[Engine], Any]) -> Future[Any]:
        """Ask for an action; return its future."""


@dataclass(frozen=True, slots=True)
class InForce:
    """What a catalog is prepared against: names, and the image in force, "" and None before the first one.

    `stored` waits, in another thread, until the store knows of all that was in force.
    """

    content_hash: str
    words: Vocabulary
    active: ActiveImage | None
    stored: Callable[[], None]


def in_force(engine: Engine) -> InForce:
    """Return what is in force: names are only ever added, so that nothing is copied."""
    return InForce(engine.state.image, engine.state.vocabulary.copied(), engine.active, engine.settling())


def put_prepared(
    found: InForce, prepared: PreparedActivation | None, engine: Engine
) -> tuple[dict[str, Any], Callable[[], None]] | None:
    """Put into force what was prepared, None for nothing, and let sessions that wait be read under it.

    Returns what is in force, and what waits until the store knows; None when another catalog came in between: then nothing
    changed.
    """
    if (engine.state.image, engine.state.vocabulary.counts()) != (found.content_hash, found.words.counts()):
        return None
    if prepared is not None:
        engine.put_into_force(prepared)
    renew_sessions(engine)
    return told(engine), engine.settling()


@dataclass(slots=True)
class Preparer:
    """Takes the catalog directory into force beside the main loop of an engine, one time after another."""

    directory: DataDirectory
    store: FactStore
    _turn: threading.Lock = field(default_factory=threading.Lock)
    _process: subprocess.Popen[bytes] | None = None
    _is_closed: bool = False

    def activate(self, loop: MainLoop) -> dict[str, Any]:
        """Activate the catalog directory where it differs from what is in force; return what is in force.

        Raises:
            UnableToLoadCatalog, UnableToCompileImage, UnableToActivate: when it is invalid; nothing changed.
            EndedBeside: when the process was killed; nothing changed.
        """
        with self._turn:
            while True:
                found: InForce = loop.submit(in_force).result()
                prepared = self.prepare(found)
                put = loop.submit(partial(put_prepared, found, prepared)).result()
                if put is not None:
                    answer, stored = put
                    stored()
                    return dict(answer)

    def prepare(self, found: InForce) -> PreparedActivation | None:
        """Return what the catalog directory would bring, None when it is what is in force; raises as `activate` does."""
        directory, known = self.directory, found.content_hash
        if known and is_copy(directory.catalog, directory.images / known):
            return None
        points = None if found.active is None else found.active.catalog.access_points
        try:
            with beside("apps.embedded.preparing_process", self._begun) as (asked, answer):
                write_wanted(asked, Wanted(directory.root, known, points), found.words)
                prepared = read_prepared(answer)
        finally:
            self._process = None
        if prepared is not None:
            catalog = prepared.prepared.catalog
            found.stored()  # the store knows what the catalogs before measured
            former = partial(former_catalog, directory, found.words)
            sources = partial(former_sources, directory, found.words)
            check_measures(catalog, found.active.catalog if found.active else None, self.store, former, sources)
            copy_catalog(directory.catalog, catalog, directory.images / catalog.content_hash)
        return prepared

    def _begun(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        if self._is_closed:
            process.kill()

    def close(self) -> None:
        """End the process that prepares something, if there is one, and each that is begun later."""
        self._is_closed = True
        process = self._process
        if process is not None:
            process.kill()
