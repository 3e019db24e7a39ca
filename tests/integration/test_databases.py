"""Databases of tenants, on SQLite and on PostgreSQL: what is changed leaves a trace, and copies are the same."""

from __future__ import annotations

import sqlite3
import threading
import time
from pathlib import Path

import pytest
from control_world import NOW, Databases, made
from sqlalchemy import inspect, select, text
from sqlalchemy.exc import DBAPIError, OperationalError

from apps.control.rooms import TABLES
from billing.access.models import Deed, TenantStatus
from billing.access.operations import add_tenant, configure, set_clock, set_status
from billing.access.queries import audit_log, configuration, find_tenant
from billing.access.rules import UnableToManageTenant
from billing.access.store.changes import UnableToChange, changing
from billing.access.store.columns import METADATA
from billing.access.store.copying import UnableToCopyDatabase, copy_database, fingerprint
from billing.access.store.database import UnableToOpenDatabase, open_file, open_schema
from billing.access.store.migrating import current, expect_current, revisions, upgrade
from billing.access.store.tables import AUDIT, CONFIGURATION


def test_a_change_and_its_trace_are_one(databases: Databases) -> None:
    database = databases.tenant()
    with pytest.raises(UnableToManageTenant, match="beside"), made(database) as changes:
        configure(changes, {"accounts.reseller_levels": 2, "accounts": 1})
    assert configuration(database, {}, {}) == {}
    assert [entry.entity for entry in audit_log(database)] == ["tenant"]

    with made(database, by="ben") as changes:
        configure(changes, {"a": 1, "b": "x"})
    with made(database, NOW + 5) as changes:
        configure(changes, {"a": [2], "b": None})
    told = [
        (one.at, one.by, one.deed, one.key, one.before.get("value"), one.after.get("value"))
        for one in audit_log(database)
    ]
    assert told[1:] == [
        (NOW, "ben", Deed.CREATED, "a", None, "1"),
        (NOW, "ben", Deed.CREATED, "b", None, '"x"'),
        (NOW + 5, "ana", Deed.CHANGED, "a", "1", "[2]"),
        (NOW + 5, "ana", Deed.REMOVED, "b", '"x"', None),
    ]
    assert {name: one.value for name, one in configuration(database, {}, {}).items()} == {"a": [2]}
    assert [
        one.key for one in audit_log(database, entity="configuration", key="a", after=audit_log(database)[1].id)
    ] == ["a"]


def test_what_does_not_change_leaves_no_trace(databases: Databases) -> None:
    database = databases.tenant()
    with made(database) as changes:
        changes.insert(CONFIGURATION, [{"name": "a", "value": "1"}])
        assert changes.update(CONFIGURATION, [{"name": "a", "value": "1"}]) == 0
        assert changes.update(CONFIGURATION, [{"name": "a", "value": "2"}]) == 1
    assert len(audit_log(database, entity="configuration")) == 2


def test_rows_that_cannot_be_changed_are_told(databases: Databases) -> None:
    database = databases.tenant()
    with pytest.raises(UnableToChange, match="there is no configuration a"), made(database) as changes:
        changes.update(CONFIGURATION, [{"name": "a", "value": "1"}])
    with pytest.raises(UnableToChange, match="there is no configuration a"), made(database) as changes:
        changes.remove(CONFIGURATION, ["a"])
    with pytest.raises(UnableToChange, match="configuration: "), made(database) as changes:
        changes.insert(CONFIGURATION, [{"name": "a", "value": "1"}, {"name": "a", "value": "2"}])
    with pytest.raises(UnableToChange, match="has an author"), made(database, by=" ") as changes:
        configure(changes, {"a": 1})
    with pytest.raises(UnableToManageTenant, match=r"a.b cannot be set beside a"), made(database) as changes:
        configure(changes, {"a": 1, "a.b": 2})
    assert configuration(database, {}, {}) == {}


@pytest.mark.parametrize(
    "deed", ["UPDATE audit SET by = 'x'", "DELETE FROM audit", 'UPDATE audit SET "before" = after']
)
def test_the_audit_log_cannot_be_changed_by_whoever_asks(shared_databases: Databases, deed: str) -> None:
    database = shared_databases.tenant()
    deed = deed.replace("by =", '"by" =')
    with pytest.raises(DBAPIError, match="append-only"), database.writing() as connection:
        connection.execute(text(deed))
    assert len(audit_log(database)) == 1


def test_an_entry_of_the_audit_log_cannot_be_replaced(tmp_path: Path) -> None:
    database = Databases(tmp_path, None).tenant()
    with pytest.raises(DBAPIError, match="append-only"), database.writing() as connection:
        connection.execute(
            text(
                'INSERT OR REPLACE INTO audit SELECT id, at, recorded_at, \'x\', deed, entity, "key", "before", after FROM audit'
            )
        )
    assert [entry.by for entry in audit_log(database)] == ["ana"]
    assert Path(database.place).stat().st_mode & 0o777 == 0o600  # personal data
    database.close()


def test_no_password_is_told() -> None:
    for address in (
        "postgresql://u:secret@host/db",
        "postgresql://u:p@secret@host/db",
        "postgresql://host/db?user=u&password=secret",
    ):
        place = open_schema(address, "acme").place
        assert "host/db" in place
        assert "secret" not in place


def test_what_a_server_refuses_for_now_is_no_fault(tmp_path: Path) -> None:
    class LockNotAvailable(sqlite3.OperationalError):  # as psycopg's are
        pass

    database = Databases(tmp_path, None).tenant()
    with pytest.raises(UnableToOpenDatabase, match="locked"), database.reading():
        raise OperationalError("SELECT 1", {"name": "Ana"}, LockNotAvailable("locked"))
    with pytest.raises(DBAPIError) as told, database.writing() as connection:
        connection.execute(text("INSERT INTO configuration VALUES (:name, NULL)"), {"name": "Ana"})
    assert "Ana" not in str(told.value)
    database.close()


def test_a_writer_reads_the_clock_once_it_is_the_only_one(databases: Databases) -> None:
    database = databases.tenant()
    held = threading.Event()
    times = iter(range(NOW + 1, NOW + 9))

    def write(name: str) -> None:
        def clock() -> tuple[int, int]:
            now = next(times)
            return now, now

        with changing(database, by=name, clock=clock, entropy=name.encode() * 10) as changes:
            if not held.is_set():
                held.set()
                time.sleep(0.2)
            configure(changes, {name: 1})

    first = threading.Thread(target=write, args=("a",))
    first.start()
    held.wait(60)
    write("b")
    first.join()
    assert [(one.by, one.at) for one in audit_log(database)][1:] == [("a", NOW + 1), ("b", NOW + 2)]


def test_one_database_is_one_tenants(databases: Databases) -> None:
    database = databases.tenant()
    with pytest.raises(UnableToChange), made(database) as changes:
        add_tenant(changes, database.tenant, "again")
    empty = databases.new()
    with pytest.raises(UnableToOpenDatabase, match="is nobody's"):
        find_tenant(empty)
    with made(empty) as changes:
        add_tenant(changes, "other", "Other")
    with pytest.raises(UnableToOpenDatabase, match="is tenant other's"):
        find_tenant(empty)


def test_a_clock_goes_forward_and_a_status_changes(databases: Databases) -> None:
    database = databases.tenant()
    with made(database) as changes:
        assert set_clock(changes, database, NOW + 10).frozen_at == NOW + 10
        assert set_status(changes, database, TenantStatus.SUSPENDED).status is TenantStatus.SUSPENDED
    with pytest.raises(UnableToManageTenant, match="only goes forward"), made(database) as changes:
        set_clock(changes, database, NOW + 9)
    with pytest.raises(UnableToManageTenant, match="suspended already"), made(database) as changes:
        set_status(changes, database, TenantStatus.SUSPENDED)
    with made(database) as changes:
        set_clock(changes, database, None)
    assert find_tenant(database).frozen_at is None


def test_migrations_make_what_the_rooms_expect(databases: Databases) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    database = databases.new()
    with database.reading() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, METADATA) == []
        assert set(inspect(connection).get_table_names()) == TABLES | {"alembic_version"}
        if database.is_sqlite:
            made_by = dict(connection.execute(text("SELECT name, sql FROM sqlite_master WHERE type = 'table'")).all())
            assert [name for name, sql in made_by.items() if name in TABLES and "STRICT" not in sql] == []


def test_migrating_again_changes_nothing(databases: Databases) -> None:
    database = databases.tenant()
    before = fingerprint(database)
    assert upgrade(database) == (revisions()[-1], revisions()[-1])
    assert fingerprint(database) == before
    expect_current(database)


def test_a_database_of_a_newer_version_is_left_alone(databases: Databases) -> None:
    database = databases.tenant()
    with database.writing() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    for attempt in (upgrade, expect_current):
        with pytest.raises(UnableToOpenDatabase, match="newer octroi"):
            attempt(database)
    assert current(database) == "9999"


def test_a_copy_holds_the_same(databases: Databases, postgres: str, tmp_path: object) -> None:
    source = databases.tenant()
    with made(source) as changes:
        # 6,000 rows are several batches; text beyond ASCII sorts by its bytes on both
        changes.insert(CONFIGURATION, [{"name": f"n{number}é", "value": f'"{number}"'} for number in range(6_000)])
        changes.insert(CONFIGURATION, [{"name": "Zoë.ß", "value": '"😀\\u0001"'}])
    for address in (None, postgres):
        others = Databases(databases.directory / "others", address)
        others.directory.mkdir(exist_ok=True)
        target = others.new(source.tenant if address is None or source.is_sqlite else None)
        if target.tenant != source.tenant:
            with pytest.raises(UnableToCopyDatabase, match="cannot become"):
                copy_database(source, target)
            continue
        copied = copy_database(source, target)
        assert copied == fingerprint(source) == fingerprint(target)
        assert {one.table: one.rows for one in copied}["configuration"] == 6_001
        assert list(audit_log(target)) == list(audit_log(source))
        with pytest.raises(UnableToCopyDatabase, match="already: nothing was copied"):
            copy_database(source, target)
        target.close()


def test_a_copy_that_would_differ_is_not_kept(databases: Databases) -> None:
    source = databases.tenant()
    target = open_file(databases.directory / "copy.db", source.tenant)
    upgrade(target)
    with target.writing() as connection:
        connection.execute(text("CREATE TRIGGER t AFTER INSERT ON tenant BEGIN UPDATE tenant SET name = 'Other'; END"))
    with pytest.raises(UnableToCopyDatabase, match="tenant differ"):
        copy_database(source, target)
    with target.reading() as connection:
        assert connection.execute(select(AUDIT)).first() is None
    target.close()


def test_two_changes_of_a_tenant_at_once_both_stay(databases: Databases) -> None:
    database = databases.tenant()

    def suspend() -> None:
        with made(database) as changes:
            set_status(changes, database, TenantStatus.SUSPENDED)

    other = threading.Thread(target=suspend)
    with made(database) as changes:
        set_clock(changes, database, NOW + 10)
        other.start()
        other.join(0.3)  # it waits for this change, or would have read the tenant without it
    other.join()
    tenant = find_tenant(database)
    assert (tenant.frozen_at, tenant.status) == (NOW + 10, TenantStatus.SUSPENDED)
