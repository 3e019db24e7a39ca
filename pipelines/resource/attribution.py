"""Attribution: to which subscriptions the access points of a block belong at its instants."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipelines.resource.kernels import attribute as kernels
from rating.tariff_image import AccessIndex
from schemas.arrays import BoolArray, Int32Array, Int64Array, UInt8Array, UInt64Array


@dataclass(frozen=True, slots=True)
class Attribution:
    """The first owner of each of n rows.

    Attributes:
        subscription, access_point: (n,) ids, -1 where nobody owns it.
        answer: (n,) uint8 of the attribution kernel.
    """

    subscription: Int32Array
    access_point: Int32Array
    answer: UInt8Array


@dataclass(frozen=True, slots=True)
class Owners:
    """All k owners of some rows, in the order of rows, then of branches.

    Attributes:
        row: (k,) row of the block. branch: (k,) 0.. within the row. subscription, access_point: (k,) ids.
    """

    row: Int64Array
    branch: UInt8Array
    subscription: Int32Array
    access_point: Int32Array


def attribute(
    access: AccessIndex, access_hi: UInt64Array, access_lo: UInt64Array, instant: Int64Array, candidate: BoolArray
) -> Attribution:
    """Return the first owner of each access point at its instant, all (n,)."""
    n = len(access_hi)
    found = Attribution(np.empty(n, np.int32), np.empty(n, np.int32), np.empty(n, np.uint8))
    kernels.attribute(
        access.slots,
        access.windows,
        access_hi,
        access_lo,
        instant,
        candidate,
        found.subscription,
        found.access_point,
        found.answer,
    )
    return found


def owners_of(
    access: AccessIndex,
    access_hi: UInt64Array,
    access_lo: UInt64Array,
    instant: Int64Array,
    rows: Int64Array,
    found: Attribution,
) -> Owners:
    """Return every owner of the rows `rows`, which `found` says have one: a second look only where any is shared."""
    if len(rows) == len(found.answer):  # all of them: nothing to choose, nothing to copy
        if not (found.answer == kernels.SHARED).any():
            return Owners(rows, np.zeros(len(rows), np.uint8), found.subscription, found.access_point)
    elif not (found.answer[rows] == kernels.SHARED).any():
        return Owners(rows, np.zeros(len(rows), np.uint8), found.subscription[rows], found.access_point[rows])
    room = 2 * len(rows)
    while True:
        owners = Owners(
            np.empty(room, np.int64), np.empty(room, np.uint8), np.empty(room, np.int32), np.empty(room, np.int32)
        )
        count = kernels.fan_out(
            access.slots,
            access.windows,
            access_hi,
            access_lo,
            instant,
            rows,
            owners.row,
            owners.branch,
            owners.subscription,
            owners.access_point,
        )
        if count <= room:
            return Owners(
                owners.row[:count], owners.branch[:count], owners.subscription[:count], owners.access_point[:count]
            )
        room = int(count)
