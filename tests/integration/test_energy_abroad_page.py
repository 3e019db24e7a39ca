"""Both examples of docs/energy-abroad.md: their files are written down, their commands run in order, what they print compared."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from cli_octroi import octroi
from document_texts import agrees, consoles, named_files, write_files

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "energy-abroad.md").read_text()


def test_the_examples_print_what_the_page_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_files(named_files(PAGE), tmp_path)
    monkeypatch.chdir(tmp_path)
    for command in consoles(PAGE):
        told = octroi(*shlex.split(command.line)[1:]).ok()
        assert agrees(command.expected, told.out), f"$ {command.line}\n{told.out}"
