"""Trying catalog documents: what is wrong with them, in a process of its own, which keeps nothing.

Whoever sends documents may be mistaken, or worse. The process has so much time and memory; YAML is read within the bounds of
`billing.catalog.yaml_text`; a file has a name below the catalog's directory, and no table is read from outside of it.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from apps.control.publishing import copied
from apps.embedded.beside import EndedBeside, beside
from apps.embedded.packing import read_piece, write_piece

FILES_MAX = 100
NAME_MAX = 200
SECONDS = 60
"""How long the process may take: a catalog of a million subscribers loads in less."""
MEMORY_BYTES = 12 << 30
"""How much address space it may have; a catalog of a million subscribers takes a third."""
_PART = r"[A-Za-z0-9_][A-Za-z0-9_.-]*"
_NAME = re.compile(rf"{_PART}(/{_PART}){{0,7}}\.(ya?ml|csv)")


class UnableToValidate(Exception):
    """The documents cannot be tried: a name is none, or they take more than the process may."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What the process is told.

    Attributes:
        files: text by name. catalog: the directory whose other files are there, too; None: these are all.
        scratch: where a directory may be made; it goes away with whoever asks, so that a process that is killed leaves none.
    """

    files: Mapping[str, str]
    catalog: Path | None
    scratch: Path


@dataclass(frozen=True, slots=True)
class Tried:
    """What is wrong: findings as they are told, empty for a catalog that would load, and the hash that it would have."""

    findings: list[dict[str, Any]]
    content_hash: str | None


def check_names(files: Mapping[str, str]) -> None:
    """Check that files have names that a catalog's files may have.

    Raises:
        UnableToValidate: when one has not, or there are too many.
    """
    if len(files) > FILES_MAX:
        raise UnableToValidate(f"at most {FILES_MAX} files are tried at a time")
    for name in files:
        if len(name) > NAME_MAX or _NAME.fullmatch(name) is None:
            raise UnableToValidate("a file has a name such as prices.yaml or tables/prices.csv, and no other")


def validate(trial: Trial) -> Tried:
    """Return what is wrong with documents.

    Raises:
        UnableToValidate: when a name is none, or the process ended before it was through.
    """
    check_names(trial.files)
    with tempfile.TemporaryDirectory(prefix=".candidate-", dir=trial.scratch) as scratch:
        return _asked(replace(trial, scratch=Path(scratch)))


def _asked(trial: Trial) -> Tried:
    timer: threading.Timer | None = None

    def begun(process: subprocess.Popen[bytes]) -> None:
        nonlocal timer
        timer = threading.Timer(SECONDS, process.kill)
        timer.daemon = True
        timer.start()

    try:
        with beside("apps.control.validating_process", begun) as (asked, answer):
            write_piece(asked, trial)
            asked.flush()
            found: Tried | Exception = read_piece(answer)
    except EndedBeside as error:
        told = f"the documents take more than {SECONDS} s or {MEMORY_BYTES >> 30} GiB to be tried"
        raise UnableToValidate(told) from error
    finally:
        if timer is not None:
            timer.cancel()
    if isinstance(found, Exception):
        raise found
    return found


def tried(trial: Trial) -> Tried:
    """Do what `validate` does, here, in the directory `scratch`."""
    from apps.embedded.source_check import check_sources
    from billing.catalog.models import Fault, Problem, UnableToLoadCatalog
    from billing.catalog.store import load_catalog
    from pipelines.mediation.failures import UnableToCompileSource

    root = trial.scratch / "catalog"
    if trial.catalog is None or not trial.catalog.is_dir():
        root.mkdir()
    else:
        copied(trial.catalog, root, without=trial.files)
    for file, text in trial.files.items():
        path = root / file
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("xb") as stream:  # nothing that is linked to the catalog in force is ever written to
                stream.write(text.encode())
        except OSError:
            fix = "name it otherwise: a file and a directory cannot have one name"
            return Tried([_told(Problem(file, 0, "", "the file cannot be written", fix, Fault.UNREADABLE), root)], None)
    try:
        catalog = load_catalog(root)
        check_sources(catalog)
    except UnableToLoadCatalog as error:
        return Tried([_told(problem, root) for problem in error.problems], None)
    except UnableToCompileSource as error:
        return Tried([_told(Problem("", 0, "", str(error), "see its format in docs/catalog.md"), root)], None)
    return Tried([], catalog.content_hash)


def _told(problem: Any, root: Path) -> dict[str, Any]:
    """Return a problem as it is told: files by their names in the catalog, wherever this one lies."""

    def inside(text: str) -> str:
        return text.replace(f"{root.as_posix()}/", "").replace(root.as_posix(), "the catalog")

    return {
        "code": problem.fault.value,
        "file": "" if problem.file == root.as_posix() else inside(problem.file),
        "line": problem.line,
        "field": problem.field,
        "message": inside(problem.message),
        "fix": inside(problem.fix),
    }
