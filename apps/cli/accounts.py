"""`octroi account`: who sells, who buys, who owes, who gets the invoice and who consumes."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from apps.cli.failures import WrongUsage, honest
from apps.cli.options import AsJson, By, Data, Limit, Tenant, read_settings
from apps.cli.output import print_json, print_table, printable
from apps.cli.sheets import report, write_rows
from apps.cli.tenants import show_rows

accounts = typer.Typer(help="Sellers, customers and the accounts below them.", no_args_is_help=True)
Named = Annotated[str, typer.Argument(metavar="ACCOUNT", help="Code, id or external id.")]
Fields = Annotated[
    list[str] | None, typer.Argument(metavar="[NAME=VALUE]…", help="Fields; an empty value takes one away.")
]


class AttachmentName(StrEnum):
    """What may be attached to an account."""

    address = "address"
    contact = "contact"
    payment_method = "payment-method"
    note = "note"


def said(values: list[str] | None) -> dict[str, Any]:
    """Return fields that were typed as NAME=VALUE; a value that is a JSON object or list is taken as such."""
    found: dict[str, Any] = {}
    for text in values or []:
        name, given, value = text.partition("=")
        if not given or not name:
            raise WrongUsage(f'"{text}" is not NAME=VALUE')
        try:
            found[name] = json.loads(value) if value[:1] in ("{", "[") else value or None
        except ValueError as error:
            raise WrongUsage(f"{name}: {error}") from error
    return found


@accounts.command(
    "add", epilog="Example: octroi account add ana --kind customer parent=acme name=Ana currency=EUR --all-levels"
)
@honest
def add(
    code: Annotated[str, typer.Argument(metavar="CODE", help="Its code, for ever.")],
    fields: Fields = None,
    kind: Annotated[
        str, typer.Option("--kind", "-k", help="seller, customer, customer_account, billing_account, user_account.")
    ] = "billing_account",
    all_levels: Annotated[
        bool, typer.Option("--all-levels", help="Of a customer: also CODE-ca and CODE-ba below it.")
    ] = False,
    tenant: Tenant = None,
    by: By = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Add an account."""
    from pydantic import ValidationError

    from apps.control.places import business, reseller_levels
    from billing.accounts.models import Account
    from billing.accounts.operations import add_account, add_all_levels
    from billing.accounts.rules import UnableToKeepAccount

    settings = read_settings(data)
    given = {name: value for name, value in said(fields).items() if value is not None}
    try:
        account = Account.model_validate({"code": code, "kind": kind, **given})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise UnableToKeepAccount(".".join(map(str, first["loc"])), first["msg"]) from error
    with business(settings, tenant, by) as (_, changes):
        levels = reseller_levels(settings, changes)
        if all_levels:
            added = add_all_levels(changes, account, reseller_levels=levels)
        else:
            added = [add_account(changes, account, reseller_levels=levels)]
    rows = [{"id": one.id, "code": one.code, "kind": one.kind.value} for one in added]
    show_rows(rows, as_json=as_json, empty="")


@accounts.command("change", epilog="Example: octroi account change ana-ba status=TERMINATED")
@honest
def change(
    account: Named,
    fields: Fields = None,
    revision: Annotated[int | None, typer.Option(help="Only if it still has this revision.")] = None,
    tenant: Tenant = None,
    by: By = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Change fields of an account, its parent and its status among them."""
    from apps.control.places import business, reseller_levels
    from billing.accounts.operations import change_account

    settings = read_settings(data)
    with business(settings, tenant, by) as (_, changes):
        levels = reseller_levels(settings, changes)
        done = change_account(changes, account, said(fields), reseller_levels=levels, revision=revision)
    if as_json:
        print_json({"id": done.id, "code": done.code, "changed": list(done.fields)})
    else:
        print(f"{done.code}: {', '.join(done.fields) + ' changed' if done.fields else 'nothing changed'}")


@accounts.command("show", epilog="Example: octroi account show ana-ba")
@honest
def show(account: Named, tenant: Tenant = None, data: Data = None, as_json: AsJson = False) -> None:
    """Show all that is known of an account, with what it inherits and from whom."""
    from apps.control.places import opened
    from billing.accounts.queries import show_account

    with opened(read_settings(data), tenant) as database:
        found = show_account(database, account)
    if as_json:
        print_json(found)
        return
    print(printable(f"{found['kind']} {found['code']} ({found['id']}), {found['status']}, {found['role']}"))
    if found["above"]:
        print(printable(f"below {', '.join(found['above'])}"))
    held = [[name, one["value"], one["of"]] for name, one in found["holds"].items()]
    if held:
        print_table("What holds", ["field", "value", "said by"], held)
    for name in ("address", "contact", "payment_method", "note"):
        rows = [{key: value for key, value in row.items() if key != "account_id"} for row in found[name]]
        for row in rows:
            if row.get("reference"):
                row["reference"] = f"…{row['reference'][-4:]}"
        if rows:
            print_table(name, list(rows[0]), [list(row.values()) for row in rows])


@accounts.command("list", epilog="Example: octroi account list --kind customer")
@honest
def show_list(
    kind: Annotated[str | None, typer.Option("--kind", "-k", help="Of this kind only.")] = None,
    below: Annotated[str | None, typer.Option(help="Directly below this account only.")] = None,
    after: Annotated[str, typer.Option(help="Behind this code.")] = "",
    limit: Limit = 100,
    tenant: Tenant = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """List accounts by code."""
    from apps.control.places import opened
    from billing.accounts.models import Kind
    from billing.accounts.queries import list_accounts

    if kind is not None and kind not in set(Kind):
        raise WrongUsage(f'"{kind}" is no kind; there are {", ".join(Kind)}')
    with opened(read_settings(data), tenant) as database:
        rows = list_accounts(database, kind=Kind(kind) if kind else None, below=below, after=after, limit=limit)
    columns = ("code", "kind", "parent", "name", "status", "id")
    show_rows([{name: row[name] for name in columns} for row in rows], as_json=as_json, empty="no accounts")


@accounts.command("attach", epilog="Example: octroi account attach ana-ba contact name=Ana email=ana@example.org")
@honest
def attach(
    account: Named,
    what: Annotated[AttachmentName, typer.Argument(metavar="WHAT", help="address, contact, payment-method or note.")],
    fields: Fields = None,
    tenant: Tenant = None,
    by: By = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Attach an address, a contact, a payment method or a note to an account."""
    from pydantic import ValidationError

    from apps.control.places import business
    from billing.accounts import models
    from billing.accounts.operations import attach as attached
    from billing.accounts.rules import UnableToKeepAccount

    kinds: dict[str, type[models.Attachment]] = {
        "address": models.Address,
        "contact": models.Contact,
        "payment-method": models.PaymentMethod,
        "note": models.Note,
    }
    try:
        thing = kinds[what.value](**{name: value for name, value in said(fields).items() if value is not None})
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise UnableToKeepAccount(".".join(map(str, first["loc"])), first["msg"]) from error
    with business(read_settings(data), tenant, by) as (_, changes):
        identifier = attached(changes, account, thing)
    print_json({"id": identifier}) if as_json else print(identifier)


@accounts.command("detach", epilog="Example: octroi account detach con_01M8CVHGS501R23DNN8YVAFZ9T")
@honest
def detach(
    identifier: Annotated[str, typer.Argument(metavar="ID", help="Of what is attached.")],
    tenant: Tenant = None,
    by: By = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Remove what is attached to an account; the audit log keeps what it was."""
    from apps.control.places import business
    from billing.accounts.store import remove_attachment

    with business(read_settings(data), tenant, by) as (_, changes):
        remove_attachment(changes, identifier)
    print_json({"removed": identifier}) if as_json else print(f"{identifier} removed")


@accounts.command("fields", epilog="Example: octroi account fields --kind customer --schema customer-fields.json")
@honest
def fields(
    kind: Annotated[str | None, typer.Option("--kind", "-k", help="Of accounts of this kind.")] = None,
    schema: Annotated[Path | None, typer.Option(help="File with a JSON Schema of an object.")] = None,
    tenant: Tenant = None,
    by: By = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Show which custom fields accounts have, or say so by a JSON Schema. It holds for what is kept from now on."""
    from apps.control.places import business, opened
    from billing.accounts.models import Kind
    from billing.accounts.operations import define_fields
    from billing.accounts.queries import fields_of

    settings = read_settings(data)
    if schema is not None:
        if kind not in set(Kind):
            raise WrongUsage(f"--kind says of which accounts: {', '.join(Kind)}")
        try:
            definition = json.loads(schema.read_bytes())
        except ValueError as error:
            raise WrongUsage(f"{schema} is no JSON: {error}") from error
        with business(settings, tenant, by) as (_, changes):
            define_fields(changes, Kind(kind), definition)
    with opened(settings, tenant) as database:
        found = {name: one for name, one in fields_of(database).items() if kind in (None, name)}
    rows = [{"kind": name, "schema": one if as_json else json.dumps(one)} for name, one in found.items()]
    show_rows(rows, as_json=as_json, empty="there are no custom fields")


@accounts.command("import", epilog="Example: octroi account import customers.xlsx")
@honest
def import_file(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV or XLSX with a header.")],
    errors: Annotated[Path | None, typer.Option(help="Where refused rows are told (default: FILE.errors.csv).")] = None,
    tenant: Tenant = None,
    by: By = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Add accounts from a file. Rows that are wrong are left out and told with row, column and reason; exit code 5 then."""
    from apps.control.places import business, reseller_levels
    from billing.access.sheets import Fault, read_sheet
    from billing.accounts.importing import COLUMNS, Imported, read_account
    from billing.accounts.operations import add_accounts

    settings = read_settings(data)
    rows: list[Imported] = []
    faults: list[Fault] = []
    for line, values in read_sheet(file.read_bytes(), COLUMNS):
        read = read_account(line, values)
        rows.append(read) if isinstance(read, Imported) else faults.extend(read)
    with business(settings, tenant, by) as (_, changes):
        added = add_accounts(changes, rows, reseller_levels=reseller_levels(settings, changes))
    told = sorted([*faults, *added.faults], key=lambda fault: fault.row)
    report("account", len(added.events), told, file, errors, as_json=as_json)


@accounts.command("export", epilog="Example: octroi account export customers.csv")
@honest
def export_file(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A new file: .xlsx, else CSV.")],
    tenant: Tenant = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Write all accounts to a file that `octroi account import` reads: those above before those below."""
    from apps.control.places import opened
    from billing.accounts.importing import FIELDS
    from billing.accounts.queries import exported

    if file.exists():
        raise WrongUsage(f"{file} is there already")
    with opened(read_settings(data), tenant) as database:
        rows = list(exported(database))
    write_rows(file, FIELDS, rows)
    print_json({"exported": len(rows), "file": str(file)}) if as_json else print(f"{len(rows)} accounts in {file}")


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(accounts, name="account")
