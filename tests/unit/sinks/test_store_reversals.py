"""Reversals in the store: whole or not at all, once, and told apart from what they take back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import ModuleType

import numpy as np
import pyarrow as pa
import pytest

from schemas.billed import BILLED_SCHEMA
from schemas.output import OutputBlock
from schemas.rated_item import ItemRows
from sinks.clickhouse.store import ClaimEvent, Store, UnableToStore
from sinks.clickhouse.tables.billed import BilledItems


@pytest.fixture
def blocks(made: ModuleType) -> tuple[OutputBlock, OutputBlock]:
    """A block of forty rated items, and one that takes them back."""
    block = made.Ledger(seed=3).block(2, 0, 40, refused=0, unrated=0)
    return block, made.reversal(block, 3)


def _statuses(store: Store) -> dict[str, int]:
    rows = store.query("SELECT status, count() AS n FROM rated_item GROUP BY status").to_pylist()
    return {row["status"]: row["n"] for row in rows}


def test_what_is_taken_back_and_what_takes_it_back_net_to_zero(
    store: Store, made: ModuleType, blocks: tuple[OutputBlock, OutputBlock]
) -> None:
    store.write_names(made.names())
    store.write(list(blocks))
    assert _statuses(store) == {"reversed": 40, "reversal": 40}
    (sums,) = store.query("SELECT sum(amount) AS amount, sum(quantity_steps) AS steps FROM rated_item").to_pylist()
    assert (sums["amount"], sums["steps"]) == (0, 0)
    (fact,) = store.query(
        "SELECT any(cause) AS cause, any(counter) AS counter, count() AS n FROM fact_reversal"
    ).to_pylist()
    assert fact == {"cause": "back_out", "counter": "lowered", "n": 40}
    (revenue,) = store.query("SELECT sum(items) AS items FROM revenue").to_pylist()
    assert revenue["items"] == 0
    assert [found for found in store.balance_check() if not found.what.startswith("balance of")] == []


def test_items_whose_refunds_share_a_record_are_told_apart(
    store: Store, made: ModuleType, blocks: tuple[OutputBlock, OutputBlock]
) -> None:
    """An online refund takes back all items of its usage at once; an invoice holds only some of them."""
    reversal = blocks[1]
    pair, number = np.arange(40) // 2, (np.arange(40) % 2).astype(np.uint8)
    several = [
        replace(
            each,
            edrs=replace(each.edrs, record=pair),
            rated=replace(
                each.rated,
                items=ItemRows(np.arange(40), number, each.edrs.quantity, None),
            ),
        )
        for each in blocks
    ]
    assert reversal.reversals is not None
    several[1] = replace(several[1], reversals=replace(reversal.reversals, record=pair, item=number))
    store.write_names(made.names())
    store.write(several)
    held = pa.table({"claim": [2], "record": [0], "branch": [0], "item": [1], "invoice": ["INV-1"]})
    store.write_billed(BilledItems(held.cast(BILLED_SCHEMA), 1_790_000_000_000_000, 4))
    assert _statuses(store) == {"billed": 1, "reversed": 39, "refund": 1, "reversal": 39}
    told = [found.what for found in store.balance_check() if "taken back" in found.what]
    assert told == []


def test_a_reversal_that_does_not_undo_its_item_is_noticed(
    store: Store, made: ModuleType, blocks: tuple[OutputBlock, OutputBlock]
) -> None:
    block, reversal = blocks
    store.write_names(made.names())
    amount = reversal.rated.amount.copy()
    amount[5] -= 1
    (total,) = reversal.header.amounts.values()
    header = replace(reversal.header, amounts={0: total - 1})
    store.write([block, replace(reversal, header=header, rated=replace(reversal.rated, amount=amount))])
    told = [(found.claim, found.what, int(found.found)) for found in store.balance_check()]
    assert (2, "items taken back that do not net to zero", 1) in told


@pytest.mark.parametrize("fails_at", range(1, 5))
@pytest.mark.parametrize("after", [False, True])
def test_an_insert_that_fails_is_made_good(
    store: Store, faulty: Callable[..., Store], blocks: tuple[OutputBlock, OutputBlock], fails_at: int, after: bool
) -> None:
    shaky = faulty(store, fails_at, after=after)
    try:
        shaky.write(list(blocks))
    except UnableToStore:
        shaky.write(list(blocks))
    for table, rows in (("fact_usage", 80), ("fact_reversal", 40), ("fact_block", 2)):
        assert store.query(f"SELECT count() AS n FROM {table}").to_pylist() == [{"n": rows}]
    store.completeness(0, 0)


def test_a_header_that_announces_other_reversals_is_refused(
    store: Store, blocks: tuple[OutputBlock, OutputBlock]
) -> None:
    _, reversal = blocks
    with pytest.raises(UnableToStore, match="has 40 rows for fact_reversal, its header says 39"):
        store.write([replace(reversal, header=replace(reversal.header, reversal_rows=39))])
    assert store.query("SELECT count() AS n FROM fact_usage").to_pylist() == [{"n": 0}]


def test_events_of_claims_are_stored_once(store: Store) -> None:
    events = [ClaimEvent(claim, "backed_out", "wrong", 1_790_000_000_000_000, 9) for claim in (2, 4)]
    store.write_claim_events(events)
    store.write_claim_events(events)
    rows = store.query("SELECT claim, event, reason, by_claim FROM fact_claim_event ORDER BY claim").to_pylist()
    assert rows == [{"claim": claim, "event": "backed_out", "reason": "wrong", "by_claim": 9} for claim in (2, 4)]
