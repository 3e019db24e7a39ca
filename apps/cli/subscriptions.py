"""`octroi subscription`: who bought what, from when, and what becomes of it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from apps.cli.accounts import said
from apps.cli.failures import honest
from apps.cli.instants import instant_of, shown_instant
from apps.cli.options import AsJson, By, Data, Limit, Tenant, read_settings
from apps.cli.output import print_json, print_table, printable
from apps.cli.sheets import report
from apps.cli.tenants import show_rows

subscriptions = typer.Typer(help="Subscriptions: sold, activated, suspended, renewed, ended.", no_args_is_help=True)
Named = Annotated[str, typer.Argument(metavar="SUBSCRIPTION", help="Code or id.")]
At = Annotated[
    str | None, typer.Option("--at", metavar="INSTANT", help="As of when (default: now). What lies ahead is planned.")
]
Later = Annotated[bool, typer.Option("--created", help="Leave it CREATED: `octroi subscription activate` begins it.")]
_INSTANTS = ("start_at", "terminated_at", "charged_until_at", "term_end_at", "agreement_end_at", "created_at")


@subscriptions.command(
    "add",
    epilog="Example: octroi subscription add ana-mobile account=ana-ba offer=mobile -p 33600000001",
)
@honest
def add(
    code: Annotated[str, typer.Argument(metavar="CODE", help="Its code, for ever.")],
    fields: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME=VALUE]…", help='account, offer, start, zone, group, term={"months": 12}.'),
    ] = None,
    access_points: Annotated[
        list[str] | None, typer.Option("--access-point", "-p", help="What its usage names; may be repeated.")
    ] = None,
    created: Later = False,
    tenant: Tenant = None,
    by: By = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Sell an offer to an account. The engine knows of it once the catalog is published."""
    from pydantic import ValidationError

    from apps.control.places import business
    from billing.subscriptions.models import Subscription
    from billing.subscriptions.operations import add_subscription
    from billing.subscriptions.rules_lifecycle import UnableToKeepSubscription

    given = {name: value for name, value in said(fields).items() if value is not None}
    points = [{"id": identifier} for identifier in access_points or ()]
    try:
        bought = Subscription.model_validate({"code": code, **({"access_points": points} if points else {}), **given})
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise UnableToKeepSubscription(".".join(map(str, first["loc"])), first["msg"]) from error
    with business(read_settings(data), tenant, by) as (_, changes):
        done = add_subscription(changes, bought, activate=not created)
    if as_json:
        print_json({"id": done.id, "code": done.code, "status": done.status})
    else:
        print(f"{done.code} ({done.id}) is {done.status}")


@subscriptions.command("import", epilog="Example: octroi subscription import lines.csv")
@honest
def import_file(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV or XLSX with a header.")],
    created: Later = False,
    errors: Annotated[Path | None, typer.Option(help="Where refused rows are told (default: FILE.errors.csv).")] = None,
    tenant: Tenant = None,
    by: By = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Add subscriptions from a file. Rows that are wrong are left out and told with row, column and reason; exit code 5."""
    from apps.control.places import business
    from billing.access.sheets import Fault, read_sheet
    from billing.subscriptions.importing import COLUMNS, Ordered, read_subscription
    from billing.subscriptions.operations import add_subscriptions

    rows: list[Ordered] = []
    faults: list[Fault] = []
    for line, values in read_sheet(file.read_bytes(), COLUMNS):
        read = read_subscription(line, values)
        rows.append(read) if isinstance(read, Ordered) else faults.extend(read)
    with business(read_settings(data), tenant, by) as (_, changes):
        kept = add_subscriptions(changes, rows, activate=not created)
    told = sorted([*faults, *kept.faults], key=lambda fault: fault.row)
    report("subscription", len(kept.events), told, file, errors, as_json=as_json)


def _act(
    named: str,
    action: str,
    at: str | None,
    tenant: str | None,
    by: str | None,
    data: Path | None,
    *,
    as_json: bool,
    reason: str | None = None,
) -> None:
    from apps.control.places import business
    from billing.subscriptions.models import Action
    from billing.subscriptions.operations import act

    when = None if at is None else instant_of(at)
    with business(read_settings(data), tenant, by) as (_, changes):
        done = act(changes, named, Action(action), at=when, reason=reason)
    if as_json:
        print_json({"id": done.id, "code": done.code, "status": done.status.value, "planned": done.planned})
    else:
        print(
            f"{done.code} is {done.status.value}" + (f"; {action.lower()} is planned for {at}" if done.planned else "")
        )


@subscriptions.command("activate", epilog="Example: octroi subscription activate ana-mobile")
@honest
def activate(
    named: Named, at: At = None, tenant: Tenant = None, by: By = None, data: Data = None, as_json: AsJson = False
) -> None:
    """Let a subscription that was created be in force."""
    _act(named, "ACTIVATE", at, tenant, by, data, as_json=as_json)


@subscriptions.command("suspend", epilog="Example: octroi subscription suspend ana-mobile")
@honest
def suspend(
    named: Named, at: At = None, tenant: Tenant = None, by: By = None, data: Data = None, as_json: AsJson = False
) -> None:
    """Let usage of a subscription be nobody's until it is resumed."""
    _act(named, "SUSPEND", at, tenant, by, data, as_json=as_json)


@subscriptions.command("resume", epilog="Example: octroi subscription resume ana-mobile")
@honest
def resume(
    named: Named, at: At = None, tenant: Tenant = None, by: By = None, data: Data = None, as_json: AsJson = False
) -> None:
    """End a suspension."""
    _act(named, "RESUME", at, tenant, by, data, as_json=as_json)


@subscriptions.command("cancel", epilog="Example: octroi subscription cancel ana-mobile")
@honest
def cancel(named: Named, tenant: Tenant = None, by: By = None, data: Data = None, as_json: AsJson = False) -> None:
    """Give up a subscription that was never in force."""
    _act(named, "CANCEL", None, tenant, by, data, as_json=as_json)


@subscriptions.command("close", epilog="Example: octroi subscription close ana-mobile")
@honest
def close(named: Named, tenant: Tenant = None, by: By = None, data: Data = None, as_json: AsJson = False) -> None:
    """Let nothing of an ended subscription change any more; late usage of its time is still its own."""
    _act(named, "CLOSE", None, tenant, by, data, as_json=as_json)


@subscriptions.command(
    "terminate", epilog="Example: octroi subscription terminate ana-mobile --at 2026-12-31T23:00:00Z"
)
@honest
def terminate(
    named: Named,
    at: At = None,
    reason: Annotated[
        str | None, typer.Option(help="A termination reason, which may hold what is charged to the agreement.")
    ] = None,
    tenant: Tenant = None,
    by: By = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """End a subscription. Usage of its time that comes later is still its own."""
    _act(named, "TERMINATE", at, tenant, by, data, as_json=as_json, reason=reason)


@subscriptions.command("reason", epilog='Example: octroi subscription reason moved "moved house" --apply-agreement')
@honest
def reason(
    code: Annotated[str, typer.Argument(metavar="CODE", help="Its code.")],
    description: Annotated[str, typer.Argument(metavar="TEXT", help="What it means.")],
    apply_agreement: Annotated[
        bool, typer.Option("--apply-agreement", help="Recurring charges are due until the agreement ends.")
    ] = False,
    tenant: Tenant = None,
    by: By = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Say why subscriptions end, and what that means for what they pay."""
    from apps.control.places import business
    from billing.subscriptions.models import TerminationReason
    from billing.subscriptions.operations import define_reason

    found = TerminationReason(code=code, description=description, apply_agreement=apply_agreement)
    with business(read_settings(data), tenant, by) as (_, changes):
        define_reason(changes, found)
    print_json(found.model_dump()) if as_json else print(f"reason {code} kept")


@subscriptions.command(
    "change-offer", epilog="Example: octroi subscription change-offer ana-mobile unlimited --code ana-mobile-2"
)
@honest
def change_offer(
    named: Named,
    offer: Annotated[str, typer.Argument(metavar="OFFER", help="What it is to have.")],
    code: Annotated[str, typer.Option("--code", help="Of the subscription that goes on with it.")],
    at: At = None,
    tenant: Tenant = None,
    by: By = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """End a subscription and let another one, with another offer and the same access points, go on at the same instant."""
    from apps.control.places import business
    from billing.subscriptions.operations import change_offer as changed

    when = None if at is None else instant_of(at)
    with business(read_settings(data), tenant, by) as (_, changes):
        done = changed(changes, named, offer, code=code, at=when)
    print_json({"id": done.id, "code": done.code, "status": done.status}) if as_json else print(
        f"{done.code} is {done.status}"
    )


@subscriptions.command("due", epilog="Example: octroi subscription due")
@honest
def due(tenant: Tenant = None, by: By = None, data: Data = None, as_json: AsJson = False) -> None:
    """Do what is planned by now, renew or end terms, and say of which ends somebody is to be told. Run it every day."""
    from apps.control.places import business
    from billing.subscriptions.operations import do_what_is_due

    with business(read_settings(data), tenant, by) as (_, changes):
        told = do_what_is_due(changes)
    if as_json:
        print_json(told)
    else:
        print("\n".join(map(printable, told)) or "nothing is due")


@subscriptions.command("list", epilog="Example: octroi subscription list --account ana-ba")
@honest
def show_list(
    account: Annotated[str | None, typer.Option(help="Of this account only.")] = None,
    after: Annotated[str, typer.Option(help="Behind this code.")] = "",
    limit: Limit = 100,
    tenant: Tenant = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """List subscriptions by code."""
    from apps.control.places import opened
    from billing.subscriptions.queries import list_subscriptions

    with opened(read_settings(data), tenant) as database:
        rows = list_subscriptions(database, account=account, after=after, limit=limit)
    columns = ("code", "account", "offer", "status", "start_at", "terminated_at", "id")
    show_rows(
        [_shown({name: row[name] for name in columns}) for row in rows], as_json=as_json, empty="no subscriptions"
    )


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    return {name: shown_instant(value) if name in _INSTANTS else value for name, value in row.items()}


@subscriptions.command("show", epilog="Example: octroi subscription show ana-mobile")
@honest
def show(named: Named, tenant: Tenant = None, data: Data = None, as_json: AsJson = False) -> None:
    """Show all that is known of a subscription, with what is planned for it."""
    from apps.control.places import opened
    from billing.subscriptions.queries import show_subscription

    with opened(read_settings(data), tenant) as database:
        found = _shown(show_subscription(database, named))
    if as_json:
        print_json(found)
        return
    plain = {name: value for name, value in found.items() if not isinstance(value, list) and value is not None}
    print_table("", ["field", "value"], [[name, value] for name, value in plain.items()])
    for name in ("access_points", "suspensions", "planned"):
        rows = [
            {
                key: shown_instant(value) if key.endswith("_at") else value
                for key, value in row.items()
                if key != "subscription_id"
            }
            for row in found[name]
        ]
        if rows:
            print_table(name, list(rows[0]), [list(row.values()) for row in rows])


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(subscriptions, name="subscription")
