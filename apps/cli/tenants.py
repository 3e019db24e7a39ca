"""`octroi tenant`: whose installations there are, what each configures, and what was ever changed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from apps.cli.failures import WrongUsage, honest
from apps.cli.instants import instant_of, shown_instant
from apps.cli.options import AsJson, By, Data, Limit, Tenant, read_settings
from apps.cli.output import count, print_json, print_table, printable

if TYPE_CHECKING:
    from billing.access import models
    from billing.access.store.database import Database

tenants = typer.Typer(help="Add tenants, suspend them, see what was changed of them.", no_args_is_help=True)
Code = Annotated[str, typer.Argument(metavar="CODE", help="The tenant.")]
Yes = Annotated[bool, typer.Option("--yes", help="Really do it.")]


def show_rows(rows: list[dict[str, Any]], *, as_json: bool, empty: str) -> None:
    """Print rows as a table, or as JSON."""
    if as_json:
        print_json(rows)
    elif not rows:
        print(empty)
    else:
        print_table("", list(rows[0]), [list(row.values()) for row in rows])


def _told(tenant: models.Tenant, database: Database) -> dict[str, Any]:
    return {
        "tenant": tenant.code,
        "name": tenant.name,
        "status": tenant.status.value,
        "created_at": shown_instant(tenant.created_at),
        "clock": shown_instant(tenant.frozen_at) or "shows the time",
        "database": database.place,
    }


@tenants.command("add", epilog='Example: octroi tenant add acme --name "Acme Telecom"')
@honest
def add(
    code: Code,
    name: Annotated[str, typer.Option("--name", "-n", help="Its name (default: the code).")] = "",
    by: By = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Add a tenant: a data directory below `tenants/` and a database, a file of SQLite or a schema of PostgreSQL.

    The tenant that the setting `tenant` names has the data directory itself.
    """
    from apps.control.places import create

    place = create(read_settings(data), code, name or code, by)
    if as_json:
        print_json({"tenant": code, "data_dir": str(place.directory.root), "database": place.database().place})
    else:
        print(f"tenant {code} added: data directory {place.directory.root}, database {place.database().place}")


@tenants.command("list", epilog="Example: octroi tenant list")
@honest
def show_list(data: Data = None, as_json: AsJson = False) -> None:
    """List the tenants of this installation."""
    from apps.control.places import tenants as found

    rows = [_told(tenant, database) for tenant, database in found(read_settings(data))]
    show_rows(rows, as_json=as_json, empty="there are no tenants: `octroi tenant add CODE` makes one")


def _set_status(code: str, status: str, by: str | None, data: Path | None, *, as_json: bool) -> None:
    from apps.control.places import making, opened
    from billing.access.models import TenantStatus
    from billing.access.operations import set_status

    with opened(read_settings(data), code) as database:
        with making(database, by) as changes:
            tenant = set_status(changes, database, TenantStatus(status))
        if as_json:
            print_json(_told(tenant, database))
        else:
            print(f"tenant {code} is {tenant.status.lower()}")


@tenants.command("suspend", epilog="Example: octroi tenant suspend acme")
@honest
def suspend(code: Code, by: By = None, data: Data = None, as_json: AsJson = False) -> None:
    """Let nobody change a tenant's business any more. Usage goes on: stop its engine to stop that."""
    _set_status(code, "SUSPENDED", by, data, as_json=as_json)


@tenants.command("resume", epilog="Example: octroi tenant resume acme")
@honest
def resume(code: Code, by: By = None, data: Data = None, as_json: AsJson = False) -> None:
    """End a tenant's suspension."""
    _set_status(code, "ACTIVE", by, data, as_json=as_json)


@tenants.command("export", epilog="Example: octroi tenant export acme --to acme.db")
@honest
def export(
    code: Code,
    to: Annotated[Path, typer.Option("--to", metavar="FILE", help="A new file of SQLite.")],
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Copy all that the database holds of a tenant to one file, compared by counts and hashes. Usage: `octroi backup`."""
    from apps.control.places import export as copy

    copied = copy(read_settings(data), code, to)
    show_copied(copied, f"tenant {code} copied to {to}", as_json=as_json)


def show_copied(copied: Any, told: str, *, as_json: bool) -> None:
    """Print what a copy of a database holds."""
    rows = [{"table": one.table, "rows": one.rows, "sha256": one.sha256} for one in copied]
    show_rows(rows, as_json=as_json, empty="")
    if not as_json:
        print(f"{printable(told)}: {count(sum(one.rows for one in copied), 'row')}, the same on both sides")


@tenants.command("delete", epilog="Example: octroi tenant delete acme --yes")
@honest
def delete(code: Code, yes: Yes = False, data: Data = None, as_json: AsJson = False) -> None:
    """Remove a suspended tenant for ever: its database, its data directory, its usage. Export and back up before."""
    from apps.control.places import delete as remove

    if not yes:
        raise WrongUsage(f"nothing of tenant {code} would be left: say --yes")
    place = remove(read_settings(data), code)
    print_json({"deleted": code}) if as_json else print(f"tenant {code} deleted: {place.directory.root} is gone")


@tenants.command("clock", epilog="Example: octroi tenant clock --set 2027-01-01T00:00:00Z")
@honest
def clock(
    frozen: Annotated[str | None, typer.Option("--set", metavar="INSTANT", help="Let it stand still there.")] = None,
    free: Annotated[bool, typer.Option("--free", help="Let it show the time again.")] = False,
    tenant: Tenant = None,
    by: By = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Show or set which time it is for a tenant's business, to try what happens later. It only goes forward."""
    from apps.clock import now_us
    from apps.control.places import making, opened
    from billing.access.operations import set_clock
    from billing.access.queries import find_tenant
    from billing.access.rules import now_of

    if frozen is not None and free:
        raise WrongUsage("--set and --free exclude each other")
    with opened(read_settings(data), tenant) as database:
        if frozen is not None or free:
            with making(database, by) as changes:
                set_clock(changes, database, None if frozen is None else instant_of(frozen))
        found = find_tenant(database)
    told = {"tenant": found.code, "now": shown_instant(now_of(found, now_us())), "frozen": found.frozen_at is not None}
    if as_json:
        print_json(told)
    else:
        print(f"tenant {found.code}: {told['now']}" + (", standing still" if told["frozen"] else ""))


@tenants.command("config", epilog="Example: octroi tenant config accounts.reseller_levels=2")
@honest
def config(
    values: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME=VALUE]…", help="JSON or text; no value: as the product.")
    ] = None,
    tenant: Tenant = None,
    by: By = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Show what holds for a tenant and which layer says so (default, product, tenant), or say something of its own."""
    from apps.control.defaults import DEFAULTS, check_configuration
    from apps.control.places import business, opened, product_configuration
    from billing.access.operations import configure
    from billing.access.queries import configuration

    settings = read_settings(data)
    product = product_configuration(settings)
    if values:
        said = dict(_said(value) for value in values)
        check_configuration(said)
        with business(settings, tenant, by) as (_, changes):
            configure(changes, said)
    with opened(settings, tenant) as database:
        found = configuration(database, DEFAULTS, product)
    rows = [{"name": name, "value": one.value, "origin": one.origin} for name, one in found.items()]
    if not as_json:
        rows = [row | {"value": json.dumps(row["value"], ensure_ascii=False)} for row in rows]
    show_rows(rows, as_json=as_json, empty="nothing is configured")


def _said(text: str) -> tuple[str, Any]:
    name, found, value = text.partition("=")
    if not found or not name:
        raise WrongUsage(f'"{text}" is not NAME=VALUE')
    try:
        return name, json.loads(value) if value else None
    except ValueError:
        return name, value


@tenants.command("audit", epilog="Example: octroi tenant audit --entity account")
@honest
def audit(
    entity: Annotated[str | None, typer.Option(help="Of rows of this table only.")] = None,
    key: Annotated[str | None, typer.Option(help="Of this row only.")] = None,
    after: Annotated[str, typer.Option(help="Behind this entry.")] = "",
    limit: Limit = 100,
    tenant: Tenant = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Show who changed what, when, and what it was before: the audit log, which nobody can change."""
    from apps.control.places import opened
    from billing.access.queries import audit_log

    with opened(read_settings(data), tenant) as database:
        entries = audit_log(database, entity=entity, key=key, after=after, limit=limit)
    rows = [
        {
            "id": entry.id,
            "at": shown_instant(entry.at),
            "by": entry.by,
            "deed": entry.deed.value,
            "entity": entry.entity,
            "key": entry.key,
            "before": entry.before if as_json else _words(entry.before),
            "after": entry.after if as_json else _words(entry.after),
        }
        for entry in entries
    ]
    show_rows(rows, as_json=as_json, empty="nothing was changed")


def _words(values: Any) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items() if value is not None)


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(tenants, name="tenant")
