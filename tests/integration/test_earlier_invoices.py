"""Invoices that earlier revisions issued are replayed, documented, credited and followed; see support/earlier_invoices.py."""

from __future__ import annotations

import json
import tarfile
from decimal import Decimal
from pathlib import Path

import pytest
from cli_octroi import balanced, octroi, query
from earlier_invoices import EARLIER, facts

NAMES = sorted(path.name.removesuffix(".tar.xz") for path in EARLIER.glob("*.tar.xz"))
MINUTE_US = 60_000_000


def test_there_is_one() -> None:
    assert NAMES


@pytest.mark.parametrize("name", NAMES)
def test_invoices_of_an_earlier_revision_are_continued(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OCTROI_DEDUP_WINDOW_DAYS", "unlimited")
    with tarfile.open(EARLIER / f"{name}.tar.xz") as packed:
        packed.extractall(tmp_path, filter="data")
    data, expected = tmp_path / name / "data", json.loads((tmp_path / name / "expected.json").read_text())
    monkeypatch.setattr("apps.embedded.access.now_us", lambda at=expected["at"]: at + MINUTE_US)
    octroi("run", data).ok()
    assert facts(data) == expected["facts"]
    octroi("bill", "document", "oct", "--out", tmp_path / "documents", "--format", "json", "--data", data).ok()
    credited = ("bill", "credit", "INV-2026-11-0001", "--reason", "dispute", "--date", "2026-11-20", "--data", data)
    again = octroi(*credited, "--line", "1=0.11", "--json").ok().json
    assert (again["credit_note"], again["already"]) == ("CN-2026-000001", True)
    rest = octroi(*credited, "--json").ok().json
    assert (rest["credit_note"], Decimal(rest["left"])) == ("CN-2026-000002", 0)
    octroi("bill", "run", "validate", "late", "--data", data).ok()
    assert query(data, "SELECT invoice, account FROM invoice WHERE run = 'late'") == [
        {"invoice": "INV-2026-11-0004", "account": "dan"}
    ]
    balanced(data)
