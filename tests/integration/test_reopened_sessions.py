"""Sessions opened again: a file of some of their parts is backed out, or a part comes late and the source takes it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from cli_calls import write_catalog
from cli_octroi import balanced, octroi, query
from session_calls import PARTS, part, write_parts

from apps.clock import now_us
from sinks.clickhouse.store import Store

HOUR_US = 3_600_000_000
STANDING = "SELECT id, quantity FROM rated_item WHERE status = 'rated' ORDER BY claim, record"
REOPENING = PARTS.replace("time_out: PT1H", "time_out: PT1H\n    late: reopen")
SEPARATE = PARTS.replace("time_out: PT1H", "time_out: PT1H\n    late: separate")


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Set the clock so many hours ahead."""

    def ahead(hours: float) -> None:
        monkeypatch.setattr("apps.embedded.access.now_us", lambda: now_us() + int(hours * HOUR_US))

    return ahead


def _ingest(data: Path, name: str, *lines: str) -> None:
    octroi("ingest", write_parts(data.parent / name, *lines), "--source", "parts", "--data", data).ok()


def _standing(data: Path) -> list[tuple[str, int]]:
    balanced(data)
    return [(row["id"], int(Decimal(row["quantity"]))) for row in query(data, STANDING)]


def _back_out(data: Path, file: object, *options: object) -> dict[str, Any]:
    told = octroi("files", "back-out", file, *(options or ("--reason", "wrong")), "--data", data, "--json").ok()
    result: dict[str, Any] = told.json
    return result


def _paid(data: Path) -> Decimal:
    return sum((Decimal(row["balance"]) for row in query(data, "SELECT balance FROM account_balance")), Decimal(0))


def _replayed(data: Path) -> None:
    """Make store and state again from the journal: nothing changes."""
    everything = [
        query(data, f"SELECT * FROM {view} ORDER BY ALL") for view in ("rated_item", "assembled_part", "rejection")
    ]
    shutil.rmtree(data / "store")
    shutil.rmtree(data / "state")
    octroi("run", data).ok()
    assert [query(data, f"SELECT * FROM {view} ORDER BY ALL") for view in ("rated_item", "assembled_part", "rejection")] == everything  # fmt: skip


def test_a_session_loses_the_parts_of_a_file_and_waits_for_others(tmp_path: Path, at: Callable[[float], None]) -> None:
    data = write_catalog(tmp_path / "data", PARTS)
    at(0)
    _ingest(data, "1.csv", part(1, 1, "F", 100), part(2, 1, "F", 1), part(2, 2, "L", 2), part(3, 1, "F", 5))
    _ingest(data, "2.csv", part(1, 2, "I", 20), part(4, 1, "F", 7), part(3, 3, "L", 9), part(9, 1, "S", 4))
    _ingest(data, "3.csv", part(1, 3, "L", 3), part(3, 2, "I", 6))
    assert _standing(data) == [("ri-2-2", 3), ("ri-3-3", 4), ("ri-4-0", 123), ("ri-4-1", 20)]
    preview = _back_out(data, "2.csv", "--preview")
    assert (preview["sessions"], preview["rated"], preview["refusals"]) == (2, 3, [])
    assert _standing(data)[2:] == [("ri-4-0", 123), ("ri-4-1", 20)]
    told = _back_out(data, "2.csv")
    assert (told["sessions"], told["rated"], told["entry"]) == (2, 3, 5)
    assert _standing(data) == [("ri-2-2", 3)]
    # the corrected file completes the sessions again
    _ingest(data, "2b.csv", part(1, 2, "I", 30), part(4, 1, "F", 7), part(3, 3, "L", 10))
    assert _standing(data) == [("ri-2-2", 3), ("ri-6-0", 133), ("ri-6-2", 21)]
    assert _paid(data) == Decimal("-1.57")
    made_of = query(data, "SELECT part_claim, part_record FROM assembled_part WHERE edr = 'edr-6-0' ORDER BY ALL")
    assert [tuple(row.values()) for row in made_of] == [(2, 0), (4, 0), (6, 0)]
    _replayed(data)
    # the fourth session has nothing left of the first file: its other part may come again, and it waits for an hour
    at(1.2)
    octroi("run", data).ok()
    assert _standing(data)[-1] == ("ri-7-0", 7)


def test_what_never_comes_again_is_billed_without_by_the_time_out(tmp_path: Path, at: Callable[[float], None]) -> None:
    data = write_catalog(tmp_path / "data", PARTS)
    at(0)
    _ingest(data, "1.csv", part(1, 1, "F", 100), part(1, 3, "L", 3))
    _ingest(data, "2.csv", part(1, 2, "I", 20), part(2, 1, "F", 1))
    at(2)
    octroi("run", data).ok()  # the second session ends by a tick
    assert _standing(data) == [("ri-3-0", 123), ("ri-4-0", 1)]
    told = _back_out(data, "2.csv")
    assert (told["sessions"], told["rated"]) == (1, 2)
    assert _standing(data) == []
    at(2.9)
    octroi("run", data).ok()
    assert _standing(data) == []
    at(3.1)
    octroi("run", data).ok()
    assert _standing(data) == [("ri-6-0", 103)]
    _ingest(data, "2b.csv", part(2, 1, "F", 8), part(2, 2, "L", 8))  # it is forgotten: it may begin again
    assert _standing(data) == [("ri-6-0", 103), ("ri-7-1", 16)]
    _replayed(data)


def test_a_session_that_is_billed_refuses(tmp_path: Path) -> None:
    data = write_catalog(tmp_path / "data", PARTS)
    _ingest(data, "1.csv", part(1, 1, "F", 100))
    _ingest(data, "2.csv", part(1, 2, "L", 20))
    store = Store.open(data / "store")
    store._writer.execute(
        "INSERT INTO octroi.fact_billed VALUES (3, 0, 0, 0, 'INV-1', 0, toDateTime64('2026-12-01 00:00:00', 6, 'UTC'), 9, '2026-12-01')"
    )
    store.close()
    refused = octroi("files", "back-out", "1.csv", "--reason", "wrong", "--data", data)
    assert refused.code == 2
    assert "1 rated items of sessions that have parts from it and from other files are billed" in refused.err


def test_a_late_part_is_usage_of_its_own(tmp_path: Path, at: Callable[[float], None]) -> None:
    data = write_catalog(tmp_path / "data", SEPARATE)
    at(0)
    _ingest(data, "1.csv", part(1, 1, "F", 100), part(1, 2, "I", 20))
    at(2)
    _ingest(data, "2.csv", part(1, 3, "L", 3), part(1, 1, "F", 9))
    assert _standing(data) == [("ri-3-0", 120), ("ri-4-0", 3)]
    late = query(data, "SELECT edr, part_claim, part_record FROM assembled_part WHERE late")
    assert late == [{"edr": "edr-4-0", "part_claim": 4, "part_record": 0}]
    assert "a part that came after its session had ended" in octroi("explain", "ri-4-0", "--data", data).ok().out
    told = _back_out(data, "2.csv")
    assert (told["rated"], told["sessions"]) == (1, 0)
    assert _standing(data) == [("ri-3-0", 120)]
    _ingest(data, "3.csv", part(1, 3, "L", 3))
    assert _standing(data) == [("ri-3-0", 120), ("ri-6-0", 3)]  # the session was not touched: it is late still


def test_a_late_part_opens_its_session_again(tmp_path: Path, at: Callable[[float], None]) -> None:
    data = write_catalog(tmp_path / "data", PARTS)
    at(0)
    _ingest(data, "1.csv", part(1, 1, "F", 100), part(1, 2, "I", 20), part(2, 1, "F", 5))
    at(2)
    _ingest(data, "2.csv", part(1, 3, "L", 3), part(2, 3, "L", 1))
    assert (
        query(data, "SELECT reason, status FROM rejection ORDER BY record")
        == [{"reason": "LATE_PART", "status": "OPEN"}] * 2
    )
    assert _standing(data) == [("ri-3-0", 120), ("ri-3-1", 5)]
    write_catalog(data, REOPENING)
    octroi("rejects", "replay", "--code", "LATE_PART", "--data", data).ok()
    # entry 5 is the catalog, 6 the retry that finds the sessions over, 7 opens them again
    assert _standing(data) == [("ri-7-0", 123)]
    (row,) = query(data, "SELECT count() AS n FROM rejection WHERE status NOT IN ('REPLAYED', 'CANCELLED')")
    assert row["n"] == 0
    assert "a part of its session came late" in octroi("explain", "ri-7-2147483648", "--data", data).ok().out
    _ingest(data, "3.csv", part(2, 2, "I", 4))
    assert _standing(data) == [("ri-7-0", 123), ("ri-8-0", 10)]
    assert _paid(data) == Decimal("-1.33")
    _replayed(data)
    _ingest(data, "4.csv", part(1, 3, "L", 3), part(1, 4, "L", 3), part(1, 2, "I", 6))  # nothing of it adds to it
    assert _standing(data) == [("ri-7-0", 123), ("ri-8-0", 10)]


def test_a_session_that_was_rated_again_is_opened_again_where_it_stands(
    tmp_path: Path, at: Callable[[float], None]
) -> None:
    data = write_catalog(tmp_path / "data", REOPENING)
    at(0)
    _ingest(data, "1.csv", part(1, 1, "F", 100), part(1, 3, "L", 3))
    at(2)
    octroi("run", data).ok()
    assert [quantity for _, quantity in _standing(data)] == [103]
    write_catalog(data, REOPENING.replace('price: "0.60"', 'price: "1.20"'))
    rerate = ("rerate", "--from", "2026-10-01", "--to", "2026-11-01", "--reason", "dearer", "--data", data, "--json")
    assert octroi(*rerate).ok().json["changed"] == 1
    assert (len(_standing(data)), _paid(data)) == (1, Decimal("-2.06"))
    _ingest(data, "2.csv", part(1, 2, "I", 20))
    assert [quantity for _, quantity in _standing(data)] == [123]
    assert _paid(data) == Decimal("-2.46")
    assert octroi(*rerate).ok().json["changed"] == 0
    # a file of some of its parts is taken out after it was rated again once more
    write_catalog(data, REOPENING)
    assert octroi(*rerate).ok().json["changed"] == 1
    assert (_paid(data), _back_out(data, "2.csv")["rated"]) == (Decimal("-1.23"), 1)
    assert (_standing(data), _paid(data)) == ([], Decimal(0))
    _ingest(data, "2b.csv", part(1, 2, "I", 10))
    assert ([quantity for _, quantity in _standing(data)], _paid(data)) == ([113], Decimal("-1.13"))
    _replayed(data)


def test_a_correction_that_was_backed_out_before_its_file_touches_no_session_again(
    tmp_path: Path, at: Callable[[float], None]
) -> None:
    data = write_catalog(tmp_path / "data", PARTS)
    at(0)
    refused = write_parts(tmp_path / "1.csv", part(1, 2, "L").replace(",10", ",x"), part(9, 1, "S", 4))
    octroi("ingest", refused, "--source", "parts", "--data", data)
    _ingest(data, "2.csv", part(1, 1, "F", 100))
    octroi("rejects", "correct", "2-0", "--set", "seconds=7", "--data", data).ok()
    assert _standing(data) == [("ri-2-1", 4), ("ri-4-0", 107)]
    _back_out(data, 4)
    _ingest(data, "3.csv", part(1, 2, "L", 8))
    assert _standing(data) == [("ri-2-1", 4), ("ri-6-0", 108)]
    told = _back_out(data, "1.csv")
    assert (told["rated"], told["sessions"]) == (1, 0)
    _ingest(data, "4.csv", part(1, 2, "L", 8))  # known
    at(2)
    octroi("run", data).ok()
    assert _standing(data) == [("ri-6-0", 108)]
