"""The process dies while newer records take the place of earlier ones, while sessions are opened again for late parts, and while
a file with parts of sessions is backed out: the end is as if undisturbed."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from cli_calls import CATALOG, call, write_calls, write_catalog
from kill_points import DIED
from kill_world import Content, Nursery, content, nursery
from session_calls import PARTS, part, write_parts

SETTINGS = {"block_bytes": 8 << 10, "flush_records": 200, "flush_ms": 60_000, "snapshot_records": 300}
"""Blocks of some hundred records, snapshots in the middle of what is put in place."""
COUNT = 600
SUPERSEDE = CATALOG.replace("format: delimited\n", "format: delimited\non_same_key: supersede\n")
REOPENING = PARTS.replace("time_out: PT1H", "time_out: PT1H\n    late: reopen")
LATER_S = 4000.0
JOURNALED = (
    "half keep commands",
    "after keep commands",
    "before journal cancel",
    "half journal cancel",
    "after journal cancel",
)
"""What comes before the entry is in the log: until then nothing happened."""
APPLIED = (
    "before block", "before insert fact_usage", "after insert fact_usage", "before insert fact_reversal",
    "after insert fact_reversal", "before insert fact_block", "after insert fact_block", "before insert fact_claim",
    "before snapshot", "half array", "after snapshot",
)  # fmt: skip


@pytest.fixture(scope="module")
def octroi(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nursery]:
    with nursery(tmp_path_factory.mktemp("nursery"), **SETTINGS) as started:
        yield started


def _die(octroi: Nursery, data: Path, points: Sequence[str], *command: object, later_s: float = 0) -> None:
    for point in points:
        ended = octroi.run(*(command or ("run", data)), fault={"die_at": point, "nth": 1}, later_s=later_s)
        assert ended.code == DIED, (point, ended)


def _ended(octroi: Nursery, data: Path, later_s: float = 0) -> Content:
    assert octroi.run("run", data, later_s=later_s).code == 0
    assert octroi.run("balance", "--data", data, later_s=later_s).code == 0
    return content(data)


def _again(octroi: Nursery, data: Path, later_s: float = 0) -> Content:
    """Make store and state again from the log."""
    for lost in ("store", "state"):
        shutil.rmtree(data / lost)
    return _ended(octroi, data, later_s)


def _restated(directory: Path) -> Path:
    """Return a data directory with calls, all of which a second file states again."""
    data = write_catalog(directory, SUPERSEDE)
    for name, seconds in (("1.csv", 60), ("2.csv", 90)):
        write_calls(data / "spool" / "calls" / name, *(call(number, seconds + number % 7) for number in range(COUNT)))
    return data


def test_dying_while_newer_records_take_their_place_changes_nothing(octroi: Nursery, tmp_path: Path) -> None:
    expected = _ended(octroi, _restated(tmp_path / "plain"))
    assert expected.hashes["fact_reversal"][0] == COUNT
    (money,) = expected.totals["money"]
    assert int(money["quantity"]) == sum(90 + number % 7 for number in range(COUNT)) * 1000
    dying = _restated(tmp_path / "dying")
    _die(octroi, dying, [*JOURNALED, *APPLIED])
    assert _ended(octroi, dying) == expected
    assert _again(octroi, dying) == expected


def _late(directory: Path) -> Path:
    """Return a data directory with the beginnings of calls; their ends come an hour late."""
    data = write_catalog(directory, REOPENING)
    write_parts(data / "spool" / "parts" / "1.csv", *(part(number, 1, "F", 5) for number in range(COUNT)))
    return data


def _ends(data: Path) -> None:
    write_parts(data / "spool" / "parts" / "2.csv", *(part(number, 2, "L", 7) for number in range(COUNT)))


def test_dying_while_sessions_are_opened_again_and_backed_out_changes_nothing(octroi: Nursery, tmp_path: Path) -> None:
    plain, dying = (_late(tmp_path / name) for name in ("plain", "dying"))
    for data in (plain, dying):
        assert octroi.run("run", data).code == 0
        assert octroi.run("run", data, later_s=LATER_S).code == 0
        _ends(data)
    expected = _ended(octroi, plain, LATER_S)
    assert expected.hashes["fact_reversal"][0] == COUNT
    (money,) = expected.totals["money"]
    assert int(money["quantity"]) == 12_000 * COUNT
    _die(octroi, dying, [*JOURNALED, *APPLIED], later_s=LATER_S)
    assert _ended(octroi, dying, LATER_S) == expected
    # the ends are backed out: the beginnings wait once more, and end without them
    command = ("files", "back-out", "2.csv", "--reason", "wrong", "--data")
    assert octroi.run(*command, plain, later_s=LATER_S).code == 0
    _die(octroi, dying, JOURNALED, *command, dying, later_s=LATER_S)
    _die(octroi, dying, [point for point in APPLIED if point != "before block"], later_s=LATER_S)
    expected = _ended(octroi, plain, 3 * LATER_S)
    (money,) = expected.totals["money"]
    assert int(money["quantity"]) == 5_000 * COUNT
    assert _ended(octroi, dying, 3 * LATER_S) == expected
    assert _again(octroi, dying, 3 * LATER_S) == expected
