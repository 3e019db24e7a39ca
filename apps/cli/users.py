"""`octroi user`: who may log in, and for what."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from apps.cli.failures import honest
from apps.cli.instants import shown_instant
from apps.cli.options import AsJson, By, Data, Limit, Tenant, read_settings
from apps.cli.output import print_json, printable
from apps.cli.tenants import show_rows

users = typer.Typer(
    help="Users: make them, change what they may do, see who logged in, have them set a new password.",
    no_args_is_help=True,
)
Named = Annotated[str, typer.Argument(metavar="USER", help="Their name or id.")]


@users.command("add", epilog="Example: octroi user add ana --role care --account acme")
@honest
def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What they log in with; small letters.")],
    role: Annotated[list[str], typer.Option("--role", "-r", help="What they may do; may be repeated.")],
    account: Annotated[
        list[str] | None, typer.Option(help="Limit them to this account and all below; may be repeated.")
    ] = None,
    tenant: Tenant = None,
    by: By = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Make a user and print a token, once, with which they set their password: `POST /v1/password-resets`."""
    from apps.control.logins import new_user

    user, token = new_user(read_settings(data), tenant, by, name, roles=role, accounts=account or [])
    print_json({"id": user.id, "name": user.name, "token": token}) if as_json else print(token)


@users.command("list", epilog="Example: octroi user list")
@honest
def show_list(
    after: Annotated[str, typer.Option(help="Behind this id.")] = "",
    limit: Limit = 100,
    tenant: Tenant = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """List users, the first one first: what they may do, when they logged in last, and whether they are locked out."""
    from apps.clock import now_us
    from apps.control.places import opened
    from billing.access.logins import list_users

    with opened(read_settings(data), tenant) as database:
        found = list_users(database, after=after, limit=limit)
    now = now_us()
    rows = [
        {
            "user": user.name,
            "status": user.status,
            "roles": ", ".join(user.roles),
            "accounts": None if user.accounts is None else ", ".join(user.accounts),
            "second_factor": user.has_factor,
            "logged_in_at": shown_instant(known.succeeded_at),
            "failures": known.failures,
            "locked_until": shown_instant(known.locked_until if known.locked_until > now else None),
            "id": user.id,
        }
        for user, known in found
    ]
    show_rows(rows, as_json=as_json, empty="there are no users: `octroi user add` makes one")


@users.command("roles", epilog="Example: octroi user roles ana --role care --role viewer")
@honest
def set_roles(
    named: Named,
    role: Annotated[list[str], typer.Option("--role", "-r", help="What they may do from now on; may be repeated.")],
    tenant: Tenant = None,
    by: By = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Give a user other roles in the place of those they have; a server that runs learns of it within two seconds."""
    from apps.control.logins import change_user

    user = change_user(read_settings(data), tenant, by, named, roles=role)
    told = {"id": user.id, "name": user.name, "roles": list(user.roles)}
    print_json(told) if as_json else print(printable(f"user {user.name} has the roles {', '.join(user.roles)}"))


@users.command("disable", epilog="Example: octroi user disable ana")
@honest
def disable(named: Named, tenant: Tenant = None, by: By = None, data: Data = None, as_json: AsJson = False) -> None:
    """Log a user out and let them in no more, until they are enabled: within two seconds, also of a server that runs."""
    _disabled(named, tenant, by, data, becomes=True, as_json=as_json)


@users.command("enable", epilog="Example: octroi user enable ana")
@honest
def enable(named: Named, tenant: Tenant = None, by: By = None, data: Data = None, as_json: AsJson = False) -> None:
    """Let a user in again who was disabled, with the password that they had; sessions from before stay ended."""
    _disabled(named, tenant, by, data, becomes=False, as_json=as_json)


def _disabled(
    named: str, tenant: str | None, by: str | None, data: Path | None, *, becomes: bool, as_json: bool
) -> None:
    from apps.control.logins import change_user

    user = change_user(read_settings(data), tenant, by, named, disabled=becomes)
    told = {"id": user.id, "name": user.name, "status": user.status}
    print_json(told) if as_json else print(printable(f"user {user.name} is {user.status.lower()}"))


@users.command("remove", epilog="Example: octroi user remove ana")
@honest
def remove(named: Named, tenant: Tenant = None, by: By = None, data: Data = None, as_json: AsJson = False) -> None:
    """Remove a user and log them out: within two seconds, also of a server that runs. The audit log keeps what they did."""
    from apps.control.places import making, opened
    from billing.access.logins import find_user, remove_user

    with opened(read_settings(data), tenant) as database:
        user = find_user(database, named)
        with making(database, by) as changes:
            remove_user(changes, user)
    print_json({"removed": user.id}) if as_json else print(printable(f"user {user.name} is removed"))


@users.command("reset", epilog="Example: octroi user reset ana --second-factor")
@honest
def reset(
    named: Named,
    second_factor: Annotated[
        bool,
        typer.Option("--second-factor", help="Ask for no codes any more, and log them out: their telephone is lost."),
    ] = False,
    tenant: Tenant = None,
    by: By = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Print a token, once, with which a user sets a new password; tokens before it set none any more."""
    from apps.control.logins import reset_user

    user, token = reset_user(read_settings(data), tenant, by, named, drop_factor=second_factor)
    print_json({"id": user.id, "name": user.name, "token": token}) if as_json else print(token)


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(users, name="user")
