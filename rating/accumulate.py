"""Accumulators: a pass of its own over what was rated, so that rating knows nothing of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from rating.following import Moved
from rating.image_derived import with_derived
from rating.kernels.accumulate import locate_growths, raise_accumulators
from rating.kernels.layout import (
    ATTRIBUTE_SLOTS,
    LOOKUP_SLOTS,
    OFFER,
    SAID_COLUMNS,
    VALUE_SLOTS,
    VERSION_ID,
    Tariff,
)
from rating.state import AccountState
from rating.tariff_image import TariffImage
from schemas.arrays import Int32Array, Int64Array
from schemas.edr import EdrBlock
from schemas.rated_item import Growths, RatedBlock, usage_of

NOTHING_SAID: Int32Array = np.zeros((0, SAID_COLUMNS), np.int32)
"""Of usage by which nothing is counted."""


def accumulate(edrs: EdrBlock, rated: RatedBlock, image: TariffImage, state: AccountState) -> Growths | None:
    """Let accumulators grow by a block that was rated, in order, updating `state`; None where the image has none.

    Args:
        edrs: each once, however many items it has.
    """
    if image.accumulators is None:
        return None
    edrs = usage_of(edrs, rated.items)
    rows = np.flatnonzero(rated.reason == 0)
    found = find_growths(
        rows,
        edrs.event_at,
        edrs.subscription,
        rated.charge_version,
        rated.rated_quantity,
        rated.amount,
        said_by(edrs, image),
        image,
    )
    grown = np.empty(len(found.row), np.bool_)
    raise_accumulators(
        found.slot,
        found.period,
        found.by,
        state.accumulated,
        state.accumulated_period,
        found.before_hi,
        found.before_lo,
        grown,
    )
    state.touched(Moved(accumulators=found.slot))
    return found if grown.all() else found.take(np.flatnonzero(grown))


def find_growths(
    rows: Int64Array,
    event_at: Int64Array,
    subscription: Int32Array,
    charge_version: Int32Array,
    rated_quantity: Int64Array,
    amount: Int64Array,
    said: Int32Array,
    image: TariffImage,
) -> Growths:
    """Return which accumulators the rated items at `rows`, ascending, grow by an image; what was before is left at zero.

    Args:
        event_at .. amount: with a value for every one of `rows`, of items that the image rated. said: of `said_by`.
    """
    tables = image.accumulators
    if tables is None:
        return no_growths(0)
    tariff = image.tariff
    version = rows_of_versions(tariff)[charge_version[rows]]
    offer = tariff.subscription_row[subscription[rows], OFFER]
    count = int((np.diff(tables.version_ptr)[version] + np.diff(tables.offer_ptr)[offer]).sum(dtype=np.int64))
    found = no_growths(count)
    locate_growths(
        _column(rows, np.int64),
        _column(event_at, np.int64),
        _column(subscription, np.int32),
        version,
        _column(rated_quantity, np.int64),
        _column(amount, np.int64),
        _column(said, np.int32),
        tariff.subscription_row,
        tables,
        tariff.zone_ptr,
        tariff.zone_bucket,
        tariff.zone_instant,
        tariff.zone_offset,
        found.row,
        found.accumulator,
        found.slot,
        found.period,
        found.by,
    )
    return found


def asks_for_values(image: TariffImage) -> bool:
    """Return whether an accumulator of an image counts by a value of the usage."""
    return image.accumulators is not None and bool(image.accumulators.values.any())


def said_by(edrs: EdrBlock, image: TariffImage) -> Int32Array:
    """Return (n, SAID_COLUMNS) what accumulators count EDRs by: codes of attributes, then of lookups; (0, …) if by nothing."""
    if not asks_for_values(image):
        return NOTHING_SAID
    found = np.zeros((len(edrs), SAID_COLUMNS), np.int32)
    found[:, :ATTRIBUTE_SLOTS] = edrs.attributes
    if image.derived:
        found[:, ATTRIBUTE_SLOTS:] = with_derived(edrs, image.derived)[:, VALUE_SLOTS : VALUE_SLOTS + LOOKUP_SLOTS]
    return found


def rows_of_versions(tariff: Tariff) -> Int64Array:
    """Return the row of `version_row` by id of a charge version, -1 where the tariff does not have it."""
    names = tariff.version_row[: len(tariff.version_start), VERSION_ID]
    rows = np.full(int(names.max(initial=-1)) + 1, -1, np.int64)
    rows[names] = np.arange(len(names))
    return rows


def _column(array: np.ndarray[Any, Any], dtype: type) -> np.ndarray[Any, Any]:
    # a read-only or strided array would make numba compile the kernel once more
    return np.require(array, dtype, ["C", "W"])


def no_growths(count: int) -> Growths:
    """Return room for some growths."""
    return Growths(
        row=np.zeros(count, np.int64),
        accumulator=np.zeros(count, np.int32),
        slot=np.zeros(count, np.int32),
        period=np.zeros(count, np.int32),
        by=np.zeros(count, np.int64),
        before_hi=np.zeros(count, np.int64),
        before_lo=np.zeros(count, np.uint64),
    )
