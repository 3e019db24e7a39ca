"""A data directory put together from several backups is noticed: nothing is counted twice, nothing goes missing."""

from __future__ import annotations

import json
import queue
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from apps.embedded.intake import Intake

CATALOG = """
{kind: event_type, code: voice, unit: s}
---
kind: source
code: calls
format: delimited
mapping: {identity: [id], access_point: caller, time: {field: at}, quantity: {field: seconds}, event_type: {constant: voice}}
---
kind: price_plan
code: voice
currency: EUR
versions: [{start: "2026-01-01T00:00:00Z", model: flat, per: "1 min", price: "0.60"}]
---
{kind: charge, code: voice, event_type: voice, price_plan: voice}
---
{kind: offer, code: mobile, charges: [voice]}
---
{kind: account, code: ana, currency: EUR}
---
{kind: subscription, code: ana-mobile, account: ana, offer: mobile, access_points: [{id: "1"}]}
"""
LATEST_CLAIM = 3  # the image, then two files


def _octroi(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from apps.cli import main; main()", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)


def _drop(data: Path, name: str, *identities: int) -> None:
    lines = [f"{identity},1,2026-10-05T09:00:00Z,60\n" for identity in identities]
    (data / "spool" / "calls" / name).write_text("id,caller,at,seconds\n" + "".join(lines))


def _total(data: Path) -> tuple[int, str]:
    sql = "SELECT count() AS items, toString(sum(amount)) AS amount FROM rated_item"
    (row,) = json.loads(_octroi("query", sql, "--data", data, "--json").stdout)
    return row["items"], row["amount"]


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory after two files: three calls of 0.60 EUR."""
    data = tmp_path_factory.mktemp("original") / "data"
    (data / "catalog").mkdir(parents=True)
    (data / "spool" / "calls").mkdir(parents=True)
    (data / "catalog" / "catalog.yaml").write_text(CATALOG)
    for name, identities in (("first.csv", [1, 2]), ("second.csv", [3])):
        _drop(data, name, *identities)
        done = _octroi("run", data)
        assert done.returncode == 0, done.stderr
    assert _total(data) == (3, "1.8")
    return data


@pytest.fixture
def data(original: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(original, tmp_path / "data", symlinks=True))


def test_a_lost_store_is_made_again_from_the_journal(data: Path) -> None:
    shutil.rmtree(data / "store")
    done = _octroi("run", data)
    assert done.returncode == 0
    assert "made again from the journal" in done.stderr
    assert _total(data) == (3, "1.8")
    assert _octroi("balance", "--data", data).returncode == 0


@pytest.mark.parametrize("kept", [("state", "store"), ("state",), ("store",)])
def test_a_journal_older_than_the_rest_is_refused(data: Path, kept: tuple[str, ...]) -> None:
    lines = (data / "journal.log").read_text().splitlines(keepends=True)
    assert len(lines) == LATEST_CLAIM
    (data / "journal.log").write_text("".join(lines[:-1]))
    for part in {"state", "store"} - set(kept):
        shutil.rmtree(data / part)
    _drop(data, "third.csv", 4)
    done = _octroi("run", data)
    assert done.returncode == 4
    assert f"ends with entry {LATEST_CLAIM - 1}, but entry {LATEST_CLAIM} was processed" in done.stderr
    assert "Traceback" not in done.stderr
    (data / "journal.log").write_text("".join(lines))
    assert _octroi("run", data).returncode == 0
    assert _total(data) == (4, "2.4")


@pytest.mark.parametrize(("content", "what"), [(None, "is gone"), ("not hexadecimal", "is damaged")])
def test_another_secret_is_refused(data: Path, content: str | None, what: str) -> None:
    before = (data / "secret").read_bytes()
    (data / "secret").unlink()
    if content is not None:
        (data / "secret").write_text(content)
    _drop(data, "again.csv", 1)
    done = _octroi("run", data)
    assert done.returncode == 4
    assert what in done.stderr
    (data / "secret").write_bytes(before)
    assert _octroi("run", data).returncode == 0
    assert _total(data) == (3, "1.8")


@pytest.mark.parametrize("journaled", [False, True])
def test_a_command_that_fails_after_its_entry_ends_the_owner(journaled: bool) -> None:
    journal = SimpleNamespace(next_claim=5)
    charging = SimpleNamespace(serve=lambda engine: None)
    engine: Any = SimpleNamespace(journal=journal, charging=charging)
    intake = Intake(engine, lambda report: None, threading.Event(), queue.Queue())

    def action(engine: Any) -> None:
        engine.journal.next_claim += journaled
        raise OSError("the disk is full")

    answered: Future[Any] = intake.submit(action)
    end: Callable[[], Any] = intake.run_commands
    if journaled:
        with pytest.raises(OSError, match="the disk is full"):
            end()
    else:
        end()
    assert isinstance(answered.exception(), OSError)
