"""Analysts only read, within bounds, while the writer writes."""

from __future__ import annotations

import threading
from pathlib import Path
from types import ModuleType

import pytest

from sinks.clickhouse.store import Store, UnableToQuery

REFUSED = (
    "INSERT INTO fact_claim (claim) VALUES (1)",
    "DROP TABLE fact_usage",
    "TRUNCATE TABLE fact_usage",
    "ALTER TABLE fact_usage DELETE WHERE 1",
    "CREATE TABLE t (a UInt8) ENGINE = Memory",
    "SYSTEM STOP MERGES",
    "KILL QUERY WHERE 1",
    "USE system",
    "SET readonly = 0",
    "SELECT 1; DROP TABLE fact_usage",
    "SELECT 1; SYSTEM STOP MERGES",
    "/* SELECT */ SYSTEM STOP MERGES",
    "-- SELECT\nSYSTEM STOP MERGES",
    "SELECT 1 INTO OUTFILE '{path}'",
    "SELECT 1 INTO/**/OutFile '{path}'",
    "SELECT 1 SETTINGS readonly = 0",
    "INSERT INTO FUNCTION file('{path}', 'CSV', 'a UInt8') VALUES (1)",
    "SELECT * FROM file('/etc/hostname', 'LineAsString')",
    "SELECT * FROM url('http://127.0.0.1:1/', 'LineAsString')",
    "EXPLAIN SYNTAX DROP TABLE fact_usage; SELECT 1",
    "WITH 1 AS a INSERT INTO fact_claim (claim) SELECT a",
    "",
    "nonsense",
)
ALLOWED = (
    "SELECT 1 AS a",
    " ( SELECT 1 ) ;",
    "WITH 1 AS x SELECT x",
    "SHOW TABLES",
    "DESCRIBE rated_item",
    "EXPLAIN SELECT 1",
    "EXISTS TABLE fact_usage",
    "-- a comment\n/* another */ SELECT 1",
)


def test_nothing_but_reading_is_possible(store: Store, made: ModuleType, tmp_path: Path) -> None:
    ledger = made.Ledger(seed=1)
    store.write([ledger.block(2, 0)])
    path = tmp_path / "out"
    for sql in REFUSED:
        with pytest.raises(UnableToQuery):
            store.query(sql.replace("{path}", str(path)))
        assert not path.exists(), sql
        assert store.query("SELECT count() AS n FROM fact_usage").to_pylist() == [{"n": ledger.totals.usage}], sql


def test_every_kind_of_reading_is(store: Store) -> None:
    for sql in ALLOWED:
        assert store.query(sql).num_rows > 0, sql


def test_results_are_bounded(store: Store) -> None:
    assert store.query("SELECT number FROM numbers(1000000)").num_rows == 1_000_000
    with pytest.raises(UnableToQuery, match="Limit for result exceeded"):
        store.query("SELECT number FROM numbers(3000000)")
    with pytest.raises(UnableToQuery, match="Limit for result exceeded"):
        store.query("SELECT repeat(toString(number % 10), 1000) FROM numbers(999999)")


def test_parameters_are_values_never_text(store: Store) -> None:
    given = "'; DROP TABLE fact_usage; --"
    found = store.query("SELECT {text:String} AS t, {number:UInt32} AS n", {"text": given, "number": 7})
    assert found.to_pylist() == [{"t": given, "n": 7}]


def test_a_wrong_query_says_what_is_wrong(store: Store) -> None:
    with pytest.raises(UnableToQuery, match="no_such_column"):
        store.query("SELECT no_such_column FROM rated_item")


def test_an_alias_does_not_hide_a_column(store: Store, made: ModuleType) -> None:
    ledger = made.Ledger(seed=1)
    store.write([ledger.block(2, 0)])
    sql = "SELECT sum(tier) AS tier, count() AS n FROM rated_item WHERE tier >= 0"
    assert store.query(sql).to_pylist()[0]["n"] == ledger.totals.usage


def test_one_thread_writes_while_another_queries(store: Store, made: ModuleType) -> None:
    """Every query sees whole inserts: never a header without its facts."""
    ledger = made.Ledger(seed=1)
    blocks = [ledger.block(2, number) for number in range(30)]
    rows = {block.header.block: block.header.usage_rows for block in blocks}
    seen: list[int] = []
    failures: list[BaseException] = []
    done = threading.Event()

    def read() -> None:
        try:
            while not done.is_set():
                complete = store.query("SELECT block, usage_rows FROM fact_block").to_pylist()
                counted = store.query("SELECT block, count() AS n FROM fact_usage GROUP BY block").to_pylist()
                held = {row["block"]: row["n"] for row in counted}
                assert all(held[row["block"]] == row["usage_rows"] for row in complete)
                assert all(held[block] == rows[block] for block in held)
                seen.append(len(complete))
        except BaseException as error:
            failures.append(error)

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for block in blocks:
        store.write([block])
    done.set()
    for reader in readers:
        reader.join()
    assert failures == []
    assert len(set(seen)) > 2
    assert store.query("SELECT count() AS n FROM fact_usage").to_pylist() == [{"n": ledger.totals.usage}]


def test_integers_beyond_64_bits_and_addresses_come_as_text(store: Store) -> None:
    sql = """
    SELECT toInt128('-170141183460469231731687303715884105728') AS low, toUInt256(18446744073709551616) AS high,
      toIPv6('2001:db8::1') AS address, CAST(NULL AS Nullable(Int128)) AS absent, toFixedString('ab', 2) AS bytes
    FROM numbers({n:UInt8})"""
    (row,) = store.query(sql, {"n": 1}).to_pylist()
    assert row == {
        "low": str(-(1 << 127)),
        "high": str(1 << 64),
        "address": "2001:db8::1",
        "absent": None,
        "bytes": b"ab",
    }
