"""Correct and replay: refused records with other values are a file of their own, once, and both sheets close."""

from __future__ import annotations

import errno
import os
import shutil
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from cli_calls import ANA, BOB, CATALOG, NOON, STRANGER, call, write_calls, write_catalog
from cli_octroi import balanced, octroi, query

NIGHT = "2025-12-31T23:00:00Z"
LONG = "x" * 70_000
PAIRS = f"""{CATALOG}---
kind: source
code: lines
format: json
mapping:
  identity: [id]
  access_point: who.number
  time: {{field: at}}
  quantity: {{field: seconds}}
  event_type: {{constant: voice}}
"""
LINE = f'{{"id": 1, "who": {{"number": "{ANA}"}}, "at": "{NOON}", "seconds": "x"}}'


@pytest.fixture(scope="module")
def refused(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two files of calls, with columns in another order in the second, and one of JSON lines."""
    directory = tmp_path_factory.mktemp("refused")
    data = write_catalog(directory / "data", PAIRS)
    first = write_calls(
        directory / "first.csv",
        call(0), call(1, caller=STRANGER), call(2, "sixty"), call(3, LONG), call(4, at=NIGHT), call("", "6"), "7,8",
    )  # fmt: skip
    second = directory / "second.csv"
    second.write_text(f"seconds,extra,at,caller,id\nseventy,a,{NOON},{BOB},12\n5,b,{NOON},{STRANGER},13\n")
    lines = directory / "lines.json"
    lines.write_text(LINE + "\n")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("OCTROI_DEDUP_WINDOW_DAYS", "unlimited")
        octroi("ingest", first, second, "--source", "calls", "--data", data).ok()
        octroi("ingest", lines, "--source", "lines", "--data", data).ok()
    return data


@pytest.fixture
def data(refused: Path, tmp_path: Path) -> Path:
    return shutil.copytree(refused, tmp_path / "data", symlinks=True)


def _correct(data: Path, *words: object) -> dict[str, Any]:
    result: dict[str, Any] = octroi("rejects", "correct", *words, "--data", data, "--json").ok().json
    balanced(data)
    return result


def _told(data: Path, *words: object) -> str:
    """What it says when nothing is corrected; then nothing changed."""
    before = (data / "journal.log").read_bytes(), sorted((data / "archive").iterdir())
    told = octroi("rejects", "correct", *words, "--data", data)
    assert (told.code, told.out) == (2, "")
    assert ((data / "journal.log").read_bytes(), sorted((data / "archive").iterdir())) == before
    return told.err


def _paid(data: Path) -> dict[str, Decimal]:
    rows = query(data, "SELECT account, sum(amount) AS amount FROM rated_item GROUP BY account")
    return {row["account"]: Decimal(row["amount"]) for row in rows}


def _links(data: Path) -> dict[str, tuple[str, str, int, str]]:
    rows = query(
        data,
        "SELECT concat(toString(claim), '-', toString(record)) AS id, status, decision_reason, retry_count, corrects "
        "FROM rejection ORDER BY claim, record",
    )
    return {row["id"]: (row["status"], row["decision_reason"], row["retry_count"], row["corrects"]) for row in rows}


def test_corrected_records_of_several_files_are_rated_once(data: Path) -> None:
    result = _correct(data, "--code", "INVALID_QUANTITY", "--source", "calls", "--set", "seconds=30")
    assert (result["corrected"], result["claims"], result["rated"], result["skipped"]) == (2, [5, 6], 2, 1)
    assert result["skipped_first"] == [
        {"id": "2-3", "why": "only the beginning of its record is kept: let the sender send a corrected file"}
    ]
    assert _paid(data) == {"ana": Decimal("0.90"), "bob": Decimal("0.30")}
    archived = {path.name: path.read_text() for path in (data / "archive").glob("corrected-*")}
    assert archived == {
        "corrected-0000000005~calls~corrected-first.csv": f"id,caller,at,seconds\n2,{ANA},{NOON},30\n",
        "corrected-0000000006~calls~corrected-second.csv": f"seconds,extra,at,caller,id\n30,a,{NOON},{BOB},12\n",
    }
    found = _links(data)
    assert found["2-2"] == ("REPLAYED", "corrected as 5-0", 0, "")
    assert found["3-0"] == ("REPLAYED", "corrected as 6-0", 0, "")
    # what entered is counted once
    (sheet,) = query(data, "SELECT sum(received) AS n FROM record_sheet WHERE NOT retry AND source = 'calls'")
    assert sheet == {"n": 9}
    # and is not corrected twice
    assert "2-2 is replayed: only what is open or to_reprocess can be corrected" in _told(
        data, "2-2", "--set", "seconds=1"
    )
    assert _paid(data) == {"ana": Decimal("0.90"), "bob": Decimal("0.30")}


def test_what_is_refused_again_is_a_new_rejection_that_says_what_it_corrects(data: Path) -> None:
    result = _correct(data, "2-1", "3-1", "--set", "caller=337")
    assert (result["corrected"], result["rejected"], result["claims"]) == (2, 2, [5, 6])
    again = _correct(data, "5-0", "6-0", "--set", f"caller={BOB}", "--set", "seconds=10")
    assert (again["corrected"], again["rated"]) == (2, 2)
    found = _links(data)
    assert [found[name] for name in ("2-1", "3-1", "5-0", "6-0")] == [
        ("REPLAYED", "corrected as 5-0", 0, ""), ("REPLAYED", "corrected as 6-0", 0, ""),
        ("REPLAYED", "corrected as 7-0", 1, "2-1"), ("REPLAYED", "corrected as 8-0", 1, "3-1"),
    ]  # fmt: skip
    assert (data / "archive" / "corrected-0000000007~calls~corrected-first.csv").exists()
    shown = octroi("rejects", "show", "5-0", "--data", data).ok().out
    assert "corrects         2-1" in shown
    assert _paid(data)["bob"] == Decimal("0.20")


def test_a_preview_shows_both_texts_and_changes_nothing(data: Path) -> None:
    before = (data / "journal.log").read_bytes()
    told = octroi("rejects", "correct", "2-2", "3-0", "--set", "seconds=a,b", "--preview", "--data", data).ok().out
    assert "2 rejections of calls would be corrected, of first.csv (1), second.csv (1)" in told
    assert f'  before  2,{ANA},{NOON},sixty\n  after   2,{ANA},{NOON},"a,b"\n  still   INVALID_QUANTITY: ' in told
    assert "2 records would still be refused when decoded" in told
    result = octroi(
        "rejects", "correct", "--claim", 4, "--set", "seconds=7", "--preview", "--data", data, "--json"
    ).json
    (example,) = result["examples"]
    assert (example["after"], example["refused"]) == (LINE.replace('"x"', '"7"'), "")
    assert (data / "journal.log").read_bytes() == before
    assert _links(data)["2-2"][0] == "OPEN"


def test_json_records_are_corrected_by_path(data: Path) -> None:
    result = _correct(data, "--source", "lines", "--set", "seconds=5", "--set", f"who.number={BOB}")
    assert (result["corrected"], result["rated"]) == (1, 1)
    assert _paid(data)["bob"] == Decimal("0.05")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--all", "--set", "seconds=1"], "of the sources calls, lines: correct those of one (--source)"),
        (["2-2", "--set", "secnds=1"], "the source reads no field 'secnds'; did you mean seconds?"),
        (["2-2", "--set", "seconds"], "--set takes FIELD=VALUE, not 'seconds'"),
        (["2-2", "--set", "seconds=1", "--set", "seconds=2"], "--set gives seconds twice"),
        (["2-2", "--set", "seconds=\0"], "a field cannot hold a NUL byte"),
        (["2-3", "--set", "seconds=1"], "2-3: only the beginning of its record is kept"),
        (["2-4", "--set", "at=" + NOON], "2-4: its record was accepted, and is an EDR without price"),
        (["2-6", "--set", "seconds=1"], "2-6: it has 2 fields instead of 4"),
        (["--set", "seconds=1"], "say which rejections"),
        (["9-9", "--set", "seconds=1"], "no rejection that is open or to_reprocess matches"),
    ],
    ids=range(10),
)
def test_what_cannot_be_corrected_is_told(data: Path, words: list[object], told: str) -> None:
    assert told in _told(data, *words)


def test_without_room_nothing_is_left_of_a_correction(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    before = (data / "journal.log").read_bytes(), sorted((data / "archive").iterdir())
    with monkeypatch.context() as patched:
        patched.setattr("pipelines.spool.journal.Journal.append_all", full)
        told = octroi("rejects", "correct", "2-2", "--set", "seconds=30", "--data", data)
    assert (told.code, "No space left on device" in told.err) == (4, True)
    assert ((data / "journal.log").read_bytes(), sorted((data / "archive").iterdir())) == before
    assert _correct(data, "2-2", "--set", "seconds=30")["rated"] == 1


def test_a_correction_is_the_files_and_is_made_again_from_the_log(data: Path) -> None:
    _correct(data, "2-2", "--set", "seconds=30")
    _correct(data, "2-5", "--set", "id=5", "--set", "seconds=oops")
    before = _links(data), _paid(data)
    for lost in ("store", "state"):
        shutil.rmtree(data / lost)
    octroi("run", data).ok()
    balanced(data)
    assert (_links(data), _paid(data)) == before
    # backed out, the file takes its corrections with it
    octroi("files", "back-out", "2", "--reason", "sent in error", "--data", data).ok()
    balanced(data)
    assert _paid(data).get("ana", Decimal(0)) == 0
    assert {status for status, *_ in (_links(data)[name] for name in ("2-1", "2-5"))} == {"CANCELLED", "REPLAYED"}
