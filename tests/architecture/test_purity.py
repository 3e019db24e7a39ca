"""Below apps nothing reads the clock, the environment or chance, and nothing logs or prints.

The list is ruff's `banned-api`; a `noqa` or a per-file exception silences ruff but not this test.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

BELOW_APPS = ("billing", "connectors", "pipelines", "rating", "schemas", "sinks")
KERNEL_LIBRARIES = {"__future__", "ctypes", "llvmlite", "numba", "numpy", "typing"}


def _imports(tree: ast.AST) -> Iterator[tuple[str, str, str, int]]:
    """Yield (local name, what it stands for, what is imported, line) of every absolute import."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for name in node.names:
                top = name.name.partition(".")[0]  # `import a.b` binds a
                yield name.asname or top, name.name if name.asname else top, name.name, node.lineno
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for name in node.names:
                meaning = f"{node.module}.{name.name}"
                yield name.asname or name.name, meaning, meaning, node.lineno


def _dotted(node: ast.AST, names: dict[str, str]) -> str | None:
    if isinstance(node, ast.Name):
        return names.get(node.id, node.id)
    if isinstance(node, ast.Attribute):
        owner = _dotted(node.value, names)
        return owner and f"{owner}.{node.attr}"
    return None


def _uses(source: str) -> Iterator[tuple[str, int]]:
    """Yield (dotted name, line) of everything that a module imports or reaches through an import."""
    tree = ast.parse(source)
    names = {}
    for local, meaning, imported, line in _imports(tree):
        names[local] = meaning
        yield imported, line
    for node in ast.walk(tree):
        if isinstance(node, ast.Name | ast.Attribute) and (dotted := _dotted(node, names)):
            yield dotted, node.lineno


def _breaches(source: str, banned: set[str]) -> set[tuple[int, str]]:
    return {
        (line, rule) for used, line in _uses(source) for rule in banned if used == rule or used.startswith(f"{rule}.")
    }


@pytest.fixture(scope="module")
def banned(project: dict[str, Any]) -> set[str]:
    """Return what only apps may use."""
    return {*project["tool"]["ruff"]["lint"]["flake8-tidy-imports"]["banned-api"], "print", "input"}


def test_the_list_names_the_world(banned: set[str]) -> None:
    assert {"time.time", "datetime.datetime.now", "os.environ", "os.getenv", "random", "logging"} <= banned


@pytest.mark.parametrize(
    "source",
    [
        "import time\ntime.time()",
        "import time as t\nt.time()",
        "from time import time as now\nnow()",
        "import datetime as dt\ndt.datetime.now()",
        "from datetime import datetime\ndatetime.now(tz=None)",
        "import os.path\nos.environ['HOME']",
        "from os import environ",
        "import numpy as np\nnp.random.default_rng()",
        "from random import choice",
        "import logging.handlers",
        "def f() -> None:\n    print(1)",
    ],
)
def test_a_breach_is_seen(source: str, banned: set[str]) -> None:
    assert _breaches(source, banned)


def test_nothing_below_apps_reads_the_world(tracked: list[Path], root: Path, banned: set[str]) -> None:
    found = [
        f"{path.relative_to(root)}:{line}: {rule}"
        for path in tracked
        if path.suffix == ".py" and path.relative_to(root).parts[0] in BELOW_APPS
        for line, rule in sorted(_breaches(path.read_text(), banned))
    ]
    assert found == []


def test_kernels_import_numpy_numba_and_other_kernels_only(tracked: list[Path], root: Path) -> None:
    kernels = [path for path in tracked if path.suffix == ".py" and path.parent.name == "kernels"]
    assert kernels
    found = [
        f"{path.relative_to(root)}:{line}: {imported}"
        for path in kernels
        for _, _, imported, line in _imports(ast.parse(path.read_text()))
        if imported.partition(".")[0] not in KERNEL_LIBRARIES and ".kernels." not in imported
    ]
    assert found == []
