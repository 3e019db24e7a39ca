"""Ctrl-C and SIGTERM: the file in hand is finished, the exit code is honest, and the next run completes exactly.

The file in hand is a pipe, so the run is in the middle for as long as the test likes.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from decimal import Decimal
from pathlib import Path
from typing import IO

import pytest
from cli_calls import call, calls, write_calls, write_catalog
from cli_octroi import TIMEOUT_S, balanced, octroi, query, running, until

CALLS = 5
TEXTS = [calls(call(f"{file}-{number}", 10) for number in range(CALLS)) for file in range(4)]
FINISHING = "octroi: finishing the file in hand; interrupt again to end at once, the next run continues\n"


def _writer(pipe: Path, process: subprocess.Popen[str]) -> int:
    """Open a pipe for writing as soon as the run has opened it for reading."""
    opened: list[int] = []

    def is_read() -> bool:
        assert process.poll() is None
        with suppress(OSError):  # nobody reads yet
            opened.append(os.open(pipe, os.O_WRONLY | os.O_NONBLOCK))
        return bool(opened)

    until(is_read, "the run to open the pipe")
    return opened[0]


@contextmanager
def _in_the_middle(directory: Path) -> Iterator[tuple[subprocess.Popen[str], IO[str], Path]]:
    """Yield a run that reads its second file, the pipe to write it, and the data directory."""
    data = write_catalog(directory / "data")
    names = [directory / f"{number}.csv" for number in range(3)]
    for name, text in zip(names, TEXTS, strict=False):
        name.write_text(text)
    names[1].unlink()
    os.mkfifo(names[1])
    spool = data / "spool" / "calls"
    spool.mkdir(parents=True)
    (spool / "3.csv").write_text(TEXTS[3])
    with running("run", data, *names, "--source", "calls", "--json") as process:
        with os.fdopen(_writer(names[1], process), "w") as pipe:
            pipe.write(TEXTS[1][:30])
            pipe.flush()
            yield process, pipe, data
        names[1].unlink()
        names[1].write_text(TEXTS[1])


def _interrupt(process: subprocess.Popen[str], by: signal.Signals) -> None:
    assert process.stderr is not None
    process.send_signal(by)
    assert process.stderr.readline() == FINISHING


def _assert_the_rest_is_done_exactly(data: Path, *, again: list[str]) -> None:
    octroi("run", data, *(data.parent / name for name in again), "--source", "calls").ok()
    (row,) = query(data, "SELECT count() AS n, sum(quantity_steps) AS ms, sum(amount) AS amount FROM rated_item")
    total = len(TEXTS) * CALLS
    assert (row["n"], row["ms"], Decimal(row["amount"])) == (total, total * 10_000, Decimal(total) / 10)
    records = balanced(data)["records"]
    assert [row["received"] for row in records] == [CALLS] * len(TEXTS)


@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM])
def test_the_file_in_hand_is_finished_and_the_rest_waits(tmp_path: Path, by: signal.Signals) -> None:
    with _in_the_middle(tmp_path) as (process, pipe, data):
        _interrupt(process, by)
        pipe.write(TEXTS[1][30:])
        pipe.close()
        out, err = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 130
    assert "octroi: interrupted: what was taken is finished; run again for the rest of the spool" in err
    assert '"interrupted": true' in out
    assert [row["file"] for row in balanced(data)["records"]] == ["0.csv", "1.csv"]
    assert (data / "spool" / "calls" / "3.csv").exists()
    _assert_the_rest_is_done_exactly(data, again=["2.csv"])


def test_ctrl_c_twice_ends_at_once_and_nothing_is_half_taken(tmp_path: Path) -> None:
    with _in_the_middle(tmp_path) as (process, _, data):
        _interrupt(process, signal.SIGINT)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=TIMEOUT_S)
    assert (process.returncode, out, err) == (130, "", "octroi: interrupted\n")
    _assert_the_rest_is_done_exactly(data, again=["1.csv", "2.csv"])
    assert [path.name for path in (data / "archive").iterdir() if path.name.startswith(".")] == []


def test_ctrl_c_while_following_ends_with_130_and_a_report(tmp_path: Path) -> None:
    data = write_catalog(tmp_path)
    with running("run", data, "--follow") as process:
        until(lambda: (data / "spool" / "calls").is_dir() or process.poll() is not None, "the spool")
        write_calls(data / "spool" / "calls" / ".calls.tmp", call(1)).rename(data / "spool" / "calls" / "calls.csv")
        until(lambda: list((data / "archive").glob("*.csv")) or process.poll() is not None, "the claim")
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 130
    assert "1 record, 1 rated item, 0.6 EUR" in out
    assert "Traceback" not in err
