"""`octroi ingest --dry-run`: what would become of files, and nothing is kept."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from cli_calls import HEADER, STRANGER, call, calls, write_calls, write_catalog
from cli_octroi import balanced, octroi, octroi_process

LINES = [call(1), call(2, 90), call(1), call(3, caller=STRANGER), call(4, "sixty")]


def _content(directory: Path) -> dict[str, bytes]:
    """Every file below a directory, the store's own aside."""
    found = (
        path for path in directory.rglob("*") if path.is_file() and "store" not in path.relative_to(directory).parts
    )
    return {str(path.relative_to(directory)): path.read_bytes() for path in found}


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory that has seen call 1."""
    directory = tmp_path_factory.mktemp("known")
    data = write_catalog(directory / "data")
    octroi("ingest", write_calls(directory / "one.csv", call(1)), "--source", "calls", "--data", data).ok()
    return data


def test_a_first_dry_run_creates_nothing(tmp_path: Path) -> None:
    data, file = write_catalog(tmp_path / "data"), write_calls(tmp_path / "calls.csv", *LINES)
    before = _content(data)
    told = octroi("ingest", file, "--source", "calls", "--dry-run", "--data", data).ok()
    assert "Dry run: nothing was kept" in told.out
    assert "5 records, 2 rated items, 1.5 EUR" in told.out
    assert _content(data) == before
    assert not (data / "store").exists()


def test_a_dry_run_says_what_the_real_one_does(known: Path, tmp_path: Path) -> None:
    data = shutil.copytree(known, tmp_path / "data", symlinks=True)
    first, second = write_calls(tmp_path / "a.csv", *LINES), write_calls(tmp_path / "b.csv", call(2, 90), call(9))
    before = _content(data)
    rehearsed, real = (
        octroi("ingest", first, second, "--source", "calls", *option, "--data", data, "--json").ok().json
        for option in (["--dry-run"], [])
    )
    assert _content(data) != before
    assert rehearsed["totals"] == real["totals"]
    assert rehearsed["totals"]["duplicate"] == 2 + 1
    assert rehearsed["amounts"] == real["amounts"] == {"EUR": "1.500000000"}
    for dry, wet in zip(rehearsed["files"], real["files"], strict=True):
        assert {name: dry[name] for name in dry if name not in ("claim", "duplicate_of")} == {
            name: wet[name] for name in wet if name not in ("claim", "duplicate_of")
        }
    balanced(data)


def test_a_dry_run_keeps_nothing_of_files_good_or_bad(known: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.csv"
    bad.write_text("id,caller,at\n")
    before = _content(known)
    told = octroi(
        "ingest",
        write_calls(tmp_path / "a.csv", *LINES),
        bad,
        "--source",
        "calls",
        "--dry-run",
        "--data",
        known,
        "--json",
    )
    assert (told.code, told.json["files"][1]["quarantined"]["code"]) == (5, "MISSING_COLUMN")
    assert _content(known) == before
    assert len(balanced(known)["records"]) == 1


def test_a_pipe_is_refused_because_it_is_read_once(known: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    told = octroi("ingest", tmp_path / "pipe", "--source", "calls", "--dry-run", "--data", known)
    assert (told.code, "this is no regular file" in told.err) == (4, True)


def test_a_file_name_that_is_no_text_is_taken_and_shown(known: Path, tmp_path: Path) -> None:
    data = shutil.copytree(known, tmp_path / "data", symlinks=True)
    name = os.fsdecode(b"caf\xe9 \x1b[31m.csv")
    (tmp_path / name).write_text(calls([call("cafe")]))
    for option in (["--dry-run"], []):
        told = octroi_process("ingest", tmp_path / name, "--source", "calls", *option, "--data", data, "--json")
        assert told.code == 0
        assert told.json["files"][0]["name"] == "caf\ufffd \x1b[31m.csv"
    records, edrs = [line for line in octroi("balance", "--data", data).ok().out.splitlines() if "caf" in line]
    assert "caf\ufffd \\x1b[31m.csv" in records
    assert "caf\ufffd \\x1b[31m.csv" in edrs
    (tmp_path / name).unlink()
    told = octroi_process("ingest", tmp_path / name, "--source", "calls", "--data", data, "--json")
    assert (told.code, len(told.json["failures"])) == (5, 1)


def test_headers_alone_are_rehearsed_too(known: Path, tmp_path: Path) -> None:
    (tmp_path / "empty.csv").write_text(HEADER)
    told = octroi("ingest", tmp_path / "empty.csv", "--source", "calls", "--dry-run", "--data", known).ok()
    assert "0 records, 0 rated items" in told.out
