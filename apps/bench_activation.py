"""How long the main loop of an engine stops for a large catalog that takes effect, and how long the catalog takes beside it."""

from __future__ import annotations

import queue
import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from apps.embedded.access import open_owned
from apps.embedded.activation import take_catalog
from apps.embedded.engine import Engine
from apps.embedded.layout import DataDirectory
from apps.embedded.preparing import Preparer
from apps.settings import Settings

_NOTHING_S = 0.0005
"""For how long the loop has nothing to do between two turns."""


class _Loop:
    """A main loop that has nothing else to do, and tells how long each turn took from the one before."""

    def __init__(self) -> None:
        self.asked: queue.Queue[tuple[Callable[[Engine], Any], Future[Any]]] = queue.Queue()

    def submit(self, action: Callable[[Engine], Any]) -> Future[Any]:
        future: Future[Any] = Future()
        self.asked.put((action, future))
        return future

    def turn(self, engine: Engine, until: Future[Any]) -> tuple[float, float]:
        """Run until something is answered; return the longest action, and the longest time between turns, seconds."""
        stopped = between = 0.0
        last = time.perf_counter()
        while not until.done():
            try:
                action, future = self.asked.get(timeout=_NOTHING_S)
            except queue.Empty:
                now = time.perf_counter()
                between, last = max(between, now - last), now
                continue
            started = time.perf_counter()
            try:
                future.set_result(action(engine))
            except Exception as error:
                future.set_exception(error)
            last = time.perf_counter()
            stopped = max(stopped, last - started)
        return stopped, between


def measure_activation(catalog: Path, changed: Callable[[Path], None]) -> dict[str, float]:
    """Take a catalog into force, change it in a copy, and take it into force again beside a main loop.

    Returns seconds: `activation` until it was in force, `activation_stop` that the main loop ran nothing else for it,
    `activation_gap` that it once waited in vain for its turn at most: for the interpreter, or for a processor.
    """
    with tempfile.TemporaryDirectory(prefix="octroi-bench-") as folder:
        directory = DataDirectory(Path(folder) / "data")
        directory.prepare()
        shutil.copytree(catalog, directory.catalog)
        engine, store = open_owned(directory, Settings(data_dir=directory.root), lambda _: None)
        try:
            engine.recover()
            take_catalog(engine)
            engine.flush()
            changed(directory.catalog)
            loop, answer = _Loop(), Future[Any]()
            started = time.perf_counter()
            threading.Thread(target=_activate, args=(Preparer(directory, store), loop, answer), daemon=True).start()
            stopped, between = loop.turn(engine, answer)
            if answer.result()["entry"] != engine.state.claim - 1 or engine.state.claim != 3:
                raise AssertionError("the changed catalog is not the second one in force")
            return {
                "activation": time.perf_counter() - started,
                "activation_stop": stopped,
                "activation_gap": between,
            }
        finally:
            engine.close()


def _activate(preparer: Preparer, loop: _Loop, answer: Future[Any]) -> None:
    try:
        answer.set_result(preparer.activate(loop))
    except Exception as error:
        answer.set_exception(error)
