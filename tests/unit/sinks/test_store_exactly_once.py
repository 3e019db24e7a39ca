"""A write that fails anywhere, and is repeated, leaves exactly what an undisturbed write leaves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import ModuleType

import pytest

from schemas.output import OutputBlock
from sinks.clickhouse.store import Store, UnableToStore

FACTS = ("fact_usage", "fact_wallet_operation", "fact_rejection")


def _blocks(made: ModuleType, seed: int = 0) -> tuple[list[OutputBlock], list[int]]:
    """Four blocks over two ingest days, and how many rows they make: usage, operations, rejections, headers.

    Their claims are 10 * seed + 2 and + 3, their tenant is the seed's: several can be told apart in one store.
    """
    ledger = made.Ledger(seed=seed, tenant=f"tenant-{seed}")
    ledger.credits(1)
    claim = 10 * seed + 2
    at = (made.START_US, made.START_US, made.START_US + made.DAY_US, made.START_US + made.DAY_US)
    blocks = [ledger.block(claim + index // 2, index % 2, at=at[index]) for index in range(4)]
    totals = ledger.totals
    return blocks, [totals.usage, totals.operations, totals.rejections, 4]


def _counts(store: Store, seed: int = 0) -> list[int]:
    tables = (*FACTS, "fact_block")
    sql = "SELECT count() AS n FROM {table} WHERE intDiv(claim, 10) = {seed}"
    return [store.query(sql.replace("{table}", t).replace("{seed}", str(seed))).to_pylist()[0]["n"] for t in tables]


def _differences(store: Store) -> list[object]:
    """What does not balance, but for the opening credits, which these tests do not store."""
    return [found for found in store.balance_check() if "balance of wallet" not in found.what]


@pytest.mark.parametrize("after", [False, True], ids=["refused", "answer lost"])
def test_a_retry_after_any_failed_insert_is_exact(
    store: Store, faulty: Callable[..., Store], made: ModuleType, *, after: bool
) -> None:
    store.write_names(made.names())
    # insert 1 is the tenant's name; 2 to 9 are the facts and headers of two days
    for fails_at in range(1, 10):
        blocks, expected = _blocks(made, fails_at)
        failing = faulty(store, fails_at, after=after)
        with pytest.raises(UnableToStore, match="injected") as caught:
            failing.write(blocks)
        assert caught.value.transient
        failing.write(blocks)
        assert _counts(store, fails_at) == expected
    assert _differences(store) == []


def test_a_new_process_sends_only_what_is_missing(store: Store, faulty: Callable[..., Store], made: ModuleType) -> None:
    store.write_names(made.names())
    for fails_at in (2, 5, 8, 9):
        blocks, expected = _blocks(made, fails_at)
        with pytest.raises(UnableToStore):
            faulty(store, fails_at).write(blocks)
        restarted = Store(store._writer, store._reader, store.long)
        found = restarted.completeness(10 * fails_at, 0)
        first_day = frozenset(_key(block) for block in blocks[:2])
        assert found.complete == (first_day if fails_at == 9 else frozenset())
        # one block per write, as an engine with other flushes would do it
        for block in blocks:
            if _key(block) not in found.complete:
                restarted.write([block], found.present)
        assert _counts(store, fails_at) == expected
    assert _differences(store) == []


def _key(block: OutputBlock) -> tuple[int, int]:
    return block.header.claim, block.header.block


def test_what_present_lists_is_not_sent_again(store: Store, made: ModuleType) -> None:
    blocks, expected = _blocks(made)
    store.write(blocks)
    store.write(blocks, store.completeness(2, 0).present)
    assert _counts(store) == expected


def test_completeness_says_which_tables_hold_which_blocks(
    store: Store, faulty: Callable[..., Store], made: ModuleType
) -> None:
    blocks, _ = _blocks(made)
    store.write(blocks[:1])
    with pytest.raises(UnableToStore):
        # usage and operations of block (2, 1) get in, rejections do not: the tenant's name is stored already
        faulty(store, 3).write(blocks[1:2])
    found = store.completeness(2, 0)
    headers = [block.header for block in blocks[:2]]
    assert found.complete == {(2, 0)}
    assert found.present["fact_usage"] == {(h.claim, h.block): h.usage_rows for h in headers}
    assert found.present["fact_wallet_operation"] == {(h.claim, h.block): h.operation_rows for h in headers}
    assert found.present["fact_rejection"] == {(2, 0): headers[0].rejection_rows}
    assert store.completeness(2, 1).complete == frozenset()
    assert set(store.completeness(2, 1).present["fact_usage"]) == {(2, 1)}


def test_a_restart_reads_only_the_latest_parts(store: Store, made: ModuleType) -> None:
    store._writer.execute("SYSTEM STOP MERGES")
    for seed in (1, 2):
        store.write(_blocks(made, seed)[0])
    for table in FACTS:
        plan = store.query(f"EXPLAIN indexes = 1 SELECT count() FROM {table} WHERE claim >= 22").to_pylist()
        text = " ".join(row["explain"].strip() for row in plan)
        assert "Name: claims" in text, text
        assert "Parts: 2/4" in text.split("Name: claims")[1], text


def test_opening_credits_are_not_taken_for_a_block(store: Store, made: ModuleType) -> None:
    store.write_movements(made.Ledger(seed=1).credits(2), tenant="acme")
    assert store.completeness(1, 0).present["fact_wallet_operation"] == {}


def test_a_part_of_a_block_is_noticed(store: Store, made: ModuleType) -> None:
    blocks, _ = _blocks(made)
    store.write(blocks)
    store._writer.execute(
        "ALTER TABLE octroi.fact_usage DELETE WHERE claim = 2 AND record = 0 SETTINGS mutations_sync = 1"
    )
    deleted = int(blocks[0].edrs.record[0]) == 0 and blocks[0].rated.reason[0] == 0
    assert deleted
    with pytest.raises(UnableToStore, match="fact_usage has 47 rows of block 0 of claim 2, not 48") as caught:
        store.completeness(2, 0)
    assert not caught.value.transient
    whats = {(found.claim, found.what) for found in store.balance_check()}
    assert {(2, "rows of fact_usage"), (2, "rated quantity")} <= whats


def test_a_part_of_an_unfinished_block_is_noticed(store: Store, faulty: Callable[..., Store], made: ModuleType) -> None:
    blocks, _ = _blocks(made)
    failing = faulty(store, 3)
    with pytest.raises(UnableToStore, match="injected"):
        failing.write(blocks[:1])
    store._writer.execute("ALTER TABLE octroi.fact_usage DELETE WHERE record = 0 SETTINGS mutations_sync = 1")
    with pytest.raises(UnableToStore, match="fact_usage has 47 rows of block 0 of claim 2, not 48"):
        failing.write(blocks[:1])


def test_a_block_stored_twice_is_noticed(store: Store, made: ModuleType) -> None:
    blocks, _ = _blocks(made)
    store.write(blocks)
    nothing_known = {table: {} for table in (*FACTS, "fact_block")}
    store._known = nothing_known
    store.write(blocks[:1], nothing_known)
    with pytest.raises(UnableToStore, match="header is stored twice"):
        store.completeness(2, 0)
    assert (2, "blocks stored twice") in {(found.claim, found.what) for found in store.balance_check()}


def test_a_block_that_contradicts_its_header_is_refused_whole(store: Store, made: ModuleType) -> None:
    blocks, _ = _blocks(made)
    wrong = replace(blocks[1], header=replace(blocks[1].header, usage_rows=blocks[1].header.usage_rows - 1))
    with pytest.raises(UnableToStore, match="48 rows for fact_usage, its header says 47") as caught:
        store.write([blocks[0], wrong])
    assert not caught.value.transient
    with pytest.raises(UnableToStore, match="comes twice"):
        store.write([blocks[0], blocks[0]])
    assert _counts(store) == [0, 0, 0, 0]


def test_a_value_that_does_not_fit_is_refused_before_anything_is_stored(store: Store, made: ModuleType) -> None:
    blocks, _ = _blocks(made)
    blocks[0].edrs.span_s[0] = 2**32
    with pytest.raises(UnableToStore, match="span_s holds"):
        store.write(blocks)
    assert _counts(store) == [0, 0, 0, 0]
