"""Bad files and directories, and YAML that is meant to hurt."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from catalog_texts import CATALOG, write_catalog
from hypothesis import given
from hypothesis import strategies as st

from billing.catalog import files
from billing.catalog.models import PROBLEMS_MAX, Problem, Problems, UnableToLoadCatalog
from billing.catalog.store import load_catalog
from billing.catalog.yaml_text import DEPTH_MAX, read_nodes


def problems_of(directory: Path) -> tuple[Problem, ...]:
    with pytest.raises(UnableToLoadCatalog) as caught:
        load_catalog(directory)
    return caught.value.problems


def the_problem(directory: Path) -> Problem:
    (problem,) = problems_of(directory)
    return problem


def test_empty_directory(tmp_path: Path) -> None:
    problem = the_problem(tmp_path)
    assert (problem.file, problem.line) == (tmp_path.as_posix(), 0)
    assert "nothing to sell" in problem.message
    assert "kind: offer" in problem.fix


@pytest.mark.parametrize("text", ["", "# only a comment\n", "---\n---\n", "{kind: event_type, code: a, unit: s}"])
def test_no_offer(text: str, tmp_path: Path) -> None:
    assert "nothing to sell" in the_problem(write_catalog(tmp_path, {"x.yaml": text})).message


def test_absent_directory(tmp_path: Path) -> None:
    problem = the_problem(tmp_path / "absent")
    assert problem.file == (tmp_path / "absent").as_posix()
    assert "No such file or directory" in problem.message


def test_a_file_instead_of_a_directory(tmp_path: Path) -> None:
    write_catalog(tmp_path, {"file": "x"})
    assert "Not a directory" in the_problem(tmp_path / "file").message


def test_unreadable_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The administrator, under whom tests may run, reads everything: the refusal is simulated."""
    write_catalog(tmp_path, CATALOG)
    real = os.scandir

    def refusing(path: str | os.PathLike[str]) -> object:
        if Path(path).name == "energy":
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", refusing)
    problem = the_problem(tmp_path)
    assert (problem.file, problem.line) == ((tmp_path / "energy").as_posix(), 0)
    assert "Permission denied" in problem.message
    assert "permissions" in problem.fix


def test_unreadable_file(tmp_path: Path) -> None:
    (write_catalog(tmp_path, CATALOG) / "link.yaml").symlink_to("nowhere.yaml")
    problem = the_problem(tmp_path)
    assert problem.file == (tmp_path / "link.yaml").as_posix()
    assert "No such file" in problem.message


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(write_catalog(tmp_path, CATALOG) / "pipe.yaml")
    assert "not a regular file" in the_problem(tmp_path).message


def test_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "YAML_BYTES_MAX", 1 << 20)
    text = "# " + "x" * (1 << 20)
    problem = the_problem(write_catalog(tmp_path, {**CATALOG, "big.yaml": text}))
    assert "larger than 1 MiB" in problem.message
    assert "subscription_table" in problem.fix


def test_table_behind_a_link_out_of_the_catalog(tmp_path: Path) -> None:
    outside = write_catalog(tmp_path / "outside", {"x.csv": "x"}) / "x.csv"
    directory = write_catalog(tmp_path / "catalog", CATALOG)
    (directory / "tables/subscribers.csv").unlink()
    (directory / "tables/subscribers.csv").symlink_to(outside)
    assert "outside the catalog" in the_problem(directory).message


@pytest.mark.parametrize(
    ("text", "line", "message", "fix"),
    [
        (b"a: 1\nb: \xff\n", 2, "not UTF-8", "UTF-8"),
        ("kind: a\n".encode("utf-16"), 1, "not UTF-8", "UTF-8"),
        (b"a: 1\nb: \x00\n", 2, "control characters", ""),
        (b"a: b: c\n", 1, "not YAML: mapping values", "colons"),
        (b"a:\n\tb: c\n", 2, "not YAML", "blanks, not tabs"),
        (b"a: 'x\n", 2, "not YAML", "quotes"),
        (b"a: [1\nb: 2", 2, "not YAML", ""),
        (b"a: &a [*a]\n", 1, "alias *a has no anchor", "before its alias"),
        (b"a: *b\n", 1, "alias *b has no anchor", "before its alias"),
        (b"a: &a {x: 1}\nb:\n  <<: *a\n", 3, "merge keys", "write the fields out"),
        (b"? [a]\n: 1\n", 1, "a key must be plain text", "name: value"),
        (b"? *a\n: 1\n", 1, "a key must be plain text", "name: value"),
        (b"\na: !!python/object/apply:os.system [x]\n", 2, "tags such as", "remove the tag"),
        (b"a: !!int '1'\n", 1, "tags such as", "remove the tag"),
        (b"[" * 200_000, 1, "nest deeper", "flatten"),
        (b"a:\n" + b"".join(b" " * n + b"a:\n" for n in range(1, 200)), 33, "nest deeper", "flatten"),
        (b"a: 1\nb: 2\na: 3\n", 3, '"a" is written twice (first in line 1)', "remove one"),
        (b"x: {a: 1, a: {b: 2}}\n", 1, '"a" is written twice', "remove one"),
    ],
)
def test_yaml(text: bytes, line: int, message: str, fix: str) -> None:
    problems = Problems()
    read_nodes(text, "x.yaml", problems)
    with pytest.raises(UnableToLoadCatalog) as caught:
        problems.raise_any()
    (problem,) = caught.value.problems
    assert (problem.file, problem.line) == ("x.yaml", line)
    assert message in problem.message
    assert fix in problem.fix


def test_aliases_do_not_explode() -> None:
    """Ten aliases of ten aliases of …: 10**9 values in 500 bytes."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    problems = Problems()
    read_nodes("\n".join(lines).encode(), "x.yaml", problems)
    with pytest.raises(UnableToLoadCatalog, match="aliases stand for more than 100000 values"):
        problems.raise_any()


def test_aliases_do_not_nest_without_bound() -> None:
    lines = ["a0: &a0 [x]"] + [f"a{n}: &a{n} [*a{n - 1}]" for n in range(1, 2 * DEPTH_MAX)]
    problems = Problems()
    read_nodes("\n".join(lines).encode(), "x.yaml", problems)
    with pytest.raises(UnableToLoadCatalog, match=f"{DEPTH_MAX} levels"):
        problems.raise_any()


def test_alias_stands_for_its_anchor(tmp_path: Path) -> None:
    text = CATALOG["plans.yaml"].replace("{first: 60 s, next: 30 s}", "{first: &one 60 s, next: *one}")
    catalog = load_catalog(write_catalog(tmp_path, {**CATALOG, "plans.yaml": text}))
    increments = catalog.price_plans["call-plan"].versions[0].increments
    assert increments is not None
    assert increments.next == "60 s"


def test_scalars() -> None:
    text = "[22:00, 0612345678, 612345678, +33612, -5, no, yes, on, true, FALSE, ~, null, '', 1.5, 1e3, 0x10, 1_000, '5', .5]"
    (node,), whole = read_nodes(text.encode(), "x.yaml", Problems())
    assert whole
    expected = ["22:00", "0612345678", 612345678, "+33612", -5, "no", "yes", "on", True, False, None, None, ""]
    assert node.plain() == [*expected, 1.5, "1e3", "0x10", "1_000", "5", 0.5]


def test_lines_and_columns() -> None:
    (first, second), _ = read_nodes(b"\xef\xbb\xbfa: 1\nb:\n- c: {d: 2}\n---\ne: 3\n", "x.yaml", Problems())
    deep = first.child("b").child(0).child("c").child("d")  # type: ignore[union-attr]
    assert deep is not None
    assert (deep.line, deep.column, deep.text) == (3, 10, "2")
    assert first.line_of(("b", 0, "c", "nowhere")) == 3
    assert first.line_of(("b",)) == 3
    assert first.line_of(("b",), key=True) == 2
    assert second.line == 5


def test_a_broken_file_does_not_hide_the_others(tmp_path: Path) -> None:
    broken = {**CATALOG, "plans.yaml": CATALOG["plans.yaml"] + "---\na: [\n"}
    broken["sources.yaml"] = CATALOG["sources.yaml"].replace("format: epoch_ms", "format: epoch")
    broken["energy/energy.yml"] = CATALOG["energy/energy.yml"].replace(
        "event_type: energy, price", "event_type: no, price"
    )
    found = [(Path(problem.file).name, problem.field) for problem in problems_of(write_catalog(tmp_path, broken))]
    # "event type no is unknown" is not told: it may be in the part of plans.yaml that could not be read
    assert found == [("plans.yaml", ""), ("sources.yaml", "mapping.time.format")]


def test_a_refused_document_is_told_once(tmp_path: Path) -> None:
    text = CATALOG["plans.yaml"].replace("code: call-plan\ncurrency: EUR", "code: call-plan\ncurrency: euro")
    problem = the_problem(write_catalog(tmp_path, {**CATALOG, "plans.yaml": text}))
    assert problem.field == "currency"


def test_many_problems_are_counted(tmp_path: Path) -> None:
    text = "\n---\n".join(f"{{kind: event_type, code: e{n}, unit: nothing}}" for n in range(PROBLEMS_MAX + 500))
    problems = problems_of(write_catalog(tmp_path, {**CATALOG, "x.yaml": text}))
    assert len(problems) == PROBLEMS_MAX + 1
    assert problems[-1].message == "500 more problems are not shown"


def test_a_long_value_is_shortened(tmp_path: Path) -> None:
    text = CATALOG["plans.yaml"].replace("unit: MB", f"unit: {'x' * 2_000_000}")
    assert len(str(the_problem(write_catalog(tmp_path, {**CATALOG, "plans.yaml": text})))) < 2_000


@given(st.binary(max_size=300) | st.text(alphabet="ab:-[]{}&*!|>'\"# \n\t01.", max_size=200).map(str.encode))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    problems = Problems()
    nodes, whole = read_nodes(data, "x.yaml", problems)
    assert whole or problems
    for node in nodes:
        node.plain()
