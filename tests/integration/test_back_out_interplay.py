"""Backing out beside everything else: corrections, versions, sessions whose key began anew, a state that does not agree."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from cli_calls import ANA, CATALOG, call, write_calls, write_catalog
from cli_octroi import balanced, octroi, query
from session_calls import PARTS, part, write_parts

from apps.clock import now_us
from pipelines.resource.assembly import AssemblyTable
from pipelines.snapshot import read_latest_snapshot, write_snapshot
from pipelines.spool.journal import read_entries
from sinks.clickhouse.store import Store

HOUR_US = 3_600_000_000
VERSIONED = CATALOG.replace("format: delimited\n", "format: delimited\non_same_key: supersede\n").replace(
    "  access_point: caller\n", "  access_point: caller\n  version: version\n"
)
STANDS = "SELECT toInt64(quantity) AS seconds FROM rated_item WHERE status = 'rated' ORDER BY claim, record"
STATUSES = "SELECT claim, record, status FROM rejection ORDER BY claim, record"


def _stands(data: Path) -> list[int]:
    balanced(data)
    return [row["seconds"] for row in query(data, STANDS)]


def _statuses(data: Path) -> list[tuple[int, int, str]]:
    return [(row["claim"], row["record"], row["status"]) for row in query(data, STATUSES)]


def _back_out(data: Path, file: object) -> dict[str, Any]:
    result: dict[str, Any] = octroi("files", "back-out", file, "--reason", "wrong", "--data", data, "--json").ok().json
    return result


def _replayed(data: Path) -> None:
    """Make store and state again from the journal: nothing changes."""
    views = ("rated_item", "rejection", "account_balance")
    before = [query(data, f"SELECT * FROM {view} ORDER BY ALL") for view in views]
    for lost in ("store", "state"):
        shutil.rmtree(data / lost)
    octroi("run", data).ok()
    assert [query(data, f"SELECT * FROM {view} ORDER BY ALL") for view in views] == before


def test_what_a_correction_answered_is_open_again_when_it_is_backed_out(tmp_path: Path) -> None:
    data = write_catalog(tmp_path / "data")
    file = write_calls(tmp_path / "1.csv", call(1), call(2, "x"), call(3, "y"))
    octroi("ingest", file, "--source", "calls", "--data", data)
    octroi("rejects", "correct", "2-1", "--set", "seconds=7", "--data", data).ok()
    assert _statuses(data) == [(2, 1, "REPLAYED"), (2, 2, "OPEN")]
    assert octroi("files", "back-out", "3", "--preview", "--data", data, "--json").ok().json["reopened"] == 1
    assert "1 rejection that it corrected: open again" in (
        octroi("files", "back-out", "3", "--reason", "wrong", "--data", data).ok().out
    )
    assert _statuses(data) == [(2, 1, "OPEN"), (2, 2, "OPEN")]
    assert _stands(data) == [60]
    # another correction, one of its own, and then all of it
    octroi("rejects", "correct", "2-1", "--set", "seconds=z", "--data", data)
    octroi("rejects", "correct", "5-0", "--set", "seconds=9", "--data", data).ok()
    assert _stands(data) == [60, 9]
    assert _back_out(data, 6)["reopened"] == 1
    assert _statuses(data) == [(2, 1, "REPLAYED"), (2, 2, "OPEN"), (5, 0, "OPEN")]
    assert _back_out(data, 5)["reopened"] == 1
    assert _statuses(data) == [(2, 1, "OPEN"), (2, 2, "OPEN"), (5, 0, "CANCELLED")]
    octroi("rejects", "correct", "2-1", "--set", "seconds=7", "--data", data).ok()
    assert _back_out(data, "1.csv")["reopened"] == 0
    assert _statuses(data) == [(2, 1, "REPLAYED"), (2, 2, "CANCELLED"), (5, 0, "CANCELLED")]
    assert _stands(data) == []
    _replayed(data)


def _versions(data: Path, name: str, *rows: tuple[int, int, int]) -> None:
    file = data.parent / name
    lines = [f"{identity},{ANA},2026-10-05T12:00:00Z,{seconds},{version}" for identity, seconds, version in rows]
    file.write_text("\n".join(["id,caller,at,seconds,version", *lines, ""]))
    octroi("ingest", file, "--source", "calls", "--data", data).ok()


@pytest.mark.parametrize("taken", ["backed out", "discarded"])
def test_a_newer_version_that_is_taken_out_supersedes_nothing(tmp_path: Path, taken: str) -> None:
    data = write_catalog(tmp_path / "data", VERSIONED)
    _versions(data, "1.csv", (1, 10, 1), (2, 10, 1))
    store = Store.open(data / "store")
    store._writer.execute(
        "INSERT INTO octroi.fact_billed SELECT 2, number, 0, 0, 'INV-1', 0, toDateTime64('2026-12-01 00:00:00', 6, 'UTC'), 9, "
        "toDate('2026-12-01') FROM numbers(2)"
    )
    store.close()
    _versions(data, "2.csv", (1, 30, 3), (2, 30, 3))
    assert _statuses(data) == [(3, 0, "OPEN"), (3, 1, "OPEN")]  # what they replace is billed
    if taken == "backed out":
        _back_out(data, "2.csv")
    else:
        octroi("rejects", "discard", "--all", "--reason", "wrong", "--data", data).ok()
    _versions(data, "3.csv", (1, 20, 2), (2, 10, 1))
    sheet = {row["claim"]: row for row in balanced(data)["records"]}[5]
    assert (sheet["superseded"], sheet["parked"], sheet["duplicate"]) == (0, 1, 1)


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Set the clock so many hours ahead."""

    def ahead(hours: float) -> None:
        monkeypatch.setattr("apps.embedded.access.now_us", lambda: now_us() + int(hours * HOUR_US))

    return ahead


def _forget_sessions(data: Path) -> None:
    """Let the state know no session any more, as when the window has passed and the table has grown."""
    state = read_latest_snapshot(data / "state", print)
    assert state is not None
    state.resource.assembly = AssemblyTable()
    shutil.rmtree(data / "state")
    write_snapshot(data / "state", state)


def _ingest(data: Path, name: str, *lines: str) -> None:
    octroi("ingest", write_parts(data.parent / name, *lines), "--source", "parts", "--data", data).ok()


def test_parts_of_a_session_whose_key_began_anew_are_not_mixed_with_it(
    tmp_path: Path, at: Callable[[float], None]
) -> None:
    data = write_catalog(tmp_path / "data", PARTS)
    at(0)
    _ingest(
        data,
        "1.csv",
        part(1, 1, "F", 100),
        part(2, 1, "F", 1),
        part(2, 2, "L", 2),
        part(3, 1, "F", 5),
        part(3, 2, "L", 6),
    )
    _ingest(data, "2.csv", part(1, 2, "L", 20))
    _forget_sessions(data)
    # sessions 2 and 3 begin anew, the first of which ends
    again = [part(2, 3, "F", 30), part(2, 4, "L", 40), part(3, 3, "F", 50)]
    _ingest(data, "3.csv", *again)
    assert _stands(data) == [3, 11, 120, 70]
    _back_out(data, "1.csv")
    assert _stands(data) == [70]
    _ingest(data, "4.csv", part(2, 5, "L", 9), part(3, 4, "L", 1))  # the one is late, the other ends
    assert _stands(data) == [70, 51]
    assert [row["reason"] for row in query(data, "SELECT reason FROM rejection")] == ["LATE_PART"]
    at(2)
    octroi("run", data).ok()
    assert _stands(data)[-1] == 20  # what is left of the first one


def test_a_session_whose_rest_cannot_wait_again_refuses(tmp_path: Path, at: Callable[[float], None]) -> None:
    data = write_catalog(tmp_path / "data", PARTS)
    at(0)
    _ingest(data, "1.csv", part(1, 1, "F", 100))
    _ingest(data, "2.csv", part(1, 2, "L", 20))
    _forget_sessions(data)
    _ingest(data, "3.csv", part(1, 3, "F", 3))
    refused = octroi("files", "back-out", "1.csv", "--reason", "wrong", "--data", data)
    assert refused.code == 2
    assert "1 sessions with parts from it and from other files were begun anew" in refused.err
    _ingest(data, "4.csv", part(1, 4, "L", 4))
    assert _stands(data) == [120, 7]


def test_what_the_state_cannot_give_back_is_never_journaled(tmp_path: Path) -> None:
    text = CATALOG.replace(
        'model: flat, per: "1 min", price: "0.60"',
        'model: graduated, per: "1 min", counter: month, tiers: [{price: "0.60"}]',
    )
    data = write_catalog(tmp_path / "data", text + "---\n{kind: counter, code: month, unit: min}\n")
    octroi("ingest", write_calls(tmp_path / "1.csv", call(1)), "--source", "calls", "--data", data).ok()
    state = read_latest_snapshot(data / "state", print)
    assert state is not None
    state.account.counter_used[:] = 0
    shutil.rmtree(data / "state")
    write_snapshot(data / "state", state)
    journaled = len(read_entries(data / "journal.log"))
    refused = octroi("files", "back-out", "1.csv", "--reason", "wrong", "--data", data)
    assert refused.code == 2
    assert "items consumed more than their counter holds" in refused.err
    october = ("--from", "2026-10-01", "--to", "2026-11-01", "--reason", "wrong")
    refused = octroi("rerate", *october, "--data", data)
    assert (refused.code, "state and store do not agree: item 0 consumed more" in refused.err) == (2, True)
    assert len(read_entries(data / "journal.log")) == journaled
    assert not [path for path in (data / "archive").iterdir() if path.name.startswith("cancel-")]
    octroi("run", data).ok()
    assert _stands(data) == [60]
    assert Decimal(query(data, "SELECT balance FROM account_balance WHERE account = 'ana'")[0]["balance"]) == Decimal(
        "-0.6"
    )
