"""What is stored survives power loss: its bytes are on the disk when the answer comes, and stay there when parts are merged."""

from __future__ import annotations

from collections.abc import ItemsView
from types import ModuleType

from sinks.clickhouse.migrations import FACTS, KEPT
from sinks.clickhouse.store import Store
from sinks.clickhouse.tables.dimensions import DIMENSIONS


def _synced(store: Store) -> tuple[int, int]:
    """Files and directories that ClickHouse has synced so far."""
    found = store.query(
        "SELECT event, value FROM system.events WHERE event IN ('FileSync', 'DirectorySync')"
    ).to_pylist()
    counts = {row["event"]: row["value"] for row in found}
    return counts["FileSync"], counts["DirectorySync"]


def _parts(store: Store) -> ItemsView[str, int]:
    sql = "SELECT table, count() AS parts FROM system.parts WHERE database = 'octroi' AND active GROUP BY table"
    return {row["table"]: row["parts"] for row in store.query(sql).to_pylist()}.items()


def test_an_insert_is_synced_before_it_is_answered(store: Store, made: ModuleType) -> None:
    store._writer.execute("SYSTEM STOP MERGES")
    store.write_names(made.names())
    ledger = made.Ledger(seed=1)
    store.write([ledger.block(2, 0)])  # the tenant's name is stored too
    files, directories = _synced(store)
    store.write([ledger.block(2, 1)])
    # a part in each of four tables: at least its data, its checksums and its key; the part's directory and the table's
    after_files, after_directories = _synced(store)
    assert after_files - files >= 4 * 3
    assert after_directories - directories >= 4 * 2


def test_a_merged_part_is_synced_before_the_parts_that_it_replaces_go(store: Store, made: ModuleType) -> None:
    store._writer.execute("SYSTEM STOP MERGES")
    store.write_names(made.names())
    ledger = made.Ledger(seed=1)
    for block in range(3):
        store.write([ledger.block(2, block)])
    merged = ("fact_usage", "fact_rejection", "fact_block")
    assert _parts(store) >= dict.fromkeys(merged, 3).items()
    files, _ = _synced(store)
    store._writer.execute("SYSTEM START MERGES")
    for _ in range(100):  # merging may also begin by itself, and OPTIMIZE leaves alone what is being merged
        for table in merged:
            store._writer.execute(f"OPTIMIZE TABLE octroi.{table} FINAL")
        if _parts(store) >= dict.fromkeys(merged, 1).items():
            break
    assert _parts(store) >= dict.fromkeys(merged, 1).items()
    after_files, _ = _synced(store)
    assert after_files - files >= 3 * len(merged)  # data, checksums and key of each merged part


def test_every_table_is_durable(store: Store) -> None:
    # sums can be made anew, but a slice that is said to be whole must not outlive its rows
    rows = store.query("SELECT name, engine_full FROM system.tables WHERE database = 'octroi' AND engine = 'MergeTree'")
    engines = {row["name"]: row["engine_full"] for row in rows.to_pylist()}
    assert set(engines) == {"schema_migration", *(table.name for table in (*FACTS, *DIMENSIONS.values(), *KEPT))}
    for setting in ("fsync_after_insert = 1", "fsync_part_directory = 1", "min_rows_to_fsync_after_merge = 1"):
        assert [name for name, engine in engines.items() if setting not in engine] == []
