"""API keys and roles in a database, on SQLite and on PostgreSQL: made, recognised, ended, and written down."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from control_world import NOW, Databases, made

from billing.access.api_keys import SECRET_BYTES, ApiKey
from billing.access.keys import (
    add_key,
    define_role,
    find_key,
    has_keys,
    known_roles,
    list_keys,
    note_use,
    recognised,
    remove_role,
    revoke_key,
)
from billing.access.permissions import Resource, Role, UnableToGrant
from billing.access.queries import audit_log
from billing.access.store.database import Database

SECRET = bytes(range(SECRET_BYTES))


def made_key(database: Database, name: str = "shop", **more: Any) -> tuple[ApiKey, str]:
    with made(database) as changes:
        return add_key(changes, name, **{"roles": ["care"], "secret": SECRET, **more})


def test_a_key_opens_and_is_kept_as_a_hash(databases: Databases) -> None:
    database = databases.tenant()
    assert not has_keys(database)
    key, token = made_key(database, accounts=["cus_1"], sources=["calls"])
    assert has_keys(database)
    assert token.startswith(f"octroi_{key.id.removeprefix('key_')}_")
    secret = token[len("octroi_") + 27 :]
    assert key.secret_sha256 == hashlib.sha256(secret.encode()).hexdigest()
    found = recognised(database, token, NOW)
    assert found is not None
    assert found[0] == key == find_key(database, "shop") == find_key(database, key.id)
    principal = found[0].principal()
    assert principal.within == {("Account", "cus_1"), ("Source", "calls")}
    assert found[1].decide(principal, "account:read", Resource("Account", "x", (("Account", "cus_1"),))).allowed
    told = str(audit_log(database))
    assert "ana" in told
    for private in (token, secret, key.secret_sha256):
        assert private not in told


def test_nothing_else_opens(databases: Databases) -> None:
    database = databases.tenant()
    _, token = made_key(database)
    last = "A" if token[-1] != "A" else "B"
    wrong = [token[:-1] + last, token[:-1], token + "A", token.lower(), token[7:], "", "octroi_", token[:34] + "é" * 43]
    wrong += [token.replace("octroi_0", "octroi_1"), f" {token}", f"{token}\n"]
    for other in wrong:
        assert recognised(database, other, NOW) is None, other
    assert recognised(databases.tenant(), token, NOW) is None  # another tenant's database knows nothing of it


def test_a_key_ends(databases: Databases) -> None:
    database = databases.tenant()
    key, token = made_key(database, expires_at=NOW + 10)
    assert recognised(database, token, NOW + 9) is not None
    assert recognised(database, token, NOW + 10) is None
    assert find_key(database, "shop").status(NOW + 10) == "EXPIRED"
    with made(database) as changes:
        assert revoke_key(changes, "shop").id == key.id
    assert recognised(database, token, NOW) is None
    assert find_key(database, "shop").status(NOW) == "REVOKED"
    assert not has_keys(database)
    with made(database) as changes, pytest.raises(UnableToGrant, match="revoked already"):
        revoke_key(changes, key.id)
    entry = audit_log(database, entity="api_key", key=key.id)[-1]
    assert (entry.by, dict(entry.before)["revoked_at"], dict(entry.after)["revoked_at"]) == ("ana", None, NOW)


def test_its_use_is_kept_and_is_no_change(databases: Databases) -> None:
    database = databases.tenant()
    key, token = made_key(database)
    before = len(audit_log(database))
    for at in (NOW + 1, NOW + 5):
        note_use(database, key, at)
        found = recognised(database, token, NOW)
        assert found is not None
        assert found[0].used_at == at
    assert len(audit_log(database)) == before
    assert list_keys(database, after=key.id) == []
    assert [one.name for one in list_keys(database)] == ["shop"]


@pytest.mark.parametrize(
    ("name", "more", "told"),
    [
        ("a b", {}, "is named by"),
        ("", {}, "is named by"),
        ("x" * 64, {}, "is named by"),
        ("shop", {}, "there is a key shop already"),
        ("new", {"roles": []}, "a role is needed"),
        ("new", {"roles": ["nobody"]}, "no role nobody"),
        ("new", {"expires_at": NOW}, "expired already"),
        ("new", {"sources": [str(one) for one in range(1001)]}, "at most 1000"),
    ],
)
def test_what_is_no_key_is_refused(databases: Databases, name: str, more: dict[str, Any], told: str) -> None:
    database = databases.tenant()
    made_key(database)
    with pytest.raises(UnableToGrant, match=told):
        made_key(database, name, **more)
    assert len(list_keys(database)) == 1


def test_a_tenant_has_roles_of_its_own(databases: Databases) -> None:
    database = databases.tenant()
    for grants in (("account:read",), ("account:*",)):
        with made(database) as changes:
            define_role(changes, Role("desk", "Front desk", grants))
    assert known_roles(database)["desk"].grants == ("account:*",)
    _, token = made_key(database, roles=["desk"])
    found = recognised(database, token, NOW)
    assert found is not None
    assert found[1].anywhere(found[0].principal(), "account:update").allowed
    with made(database) as changes:
        remove_role(changes, "desk")
    gone = recognised(database, token, NOW)
    assert gone is not None
    assert not gone[1].anywhere(gone[0].principal(), "account:update").allowed
    with made(database) as changes, pytest.raises(UnableToGrant, match="no role desk"):
        remove_role(changes, "desk")
    assert [entry.deed.value for entry in audit_log(database, entity="role")] == ["CREATED", "CHANGED", "REMOVED"]
