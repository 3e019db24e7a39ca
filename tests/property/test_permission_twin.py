"""Cedar and a slow twin agree on who may do what, and so do the reason and the answer."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from permission_twin import is_permitted

from billing.access.permissions import (
    ACTIONS,
    PERMISSIONS,
    ROLES,
    Policies,
    Principal,
    Resource,
    Role,
    UnableToGrant,
    _is_allowed,
    check_no_more,
    check_role,
    expanded,
)

GRANTS = st.sampled_from(
    ["*", "*:list", "*:read"] + [f"{entity}:*" for entity in PERMISSIONS] + sorted(ACTIONS)
)  # fmt: skip
OWN = st.dictionaries(st.sampled_from(["desk", "shop", 'quo"te']), st.lists(GRANTS, min_size=1, max_size=3), max_size=2)
THINGS = st.tuples(st.sampled_from(["Account", "Source", "Tenant"]), st.sampled_from(["a", "b", 'c"\\', "d\n"]))
LIMITS = st.none() | st.frozensets(
    st.tuples(st.sampled_from(["Account", "Source"]), st.sampled_from(["a", "b", 'c"\\']))
)


@given(
    own=OWN,
    roles=st.lists(st.sampled_from([*ROLES, "desk", "shop", "gone"]), max_size=3),
    within=LIMITS,
    action=st.sampled_from(sorted(ACTIONS)),
    chain=st.lists(THINGS, min_size=1, max_size=4, unique=True),
)
def test_cedar_says_what_the_twin_says(
    own: dict[str, list[str]],
    roles: list[str],
    within: frozenset[tuple[str, str]] | None,
    action: str,
    chain: list[tuple[str, str]],
) -> None:
    known = {**ROLES, **{code: Role(code, "x", tuple(grants)) for code, grants in own.items() if '"' not in code}}
    found = Policies(known).decide(
        Principal("key_1", "shop", tuple(roles), within), action, Resource(*chain[0], tuple(chain[1:]))
    )
    twin = is_permitted(roles, {code: role.grants for code, role in known.items()}, within, action, chain)
    assert found.allowed is twin
    assert found.outside is (
        not twin and is_permitted(roles, {c: r.grants for c, r in known.items()}, None, action, chain)
    )
    assert bool(found.roles) is (found.allowed or found.outside)
    if found.allowed:
        assert found.roles[0] in roles
        assert found.why == f"the role {found.roles[0]} permits {action}"
    else:
        assert "shop" in found.why


def test_every_grant_of_every_role_stands_for_something() -> None:
    assert expanded(ROLES["admin"].grants) == ACTIONS
    for role in ROLES.values():
        assert expanded(role.grants)
    for wrong in ("", "account", "account:", "account:fly", "*:fly", "nothing:*", ":", "**"):
        with pytest.raises(UnableToGrant):
            expanded([wrong])


@pytest.mark.parametrize(
    "role",
    [
        Role("admin", "x", ("*",)),
        Role("Desk", "x", ("*",)),
        Role('d"', "x", ("*",)),
        Role("desk", "", ("*",)),
        Role("desk", "x\n", ("*",)),
        Role("desk", "x", ()),
        Role("desk", "x", ("account:fly",)),
    ],
)
def test_what_is_no_role_is_refused(role: Role) -> None:
    with pytest.raises(UnableToGrant):
        check_role(role)


def test_nobody_gives_away_more_than_they_have() -> None:
    policies = Policies(ROLES)
    care = Principal("key_1", "care", ("care",), frozenset({("Account", "a"), ("Source", "s")}))
    less = Principal("", "", (), frozenset({("Account", "a")}))
    check_no_more(policies, care, frozenset({"account:read"}), less)
    for granted, within in (
        ({"account:read"}, Principal("", "", ())),
        ({"account:read"}, Principal("", "", (), frozenset({("Account", "b")}))),
        ({"account:read", "audit:list"}, less),
    ):
        with pytest.raises(UnableToGrant):
            check_no_more(policies, care, frozenset(granted), within)
    check_no_more(policies, Principal("key_2", "root", ("admin",)), ACTIONS, Principal("", "", ()))


def test_many_limits_cost_no_more_than_one() -> None:
    many = frozenset(("Account", f"cus_{number}") for number in range(1000))
    principal = Principal("key_1", "shop", ("care",), many)
    policies = Policies(ROLES)
    before = _is_allowed.cache_info().misses
    for number in (1, 2):
        below = Resource("Account", "bac_1", (("Account", f"cus_{number}"),))
        assert policies.decide(principal, "account:read", below).allowed
        assert policies.decide(
            replace(principal, within=many - {("Account", f"cus_{number}")}), "account:read", below
        ).outside
    assert policies.decide(principal, "account:read", Resource("Account", "cus_x")).outside
    fewer = replace(principal, within=frozenset({("Account", "cus_1")}))
    below = Resource("Account", "bac_1", (("Account", "cus_1"),))
    assert policies.decide(fewer, "account:read", below).allowed  # known already: what is far matters not
    assert _is_allowed.cache_info().misses == before + 5
