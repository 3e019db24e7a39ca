"""Decisions and rooms are written down in one form."""

from __future__ import annotations

import re
from pathlib import Path

ADR_HEADINGS = ["Context", "Decision", "Consequence", "Enforced by"]
ROOM_WORDS = ["owns", "does not own", "invariants"]


def _adrs(root: Path) -> list[Path]:
    return sorted((root / "docs" / "adr").glob("[0-9]*.md"))


def test_decisions_are_numbered_without_a_gap(root: Path) -> None:
    names = [path.name for path in _adrs(root)]
    assert [name for name in names if not re.fullmatch(r"\d{4}-[a-z0-9-]+\.md", name)] == []
    assert [int(name[:4]) for name in names] == list(range(1, len(names) + 1))


def test_each_decision_has_the_four_headings(root: Path) -> None:
    for path in [*_adrs(root), root / "docs" / "adr" / "template.md"]:
        assert re.findall(r"^## (.+)$", path.read_text(), re.MULTILINE) == ADR_HEADINGS, path.name


def test_what_enforces_a_decision_exists(root: Path) -> None:
    for path in _adrs(root):
        enforced = path.read_text().partition("## Enforced by")[2]
        assert enforced.strip(), path.name
        for named in re.findall(r"`((?:tests|benchmarks)/[\w./-]+)`", enforced):
            assert (root / named).exists(), f"{path.name} names {named}"


def test_each_billing_room_says_what_it_owns(root: Path) -> None:
    rooms = [path.parent for path in (root / "billing").glob("*/__init__.py")]
    assert rooms
    for room in rooms:
        readme = room / "README.md"
        assert readme.exists(), room.name
        text = readme.read_text().lower()
        assert [word for word in ROOM_WORDS if word not in text] == [], room.name
