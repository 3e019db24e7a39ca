"""What a database says of who bought what, as files of a catalog: pure, from rows to bytes.

Subscriptions that are one line go into a `subscription_table`, which loads a million a second; others are documents.
"""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import sha256
from typing import Any

from billing.accounts.models import INHERITED, Kind
from billing.subscriptions.models import Action, SubscriptionStatus, Term
from billing.subscriptions.rules_lifecycle import (
    Life,
    Period,
    UnableToKeepSubscription,
    own_periods,
    term_due,
    terminated,
    transformed,
)

NAME = "control"
"""What the names of files begin with that the database has made."""
HEADER = "# made from the database by octroi"
"""What the documents begin with that the database has made."""
_COLUMNS = (
    "account", "currency", "subscription", "offer", "access_point", "start", "end", "shared", "zone", "group",
    "country", "tax_category", "tax_exemption", "billing_cycle",
)  # fmt: skip
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LEVELS = {Kind.USER_ACCOUNT, Kind.BILLING_ACCOUNT, Kind.CUSTOMER_ACCOUNT, Kind.CUSTOMER}
_OF_ACCOUNTS = ("country", "tax_category", "tax_exemption", "billing_cycle")


class UnableToPublish(Exception):
    """What the database says is no catalog."""


@dataclass(frozen=True, slots=True)
class Bought:
    """A subscription with all that decides when which access point is its own.

    Attributes:
        row: columns of the store. life: where it is, without what is planned. planned: (action, at, apply_agreement), in order.
        points: (identifier, start, end, shared). began_at: when its term began, where that was with a predecessor.
    """

    row: Mapping[str, Any]
    life: Life
    term: Term | None = None
    planned: tuple[tuple[Action, int, bool], ...] = ()
    points: tuple[tuple[str, int | None, int | None, int], ...] = ()
    began_at: int | None = None


@dataclass(frozen=True, slots=True)
class Published:
    """Files of a catalog by name, and how many accounts and subscriptions are in them."""

    files: dict[str, bytes]
    accounts: int
    subscriptions: int


def foreseen(bought: Bought) -> Life:
    """Return a life as things are planned: the engine is told now what will be, so that nothing depends on when it is told.

    What is planned but can no longer be done is left out, as it will fail.
    """
    life = bought.life
    for action, at, apply_agreement in bought.planned:
        life = _behind_terms(bought, life, at - 1)  # what is planned for the end of a term comes before that end
        try:
            if action is Action.TERMINATE:
                life = terminated(life, at, apply_agreement=apply_agreement)
            else:
                life = transformed(life, action, at, bought.term)
        except UnableToKeepSubscription:
            continue
    renews = bought.term is None or bought.term.renews
    return life if renews or life.term_end_at is None else _behind_terms(bought, life, life.term_end_at)


def _behind_terms(bought: Bought, life: Life, at: int) -> Life:
    """Return a life after the ends of its terms up to an instant."""
    with suppress(UnableToKeepSubscription):
        due = term_due(life, bought.term, at, bought.began_at)
        life = life if due is None else due[0]
    return life


def published(accounts: Mapping[str, Mapping[str, Any]], bought: Sequence[Bought], *, keep_levels: bool) -> Published:
    """Return the catalog files of all subscriptions that are or were in force.

    Args:
        accounts: rows of all accounts, by id.
        keep_levels: whether the accounts above those that buy are told, too: a catalog that shares something among levels, or
            names accounts in contracts, wants them. Where an account above has wallets of its own it is told in any case.

    Raises:
        UnableToPublish: when an account that buys has no currency, its own or from above.
    """
    lives = [(one, foreseen(one)) for one in bought]
    inforce = [
        (one, life)
        for one, life in lives
        if life.start_at is not None
        and life.status not in (SubscriptionStatus.CREATED, SubscriptionStatus.CANCELED)
        # what ended when it began was never in force: so a mistake can be taken back
        and (life.charged_until_at is None or life.charged_until_at > life.start_at)
    ]
    buying = Counter(one.row["account_id"] for one, _ in inforce)
    holdings = _Holdings(accounts)
    held = {identifier: holdings.of(identifier) for identifier in buying}
    if lacking := sorted(accounts[identifier]["code"] for identifier in held if held[identifier]["currency"] is None):
        raise UnableToPublish(
            f"{', '.join(lacking[:10])}: there is no currency, neither of the account nor of one above: "
            f"`octroi account change {lacking[0]} currency=EUR`"
        )
    told: dict[str, str | None] = {}
    for identifier in buying:
        _tell(accounts, identifier, told, keep=keep_levels)
    lines: list[list[Any]] = []
    documents: list[dict[str, Any]] = []
    for one, life in inforce:
        identifier = one.row["account_id"]
        alone = buying[identifier] == 1 and accounts[identifier]["wallets"] is None and told[identifier] is None
        alone = alone and accounts[identifier]["kind"] == Kind.BILLING_ACCOUNT.value and identifier in told
        line = _line(one, life, accounts[identifier], held[identifier]) if alone else None
        if line is None:
            documents.append(_document(one, life, accounts[identifier]["code"], held[identifier]["zone"]))
        else:
            lines.append(line)
            del told[identifier]
    names = {identifier: accounts[identifier]["code"] for identifier in told}
    for identifier, parent in told.items():
        holds = held.get(identifier) or holdings.of(identifier)
        if holds["currency"] is None:  # above accounts of several currencies: any will do, it pays nothing
            holds = {**holds, "currency": _below(accounts, held, identifier)}
        documents.append(_account(accounts[identifier], holds, names.get(parent or "")))
    return Published(_files(lines, documents), len(told) + len(lines), len(inforce))


class _Holdings:
    """What holds for accounts, their own or inherited; null where nobody says it. Those above are asked once."""

    def __init__(self, accounts: Mapping[str, Mapping[str, Any]]) -> None:
        self._accounts = accounts
        self._above: dict[str, dict[str, Any]] = {}

    def of(self, identifier: str) -> dict[str, Any]:
        row = self._accounts[identifier]
        parent = row["parent_id"]
        if parent is None:
            return {name: row[name] for name in INHERITED}
        above = self._above.get(parent)
        if above is None:
            above = self._above[parent] = self.of(parent)
        own = {name: row[name] for name in INHERITED if row[name] is not None}
        return {**above, **own} if own else above


def _tell(
    accounts: Mapping[str, Mapping[str, Any]], identifier: str, told: dict[str, str | None], *, keep: bool
) -> None:
    """Add an account to those that are told, with the nearest account above it that is told as well, and so on."""
    chain, above = [identifier], accounts[identifier]["parent_id"]
    while above is not None:
        row = accounts[above]
        # of several accounts of one level, such as customers below customers, the engine knows the nearest
        level = Kind(row["kind"]) in _LEVELS and accounts[chain[-1]]["kind"] != row["kind"]
        if level and (keep or row["wallets"] is not None):
            chain.append(above)
        above = row["parent_id"]
    for one, parent in zip(chain, [*chain[1:], None], strict=True):
        told.setdefault(one, parent)


def _below(accounts: Mapping[str, Mapping[str, Any]], held: Mapping[str, Any], identifier: str) -> Any:
    for one, holds in held.items():
        above = accounts[one]["parent_id"]
        while above is not None:
            if above == identifier:
                return holds["currency"]
            above = accounts[above]["parent_id"]
    raise AssertionError("an account is told only above one that buys")


def _line(one: Bought, life: Life, account: Mapping[str, Any], holds: Mapping[str, Any]) -> list[Any] | None:
    """Return the line of a subscription, None when it is none: several periods or access points, or an end of its own."""
    if len(one.points) != 1 or life.charged_until_at != life.terminated_at:
        return None
    identifier, start, end, shared = one.points[0]
    periods = own_periods(life, (start, end))
    if periods != [(life.start_at, life.terminated_at)]:
        return None
    row = one.row
    return [
        account["code"], holds["currency"], row["code"], row["offer"], identifier,
        instant_text(life.start_at), instant_text(life.terminated_at), "true" if shared else None,
        row["zone"] or holds["zone"], row["group_code"], *(holds[name] for name in _OF_ACCOUNTS),
    ]  # fmt: skip


def _document(one: Bought, life: Life, account: str, zone: str | None) -> dict[str, Any]:
    points = [
        {"id": identifier, **_span(period), **({"shared": True} if shared else {})}
        for identifier, start, end, shared in one.points
        for period in own_periods(life, (start, end))
    ]
    said = {
        "kind": "subscription",
        "code": one.row["code"],
        "account": account,
        "offer": one.row["offer"],
        **_span((life.start_at, life.charged_until_at)),
        "zone": one.row["zone"] or zone,
        "group": one.row["group_code"],
        "access_points": points,
    }
    return {name: value for name, value in said.items() if value is not None}


def _account(row: Mapping[str, Any], holds: Mapping[str, Any], parent: str | None) -> dict[str, Any]:
    exemption = holds["tax_exemption"]
    said = {
        "kind": "account",
        "code": row["code"],
        "currency": holds["currency"],
        "level": row["kind"],
        "parent": parent,
        "country": holds["country"],
        "tax_category": holds["tax_category"],
        "billing_cycle": holds["billing_cycle"],
        "tax_exemption": None if exemption is None else {"reason": exemption},
        "wallets": None if row["wallets"] is None else json.loads(row["wallets"]),
    }
    return {name: value for name, value in said.items() if value is not None}


def _span(period: Period) -> dict[str, str]:
    pairs = zip(("start", "end"), period, strict=True)
    return {name: text for name, at in pairs if (text := instant_text(at)) is not None}


@lru_cache(maxsize=65_536)
def instant_text(at: int | None) -> str | None:
    """Return microseconds UTC as catalogs write instants; None where a period is open."""
    return None if at is None else (_EPOCH + timedelta(microseconds=at)).isoformat().replace("+00:00", "Z")


def _files(lines: list[list[Any]], documents: list[dict[str, Any]]) -> dict[str, bytes]:
    """Return the files: documents name the table by its content, so that one rename brings both into force."""
    files = {}
    if lines:
        out = io.StringIO(newline="")
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(_COLUMNS)
        writer.writerows(sorted(lines))
        table = out.getvalue().encode()
        name = f"{NAME}-{sha256(table).hexdigest()[:16]}.csv"
        files[name] = table
        documents = [*documents, {"kind": "subscription_table", "file": name}]
    text = "\n---\n".join(_written(documents))
    files[f"{NAME}.yaml"] = f"{HEADER}: what is changed here is lost\n{text}\n".encode()
    return files


def _written(documents: list[dict[str, Any]]) -> Iterator[str]:
    """Yield documents as JSON, which is YAML, in an order that does not depend on the database."""
    for document in sorted(documents, key=lambda one: (one["kind"], one.get("code", ""))):
        yield json.dumps(document, ensure_ascii=True, separators=(", ", ": "))
