"""The command line as its callers know it: what it printed, and the exit code.

`octroi` runs a command in this process, which is cheap; `octroi_process` in a process of its own, where exit codes, signals
and what stderr shows are the real ones. Both fail when a traceback is shown.
"""

from __future__ import annotations

import functools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from typer.main import get_command
from typer.testing import CliRunner

from apps.cli.main import app

ROOT = Path(__file__).resolve().parents[2]
COMMAND = (sys.executable, "-m", "apps.cli")
TIMEOUT_S = 300


@dataclass(frozen=True)
class Told:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one JSON document on stdout."""
        return json.loads(self.out)

    def ok(self) -> Told:
        """Expect success."""
        assert self.code == 0, self
        return self


def _checked(code: int, out: str, err: str) -> Told:
    assert "Traceback" not in err + out, err
    # said or not, as kernels happen to be cached
    lines = [line for line in err.splitlines(keepends=True) if not line.startswith("octroi: compiling kernels")]
    return Told(code, out, "".join(lines))


@functools.cache
def _command() -> Any:
    return get_command(app)


def octroi(*arguments: object) -> Told:
    """Run a command in this process."""
    with mock.patch("typer.testing._get_command", return_value=_command()):  # else it is built again, in 30 ms
        result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return _checked(result.exit_code, result.stdout, result.stderr)


def environment(**extra: str) -> dict[str, str]:
    """Return an environment without settings of ours but a window that never ends: usage of tests is old. Plus `extra`."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("OCTROI_") or name == "OCTROI_CACHE_DIR"
    }
    return kept | {"PYTHONPATH": str(ROOT), "OCTROI_DEDUP_WINDOW_DAYS": "unlimited"} | extra


def octroi_process(*arguments: object, cwd: Path | None = None, **extra: str) -> Told:
    """Run a command in a process of its own, with `extra` in its environment."""
    done = subprocess.run(
        [*COMMAND, *map(str, arguments)],
        cwd=cwd,
        env=environment(**extra),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        timeout=TIMEOUT_S,
    )
    return _checked(done.returncode, done.stdout.decode(), done.stderr.decode())


def until(condition: Callable[[], object], what: str, timeout_s: float = 120.0) -> None:
    """Wait until something is so."""
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, f"waited {timeout_s} s for {what}"
        time.sleep(0.02)


@contextmanager
def running(*arguments: object, **extra: str) -> Iterator[subprocess.Popen[str]]:
    """Yield a command that runs; what is left of it is killed at the end."""
    process = subprocess.Popen(
        [*COMMAND, *map(str, arguments)],
        env=environment(**extra),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate(timeout=60)


def end(process: subprocess.Popen[str], by: signal.Signals) -> Told:
    """Send a signal to a running command and return what it printed until it ended."""
    process.send_signal(by)
    out, err = process.communicate(timeout=TIMEOUT_S)
    return _checked(process.returncode, out, err)


def balanced(data: Path) -> dict[str, Any]:
    """Return both balance sheets as `octroi balance` shows them, after checking that they close."""
    told = octroi("balance", "--data", data, "--json")
    sheets: dict[str, Any] = told.json
    assert (told.code, sheets["balanced"], sheets["differences"]) == (0, True, [])
    for row in sheets["records"]:
        outcomes = ("accepted", "absorbed", "duplicate", "superseded", "filtered", "rejected", "parked")
        assert row["received"] == sum(row[outcome] for outcome in outcomes)
    for row in sheets["edrs"]:
        assert row["edrs"] == row["rated"] + row["unrated"] + row["cancelled"]
    return sheets


def query(data: Path, sql: str) -> list[dict[str, Any]]:
    """Return the rows of a query."""
    rows: list[dict[str, Any]] = octroi("query", sql, "--data", data, "--json").ok().json
    return rows
