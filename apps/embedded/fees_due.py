"""What fees that are due would cost, before they are charged: priced by the image in force, of which nothing is kept."""

from __future__ import annotations

import numpy as np
import polars as pl

from apps.embedded.engine import Engine
from billing.invoicing.rules_least import SPENT_FRAME, Counting
from rating.rate import rate
from rating.state import AccountState
from schemas.cdr import ATTRIBUTE_SLOTS, BlockPosition
from schemas.edr import EdrBlock
from schemas.fees import DAY_AFTER, DENOMINATOR, FEE, FIRST_DAY, NUMERATOR
from schemas.values import VALUE_ABSENT, VALUE_SLOTS

DUE_FRAME = pl.Schema(
    {
        "subscription": pl.String,
        "account": pl.String,
        FEE: pl.String,
        "currency": pl.String,
        "key_at": pl.Int64,  # microseconds UTC
        "amount": pl.Int128,  # billionths
        "items": pl.Int64,  # 1; 0 of what only notes that nothing is lacking
    }
)
CREDIT = 2**40
"""Upper half of a balance that pays for everything: what wallets hold is not asked here."""


def price_fees(engine: Engine, rows: pl.DataFrame) -> pl.DataFrame:
    """Return DUE_FRAME of what is to be asked, ASKED_FRAME, as far as it has a price."""
    assert engine.active is not None
    if rows.is_empty():
        return pl.DataFrame(schema=DUE_FRAME)
    image, words = engine.active.image, engine.state.vocabulary
    state = AccountState()
    state.grow(words)
    state.balances[:, 0] = CREDIT
    count = len(rows)
    values = np.full((count, VALUE_SLOTS), VALUE_ABSENT, np.int64)
    for slot, name in enumerate((NUMERATOR, DENOMINATOR, FIRST_DAY, DAY_AFTER)):
        values[:, slot] = rows[name].cast(pl.Int32 if name in (FIRST_DAY, DAY_AFTER) else pl.Int64).cast(pl.Int64)
    attributes = np.zeros((count, ATTRIBUTE_SLOTS), np.int32)
    attributes[:, 0] = words.attribute_values.ids(rows[FEE])
    subscription = words.subscriptions.ids(rows["subscription"])
    edrs = EdrBlock(
        position=BlockPosition(0, 0, 0),
        record=np.arange(count, dtype=np.int64),
        branch=np.zeros(count, np.uint8),
        event_at=rows["key_at"].to_numpy().astype(np.int64),
        span_s=np.zeros(count, np.int64),
        quantity=rows["quantity"].to_numpy().astype(np.int64),
        event_type=np.full(count, words.event_types.id(FEE), np.uint16),
        attributes=attributes,
        access_point=np.zeros(count, np.int32),
        subscription=subscription.astype(np.int32),
        values=values,
    )
    rated = rate(edrs, image, state)
    of = np.arange(count) if rated.items is None else rated.items.row
    fine = np.flatnonzero(rated.reason == 0)
    account = image.tariff.subscription_row[subscription[of[fine]], 0]
    told = rows[of[fine]].select("subscription", FEE, "key_at", items=(pl.col("quantity") != 0).cast(pl.Int64))
    return told.with_columns(
        account=words.accounts.names.gather(account),
        currency=words.currencies.names.gather(image.currencies(account, rated.charge_version[fine])),
        amount=pl.Series(rated.amount[fine], dtype=pl.Int128),
    ).select(DUE_FRAME.names())


def counted_of(due: pl.DataFrame, asked: Counting) -> pl.DataFrame:
    """Return SPENT_FRAME of what is due, DUE_FRAME."""
    named = pl.col(FEE).is_in(asked.without if asked.only is None else asked.only)
    kept = due.filter(
        ~named if asked.only is None else named,
        pl.col("currency") == asked.currency,
        pl.col("key_at") >= asked.begin,
        pl.col("key_at") < asked.end,
    )
    sums = kept.group_by(asked.by, maintain_order=True).agg(pl.col("amount", "items").sum())
    return sums.select(whose=asked.by, rated="amount", items="items").cast(SPENT_FRAME)
