"""Writes of accounts: one or a hundred thousand, by the same rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from billing.access.sheets import Fault
from billing.access.store.changes import Changes
from billing.accounts import store
from billing.accounts.events import AccountAdded, AccountChanged
from billing.accounts.importing import Imported, told
from billing.accounts.models import Account, Attachment, Kind, PaymentMethod, Status
from billing.accounts.rules import (
    PREFIXES,
    CustomFields,
    UnableToKeepAccount,
    check_account,
    check_chain,
    check_parent,
    check_payment,
    check_schema,
    check_status,
)

_FIXED = ("code", "kind")
_ORDER = list(Kind)


@dataclass(frozen=True, slots=True)
class Added:
    """What became of many accounts: those that are kept, and why others are not."""

    events: list[AccountAdded]
    faults: list[Fault]


def add_account(changes: Changes, account: Account, *, reseller_levels: int) -> AccountAdded:
    """Keep a new account.

    Raises:
        UnableToKeepAccount: when it cannot be: its parent, its code, its custom fields.
    """
    check_account(account)
    added = add_accounts(changes, [Imported(0, account)], reseller_levels=reseller_levels)
    if added.faults:
        raise UnableToKeepAccount(added.faults[0].column, added.faults[0].reason)
    return added.events[0]


def add_accounts(changes: Changes, imported: Sequence[Imported], *, reseller_levels: int) -> Added:
    """Keep new accounts with what is attached to them; those that cannot be are left out, each with the reason.

    Parents may come behind their children in the file when they are of a higher level.
    """
    connection = changes.connection
    fields = {kind: CustomFields(store.schemas_of(connection).get(kind.value)) for kind in Kind}
    codes = [one.account.code for one in imported]
    known = store.by_code(connection, [*codes, *(one.account.parent for one in imported if one.account.parent)])
    words = (word for one in imported for word in (one.account.code, one.account.external_id) if word)
    taken = set(store.named(connection, words))  # one word names one account, whichever of its names it is
    above: dict[str, list[tuple[str, Kind]]] = {}
    rows, events, faults = [], [], []
    attached: dict[type[Attachment], list[tuple[str, Attachment]]] = {}
    for one in sorted(imported, key=lambda one: _ORDER.index(one.account.kind)):  # stable: rows keep their order
        account = one.account
        try:
            if account.code in taken:
                raise UnableToKeepAccount("code", f"there is an account {account.code} already")
            if account.external_id in taken:
                raise UnableToKeepAccount("external_id", f"there is an account {account.external_id} already")
            parent_id, parent_kind = _parent(account, known)
            check_parent(account.kind, parent_kind)
            if parent_id is not None and account.kind is parent_kind:
                chain = above.get(parent_id) or _chain(changes, parent_id)
                check_chain("", account.kind, chain, reseller_levels)
            else:
                chain = [] if parent_id is None or parent_kind is None else [(parent_id, parent_kind)]
            fields[account.kind].check(account.custom)
        except UnableToKeepAccount as error:
            faults.append(Fault(one.row, error.column, error.message))
            continue
        identifier = changes.ids.new(PREFIXES[account.kind])
        above[identifier] = [(identifier, account.kind), *chain]
        known[account.code] = (identifier, account.kind, account.status)
        taken |= {account.code, account.external_id or account.code}
        rows.append(store.to_row_account(account, identifier=identifier, parent_id=parent_id, created_at=changes.at))
        events.append(AccountAdded(identifier, account.code, account.kind))
        for thing in one.attached:
            attached.setdefault(type(thing), []).append((identifier, thing))
    store.insert_accounts(changes, rows)
    for model, pairs in attached.items():
        store.insert_attachments(changes, model, pairs)
    return Added(events, sorted(faults, key=lambda fault: fault.row))


def _parent(account: Account, known: Mapping[str, tuple[str, Kind, Status]]) -> tuple[str | None, Kind | None]:
    if account.parent is None:
        return None, None
    if account.parent not in known:
        raise UnableToKeepAccount("parent", f"there is no account {account.parent}")
    identifier, kind, status = known[account.parent]
    if status is not Status.ACTIVE:
        raise UnableToKeepAccount("parent", f"{account.parent} is {status.value}")
    return identifier, kind


def _chain(changes: Changes, identifier: str) -> list[tuple[str, Kind]]:
    return [(row["id"], Kind(row["kind"])) for row in store.chain_of(changes.connection, identifier)]


def add_all_levels(changes: Changes, account: Account, *, reseller_levels: int) -> list[AccountAdded]:
    """Keep a customer with one account of each level below: `CODE-ca` owes, `CODE-ba` gets the invoice and pays.

    Raises:
        UnableToKeepAccount: when it is no customer, or one of them cannot be.
    """
    if account.kind is not Kind.CUSTOMER:
        raise UnableToKeepAccount("kind", "all levels begin with a customer")
    wallets = account.wallets
    below = [
        account.model_copy(update={"wallets": None}),
        Account(kind=Kind.CUSTOMER_ACCOUNT, code=f"{account.code}-ca", parent=account.code, name=account.name),
        Account(
            kind=Kind.BILLING_ACCOUNT,
            code=f"{account.code}-ba",
            parent=f"{account.code}-ca",
            name=account.name,
            wallets=wallets,
        ),
    ]
    return [add_account(changes, one, reseller_levels=reseller_levels) for one in below]


def change_account(
    changes: Changes, named: str, said: Mapping[str, Any], *, reseller_levels: int, revision: int | None = None
) -> AccountChanged:
    """Change fields of an account; None takes a field away. With `revision`, only if it still has that one.

    Raises:
        UnableToKeepAccount: when there is none, or it cannot be so.
        ChangedMeanwhile: when it has another revision.
    """
    connection = changes.connection
    row = required(changes, named)
    parent = store.chain_of(connection, row["parent_id"])
    before = store.from_row_account(row, parent[0]["code"] if parent else None)
    if fixed := [name for name in said if name in _FIXED or name not in Account.model_fields]:
        raise UnableToKeepAccount(fixed[0], "this cannot be changed: usage and invoices know the account by it")
    defaults = {name: Account.model_fields[name].default for name, value in said.items() if value is None}
    try:
        after = Account.model_validate(before.model_dump() | dict(said) | defaults)
    except ValidationError as error:
        fault = told(0, error)[0]
        raise UnableToKeepAccount(fault.column, fault.reason) from error
    check_account(after)
    check_status(before.status, after.status)
    if (
        after.external_id
        and store.named(connection, [after.external_id]).get(after.external_id, row["id"]) != row["id"]
    ):
        raise UnableToKeepAccount("external_id", f"there is an account {after.external_id} already")
    parent_id = row["parent_id"]
    if after.parent != before.parent:
        parent_id = _moved(changes, row, after, reseller_levels)
    CustomFields(store.schemas_of(connection).get(after.kind.value)).check(after.custom)
    new = store.to_row_account(after, identifier=row["id"], parent_id=parent_id, created_at=row["created_at"])
    new["revision"] = row["revision"] if revision is None else revision
    store.update_account(changes, new)
    names = tuple(name for name in Account.model_fields if getattr(before, name) != getattr(after, name))
    return AccountChanged(row["id"], after.code, names)


def _moved(changes: Changes, row: Mapping[str, Any], after: Account, reseller_levels: int) -> str | None:
    known = store.by_code(changes.connection, [after.parent] if after.parent else [])
    parent_id, kind = _parent(after, known)
    check_parent(after.kind, kind)
    chain = [] if parent_id is None else _chain(changes, parent_id)
    below = store.levels_below(changes.connection, row["id"], after.kind)
    check_chain(row["id"], after.kind, chain, reseller_levels, below=below)
    return parent_id


def required(changes: Changes, named: str) -> dict[str, Any]:
    """Return the row of an account by code, id or external id.

    Raises:
        UnableToKeepAccount: when there is none.
    """
    row = store.find_row(changes.connection, named)
    if row is None:
        raise UnableToKeepAccount("", f"there is no account {named}")
    return row


def attach(changes: Changes, named: str, thing: Attachment) -> str:
    """Attach an address, a contact, a payment method or a note to an account; return its id.

    A payment method that is preferred takes the place of the one that was.

    Raises:
        UnableToKeepAccount: when there is no such account, or it cannot be.
    """
    row = required(changes, named)
    if isinstance(thing, PaymentMethod):
        check_payment(thing)
        if Kind(row["kind"]) not in (Kind.CUSTOMER_ACCOUNT, Kind.BILLING_ACCOUNT):
            raise UnableToKeepAccount("type", "customer accounts and billing accounts pay, and no other")
        if thing.preferred:
            store.unprefer(changes, row["id"])
    return store.insert_attachments(changes, type(thing), [(row["id"], thing)])[0]


def define_fields(changes: Changes, kind: Kind, schema: Mapping[str, Any]) -> None:
    """Say by a JSON Schema which custom fields accounts of a kind have; it holds for those that are kept from now on.

    Raises:
        UnableToKeepAccount: when it is none.
    """
    check_schema(schema)
    store.set_schema(changes, kind, schema)
