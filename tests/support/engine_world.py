"""The HTTP interface of `api_world` with the engine of its data directory: usage came, and some of it was refused."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from api_world import Api, api, client_of
from cli_calls import CATALOG, STRANGER, call, calls, write_catalog
from cli_octroi import until

from apps.api.app import make_app
from apps.api.gate import Gate
from apps.embedded.layout import DataDirectory
from apps.embedded.session import run_session

SECOND = """\
---
kind: source
code: texts
format: delimited
file_names: {pattern: 'texts-(?P<sequence>[0-9]+)[.]csv'}
mapping:
  identity: [id]
  access_point: caller
  time: {field: at}
  quantity: {field: seconds}
  event_type: {constant: voice}
"""
LINES = {
    ("calls", "calls.csv"): [call(0), call(1, caller=STRANGER), call(2, "sixty"), call(3, caller=STRANGER), call(4)],
    ("texts", "texts-1.csv"): [call(0, caller=STRANGER)],
    ("texts", "texts-3.csv"): [call(1), call(2, caller="")],
}
"""Lines of each file, by source and name."""
REFUSED = ["calls"] * 3 + ["texts"] * 2
"""The sources of what is refused of them."""


@contextmanager
def api_with_engine(data: Path, catalog: str = CATALOG, **more: Any) -> Iterator[tuple[Api, Gate]]:
    """Yield the interface of the tenant of `api_world`, whose engine has taken `LINES` under a catalog and goes on."""
    write_catalog(data, catalog + SECOND)
    with api(data, **more) as world:
        for (source, name), lines in LINES.items():
            (data / "spool" / source).mkdir(parents=True, exist_ok=True)
            (data / "spool" / source / name).write_text(calls(lines))
        gate, stop, failed = Gate(world.settings), threading.Event(), []

        def run() -> None:
            try:
                run_session(
                    DataDirectory(data),
                    world.settings,
                    [],
                    follow=True,
                    stop=stop,
                    say=lambda _: None,
                    progress=lambda _: None,
                    attendant=gate,
                )
            except BaseException as error:
                failed.append(error)
                raise

        thread = threading.Thread(target=run, name="main loop")
        thread.start()
        try:
            until(lambda: _has_taken(gate) or failed, "the engine")
            assert not failed, failed
            world.app = make_app(world.settings, gate, version="1")
            with client_of(world.app) as world.client:
                yield world, gate
        finally:
            stop.set()
            thread.join()


def _has_taken(gate: Gate) -> bool:
    if not gate.is_open:
        return False
    (row,) = gate.require_open().store.query("SELECT count() AS n FROM file").to_pylist()
    return bool(row["n"] == len(LINES))
