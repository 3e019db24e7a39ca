"""Every earlier form of the database comes up to this one with its data in place, on SQLite and on PostgreSQL."""

from __future__ import annotations

from typing import Any

import pytest
from control_world import NOW, Databases
from sqlalchemy import text

from billing.access.store.database import Database
from billing.access.store.migrating import current, revisions, upgrade

ROWS: dict[str, dict[str, dict[str, Any]]] = {
    "0001": {
        "tenant": {"code": "acme", "name": "Acmé", "status": "ACTIVE", "created_at": NOW, "frozen_at": None},
        "configuration": {"name": "accounts.reseller_levels", "value": "2"},
        "audit": {
            "id": "aud_1", "at": NOW, "recorded_at": NOW, "by": "ana", "deed": "CREATED", "entity": "tenant", "key": "acme",
            "before": "{}", "after": '{"code":"acme"}',
        },
    },
    "0002": {
        "account": {
            "id": "cus_1", "code": "ana", "kind": "customer", "parent_id": None, "name": "Ana", "external_id": "7",
            "status": "ACTIVE", "currency": "EUR", "language": "fr", "country": "FR", "tax_category": None,
            "tax_exemption": None, "zone": None, "billing_cycle": None, "electronic_billing": 1, "wallets": "[]",
            "custom": '{"a":1}', "created_at": NOW, "revision": 3,
        },
        "address": {
            "id": "adr_1", "account_id": "cus_1", "purpose": "legal", "line1": "1", "line2": None, "line3": None,
            "postal_code": None, "city": "Paris", "state": None, "country": "FR", "created_at": NOW,
        },
        "contact": {
            "id": "con_1", "account_id": "cus_1", "name": "Ana", "role": None, "email": "a@b", "phone": None, "created_at": NOW,
        },
        "payment_method": {
            "id": "pay_1", "account_id": "cus_1", "type": "CASH", "reference": None, "holder": None, "mandate": None,
            "expires_on": None, "subscription": None, "preferred": 1, "created_at": NOW,
        },
        "note": {"id": "not_1", "account_id": "cus_1", "text": "x", "created_at": NOW},
        "custom_schema": {"entity": "customer", "definition": "{}"},
    },
    "0003": {
        "termination_reason": {"code": "moved", "description": "x", "apply_agreement": 1},
        "subscription": {
            "id": "sub_1", "code": "one", "account_id": "cus_1", "offer": "mobile", "status": "ACTIVE", "zone": None,
            "group_code": None, "term": '{"months":12}', "start_at": NOW, "terminated_at": None, "charged_until_at": None,
            "term_end_at": NOW + 1, "agreement_end_at": NOW + 1, "told_of": None, "reason": "moved", "successor_of": None,
            "created_at": NOW, "revision": 1,
        },
        "access_point": {
            "id": "acp_1", "subscription_id": "sub_1", "identifier": "+331", "start_at": None, "end_at": NOW, "shared": 0,
        },
        "suspension": {"id": "sus_1", "subscription_id": "sub_1", "start_at": NOW, "end_at": None},
        "planned_action": {
            "id": "act_1", "subscription_id": "sub_1", "due_at": NOW, "action": "RESUME", "details": "{}", "outcome": None,
        },
    },
    "0004": {},
    "0005": {
        "role": {"code": "desk", "description": "x", "grants": '["account:read"]', "revision": 1},
        "api_key": {
            "id": "key_1", "name": "shop", "secret_sha256": "00", "roles": '["desk"]', "accounts": '["cus_1"]', "sources": None,
            "created_at": NOW, "expires_at": None, "revoked_at": NOW, "revision": 2,
        },
        "api_key_use": {"key_id": "key_1", "used_at": NOW},
    },
    "0006": {
        "answered_request": {
            "request": "00", "content": "01", "status": 201, "headers": "{}", "body": '{"a":1}', "answered_at": NOW,
        },
    },
    "0007": {
        "local_user": {
            "id": "usr_1", "name": "ana", "roles": '["care"]', "accounts": '["cus_1"]', "password_hash": "$argon2id$", "factor": "x",
            "factor_since": NOW, "created_at": NOW, "disabled_at": None, "revision": 4,
        },
        "session": {
            "id": "ses_1", "user_id": "usr_1", "secret_sha256": "00", "created_at": NOW, "expires_at": NOW + 1, "ended_at": None,
            "revision": 1,
        },
        "session_use": {"session_id": "ses_1", "used_at": NOW},
        "password_reset": {
            "id": "rst_1", "user_id": "usr_1", "secret_sha256": "00", "created_at": NOW, "expires_at": NOW + 1, "used_at": NOW,
            "revision": 2,
        },
        "recovery_code": {"id": "rec_1", "user_id": "usr_1", "digest": "00", "used_at": None, "revision": 1},
        "login_attempt": {
            "who": "usr_1", "failures": 3, "tried_at": NOW, "locked_until": 0, "refused": 0, "step": 7, "succeeded_at": None,
        },
    },
}  # fmt: skip
"""What each revision could hold first: a row of every table that it made. A revision adds its own, and changes none."""


def _quoted(names: Any) -> str:
    return ", ".join(f'"{name}"' for name in names)


def _insert(database: Database, table: str, row: dict[str, Any]) -> None:
    values = ", ".join(f":{name}" for name in row)
    with database.writing() as connection:
        connection.execute(text(f"INSERT INTO {table} ({_quoted(row)}) VALUES ({values})"), row)


def _select(database: Database, table: str, row: dict[str, Any]) -> list[dict[str, Any]]:
    with database.reading() as connection:
        return [dict(one) for one in connection.execute(text(f"SELECT {_quoted(row)} FROM {table}")).mappings()]


def test_every_revision_is_tried() -> None:
    assert list(ROWS) == revisions()


@pytest.mark.parametrize("revision", ROWS)
def test_data_stay_in_place(databases: Databases, revision: str) -> None:
    database = databases.new(revision=revision)
    held = [(table, row) for made_by in ROWS if made_by <= revision for table, row in ROWS[made_by].items()]
    for table, row in held:
        _insert(database, table, row)
    assert upgrade(database) == (revision, revisions()[-1])
    assert current(database) == revisions()[-1]
    for table, row in held:
        assert _select(database, table, row) == [row], table


def test_one_revision_after_another(databases: Databases) -> None:
    database = databases.new(revision="0001")
    for before, after in zip(revisions(), revisions()[1:], strict=False):
        for table, row in ROWS[before].items():
            _insert(database, table, row)
        assert upgrade(database, after) == (before, after)
    for made_by in revisions()[:-1]:
        for table, row in ROWS[made_by].items():
            assert _select(database, table, row) == [row], table
