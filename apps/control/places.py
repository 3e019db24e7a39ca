"""Where each tenant's data directory and database are."""

from __future__ import annotations

import getpass
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from apps.clock import now_us
from apps.control.defaults import DEFAULTS, check_configuration
from apps.control.rooms import TABLES  # noqa: F401 - copies must know all tables
from apps.embedded.layout import DataDirectory
from apps.embedded.lock import OwnerLock
from apps.settings import Settings, UnableToReadSettings
from billing.access.ids import ENTROPY_BYTES
from billing.access.models import Tenant, TenantStatus
from billing.access.operations import add_tenant
from billing.access.queries import find_tenant
from billing.access.rules import UnableToManageTenant, check_changeable, check_code, now_of, overlaid
from billing.access.store.changes import Changes, changing
from billing.access.store.copying import Copied, UnableToCopyDatabase, copy_database
from billing.access.store.database import (
    Database,
    UnknownTenant,
    drop_schema,
    open_file,
    open_schema,
    schemas_on,
)
from billing.access.store.migrating import current, expect_current, upgrade
from billing.access.store.tenants import is_taken, select_configuration

TENANTS = "tenants"


@dataclass(frozen=True, slots=True)
class Place:
    """A tenant's data directory, and how its database is opened."""

    code: str
    directory: DataDirectory
    address: str | None

    def database(self) -> Database:
        """Return its database, which may not be there yet.

        Raises:
            UnableToOpenDatabase: when the address is none.
        """
        if self.address is None:
            return open_file(self.directory.business, self.code)
        return open_schema(self.address, self.code)


def place_of(settings: Settings, code: str | None = None) -> Place:
    """Return where a tenant is: the one of the settings in the data directory itself, others in `tenants/` below it."""
    wanted = settings.tenant if code is None else check_code(code)
    root = settings.data_dir if wanted == settings.tenant else settings.data_dir / TENANTS / wanted
    address = None if settings.database is None else settings.database.get_secret_value()
    return Place(wanted, DataDirectory(root), address)


def open_tenant(settings: Settings, code: str | None = None) -> Database:
    """Return a tenant's database, in the form that this version reads.

    Raises:
        UnknownTenant: when there is no such tenant.
        UnableToOpenDatabase: when its database does not answer, or is another one's or of another version.
    """
    place = place_of(settings, code)
    database = place.database()
    try:
        if current(database) is None:
            raise UnknownTenant(
                f"there is no tenant {place.code} in {database.place}: `octroi tenant add {place.code}` makes one"
            )
        expect_current(database)
        find_tenant(database)
    except BaseException:
        database.close()
        raise
    return database


@contextmanager
def opened(settings: Settings, code: str | None = None) -> Iterator[Database]:
    """Yield what `open_tenant` returns, which raises what it does."""
    database = open_tenant(settings, code)
    try:
        yield database
    finally:
        database.close()


def author(by: str | None) -> str:
    """Return who changes: who is named, or who is logged in."""
    return by or getpass.getuser()


@contextmanager
def making(database: Database, by: str | None, tenant: Tenant | None = None) -> Iterator[Changes]:
    """Yield changes by somebody, now; `tenant` is whose clock it is, None when it is the machine's."""

    def clock() -> tuple[int, int]:
        now = now_us()
        return now if tenant is None else now_of(tenant, now), now

    with changing(database, by=author(by), clock=clock, entropy=os.urandom(ENTROPY_BYTES)) as changes:
        yield changes


@contextmanager
def business(settings: Settings, code: str | None, by: str | None) -> Iterator[tuple[Database, Changes]]:
    """Yield a tenant's database and changes of its business.

    Raises:
        UnableToOpenDatabase: when there is no such tenant.
        TenantIsSuspended: when it may not be changed.
    """
    with opened(settings, code) as database, of_business(database, by) as changes:
        yield database, changes


@contextmanager
def of_business(database: Database, by: str | None) -> Iterator[Changes]:
    """Yield changes of the business of a tenant whose database is open.

    Raises:
        TenantIsSuspended: when it may not be changed.
    """
    tenant = find_tenant(database)
    check_changeable(tenant)
    with making(database, by, tenant) as changes:
        yield changes


def product_configuration(settings: Settings) -> dict[str, Any]:
    """Return what the product says over the defaults.

    Raises:
        UnableToReadSettings: when its file cannot be read.
    """
    if settings.product is None:
        return {}
    try:
        said = yaml.safe_load(settings.product.read_bytes())
    except (OSError, yaml.YAMLError) as error:
        raise UnableToReadSettings(f"{settings.product} cannot be read: {error}") from error
    if said is not None and not isinstance(said, dict):
        raise UnableToReadSettings(f"{settings.product} holds no names and values")
    return said or {}


def reseller_levels(settings: Settings, changes: Changes) -> int:
    """Return how many resellers may stand between the operator and a customer, for the tenant whose business is changed."""
    said = {
        "default": DEFAULTS,
        "product": product_configuration(settings),
        "tenant": select_configuration(changes.connection),
    }
    found = overlaid(said)["accounts.reseller_levels"].value
    check_configuration({"accounts.reseller_levels": found})
    return int(found)


def create(settings: Settings, code: str, name: str, by: str | None) -> Place:
    """Make a tenant: its data directory, its database, and the row that says whose it is.

    Raises:
        UnableToManageTenant: when it is there already, or its code cannot be.
        TenantDiffers: when the data directory is another tenant's.
        UnableToOpenDatabase: when there is no database to be had.
    """
    place = place_of(settings, code)
    database = place.database()
    try:
        place.directory.prepare()
        place.directory.bind(code)
        upgrade(database)
        with database.reading() as connection:
            if is_taken(connection):
                raise UnableToManageTenant(f"tenant {code} is there already")
        with making(database, by) as changes:
            add_tenant(changes, code, name)
    finally:
        database.close()
    return place


def tenants(settings: Settings) -> list[tuple[Tenant, Database]]:
    """Return all tenants of an installation, by code.

    Raises:
        UnableToOpenDatabase: when a database does not answer, or is of another version.
    """
    if settings.database is None:
        below = sorted((settings.data_dir / TENANTS).glob("*"))
        below = [path for path in below if DataDirectory(path).business.exists()]
        codes = [settings.tenant] if place_of(settings).directory.business.exists() else []
        codes += [path.name for path in below if not path.name.startswith(".")]
    else:
        codes = schemas_on(settings.database.get_secret_value())
    found = []
    for code in sorted(codes):
        with opened(settings, code) as database:
            found.append((find_tenant(database), database))
    return found


def delete(settings: Settings, code: str) -> Place:
    """Remove a suspended tenant's database and data directory, for ever.

    Raises:
        UnableToManageTenant: when it is not suspended, or is the one of the data directory itself.
        DirectoryIsOwned: when its engine runs.
    """
    place = place_of(settings, code)
    if place.code == settings.tenant:
        raise UnableToManageTenant(f"{settings.data_dir} is tenant {code}'s own: remove the directory to delete it")
    with opened(settings, code) as database:
        if find_tenant(database).status is not TenantStatus.SUSPENDED:
            raise UnableToManageTenant(f"tenant {code} is active: suspend it first")
    root = place.directory.root
    # under another name first: what is half removed is no tenant any more, and one that was half removed before goes, too
    gone = root.with_name(f".{root.name}.deleted")
    if gone.exists():
        shutil.rmtree(gone)
    if root.exists():
        with OwnerLock(place.directory.lock):
            root.rename(gone)
        shutil.rmtree(gone)
    if place.address is not None:
        drop_schema(place.address, code)
    return place


def export(settings: Settings, code: str, target: Path) -> list[Copied]:
    """Copy a tenant's database to a new file of SQLite; return what each table holds.

    Raises:
        UnableToCopyDatabase: when the file is there already.
    """
    if target.exists():
        raise UnableToCopyDatabase(f"{target} is there already")
    partial = target.with_name(f".{target.name}.partial")
    partial.unlink(missing_ok=True)
    with opened(settings, code) as source:
        copy = open_file(partial, source.tenant, journal="DELETE")
        try:
            copied = copy_database(source, copy)
        finally:
            copy.close()
    partial.rename(target)
    return copied
