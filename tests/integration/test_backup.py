"""Backups: of a directory that rests and of one that is worked in, restored, proven, and refused when they are damaged."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from cli_calls import ANA, BOB, CATALOG, STRANGER, WITH_STRANGER, call, write_calls, write_catalog
from cli_octroi import octroi, running, until
from kill_world import content

PREPAID = CATALOG.replace(
    "{kind: account, code: bob, currency: EUR}",
    '{kind: account, code: bob, currency: EUR, wallets: [{code: credit, type: prepaid, opening_balance: "50"}]}',
)


def _charge(data: Path, name: str, seconds: int) -> None:
    asked = ("--id", name, "-a", BOB, "-t", "voice", "-n", f"{seconds} s", "--at", "2026-10-05T13:00:00Z")
    octroi("charge", "event", *asked, "--data", data).ok()


@pytest.fixture(scope="module")
def worked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files, a refusal that was retried under another catalog, a back-out, a top-up, and usage charged online."""
    root = tmp_path_factory.mktemp("worked")
    data = write_catalog(root / "data", PREPAID)
    first = write_calls(root / "first.csv", call(1), call(2, 30, BOB), call(3, caller=STRANGER), call(1))
    octroi("ingest", first, "--source", "calls", "--data", data).ok()
    write_catalog(data, WITH_STRANGER.replace(CATALOG, PREPAID))
    octroi("rejects", "replay", "--all", "--data", data).ok()
    second = write_calls(root / "second.csv", call(4, 90), call(5, 10, BOB))
    octroi("ingest", second, "--source", "calls", "--data", data).ok()
    octroi("files", "back-out", "second.csv", "--reason", "sent too early", "--data", data).ok()
    octroi("wallet", "top-up", "bob", "-w", "credit", "-n", "7 EUR", "--id", "p1", "--data", data).ok()
    _charge(data, "c1", 60)
    return data


def test_a_directory_at_rest_is_restored_as_it_was_and_goes_on(worked: Path, tmp_path: Path) -> None:
    left = worked / ".scan-left"  # by a command that died while it wrote a result
    left.mkdir()
    (left / "result").write_bytes(b"much")
    told = octroi("backup", tmp_path / "backup", "--data", worked, "--json").ok().json
    shutil.rmtree(left)
    assert not (tmp_path / "backup" / ".scan-left").exists()
    assert told["store"]
    assert told["facts"]["fact_usage"] == content(worked).hashes["fact_usage"][0] - 1 > 5  # but for the open segment
    assert (tmp_path / "backup" / "secret").stat().st_mode & 0o777 == 0o600
    octroi("restore", tmp_path / "backup", "--check").ok()

    kept, again = tmp_path / "kept", tmp_path / "again"
    assert octroi("restore", tmp_path / "backup", "--data", kept, "--json").ok().json["right"]
    assert octroi("restore", tmp_path / "backup", "--data", again, "--again", "--json").ok().json["right"]
    assert content(kept) == content(again) == content(worked)

    later = write_calls(tmp_path / "later.csv", call(1), call(6, 20))
    for data in (kept, again):
        octroi("ingest", later, "--source", "calls", "--data", data).ok()
        _charge(data, "c1", 60)  # answered as before
        _charge(data, "c2", 10)
    assert content(kept).totals == content(again).totals != content(worked).totals


def test_while_octroi_runs_the_logs_are_of_one_moment(worked: Path, tmp_path: Path) -> None:
    data = shutil.copytree(worked, tmp_path / "data", symlinks=True)
    before = content(data)
    with running("run", data, "--follow") as process:
        until((data / "owner.sock").exists, "the owner")
        assert not octroi("backup", tmp_path / "b1", "--data", data, "--json").ok().json["store"]
        _charge(data, "c3", 30)
        octroi("ingest", write_calls(tmp_path / "x.csv", call(9)), "--source", "calls", "--data", data).ok()
        until(lambda: len(octroi("files", "list", "--data", data, "--json").ok().json) == 3, "the file")
        waiting = write_calls(data / "spool" / "nobody" / "y.csv", call(10))
        told = octroi("backup", tmp_path / "b2", "--base", tmp_path / "b1", "--data", data).ok()
        assert "1 file in the spool waited to be taken" in told.err
        process.terminate()
        process.wait(timeout=60)
    waiting.unlink()
    linked = sorted((tmp_path / "b1" / "archive").iterdir())
    assert linked
    assert all((tmp_path / "b2" / "archive" / path.name).samefile(path) for path in linked)

    earlier, later = tmp_path / "earlier", tmp_path / "later"
    octroi("restore", tmp_path / "b1", "--data", earlier).ok()
    octroi("restore", tmp_path / "b2", "--data", later).ok()
    assert content(earlier) == before
    assert content(later) == content(data) != before


Damage = Callable[[Path], object]


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def _told_otherwise(backup: Path) -> None:
    manifest = json.loads((backup / "backup.json").read_text())
    manifest["facts"]["fact_usage"]["hash"] ^= 1
    (backup / "backup.json").write_text(json.dumps(manifest))


@pytest.mark.parametrize(
    ("damage", "code", "words"),
    [
        pytest.param(lambda backup: _flip(next((backup / "archive").iterdir())), 4, "is damaged: archive/", id="flipped"),
        pytest.param(lambda backup: (backup / "secret").unlink(), 4, "is damaged: secret", id="gone"),
        pytest.param(lambda backup: (backup / "backup.json").unlink(), 4, "is no backup", id="unfinished"),
        pytest.param(lambda backup: (backup / "backup.json").write_text("{}"), 4, "damaged, or was written by a newer", id="manifest"),
        pytest.param(_told_otherwise, 1, "Facts that differ", id="other facts"),
    ],
)  # fmt: skip
def test_what_is_damaged_is_not_restored(worked: Path, tmp_path: Path, damage: Damage, code: int, words: str) -> None:
    octroi("backup", tmp_path / "backup", "--data", worked).ok()
    damage(tmp_path / "backup")
    told = octroi("restore", tmp_path / "backup", "--data", tmp_path / "data")
    assert told.code == code
    assert words in told.err + told.out
    assert sorted(path.name for path in tmp_path.iterdir()) == ["backup", *(["data"] if code == 1 else [])]


def test_nothing_is_ever_replaced(worked: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    octroi("backup", tmp_path / "backup", "--data", worked).ok()
    again = octroi("backup", tmp_path / "backup", "--data", worked)
    assert (again.code, "is not empty" in again.err) == (4, True)
    inside = octroi("backup", worked / "spool" / "backup", "--data", worked)
    assert (inside.code, "lies in the data directory itself" in inside.err) == (4, True)
    onto = octroi("restore", tmp_path / "backup", "--data", worked)
    assert (onto.code, "is not empty" in onto.err) == (4, True)
    monkeypatch.setenv("OCTROI_TENANT", "other")
    other = octroi("restore", tmp_path / "backup", "--data", tmp_path / "data")
    assert (other.code, "is of tenant 'main'" in other.err) == (3, True)
    assert ANA not in other.err
