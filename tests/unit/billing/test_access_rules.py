"""Codes, clocks, layers and identifiers of tenants."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.access.ids import Ids, UnableToMakeIds, encoded
from billing.access.models import Tenant, TenantStatus
from billing.access.rules import (
    TenantIsSuspended,
    UnableToManageTenant,
    check_changeable,
    check_code,
    nested,
    now_of,
    overlaid,
)
from billing.access.store.changes import masked_text
from billing.access.store.database import UnableToOpenDatabase, schema_of, server_url

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


@pytest.mark.parametrize("code", ["", "Acme", "-acme", "a b", "acme;drop", "a" * 56, "é", "a\n"])
def test_what_cannot_name_a_tenant(code: str) -> None:
    with pytest.raises(UnableToManageTenant, match="cannot name a tenant"):
        check_code(code)


def test_no_two_tenants_share_a_schema() -> None:
    assert len(schema_of("a" * 55).encode()) < 63  # PostgreSQL drops what is beyond
    assert schema_of("a") == "tenant_a"


@pytest.mark.parametrize("address", ["", "acme", "mysql://db/octroi", "sqlite:///x.db"])
def test_what_is_no_address_of_postgresql(address: str) -> None:
    with pytest.raises(UnableToOpenDatabase, match="setting `database`"):
        server_url(address)


def test_a_password_is_not_told() -> None:
    assert "hunter2" not in str(server_url("postgresql://ana:hunter2@db/octroi"))


def test_a_clock_that_stands_still_is_the_time() -> None:
    tenant = Tenant("acme", "Acme", TenantStatus.ACTIVE, 0)
    assert now_of(tenant, 7) == 7
    assert now_of(Tenant("acme", "Acme", TenantStatus.ACTIVE, 0, frozen_at=3), 7) == 3


def test_a_suspended_tenant_is_not_changed() -> None:
    check_changeable(Tenant("acme", "Acme", TenantStatus.ACTIVE, 0))
    with pytest.raises(TenantIsSuspended, match="octroi tenant resume acme"):
        check_changeable(Tenant("acme", "Acme", TenantStatus.SUSPENDED, 0))


@pytest.mark.parametrize(
    ("layers", "holds"),
    [
        ({}, {}),
        ({"default": {"a": {"b": 1, "c": 2}}, "tenant": {"a": {"b": 3}}}, {"a": {"b": 3, "c": 2}}),
        ({"default": {"a": 1}, "product": {"a": 2}, "tenant": {"a": 3}}, {"a": 3}),
        ({"product": {"a": 2}, "default": {"a": 1}}, {"a": 2}),
        ({"default": {"a": {"b": 1}}, "tenant": {"a": None}}, {}),
        ({"default": {"a": {"b": 1}}, "product": {"a": 5}}, {"a": 5}),
        ({"default": {"a": 5}, "product": {"a": {"b": 1}}}, {"a": {"b": 1}}),
        ({"default": {"a": [1, 2]}, "tenant": {"a": [3]}}, {"a": [3]}),
        ({"default": {"a": 1}, "tenant": {"a.b": 2}}, {"a": {"b": 2}}),
    ],
)
def test_later_layers_are_laid_over_earlier_ones(layers: dict[str, Any], holds: dict[str, Any]) -> None:
    assert nested(overlaid(layers)) == holds


def test_a_value_says_which_layer_it_is_of() -> None:
    found = overlaid({"default": {"a": 1, "b": 1}, "product": {"b": 2, "c": 2}, "tenant": {"c": 3}})
    assert {name: one.origin for name, one in found.items()} == {"a": "default", "b": "product", "c": "tenant"}


@given(number=st.integers(0, 2**128 - 1))
def test_identifiers_are_base_32(number: int) -> None:
    text, left = "", number
    for _ in range(26):
        text, left = ALPHABET[left % 32] + text, left // 32
    assert encoded(number) == text


@given(
    instants=st.lists(st.integers(0, 2**47 * 1000), min_size=2, max_size=2, unique_by=lambda at: at // 1000),
    entropies=st.tuples(st.binary(min_size=10, max_size=10), st.binary(min_size=10, max_size=10)),
)
def test_identifiers_sort_by_when_they_were_made(instants: list[int], entropies: tuple[bytes, bytes]) -> None:
    early, late = sorted(instants)
    first = list(Ids(early, entropies[0]).many("cus", 50))
    second = list(Ids(late, entropies[1]).many("cus", 50))
    assert sorted(first + second) == first + second
    assert len(set(first + second)) == 100


@pytest.mark.parametrize(("now", "entropy"), [(-1, bytes(10)), (2**48 * 1000, bytes(10)), (0, b""), (0, bytes(11))])
def test_identifiers_have_an_instant_and_a_chance(now: int, entropy: bytes) -> None:
    with pytest.raises(UnableToMakeIds):
        Ids(now, entropy)


@pytest.mark.parametrize(
    ("text", "shown"), [(None, None), ("", "…"), ("12345678", "…"), ("FR7630006000011234567890189", "…0189")]
)
def test_what_is_masked_shows_four_characters_at_most(text: str | None, shown: str | None) -> None:
    assert masked_text(text) == shown
