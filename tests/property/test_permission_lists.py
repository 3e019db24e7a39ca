"""What a list shows is what could be read one by one: the SQL predicate and Cedar agree on every row of any tree."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from control_world import NOW, Databases, made, opened_databases
from hypothesis import given
from hypothesis import strategies as st

from billing.access.permissions import ROLES, Policies, Principal, Resource
from billing.access.store.database import Database
from billing.accounts.models import Account
from billing.accounts.queries import list_accounts
from billing.accounts.store import insert_accounts, to_row_account
from billing.subscriptions.queries import list_subscriptions
from billing.subscriptions.store import insert_subscriptions

TREE = {
    "s0": None,
    "s1": "s0",
    "s2": "s1",
    "c0": "s0",
    "c1": "s1",
    "c2": "s2",
    "a1": "c1",
    "b1": "a1",
    "u1": "b1",
    "u2": "u1",
    "b2": "a1",
}
KINDS = {"s": "seller", "c": "customer", "a": "customer_account", "b": "billing_account", "u": "user_account"}
LINES = ("b1", "b2", "u1", "u2")
POLICIES = Policies(ROLES)


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    with opened_databases(tmp_path_factory.mktemp("lists"), None) as databases:
        yield filled(databases)


def filled(databases: Databases) -> Database:
    database = databases.tenant()
    with made(database) as changes:
        for code, parent in TREE.items():
            account = Account.model_validate({"kind": KINDS[code[0]], "code": code})
            insert_accounts(
                changes,
                [to_row_account(account, identifier=f"id-{code}", parent_id=parent and f"id-{parent}", created_at=NOW)],
            )
        empty = dict.fromkeys(
            ("zone", "group_code", "term", "start_at", "terminated_at", "charged_until_at", "term_end_at", "agreement_end_at",
             "told_of", "reason", "successor_of")
        )  # fmt: skip
        rows = [
            {
                "id": f"sub-{code}",
                "code": code,
                "account_id": f"id-{code}",
                "offer": "x",
                "status": "CREATED",
                "created_at": NOW,
                "revision": 1,
                **empty,
            }
            for code in LINES
        ]
        insert_subscriptions(changes, rows, [])
    return database


def above(code: str | None) -> list[tuple[str, str]]:
    return [] if code is None else [("Account", f"id-{code}"), *above(TREE[code])]


@given(
    accounts=st.frozensets(st.sampled_from([*TREE, "gone"]), max_size=4),
    sources=st.frozensets(st.just("calls")),
    is_limited=st.booleans(),
)
def test_a_list_shows_what_cedar_lets_be_seen(
    database: Database, accounts: frozenset[str], sources: frozenset[str], is_limited: bool
) -> None:
    limits = frozenset({("Account", f"id-{one}") for one in accounts} | {("Source", one) for one in sources})
    principal = Principal("key_1", "shop", ("care",), limits if is_limited else None)
    shown = [row["code"] for row in list_accounts(database, within=principal.accounts)]
    permitted = [
        code
        for code in sorted(TREE)
        if POLICIES.decide(
            principal, "account:list", Resource("Account", f"id-{code}", tuple(above(TREE[code])))
        ).allowed
    ]
    assert shown == permitted
    lines = [row["code"] for row in list_subscriptions(database, within=principal.accounts)]
    assert lines == [
        code
        for code in sorted(LINES)
        if POLICIES.decide(
            principal, "subscription:list", Resource("Subscription", f"sub-{code}", tuple(above(code)))
        ).allowed
    ]
