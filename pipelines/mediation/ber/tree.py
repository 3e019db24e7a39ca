"""Compile name paths into the tree of tags that `kernels.ber.walk_records` follows."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches

import numpy as np

from pipelines.mediation.ber.tags import Choice, Kind, ListOf, RecordKind, Structure, Type
from pipelines.mediation.failures import UnableToCompileSource
from pipelines.mediation.kernels.ber import LEVELS_MAX, SKIPPED, STRUCTURE, VALUE
from schemas.arrays import BoolArray, Int32Array, UInt8Array

INTERNATIONAL = "international"
"""Last part of a path: an address with its `+`."""
WITH_PLUS = {
    Kind.ADDRESS: Kind.ADDRESS_INTERNATIONAL,
    Kind.SMS_ADDRESS: Kind.SMS_ADDRESS_INTERNATIONAL,
}


@dataclass(frozen=True, slots=True)
class TagTree:
    """Fields as nodes of tags, as `kernels.ber.walk_records` and `kernels.ber_text.render` read them.

    Attributes:
        names: kinds of records, one after the other; name_start, name_end: (k,) where the name of node k's kind is in it.
    """

    base: Int32Array
    span: Int32Array
    table: Int32Array
    role: UInt8Array
    level: Int32Array
    output: Int32Array
    out_slot: Int32Array
    out_kind: UInt8Array
    slot_level: Int32Array
    slot_choice: BoolArray
    names: bytes
    name_start: Int32Array
    name_end: Int32Array

    @property
    def fields(self) -> int:
        """How many fields the tree finds."""
        return len(self.slot_level)


def compile_tags(
    records: Mapping[str, RecordKind],
    fields: tuple[str, ...],
    *,
    wanted: Collection[str],
    each: tuple[str, ...] = (),
    choice_field: str = "recordType",
) -> TagTree:
    """Return the tree that finds `fields`; field number i has slot i.

    A field is a path of names joined by dots. Lists have no part in it: of a list that is not in `each` the first element
    counts. A field need not exist in every kind of record; where it does not, it is empty.

    Args:
        records: the kinds of records that a file may hold, by name.
        fields: the paths.
        wanted: the kinds that are read; others are filtered.
        each: paths of lists whose elements give a row each. The first that a kind of record has is its; the fields of the
            others stay empty in it. On the way of a path every list gives rows: those within one element share its fields.
        choice_field: the field that is the name of the record's kind.

    Raises:
        UnableToCompileSource: when a kind or a path does not exist, or a path ends at a structure.
    """
    for name in wanted:
        if name not in records:
            raise UnableToCompileSource(f"records: there is no {name!r}{_hint(name, records)}")
    builder = _Builder(each)
    slot_level = np.zeros(len(fields), np.int32)
    known, failures = {choice_field}, {}
    found_lists: set[str] = set()
    for name, record in records.items():
        top = builder.child(0, record.tag)
        builder.kinds[top] = name
        if name not in wanted:
            builder.role[top] = SKIPPED
            continue
        active = next((path for path in each if _has_list(record.members, path)), "")
        found_lists |= {path for path in each if _has_list(record.members, path)}
        if active:
            builder.open_rows(top, record.members, active)
        for slot, path in enumerate(fields):
            if path == choice_field:
                continue
            try:
                _Builder(each).find(
                    0, record.members, path, slot, active
                )  # leaves no node of a path that leads nowhere
            except LookupError as failure:
                failures[path] = str(failure)
                continue
            known.add(path)
            slot_level[slot] = max(slot_level[slot], builder.find(top, record.members, path, slot, active))
    for path in fields:
        if path not in known:
            raise UnableToCompileSource(f"mapping: {failures.get(path, f'there is no {path!r}')}")
    for path in each:
        if path not in found_lists:
            raise UnableToCompileSource(f"each: no record of this source has a list {path!r}")
    return builder.tree(slot_level, np.array([path == choice_field for path in fields], np.bool_))


def _hint(name: str, known: Collection[str]) -> str:
    near = get_close_matches(name, list(known), 1)
    return f" (do you mean {near[0]!r}?)" if near else ""


def _has_list(members: Type, path: str) -> bool:
    """Return whether a path leads to a list."""
    for part in path.split("."):
        while isinstance(members, ListOf):
            members = members.element
        if not isinstance(members, Structure) or part not in members.members:
            return False
        members = members.members[part][1]
    return isinstance(members, ListOf)


@dataclass(slots=True)
class _Builder:
    """The nodes so far; node 0 is the file."""

    each: tuple[str, ...]
    children: dict[tuple[int, int], int] = field(default_factory=dict)
    role: list[int] = field(default_factory=lambda: [STRUCTURE])
    level: list[int] = field(default_factory=lambda: [0])
    outputs: list[list[tuple[int, int]]] = field(default_factory=lambda: [[]])
    kinds: dict[int, str] = field(default_factory=dict)

    def child(self, parent: int, tag: int | None) -> int:
        """Return the node that a tag leads to; without a tag, the parent itself."""
        if tag is None:
            return parent
        if (parent, tag) not in self.children:
            self.children[parent, tag] = len(self.role)
            self.role.append(STRUCTURE)
            self.level.append(0)
            self.outputs.append([])
        return self.children[parent, tag]

    def find(self, node: int, kind: Type, path: str, slot: int, active: str) -> int:
        """Make the nodes of one path of one kind of record and return the level of its rows.

        Raises:
            LookupError: when there is no such path.
        """
        return self._follow(node, kind, path.split("."), [], slot, active, 0)

    def _follow(
        self, node: int, kind: Type, rest: list[str], done: list[str], slot: int, active: str, level: int
    ) -> int:
        if isinstance(kind, ListOf):
            path = ".".join(done)
            if _is_on_way(path, active):
                level += 1
            elif path in self.each:
                return level
            return self._follow(self.child(node, kind.tag), kind.element, rest, done, slot, active, level)
        if isinstance(kind, Kind):
            if rest == [INTERNATIONAL] and kind in WITH_PLUS:
                kind = WITH_PLUS[kind]
            elif rest:
                raise LookupError(f"{'.'.join(done)!r} is a value: nothing is below it")
            self.role[node] = VALUE
            if (slot, int(kind)) not in self.outputs[node]:
                self.outputs[node].append((slot, int(kind)))
            return level
        names = rest[:1] or ([kind.main] if kind.main else [])
        if not names and isinstance(kind, Choice) and _is_value(kind):
            return max(
                self._follow(self.child(node, tag), below, [], [*done, name], slot, active, level)
                for name, (tag, below) in kind.members.items()
                if _is_value(below)
            )
        if not names:
            choices = ", ".join(list(kind.members)[:8])
            raise LookupError(f"{'.'.join(done)!r} is a structure: write one of its fields after it ({choices} …)")
        name = names[0]
        if name not in kind.members:
            raise LookupError(f"there is no {'.'.join([*done, name])!r}{_hint(name, kind.members)}")
        tag, below = kind.members[name]
        return self._follow(self.child(node, tag), below, rest[1:], [*done, name], slot, active, level)

    def open_rows(self, node: int, kind: Type, path: str) -> None:
        """Let the elements of each list on the way of a path open rows.

        Raises:
            UnableToCompileSource: when there are too many lists on it, or elements cannot be told apart.
        """
        level, rest = 0, path.split(".")
        while True:
            if isinstance(kind, ListOf):
                level += 1
                if level == LEVELS_MAX:
                    raise UnableToCompileSource(f"each: {path!r} nests more than {LEVELS_MAX - 1} lists")
                for tag, below in [(kind.tag, kind.element)] if kind.tag is not None else _alternatives(kind.element):
                    child = self.child(node, tag)
                    self.level[child] = level
                    self.role[child] = VALUE if isinstance(below, Kind) else STRUCTURE
                node, kind = self.child(node, kind.tag), kind.element
            if not rest or not isinstance(kind, Structure):
                return
            member, kind = kind.members[rest.pop(0)]
            node = self.child(node, member)

    def tree(self, slot_level: Int32Array, slot_choice: BoolArray) -> TagTree:
        """Return the nodes as arrays."""
        count = len(self.role)
        span = np.zeros(count, np.int32)
        for parent, tag in self.children:
            span[parent] = max(span[parent], tag + 1)
        base = np.concatenate(([0], np.cumsum(span)[:-1])).astype(np.int32)
        table = np.full(max(1, int(span.sum())), -1, np.int32)
        for (parent, tag), child in self.children.items():
            table[base[parent] + tag] = child
        pairs = [pair for outputs in self.outputs for pair in outputs]
        name_start, name_end = np.zeros(count, np.int32), np.zeros(count, np.int32)
        names = b""
        for node, name in self.kinds.items():
            name_start[node], name_end[node] = len(names), len(names) + len(name.encode())
            names += name.encode()
        return TagTree(
            base=base,
            span=span,
            table=table,
            role=np.array(self.role, np.uint8),
            level=np.array(self.level, np.int32),
            output=np.cumsum([0, *(len(outputs) for outputs in self.outputs)]).astype(np.int32),
            out_slot=np.array([slot for slot, _ in pairs], np.int32),
            out_kind=np.array([kind for _, kind in pairs], np.uint8),
            slot_level=slot_level,
            slot_choice=slot_choice,
            names=names,
            name_start=name_start,
            name_end=name_end,
        )


def _is_value(kind: Type) -> bool:
    """Return whether a path may end at this type."""
    if isinstance(kind, Kind):
        return True
    if isinstance(kind, ListOf):
        return False
    if kind.main is not None:
        return True
    return isinstance(kind, Choice) and any(_is_value(below) for _, below in kind.members.values())


def _is_on_way(path: str, active: str) -> bool:
    """Return whether a list at `path` is `active` or around it."""
    return f"{active}.".startswith(f"{path}.")


def _alternatives(kind: Type) -> list[tuple[int, Type]]:
    """Return the tags by which a choice without a tag of its own begins, and what they hold."""
    if not isinstance(kind, Choice):
        raise UnableToCompileSource("each: the elements of this list cannot be told apart")
    found: list[tuple[int, Type]] = []
    for tag, below in kind.members.values():
        found += _alternatives(below) if tag is None else [(tag, below)]
    return found
