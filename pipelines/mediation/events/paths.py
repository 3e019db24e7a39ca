"""Compile dotted paths into a tree that the JSON kernel follows key by key."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipelines.mediation.failures import UnableToCompileSource
from pipelines.mediation.tables import ValueTable, hash_table
from rating.kernels.hashing import hash128_bytes
from schemas.arrays import BoolArray, Int32Array


@dataclass(frozen=True, slots=True)
class PathTree:
    """Paths as nodes; node 0 is the whole event.

    Attributes:
        table: hash of (parent node, key) -> node.
        node_slot: (k,) slot of a node that is a configured path, else -1.
        covers: (k, f) whether slot f is at or below node k.
    """

    table: ValueTable
    node_slot: Int32Array
    covers: BoolArray


def compile_paths(paths: tuple[str, ...]) -> PathTree:
    """Return the tree of `paths`; path number i has slot i. A dot always separates keys.

    Raises:
        UnableToCompileSource: when a path has an empty part.
    """
    nodes: dict[tuple[int, str], int] = {}
    ends: list[list[int]] = []
    for path in paths:
        parts = path.split(".")
        if not all(parts):
            raise UnableToCompileSource(f"mapping: {path!r} is not a path; write names joined by single dots")
        node, trail = 0, [0]
        for part in parts:
            node = nodes.setdefault((node, part), len(nodes) + 1)
            trail.append(node)
        ends.append(trail)
    node_slot = np.full(len(nodes) + 1, -1, np.int32)
    covers = np.zeros((len(nodes) + 1, len(paths)), np.bool_)
    for slot, trail in enumerate(ends):
        node_slot[trail[-1]] = slot
        covers[trail, slot] = True
    table = hash_table({hash128_bytes(key.encode(), parent, 0): node for (parent, key), node in nodes.items()})
    return PathTree(table, node_slot, covers)
