"""Every tariff and bill of docs/rating-examples.md: its files are written down, its commands run, what they print compared."""

from __future__ import annotations

import csv
import io
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_octroi import balanced, octroi
from document_texts import Command, agrees, consoles, named_files, write_files

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "rating-examples.md").read_text()
COMMANDS = [command for command in consoles(PAGE) if command.line.startswith("octroi rate ")]
STORED = [command for command in consoles(PAGE) if command not in COMMANDS]
"""Those of data directories, one after another."""


@pytest.fixture(scope="module")
def tariffs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    directory = tmp_path_factory.mktemp("tariffs")
    write_files(named_files(PAGE), directory)
    sys.path.insert(0, str(directory / "site"))  # where the plug-in of the page is installed
    yield directory
    sys.path.remove(str(directory / "site"))


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.line.partition("--usage ")[2])
def test_the_bill_is_what_the_page_prints_and_the_twin_agrees(
    command: Command, tariffs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tariffs)
    told = octroi(*shlex.split(command.line)[1:], "--check").ok()
    assert agrees(command.expected, told.out), f"$ {command.line}\n{told.out}"


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.line.partition("--usage ")[2])
def test_arrays_tell_what_the_twin_tells(command: Command, tariffs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tariffs)
    words = [*shlex.split(command.line)[1:], "--out", "csv"]
    fast, slow = (list(csv.DictReader(io.StringIO(octroi(*words, *more).ok().out))) for more in ((), ("--detail",)))
    assert len(fast) == len(slow) > 0
    for one, other in zip(fast, slow, strict=True):
        for name, value in one.items():
            if value or name in ("amount", "reason", "status"):
                assert value == other[name], (name, one, other)


def test_what_is_charged_in_a_data_directory_is_what_the_page_prints(
    tariffs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tariffs)
    assert len(STORED) > 0
    for command in STORED:
        told = octroi(*shlex.split(command.line)[1:]).ok()
        assert agrees(command.expected, told.out), f"$ {command.line}\n{told.out}"
    balanced(tariffs / "shop")


def test_each_model_of_the_catalog_has_an_example() -> None:
    from typing import get_args

    from schemas.price_plan import Crossing, PriceModel

    tariffs = "".join(named_files(PAGE).values())
    assert [model for model in get_args(PriceModel) if f"model: {model}" not in tariffs] == []
    assert [rule for rule in get_args(Crossing) if f"crossing: {rule}" not in tariffs] == []
    fees = ("recurring_charge", "product_charge", "purchase", "minimum_charge", "overage_factor")
    assert [kind for kind in fees if kind not in tariffs] == []
