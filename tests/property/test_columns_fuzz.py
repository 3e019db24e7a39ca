"""Damaged Arrow and Parquet files are decoded or refused: no other failure, no crash, bounded memory. In a child process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SUPPORT = Path(__file__).resolve().parents[1] / "support"
ROOT = SUPPORT.parents[1]


def _fuzz(count: int, seed: int, timeout_s: float) -> tuple[int, int]:
    paths = os.pathsep.join([str(ROOT), str(SUPPORT)])
    done = subprocess.run(
        [sys.executable, str(SUPPORT / "columns_fuzz_child.py"), str(count), str(seed)],
        env=os.environ | {"PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout_s,
    )
    assert done.returncode == 0, f"{done.returncode}: {done.stderr[-3000:]}"
    tried, refused = map(int, done.stdout.split())
    return tried, refused


def test_damaged_files_are_refused_or_decoded() -> None:
    tried, refused = _fuzz(600, 1, 500)
    assert (tried, 0 < refused < tried) == (600, True)


@pytest.mark.soak
@pytest.mark.parametrize("part", range(10))
def test_many_damaged_files_are_refused_or_decoded(part: int) -> None:
    assert _fuzz(20_000, 100 + part, 3000)[0] == 20_000
