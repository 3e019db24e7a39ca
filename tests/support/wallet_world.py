"""A data directory with accounts of several wallets, and its engine, opened in this process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from charging_twin import CATALOG

from apps.embedded.access import open_owned
from apps.embedded.activation import take_catalog
from apps.embedded.engine import Engine
from apps.embedded.layout import DataDirectory
from apps.embedded.lock import OwnerLock
from apps.settings import Settings

SOURCE = """
---
kind: source
code: calls
format: delimited
mapping:
  identity: [id]
  access_point: caller
  time: {field: at}
  quantity: {field: n}
  event_type: {constant: call}
"""
DAY_US = 86_400_000_000


def write_wallets(data: Path, more: str = "") -> Path:
    """Write the catalog of `charging_twin`, a source of calls and whatever else; return the data directory."""
    catalog = data / "catalog"
    catalog.mkdir(parents=True, exist_ok=True)
    (catalog / "catalog.yaml").write_text(CATALOG % 1 + SOURCE + more)
    return data


@contextmanager
def engine_of(data: Path, **settings: Any) -> Iterator[Engine]:
    """Yield the recovered engine of a data directory, with its catalog in force."""
    directory = DataDirectory(data)
    directory.prepare()
    given = Settings(data_dir=data, dedup_window_days="unlimited", **settings)
    with OwnerLock(directory.lock):
        engine, _ = open_owned(directory, given, print)
        try:
            engine.recover()
            take_catalog(engine)
            yield engine
        finally:
            engine.close()


def take_calls(engine: Engine, name: str, *calls: tuple[str, int]) -> None:
    """Take a file of calls, (access point, quantity) each."""
    engine.directory.spool.prepare(engine.sources)
    file = engine.directory.spool.incoming / "calls" / name
    lines = [
        f"{name}-{place},{caller},2026-05-01T10:00:00Z,{quantity}" for place, (caller, quantity) in enumerate(calls)
    ]
    file.write_text("\n".join(["id,caller,at,n", *lines, ""]))
    entry = engine.directory.spool.claim(engine.journal, "calls", file, now=engine.now(), terms=engine.terms)
    engine.process(entry)
    engine.flush()
