"""Rated items and wallet operations: what the account stage makes of a block of EDRs."""

from __future__ import annotations

from dataclasses import dataclass, fields

from schemas.arrays import Int32Array, Int64Array, UInt8Array, UInt16Array, UInt64Array
from schemas.edr import EdrBlock, with_items

WALLET_SPLIT = -1
"""`RatedBlock.wallet` of an item paid by several wallets: its operations are in the split columns."""
WALLET_NONE = -2
"""`RatedBlock.wallet` of an item whose amount is zero, or that was refused: nothing moved."""


@dataclass(frozen=True, slots=True)
class Growths:
    """By what k steps accumulators grow, in the order of the items that they come from.

    Attributes:
        row: (k,) row of the item. accumulator: (k,) index in the image. slot: (k,) id in `Vocabulary.accumulators`.
        period: (k,) which period of it, number * 4 + kind. by: (k,) rated quantity or amount, below 0 when taken back.
        before_hi, before_lo: (k,) what it had before, 128 bits.
    """

    row: Int64Array
    accumulator: Int32Array
    slot: Int32Array
    period: Int32Array
    by: Int64Array
    before_hi: Int64Array
    before_lo: UInt64Array

    def take(self, places: Int64Array) -> Growths:
        """Return some of them."""
        return Growths(*(getattr(self, item.name)[places] for item in fields(self)))


@dataclass(frozen=True, slots=True)
class Triggered:
    """What n rows of an answer have to do with usage that other usage triggered.

    Attributes:
        usage: (n,) the usage that each prices. rest: (n,) what of its quantity a row leaves.
        by: (n,) 1 + the number of the item that triggered it, 0 for none. trigger: (n,) which of that item's charge's triggers.
        fault: (n, 2) event type and subscription of the triggered usage because of which an EDR is refused, -1 where it is not.
    """

    usage: EdrBlock
    rest: Int64Array
    by: UInt8Array
    trigger: UInt8Array
    fault: Int32Array


@dataclass(frozen=True, slots=True)
class ItemRows:
    """Which items the rows of a RatedBlock are, where an EDR may have several; those of one EDR follow one another.

    Attributes:
        row: (n,) row of the EDR in its block, ascending. number: (n,) which of its items, from 0; 0 where it is unrated.
        quantity: (n,) what of the usage's quantity it prices; all of it where it is unrated.
        triggered: what other usage triggered of them; None where no usage of the block may trigger any.
    """

    row: Int64Array
    number: UInt8Array
    quantity: Int64Array
    triggered: Triggered | None = None


def usage_of(edrs: EdrBlock, items: ItemRows | None) -> EdrBlock:
    """Return the usage that the rows of an answer to EDRs price, each with what of its quantity they do."""
    if items is None:
        return edrs
    return items.triggered.usage if items.triggered is not None else with_items(edrs, items.row, items.quantity)


@dataclass(frozen=True, slots=True)
class RatedBlock:
    """Answer to an EdrBlock, row for row (n), plus m wallet operations of split items.

    Attributes:
        reason: (n,) 0 when rated, else the `Reason` (>= 300) for which the EDR stays unrated; such a row moves nothing.
        charge_version: (n,) id in `Vocabulary.charge_versions`: the charge and the price plan version that priced it.
        rated_quantity: (n,) quantity after increments, below 0 when usage is taken back.
        counter_before: (n,) the counter's value before this item (0 without counter); of an unrated EDR, that of the counter
            whose ceiling is why, else 0.
        tier: (n,) index of the last tier that priced a part of it.
        band: (n,) index of the time band (0 without calendar).
        amount: (n,) billionths of the currency unit, below 0 when usage is taken back.
        wallet: (n,) wallet id that paid all of it, or WALLET_SPLIT, or WALLET_NONE.
        balance_hi, balance_lo: (n,) that wallet's balance afterwards, 128-bit two's complement billionths.
        split_row: (m,) row of the item, ascending.
        split_wallet, split_amount, split_balance_hi, split_balance_lo: (m,) its wallet operations in drawing order;
            `split_amount` > 0 is what was drawn.
        growths: of accumulators; None where the image has none, and of items that are taken back.
        items: what the rows are where an EDR may have several items; None where row i answers EDR i.
    """

    reason: UInt16Array
    charge_version: Int32Array
    rated_quantity: Int64Array
    counter_before: Int64Array
    tier: UInt8Array
    band: UInt8Array
    amount: Int64Array
    wallet: Int32Array
    balance_hi: Int64Array
    balance_lo: UInt64Array
    split_row: Int64Array
    split_wallet: Int32Array
    split_amount: Int64Array
    split_balance_hi: Int64Array
    split_balance_lo: UInt64Array
    growths: Growths | None = None
    items: ItemRows | None = None
