"""Seeded output blocks whose wallets add up, and what a store must say after them. No part of the product."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa

from schemas.cdr import BlockPosition
from schemas.edr import EdrBlock, pack
from schemas.output import BlockHeader, OutputBlock, ReversalBlock
from schemas.rated_item import WALLET_NONE, WALLET_SPLIT, RatedBlock
from schemas.rejection import REJECTION_SCHEMA, Outcome, Reason, Stage
from schemas.wallets import WalletMovement
from sinks.clickhouse.tables.dimensions import DIMENSIONS

DAY_US = 86_400_000_000
START_US = 1_790_000_000_000_000  # 2026-09-21T14:13:20Z
ACCOUNTS = 40
OPENING = 500_000_000


def halves(value: int) -> tuple[int, int]:
    """Return a 128-bit integer as (signed high, unsigned low) words."""
    return value >> 64, value & (2**64 - 1)


@dataclass
class Totals:
    """What was put in, counted by plain Python integers."""

    usage: int = 0
    operations: int = 0
    rejections: int = 0
    quantity: int = 0
    amount: int = 0
    received: int = 0


@dataclass
class Ledger:
    """Makes blocks one after the other; account a has wallet 2a (prepaid, drawn first) and 2a + 1 (postpaid)."""

    seed: int
    tenant: str = "acme"
    balances: dict[int, int] = field(default_factory=dict)
    totals: Totals = field(default_factory=Totals)

    def credits(self, claim: int, at: int = START_US) -> list[WalletMovement]:
        """Credit every prepaid wallet."""
        found = []
        for account in range(ACCOUNTS):
            wallet = 2 * account
            self.balances[wallet] = self.balances.get(wallet, 0) + OPENING
            found.append(WalletMovement(claim, account, account, wallet, OPENING, self.balances[wallet], at))
        return found

    def block(
        self, claim: int, number: int, rows: int = 50, *, refused: int = 3, unrated: int = 2, at: int = START_US
    ) -> OutputBlock:
        """Return the next block: `rows` EDRs of which `unrated` are refused, and `refused` records beside them."""
        rng = np.random.default_rng([self.seed, claim, number])
        edrs = _edrs(rng, claim, number, rows)
        account = edrs.subscription.copy()
        amounts = [int(value) for value in rng.integers(0, 4, rows) * 123_456_789]
        reason = np.zeros(rows, np.uint16)
        reason[rng.permutation(rows)[:unrated]] = Reason.NO_MATCHING_CHARGE
        wallet, balance, split = [], [], []
        for row, amount in enumerate(amounts):
            if reason[row] or amount == 0:
                wallet.append(WALLET_NONE)
                balance.append(0)
                amounts[row] = 0
                continue
            moves = self._pay(int(account[row]), amount)
            wallet.append(moves[0][0] if len(moves) == 1 else WALLET_SPLIT)
            balance.append(moves[0][2] if len(moves) == 1 else 0)
            split += [(row, *move) for move in moves] if len(moves) > 1 else []
        rated = RatedBlock(
            reason=reason,
            charge_version=(account % 3).astype(np.int32),
            rated_quantity=edrs.quantity + 1,
            counter_before=np.arange(rows, dtype=np.int64),
            tier=(np.arange(rows) % 3).astype(np.uint8),
            band=np.zeros(rows, np.uint8),
            amount=np.array(amounts, np.int64),
            wallet=np.array(wallet, np.int32),
            balance_hi=np.array([halves(value)[0] for value in balance], np.int64),
            balance_lo=np.array([halves(value)[1] for value in balance], np.uint64),
            split_row=np.array([move[0] for move in split], np.int64),
            split_wallet=np.array([move[1] for move in split], np.int32),
            split_amount=np.array([move[2] for move in split], np.int64),
            split_balance_hi=np.array([halves(move[3])[0] for move in split], np.int64),
            split_balance_lo=np.array([halves(move[3])[1] for move in split], np.uint64),
        )
        rejections = _rejections(edrs, reason, refused, rows)
        header = self._header(edrs, rated, rejections, refused, at)
        return OutputBlock(header, edrs, account, rated, rejections)

    def _pay(self, account: int, amount: int) -> list[tuple[int, int, int]]:
        prepaid, postpaid = 2 * account, 2 * account + 1
        drawn = min(amount, max(self.balances.get(prepaid, 0), 0))
        moves = []
        for wallet, part in ((prepaid, drawn), (postpaid, amount - drawn)):
            if part:
                self.balances[wallet] = self.balances.get(wallet, 0) - part
                moves.append((wallet, part, self.balances[wallet]))
        return moves

    def _header(
        self, edrs: EdrBlock, rated: RatedBlock, rejections: pa.RecordBatch, refused: int, at: int
    ) -> BlockHeader:
        kept = rated.reason == 0
        amount = sum(int(value) for value in rated.amount[kept])
        quantity = sum(int(value) for value in edrs.quantity[kept])
        usage = int(kept.sum())
        self.totals.usage += usage
        self.totals.operations += len(rated.split_row)
        self.totals.rejections += rejections.num_rows
        self.totals.quantity += quantity
        self.totals.amount += amount
        self.totals.received += len(edrs) + refused + 1
        return BlockHeader(
            claim=edrs.position.claim,
            block=edrs.position.block,
            first_record=edrs.position.first_record,
            tenant=self.tenant,
            source=0,
            image=0,
            received_at=at,
            retry=False,
            received=len(edrs) + refused + 1,
            accepted=len(edrs),
            absorbed=0,
            duplicate=1,
            superseded=0,
            filtered=0,
            rejected=refused,
            parked=0,
            edrs=len(edrs),
            rated=usage,
            unrated=len(edrs) - usage,
            cancelled=0,
            usage_rows=usage,
            operation_rows=len(rated.split_row),
            rejection_rows=rejections.num_rows,
            quantity=quantity,
            amounts={0: amount} if amount else {},
        )


def reversal(block: OutputBlock, claim: int) -> OutputBlock:
    """Return a block that takes all items of another one back; its amounts of zero move nothing."""
    edrs, rated, n = block.edrs, block.rated, len(block.edrs)
    header = replace(
        block.header, claim=claim, retry=True, received=0, accepted=0, duplicate=0, rejected=0, rated=0, unrated=0,
        cancelled=n, rejection_rows=0, operation_rows=0, reversal_rows=n, quantity=-block.header.quantity,
        amounts={code: -amount for code, amount in block.header.amounts.items()},
    )  # fmt: skip
    nothing = np.zeros(0, np.int64)
    return OutputBlock(
        header,
        replace(edrs, position=replace(edrs.position, claim=claim), record=np.arange(n), quantity=-edrs.quantity),
        block.account,
        replace(
            rated,
            amount=-rated.amount,
            rated_quantity=-rated.rated_quantity,
            wallet=np.full(n, WALLET_NONE, np.int32),
            split_row=nothing,
            split_wallet=nothing.astype(np.int32),
            split_amount=nothing,
            split_balance_hi=nothing,
            split_balance_lo=nothing.astype(np.uint64),
        ),
        pa.RecordBatch.from_pylist([], REJECTION_SCHEMA),
        ReversalBlock(
            np.full(n, edrs.position.claim),
            edrs.record,
            edrs.branch,
            np.zeros(n, np.uint8),
            np.ones(n, np.uint8),
            "back_out",
        ),
    )


def _edrs(rng: np.random.Generator, claim: int, number: int, rows: int) -> EdrBlock:
    first = number * 1_000_000
    account = rng.integers(0, ACCOUNTS, rows).astype(np.int32)
    return EdrBlock(
        BlockPosition(claim, number, first),
        np.arange(first, first + rows, dtype=np.int64),
        np.zeros(rows, np.uint8),
        START_US + rng.integers(0, DAY_US, rows),
        np.zeros(rows, np.int64),
        rng.integers(1, 3_600_000, rows),
        np.zeros(rows, np.uint16),
        np.zeros((rows, 4), np.int32),
        account.copy(),
        account.copy(),
    )


def _rejections(edrs: EdrBlock, reason: np.ndarray, refused: int, rows: int) -> pa.RecordBatch:
    claim, block = edrs.position.claim, edrs.position.block
    found = [
        _rejection(claim, block, edrs.position.first_record + rows + index, Stage.DECODE, Reason.INVALID_QUANTITY)
        for index in range(refused)
    ]
    for row in np.flatnonzero(reason):
        packed = pack(edrs, np.array([row])).tobytes()
        refusal = _rejection(claim, block, int(edrs.record[row]), Stage.ACCOUNT, Reason(int(reason[row])))
        found.append({**refusal, "edr": packed, "raw": b"", "event_at": int(edrs.event_at[row])})
    return pa.RecordBatch.from_pylist(found, REJECTION_SCHEMA)


def _rejection(claim: int, block: int, record: int, stage: Stage, reason: Reason) -> dict[str, object]:
    return {
        "claim": claim,
        "record": record,
        "branch": 0,
        "block": block,
        "stage": int(stage),
        "reason": int(reason),
        "outcome": int(Outcome.REJECTED),
        "event_at": 0,
        "access_point": "33612345678",
        "detail": "quantity: x",
        "raw": b"a;b\x00\xff;x",
        "raw_truncated": False,
        "edr": b"",
        "retry_count": 0,
    }


def names() -> dict[str, pa.Table]:
    """Return the dimension tables that the blocks refer to."""
    accounts = range(ACCOUNTS)
    start = [START_US] * 3
    columns: dict[str, dict[str, object]] = {
        "dim_account": {"code": [f"account-{a}" for a in accounts], "currency": ["EUR"] * ACCOUNTS},
        "dim_subscription": {
            "code": [f"subscription-{a}" for a in accounts],
            "account": list(accounts),
            "offer": ["basic"] * ACCOUNTS,
        },
        "dim_access_point": {"code": [f"3361234{a:04d}" for a in accounts]},
        "dim_charge_version": {
            "code": [f"call-{i}/plan-{i}@2026-01-01T00:00:00Z#00000000" for i in range(3)],
            "charge": [f"call-{i}" for i in range(3)],
            "price_plan": [f"plan-{i}" for i in range(3)],
            "version_start": start,
            "model": ["flat"] * 3,
            "event_type": ["call"] * 3,
            "unit": ["min"] * 3,
            "step_count": [60_000] * 3,
            "currency": ["EUR"] * 3,
        },
        "dim_source": {"code": ["calls"]},
        "dim_event_type": {"code": ["call"], "unit": ["min"], "step_count": [60_000]},
        "dim_wallet": {
            "code": ["prepaid", "principal"] * ACCOUNTS,
            "account": [a for a in accounts for _ in range(2)],
            "prepaid": [1, 0] * ACCOUNTS,
        },
        "dim_currency": {"code": ["EUR"]},
        "dim_image": {"code": ["c0ffee"], "claim": [1], "at": [START_US]},
    }
    return {name: _dimension(name, given) for name, given in columns.items()}


def _dimension(name: str, given: dict[str, object]) -> pa.Table:
    schema = DIMENSIONS[name].schema
    count = len(given["code"])  # type: ignore[arg-type]
    return pa.table({"id": list(range(count)), **given}, schema)
