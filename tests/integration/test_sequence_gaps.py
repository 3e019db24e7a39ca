"""Gaps in the numbers of senders, through the real command: found across files, closed by what comes late."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cli_calls import ANA, CATALOG, NOON, write_catalog
from cli_octroi import balanced, octroi, query

COUNTED = CATALOG.replace("mapping:\n", "mapping:\n  sequence: {field: number, per: [node]}\n")


def _file(directory: Path, name: str, *numbers: tuple[str, object], seconds: str = "60") -> Path:
    path = directory / name
    lines = [f"{node}-{number},{ANA},{NOON},{seconds},{node},{number}" for node, number in numbers]
    path.write_text("\n".join(["id,caller,at,seconds,node,number", *lines, ""]))
    return path


def _gaps(data: Path, *arguments: object) -> list[tuple[Any, ...]]:
    found = octroi("sources", "gaps", *arguments, "--data", data, "--json").ok().json
    names = ("stream", "missing_from", "missing_to", "missing", "seen_before", "seen_after")
    return [tuple(row[name] if name == "stream" else int(row[name]) for name in names) for row in found]


def test_gaps_are_found_across_files_and_closed_by_what_comes_late(tmp_path: Path) -> None:
    data = write_catalog(tmp_path / "data", COUNTED)
    first = _file(tmp_path, "1.csv", ("a", 1), ("a", 2), ("b", 10), ("a", 5), ("a", 2), ("b", 11), ("a", "?"))
    octroi("ingest", first, "--source", "calls", "--data", data).ok()
    assert _gaps(data) == [("a", 3, 4, 2, 2, 2)]
    second = _file(tmp_path, "2.csv", ("a", 9), ("b", 13), ("c", 100))
    octroi("ingest", second, "--source", "calls", "--data", data).ok()
    assert _gaps(data) == [("a", 3, 4, 2, 2, 2), ("a", 6, 8, 3, 2, 3), ("b", 12, 12, 1, 2, 3)]
    assert _gaps(data, "--source", "other") == []
    assert "a" in octroi("sources", "gaps", "--data", data).ok().out

    # a refused record was seen, too; the same file once more changes nothing
    late = _file(tmp_path, "3.csv", ("a", 3), ("a", 4), ("a", 7), seconds="x")
    octroi("ingest", late, first, "--source", "calls", "--data", data).ok()
    assert _gaps(data) == [("a", 6, 6, 1, 2, 4), ("a", 8, 8, 1, 4, 3), ("b", 12, 12, 1, 2, 3)]
    balanced(data)
    octroi("rejects", "replay", "--code", "INVALID_QUANTITY", "--data", data).ok()
    assert query(data, "SELECT uniqExact(claim) AS n FROM fact_sequence_run") == [{"n": 4}]
    assert "number counts the records of each node" in octroi("sources", "show", "calls", "--data", data).ok().out


def test_nothing_is_missing_where_nobody_counts(tmp_path: Path) -> None:
    data = write_catalog(tmp_path / "data")
    octroi("run", data).ok()
    assert octroi("sources", "gaps", "--data", data).ok().out == "0 gaps: no number is missing\n"
