"""Usage for `octroi bench store`: rated items as the account stage hands them on, drawn from a seed, and their recount.

A month of a telephone company: each account has one subscription, one access point and one wallet, and records come in the
order of time, one ingest day after the other. Any insert can be made again by its number, so that the recount reads no store.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
from numba import njit

from benchmarks.generate.draws import below, bits, draw
from schemas.arrays import Int32Array, Int64Array, UInt8Array, UInt16Array
from schemas.cdr import ATTRIBUTE_SLOTS, BlockPosition
from schemas.edr import EdrBlock
from schemas.output import BlockHeader, OutputBlock
from schemas.rated_item import WALLET_NONE, RatedBlock
from schemas.rejection import REJECTION_SCHEMA
from sinks.clickhouse.tables.dimensions import DIMENSIONS

DAY_US = 86_400_000_000
START_US = 1_790_899_200_000_000
"""2026-10-02T00:00:00Z: 50 million rows go on to the end of the month."""
ROWS_PER_DAY = 1_666_667
"""Rows of one ingest day: 50 million are a month of 30 days. Usage is of the day before."""
STEP_US = DAY_US // ROWS_PER_DAY
BLOCK_ROWS, BLOCKS = 65_536, 8
INSERT_ROWS = BLOCK_ROWS * BLOCKS
"""Rows of one write: what a busy session flushes at once."""
ROWS_PER_ACCOUNT = 100
POOL = 1 << 20
"""Different pieces of usage: inserts begin at different places of them."""
OPENING = 1_000_000_000_000
_CHARGES = ("voice-national", "voice-mobile", "voice-abroad", "data-home", "data-roaming", "sms")
_TYPE_OF = np.array([0, 0, 0, 1, 1, 2], np.uint16)
_SHARE = np.array([30, 60, 64, 86, 90, 100])
"""Of 100 records, how many are of a charge or of one before it."""
_PRICE = np.array([500_000, 1_500_000, 12_000_000, 2, 50, 90_000_000], np.int64)
"""Billionths of a euro for a second, a kilobyte or a message."""
_UNITS = ("s", "kB", "piece")


@njit(cache=True, nogil=True)
def _draw_down(balances: Int64Array, account: Int32Array, amount: Int64Array, after: Int64Array) -> None:
    for row in range(len(account)):
        left = balances[account[row]] - amount[row]
        balances[account[row]] = left
        after[row] = left


@dataclass
class Usage:
    """So many rated items, made insert by insert, in order."""

    rows: int
    seed: int
    accounts: int
    _charge: UInt8Array = field(init=False)
    _quantity: Int64Array = field(init=False)
    _rounded: Int64Array = field(init=False)
    _amount: Int64Array = field(init=False)
    _balances: Int64Array = field(init=False)

    def __post_init__(self) -> None:
        """Draw the pool."""
        index = np.arange(2 * POOL) % POOL  # twice, so that an insert is a slice wherever it begins
        word = draw(self.seed, 1, index)
        self._charge = np.searchsorted(_SHARE, bits(word, 0, 31) % 100, side="right").astype(np.uint8)
        kind = _TYPE_OF[self._charge]
        size = 1 + (bits(word, 32, 12) * bits(word, 44, 12) >> 12)  # 1 to 4096, mostly little
        self._quantity = np.where(kind == 1, size * 37, np.where(kind == 0, size, 1))
        self._rounded = np.where(kind == 0, -(-self._quantity // 60) * 60, self._quantity)
        free = bits(word, 57, 7) < 32  # a quarter is covered by what the plan includes
        self._amount = np.where(free, 0, self._rounded * _PRICE[self._charge])
        self._balances = np.full(self.accounts, OPENING, np.int64)

    @property
    def inserts(self) -> int:
        """How many writes there are."""
        return -(-self.rows // INSERT_ROWS)

    def writes(self) -> Iterator[list[OutputBlock]]:
        """Yield the blocks of one write after the other. To be called once: balances go on."""
        for number in range(self.inserts):
            yield self._write(number)

    def _write(self, number: int) -> list[OutputBlock]:
        count = min(INSERT_ROWS, self.rows - number * INSERT_ROWS)
        account, event_at, taken = self.drawn(number)
        amount = self._amount[taken]
        after = np.empty(count, np.int64)
        _draw_down(self._balances, account, amount, after)
        return [
            self._block(number, block, account, event_at, slice(taken.start, taken.stop), after)
            for block in range(-(-count // BLOCK_ROWS))
        ]

    def drawn(self, number: int) -> tuple[Int32Array, Int64Array, slice]:
        """Return of one write who used something, when, and which pieces of the pool."""
        first = number * INSERT_ROWS
        index = np.arange(first, min(first + INSERT_ROWS, self.rows))
        word = draw(self.seed, 2, index)
        account = below(word, self.accounts).astype(np.int32)
        event_at = START_US + index * STEP_US + bits(word, 0, 30)  # up to 18 minutes late
        start = int(draw(self.seed, 3, np.array([number]))[0] % np.uint64(POOL))
        return account, event_at, slice(start, start + len(index))

    def pool(self, taken: slice) -> tuple[UInt8Array, Int64Array, Int64Array]:
        """Return (charge, quantity, amount) of pieces of the pool."""
        return self._charge[taken], self._quantity[taken], self._amount[taken]

    def received_at(self, number: int) -> int:
        """Return when a write was journaled: in the day after that of its usage."""
        day = number * INSERT_ROWS // ROWS_PER_DAY
        return START_US + (day + 1) * DAY_US + number * 1_000_000

    def _block(
        self, number: int, block: int, account: Int32Array, event_at: Int64Array, taken: slice, after: Int64Array
    ) -> OutputBlock:
        rows = slice(block * BLOCK_ROWS, min((block + 1) * BLOCK_ROWS, len(account)))
        pool = slice(taken.start + rows.start, taken.start + rows.stop)
        account, count = account[rows], rows.stop - rows.start
        charge, quantity, amount = self._charge[pool], self._quantity[pool], self._amount[pool]
        claim, zeros = number + 2, np.zeros(count, np.uint8)
        edrs = EdrBlock(
            position=BlockPosition(claim, block, rows.start),
            record=np.arange(rows.start, rows.stop, dtype=np.int64),
            branch=zeros,
            event_at=event_at[rows],
            span_s=np.zeros(count, np.int64),
            quantity=quantity,
            event_type=_TYPE_OF[charge],
            attributes=_NO_ATTRIBUTES[:count],
            access_point=account,
            subscription=account,
        )
        moved = amount != 0
        rated = RatedBlock(
            reason=_NO_REASON[:count],
            charge_version=charge.astype(np.int32),
            rated_quantity=self._rounded[pool],
            counter_before=np.where(moved, 0, after[rows] & 0xFFFFFF),
            tier=moved.astype(np.uint8),
            band=(event_at[rows] // 43_200_000_000 & 1).astype(np.uint8),
            amount=amount,
            wallet=np.where(moved, account, WALLET_NONE).astype(np.int32),
            balance_hi=np.where(moved, after[rows] >> 63, 0),
            balance_lo=np.where(moved, after[rows], 0).view(np.uint64),
            split_row=_NOTHING,
            split_wallet=_NOTHING.astype(np.int32),
            split_amount=_NOTHING,
            split_balance_hi=_NOTHING,
            split_balance_lo=_NOTHING.view(np.uint64),
        )
        header = BlockHeader(
            claim=claim,
            block=block,
            first_record=rows.start,
            tenant="bench",
            source=0,
            image=0,
            received_at=self.received_at(number),
            retry=False,
            received=count,
            accepted=count,
            absorbed=0,
            duplicate=0,
            superseded=0,
            filtered=0,
            rejected=0,
            parked=0,
            edrs=count,
            rated=count,
            unrated=0,
            cancelled=0,
            usage_rows=count,
            operation_rows=0,
            rejection_rows=0,
            quantity=int(quantity.sum()),
            amounts={0: int(amount.sum())},
        )
        return OutputBlock(header, edrs, account, rated, _REFUSED)


_NO_ATTRIBUTES = np.zeros((BLOCK_ROWS, ATTRIBUTE_SLOTS), np.int32)
_NO_REASON: UInt16Array = np.zeros(BLOCK_ROWS, np.uint16)
_NOTHING: Int64Array = np.zeros(0, np.int64)
_REFUSED = pa.RecordBatch.from_pylist([], REJECTION_SCHEMA)


def names(usage: Usage) -> dict[str, pa.Table]:
    """Return what the ids of the usage stand for, by dimension."""
    count, charges = usage.accounts, len(_CHARGES)
    number = pa.array([f"{index:08d}" for index in range(count)])
    start = [START_US - 30 * DAY_US] * charges
    columns: dict[str, dict[str, Any]] = {
        "dim_account": {"code": number, "currency": pa.array(["EUR"] * count)},
        "dim_subscription": {"code": number, "account": np.arange(count), "offer": pa.array(["basic"] * count)},
        "dim_access_point": {"code": pa.array([f"336{index:08d}" for index in range(count)])},
        "dim_charge_version": {
            "code": [f"{charge}/{charge}@2026-09-01T00:00:00Z#00000000" for charge in _CHARGES],
            "charge": list(_CHARGES),
            "price_plan": list(_CHARGES),
            "version_start": start,
            "model": ["flat"] * charges,
            "event_type": [("voice", "data", "sms")[kind] for kind in _TYPE_OF],
            "unit": [_UNITS[kind] for kind in _TYPE_OF],
            "step_count": [1] * charges,
            "currency": ["EUR"] * charges,
        },
        "dim_source": {"code": ["calls"]},
        "dim_event_type": {"code": ["voice", "data", "sms"], "unit": list(_UNITS), "step_count": [1] * 3},
        "dim_wallet": {
            "code": pa.array(["principal"] * count),
            "account": np.arange(count),
            "prepaid": np.zeros(count, np.uint8),
        },
        "dim_currency": {"code": ["EUR"]},
        "dim_image": {"code": ["c0ffee"], "claim": [1], "at": [START_US]},
    }
    return {name: _dimension(name, given) for name, given in columns.items()}


def _dimension(name: str, given: dict[str, Any]) -> pa.Table:
    schema = DIMENSIONS[name].schema
    arrays = {column: pa.array(values).cast(schema.field(column).type) for column, values in given.items()}
    length = len(next(iter(arrays.values())))
    return pa.table({"id": pa.array(np.arange(length), pa.uint32()), **arrays}).select(schema.names)


@dataclass(frozen=True)
class Expected:
    """What the usage comes to, counted by NumPy: (accounts, charges) each; `amount` in billionths."""

    items: Int64Array
    quantity: Int64Array
    amount: Int64Array

    @property
    def totals(self) -> tuple[int, int, int]:
        """Items, quantity and amount of everything."""
        return int(self.items.sum()), int(self.quantity.sum()), int(self.amount.sum())


def recount(usage: Usage, start_us: int, end_us: int) -> Expected:
    """Return what usage of [start_us, end_us) comes to, by account and charge, from the draws alone."""
    cells = usage.accounts * len(_CHARGES)
    items, quantity, amount = (np.zeros(cells, np.int64) for _ in range(3))
    for number in range(usage.inserts):
        account, event_at, taken = usage.drawn(number)
        charge, steps, money = usage.pool(taken)
        within = np.flatnonzero((event_at >= start_us) & (event_at < end_us))
        if not len(within):
            continue
        account, charge, steps, money = account[within], charge[within], steps[within], money[within]
        cell = account.astype(np.int64) * len(_CHARGES) + charge
        order = np.argsort(cell, kind="stable")
        cell, steps, money = cell[order], steps[order], money[order]
        first = np.flatnonzero(np.r_[True, cell[1:] != cell[:-1]])
        items[cell[first]] += np.diff(np.r_[first, len(cell)])
        quantity[cell[first]] += np.add.reduceat(steps, first)
        amount[cell[first]] += np.add.reduceat(money, first)
    shape = (usage.accounts, len(_CHARGES))
    return Expected(items.reshape(shape), quantity.reshape(shape), amount.reshape(shape))
