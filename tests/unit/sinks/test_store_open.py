"""Opening: the layout is made once, kept, and refused when it is another."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from sinks.clickhouse.migrations import MIGRATIONS, SCHEMA_MIGRATION
from sinks.clickhouse.store import Store, UnableToOpenStore
from sinks.clickhouse.views import VIEWS

ROOT = Path(__file__).resolve().parents[3]


def test_a_reopened_store_has_what_was_stored(tmp_path: Path, made: ModuleType) -> None:
    store = Store.open(tmp_path / "store")
    store.migrate()
    store.write_names(made.names())
    ledger = made.Ledger(seed=1)
    store.write([ledger.block(2, 0)])
    store.close()
    again = Store.open(tmp_path / "store")
    again.migrate()
    again.write([ledger.block(2, 1)])
    sql = "SELECT count() AS n, any(account) AS a, uniqExact(tenant) AS t FROM rated_item WHERE account_id = 1"
    (found,) = again.query(sql).to_pylist()
    (all_items,) = again.query("SELECT count() AS n FROM rated_item").to_pylist()
    again.close()
    assert (found["a"], found["t"]) == ("account-1", 1)
    assert all_items["n"] == ledger.totals.usage


def test_each_step_is_recorded_once(store: Store) -> None:
    store.migrate()
    found = store.query("SELECT version, count() AS n FROM schema_migration GROUP BY version ORDER BY version")
    assert found.to_pylist() == [{"version": step.version, "n": 1} for step in MIGRATIONS]


def test_a_layout_made_at_once_is_the_one_that_the_steps_make(store: Store, tmp_path: Path) -> None:
    sql = "SELECT name, create_table_query AS ddl FROM system.tables WHERE database = 'octroi' ORDER BY name"
    at_once = store.query(sql).to_pylist()
    store.close()
    stepped = Store.open(tmp_path / "stepped")
    stepped._writer.execute(SCHEMA_MIGRATION.ddl)
    stepped.migrate()
    by_steps = stepped.query(sql).to_pylist()
    stepped.close()
    assert at_once == by_steps


def test_an_interrupted_step_is_done_again(store: Store) -> None:
    store._writer.execute("TRUNCATE TABLE octroi.schema_migration")
    store._writer.execute("DROP TABLE octroi.fact_claim")
    store.migrate()
    assert store.query("SELECT count() AS n FROM fact_claim").to_pylist() == [{"n": 0}]


def test_a_newer_layout_is_refused(store: Store) -> None:
    store._writer.execute("INSERT INTO octroi.schema_migration (version, name) VALUES (99, 'later')")
    with pytest.raises(UnableToOpenStore, match=r"has layout 99 and this release knows \d+: use the newer octroi"):
        store.migrate()


def test_a_changed_table_is_refused(store: Store) -> None:
    store._writer.execute("ALTER TABLE octroi.fact_usage MODIFY COLUMN tier UInt16")
    with pytest.raises(
        UnableToOpenStore, match="fact_usage is not as this release declares it: tier UInt16, tier UInt8"
    ):
        store.migrate()


def test_every_view_says_what_each_column_is(store: Store) -> None:
    for view in VIEWS:
        found = store.query(f"DESCRIBE {view.name}").to_pylist()
        assert [(row["name"], row["type"], row["comment"]) for row in found] == [
            (column.name, column.type, column.comment) for column in view.columns
        ]
        assert all(row["comment"] for row in found)
    commented = store.query("SELECT name, comment FROM system.tables WHERE database = 'octroi' AND engine = 'View'")
    assert {row["name"]: row["comment"] for row in commented.to_pylist()} == {v.name: v.comment for v in VIEWS}


def test_one_process_has_one_store(store: Store, tmp_path: Path) -> None:
    with pytest.raises(UnableToOpenStore, match="this process has another store open"):
        Store.open(tmp_path / "other")


def test_a_second_process_is_told_so(store: Store, tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "from sinks.clickhouse.store import Store, UnableToOpenStore\n"
        "try: Store.open(Path(sys.argv[1]))\n"
        "except UnableToOpenStore as error: print(error)\n"
    )
    arguments = [sys.executable, "-c", code, str(tmp_path / "store")]
    found = subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    assert "another process has it open" in found.stdout
    assert store.query("SELECT 1 AS one").to_pylist() == [{"one": 1}]


def test_a_path_that_is_a_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("not a directory")
    with pytest.raises(UnableToOpenStore, match="cannot open the store"):
        Store.open(path)
