"""What is committed works on any machine, and stays readable."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

LINES_MAX = 500
"""A longer file holds more than one idea; aim at 300."""

# written so that this file does not match itself
MACHINE_PATH = re.compile(
    rf"(?:^|[^a-z])/(?:{'|'.join(('work', 'farm', 'root', 'home', 'Users', 'workspace', 'opt/wheels'))})/"
)
REGISTRY = re.compile(
    r"\bpypi\.org|pythonhosted\.org|registry\.npmjs|repo\.anaconda|(?<!no-emit-)(?:extra-)?(?:index[-]url|find[-]links)"
)


def _mentions(pattern: re.Pattern[str], files: Iterable[Path], root: Path) -> list[str]:
    return [
        f"{path.relative_to(root)}:{number}: {line.strip()[:120]}"
        for path in files
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1)
        if pattern.search(line)
    ]


def test_no_tracked_file_names_a_path_of_one_machine(tracked: list[Path], root: Path) -> None:
    assert _mentions(MACHINE_PATH, tracked, root) == []


def test_no_tracked_file_names_a_package_registry(tracked: list[Path], root: Path) -> None:
    assert _mentions(REGISTRY, tracked, root) == []


def test_the_patterns_find_what_they_are_for() -> None:
    assert MACHINE_PATH.search("see " + "/home" + "/ana/octroi")
    assert MACHINE_PATH.search("'" + "/root" + "/.cache'")
    assert MACHINE_PATH.search("file:/" + "/farm" + "/wheels")
    assert not MACHINE_PATH.search("the /homepage of docs/home/")
    assert REGISTRY.search("--extra-index" + "-url somewhere")
    assert not REGISTRY.search("--no-emit-index-url")


def test_no_python_file_is_too_long(tracked: list[Path], root: Path) -> None:
    lengths = {str(p.relative_to(root)): len(p.read_text().splitlines()) for p in tracked if p.suffix == ".py"}
    assert {name: lines for name, lines in lengths.items() if lines > LINES_MAX} == {}


def test_the_lock_pins_every_package_by_hash_and_names_no_address(root: Path) -> None:
    lock = (root / "requirements.lock").read_text()
    entries = re.split(r"\n(?=\S)", lock.replace("\\\n", " ").strip())
    assert len(entries) > 50
    assert [e for e in entries if not re.match(r"[a-z0-9][a-z0-9.-]*==\S+ .*--hash=sha256:[0-9a-f]{64}", e)] == []
    assert not re.search(r"://|@ |file:|^-", lock, re.MULTILINE)
