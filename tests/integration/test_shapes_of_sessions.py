"""Sessions in parts and readings of counters in files of unusual shapes: the same EDRs as in plain order, through the real command.

Each file holds a call of a day besides others, comes backwards as well, and comes once more with nothing but duplicates.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from cli_calls import CATALOG, write_catalog
from cli_octroi import balanced, octroi, query
from session_calls import ANA, HEADER, PARTS

EDRS = "SELECT event_at, event_end, access_point, subscription, event_type, quantity_steps FROM edr ORDER BY ALL"
SESSIONS = 40
HALF_HOURS = 48
READINGS = CATALOG.replace(
    "quantity: {field: seconds}", "quantity: {field: seconds, cumulative: {series: [call], OPENS order: time}}"
).replace("identity: [id]", "identity: [call, number]")
FIRST, ZERO = (READINGS.replace("OPENS", f"opens_at: {name},") for name in ("first", "zero"))
UNORDERED = ZERO.replace("order: time", "order: arrival")
SOURCES = {"parts": (PARTS, "parts"), "first": (FIRST, "calls"), "zero": (ZERO, "calls")}


def _part(call: int, number: int, last: int) -> str:
    """Return part or reading `number` of a call: half an hour of it, or what its counter says after so many."""
    kind = "F" if number == 0 else "L" if number == last else "I"
    minute = 30 * number
    at = f"2026-10-{5 + minute // 1440:02d}T{minute // 60 % 24:02d}:{minute % 60:02d}:{call % 60:02d}Z"
    return f"{call},{number},{kind},{ANA},{at},"


def _lines(name: str) -> list[str]:
    """Return the records of all calls in turn: call 0 lasts a day, the others two half hours or a few more."""
    found = []
    for call in range(SESSIONS):
        count = HALF_HOURS if call == 0 else 2 + call % 5
        for number in range(count):
            value = 1800 if name == "parts" else 1800 * (number + 1)
            found.append((number, call, _part(call, number, count - 1) + str(value)))
    return [line for _, _, line in sorted(found)]


def _ingest(data: Path, source: str, name: str, lines: list[str]) -> dict[str, Any]:
    file = data.parent / name
    file.write_text("\n".join([HEADER, *lines, ""]))
    told = octroi("ingest", file, "--source", source, "--data", data, "--json").ok().json
    balanced(data)
    totals: dict[str, Any] = told["totals"]
    return totals


@pytest.fixture(scope="module", params=sorted(SOURCES))
def plain(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path, list[Any]]:
    """Return the name of a source, a data directory that has its records in plain order, and their EDRs."""
    name: str = request.param
    catalog, source = SOURCES[name]
    data = write_catalog(tmp_path_factory.mktemp(name) / "data", catalog)
    totals = _ingest(data, source, "plain.csv", _lines(name))
    assert totals["received"] == totals["accepted"] + totals["absorbed"] == len(_lines(name))
    return name, data, query(data, EDRS)


def test_a_call_of_a_day_is_one_call(plain: tuple[str, Path, list[Any]]) -> None:
    name, _, edrs = plain
    day = [row for row in edrs if row["event_at"][17:19] == "00"]
    steps = [int(row["quantity_steps"]) for row in day]
    assert len(day) == {"parts": 1, "first": HALF_HOURS - 1, "zero": HALF_HOURS}[name]
    assert sum(steps) == 1800_000 * (HALF_HOURS - (name == "first"))
    assert day[0]["event_at"].startswith("2026-10-05T00:00:00")


def test_a_file_of_duplicates_only_adds_nothing(plain: tuple[str, Path, list[Any]]) -> None:
    name, data, edrs = plain
    lines = _lines(name)
    totals = _ingest(data, SOURCES[name][1], "again.csv", [line for line in reversed(lines) for _ in range(2)])
    assert (totals["duplicate"], totals["received"]) == (2 * len(lines), 2 * len(lines))
    assert query(data, EDRS) == edrs


def test_reverse_order_gives_the_same_edrs(plain: tuple[str, Path, list[Any]], tmp_path: Path) -> None:
    name, _, edrs = plain
    catalog, source = SOURCES[name]
    data = write_catalog(tmp_path / "data", catalog)
    _ingest(data, source, "backwards.csv", _lines(name)[::-1])
    assert query(data, EDRS) == edrs


def test_readings_in_the_order_of_arrival_bill_the_same_and_park_the_rest(tmp_path: Path) -> None:
    """Without `order: time`: the newest reading is usage since 0, and what is older is in it already."""
    data = write_catalog(tmp_path / "data", UNORDERED)
    totals = _ingest(data, "calls", "backwards.csv", _lines("zero")[::-1])
    assert totals["accepted"] == SESSIONS
    assert totals["parked"] == len(_lines("zero")) - SESSIONS
    (found,) = query(data, "SELECT sum(quantity_steps) AS steps FROM edr")
    assert int(found["steps"]) == 1800_000 * len(_lines("zero"))


def test_parts_may_come_one_in_a_file(tmp_path: Path) -> None:
    few = [line for line in _lines("parts") if line.split(",")[0] in ("1", "2")]
    data = write_catalog(tmp_path / "data", PARTS)
    for number, line in enumerate(few[::-1]):
        _ingest(data, "parts", f"{number}.csv", [line])
    (found,) = query(data, "SELECT count() AS n, sum(quantity_steps) AS steps FROM edr")
    assert (found["n"], int(found["steps"])) == (2, 1800_000 * len(few))
