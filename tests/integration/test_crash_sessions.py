"""The process dies while sessions are put together and while they end by a tick: the end is as if undisturbed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_calls import write_catalog
from kill_points import DIED
from kill_world import Content, Nursery, content, nursery
from session_calls import PARTS, part, write_parts

SETTINGS = {"block_bytes": 16 << 10, "flush_records": 600, "flush_ms": 60_000, "snapshot_records": 900}
"""Blocks of some hundred parts after the first, snapshots in the middle of files."""
SESSIONS = 1500
PUTTING_TOGETHER = (
    ("before block", 2), ("after insert fact_assembled_part", 1), ("before insert fact_block", 1), ("after snapshot", 1),
    ("half array", 30),
)  # fmt: skip
TICKING = (
    ("half journal tick", 1), ("after journal tick", 1), ("before insert fact_assembled_part", 1),
    ("after insert fact_assembled_part", 1), ("after insert fact_block", 1), ("before insert fact_claim", 1),
)  # fmt: skip


@pytest.fixture(scope="module")
def octroi(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nursery]:
    with nursery(tmp_path_factory.mktemp("nursery"), **SETTINGS) as started:
        yield started


def _data(directory: Path) -> Path:
    """Return a data directory: parts of many calls over two files, every third of which lacks its middle."""
    data = write_catalog(directory, PARTS)
    lines = [
        part(call, number, kind, call)
        for number, kind in ((3, "L"), (1, "F"), (2, "I"))
        for call in range(SESSIONS)
        if kind != "I" or call % 3
    ]
    half = len(lines) // 2
    write_parts(data / "spool" / "parts" / "1.csv", *lines[:half])
    write_parts(data / "spool" / "parts" / "2.csv", *lines[half:])
    return data


def _ended(octroi: Nursery, data: Path) -> Content:
    """Let both files in, then the hour pass; return what the store holds."""
    assert octroi.run("run", data).code == 0
    assert octroi.run("run", data, later_s=4000).code == 0
    assert octroi.run("balance", "--data", data, later_s=4000).code == 0
    return content(data)


def test_dying_changes_no_session(octroi: Nursery, tmp_path: Path) -> None:
    undisturbed = _ended(octroi, _data(tmp_path / "undisturbed"))
    (money,) = undisturbed.totals["money"]
    assert money["items"] == SESSIONS
    assert undisturbed.totals["outcomes"][0]["absorbed"] == 2 * SESSIONS
    assert {(row["kind"], row["n"]) for row in undisturbed.totals["claims"]} == {("file", 2), ("image", 1), ("tick", 1)}
    assert undisturbed.hashes["fact_assembled_part"][0] == SESSIONS * 3 - SESSIONS // 3

    dying = _data(tmp_path / "dying")
    for point, nth in PUTTING_TOGETHER:
        assert octroi.run("run", dying, fault={"die_at": point, "nth": nth}).code == DIED, point
    assert octroi.run("run", dying).code == 0
    for point, nth in TICKING:
        ended = octroi.run("run", dying, fault={"die_at": point, "nth": nth}, later_s=4000)
        assert ended.code == DIED, (point, ended)
    assert _ended(octroi, dying) == undisturbed
