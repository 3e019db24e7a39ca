"""Trees of usage: each usage of a block followed by what it may trigger, whichever of it there will be."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from rating.image_triggers import TriggerTables, named_by, trigger_sources
from rating.kernels.layout import OFFER, WALLET_COUNT
from rating.tariff_image import TariffImage
from schemas.arrays import BoolArray, Int32Array, Int64Array, UInt8Array
from schemas.catalog import Catalog
from schemas.edr import EdrBlock, pick_edrs, select_edrs
from schemas.rated_item import ItemRows, Triggered
from schemas.trigger import TRIGGER_DEPTH_MAX
from schemas.values import VALUE_ABSENT


@dataclass(frozen=True, slots=True)
class Trees:
    """A block of n usages of which m rows may come.

    Attributes:
        edrs: the m rows. root: (m,) row of the usage in its block.
        parent: (m,) row, of these, that may trigger it, -1 for none.
        by: (m,) candidate whose item triggers it. trigger: (m,) which trigger.
        need: (m, 2) how many items, and parts of items that several wallets pay, the tree of a root may come to.
        rows_max: of one tree.
    """

    edrs: EdrBlock
    root: Int64Array
    parent: Int64Array
    by: Int32Array
    trigger: Int32Array
    need: Int64Array
    rows_max: int


def trees_of(edrs: EdrBlock, image: TariffImage) -> Trees | None:
    """Return the trees of a block, None where none of its usage may trigger any."""
    if image.triggers is None or not len(edrs):
        return None
    tables = image.triggers
    level = np.arange(len(edrs), dtype=np.int64)  # rows of the level at hand, among all rows found so far
    of, parent, by, trigger = level, np.full(len(edrs), -1), np.full(len(edrs), -1), np.full(len(edrs), -1)
    path = np.zeros((len(edrs), TRIGGER_DEPTH_MAX + 1), np.int64)
    path[:, 0] = level
    event_type, subscription = edrs.event_type.astype(np.int64), edrs.subscription.astype(np.int64)
    attributes = edrs.attributes
    for depth in range(1, TRIGGER_DEPTH_MAX + 1):
        cell = _cells(event_type[level], subscription[level], image)
        first = np.where(cell >= 0, tables.cell_ptr[np.maximum(cell, 0)], 0)
        count = np.where(cell >= 0, tables.cell_ptr[np.maximum(cell, 0) + 1] - first, 0)
        if not count.any():
            break
        source = np.repeat(level, count)
        nth = np.arange(len(source)) - np.repeat(np.cumsum(count) - count, count)
        pair = np.repeat(first, count) + nth
        what = tables.trigger[pair]
        more = path[source].copy()
        more[:, depth] = nth + 1
        slot = tables.source[what]
        said = np.take_along_axis(attributes[source], np.maximum(slot, 0), axis=1)
        other = _others(what, attributes[source], tables)
        level = len(of) + np.arange(len(source))
        of, parent = np.concatenate([of, of[source]]), np.concatenate([parent, source])
        by, trigger = np.concatenate([by, tables.candidate[pair]]), np.concatenate([trigger, what])
        path = np.concatenate([path, more])
        event_type = np.concatenate([event_type, tables.event_type[what]])
        subscription = np.concatenate([subscription, np.where(other < 0, subscription[source], other)])
        attributes = np.concatenate([attributes, np.where(slot < 0, 0, said).astype(np.int32)])
    if len(of) == len(edrs):
        return None
    order = np.lexsort(path.T[::-1])
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    parent = np.where(parent < 0, -1, place[np.maximum(parent, 0)])[order]
    made = parent >= 0
    whole = replace(
        select_edrs(edrs, of[order]),
        event_type=event_type[order].astype(np.uint16),
        subscription=subscription[order].astype(np.int32),
        attributes=np.ascontiguousarray(attributes[order]),
    )
    if whole.values is not None:
        whole.values[made] = VALUE_ABSENT
    whole.quantity[made] = 0
    roots = np.flatnonzero(~made)
    need = _needs(whole, roots, image)
    rows_max = int(np.diff(np.append(roots, len(made))).max())
    return Trees(whole, of[order], parent, by[order].astype(np.int32), trigger[order].astype(np.int32), need, rows_max)


def item_rows(
    row: Int64Array, quantity: Int64Array, quantities: Int64Array, origin: Int64Array, trees: Trees, image: TariffImage
) -> ItemRows:
    """Return which item of which EDR each row of an answer is, and what triggered its usage.

    Args:
        row: (n,) of the m rows of the trees, and quantity: (n,) what each row of the answer prices of it.
        quantities: (m,) of all usage. origin: (m,) as in `layout.Trees`.
    """
    assert image.triggers is not None
    root, origin, whole = trees.root[row], origin[row], trees.edrs
    number = np.arange(len(row)) - np.searchsorted(root, root)
    made = trees.parent[row] >= 0
    by = np.where(made, 1 + number[np.where(made, origin, 0)], 0)
    trigger = np.where(made, image.triggers.place[trees.trigger[row]], 0)
    faulty = ~made & (origin >= 0)
    at = np.where(faulty, origin, 0)
    fault = np.where(faulty[:, None], np.stack([whole.event_type[at], whole.subscription[at]], axis=1), -1)
    triggered = Triggered(
        pick_edrs(whole, row, quantity),
        quantities[row] - quantity,
        by.astype(np.uint8),
        trigger.astype(np.uint8),
        fault.astype(np.int32),
    )
    return ItemRows(root, number.astype(np.uint8), quantity, triggered)


def may_trigger(edrs: EdrBlock, image: TariffImage) -> BoolArray:
    """Return (n,) which EDRs a charge might price that triggers other usage."""
    if image.triggers is None:
        return np.zeros(len(edrs), np.bool_)
    cell = _cells(edrs.event_type.astype(np.int64), edrs.subscription.astype(np.int64), image)
    triggers = np.append(np.diff(image.triggers.cell_ptr) > 0, [False])
    found: BoolArray = triggers[cell]  # without a cell the last one
    return found


class Tree(NamedTuple):
    """What n rated items of EDRs, whole and one after the other, are to each other.

    Attributes:
        item: (n,) which of its EDR's items each is. by: (n,) 1 + the one that triggered its usage, 0 for none; trigger: (n,)
            which of the triggers of that one's charge did. version: (n,) charge version ids.
    """

    item: UInt8Array
    by: UInt8Array
    trigger: UInt8Array
    version: Int32Array


def with_triggered(attributes: Int32Array, tree: Tree, image: TariffImage, catalog: Catalog) -> Int32Array:
    """Return the attributes of the usage of items by an image and its catalog: triggered usage has them of what triggered it.

    Args:
        attributes: (n, ATTRIBUTE_SLOTS), those of usage that was triggered do not matter.
    """
    found = attributes.copy()
    left = np.flatnonzero(tree.by)
    if not len(left):
        return found
    parent = left - tree.item[left].astype(np.int64) + tree.by[left] - 1
    charge_of = {version.id: catalog.charges[version.charge] for version in image.charge_versions}
    pairs, which = np.unique(np.stack([tree.version[parent], tree.trigger[left]], axis=1), axis=0, return_inverse=True)
    charges = [(charge_of[version], charge_of[version].triggers[trigger]) for version, trigger in pairs.tolist()]
    sources = np.array([trigger_sources(*charge, catalog) for charge in charges], np.int64)[which.reshape(-1)]
    for _ in range(TRIGGER_DEPTH_MAX):  # each time one more in a row is what it is to be
        said = np.take_along_axis(found[parent], np.maximum(sources, 0), axis=1)
        found[left] = np.where(sources < 0, 0, said)
    return found


def triggering(image: TariffImage, subscriptions: Int32Array) -> Int32Array:
    """Return the subscriptions of which usage may trigger usage of any of some, (k,), by an image; not those themselves."""
    found = np.zeros(len(image.tariff.subscription_row), np.bool_)
    if image.triggers is None:
        return np.zeros(0, np.int32)
    found[subscriptions[subscriptions < len(found)]] = True
    pairs = named_by(image.triggers, int(image.tariff.event_types[0]))
    for _ in range(TRIGGER_DEPTH_MAX):
        offers = pairs[found[pairs[:, 1]], 0]
        found |= np.isin(image.tariff.subscription_row[:, OFFER], offers)
    return np.flatnonzero(found).astype(np.int32)


def _others(trigger: Int32Array, attributes: Int32Array, tables: TriggerTables) -> Int64Array:
    """Return (k,) the subscription of what each trigger makes of usage with attributes, -1 for the same one."""
    other = tables.subscription[trigger].astype(np.int64)
    if not len(tables.choice):
        return other
    slot = tables.by[trigger]
    code = np.take_along_axis(attributes, np.maximum(slot, 0)[:, None], axis=1)[:, 0]
    keys, wanted = tables.choice[:, 0] << 32 | tables.choice[:, 1], trigger.astype(np.int64) << 32 | code
    place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where((slot >= 0) & (keys[place] == wanted), tables.choice[place, 2], other)


def _cells(event_type: Int64Array, subscription: Int64Array, image: TariffImage) -> Int64Array:
    """Return (k,) the cells of usage, -1 where it has none."""
    types = int(image.tariff.event_types[0])
    offer = image.tariff.subscription_row[np.maximum(subscription, 0), OFFER].astype(np.int64)
    known = (subscription >= 0) & (offer >= 0) & (event_type < types)
    return np.where(known, offer * types + event_type, -1)


def _needs(edrs: EdrBlock, roots: Int64Array, image: TariffImage) -> Int64Array:
    cell = _cells(edrs.event_type.astype(np.int64), edrs.subscription.astype(np.int64), image)
    at = np.maximum(cell, 0)
    candidates = np.where(cell >= 0, image.tariff.cell_ptr[at + 1] - image.tariff.cell_ptr[at], 0)
    items = np.maximum(candidates, 1)
    wallets = image.tariff.subscription_row[np.maximum(edrs.subscription, 0), WALLET_COUNT]
    need = np.zeros((len(edrs), 2), np.int64)
    need[roots, 0] = np.add.reduceat(items, roots)
    need[roots, 1] = np.add.reduceat(items * wallets, roots)
    return need
