"""Sources that see the same usage have to know identities in the same way, and elapsed time has to be measurable."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli_calls import CATALOG
from session_calls import PARTS

from billing.catalog.models import Problem, UnableToLoadCatalog
from billing.catalog.store import load_catalog

START = CATALOG.index("kind: source")
ONE = CATALOG[START : CATALOG.index("---", START)]
TRUSTED, TOLERANT = "trusted: false\n", "identity_tolerance: PT5M\n"
ELAPSED = PARTS.replace("    sequence: number\n", "    quantity: elapsed\n").replace(", single: [S]", "").replace(
    "quantity: {field: seconds}", "quantity: {constant: 0}"
)  # fmt: skip


def _problems(directory: Path, text: str) -> list[Problem]:
    (directory / "catalog.yaml").write_text(text)
    try:
        load_catalog(directory)
    except UnableToLoadCatalog as error:
        return list(error.problems)
    return []


def _with_spaces(directory: Path, *sources: tuple[str, str, str]) -> list[Problem]:
    """Return what is wrong with sources: code, identity space or "", more lines."""
    texts = []
    for code, space, more in sources:
        named = f"identity_space: {space}\n" if space else ""
        texts.append(ONE.replace("code: calls\n", f"code: {code}\n{named}{more}"))
    return _problems(directory, CATALOG.replace(ONE, "---\n".join(texts)))


@pytest.mark.parametrize(
    "sources",
    [
        [("a", "both", ""), ("b", "both", "")],
        [("a", "both", TRUSTED + TOLERANT), ("b", "both", TOLERANT + TRUSTED)],
        [("a", "", TRUSTED), ("b", "", "")],
        [("a", "one", TRUSTED), ("b", "other", TOLERANT)],
    ],
)
def test_sources_of_a_space_that_agree_are_loaded(tmp_path: Path, sources: list[tuple[str, str, str]]) -> None:
    assert _with_spaces(tmp_path, *sources) == []


@pytest.mark.parametrize("sources", [[("a", "both", TRUSTED), ("b", "both", "")], [("a", "", ""), ("b", "a", TRUSTED)]])
def test_all_sources_of_a_space_are_trusted_or_none(tmp_path: Path, sources: list[tuple[str, str, str]]) -> None:
    (problem,) = _with_spaces(tmp_path, *sources)
    assert problem.field.endswith("trusted")
    space = sources[1][1]
    trusted = next(code for code, _, more in sources if not more)
    assert problem.message == (
        f'"a" and "b" share the identity space "{space}", but only "{trusted}" is trusted: they hash identities differently, '
        "and would not know each other's"
    )
    assert problem.fix == "write `trusted: false` in all sources of the space, or in none"


def test_all_sources_of_a_space_have_its_tolerance(tmp_path: Path) -> None:
    (problem,) = _with_spaces(tmp_path, ("a", "both", TOLERANT), ("b", "both", TOLERANT.replace("5M", "6M")))
    assert problem.field.endswith("identity_tolerance")
    assert "which of two records comes first would decide whether they match" in problem.message


def test_a_tolerance_is_no_longer_than_half_a_day_and_not_for_what_is_superseded(tmp_path: Path) -> None:
    (problem,) = _with_spaces(tmp_path, ("a", "", "identity_tolerance: PT13H\n"))
    assert problem.field.endswith("identity_tolerance")
    (problem,) = _with_spaces(tmp_path, ("a", "", TOLERANT + "on_same_key: supersede\n"))
    assert "is known by the day of its event time" in problem.message


def test_sound_elapsed_sessions_are_loaded(tmp_path: Path) -> None:
    assert _problems(tmp_path, ELAPSED) == []
    assembly = load_catalog(tmp_path).sources["parts"].mapping.assembly  # type: ignore[union-attr]
    assert assembly is not None
    assert (assembly.quantity, assembly.is_strict, assembly.late) == ("elapsed", True, "reject")


@pytest.mark.parametrize(
    ("old", "new", "field", "message"),
    [
        ("{constant: 0}", "{field: seconds}", "mapping.quantity", "what a part says of it would be lost"),
        ("{constant: 0}", "{constant: 1}", "mapping.quantity", "write `quantity: {constant: 0}`"),
        ("    quantity: elapsed\n", "    quantity: elapsed\n    sequence: number\n", "sequence", "does not depend on"),
        ("last: [L]", "last: [L], single: [S]", "part.single", "no time between its parts"),
        ("    quantity: elapsed\n", "    quantity: elapsed\n    late: separate\n", "late", "not how long it was"),
        ("unit: s}", "unit: B}", "assembly.quantity", 'elapsed time is no data, which the event type "voice" measures'),
        ("    quantity: elapsed\n", "    quantity: elapsed\n    open_max: 0\n", "open_max", "1"),
    ],
)
def test_elapsed_sessions_that_make_no_sense_are_refused(
    tmp_path: Path, old: str, new: str, field: str, message: str
) -> None:
    assert old in ELAPSED
    problems = _problems(tmp_path, ELAPSED.replace(old, new, 1))
    assert any(problem.field.endswith(field) and message in problem.message + problem.fix for problem in problems)
