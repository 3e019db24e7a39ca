"""Virtual rating: usage priced by a catalog as it would be, in memory, without a data directory and without a trace.

What prices is what prices real usage: the catalog is compiled to a tariff image, and `rating.rate` rates block by block.
Counters begin empty, or where they are said to be; wallets begin with the opening balances of the catalog.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields, replace
from typing import Any, BinaryIO

import numpy as np

from apps.embedded.virtual_bill import VirtualBill
from apps.embedded.virtual_counters import CounterStart, set_counters
from apps.embedded.virtual_taxes import VirtualTaxes
from apps.embedded.virtual_usage import Refusal, UsageReader
from pipelines.account.stage import with_reserved
from rating.rate import rate
from rating.reference_block import Movement, ReferenceItem, ReferenceRater, ReferenceState
from rating.state import AccountState
from rating.tariff_image import TariffImage, compile_image
from rating.vocabulary import Vocabulary
from schemas.arrays import Int32Array, Int64Array
from schemas.catalog import Catalog
from schemas.edr import EdrBlock
from schemas.rated_item import WALLET_NONE, WALLET_SPLIT, RatedBlock, usage_of
from schemas.rejection import Reason

BLOCK_ROWS = 131_072


class TwinDiffers(Exception):
    """Kernels and twin do not say the same of a usage: a defect of octroi."""


@dataclass(frozen=True, slots=True)
class RatedUsage:
    """A block of EDRs in the order in which they were rated, one of several items for each, and what they cost.

    `due` has what is due on each rated one, as places in `VirtualTaxes.dues`; None in a catalog without taxes.
    """

    edrs: EdrBlock
    rated: RatedBlock
    due: Int64Array | None = None


@dataclass(slots=True)
class Sums:
    """Exact sums by id: how many items, and two quantities of theirs.

    Attributes:
        items: id: how many. first, second: id: sums of int64 values, as Python integers.
    """

    items: dict[int, int] = field(default_factory=dict)
    first: dict[int, int] = field(default_factory=dict)
    second: dict[int, int] = field(default_factory=dict)

    def add(self, ids: Int32Array, first: Int64Array, second: Int64Array) -> None:
        """Add one row per id, all (n,)."""
        names, place = np.unique(ids, return_inverse=True)
        for into, values in ((self.items, np.ones(len(ids), np.int64)), (self.first, first), (self.second, second)):
            high, low = np.zeros(len(names), np.int64), np.zeros(len(names), np.int64)
            np.add.at(high, place, values >> 32)
            np.add.at(low, place, values & 0xFFFFFFFF)
            for name, upper, lower in zip(names.tolist(), high.tolist(), low.tolist(), strict=True):
                into[name] = into.get(name, 0) + (upper << 32) + lower


class VirtualRating:
    """A catalog in force over counters and wallets of its own, and what has been rated so far.

    Attributes:
        records, refused: how many records of usage files were read; how many of them, or of their EDRs, were refused.
        by_charge, by_account: sums of rated items: rated quantities and amounts; amounts.
        taxes: what is due on them, None where the catalog has no taxes.
        bill: what accounts would pay, None where that is what items cost, there being neither taxes nor discounts.
    """

    def __init__(self, catalog: Catalog, *, counters: tuple[CounterStart, ...] = (), check: bool = False) -> None:
        """Compile a checked catalog.

        Args:
            catalog: what is sold and to whom. counters: where counters begin. check: let the twin rate everything as well.

        Raises:
            UnableToCompileImage: when the kernels cannot hold a document exactly.
            UnableToReadCounters: when there is no such counter.
        """
        self.catalog = catalog
        self.vocabulary = Vocabulary()
        self.image: TariffImage = compile_image(catalog, self.vocabulary)
        self.state = AccountState()
        self.state.grow(self.vocabulary)
        opening = self.image.opening_credits(0)
        self.state.credit(opening.wallet, opening.amount)
        self.state.allow(*self.image.overdrafts())
        twin_state = ReferenceState()
        self._twin = ReferenceRater(catalog, self.vocabulary, twin_state) if check else None
        set_counters(counters, catalog, self.vocabulary, self.state, twin_state)
        self.records = self.refused = 0
        self.by_charge, self.by_account = Sums(), Sums()
        self.taxes = VirtualTaxes(catalog) if catalog.has_taxes else None
        self.bill: VirtualBill | None = None
        if catalog.has_taxes or catalog.discount_plans:
            charges = {version.id: version.charge for version in self.image.charge_versions}
            self.bill = VirtualBill(catalog, self.vocabulary, charges, self.taxes)

    def reader(self, stream: BinaryIO, **terms: Any) -> UsageReader:
        """Return the reader of a usage file; `terms` are those of `UsageReader`."""
        return UsageReader(self.catalog, self.vocabulary, self.image.access, stream, **terms)

    def rate(self, reader: UsageReader) -> Iterator[list[Refusal] | RatedUsage]:
        """Yield the records that make no usage as the file is read, then all usage of it, rated in the order of events.

        Usage of one instant keeps the order of the file. All EDRs of the file are held, in 100 bytes each or so.

        Raises:
            TwinDiffers: when the twin rates another way.
        """
        blocks = []
        for block in reader.blocks():
            self.records += block.records
            self.refused += len(block.refusals)
            if block.refusals:
                yield block.refusals
            blocks.append(block.edrs)
        for edrs in _in_order(blocks):
            yield self._rate_block(edrs)

    def _rate_block(self, edrs: EdrBlock) -> RatedUsage:
        rated = with_reserved(rate(edrs, self.image, self.state), self.state)
        whole = edrs
        if rated.items is not None:
            edrs = usage_of(edrs, rated.items)
        if self._twin is not None:
            _compare(self._twin.rate(whole), rated, edrs, self.vocabulary)
        fine = rated.reason == 0
        self.refused += int(np.count_nonzero(~fine))
        account = np.take(self.account_of, edrs.subscription[fine])
        amount = rated.amount[fine]
        self.by_charge.add(rated.charge_version[fine], rated.rated_quantity[fine], amount)
        money = np.where(self.image.in_money(rated.charge_version[fine]), amount, 0)
        self.by_account.add(account, money, money)
        due = None if self.bill is None else self.bill.add(edrs, rated, np.flatnonzero(fine))
        return RatedUsage(edrs, rated, due)

    @property
    def account_of(self) -> Int32Array:
        """The account id of each subscription id."""
        return np.ascontiguousarray(self.image.tariff.subscription_row[:, 0])


def _in_order(blocks: list[EdrBlock]) -> Iterator[EdrBlock]:
    """Yield all EDRs by time, those of one instant as they came; blocks that are in order stay as they are."""
    blocks = [block for block in blocks if len(block)]
    latest = None
    for block in blocks:
        if (latest is not None and block.event_at[0] < latest) or (np.diff(block.event_at) < 0).any():
            break
        latest = block.event_at[-1]
    else:
        yield from blocks
        return
    joined = _joined(blocks)
    order = np.argsort(joined.event_at, kind="stable").astype(np.int64)
    for first in range(0, len(order), BLOCK_ROWS):
        rows = order[first : first + BLOCK_ROWS]
        columns: dict[str, Any] = {
            item.name: getattr(joined, item.name)[rows]
            for item in fields(joined)
            if item.name != "position" and getattr(joined, item.name) is not None
        }
        yield replace(joined, **columns)


def _joined(blocks: list[EdrBlock]) -> EdrBlock:
    """Return the EDRs of all blocks; they have values all or none, being of one file."""
    columns: dict[str, Any] = {
        item.name: np.concatenate([getattr(block, item.name) for block in blocks])
        for item in fields(EdrBlock)
        if item.name != "position" and getattr(blocks[0], item.name) is not None
    }
    return replace(blocks[0], **columns)


def _compare(expected: list[ReferenceItem], rated: RatedBlock, edrs: EdrBlock, vocabulary: Vocabulary) -> None:
    """Raise unless the kernels said what the twin says, balances included."""
    for row, item in enumerate(expected):
        number = 0 if rated.items is None else int(rated.items.number[row])
        found = replace(
            _item(rated, row, vocabulary, int(edrs.quantity[row]), number),
            triggered=_triggered(rated, row, edrs, vocabulary),
        )
        if found != item:
            raise TwinDiffers(
                f"record {int(edrs.record[row])}: the kernels say {found}, the twin says {item}; nothing else was rated"
            )


def _triggered(rated: RatedBlock, row: int, edrs: EdrBlock, vocabulary: Vocabulary) -> tuple[str, str, int] | None:
    triggered = None if rated.items is None else rated.items.triggered
    if triggered is None or triggered.by[row] == 0:
        return None
    event_type = vocabulary.event_types.name(int(edrs.event_type[row]))
    return event_type, vocabulary.subscriptions.name(int(edrs.subscription[row])), int(triggered.by[row]) - 1


def _item(rated: RatedBlock, row: int, vocabulary: Vocabulary, quantity: int, number: int) -> ReferenceItem:
    """Return what the kernels say of one item, in the twin's words."""
    wallet, version = int(rated.wallet[row]), int(rated.charge_version[row])
    parts: list[tuple[int, int, int, int]] = []
    if wallet == WALLET_SPLIT:
        parts = [
            tuple(
                int(column[part])
                for column in (rated.split_wallet, rated.split_amount, rated.split_balance_hi, rated.split_balance_lo)
            )  # type: ignore[misc]
            for part in np.flatnonzero(rated.split_row == row)
        ]
    elif wallet != WALLET_NONE:
        parts = [(wallet, int(rated.amount[row]), int(rated.balance_hi[row]), int(rated.balance_lo[row]))]
    return ReferenceItem(
        reason=Reason(int(rated.reason[row])),
        charge_version=vocabulary.charge_versions.name(version) if version >= 0 else None,
        rated_quantity=int(rated.rated_quantity[row]),
        counter_before=int(rated.counter_before[row]),
        tier=int(rated.tier[row]),
        band=int(rated.band[row]),
        amount=int(rated.amount[row]),
        movements=tuple(
            Movement(vocabulary.wallets.name(name), amount, (high << 64) | low) for name, amount, high, low in parts
        ),
        quantity=quantity,
        number=number,
    )
