"""What loading a catalog talks about: documents with their place in a file, and problems."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Generic, TypeVar

from schemas.price_plan import Document

PROBLEMS_MAX = 1000
"""How many problems are kept; the others are counted."""
WORDS_MAX = 400
"""How many characters of a message are kept: it may quote a value of any length."""

ANY_KIND = "*"
"""Stands in `Documents.broken` for a kind that could not be told."""

Path = Sequence[str | int]
"""Where a value stands within its document: ("versions", 0, "tiers", 1, "up_to")."""
D = TypeVar("D", bound=Document)


class Fault(StrEnum):
    """What kind of problem it is: for programs, and a contract; messages are for people, and change."""

    UNREADABLE = "UNREADABLE"
    """a file that is no YAML or no table, is too large, nests too deep, or has aliases that stand for too much"""
    MISSING = "MISSING"
    """a field or a column is missing"""
    UNKNOWN_FIELD = "UNKNOWN_FIELD"
    """there is no such field or column"""
    INVALID = "INVALID"
    """a value is not what its field takes"""
    UNKNOWN_NAME = "UNKNOWN_NAME"
    """what is named is declared nowhere"""
    DECLARED_TWICE = "DECLARED_TWICE"
    """two have one name"""
    BREAKS_RULE = "BREAKS_RULE"
    """each value is right, and together they are not"""
    MORE = "MORE"
    """there are more problems than are told"""


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing to correct in a catalog.

    Attributes:
        file: its name, as the caller would open it.
        line: counted from 1; 0 when the problem is the file or the directory itself.
        field: dotted path of the value ("versions.0.tiers.1.up_to"), or a column of a CSV file; may be empty.
        message: what is wrong.
        fix: what to do.
        fault: what kind of problem it is.
    """

    file: str
    line: int
    field: str
    message: str
    fix: str
    fault: Fault = Fault.BREAKS_RULE

    def __str__(self) -> str:
        """Return the problem on one line, in the form that editors can jump to."""
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}: {self.field + ': ' if self.field else ''}{self.message}. Fix: {self.fix}"


class UnableToLoadCatalog(Exception):
    """The catalog has problems; all that were found are in `problems`, in order of file and line."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        """Keep the problems."""
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))


@dataclass(slots=True)
class Node:
    """One value of a YAML document and where it begins; nothing changes one that is made.

    A catalog has hundreds of thousands, and `frozen` would double what making one costs.

    Attributes:
        line, column: counted from 1.
        value: a scalar, a list of nodes, or a mapping of nodes by key.
        text: a scalar as it is written.
        key_lines: lines of the keys of a mapping, None of what is none.
        size: how many nodes it has once aliases are expanded, itself included.
        height: how many levels it nests; 0 for a scalar.
    """

    line: int
    column: int
    value: str | int | float | bool | list[Node] | dict[str, Node] | None
    text: str = ""
    key_lines: dict[str, int] | None = None
    size: int = 1
    height: int = 0

    def child(self, part: str | int) -> Node | None:
        """Return the node below the key or index `part`, if there is one."""
        if isinstance(self.value, dict):
            return self.value.get(str(part))
        if isinstance(self.value, list) and isinstance(part, int) and part < len(self.value):
            return self.value[part]
        return None

    def line_of(self, path: Path, *, key: bool = False) -> int:
        """Return the line of the value at `path` (or of its key), or of the nearest value around it."""
        node, line = self, self.line
        for part in path:
            key_line = (node.key_lines or {}).get(str(part), 0)
            found = node.child(part)
            if found is None:
                return line
            node, line = found, key_line if key and key_line else found.line
        return line

    def plain(self) -> Any:
        """Return the value without places, as validation wants it."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return self.value


@dataclass(frozen=True, slots=True)
class Entry(Generic[D]):
    """A valid document and where it stands."""

    document: D
    file: str
    node: Node

    def place(self, path: Path = ()) -> str:
        """Return "FILE:LINE" of the value at `path`."""
        return f"{self.file}:{self.node.line_of(path)}"


class Problems:
    """Collects what is wrong, at most PROBLEMS_MAX of it."""

    def __init__(self) -> None:
        """Start with none."""
        self._found: list[Problem] = []
        self._more = 0

    def __bool__(self) -> bool:
        """Return whether anything is wrong."""
        return bool(self._found)

    @property
    def count(self) -> int:
        """Return how many were found."""
        return len(self._found) + self._more

    def add(self, file: str, line: int, field: str, message: str, fix: str, fault: Fault = Fault.BREAKS_RULE) -> None:
        """Add one problem."""
        if len(self._found) < PROBLEMS_MAX:
            message, fix = (text if len(text) <= WORDS_MAX else f"{text[:WORDS_MAX]}…" for text in (message, fix))
            self._found.append(Problem(file, line, field[:WORDS_MAX], message, fix, fault))
        else:
            self._more += 1

    def at(
        self,
        entry: Entry[Any],
        path: Path,
        message: str,
        fix: str,
        fault: Fault = Fault.BREAKS_RULE,
        *,
        key: bool = False,
    ) -> None:
        """Add a problem of the value (or the key) at `path` of a document."""
        self.add(entry.file, entry.node.line_of(path, key=key), dotted(path), message, fix, fault)

    def raise_any(self) -> None:
        """Raise what was found.

        Raises:
            UnableToLoadCatalog: when anything was.
        """
        if not self._found:
            return
        problems = sorted(set(self._found))
        if self._more:
            last = f"{self._more} more problems are not shown"
            problems.append(Problem(problems[-1].file, 0, "", last, "correct the ones above first", Fault.MORE))
        raise UnableToLoadCatalog(problems)


def dotted(path: Path) -> str:
    """Return a path as problems write it."""
    return ".".join(map(str, path))


@dataclass(slots=True)
class Documents:
    """Every valid document of a catalog.

    Attributes:
        tables: by model and code; the first of duplicates.
        files: documents without a code (`subscription_table`).
        broken: (kind, code) of documents that are not valid: references to them are no second problem.
        complete: False when a file could not be parsed, so that what is not found may be in it.
    """

    tables: dict[type[Document], dict[str, Entry[Any]]] = field(default_factory=dict)
    files: list[Entry[Any]] = field(default_factory=list)
    broken: set[tuple[str, str]] = field(default_factory=set)
    complete: bool = True

    def may_be(self, kind: str, code: str) -> bool:
        """Return whether a document that was not found may be among those that could not be read."""
        return not self.complete or (kind, code) in self.broken or (ANY_KIND, code) in self.broken

    def of(self, model: type[D]) -> dict[str, Entry[D]]:
        """Return the documents of one model by code."""
        return self.tables.get(model, {})
