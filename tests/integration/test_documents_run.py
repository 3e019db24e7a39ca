"""Every console in README and docs/operations.md is run, in order, on the files that README gives; it must print what they say."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from document_texts import Command, agrees, consoles, named_files

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
OPERATIONS = (ROOT / "docs" / "operations.md").read_text()


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> dict[Command, subprocess.CompletedProcess[str]]:
    """What each command of both documents prints, started in an empty directory."""
    directory = tmp_path_factory.mktemp("tour")
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("OCTROI_DATA")},
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
        "COLUMNS": "160",
    }
    found = {}
    remaining = dict(named_files(README))
    text = README
    for command in [*consoles(README), *consoles(OPERATIONS)]:
        # a file is there once the reader has come to it
        before = text[: text.find(f"$ {command.line}\n")]
        for name in [name for name in remaining if f"`{name}`:\n" in before]:
            (directory / name).parent.mkdir(parents=True, exist_ok=True)
            (directory / name).write_text(remaining.pop(name))
        found[command] = subprocess.run(
            ["bash", "-c", command.line],
            cwd=directory,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=900,
        )
    return found


@pytest.mark.parametrize(
    "command",
    [*consoles(README), *consoles(OPERATIONS)],
    ids=lambda command: command.line[:60],
)
def test_a_console_prints_what_the_document_says(
    command: Command, printed: dict[Command, subprocess.CompletedProcess[str]]
) -> None:
    done = printed[command]
    assert done.returncode == 0, done.stderr
    assert agrees(command.expected, done.stdout), (
        f"$ {command.line}\n{done.stdout}\nis not what the document says:\n" + "\n".join(command.expected)
    )


@pytest.mark.parametrize(
    ("expected", "output", "same"),
    [
        (("a b",), " a   b \n ────\n", True),
        (("a b",), "a c\n", False),
        (("a …", "…", "z"), "a 1.2 s\n2\n3\nz\n", True),
        (("a", "…"), "a\n", True),
        (("a",), "a\nb\n", False),
        (("a", "b"), "a\n", False),
    ],
)
def test_the_comparison_sees_what_differs(expected: tuple[str, ...], output: str, same: bool) -> None:
    assert agrees(expected, output) is same
