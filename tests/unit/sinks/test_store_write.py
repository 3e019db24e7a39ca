"""What goes in comes out: rows, names, sheets, balances, in units that people read."""

from __future__ import annotations

import threading
from decimal import Decimal
from types import ModuleType

from sinks.clickhouse.store import FinishedClaim, RejectionEvent, Store


def _fill(store: Store, made: ModuleType, blocks: int = 6):
    ledger = made.Ledger(seed=1)
    store.write_names(made.names())
    store.write_movements(ledger.credits(1), tenant="acme")
    written = [ledger.block(2 + number // 3, number % 3) for number in range(blocks)]
    store.write(written)
    return ledger, written


def _one(store: Store, sql: str):
    return store.query(sql).to_pylist()[0]


def test_totals_are_those_counted_while_making_the_blocks(store: Store, made: ModuleType) -> None:
    ledger, _ = _fill(store, made)
    totals = ledger.totals
    assert totals.operations > 0
    found = _one(store, "SELECT count() AS n, sum(quantity_steps) AS q, sum(amount) AS a FROM rated_item")
    assert found == {"n": totals.usage, "q": totals.quantity, "a": Decimal(totals.amount).scaleb(-9)}
    sheet = _one(store, "SELECT sum(received) AS r, sum(difference) AS d FROM record_sheet")
    assert sheet == {"r": totals.received, "d": 0}
    assert _one(store, "SELECT count() AS n FROM rejection WHERE status = 'OPEN'") == {"n": totals.rejections}
    assert store.balance_check() == []


def test_wallets_hold_what_the_ledger_holds(store: Store, made: ModuleType) -> None:
    ledger, _ = _fill(store, made)
    found = store.query("SELECT wallet_id, balance, latest_balance FROM account_balance").to_pylist()
    assert {row["wallet_id"]: int(row["balance"].scaleb(9)) for row in found} == ledger.balances
    assert {row["wallet_id"]: int(row["latest_balance"].scaleb(9)) for row in found} == ledger.balances


def test_revenue_and_operations_are_the_amounts(store: Store, made: ModuleType) -> None:
    ledger, _ = _fill(store, made)
    amount = Decimal(ledger.totals.amount).scaleb(-9)
    assert _one(store, "SELECT sum(amount) AS a, sum(items) AS n FROM revenue") == {
        "a": amount,
        "n": ledger.totals.usage,
    }
    moved = _one(
        store, "SELECT sum(amount) AS a, countIf(amount = 0) AS zero FROM wallet_operation WHERE kind = 'usage'"
    )
    assert moved == {"a": -amount, "zero": 0}


def test_a_rated_item_reads_in_units_and_names(store: Store, made: ModuleType) -> None:
    _, written = _fill(store, made, 1)
    block = written[0]
    row = int((block.rated.reason == 0).nonzero()[0][0])
    record, account = int(block.edrs.record[row]), int(block.account[row])
    found = _one(store, f"SELECT * FROM rated_item WHERE claim = 2 AND record = {record}")
    steps = int(block.edrs.quantity[row])
    assert found["id"] == f"ri-2-{record}"
    assert found["account"] == f"account-{account}"
    assert found["subscription"] == f"subscription-{account}"
    assert found["access_point"] == f"3361234{account:04d}"
    assert (found["charge"], found["price_plan"]) == (f"call-{account % 3}", f"plan-{account % 3}")
    assert (found["unit"], found["currency"], found["tenant"], found["source"]) == ("min", "EUR", "acme", "calls")
    assert found["quantity"] == Decimal(steps * 10**12 // 60_000).scaleb(-12)
    assert found["quantity_steps"] == steps
    assert found["amount"] == Decimal(int(block.rated.amount[row])).scaleb(-9)
    assert int(found["event_at"].timestamp() * 10**6 + 0.5) == int(block.edrs.event_at[row])


def test_extreme_values_survive(store: Store, made: ModuleType) -> None:
    """The largest amount has 19 digits, the largest balance needs 128 bits."""
    store.write_names(made.names())
    block = made.Ledger(seed=3).block(2, 0, rows=1, refused=0, unrated=0)
    block.rated.amount[0] = 2**63 - 1
    block.rated.wallet[0] = 1
    block.rated.balance_hi[0], block.rated.balance_lo[0] = made.halves(-(10**37))
    block.header.amounts.clear()
    block.header.amounts[0] = 2**63 - 1
    store.write([block])
    found = _one(store, "SELECT amount, balance_after FROM wallet_operation")
    assert found["amount"] == -Decimal(2**63 - 1).scaleb(-9)
    assert found["balance_after"] == Decimal(-(10**37)).scaleb(-9)
    assert _one(store, "SELECT amount FROM rated_item")["amount"] == Decimal(2**63 - 1).scaleb(-9)
    assert _one(store, "SELECT sum(amount) AS a FROM revenue")["a"] == Decimal(2**63 - 1).scaleb(-9)


def test_a_rejection_keeps_its_bytes_and_gets_a_status(store: Store, made: ModuleType) -> None:
    _fill(store, made, 1)
    first = _one(store, "SELECT * FROM rejection WHERE code = 106 ORDER BY record")
    assert (first["raw"], first["reason"], first["stage"]) == ("a;b\x00\ufffd;x", "INVALID_QUANTITY", "decode")
    assert bytes.fromhex(first["raw_hex"]) == b"a;b\x00\xff;x"
    bytes_themselves = _one(store, f"SELECT raw FROM fact_rejection WHERE record = {first['record']}")
    assert bytes_themselves == {"raw": b"a;b\x00\xff;x"}
    assert first["explanation"] == "the quantity is not a number"
    assert first["event_at"] is None
    claim, record = first["claim"], first["record"]
    events = [RejectionEvent(claim, record, "replayed", "catalog fixed", made.START_US, 9)]
    store.write_rejection_events(events)
    store.write_rejection_events(events)
    found = store.query(
        f"SELECT status, decided_by, decision_reason FROM rejection WHERE record = {record}"
    ).to_pylist()
    assert found == [{"status": "REPLAYED", "decided_by": 9, "decision_reason": "catalog fixed"}]
    store.write_rejection_events([RejectionEvent(claim, record, "discarded", "test data", made.START_US, 11)])
    assert _one(store, f"SELECT status FROM rejection WHERE record = {record}") == {"status": "DISCARDED"}


def test_claims_and_credits_are_stored_once(store: Store, made: ModuleType) -> None:
    _fill(store, made, 1)
    claim = FinishedClaim(2, "acme", "file", made.START_US, source=0, name="calls.csv", sha256="ab" * 32, size=99)
    store.write_claims([claim])
    later = FinishedClaim(3, "acme", "file", made.START_US + made.DAY_US, source=0, name="bad.gz",
                          status="quarantined", code="TRUNCATED", message="the file ends too early")  # fmt: skip
    store.write_claims([claim, later])
    again = made.Ledger(seed=1).credits(1)
    store.write_movements(again, tenant="acme")
    assert _one(store, "SELECT count() AS n FROM fact_claim") == {"n": 2}
    assert _one(store, "SELECT count() AS n FROM wallet_operation WHERE kind = 'opening'") == {"n": len(again)}
    assert _one(store, "SELECT file FROM record_sheet") == {"file": "calls.csv"}


def test_names_are_stored_once_and_seen_at_once(store: Store, made: ModuleType) -> None:
    _fill(store, made, 1)
    assert _one(store, "SELECT count() AS n FROM rated_item WHERE account = ''") == {"n": 0}
    names = made.names()
    store.write_names(names)
    assert _one(store, "SELECT count() AS n FROM dim_account") == {"n": made.ACCOUNTS}
    grown = (
        names["dim_source"].schema.empty_table().from_pylist([{"id": 0, "code": "calls"}, {"id": 1, "code": "data"}])
    )
    store.write_names({"dim_source": grown})
    assert _one(store, "SELECT dictGet('octroi.source_names', 'code', 1) AS s") == {"s": "data"}


def test_two_tenants_get_two_ids_that_stay(store: Store, made: ModuleType) -> None:
    store.write_names(made.names())
    store.write([made.Ledger(seed=1, tenant="zeta").block(2, 0)])
    store.write([made.Ledger(seed=2, tenant="acme").block(3, 0)])
    found = store.query("SELECT tenant, count() AS n FROM edr GROUP BY tenant ORDER BY tenant").to_pylist()
    assert found == [{"tenant": "acme", "n": 48}, {"tenant": "zeta", "n": 48}]


def test_nothing_to_tell_waits_for_no_insert_in_hand(store: Store) -> None:
    """The main loop tells of every claim, while a thread inserts: it would stand still for each insert."""

    def write() -> None:
        store.write_rejection_events([])
        store.write_claim_events([])
        store.write_movements([], tenant="main")

    with store._lock:  # an insert is in hand, for ever
        done = threading.Thread(target=write)
        done.start()
        done.join(20)
        assert not done.is_alive()
