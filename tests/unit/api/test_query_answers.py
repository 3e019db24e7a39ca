"""Answers of named queries: the same rows in every kind of body, however many are converted at a time."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any, cast

import pyarrow as pa

from apps.api.resources import Ask, Content
from apps.api.routes import ROUTES
from apps.cli.output import rows_of
from apps.settings import Settings


def test_rows_are_those_of_the_table() -> None:
    table = pa.table({"a": list(range(5000)), "b": [str(one) for one in range(5000)]})
    assert rows_of(table) == table.to_pylist()
    assert rows_of(table.slice(1000, 2500)) == table.to_pylist()[1000:3500]
    assert rows_of(table.slice(0, 0)) == []


def test_an_answer_in_json_has_as_many_rows_as_were_asked_for() -> None:
    table = pa.table({"day": ["é", "b", "c"], "amount": [1.5, float("nan"), 3.0]})
    engine = SimpleNamespace(store=SimpleNamespace(query=lambda *_: table))
    gate = SimpleNamespace(require_open=lambda: engine)
    (route,) = (one for one in ROUTES if one.path == "/v1/queries/{query}")
    for limit, shown in ((3, 3), (2, 2)):
        body = {"parameters": {"from": "2026-10-01", "to": "2026-11-01"}, "limit": limit}
        ask = Ask(cast(Any, None), cast(Any, None), Settings(), {"query": "revenue"}, {}, body, gate=cast(Any, gate))
        content = route.serve(ask).body
        assert isinstance(content, Content)
        assert isinstance(content.data, bytes)
        told = json.loads(content.data)
        rows = [{"day": "é", "amount": 1.5}, {"day": "b", "amount": None}, {"day": "c", "amount": 3.0}]
        assert told == {"data": rows[:shown], "has_more": shown < 3}
