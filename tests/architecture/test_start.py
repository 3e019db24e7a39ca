"""`octroi --help` answers at once: what takes long to import is imported by the commands that need it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {
    "chdb",
    "clickhouse_connect",
    "fastapi",
    "llvmlite",
    "numba",
    "numpy",
    "polars",
    "pyarrow",
    "starlette",
    "uvicorn",
}

_PROBE = """
import json, sys
sys.argv = ["octroi", *sys.argv[1:]]
from apps.cli import main
try:
    main()
    status = 0
except SystemExit as end:
    status = end.code or 0
print(json.dumps({"status": status, "loaded": sorted({name.partition(".")[0] for name in sys.modules})}), file=sys.stderr)
"""


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["run", "--help"], ["serve", "--help"], ["rejects", "--help"], ["sources", "--help"], ["version"]],
)
def test_help_and_version_load_nothing_heavy(arguments: list[str], root: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", _PROBE, *arguments], cwd=root, capture_output=True, text=True, check=True, timeout=60
    )
    told = json.loads(ran.stderr.splitlines()[-1])
    assert told["status"] == 0
    assert HEAVY.intersection(told["loaded"]) == set()
    assert ran.stdout.strip()


def test_the_installed_command_helps() -> None:
    command = Path(sys.executable).with_name("octroi")
    assert command.exists(), "octroi is not installed in this environment: run `make setup`"
    ran = subprocess.run([command, "--help"], capture_output=True, text=True, check=False, timeout=60)
    assert ran.returncode == 0
    assert "Usage: octroi" in ran.stdout
    assert {"run", "ingest", "sources", "rejects", "balance", "query", "explain", "demo", "bench"} <= set(
        ran.stdout.split()
    )
