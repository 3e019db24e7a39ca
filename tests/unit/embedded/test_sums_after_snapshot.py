"""Sums are a convenience: a failure to make them costs no snapshot and ends no engine."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from apps.embedded import snapshots
from sinks.clickhouse.store import UnableToQuery, UnableToStore


@pytest.mark.parametrize(
    "error",
    [
        UnableToStore("disk full", transient=True),
        UnableToStore("their headers say", transient=False),
        UnableToQuery("memory"),
    ],
)
def test_a_failure_to_sum_up_is_reported_after_the_snapshot(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []

    def keep_usage(before: int) -> bool:
        done.append(f"sums before {before}")
        raise error

    monkeypatch.setattr(snapshots, "write_snapshot", lambda *given: done.append("snapshot"))
    engine: Any = SimpleNamespace(
        state=SimpleNamespace(claim=10, charging=SimpleNamespace(segment=0)),
        store=SimpleNamespace(keep_usage=keep_usage),
        report=lambda text: done.append(text),
        flush=lambda: None,
        directory=SimpleNamespace(snapshots=None),
        times=SimpleNamespace(snapshot=0.0),
    )
    snapshots.Snapshots().take(engine)
    assert done == ["snapshot", "sums before 10", f"usage was not summed up, and will be later: {error}"]
