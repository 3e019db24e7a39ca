"""Every console in docs/invoices.md is run, on the invoice that it gives; it must print what it says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from cli_octroi import octroi
from document_texts import agrees, consoles

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "invoices.md").read_text()


def test_the_consoles_print_what_the_page_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (found,) = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "inv.json").write_text(found)
    commands = list(consoles(PAGE))
    assert len(commands) == 2
    for command in commands:
        told = octroi(*command.line.split()[1:]).ok()
        assert agrees(command.expected, told.out), told.out
