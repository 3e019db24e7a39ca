"""Rows of accounts and of what is attached to them."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import CheckConstraint, Column, Connection, ForeignKey, Index, Select, Table, select, text

from billing.access.store.changes import Changes
from billing.access.store.columns import INT64, TEXT, key, masked, table, to_json
from billing.accounts.models import INHERITED, Account, Address, Attachment, Contact, Kind, Note, PaymentMethod, Status

ACCOUNT = table(
    "account",
    key(),
    Column("code", TEXT, nullable=False, unique=True),
    Column("kind", TEXT, nullable=False),
    Column("parent_id", TEXT, ForeignKey("account.id"), index=True),
    Column("name", TEXT),
    Column("external_id", TEXT, unique=True),
    Column("status", TEXT, nullable=False),
    Column("currency", TEXT),
    Column("language", TEXT),
    Column("country", TEXT),
    Column("tax_category", TEXT),
    Column("tax_exemption", TEXT),
    Column("zone", TEXT),
    Column("billing_cycle", TEXT),
    Column("electronic_billing", INT64, nullable=False),
    Column("wallets", TEXT),  # JSON
    Column("custom", TEXT, nullable=False),  # JSON
    Column("created_at", INT64, nullable=False),
    Column("revision", INT64, nullable=False),
    CheckConstraint(
        "kind IN ('seller', 'customer', 'customer_account', 'billing_account', 'user_account')", name="account_kind"
    ),
    CheckConstraint("status IN ('ACTIVE', 'CANCELED', 'TERMINATED', 'CLOSED')", name="account_status"),
)


def _attached(name: str, *columns: Any) -> Table:
    owner = Column("account_id", TEXT, ForeignKey("account.id"), nullable=False, index=True)
    return table(name, key(), owner, *columns, Column("created_at", INT64, nullable=False))


def _texts(*names: str) -> list[Column[Any]]:
    return [Column(name, TEXT) for name in names]


ADDRESS = _attached(
    "address",
    Column("purpose", TEXT, nullable=False),
    *_texts("line1", "line2", "line3", "postal_code", "city", "state", "country"),
)
CONTACT = _attached("contact", Column("name", TEXT, nullable=False), *_texts("role", "email", "phone"))
PAYMENT_METHOD = _attached(
    "payment_method",
    Column("type", TEXT, nullable=False),
    masked("reference"),
    *_texts("holder", "mandate", "expires_on", "subscription"),
    Column("preferred", INT64, nullable=False),
)
Index(
    "payment_method_preferred",
    PAYMENT_METHOD.c.account_id,
    unique=True,
    sqlite_where=text("preferred = 1"),
    postgresql_where=text("preferred = 1"),
)
NOTE = _attached("note", Column("text", TEXT, nullable=False))
CUSTOM_SCHEMA = table("custom_schema", key("entity"), Column("definition", TEXT, nullable=False))  # JSON
"""The custom fields of each kind of account."""

TABLES: Mapping[type[Attachment], tuple[Table, str]] = {
    Address: (ADDRESS, "adr"),
    Contact: (CONTACT, "con"),
    PaymentMethod: (PAYMENT_METHOD, "pay"),
    Note: (NOTE, "not"),
}
"""Where attachments of each type are, and what their identifiers begin with."""
_ASKED = 500


def to_row_account(account: Account, *, identifier: str, parent_id: str | None, created_at: int) -> dict[str, Any]:
    """Return the row of an account."""
    row = account.model_dump(exclude={"parent", "wallets", "custom"})
    return {
        **row,
        "kind": account.kind.value,
        "status": account.status.value,
        "electronic_billing": int(account.electronic_billing),
        "wallets": wallets_text(account),
        "custom": to_json(account.custom),
        "id": identifier,
        "parent_id": parent_id,
        "created_at": created_at,
        "revision": 1,
    }


def wallets_text(account: Account) -> str | None:
    """Return the wallets of an account as JSON: what they say, without defaults."""
    if account.wallets is None:
        return None
    return to_json([wallet.model_dump(mode="json", exclude_defaults=True) for wallet in account.wallets])


def from_row_account(row: Mapping[Any, Any], parent: str | None) -> Account:
    """Return the account of a row whose parent has a code."""
    said = {name: row[name] for name in Account.model_fields if name not in ("parent", "wallets", "custom")}
    wallets = None if row["wallets"] is None else json.loads(row["wallets"])
    said |= {"electronic_billing": bool(row["electronic_billing"])}
    return Account(**said, parent=parent, wallets=wallets, custom=json.loads(row["custom"]))


def find_row(connection: Connection, named: str) -> dict[str, Any] | None:
    """Return the row of an account by its id, its code or its external id, in this order; None when there is none.

    Ids come first: a code that looks like the id of another account must not stand for it.
    """
    for column in (ACCOUNT.c.id, ACCOUNT.c.code, ACCOUNT.c.external_id):
        found = connection.execute(select(ACCOUNT).where(column == named)).mappings().first()
        if found is not None:
            return dict(found)
    return None


def chain_of(connection: Connection, identifier: str | None) -> list[dict[str, Any]]:
    """Return an account and those above it, nearest first."""
    found: list[dict[str, Any]] = []
    while identifier is not None:
        row = connection.execute(select(ACCOUNT).where(ACCOUNT.c.id == identifier)).mappings().one()
        found.append(dict(row))
        identifier = row["parent_id"]
    return found


def levels_below(connection: Connection, identifier: str, kind: Kind) -> int:
    """Return how many levels of accounts of a kind are below one of that kind."""
    found, parents = 0, [identifier]
    while True:
        children: list[str] = []
        for start in range(0, len(parents), _ASKED):
            below = ACCOUNT.c.parent_id.in_(parents[start : start + _ASKED])
            children += connection.scalars(select(ACCOUNT.c.id).where(below, ACCOUNT.c.kind == kind.value))
        if not children:
            return found
        found, parents = found + 1, children


def by_code(connection: Connection, codes: Iterable[str]) -> dict[str, tuple[str, Kind, Status]]:
    """Return (id, kind, status) by code, of the codes that there are."""
    wanted, found = sorted(set(codes)), {}
    for start in range(0, len(wanted), _ASKED):
        asked = select(ACCOUNT.c.code, ACCOUNT.c.id, ACCOUNT.c.kind, ACCOUNT.c.status)
        for code, *rest in connection.execute(asked.where(ACCOUNT.c.code.in_(wanted[start : start + _ASKED]))):
            found[code] = (rest[0], Kind(rest[1]), Status(rest[2]))
    return found


def named(connection: Connection, words: Iterable[str]) -> dict[str, str]:
    """Return, of some words, those that name an account by its id, its code or its external id, with the id of it."""
    wanted = sorted(set(words))
    found: dict[str, str] = {}
    for start in range(0, len(wanted), _ASKED):
        part = wanted[start : start + _ASKED]
        for column in (ACCOUNT.c.external_id, ACCOUNT.c.code, ACCOUNT.c.id):
            found |= {
                word: own for word, own in connection.execute(select(column, ACCOUNT.c.id).where(column.in_(part)))
            }
    return found


def insert_accounts(changes: Changes, rows: Sequence[Mapping[str, Any]]) -> None:
    """Add accounts, those above before those below."""
    changes.insert(ACCOUNT, rows)


def update_account(changes: Changes, values: Mapping[str, Any]) -> int:
    """Change an account; `values` names its id."""
    return changes.update(ACCOUNT, [values])


def insert_attachments(changes: Changes, model: type[Attachment], pairs: Sequence[tuple[str, Attachment]]) -> list[str]:
    """Attach things of one type to accounts, as (id of the account, thing); return their ids."""
    where, prefix = TABLES[model]
    rows = []
    for account_id, thing in pairs:
        said = {name: _plain(value) for name, value in thing.model_dump(mode="json").items()}
        rows.append({"id": changes.ids.new(prefix), "account_id": account_id, **said, "created_at": changes.at})
    changes.insert(where, rows)
    return [row["id"] for row in rows]


def _plain(value: Any) -> Any:
    return int(value) if isinstance(value, bool) else value


def attachments_of(connection: Connection, account_id: str) -> dict[str, list[dict[str, Any]]]:
    """Return all that is attached to an account, by table, oldest first."""
    found = {}
    for where, _ in TABLES.values():
        rows = connection.execute(select(where).where(where.c.account_id == account_id).order_by(where.c.id)).mappings()
        found[where.name] = [dict(row) for row in rows]
    return found


def remove_attachment(changes: Changes, identifier: str) -> None:
    """Remove what is attached to an account, by its id.

    Raises:
        UnableToChange: when there is no such thing.
    """
    prefix = identifier.partition("_")[0]
    where = next((where for where, begins in TABLES.values() if begins == prefix), ADDRESS)
    changes.remove(where, [identifier])


def unprefer(changes: Changes, account_id: str) -> None:
    """Let no payment method of an account be the preferred one."""
    asked = select(PAYMENT_METHOD.c.id).where(
        PAYMENT_METHOD.c.account_id == account_id, PAYMENT_METHOD.c.preferred == 1
    )
    for identifier in changes.connection.scalars(asked).all():
        changes.update(PAYMENT_METHOD, [{"id": identifier, "preferred": 0}])


def schemas_of(connection: Connection) -> dict[str, Any]:
    """Return the JSON Schemas of custom fields by kind of account."""
    rows = connection.execute(select(CUSTOM_SCHEMA.c.entity, CUSTOM_SCHEMA.c.definition))
    return {entity: json.loads(definition) for entity, definition in rows}


def set_schema(changes: Changes, kind: Kind, schema: Mapping[str, Any]) -> None:
    """Keep the JSON Schema of custom fields of a kind of account."""
    row = {"entity": kind.value, "definition": to_json(schema)}
    if kind.value in schemas_of(changes.connection):
        changes.update(CUSTOM_SCHEMA, [row])
    else:
        changes.insert(CUSTOM_SCHEMA, [row])


def accounts(
    connection: Connection,
    *,
    kind: Kind | None = None,
    parent_id: str | None = None,
    within: Collection[str] | None = None,
    after: str = "",
    limit: int | None = None,
) -> Iterator[dict[str, Any]]:
    """Yield rows of accounts by code, behind the code `after`, with the code of their parent as `parent`."""
    above = ACCOUNT.alias("above")
    asked = select(ACCOUNT, above.c.code.label("parent")).outerjoin(above, ACCOUNT.c.parent_id == above.c.id)
    asked = asked.where(ACCOUNT.c.code > after).order_by(ACCOUNT.c.code)
    if kind is not None:
        asked = asked.where(ACCOUNT.c.kind == kind.value)
    if parent_id is not None:
        asked = asked.where(ACCOUNT.c.parent_id == parent_id)
    if within is not None:
        asked = asked.where(ACCOUNT.c.id.in_(ids_within(within)))
    if limit is not None:
        asked = asked.limit(limit)
    for row in connection.execution_options(yield_per=5000).execute(asked).mappings():
        yield dict(row)


def ids_within(accounts: Collection[str]) -> Select[Any]:
    """Return what selects the ids of some accounts and of all below them."""
    scope = select(ACCOUNT.c.id).where(ACCOUNT.c.id.in_(sorted(accounts))).cte("scope", recursive=True)
    scope = scope.union(select(ACCOUNT.c.id).join(scope, ACCOUNT.c.parent_id == scope.c.id))
    return select(scope.c.id)


def rows_by_id(connection: Connection) -> dict[str, dict[str, Any]]:
    """Return what catalogs say of accounts, of all of them by id."""
    columns = ("id", "code", "kind", "parent_id", "wallets", *INHERITED)
    asked = select(*(ACCOUNT.c[name] for name in columns))
    return {row[0]: dict(zip(columns, row, strict=True)) for row in connection.execute(asked)}
