"""What the engine asks of a store is what stores offer."""

from __future__ import annotations

import inspect

import pyarrow as pa
import pytest

from apps.embedded.ports import FactStore, NoStore
from sinks.clickhouse.store import Store

METHODS = [name for name, member in vars(FactStore).items() if inspect.isfunction(member) and not name.startswith("_")]


@pytest.mark.parametrize("store", [Store, NoStore])
@pytest.mark.parametrize("method", METHODS)
def test_a_store_takes_what_the_engine_gives(store: type, method: str) -> None:
    asked = inspect.signature(getattr(FactStore, method)).parameters
    offered = inspect.signature(getattr(store, method)).parameters
    assert list(offered)[: len(asked)] == list(asked)
    further = list(offered.values())[len(asked) :]
    assert all(parameter.default is not parameter.empty for parameter in further)


def test_a_dry_run_keeps_nothing() -> None:
    store = NoStore()
    store.write([])
    store.write_names({})
    assert not store.completeness(1, 0).complete
    assert store.query("SELECT 1").equals(pa.table({}))
    store.close()
