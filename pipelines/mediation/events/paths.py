"""Compile dotted paths into a tree that the JSON kernel follows key by key."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from pipelines.mediation.extract import PADDING
from pipelines.mediation.failures import UnableToCompileSource
from pipelines.mediation.kernels.json_objects import key_place
from schemas.arrays import BoolArray, Int32Array, Int64Array, UInt8Array

ITEMS_MAX = 1024
"""Items of an array that a path can name: 0 to 1023."""


@dataclass(frozen=True, slots=True)
class PathTree:
    """Paths as nodes; node 0 is the whole event.

    Attributes:
        keys, names: the table of `kernels.json_objects.walk_objects`.
        node_slot: (k,) slot of a node that is a configured path, else -1.
        covers: (k, f) whether slot f is at or below node k.
        item_ptr: (k + 1,), item_node: (i,) the node of each item of an array at a node, -1 for none.
    """

    keys: Int64Array
    names: UInt8Array
    node_slot: Int32Array
    covers: BoolArray
    item_ptr: Int32Array
    item_node: Int32Array


def compile_paths(paths: tuple[str, ...]) -> PathTree:
    """Return the tree of `paths`; path number i has slot i. A dot always separates keys; a number is an array's item, too.

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
    return _key_table(nodes, node_slot, covers)


def _key_table(nodes: dict[tuple[int, str], int], node_slot: Int32Array, covers: BoolArray) -> PathTree:
    capacity = 1 << max(1, (4 * len(nodes)).bit_length())
    keys = np.full((capacity, 5), -1, np.int64)
    names = bytearray()
    for (parent, key), node in nodes.items():
        data = key.encode()
        word = int.from_bytes(data[:8], "little")
        place = int(key_place(np.uint64(word), len(data), parent)) & (capacity - 1)
        while keys[place, 3] >= 0:
            place = (place + 1) & (capacity - 1)
        keys[place] = int(np.uint64(word).astype(np.int64)), len(data), parent, node, len(names)
        names += data
    padded = np.frombuffer(names + bytes(PADDING), np.uint8)
    return PathTree(keys, padded, node_slot, covers, *_items(nodes, len(node_slot)))


def _items(nodes: dict[tuple[int, str], int], count: int) -> tuple[Int32Array, Int32Array]:
    """Return (item_ptr, item_node): where a path goes on from an array."""
    items: list[dict[int, int]] = [{} for _ in range(count)]
    for (parent, key), node in nodes.items():
        if re.fullmatch("0|[1-9][0-9]{0,3}", key, re.ASCII) and int(key) < ITEMS_MAX:
            items[parent][int(key)] = node
    rows = [[found.get(place, -1) for place in range(max(found, default=-1) + 1)] for found in items]
    return np.cumsum([0, *map(len, rows)]).astype(np.int32), np.array([node for row in rows for node in row], np.int32)
