"""Rows of files as accounts with what is attached to them, and accounts as rows."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from billing.access.sheets import Fault
from billing.accounts.models import Account, Address, Attachment, Contact, Note, PaymentMethod
from billing.accounts.rules import UnableToKeepAccount, check_account, check_payment

_GROUPS: Mapping[str, type[Attachment]] = {
    "address": Address,
    "contact": Contact,
    "payment": PaymentMethod,
    "note": Note,
}
_JSON = ("wallets", "custom")
FIELDS = tuple(Account.model_fields)
COLUMNS = (
    *FIELDS,
    "custom.",
    *(f"{group}.{name}" for group, model in _GROUPS.items() for name in model.model_fields),
)
"""Columns of a file of accounts; `custom.` stands for `custom.NAME`."""


@dataclass(frozen=True, slots=True)
class Imported:
    """A row that may be kept: its line, the account, and what is attached to it."""

    row: int
    account: Account
    attached: tuple[Attachment, ...] = ()


def read_account(row: int, values: Mapping[str, str]) -> Imported | list[Fault]:
    """Return the account of a row, or everything that is wrong with it."""
    if "" in values:
        return [Fault(row, "", values[""])]
    faults: list[Fault] = []
    said: dict[str, Any] = {}
    custom: dict[str, Any] = {}
    groups: dict[str, dict[str, str]] = {}
    for name, text in values.items():
        group, _, field = name.partition(".")
        if group == "custom" and field:
            custom[field] = _value(text)
        elif field:
            groups.setdefault(group, {})[field] = text
        elif name in _JSON:
            try:
                said[name] = json.loads(text)
            except ValueError as error:
                faults.append(Fault(row, name, f"this is no JSON: {error}"))
        else:
            said[name] = text
    if custom:
        said["custom"] = {**said.get("custom", {}), **custom}
    try:
        account = Account(**said)
        check_account(account)
    except ValidationError as error:
        faults += told(row, error)
    except UnableToKeepAccount as error:
        faults.append(Fault(row, error.column, error.message))
    attached = []
    for group, fields in groups.items():
        try:
            thing = _GROUPS[group](**fields)
            if isinstance(thing, PaymentMethod):
                check_payment(thing)
            attached.append(thing)
        except ValidationError as error:
            faults += told(row, error, f"{group}.")
        except UnableToKeepAccount as error:
            faults.append(Fault(row, f"{group}.{error.column}", error.message))
    return faults or Imported(row, account, tuple(attached))


def told(row: int, error: ValidationError, prefix: str = "") -> list[Fault]:
    """Return what is wrong with a row by column, without repeating what it says."""
    return [
        Fault(row, prefix + ".".join(map(str, item["loc"])), str(item["msg"]).removeprefix("Value error, "))
        for item in error.errors(include_url=False, include_input=False)
    ]


def _value(text: str) -> Any:
    """Return a custom field as JSON has it, or the text itself where that is no JSON."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def account_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row of the store as a row of a file, which would be read as the same account."""
    custom = row["custom"] if row["custom"] != "{}" else None
    shown = {name: row[name] for name in FIELDS if name != "custom"}
    return shown | {"electronic_billing": "true" if row["electronic_billing"] else "false", "custom": custom}
