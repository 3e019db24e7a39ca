"""Routes of accounts and what is attached to them."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, create_model

from apps.api.problems import Problem
from apps.api.resources import Ask, Reply, Route, missing, page, whole_list
from apps.api.views import AccountRow, AccountView, Attached, Identified, Schema, instant
from apps.control.places import reseller_levels
from billing.access.permissions import of_account
from billing.access.store.changes import masked_text
from billing.accounts.models import Account, Address, Attachment, Contact, Kind, Note, PaymentMethod
from billing.accounts.operations import add_account, attach, change_account, define_fields
from billing.accounts.queries import (
    account_as_changed,
    attached_to,
    chain_of_ids,
    fields_of,
    list_accounts,
    show_account,
)
from billing.accounts.rules import UnableToKeepAccount
from billing.accounts.store import remove_attachment

_FIELDS = {name: one for name, one in Account.model_fields.items() if name not in ("code", "kind")}
AccountChange: type[BaseModel] = create_model(
    "AccountChange",
    __config__=ConfigDict(extra="forbid"),
    __doc__="Fields of an account that become something else; null takes one away (RFC 7396).",
    **{name: (one.annotation | None, None) for name, one in _FIELDS.items()},  # type: ignore[call-overload, operator]
)
ATTACHED: dict[str, tuple[str, type[Attachment]]] = {
    "addresses": ("address", Address),
    "contacts": ("contact", Contact),
    "payment-methods": ("payment_method", PaymentMethod),
    "notes": ("note", Note),
}
"""What may be attached, by the name in a path: its table, which is also what permissions call it, and its model."""


class CustomFields(BaseModel):
    """A JSON Schema (2020-12) of an object."""

    model_config = ConfigDict(extra="forbid")

    definition: dict[str, Any]


def reached(ask: Ask, action: str, named: str) -> tuple[str, ...]:
    """Return the ids of an account and of those above it, nearest first, when the caller may do something to it.

    Raises:
        Problem: not-found, when there is none or it is outside of the key's limits.
    """
    try:
        chain = chain_of_ids(ask.database, named)
    except UnableToKeepAccount as error:
        raise missing() from error
    if not ask.caller.may(action, of_account(chain)):
        raise missing()
    return chain


def _told(ask: Ask, found: dict[str, Any], chain: tuple[str, ...]) -> dict[str, Any]:
    """Return an account as it is shown: nothing of those above that are outside of the key's limits."""
    limits = ask.caller.principal.accounts
    seen = len(chain) if limits is None else max(place for place, one in enumerate(chain) if one in limits) + 1
    above = found["above"][: seen - 1]
    return {
        **{name: found[name] for name in AccountView.model_fields},
        "parent": above[0] if above else None,
        "above": above,
        "holds": {
            name: {"value": one["value"], "of": one["of"] if one["of"] in (found["code"], *above) else None}
            for name, one in found["holds"].items()
        },
        "created_at": instant(found["created_at"]),
    }


def _one(ask: Ask, found: dict[str, Any], chain: tuple[str, ...], **more: Any) -> Reply:
    return Reply(_told(ask, found, chain), revision=found["revision"], **more)


def _read(ask: Ask) -> Reply:
    chain = reached(ask, "account:read", ask.path["account"])
    return _one(ask, show_account(ask.database, chain[0]), chain)


def _list(ask: Ask) -> Reply:
    kind = ask.query.get("kind")
    if kind is not None and kind not in set(Kind):
        raise Problem("bad-request", f"there is no kind of this name; there are {', '.join(Kind)}")
    limits = ask.caller.principal.accounts
    below = None
    if "below" in ask.query:
        try:
            below = reached(ask, "account:list", ask.query["below"])[0]
        except Problem:
            return page(ask, [], "/v1/accounts", "code")  # below what is not there is nothing
    rows = list_accounts(
        ask.database,
        kind=None if kind is None else Kind(kind),
        below=below,
        within=limits,
        after=ask.after,
        limit=ask.limit + 1,
    )
    told = []
    for row in rows:
        shown = {name: row[name] for name in AccountRow.model_fields} | {"created_at": instant(row["created_at"])}
        if limits is not None and row["id"] in limits and limits.isdisjoint(chain_of_ids(ask.database, row["id"])[1:]):
            shown["parent"] = None
        told.append(shown)
    return page(ask, told, "/v1/accounts", "code")


def _may_be_below(ask: Ask, action: str, parent: str | None) -> None:
    """Check that the caller may do something to the account that is to be above; none is the whole tenant's.

    Raises:
        Problem: forbidden, or refused in the words that a missing account is refused with.
    """
    if parent is None:
        ask.caller.require_whole(action)
        return
    try:
        reached(ask, action, parent)
    except Problem as error:
        raise UnableToKeepAccount("parent", f"there is no account {parent}") from error


def _create(ask: Ask) -> Reply:
    account = ask.read(Account)
    _may_be_below(ask, "account:create", account.parent)
    changes = ask.changing()
    if account.parent is not None:
        account = account.model_copy(update={"parent": account_as_changed(changes, account.parent)["code"]})
    done = add_account(changes, account, reseller_levels=reseller_levels(ask.settings, changes))
    found = account_as_changed(changes, done.id)
    above = () if account.parent is None else chain_of_ids(ask.database, account.parent)
    return _one(ask, found, (done.id, *above), status=201, location=f"/v1/accounts/{done.id}")


def _change(ask: Ask) -> Reply:
    chain = reached(ask, "account:update", ask.path["account"])
    if not isinstance(ask.body, dict):
        raise Problem("bad-request", "the body is no JSON object")
    changes = ask.changing()
    said = dict(ask.body)
    # compared with what the caller is told: who does not see the parent must not learn whether a guess is right
    if "parent" in said and said["parent"] == _told(ask, account_as_changed(changes, chain[0]), chain)["parent"]:
        del said["parent"]
    if "parent" in said:
        if not isinstance(said["parent"], str | None):
            raise UnableToKeepAccount("parent", "this is no code")
        _may_be_below(ask, "account:update", said["parent"])
    levels = reseller_levels(ask.settings, changes)
    change_account(changes, chain[0], said, reseller_levels=levels, revision=ask.revision)
    found = account_as_changed(changes, chain[0])
    above = chain[1:]
    if found["above"] and "parent" in said:
        above = chain_of_ids(ask.database, found["above"][0])
    return _one(ask, found, (chain[0], *above))


def _attachments(plural: str) -> list[Route]:
    entity, model = ATTACHED[plural]
    path = f"/v1/accounts/{{account}}/{plural}"

    def shown(ask: Ask) -> Reply:
        chain = reached(ask, f"{entity}:list", ask.path["account"])
        rows = show_account(ask.database, chain[0])[entity]
        hidden = ("account_id", "preferred", "reference", "created_at")
        told = [
            {name: value for name, value in row.items() if name not in hidden}
            | (
                {"reference": masked_text(row["reference"]), "preferred": bool(row["preferred"])}
                if "reference" in row
                else {}
            )
            | {"created_at": instant(row["created_at"])}
            for row in rows
        ]
        return whole_list(told)

    def add(ask: Ask) -> Reply:
        chain = reached(ask, f"{entity}:create", ask.path["account"])
        made = attach(ask.changing(), chain[0], ask.read(model))
        return Reply({"id": made}, 201, location=f"/v1/accounts/{chain[0]}/{plural}/{made}")

    def remove(ask: Ask) -> Reply:
        chain = reached(ask, f"{entity}:remove", ask.path["account"])
        held = {row["id"] for row in attached_to(ask.changing(), chain[0])[entity]}
        if ask.path["id"] not in held:
            raise missing()
        remove_attachment(ask.changing(), ask.path["id"])
        return Reply(status=204)

    words = entity.replace("_", " ")
    return [
        Route("GET", path, f"{entity}:list", f"{words}: what an account has", shown, Attached, is_list=True),
        Route("POST", path, f"{entity}:create", f"{words}: add one", add, Identified, body=model, status=201),
        Route("DELETE", f"{path}/{{id}}", f"{entity}:remove", f"{words}: remove one", remove, status=204),
    ]


def _schemas(ask: Ask) -> Reply:
    found = fields_of(ask.database)
    rows = [{"kind": kind, "definition": one} for kind, one in sorted(found.items())]
    return Reply({"data": rows, "has_more": False, "next": None})


def _set_schema(ask: Ask) -> Reply:
    if ask.path["kind"] not in set(Kind):
        raise missing()
    definition = ask.read(CustomFields).definition
    define_fields(ask.changing(), Kind(ask.path["kind"]), definition)
    return Reply({"kind": ask.path["kind"], "definition": definition})


_FILTERS = {
    "kind": f"of this kind: {', '.join(Kind)}",
    "below": "directly below this account (code, id or external id)",
}
ROUTES = [
    Route(
        "GET", "/v1/accounts", "account:list", "List accounts by code", _list, AccountRow,
        query=_FILTERS, is_list=True, has_pages=True,
    ),
    Route("POST", "/v1/accounts", "account:create", "Add an account", _create, AccountView, body=Account, status=201),
    Route("GET", "/v1/accounts/{account}", "account:read", "Read an account", _read, AccountView),
    Route(
        "PATCH", "/v1/accounts/{account}", "account:update", "Change an account", _change, AccountView,
        body=AccountChange, matches=True, needs_match=True,
    ),
    *(route for plural in ATTACHED for route in _attachments(plural)),
    Route(
        "GET", "/v1/custom-fields", "custom_schema:list", "Which custom fields accounts have", _schemas, Schema,
        is_list=True, whole=True,
    ),
    Route(
        "PUT", "/v1/custom-fields/{kind}", "custom_schema:update", "Say which custom fields accounts of a kind have",
        _set_schema, Schema, body=CustomFields, whole=True,
    ),
]  # fmt: skip
