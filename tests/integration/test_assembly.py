"""Calls in parts through the real command: one EDR each, time-outs by ticks of the log, and a replay that changes nothing."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest
from cli_calls import ANA, write_catalog
from cli_octroi import balanced, octroi, query
from session_calls import PARTS, part, write_parts

from apps.clock import now_us

HOUR_US = 3_600_000_000
EDRS = "SELECT id, subscription, quantity, event_at FROM edr ORDER BY claim, record"


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Set the clock so many hours ahead."""

    def ahead(hours: float) -> None:
        monkeypatch.setattr("apps.embedded.access.now_us", lambda: now_us() + int(hours * HOUR_US))

    return ahead


def _figures(data: Path) -> list[tuple[str, Decimal]]:
    return [(row["id"], Decimal(row["quantity"])) for row in query(data, EDRS)]


def test_parts_in_any_order_and_file_become_one_edr(tmp_path: Path) -> None:
    data = write_catalog(tmp_path / "data", PARTS)
    first = write_parts(tmp_path / "1.csv", part(1, 3, "L", 3), part(1, 1, "F", 100), part(2, 1, "S", 7))
    second = write_parts(tmp_path / "2.csv", part(1, 1, "F", 100), part(1, 2, "I", 20), part(1, 4, "I"))
    octroi("ingest", first, second, "--source", "parts", "--data", data).ok()
    assert _figures(data) == [("edr-2-2", 7), ("edr-3-1", 123)]
    assert query(data, EDRS)[1]["event_at"].startswith("2026-10-05T12:00:01")
    sheets = balanced(data)
    assert [[row[name] for name in ("accepted", "absorbed", "duplicate", "parked")] for row in sheets["records"]] == [
        [1, 2, 0, 0],
        [1, 0, 1, 1],
    ]
    made_of = query(data, "SELECT edr, part_claim, part_record FROM assembled_part ORDER BY part_claim, part_record")
    assert [tuple(row.values()) for row in made_of] == [
        ("edr-3-1", 2, 0), ("edr-3-1", 2, 1), ("edr-3-1", 3, 1),
    ]  # fmt: skip
    told = octroi("explain", "ri-3-1", "--data", data).ok().out
    assert "put together from 3 records: 2-0, 2-1, 3-1" in told
    assert "put together" not in octroi("explain", "ri-2-2", "--data", data).ok().out
    shown = octroi("sources", "show", "parts", "--data", data).ok().out
    assert "records with the same call become one EDR: first when kind is 'F'" in shown


def test_a_session_that_waits_too_long_ends_by_a_tick_of_the_log(tmp_path: Path, at: Callable[[float], None]) -> None:
    data = write_catalog(tmp_path / "data", PARTS)
    octroi("run", data).ok()
    at(0)
    write_parts(data / "spool" / "parts" / "1.csv", part(1, 1, "F", 100), part(1, 2, "I", 20), part(2, 2, "L", 5))
    octroi("run", data).ok()
    assert _figures(data) == []
    at(0.9)
    write_parts(data / "spool" / "parts" / "2.csv", part(2, 3, "I", 1))  # outside: it is refused, and gives no time
    octroi("run", data).ok()
    assert query(data, "SELECT reason FROM rejection") == [{"reason": "PART_CONFLICT"}]
    at(1.1)
    write_parts(data / "spool" / "parts" / "3.csv", part(1, 3, "L", 3))
    octroi("run", data).ok()
    assert _figures(data) == [("edr-4-0", 120), ("edr-4-1", 5)] or _figures(data) == [("edr-4-0", 5), ("edr-4-1", 120)]
    kinds = [row["kind"] for row in query(data, "SELECT kind FROM fact_claim ORDER BY claim")]
    assert kinds == ["image", "file", "file", "tick", "file"]
    parked = query(data, "SELECT claim, reason, outcome FROM rejection WHERE claim = 5")
    assert parked == [{"claim": 5, "reason": "LATE_PART", "outcome": "parked"}]
    sheets = balanced(data)
    (ticked,) = [row for row in sheets["edrs"] if row["claim"] == 4]
    assert (ticked["edrs"], ticked["rated"]) == (2, 2)
    assert sum(row["absorbed"] for row in sheets["records"]) == 3
    item = query(data, "SELECT id FROM rated_item WHERE amount > 1")[0]["id"]
    assert "put together from 2 records: 2-0, 2-1" in octroi("explain", item, "--data", data).ok().out

    everything = query(data, "SELECT * FROM edr ORDER BY id") + query(data, "SELECT * FROM assembled_part ORDER BY ALL")
    shutil.rmtree(data / "store")
    shutil.rmtree(data / "state")
    octroi("run", data).ok()
    assert query(data, "SELECT * FROM edr ORDER BY id") + query(
        data, "SELECT * FROM assembled_part ORDER BY ALL"
    ) == everything  # fmt: skip
    assert [row["kind"] for row in query(data, "SELECT kind FROM fact_claim ORDER BY claim")] == kinds


def test_a_part_that_nobody_owned_completes_its_session_when_it_is_tried_again(tmp_path: Path) -> None:
    data = write_catalog(tmp_path / "data", PARTS.replace(f'{{id: "{ANA}"}}', '{id: "1"}'))
    first = write_parts(tmp_path / "1.csv", part(1, 1, "F", 100), part(1, 2, "L", 5))
    octroi("ingest", first, "--source", "parts", "--data", data).ok()
    assert _figures(data) == []
    write_catalog(data, PARTS)
    octroi("rejects", "replay", "--code", "UNKNOWN_ACCESS_POINT", "--data", data).ok()
    assert _figures(data) == [("edr-4-1", 105)]
    balanced(data)
