"""Fixtures of the store's tests: a store in a directory of its own per test (chdb has one directory at a time)."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from sinks.clickhouse.store import Store


def _load(name: str) -> ModuleType:
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
        assert spec is not None
        assert spec.loader is not None
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


@pytest.fixture
def made() -> ModuleType:
    """The maker of output blocks."""
    return _load("output_blocks")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """An empty store with this release's layout."""
    opened = Store.open(tmp_path / "store")
    opened.migrate()
    yield opened
    opened.close()
