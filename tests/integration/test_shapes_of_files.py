"""Files of unusual shapes through the real command: in reverse order, of duplicates only, with a call of a day; ten million lines."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cli_calls import ANA, BOB, HEADER, write_catalog
from cli_octroi import balanced, octroi, octroi_process, query

EDRS = """
SELECT event_at, access_point, subscription, event_type, quantity_steps FROM edr
ORDER BY event_at, access_point, quantity_steps
"""
DAY_S = 86_400
CALLS = 2000


def line(number: int) -> str:
    """Return call number `number`: two callers take turns through October, each call some seconds long."""
    at = f"2026-10-{1 + number % 28:02d}T{number // 28 % 24:02d}:{number // 672 % 60:02d}:{number % 60:02d}Z"
    return f"c{number},{ANA if number % 2 else BOB},{at},{1 + number % 97}"


def ingest(directory: Path, lines: Iterator[str] | list[str], name: str = "calls.csv") -> dict[str, Any]:
    """Ingest one file into the data directory; return the totals that the command reports."""
    write_catalog(directory)
    file = directory / name
    file.write_text("\n".join([HEADER, *lines]) + "\n")
    totals: dict[str, Any] = (
        octroi("ingest", file, "--source", "calls", "--data", directory, "--json").ok().json["totals"]
    )
    balanced(directory)
    return totals


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """Return the EDRs of the calls in plain order."""
    directory = tmp_path_factory.mktemp("plain")
    totals = ingest(directory, map(line, range(CALLS)))
    assert (totals["received"], totals["accepted"]) == (CALLS, CALLS)
    return query(directory, EDRS)


def test_reverse_order_gives_the_same_edrs(plain: list[dict[str, Any]], tmp_path: Path) -> None:
    totals = ingest(tmp_path, map(line, reversed(range(CALLS))))
    assert totals["accepted"] == CALLS
    assert query(tmp_path, EDRS) == plain


def test_a_file_of_duplicates_only_adds_nothing(plain: list[dict[str, Any]], tmp_path: Path) -> None:
    ingest(tmp_path, map(line, range(CALLS)))
    totals = ingest(tmp_path, [line(number) for number in reversed(range(CALLS)) for _ in range(2)], "again.csv")
    assert (totals["received"], totals["duplicate"], totals["accepted"]) == (2 * CALLS, 2 * CALLS, 0)
    assert query(tmp_path, EDRS) == plain


def test_a_file_of_one_call_over_and_over_is_one_edr(tmp_path: Path) -> None:
    totals = ingest(tmp_path, [line(7)] * CALLS)
    assert (totals["accepted"], totals["duplicate"]) == (1, CALLS - 1)
    assert [row["quantity_steps"] for row in query(tmp_path, EDRS)] == [8000]


def test_a_call_of_a_day_is_one_call(tmp_path: Path) -> None:
    totals = ingest(
        tmp_path, [f"long,{ANA},2026-10-04T22:00:01Z,{DAY_S}", f"longer,{ANA},2026-10-24T12:00:00Z,{40 * DAY_S}.5"]
    )
    assert totals["accepted"] == 2
    assert [(row["event_at"][:19], row["quantity_steps"]) for row in query(tmp_path, EDRS)] == [
        ("2026-10-04T22:00:01", DAY_S * 1000),
        ("2026-10-24T12:00:00", (40 * DAY_S * 10 + 5) * 100),
    ]
    amounts = [row["amount"] for row in query(tmp_path, "SELECT amount FROM rated_item ORDER BY id")]
    assert [float(amount) for amount in amounts] == [DAY_S / 100, 34560.005]  # a second costs one cent


@pytest.mark.soak
def test_ten_million_short_lines(tmp_path: Path) -> None:
    """Ten million calls, then all of them again from the last to the first: the EDRs of the first time."""
    count = 10_000_000
    directory = write_catalog(tmp_path / "data")
    for name, numbers in (("there.csv", range(count)), ("back.csv", range(count - 1, -1, -1))):
        with (tmp_path / name).open("w") as file:
            file.write(HEADER + "\n")
            file.writelines(line(number) + "\n" for number in numbers)
        told = (
            octroi_process("ingest", tmp_path / name, "--source", "calls", "--data", directory, "--json")
            .ok()
            .json["totals"]
        )
        assert told["received"] == count
        assert told["accepted" if name == "there.csv" else "duplicate"] == count
        (tmp_path / name).unlink()
    balanced(directory)
    (sums,) = query(directory, "SELECT count() AS edrs, sum(quantity_steps) AS steps FROM edr")
    assert (sums["edrs"], int(sums["steps"])) == (count, sum(1 + number % 97 for number in range(count)) * 1000)
