"""The store in processes of its own: killed at any moment, and on a full disk."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sinks.clickhouse.store import Store

ROOT = Path(__file__).resolve().parents[2]
CHILD = ROOT / "tests" / "support" / "store_child.py"
BLOCKS = 30


def _start(directory: Path, mode: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(CHILD), str(directory), str(BLOCKS), mode],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _run(directory: Path, mode: str) -> str:
    process = _start(directory, mode)
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    return output


def _content(directory: Path) -> list[dict[str, object]]:
    """Everything stored, summed, and nothing out of balance."""
    store = Store.open(directory)
    try:
        assert store.balance_check() == []
        sql = """
            SELECT 'usage' AS t, count() AS n, uniqExact(claim, record) AS u, sum(cityHash64(*)) AS h FROM fact_usage
            UNION ALL SELECT 'operation', count(), uniqExact(claim, record, part), sum(cityHash64(*))
            FROM fact_wallet_operation
            UNION ALL SELECT 'rejection', count(), uniqExact(claim, record), sum(cityHash64(*)) FROM fact_rejection
            UNION ALL SELECT 'block', count(), uniqExact(claim, block), sum(cityHash64(*)) FROM fact_block"""
        return store.query(f"SELECT * FROM ({sql}) ORDER BY t").to_pylist()
    finally:
        store.close()


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, object]]:
    """What one undisturbed process stores."""
    directory = tmp_path_factory.mktemp("undisturbed") / "store"
    assert _run(directory, "write").endswith("stored\n")
    content = _content(directory)
    assert [row["n"] for row in content if row["t"] == "block"] == [BLOCKS]
    return content


def test_killed_at_random_moments(tmp_path: Path, undisturbed: list[dict[str, object]]) -> None:
    chance = random.Random(2)
    kills = 0
    for _ in range(6):
        process = _start(tmp_path / "store", "write")
        assert process.stdout is not None
        process.stdout.readline()  # open: killed while storing, not while importing
        time.sleep(chance.uniform(0, 0.12))
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=60)
        kills += process.returncode == -signal.SIGKILL
    assert kills > 0
    assert _run(tmp_path / "store", "write").endswith("stored\n")
    assert _content(tmp_path / "store") == undisturbed


def test_a_full_disk_is_a_transient_failure_and_the_retry_is_exact(
    tmp_path: Path, undisturbed: list[dict[str, object]]
) -> None:
    lines = _run(tmp_path / "store", "full").splitlines()
    assert lines[0].startswith("refused transient cannot store")
    assert lines[-1] == "stored"
    assert _content(tmp_path / "store") == undisturbed
