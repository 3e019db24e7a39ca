"""`octroi key` and `octroi role`: who may ask over HTTP, and for what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from apps.cli.failures import honest
from apps.cli.instants import instant_of, shown_instant
from apps.cli.options import AsJson, By, Data, Limit, Tenant, read_settings
from apps.cli.output import print_json, printable
from apps.cli.tenants import show_rows

if TYPE_CHECKING:
    from billing.access.api_keys import ApiKey

keys = typer.Typer(help="API keys: make them, see when they were used, revoke them.", no_args_is_help=True)
roles = typer.Typer(help="Roles: what keys may do.", no_args_is_help=True)
Named = Annotated[str, typer.Argument(metavar="KEY", help="Its name or id.")]


def _told(key: ApiKey, now: int) -> dict[str, Any]:
    return {
        "key": key.name,
        "status": key.status(now),
        "roles": ", ".join(key.roles),
        "accounts": None if key.accounts is None else ", ".join(key.accounts),
        "sources": None if key.sources is None else ", ".join(key.sources),
        "created_at": shown_instant(key.created_at),
        "expires_at": shown_instant(key.expires_at),
        "used_at": shown_instant(key.used_at),
        "id": key.id,
    }


@keys.command("add", epilog="Example: octroi key add shop --role care --account acme --expires 2027-01-01T00:00:00Z")
@honest
def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What it is called in logs and in the audit log.")],
    role: Annotated[list[str], typer.Option("--role", "-r", help="What it may do; may be repeated.")],
    account: Annotated[
        list[str] | None, typer.Option(help="Limit it to this account and all below; may be repeated.")
    ] = None,
    source: Annotated[list[str] | None, typer.Option(help="Limit it to this source; may be repeated.")] = None,
    expires: Annotated[
        str | None, typer.Option(metavar="INSTANT", help="Until when it opens (default: always).")
    ] = None,
    tenant: Tenant = None,
    by: By = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Make a key and print it, once: only a hash of it is kept. Send it as `Authorization: Bearer KEY`."""
    from apps.control.keys import new_key

    key, token = new_key(
        read_settings(data),
        tenant,
        by,
        name,
        roles=role,
        accounts=account or [],
        sources=source or [],
        expires_at=None if expires is None else instant_of(expires),
    )
    if as_json:
        print_json({"id": key.id, "name": key.name, "key": token})
    else:
        print(token)


@keys.command("list", epilog="Example: octroi key list")
@honest
def show_list(
    after: Annotated[str, typer.Option(help="Behind this id.")] = "",
    limit: Limit = 100,
    tenant: Tenant = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """List keys, oldest first: what they may do, and when they were used last."""
    from apps.clock import now_us
    from apps.control.places import opened
    from billing.access.keys import list_keys

    with opened(read_settings(data), tenant) as database:
        found = list_keys(database, after=after, limit=limit)
    now = now_us()
    show_rows(
        [_told(key, now) for key in found], as_json=as_json, empty="there are no keys: `octroi key add` makes one"
    )


@keys.command("revoke", epilog="Example: octroi key revoke shop")
@honest
def revoke(named: Named, tenant: Tenant = None, by: By = None, data: Data = None, as_json: AsJson = False) -> None:
    """Let a key open nothing any more: within two seconds, also of a server that runs."""
    from apps.control.places import making, opened
    from billing.access.keys import revoke_key

    with opened(read_settings(data), tenant) as database, making(database, by) as changes:
        key = revoke_key(changes, named)
    print_json({"id": key.id, "name": key.name, "revoked": True}) if as_json else print(f"key {key.name} is revoked")


@keys.command("why", epilog="Example: octroi key why shop account:read --account ana")
@honest
def why(
    named: Named,
    action: Annotated[str, typer.Argument(metavar="ACTION", help="Such as account:read.")],
    account: Annotated[str | None, typer.Option(help="To this account, or to what is part of it.")] = None,
    source: Annotated[str | None, typer.Option(help="To this source.")] = None,
    tenant: Tenant = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Say whether a key may do something, and why."""
    from apps.control.places import opened
    from billing.access.keys import find_key, known_roles
    from billing.access.permissions import Policies, Resource, check_action, of_account
    from billing.accounts.queries import chain_of_ids

    check_action(action)
    with opened(read_settings(data), tenant) as database:
        principal = find_key(database, named).principal()
        policies = Policies(known_roles(database))
        if account is not None:
            resource = of_account(chain_of_ids(database, account))
        elif source is not None:
            resource = Resource("Source", source)
        else:
            resource = Resource("Tenant", database.tenant)
    found = policies.decide(principal, action, resource)
    if as_json:
        print_json({"allowed": found.allowed, "roles": found.roles, "why": found.why})
    else:
        print(printable(f"{'yes' if found.allowed else 'no'}: {found.why}"))


@roles.command("list", epilog="Example: octroi role list")
@honest
def list_roles(tenant: Tenant = None, data: Data = None, as_json: AsJson = False) -> None:
    """List the roles that every tenant has, and the tenant's own."""
    from apps.control.places import opened
    from billing.access.keys import known_roles
    from billing.access.permissions import ROLES

    with opened(read_settings(data), tenant) as database:
        found = known_roles(database)
    rows = [
        {
            "role": role.code,
            "of": "every tenant" if role.code in ROLES else "this tenant",
            "description": role.description,
            "grants": list(role.grants) if as_json else ", ".join(role.grants),
        }
        for role in found.values()
    ]
    show_rows(rows, as_json=as_json, empty="")


@roles.command("set", epilog='Example: octroi role set desk "Front desk" -g account:read -g "subscription:*"')
@honest
def set_role(
    code: Annotated[str, typer.Argument(metavar="CODE", help="Its code.")],
    description: Annotated[str, typer.Argument(metavar="TEXT", help="Who has it.")],
    grant: Annotated[
        list[str],
        typer.Option("--grant", "-g", help="What it permits: ENTITY:ACTION, either may be *; may be repeated."),
    ],
    tenant: Tenant = None,
    by: By = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Make a role of the tenant's own, or say anew what it permits."""
    from apps.control.places import making, opened
    from billing.access.keys import define_role
    from billing.access.permissions import Role

    role = Role(code, description, tuple(grant))
    with opened(read_settings(data), tenant) as database, making(database, by) as changes:
        define_role(changes, role)
    print_json({"role": code, "grants": grant}) if as_json else print(f"role {code} kept")


@roles.command("remove", epilog="Example: octroi role remove desk")
@honest
def remove(
    code: Annotated[str, typer.Argument(metavar="CODE", help="Its code.")],
    tenant: Tenant = None,
    by: By = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Remove a role of the tenant's own: keys that have it may do no more by it."""
    from apps.control.places import making, opened
    from billing.access.keys import remove_role

    with opened(read_settings(data), tenant) as database, making(database, by) as changes:
        remove_role(changes, code)
    print_json({"removed": code}) if as_json else print(f"role {code} removed")


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(keys, name="key")
    app.add_typer(roles, name="role")
