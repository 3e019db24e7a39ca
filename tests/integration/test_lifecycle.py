"""The lifecycle of rejections: open, marked, tried again, discarded, reopened; and how they are found."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from cli_calls import BOB, CATALOG, STRANGER, WITH_STRANGER, call, write_calls, write_catalog
from cli_octroi import balanced, octroi, query

NIGHT = "2025-12-31T23:00:00Z"
LATER = "2026-11-01T09:00:00Z"


@pytest.fixture(scope="module")
def refused(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("refused")
    data = write_catalog(directory / "data")
    first = write_calls(directory / "first.csv", call(0), call(1, caller=STRANGER), call(2, "sixty"), call(3, at=NIGHT))
    second = write_calls(directory / "second.csv", call(5, caller=STRANGER, at=LATER), call(6, "Seventy", caller=BOB))
    octroi("ingest", first, second, "--source", "calls", "--data", data).ok()
    return data


@pytest.fixture
def data(refused: Path, tmp_path: Path) -> Path:
    return shutil.copytree(refused, tmp_path / "data", symlinks=True)


def _status(data: Path) -> dict[str, tuple[str, str, int]]:
    rows = query(data, "SELECT claim, record, status, lifecycle, retry_count FROM rejection ORDER BY claim, record")
    return {f"{row['claim']}-{row['record']}": (row["status"], row["lifecycle"], row["retry_count"]) for row in rows}


def _do(data: Path, *words: object) -> dict[str, Any]:
    result: dict[str, Any] = octroi("rejects", *words, "--data", data, "--json").ok().json
    balanced(data)
    return result


def _refused(data: Path, *words: object) -> str:
    before = (data / "journal.log").read_bytes()
    told = octroi("rejects", *words, "--data", data)
    assert (told.code, told.out) == (2, "")
    assert (data / "journal.log").read_bytes() == before
    return told.err


@pytest.mark.parametrize(
    ("terms", "expected"),
    [
        (["--file", "second.csv"], ["3-0", "3-1"]),
        (["--since", "2026-11-01"], ["3-0"]),
        (["--until", "2026-01-01T00:00:00+01:00"], []),
        (["--until", "2026-01-01"], ["2-3"]),
        (["--since", "2026-01-01", "--until", "2026-11-01T10:00:00+01:00"], ["2-1", "2-2", "3-1"]),
        (["--access-point", STRANGER], ["2-1", "3-0"]),
        (["--stage", "Decode"], ["2-2", "3-1"]),
        (["--stage", "account"], ["2-3"]),
        (["--retries-min", 1], []),
        (["--retries-min", 0, "--claim", 3], ["3-0", "3-1"]),
        (["--text", "SEVENTY"], ["3-1"]),
        (["--text", "sixty' OR '1"], []),
        (["--code", "invalid_quantity", "--source", "calls"], ["2-2", "3-1"]),
    ],
)
def test_rejections_are_found_by_what_is_known_of_them(refused: Path, terms: list[object], expected: list[str]) -> None:
    shown = octroi("rejects", "list", *terms, "--data", refused, "--json").ok().json
    assert [row["id"] for row in shown["rejections"]] == expected


@pytest.mark.parametrize(
    ("terms", "words"),
    [
        (["--since", "yesterday"], "'yesterday' is no date or time"),
        (["--stage", "rating"], "rating is no stage; there are decode, resource, account"),
        (["--status", "ANSWERED"], "--status takes OPEN, TO_REPROCESS, REPLAYED, DISCARDED, CANCELLED or ALL"),
    ],
)
def test_a_criterion_that_cannot_be_is_told(refused: Path, terms: list[object], words: str) -> None:
    told = octroi("rejects", "list", *terms, "--data", refused)
    assert (told.code, words in told.err) == (2, True)


def test_a_summary_counts_what_was_decided(data: Path) -> None:
    _do(data, "mark", "2-1")
    _do(data, "discard", "3-1", "--reason", "no")
    rows = octroi("rejects", "summary", "--data", data, "--json").ok().json
    found = {row["reason"]: (row["rejections"], row["open"], row["to_reprocess"], row["discarded"]) for row in rows}
    assert found == {
        "UNKNOWN_ACCESS_POINT": (2, 1, 1, 0), "INVALID_QUANTITY": (2, 1, 0, 1), "NO_PRICE_VERSION": (1, 1, 0, 0),
    }  # fmt: skip
    assert "Rejections by reason" in octroi("rejects", "summary", "--claim", 3, "--data", data).ok().out


def test_marked_rejections_are_tried_again_together(data: Path) -> None:
    assert _do(data, "mark", "--code", "UNKNOWN_ACCESS_POINT", "--reason", "being created") == {"marked": 2, "left": 0}
    assert _status(data)["2-1"] == ("TO_REPROCESS", "TO_REPROCESS", 0)
    write_catalog(data, WITH_STRANGER)
    assert _do(data, "replay", "--status", "TO_REPROCESS")["rated"] == 2
    assert _status(data) == {
        "2-1": ("REPLAYED", "PROCESSED", 0), "2-2": ("OPEN", "OPEN", 0), "2-3": ("OPEN", "OPEN", 0),
        "3-0": ("REPLAYED", "PROCESSED", 0), "3-1": ("OPEN", "OPEN", 0),
    }  # fmt: skip


def test_what_fails_again_is_open_with_a_retry_more(data: Path) -> None:
    _do(data, "mark", "2-1")
    assert _do(data, "replay", "2-1")["rejected"] == 1
    found = _status(data)
    assert (found["2-1"], found["5-1"]) == (("REPLAYED", "PROCESSED", 0), ("OPEN", "OPEN", 1))


def test_a_discard_is_taken_back(data: Path) -> None:
    _do(data, "discard", "2-1", "--reason", "wrong number")
    assert "2-1 is discarded: only what is open or to_reprocess can be tried again" in _refused(data, "replay", "2-1")
    assert _do(data, "reopen", "2-1", "--reason", "it was right") == {"reopened": 1, "left": 0}
    (row,) = query(data, "SELECT status, decision_reason FROM rejection WHERE claim = 2 AND record = 1")
    assert row == {"status": "OPEN", "decision_reason": "it was right"}
    write_catalog(data, WITH_STRANGER)
    assert _do(data, "replay", "2-1")["rated"] == 1


def test_what_is_final_stays_and_what_is_not_allowed_is_told(data: Path) -> None:
    write_catalog(data, WITH_STRANGER)
    _do(data, "replay", "2-1")
    for step, done in (("replay", "tried again"), ("mark", "marked"), ("reopen", "reopened")):
        assert f"can be {done}" in _refused(data, step, "2-1")
    assert "2-1 is replayed" in _refused(data, "discard", "2-1", "--reason", "late")
    _do(data, "mark", "2-2")
    assert "2-2 is to_reprocess: only what is open can be marked" in _refused(data, "mark", "2-2")
    assert "2-3 is open: only what is discarded or to_reprocess can be reopened" in _refused(data, "reopen", "2-3")
    # one that may not be decided keeps the others from it
    assert "2-1 is replayed" in _refused(data, "discard", "2-1", "2-3", "--reason", "both")
    assert _status(data)["2-3"] == ("OPEN", "OPEN", 0)
    # a criterion meets only those that may
    assert _do(data, "discard", "--all", "--reason", "the rest")["discarded"] == 4
    assert _do(data, "reopen", "--all")["reopened"] == 4


def test_decisions_are_made_again_from_the_log(data: Path) -> None:
    _do(data, "mark", "2-1")
    _do(data, "discard", "2-2", "--reason", "no")
    _do(data, "discard", "2-3", "--reason", "no")
    _do(data, "reopen", "2-3")
    before = _status(data)
    shutil.rmtree(data / "store")
    shutil.rmtree(data / "state")
    octroi("run", data).ok()
    assert _status(data) == before
    assert CATALOG in (data / "catalog" / "catalog.yaml").read_text()
