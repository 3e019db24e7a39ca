"""Definitions are written only when they change, and never on a full disk, where ClickHouse would leave half of one."""

from __future__ import annotations

from pathlib import Path

import pytest

from sinks.clickhouse import layout
from sinks.clickhouse.client import Connection
from sinks.clickhouse.store import Store, UnableToOpenStore


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every changing statement that is executed."""
    seen: list[str] = []
    execute = Connection.execute

    def noted(connection: Connection, sql: str) -> None:
        seen.append(sql)
        execute(connection, sql)

    monkeypatch.setattr(Connection, "execute", noted)
    return seen


def _columns(store: Store, view: str) -> list[str]:
    sql = f"SELECT name FROM system.columns WHERE database = 'octroi' AND table = '{view}' ORDER BY position"
    return [row["name"] for row in store.query(sql).to_pylist()]


def test_opening_again_writes_no_definition(store: Store, statements: list[str], tmp_path: Path) -> None:
    store.close()
    again = Store.open(tmp_path / "store")
    again.migrate()
    again.close()
    assert statements == []


def test_a_view_of_another_release_is_replaced(store: Store, statements: list[str]) -> None:
    expected = _columns(store, "edr")
    store._writer.execute("CREATE OR REPLACE VIEW octroi.edr AS SELECT 1 AS something")
    store._writer.execute("DROP VIEW octroi.revenue")
    statements.clear()
    store.migrate()
    assert [sql.split("(")[0].strip() for sql in statements] == [
        "CREATE OR REPLACE VIEW octroi.edr",
        "CREATE VIEW IF NOT EXISTS octroi.revenue",
    ]
    assert _columns(store, "edr") == expected


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """No disk is large enough."""
    monkeypatch.setattr(layout, "ROOM_BYTES", 1 << 62)
    return monkeypatch


def test_a_full_disk_gets_no_new_store(full: pytest.MonkeyPatch, statements: list[str], tmp_path: Path) -> None:
    with pytest.raises(UnableToOpenStore, match="MiB left"):
        Store.open(tmp_path / "store")
    assert statements == []
    full.undo()
    store = Store.open(tmp_path / "store")
    store.migrate()
    store.close()


@pytest.mark.parametrize(
    "missing", ["DROP VIEW octroi.edr", "TRUNCATE TABLE octroi.schema_migration", "DROP TABLE octroi.schema_migration"]
)
def test_a_full_disk_keeps_the_definitions_that_it_has(
    store: Store, full: pytest.MonkeyPatch, statements: list[str], missing: str
) -> None:
    store.migrate()  # nothing to write
    store._writer.execute(missing)
    statements.clear()
    with pytest.raises(UnableToOpenStore, match="make room and try again"):
        store.migrate()
    assert statements == []
    full.undo()
    store.migrate()
