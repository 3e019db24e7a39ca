"""Bad documents: what is changed in a good catalog, and the problem that has to be told of it."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest
from catalog_texts import CATALOG, line_of, write_catalog

from billing.catalog.models import UnableToLoadCatalog
from billing.catalog.store import load_catalog

P, A, E, S, T = "plans.yaml", "parties.yaml", "energy/energy.yml", "sources.yaml", "tables/subscribers.csv"


class Case(NamedTuple):
    """In `file`, `old` becomes `new`; then the line that has `at` has a problem of `field`, with `fix` in its fix."""

    file: str
    old: str
    new: str
    at: str
    field: str
    message: str
    fix: str


def assert_told(case: Case, directory: Path) -> None:
    """Load the catalog with the case's change and look for its problem."""
    text = CATALOG[case.file]
    assert text.count(case.old) == 1, "the case must change one place"
    text = text.replace(case.old, case.new)
    write_catalog(directory, {**CATALOG, case.file: text})
    with pytest.raises(UnableToLoadCatalog) as caught:
        load_catalog(directory)
    place = ((directory / case.file).as_posix(), line_of(text, case.at))
    found = [problem for problem in caught.value.problems if (problem.file, problem.line) == place]
    matching = [p for p in found if p.field == case.field and case.message in p.message and case.fix in p.fix]
    assert matching, caught.value
    assert len(caught.value.problems) <= 2, "one mistake is told once, or twice where two documents disagree"
    assert all(problem.message and problem.fix for problem in caught.value.problems)
