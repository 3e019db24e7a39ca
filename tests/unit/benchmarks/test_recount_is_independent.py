"""The recount can only disagree with the product when it shares no code with it."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import benchmarks.recount

ALLOWED = ("benchmarks.recount", "schemas.arrays", "numpy", "polars", "yaml")


def _imported(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module or "")
    return names


def test_the_recount_imports_nothing_of_the_product() -> None:
    modules = sorted(Path(benchmarks.recount.__file__).parent.glob("*.py"))
    assert len(modules) > 5
    for path in modules:
        others = {name for name in _imported(path) if name.partition(".")[0] not in sys.stdlib_module_names}
        assert [name for name in sorted(others) if not name.startswith(ALLOWED)] == [], path.name
