"""Catalog documents that somebody sends are tried and nothing is kept, whatever they are."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from cli_calls import CATALOG

from apps.control import validating
from apps.control.validating import Trial, Tried, UnableToValidate, check_names, tried, validate
from billing.catalog.models import Fault
from billing.catalog.store import load_catalog

PLAN = """\
kind: price_plan
code: voice
currency: EUR
versions: [{start: "2026-01-01T00:00:00Z", model: flat, per: "1 min", price: "0.60"}]
"""
BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
SECRET = "nobody-may-read-this"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "catalog").mkdir()
    (tmp_path / "catalog" / "catalog.yaml").write_text(CATALOG)
    (tmp_path / "secret.csv").write_text(f"{SECRET}\n")
    return tmp_path


def told(root: Path, files: dict[str, str], *, alone: bool = True) -> Tried:
    """What is wrong, tried here: no process is needed for that."""
    scratch = root / "scratch"
    scratch.mkdir()
    found = tried(Trial(files, None if alone else root / "catalog", scratch))
    assert str(root) not in str(found)
    assert SECRET not in str(found)
    return found


def codes(found: Tried) -> set[str]:
    assert found.content_hash is None
    return {one["code"] for one in found.findings}


def test_a_catalog_that_would_load_has_the_hash_that_it_would_have(root: Path) -> None:
    found = told(root, {"catalog.yaml": CATALOG})
    assert found == Tried([], load_catalog(root / "catalog").content_hash)


def test_files_stand_among_those_that_are_there_and_change_none(root: Path) -> None:
    kept, more = root / "catalog" / "catalog.yaml", "{kind: offer, code: more, charges: [voice]}\n"
    before = (kept.read_bytes(), os.stat(kept).st_mtime_ns)
    found = told(root, {"more.yaml": more, "catalog.yaml": CATALOG.replace("0.60", "0.70")}, alone=False)
    assert found.findings == []
    assert (kept.read_bytes(), os.stat(kept).st_mtime_ns) == before
    assert [path.name for path in (root / "catalog").iterdir()] == ["catalog.yaml"]
    assert found.content_hash not in (None, load_catalog(root / "catalog").content_hash)


@pytest.mark.parametrize(
    ("text", "fault", "file_and_field"),
    [
        ("kind: [", Fault.UNREADABLE, ("x.yaml", "")),
        (BOMB, Fault.UNREADABLE, ("x.yaml", "")),
        ("[" * 5000, Fault.UNREADABLE, ("x.yaml", "")),
        ("a: !!python/object/apply:os.system [ls]", Fault.UNREADABLE, ("x.yaml", "")),
        ("{kind: subscription_table, file: ../../secret.csv}", Fault.UNREADABLE, ("x.yaml", "file")),
        ("{kind: subscription_table, file: /etc/passwd}", Fault.UNREADABLE, ("x.yaml", "file")),
        ("{kind: subscription_table, file: /dev/zero}", Fault.UNREADABLE, ("x.yaml", "file")),
        ("{kind: offer, code: x}", Fault.MISSING, ("x.yaml", "charges")),
        ("{kind: offer, code: x, charges: [voice], colour: red}", Fault.UNKNOWN_FIELD, ("x.yaml", "colour")),
        ("{kind: offering, code: x}", Fault.INVALID, ("x.yaml", "kind")),
        (PLAN.replace("flat", "steep"), Fault.INVALID, ("x.yaml", "versions.0.model")),
        ("{kind: offer, code: x, charges: [calls]}", Fault.UNKNOWN_NAME, ("x.yaml", "charges.0")),
        ("{kind: offer, code: mobile, charges: [voice]}", Fault.DECLARED_TWICE, ("x.yaml", "code")),
        (PLAN.replace("code: voice", "code: gone").replace("1 min", "1 GB"), None, ("x.yaml", "")),
    ],
)
def test_findings_have_a_place_and_a_code(
    root: Path, text: str, fault: Fault | None, file_and_field: tuple[str, str]
) -> None:
    found = told(root, {"x.yaml": text}, alone=False)
    if fault is None:  # a plan that nobody uses is no fault
        assert found.findings == []
        return
    first = found.findings[0]
    assert (first["code"], (first["file"], first["field"])) == (fault, file_and_field), found
    assert first.keys() == {"code", "file", "line", "field", "message", "fix"}


def test_what_breaks_a_rule_says_so(root: Path) -> None:
    assert codes(told(root, {"catalog.yaml": CATALOG.replace("1 min", "1 GB")})) == {Fault.BREAKS_RULE}


def test_a_source_that_no_decoder_takes_is_found(root: Path) -> None:
    source = "{kind: source, code: other, format: plugin, plugin: none, version: '1', mapping: {identity: [id], "
    source += "access_point: a, time: {field: t}, quantity: {field: q}, event_type: {constant: voice}}}"
    found = told(root, {"x.yaml": source}, alone=False)
    assert len(found.findings) == 1
    assert "none" in found.findings[0]["message"]


def test_too_many_findings_are_counted(root: Path) -> None:
    found = told(root, {"x.yaml": "--- {kind: offer}\n" * 5000})
    assert len(found.findings) <= 1001
    assert found.findings[-1]["code"] == Fault.MORE


@pytest.mark.parametrize(
    "name",
    [
        "../x.yaml", "/etc/x.yaml", "a/../x.yaml", "a//x.yaml", ".x.yaml", "a/.b/x.yaml", "x.yaml\n", "x.txt", "x", "a\\x.yaml",
        "x.yaml/", "é.yaml", "a" * 200 + ".yaml", "a/b/c/d/e/f/g/h/i.yaml", "x.yaml\0.csv", "~/x.yaml", "-/../x.yaml",
    ],
)  # fmt: skip
def test_no_name_leads_elsewhere(name: str) -> None:
    with pytest.raises(UnableToValidate):
        check_names({name: ""})


@pytest.mark.parametrize("files", [{"a.yaml": "", "a.yaml/b.yaml": ""}, {"catalog.yaml/x.csv": ""}])
def test_a_file_and_a_directory_of_one_name(root: Path, files: dict[str, str]) -> None:
    check_names(files) if "a.yaml" in files else None
    assert codes(told(root, files, alone=False)) == {Fault.UNREADABLE}


def test_a_process_tries_them_and_leaves_nothing(root: Path) -> None:
    found = validate(Trial({"x.yaml": BOMB, "y.yaml": "{kind: offer, code: y}"}, root / "catalog", root))
    assert [(one["file"], one["code"]) for one in found.findings] == [("x.yaml", "UNREADABLE"), ("y.yaml", "MISSING")]
    assert sorted(path.name for path in root.iterdir()) == ["catalog", "secret.csv"]


def test_a_process_that_takes_too_long_ends_and_leaves_nothing(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(validating, "SECONDS", 0)
    given: dict[str, Any] = {"x.yaml": CATALOG}
    with pytest.raises(UnableToValidate, match="more than"):
        validate(Trial(given, None, root))
    assert sorted(path.name for path in root.iterdir()) == ["catalog", "secret.csv"]
