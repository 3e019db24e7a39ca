"""A column of a view comes in the type that the view declares."""

from __future__ import annotations

import pyarrow as pa

from sinks.clickhouse.store import Store
from sinks.clickhouse.views import VIEWS

ARROW = {"Bool": pa.bool_(), "UInt8": pa.uint8(), "UInt32": pa.uint32(), "Int64": pa.int64(), "String": pa.string()}


def test_simple_types_are_those_that_are_declared(store: Store) -> None:
    for view in VIEWS:
        found = store.query(f"SELECT * FROM {view.name}").schema
        assert found.names == [column.name for column in view.columns]
        simple = {column.name: ARROW[column.type] for column in view.columns if column.type in ARROW}
        assert {name: found.field(name).type for name in simple} == simple, view.name
