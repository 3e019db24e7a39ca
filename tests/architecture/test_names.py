"""Several top-level packages in one distribution (ADR 0001): their names must stay ours."""

from __future__ import annotations

import sys
from importlib.metadata import packages_distributions
from importlib.util import find_spec
from pathlib import Path
from typing import Any


def test_no_other_distribution_provides_our_names(packages: list[str]) -> None:
    providers = packages_distributions()
    assert {name: set(providers.get(name, ())) - {"octroi"} for name in packages} == {name: set() for name in packages}


def test_no_standard_module_has_our_names(packages: list[str]) -> None:
    assert sys.stdlib_module_names.isdisjoint(packages)


def test_our_names_resolve_inside_the_repository(packages: list[str], root: Path) -> None:
    specs = {name: find_spec(name) for name in packages}
    assert {name: spec and spec.origin for name, spec in specs.items()} == {
        name: str(root / name / "__init__.py") for name in packages
    }


def test_every_package_is_known_to_every_tool(packages: list[str], project: dict[str, Any], root: Path) -> None:
    tool = project["tool"]
    assert sorted(path.parent.name for path in root.glob("*/__init__.py")) == packages
    assert tool["mypy"]["packages"] == packages
    assert tool["deptry"]["known_first_party"] == packages
    assert tool["importlinter"]["root_packages"] == [name for name in packages if name != "benchmarks"]


def test_every_folder_of_a_package_is_a_package(packages: list[str], tracked: list[Path], root: Path) -> None:
    folders = {path.parent for path in tracked if path.suffix == ".py" and path.relative_to(root).parts[0] in packages}
    assert sorted(folder for folder in folders if not (folder / "__init__.py").exists()) == []
