"""`octroi db`: the form of a tenant's database, and moving it to another one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from apps.cli.failures import WrongUsage, honest
from apps.cli.options import AsJson, Data, Tenant, read_settings
from apps.cli.output import print_json
from apps.cli.tenants import show_copied

databases = typer.Typer(help="The databases of tenants: their revisions, and copies.", no_args_is_help=True)


@databases.command("current", epilog="Example: octroi db current")
@honest
def show_current(tenant: Tenant = None, data: Data = None, as_json: AsJson = False) -> None:
    """Show which revision a tenant's database has, and which one this version reads."""
    from apps.control.places import place_of
    from billing.access.store.migrating import current, revisions

    database = place_of(read_settings(data), tenant).database()
    try:
        found = current(database)
    finally:
        database.close()
    newest = revisions()[-1]
    if as_json:
        print_json({"database": database.place, "revision": found, "newest": newest})
    else:
        told = "this is the newest" if found == newest else f"`octroi db upgrade` brings it to {newest}"
        print(f"{database.place}: {'empty' if found is None else f'revision {found}'}; {told}")


@databases.command("upgrade", epilog="Example: octroi db upgrade --tenant acme")
@honest
def show_upgrade(tenant: Tenant = None, data: Data = None, as_json: AsJson = False) -> None:
    """Bring a tenant's database to the form that this version reads, with its data in place: all of it or nothing."""
    from apps.control.places import place_of
    from billing.access.store.database import UnableToOpenDatabase
    from billing.access.store.migrating import current, upgrade

    place = place_of(read_settings(data), tenant)
    database = place.database()
    try:
        if current(database) is None:
            raise UnableToOpenDatabase(
                f"there is no tenant {place.code} in {database.place}: `octroi tenant add {place.code}` makes one"
            )
        before, after = upgrade(database)
    finally:
        database.close()
    if as_json:
        print_json({"database": database.place, "before": before, "after": after})
    else:
        print(
            f"{database.place}: {f'revision {before} became {after}' if before != after else f'revision {after} already'}"
        )


@databases.command("copy", epilog="Example: octroi db copy --to postgresql://octroi@db/octroi")
@honest
def show_copy(
    to: Annotated[
        str,
        typer.Option("--to", metavar="ADDRESS", help="postgresql://user:password@host/database, or a file of SQLite."),
    ],
    tenant: Tenant = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Copy a tenant's database to an empty one, and prove by counts and hashes that both hold the same.

    It is done whole or not at all. Set `database` afterwards to go on there.
    """
    from apps.control.places import opened
    from billing.access.store.copying import copy_database
    from billing.access.store.database import open_file, open_schema

    with opened(read_settings(data), tenant) as source:
        if "://" in to:
            target = open_schema(to, source.tenant)
        elif not Path(to).parent.is_dir():
            raise WrongUsage(f"{Path(to).parent} is no directory")
        else:
            target = open_file(Path(to), source.tenant)
        try:
            copied = copy_database(source, target)
        finally:
            target.close()
    show_copied(copied, f"tenant {source.tenant} copied to {target.place}", as_json=as_json)


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(databases, name="db")
