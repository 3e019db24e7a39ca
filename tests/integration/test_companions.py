"""What was refused of a file, beside it; and what an activation makes good by itself."""

from __future__ import annotations

import shutil
from decimal import Decimal
from pathlib import Path

import pytest
from cli_calls import CATALOG, STRANGER, WITH_STRANGER, call, write_calls, write_catalog
from cli_octroi import balanced, octroi, query

from apps.embedded.companion import write_companion
from apps.embedded.ports import NoStore

BROKEN, UNCLEAN = '"a\nb",1,2', "5,\x01,x,1"
NIGHT = "2025-12-31T23:00:00Z"


def _out(data: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((data / "out").iterdir())}


def test_a_file_gets_a_companion_with_what_was_refused_of_it(tmp_path: Path) -> None:
    data = write_catalog(tmp_path / "data")
    good = write_calls(tmp_path / "good.csv", call(0), call(1, at=NIGHT))
    bad = write_calls(tmp_path / "bad.csv", call(2, "sixty"), call(3), call(4, caller=STRANGER), BROKEN, UNCLEAN)
    octroi("ingest", good, bad, "--source", "calls", "--data", data).ok()
    # an unrated EDR is no refused record: its record was accepted
    (name,) = _out(data)
    assert name.endswith("~calls~bad.csv.rejected")
    assert name.startswith("0000000003~")
    assert _out(data)[name].decode().splitlines() == [
        f"{call(2, 'sixty')}\tINVALID_QUANTITY\tseconds is 'sixty'",
        f"{call(4, caller=STRANGER)}\tUNKNOWN_ACCESS_POINT\tno access point has this identifier",
        f"hex:{BROKEN.encode().hex()}\tFIELD_COUNT\t3 fields instead of 4",
        f"hex:{UNCLEAN.encode().hex()}\tINVALID_TIMESTAMP\tat is 'x'",
    ]
    assert not [path.name for path in (data / "out").iterdir() if path.name.startswith(".")]
    before = _out(data)
    for lost in ("out", "store", "state"):
        shutil.rmtree(data / lost)
    octroi("run", data).ok()
    assert _out(data) == before
    balanced(data)


def test_records_of_other_formats_are_hexadecimal(tmp_path: Path) -> None:
    class Held(NoStore):
        def query(self, sql: str, parameters: object = None) -> object:  # type: ignore[override]
            rows = [
                {"record": 3, "reason": 4, "detail": "tag\t9", "raw": b"\x30\x80", "raw_truncated": True},
                {"record": 4, "reason": 4, "detail": "", "raw": "abc", "raw_truncated": False},
            ]
            return type("Table", (), {"to_pylist": lambda self: rows})()

    path = tmp_path / "x.rejected"
    assert write_companion(Held(), path, 1, "ts32298") == 2
    assert path.read_bytes() == (
        b"hex:3080\tMALFORMED_RECORD\ttag 9 (the record's first 2 bytes)\nhex:616263\tMALFORMED_RECORD\t\n"
    )
    assert write_companion(NoStore(), tmp_path / "none", 1, "delimited") == 0
    assert not (tmp_path / "none").exists()


@pytest.fixture(scope="module")
def refused(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("late")
    data = write_catalog(directory / "data")
    first = write_calls(directory / "first.csv", call(0), call(1, caller=STRANGER), call(2, caller="33600000009"))
    second = write_calls(directory / "second.csv", call(3, caller=STRANGER), call(4, caller=STRANGER), call(5, "x"))
    octroi("ingest", first, second, "--source", "calls", "--data", data).ok()
    octroi("rejects", "discard", "3-1", "--reason", "fraud", "--data", data).ok()
    return data


def _statuses(data: Path) -> dict[str, str]:
    rows = query(data, "SELECT claim, record, status FROM rejection ORDER BY claim, record")
    return {f"{row['claim']}-{row['record']}": row["status"] for row in rows}


def test_a_late_activation_heals_what_was_refused_before_it(refused: Path, tmp_path: Path) -> None:
    data = shutil.copytree(refused, tmp_path / "data", symlinks=True)
    write_catalog(data, WITH_STRANGER)
    octroi("run", data).ok()
    found = _statuses(data)
    assert found == {"2-1": "REPLAYED", "2-2": "OPEN", "3-0": "REPLAYED", "3-1": "DISCARDED", "3-2": "OPEN"}
    (eve,) = query(data, "SELECT sum(amount) AS amount FROM rated_item WHERE account = 'eve'")
    assert Decimal(eve["amount"]) == Decimal("1.2")
    balanced(data)
    entries = (data / "journal.log").read_bytes().count(b"\n")
    octroi("run", data).ok()  # once for each activation: nothing is tried again
    assert (data / "journal.log").read_bytes().count(b"\n") == entries
    # made again from the log, it is the same, whatever the setting says now
    shutil.rmtree(data / "store")
    shutil.rmtree(data / "state")
    octroi("run", data).ok()
    assert _statuses(data) == found
    balanced(data)


def test_what_is_refused_again_waits_for_the_next_activation(refused: Path, tmp_path: Path) -> None:
    data = shutil.copytree(refused, tmp_path / "data", symlinks=True)
    # somebody owns the number, but not at that time
    later = 'access_points: [{id: "33600000003", start: "2026-11-01T00:00:00Z"}]'
    write_catalog(data, WITH_STRANGER.replace('access_points: [{id: "33600000003"}]', later))
    octroi("run", data).ok()
    assert _statuses(data)["2-1"] == "OPEN"
    write_catalog(data, WITH_STRANGER)
    octroi("run", data).ok()
    assert _statuses(data)["2-1"] == "REPLAYED"
    assert CATALOG.splitlines()[0] in (data / "catalog" / "catalog.yaml").read_text()


def test_healing_can_be_switched_off(refused: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = shutil.copytree(refused, tmp_path / "data", symlinks=True)
    write_catalog(data, WITH_STRANGER)
    monkeypatch.setenv("OCTROI_HEAL_ON_ACTIVATION", "false")
    octroi("run", data).ok()
    assert set(_statuses(data).values()) == {"OPEN", "DISCARDED"}
