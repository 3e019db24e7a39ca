"""What the architecture tests look at: the repository, its settings, its tracked files."""

from __future__ import annotations

import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository."""
    return ROOT


@pytest.fixture(scope="session")
def project() -> dict[str, Any]:
    """pyproject.toml."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


@pytest.fixture(scope="session")
def packages(project: dict[str, Any]) -> list[str]:
    """Our top-level packages, as the wheel lists them."""
    listed: list[str] = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    return listed


@pytest.fixture(scope="session")
def tracked() -> list[Path]:
    """Every file that is committed (or staged), and still there."""
    # CI may check out as one user and test as another, which git refuses by default
    command = ["git", "-c", "safe.directory=*", "ls-files", "-z"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout
    found = [ROOT / name for name in listed.decode().split("\0") if name]
    return [path for path in found if path.is_file() and not path.is_symlink()]
