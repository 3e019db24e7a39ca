"""A tar archive that is dropped or named: its files are claims of their own, and one that is bad does not stop the others."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest
from cli_calls import call, calls, write_catalog
from cli_octroi import balanced, octroi, query

MEMBERS = {
    "monday.csv": calls([call("m1"), call("m2")]).encode(),
    "sub/bad.csv": b"no,such,columns\n1,2,3\n",
    "tuesday.csv": calls([call("t1"), call("m2")]).encode(),
}
CLAIMS = "SELECT name, status, code FROM fact_claim WHERE kind = 'file' ORDER BY claim"


def write_tar(path: Path, mode: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, mode) as archive:
        for name, content in MEMBERS.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


@pytest.mark.parametrize("mode", ["w", "w:gz"])
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


def test_a_damaged_archive_is_one_file_and_quarantined(tmp_path: Path) -> None:
    data = write_catalog(tmp_path / "data")
    archive = write_tar(data / "spool" / "calls" / "week.tar", "w")
    archive.write_bytes(archive.read_bytes()[:1200])
    assert octroi("run", data).code == 5
    assert query(data, CLAIMS) == [{"name": "week.tar", "status": "quarantined", "code": "CORRUPT_ARCHIVE"}]
