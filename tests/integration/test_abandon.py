"""A file that ends octroi wherever it is read is left out by a decision in the log; what came after it is taken."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from cli_calls import call, write_calls, write_catalog
from cli_octroi import balanced, octroi, query

from apps.embedded import files
from pipelines.mediation.plugins import UnableToUsePlugin
from schemas.cdr import CdrBlock

BLOCK_BYTES = 65_536
LINES_PER_BLOCK = BLOCK_BYTES // len(call("b-10000", 60) + "\n")
WHY = "it needs more memory than there is"


@pytest.fixture(autouse=True)
def settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OCTROI_DEDUP_WINDOW_DAYS", "unlimited")
    monkeypatch.setenv("OCTROI_BLOCK_BYTES", str(BLOCK_BYTES))


def _poison(monkeypatch: pytest.MonkeyPatch, claim: int, block: int) -> None:
    """Let one file end octroi where a block of it is read."""
    decode = files.decode_blocks

    def poisoned(*args: Any, **terms: Any) -> Iterator[CdrBlock]:
        for cdrs in decode(*args, **terms):
            if (cdrs.position.claim, cdrs.position.block) == (claim, block):
                raise UnableToUsePlugin("out of memory")
            yield cdrs

    monkeypatch.setattr(files, "decode_blocks", poisoned)


def _three_files(directory: Path) -> tuple[Path, list[Path]]:
    """Return a data directory and three files; the second has three blocks. They become claims 2, 3 and, once it is abandoned, 5."""
    many = [call(f"b-{10_000 + number}") for number in range(LINES_PER_BLOCK * 5 // 2)]
    names = [
        write_calls(directory / "a.csv", call("a")),
        write_calls(directory / "b.csv", *many),
        write_calls(directory / "c.csv", call("c")),
    ]
    data = write_catalog(directory / "data")
    spool = data / "spool" / "calls"
    spool.mkdir(parents=True)
    for name in names:
        shutil.copy(name, spool)
    return data, names


def _sums(data: Path) -> list[dict[str, Any]]:
    return query(
        data, "SELECT claim, count() AS n, sum(amount) AS amount FROM rated_item GROUP BY claim ORDER BY claim"
    )


@pytest.mark.parametrize("block", [0, 1, 2])
def test_what_was_read_before_counts_and_what_came_after_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    data, names = _three_files(tmp_path)
    with monkeypatch.context() as patched:
        _poison(patched, 3, block)
        for _ in range(2):
            told = octroi("run", data)
            assert told.code == 4
            assert "out of memory" in told.err
            assert "This came while b.csv (claim 3, source calls) was read" in told.err
            assert "`octroi files abandon 3 --reason TEXT`" in told.err
        told = octroi("files", "abandon", "b.csv", "--reason", WHY, "--data", data)
        where = f" from block {block} on" if block else ""
        assert (told.code, told.out) == (0, f"b.csv (claim 3) is abandoned{where}; run octroi again\n")
        again = octroi("files", "abandon", "3", "--reason", WHY, "--data", data)
        assert (again.code, "is abandoned already: run octroi again" in again.err) == (2, True)
        told = octroi("run", data, "--json")
        assert told.code == 5
        (refused,) = [row for row in told.json["files"] if row["quarantined"]]
        assert (refused["name"], refused["quarantined"]["code"]) == ("b.csv", "ABANDONED")
        assert refused["quarantined"]["message"].startswith(WHY)
    balanced(data)
    sums = _sums(data)
    read = {row["claim"]: row["n"] for row in sums}
    assert set(read) == ({2, 3, 5} if block else {2, 5})
    assert (read[2], read[5]) == (1, 1)
    counts = query(data, "SELECT block, received FROM fact_block WHERE claim = 3 ORDER BY block")
    assert [row["block"] for row in counts] == list(range(block))
    assert read.get(3, 0) == sum(row["received"] for row in counts)
    # the whole log makes the same again, with no poison in it by now
    replayed = tmp_path / "replayed"
    shutil.copytree(data, replayed, ignore=shutil.ignore_patterns("state", "store", "owner.*"))
    octroi("run", replayed)
    balanced(replayed)
    assert _sums(replayed) == sums
    # the rest can be sent again: what counts is a duplicate then
    totals = octroi("run", data, names[1], "--source", "calls", "--json").ok().json["totals"]
    assert totals["duplicate"] == read.get(3, 0)
    assert totals["rated"] == LINES_PER_BLOCK * 5 // 2 - totals["duplicate"]


def test_what_it_holds_can_be_backed_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data, _ = _three_files(tmp_path)
    with monkeypatch.context() as patched:
        _poison(patched, 3, 1)
        octroi("run", data)
    octroi("files", "abandon", "3", "--reason", WHY, "--data", data).ok()
    octroi("run", data)
    octroi("files", "back-out", "3", "--reason", WHY, "--data", data).ok()
    balanced(data)
    (row,) = query(data, "SELECT count() AS n, sum(amount) AS amount FROM rated_item WHERE claim != 2 AND claim != 5")
    assert Decimal(row["amount"]) == 0


def test_a_file_that_is_gone_from_the_archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data, _ = _three_files(tmp_path)
    with monkeypatch.context() as patched:
        _poison(patched, 3, 0)
        octroi("run", data)
    (stored,) = (data / "archive").glob("*b.csv")
    stored.unlink()
    told = octroi("run", data)
    assert (told.code, "restore it from a backup. This came while b.csv" in told.err) == (4, True)
    octroi("files", "abandon", "b.csv", "--reason", "the disk lost it", "--data", data).ok()
    assert octroi("run", data).code == 5
    balanced(data)
    assert [row["claim"] for row in _sums(data)] == [2, 5]


def test_rejections_that_an_abandoned_correction_answered_are_open_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = write_catalog(tmp_path / "data")
    refused = write_calls(tmp_path / "a.csv", call(1, "x"), call(2, "y"))
    octroi("run", data, refused, "--source", "calls").ok()
    with monkeypatch.context() as patched:
        _poison(patched, 3, 0)
        assert octroi("rejects", "correct", "--all", "--set", "seconds=60", "--data", data).code == 4
    states = "SELECT status, count() AS n FROM rejection GROUP BY status"
    told = octroi("files", "abandon", "3", "--reason", WHY, "--data", data).ok()
    assert "2 rejections that it would have corrected: open again" in told.out
    assert octroi("run", data).code == 5
    assert query(data, states) == [{"status": "OPEN", "n": 2}]
    octroi("rejects", "correct", "--all", "--set", "seconds=60", "--data", data).ok()
    assert query(data, states) == [{"status": "REPLAYED", "n": 2}]
    balanced(data)


def test_nothing_else_can_be_abandoned(tmp_path: Path) -> None:
    data = write_catalog(tmp_path / "data")
    for number in range(2):
        octroi("run", data, write_calls(tmp_path / "a.csv", call(number)), "--source", "calls").ok()

    def told(*words: object) -> str:
        answer = octroi("files", "abandon", *words, "--data", data)
        assert answer.code == 2
        return answer.err

    assert "was read to its end; `octroi files back-out` takes it back" in told("2", "--reason", WHY)
    assert "a.csv was taken 2 times: name one of the claims 2, 3" in told("a.csv", "--reason", WHY)
    assert "no file b.csv was taken" in told("b.csv", "--reason", WHY)
    assert "no file 1 was taken" in told("1", "--reason", WHY)
    assert "say why with --reason" in told("2", "--reason", " ")
    assert query(data, "SELECT count() AS n FROM fact_claim") == [{"n": 3}]
