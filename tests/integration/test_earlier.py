"""Data directories that earlier revisions wrote are read, replayed and continued by this one; see support/earlier.py."""

from __future__ import annotations

import json
import shutil
import tarfile
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from charging_twin import OPENING
from cli_octroi import balanced, octroi, query
from earlier import CHARGED, EARLIER, calls, charge, facts, parts
from session_calls import part

NAMES = sorted(path.name.removesuffix(".tar.xz") for path in EARLIER.glob("*.tar.xz"))
MINUTE_US = 60_000_000


def _unpacked(name: str, directory: Path) -> tuple[Path, dict[str, Any]]:
    with tarfile.open(EARLIER / f"{name}.tar.xz") as packed:
        packed.extractall(directory, filter="data")
    return directory / name / "data", json.loads((directory / name / "expected.json").read_text())


def _continued(data: Path, expected: dict[str, Any]) -> dict[str, Any]:
    """Go on where an earlier revision ended; return what there is then."""
    octroi("run", data).ok()
    balanced(data)
    assert facts(data) == expected["facts"]
    last = calls(data.parent / "last.csv", 100, 5)
    assert octroi("run", data, last, "--source", "calls", "--json").ok().json["totals"]["duplicate"] == 5
    answered = {one["id"]: one for one in expected["answers"]}
    again, confirmed = charge(data, CHARGED, {"kind": "confirm", "id": "last", "of": "held", "quantity": "1 event"})
    assert again == answered["charged"]
    assert (confirmed["code"], confirmed["amount"]) == ("DONE", "2")  # by the catalog of now
    parts(data / "spool" / "parts" / "2.csv", part(1, 2, "L", 2, "2"))
    octroi("run", data).ok()
    (edr,) = query(data, "SELECT toString(quantity) AS quantity FROM edr WHERE claim = (SELECT max(claim) FROM edr)")
    assert edr["quantity"] == "3"
    octroi("files", "back-out", "first.csv", "--reason", "all of it was wrong", "--data", data).ok()
    period = ("--from", "2026-05-01T00:00:00Z", "--to", "2026-06-01T00:00:00Z", "--data", data)
    octroi("rerate", *period, "--reason", "settle").ok()
    assert octroi("rerate", *period, "--reason", "settle", "--preview", "--json").ok().json["changed"] == 0
    balanced(data)
    (sums,) = query(
        data,
        "SELECT toString((SELECT sum(amount) FROM rated_item)) AS rated, (SELECT toString(sum(balance)) FROM account_balance) AS left",
    )
    wallets = {f"{row['account']}/{row['wallet']}" for row in expected["facts"]["wallets"]}
    opening = sum(Decimal(balance) for wallet, balance in OPENING.items() if wallet in wallets)
    assert opening - Decimal(sums["rated"]) == Decimal(sums["left"])
    return facts(data)


@pytest.mark.parametrize("name", NAMES)
def test_a_data_directory_of_an_earlier_revision_is_continued(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OCTROI_DEDUP_WINDOW_DAYS", "unlimited")
    ends = []
    for lost in ((), ("state", "store")):
        data, expected = _unpacked(name, tmp_path / "-".join(("lost", *lost)))
        for part_of_it in lost:
            shutil.rmtree(data / part_of_it)
        monkeypatch.setattr("apps.embedded.access.now_us", lambda at=expected["at"]: at + MINUTE_US)
        ends.append(_continued(data, expected))
    assert all(end == ends[0] for end in ends)
