"""A tar or zip archive that is dropped or named: its files are claims of their own, and one that is bad does not stop the others."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest
from cli_calls import CATALOG, call, calls, write_calls, write_catalog
from cli_octroi import balanced, octroi, query
from containers import zip_of

MEMBERS = {
    "monday.csv": calls([call("m1"), call("m2")]).encode(),
    "sub/bad.csv": b"no,such,columns\n1,2,3\n",
    "tuesday.csv": calls([call("t1"), call("m2")]).encode(),
}
CLAIMS = "SELECT name, status, code FROM fact_claim WHERE kind = 'file' ORDER BY claim"


def write_tar(path: Path, mode: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    if mode == "zip":
        path.write_bytes(zip_of(*MEMBERS.items()))
        return path
    with tarfile.open(path, mode) as archive:
        for name, content in MEMBERS.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


@pytest.mark.parametrize("mode", ["w", "w:gz", "zip"])
@pytest.mark.parametrize("dropped", [True, False])
def test_each_file_in_an_archive_is_taken(tmp_path: Path, mode: str, dropped: bool) -> None:
    data = write_catalog(tmp_path / "data")
    archive = write_tar(data / "spool" / "calls" / "week" if dropped else tmp_path / "week", mode)
    told = octroi("run", data) if dropped else octroi("ingest", archive, "--source", "calls", "--data", data)
    assert told.code == 5  # one file is quarantined
    assert query(data, CLAIMS) == [
        {"name": "week!monday.csv", "status": "done", "code": ""},
        {"name": "week!sub/bad.csv", "status": "quarantined", "code": "MISSING_COLUMN"},
        {"name": "week!tuesday.csv", "status": "done", "code": ""},
    ]
    assert query(data, "SELECT count() AS n FROM rated_item") == [{"n": 3}]
    assert archive.exists() is not dropped
    balanced(data)
    octroi("run", data).ok()
    assert len(query(data, CLAIMS)) == 3


@pytest.mark.parametrize("mode", ["w:gz", "zip"])
def test_a_dry_run_looks_inside(tmp_path: Path, mode: str) -> None:
    data = write_catalog(tmp_path / "data")
    archive = write_tar(tmp_path / "week", mode)
    told = octroi("ingest", archive, "--source", "calls", "--dry-run", "--data", data, "--json")
    assert told.code == 5
    assert [(file["name"], file["rated"], file["quarantined"] is None) for file in told.json["files"]] == [
        ("week!monday.csv", 2, True), ("week!sub/bad.csv", 0, False), ("week!tuesday.csv", 1, True),
    ]  # fmt: skip
    tried = octroi("sources", "test", archive, "--source", "calls", "--data", data, "--json")
    found = tried.json
    assert (tried.code, found["quarantined"]) == (5, None)
    assert [(file["name"], file["records"]) for file in found["files"]] == [
        ("week!monday.csv", 2), ("week!sub/bad.csv", 0), ("week!tuesday.csv", 2),
    ]  # fmt: skip
    assert [record["file"] for record in found["records"]] == ["week!monday.csv"] * 2 + ["week!tuesday.csv"] * 2
    assert (found["profile"]["records"], found["profile"]["rated"], found["profile"]["outcomes"]["duplicate"]) == (
        4,
        3,
        1,
    )
    shown = octroi("sources", "test", archive, "--source", "calls", "--data", data).out
    assert "in it week!sub/bad.csv: refused whole: MISSING_COLUMN" in shown
    assert "record 1 of week!tuesday.csv" in shown
    assert not (data / "journal.log").exists()


def test_a_damaged_archive_is_one_file_and_quarantined(tmp_path: Path) -> None:
    data = write_catalog(tmp_path / "data")
    archive = write_tar(data / "spool" / "calls" / "week.tar", "w")
    archive.write_bytes(archive.read_bytes()[:1200])
    assert octroi("run", data).code == 5
    assert query(data, CLAIMS) == [{"name": "week.tar", "status": "quarantined", "code": "CORRUPT_ARCHIVE"}]


def test_a_damaged_archive_in_an_archive_is_quarantined_by_itself(tmp_path: Path) -> None:
    data = write_catalog(tmp_path / "data")
    inner = write_tar(tmp_path / "inner.tar", "w").read_bytes()
    with tarfile.open(tmp_path / "week.tar", "w") as archive:
        for name, content in (("1.tar", inner[:1200]), ("2.gz", b"\x1f\x8bnothing"), ("3.tar", inner)):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    (data / "spool" / "calls").mkdir(parents=True)
    (tmp_path / "week.tar").rename(data / "spool" / "calls" / "week.tar")
    assert octroi("run", data).code == 5
    claims = query(data, CLAIMS)
    assert [row for row in claims if row["code"] == "CORRUPT_ARCHIVE"] == [
        {"name": "week.tar!1.tar", "status": "quarantined", "code": "CORRUPT_ARCHIVE"},
        {"name": "week.tar!2.gz", "status": "quarantined", "code": "CORRUPT_ARCHIVE"},
    ]
    assert len(claims) == 2 + len(MEMBERS)
    balanced(data)


def test_newer_records_in_an_archive_wait_for_all_its_files(tmp_path: Path) -> None:
    """What settles them is journaled behind the archive's files, so it must not be applied before them."""
    catalog = CATALOG.replace("format: delimited\n", "format: delimited\non_same_key: supersede\n")
    data = write_catalog(tmp_path / "data", catalog)
    archive = tmp_path / "week.zip"
    files = (("a.csv", [call(1)]), ("b.csv", [call(1, 70)]), ("c.csv", [call(9, 30)]))
    archive.write_bytes(zip_of(*((name, calls(lines).encode()) for name, lines in files)))
    octroi("ingest", archive, "--source", "calls", "--data", data).ok()
    owed = "SELECT toInt64(balance * 100) AS of_items, toInt64(latest_balance * 100) AS of_wallet FROM account_balance"
    assert query(data, owed) == [{"of_items": -100, "of_wallet": -100}]
    octroi("ingest", write_calls(tmp_path / "d.csv", call(20, 1)), "--source", "calls", "--data", data).ok()
    assert query(data, owed) == [{"of_items": -101, "of_wallet": -101}]
    balanced(data)
