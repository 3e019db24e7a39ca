"""YAML text into nodes that know their line, within bounds.

Scalars follow the core schema of YAML 1.2: 22:00, 0612345678 and no are text, not 1320, an octal number and false.
Aliases are expanded only to EXPANDED_MAX values, nesting is bounded, keys are unique, tags are refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from billing.catalog.models import Fault, Node, Problems

EXPANDED_MAX = 100_000
"""How many values all aliases of one file may stand for."""
DEPTH_MAX = 32
"""How deep collections may nest; documents of the catalog need 7."""
_TOO_DEEP = f"values nest deeper than {DEPTH_MAX} levels"
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NULL = re.compile(r"|~|null|Null|NULL")
_BOOL = re.compile(r"true|True|TRUE|false|False|FALSE")
_INT = re.compile(r"-?(0|[1-9][0-9]{0,17})")
_FLOAT = re.compile(r"[-+]?([0-9]*\.[0-9]+|[0-9]+\.[0-9]*)([eE][-+]?[0-9]+)?")
_FIRST_OF_NO_TEXT = frozenset("~nNtTfF+-.0123456789")
"""How a text without quotes begins that may stand for something else than itself; so may an empty one."""
_TAG = "tag:yaml.org,2002:"


class _Refused(Exception):
    """The rest of the file cannot be understood."""

    def __init__(self, mark: Any, message: str, fix: str) -> None:
        super().__init__(message)
        self.line = mark.line + 1 if mark is not None else 0
        self.message = message
        self.fix = fix


@dataclass(slots=True)
class _Open:
    """A collection whose end is not read yet."""

    mark: Any
    anchor: str | None
    items: list[Node] | None
    members: dict[str, Node] = field(default_factory=dict)
    key_lines: dict[str, int] = field(default_factory=dict)
    key: str | None = None
    key_line: int = 0
    size: int = 1
    height: int = 1


def read_nodes(data: bytes, file: str, problems: Problems) -> tuple[list[Node], bool]:
    """Return the documents of one YAML file but the empty ones, and whether all of it could be read."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        problems.add(file, line, "", "the file is not UTF-8 text", "save it in UTF-8", Fault.UNREADABLE)
        return [], False
    nodes: list[Node] = []
    try:
        nodes.extend(_Builder(file, problems).documents(text))
    except _Refused as refused:
        problems.add(file, refused.line, "", refused.message, refused.fix, Fault.UNREADABLE)
        return nodes, False
    except yaml.YAMLError as error:
        problems.add(
            file,
            _line_of(error, text),
            "",
            f"this is not YAML: {_reason(error)}",
            _syntax_fix(text, error),
            Fault.UNREADABLE,
        )
        return nodes, False
    return nodes, True


class _Builder:
    """Builds the nodes of one file from the parser's events, without recursion."""

    def __init__(self, file: str, problems: Problems) -> None:
        self._file = file
        self._problems = problems
        self._anchors: dict[str, Node] = {}
        self._expanded = 0
        self._stack: list[_Open] = []

    def documents(self, text: str) -> Iterator[Node]:
        """Yield one node per document that is not empty."""
        take: dict[type, Callable[[Any], Node | None]] = {
            yaml.ScalarEvent: self._scalar,
            yaml.MappingStartEvent: self._begin,
            yaml.SequenceStartEvent: self._begin,
            yaml.MappingEndEvent: self._end,
            yaml.SequenceEndEvent: self._end,
            yaml.AliasEvent: self._alias,
            yaml.DocumentEndEvent: self._forget,
        }
        for event in yaml.parse(text, Loader=_LOADER):
            taking = take.get(type(event))
            root = taking(event) if taking is not None else None
            if root is not None and root.value is not None:
                yield root

    def _forget(self, event: Any) -> None:
        """Let go of the anchors of a document that ends."""
        self._anchors.clear()

    def _scalar(self, event: Any) -> Node | None:
        """Take a key or a value: nine events in ten, so this is written for speed."""
        top = self._stack[-1] if self._stack else None
        if top is not None and top.key is None and top.items is None:
            self._key(top, event)
            return None
        if event.tag is not None:
            _check_tag(event, "str")
        mark, text = event.start_mark, event.value
        plain = event.implicit[0] and (not text or text[0] in _FIRST_OF_NO_TEXT)
        node = Node(mark.line + 1, mark.column + 1, _plain_value(text) if plain else text, text)
        return self._place(node, event.anchor)

    def _key(self, top: _Open, event: Any) -> None:
        if event.value == "<<":
            raise _Refused(event.start_mark, "merge keys (<<) are not supported", "write the fields out")
        top.key = event.value
        top.key_line = event.start_mark.line + 1
        top.key_lines.setdefault(event.value, event.start_mark.line + 1)

    def _begin(self, event: Any) -> None:
        sequence = isinstance(event, yaml.SequenceStartEvent)
        _check_tag(event, "seq" if sequence else "map")
        self._refuse_as_key(event)
        if len(self._stack) >= DEPTH_MAX:
            raise _Refused(event.start_mark, _TOO_DEEP, "flatten them")
        self._stack.append(_Open(event.start_mark, event.anchor, [] if sequence else None))

    def _end(self, event: Any) -> Node | None:
        done = self._stack.pop()
        value = done.members if done.items is None else done.items
        line, column = done.mark.line + 1, done.mark.column + 1
        node = Node(line, column, value, key_lines=done.key_lines, size=done.size, height=done.height)
        return self._place(node, done.anchor)

    def _alias(self, event: Any) -> Node | None:
        self._refuse_as_key(event)
        node = self._anchors.get(event.anchor)
        if node is None:
            fix = "define the anchor before its alias, and not around it"
            raise _Refused(event.start_mark, f"the alias *{event.anchor} has no anchor", fix)
        self._expanded += node.size
        if self._expanded > EXPANDED_MAX:
            raise _Refused(
                event.start_mark, f"aliases stand for more than {EXPANDED_MAX} values", "write the values out"
            )
        if len(self._stack) + node.height > DEPTH_MAX:
            raise _Refused(event.start_mark, _TOO_DEEP, "flatten them")
        return self._place(node, None)

    def _refuse_as_key(self, event: Any) -> None:
        top = self._stack[-1] if self._stack else None
        if top is not None and top.items is None and top.key is None:
            raise _Refused(event.start_mark, "a key must be plain text", "write `name: value`")

    def _place(self, node: Node, anchor: str | None) -> Node | None:
        """Put a finished node into the collection around it; return it when there is none."""
        if anchor is not None:
            self._anchors[anchor] = node
        if not self._stack:
            return node
        top = self._stack[-1]
        top.size += node.size
        if top.height <= node.height:
            top.height = node.height + 1
        if top.items is not None:
            top.items.append(node)
        elif top.key is not None:
            self._member(top, top.key, node)
            top.key = None
        return None

    def _member(self, top: _Open, key: str, node: Node) -> None:
        if key in top.members:
            message = f'the key "{key}" is written twice (first in line {top.key_lines[key]})'
            self._problems.add(self._file, top.key_line, key, message, "remove one of them", Fault.DECLARED_TWICE)
            return
        top.members[key] = node


def _check_tag(event: Any, expected: str) -> None:
    if event.tag not in (None, "!", _TAG + expected):
        fix = "remove the tag; write text in quotes"
        raise _Refused(event.start_mark, f"tags such as {event.tag} are not supported", fix)


def _plain_value(text: str) -> str | int | float | bool | None:
    """Return what a text without quotes stands for."""
    if _NULL.fullmatch(text):
        return None
    if _BOOL.fullmatch(text):
        return text.lower() == "true"
    if _INT.fullmatch(text):
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) else text


def _line_of(error: yaml.YAMLError, text: str) -> int:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    if mark is not None:
        return int(mark.line) + 1
    position = getattr(error, "position", None)
    return text.encode().count(b"\n", 0, position) + 1 if isinstance(position, int) else 0


def _reason(error: yaml.YAMLError) -> str:
    parts = [
        getattr(error, "context", None),
        getattr(error, "problem", None) or getattr(error, "reason", None),
    ]
    return " ".join(str(part) for part in parts if part) or "unreadable"


def _syntax_fix(text: str, error: yaml.YAMLError) -> str:
    lines = text.split("\n")
    line = _line_of(error, text)
    if any("\t" in lines[number - 1] for number in (line - 1, line) if 0 < number <= len(lines)):
        return "indent with blanks, not tabs"
    return "check quotes, colons and indentation at this line and the one before"
