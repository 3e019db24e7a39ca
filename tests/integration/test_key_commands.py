"""`octroi key` and `octroi role`: what they print, and that a server lets in whom they say."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path

import pytest
from cli_octroi import octroi

from apps.api.desk import Desk
from apps.api.keys import FRESH_S, Keys
from apps.api.problems import Problem
from apps.settings import ApiKey, Settings
from billing.access.keys import find_key


@pytest.fixture
def data(tmp_path: Path) -> Path:
    octroi("tenant", "add", "main", "--data", tmp_path).ok()
    for line in (
        ("acme", "--kind", "seller", "currency=EUR"),
        ("ana", "--kind", "customer", "parent=acme", "--all-levels"),
    ):
        octroi("account", "add", *line, "--data", tmp_path).ok()
    return tmp_path


def test_a_key_from_its_making_to_its_end(data: Path) -> None:
    made = octroi("key", "add", "gateway", "--role", "sender", "--source", "calls", "--data", data).ok()
    token = made.out.strip()
    desk = Desk(Settings(data_dir=data))
    keys = Keys({}, desk)
    caller = keys.caller(f"Bearer {token}")
    caller.require("calls")
    with pytest.raises(Problem, match="may not send to 'events'"):
        caller.require("events")
    with pytest.raises(Problem, match=r"no role of the key 'gateway' \(sender\) permits charging:charge"):
        caller.require_charging("charging:charge")
    used = time.monotonic() + 20
    while find_key(desk.database(), "gateway").used_at is None and time.monotonic() < used:
        time.sleep(0.01)
    (listed,) = octroi("key", "list", "--data", data, "--json").ok().json
    assert (listed["key"], listed["status"], listed["sources"], listed["accounts"]) == (
        "gateway",
        "ACTIVE",
        "calls",
        None,
    )
    assert listed["used_at"] is not None
    assert token not in str(octroi("tenant", "audit", "--data", data, "--json").ok().json)
    assert octroi("key", "revoke", "gateway", "--data", data).ok().out == "key gateway is revoked\n"
    assert keys.caller(f"Bearer {token}") is caller  # for FRESH_S
    time.sleep(FRESH_S + 0.01)
    with pytest.raises(Problem, match="not known"):
        keys.caller(f"Bearer {token}")


def test_why(data: Path) -> None:
    octroi("key", "add", "shop", "-r", "care", "--account", "ana", "--data", data).ok()
    told = octroi("key", "why", "shop", "account:read", "--account", "ana-ba", "--data", data).ok().out
    assert told == "yes: the role care permits account:read\n"
    told = octroi("key", "why", "shop", "account:read", "--account", "acme", "--data", data).ok().out
    assert told == "no: the key 'shop' is limited, and this is outside of what it is limited to\n"
    told = octroi("key", "why", "shop", "audit:list", "--data", data).ok().out
    assert told == "no: no role of the key 'shop' (care) permits audit:list\n"
    assert octroi("key", "why", "shop", "event:create", "--source", "x", "--data", data, "--json").ok().json == {
        "allowed": False,
        "roles": [],
        "why": "no role of the key 'shop' (care) permits event:create",
    }
    assert octroi("key", "why", "shop", "account:fly", "--data", data).code == 2


def test_roles(data: Path) -> None:
    assert (
        octroi("role", "set", "desk", "Front desk", "-g", "account:read", "--data", data).ok().out == "role desk kept\n"
    )
    listed = {one["role"]: one for one in octroi("role", "list", "--data", data, "--json").ok().json}
    assert listed["desk"] == {
        "role": "desk", "of": "this tenant", "description": "Front desk", "grants": ["account:read"],
    }  # fmt: skip
    assert listed["admin"]["of"] == "every tenant"
    assert octroi("role", "set", "admin", "x", "-g", "*", "--data", data).code == 2
    assert octroi("role", "remove", "desk", "--data", data).ok().out == "role desk removed\n"
    assert octroi("key", "add", "x", "-r", "desk", "--data", data).code == 2


def test_keys_of_the_settings_and_of_the_database_open_side_by_side(data: Path) -> None:
    token = octroi("key", "add", "new", "-r", "sender", "--data", data, "--json").ok().json["key"]
    static = {"old": ApiKey(sha256=hashlib.sha256(b"old key").hexdigest())}  # type: ignore[arg-type]
    keys = Keys(static, Desk(Settings(data_dir=data)))
    keys.caller("Bearer old key").require_charging("charging:charge")
    keys.caller(f"Bearer {token}").require("anything")


def test_without_a_database_nobody_new_is_let_in(tmp_path: Path) -> None:
    keys = Keys({}, Desk(Settings(data_dir=tmp_path)))
    with pytest.raises(Problem, match="not known"):
        keys.caller("Bearer octroi_01M8CVHGS501R23DNN8YVAFZ9T_" + "A" * 43)
    assert list(tmp_path.iterdir()) == []
