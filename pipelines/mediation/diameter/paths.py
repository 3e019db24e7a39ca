"""The fields of a source of Diameter messages as the tree of AVPs that `kernels.diameter.walk_messages` follows."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from difflib import get_close_matches
from itertools import pairwise

import numpy as np

from pipelines.mediation.diameter.dictionary import NAMED, Definition
from pipelines.mediation.failures import UnableToCompileSource
from pipelines.mediation.kernels.diameter import (
    ADDRESS,
    DEPTH_MAX,
    GROUP,
    I32,
    I64,
    INTEGER,
    IPV4,
    IPV6,
    LEVELS_MAX,
    NEAR,
    OCTETS,
    SUBSCRIPTION,
    TEXT,
    THREE_GPP,
    TIME,
    U32,
    U64,
    VALUE,
)
from schemas.arrays import BoolArray, Int8Array, Int16Array, Int32Array, Int64Array, UInt8Array

MESSAGE = "message"
"""The field that is what a message is."""
KINDS = {
    "text": TEXT, "identity": TEXT, "uri": TEXT, "rule": TEXT, "u32": U32, "u64": U64, "i32": I32, "i64": I64,
    "enumerated": I32, "time": TIME, "address": ADDRESS, "octets": OCTETS,
}  # fmt: skip
"""How values of the dictionary's kinds read."""
READ_AS = {"text": TEXT, "integer": INTEGER, "ipv4": IPV4, "ipv6": IPV6, "time": TIME, "octets": OCTETS}
"""How an AVP may be said to read."""
SUBSCRIPTION_ID = "Subscription-Id"
SUBSCRIPTION_TYPES = {"E164": 0, "IMSI": 1, "SIP-URI": 2, "NAI": 3, "PRIVATE": 4}
"""RFC 8506 §8.47."""
NUMBER_MAX = 2**32 - 1
_NUMBERED = re.compile(r"(?:AVP-(\d{1,10})|Vendor-(\d{1,10})-(\d{1,10}))", re.ASCII)


@dataclass(frozen=True, slots=True)
class AvpTree:
    """Fields as nodes of AVPs, as the kernels read them; field number i is slot i."""

    near: Int16Array
    far: Int64Array
    child: Int16Array
    role: UInt8Array
    level: Int8Array
    output: Int32Array
    out_slot: Int32Array
    out_kind: UInt8Array
    out_type: Int32Array
    slot_level: Int8Array
    slot_choice: BoolArray

    @property
    def fields(self) -> int:
        """How many fields the tree finds."""
        return len(self.slot_level)


@dataclass(frozen=True, slots=True)
class _Step:
    """One AVP on a path; `kind`: None for a group."""

    vendor: int
    code: int
    kind: int | None
    name: str


@dataclass(slots=True)
class _Builder:
    """The nodes so far; node 0 is the message. Atoms are AVPs by (vendor, code)."""

    way: tuple[_Step, ...]
    atoms: dict[tuple[int, int], int] = field(default_factory=dict)
    children: dict[tuple[int, int], int] = field(default_factory=dict)
    role: list[int] = field(default_factory=lambda: [GROUP])
    level: list[int] = field(default_factory=lambda: [0])
    outputs: list[list[tuple[int, int, int]]] = field(default_factory=lambda: [[]])

    def child(self, parent: int, step: _Step) -> int:
        """Return the node that an AVP leads to."""
        atom = self.atoms.setdefault((step.vendor, step.code), len(self.atoms))
        if (parent, atom) not in self.children:
            self.children[parent, atom] = len(self.role)
            self.role.append(GROUP)
            self.level.append(0)
            self.outputs.append([])
        return self.children[parent, atom]

    def add(self, steps: list[_Step], slot: int) -> int:
        """Make the nodes of a path, and return the level of the rows that its value describes."""
        node = level = 0
        for depth, step in enumerate(steps):
            node = self.child(node, step)
            if steps[: depth + 1] == list(self.way[: depth + 1]):
                level = self.level[node] = depth + 1
        last = steps[-1]
        if last.kind is not None:
            self.role[node] = VALUE
            self.outputs[node].append((slot, last.kind, -1))
        return level

    def add_subscription(self, steps: list[_Step], kind: str, slot: int) -> int:
        """Make the nodes of a Subscription-Id whose data counts by its type."""
        level = self.add(steps, slot)
        node = 0
        for step in steps:
            node = self.child(node, step)
        self.role[node] = SUBSCRIPTION
        self.outputs[node].append((slot, TEXT, SUBSCRIPTION_TYPES[kind]))
        return level


def compile_paths(fields: tuple[str, ...], each: str | None) -> AvpTree:
    """Return the tree that finds `fields`.

    Args:
        fields: the paths. each: the path of a group that opens rows, as do the groups on its way.

    Raises:
        UnableToCompileSource: when a name is unknown, or a path does not lead to a value, or `each` to no group.
    """
    way: tuple[_Step, ...] = ()
    if each is not None:
        way = tuple(_steps(each, "each"))
        if way[-1].kind is not None:
            raise UnableToCompileSource(f"each: {each!r} is a value, not a group")
        if len(way) >= LEVELS_MAX:
            raise UnableToCompileSource(f"each: {each!r} lies more than {LEVELS_MAX - 1} groups deep")
    builder = _Builder(way)
    if way:
        builder.add(list(way), -1)
    levels = [0] * len(fields)
    for slot, path in enumerate(fields):
        if path == MESSAGE:
            continue
        above, _, last = path.rpartition(".")
        if last in SUBSCRIPTION_TYPES and above.rpartition(".")[2] == SUBSCRIPTION_ID:
            levels[slot] = builder.add_subscription(_steps(above, "mapping"), last, slot)
            continue
        steps = _steps(path, "mapping")
        if steps[-1].kind is None:
            raise UnableToCompileSource(f"mapping: {path!r} is a group: write one of its AVPs after it")
        levels[slot] = builder.add(steps, slot)
    both = {parent for parent, _ in builder.children if builder.role[parent] == VALUE}
    if both:
        raise UnableToCompileSource("mapping: an AVP without a name is a value in one field and a group in another")
    return _tree(builder, levels, [path == MESSAGE for path in fields])


def _steps(path: str, where: str) -> list[_Step]:
    parts = path.split(".")
    steps = [_step(part, path, where, last=number == len(parts)) for number, part in enumerate(parts, start=1)]
    if len(steps) > DEPTH_MAX:
        raise UnableToCompileSource(f"{where}: {path!r} is more than {DEPTH_MAX} AVPs deep")
    return steps


def _step(part: str, path: str, where: str, *, last: bool) -> _Step:
    name, colon, read_as = part.partition(":")
    if colon and read_as not in READ_AS:
        raise UnableToCompileSource(f"{where}: {part!r} is read as one of {', '.join(READ_AS)}")
    known = NAMED.get(name)
    match = _NUMBERED.fullmatch(name)
    if known is None and match is None:
        near = get_close_matches(name, list(NAMED), 1)
        hint = f" (do you mean {near[0]!r}?)" if near else "; write AVP-N or Vendor-V-N for one without a name"
        raise UnableToCompileSource(f"{where}: there is no AVP {name!r}{hint}")
    if known is None:
        assert match is not None
        vendor, code = int(match[2] or 0), int(match[1] or match[3])
        if code > NUMBER_MAX or vendor > NUMBER_MAX or (match[2] is not None and vendor == 0):
            raise UnableToCompileSource(f"{where}: there is no AVP {name!r}")
        known = Definition(name, vendor, code, "octets" if last else "grouped")
    grouped = known.kind == "grouped"
    if colon and grouped:
        raise UnableToCompileSource(f"{where}: {name!r} is a group: it is read as its AVPs are")
    if not last and not grouped:
        raise UnableToCompileSource(f"{where}: {path!r}: {name} is a value: nothing is in it")
    kind = None if grouped else READ_AS[read_as] if colon else KINDS[known.kind]
    return _Step(known.vendor, known.code, kind, name)


def _tree(builder: _Builder, levels: list[int], choice: list[bool]) -> AvpTree:
    near = np.full((2, NEAR), -1, np.int16)
    far: list[tuple[int, int, int]] = []
    for (vendor, code), atom in builder.atoms.items():
        if code < NEAR and vendor in (0, THREE_GPP):
            near[int(vendor == THREE_GPP), code] = atom
        else:
            far.append((vendor, code, atom))
    child = np.full((len(builder.role), max(1, len(builder.atoms))), -1, np.int16)
    for (parent, atom), node in builder.children.items():
        child[parent, atom] = node
    triples = [triple for outputs in builder.outputs for triple in outputs]
    return AvpTree(
        near=near,
        far=np.array(far, np.int64).reshape(-1, 3),
        child=child,
        role=np.array(builder.role, np.uint8),
        level=np.array(builder.level, np.int8),
        output=np.cumsum([0, *map(len, builder.outputs)]).astype(np.int32),
        out_slot=np.array([slot for slot, _, _ in triples], np.int32),
        out_kind=np.array([kind for _, kind, _ in triples], np.uint8),
        out_type=np.array([kind for _, _, kind in triples], np.int32),
        slot_level=np.array(levels, np.int8),
        slot_choice=np.array(choice, np.bool_),
    )


def name_bounds(names: tuple[str, ...]) -> Int64Array:
    """Return where each of some names begins and ends when they are joined after one byte."""
    bounds = np.cumsum([1, *map(len, names)]).astype(np.int64)
    assert all(first < last for first, last in pairwise(bounds))
    return bounds
