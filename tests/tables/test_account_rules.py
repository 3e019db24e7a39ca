"""Which account may be below which, what is inherited, what may pay: as tables."""

from __future__ import annotations

from typing import Any

import pytest

from billing.accounts.models import Account, Kind, PaymentMethod, Status
from billing.accounts.rules import (
    INHERITED,
    NEXT,
    CustomFields,
    UnableToKeepAccount,
    check_account,
    check_chain,
    check_parent,
    check_payment,
    check_schema,
    check_status,
    inherited,
    role_of,
)

S, C, CA, BA, UA = Kind.SELLER, Kind.CUSTOMER, Kind.CUSTOMER_ACCOUNT, Kind.BILLING_ACCOUNT, Kind.USER_ACCOUNT
BELOW = {(S, None), (S, S), (C, S), (C, C), (CA, C), (BA, CA), (UA, BA), (UA, UA)}


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("parent", [None, *Kind])
def test_who_may_be_below_whom(kind: Kind, parent: Kind | None) -> None:
    if (kind, parent) in BELOW:
        check_parent(kind, parent)
    else:
        with pytest.raises(UnableToKeepAccount, match=f"a {kind.value} is below"):
            check_parent(kind, parent)


@pytest.mark.parametrize(
    ("levels", "kind", "above", "below", "wrong"),
    [
        (1, C, [S, S], 0, None),  # a customer of a reseller
        (0, C, [S, S], 0, "at most 0 resellers"),
        (0, C, [S], 0, None),
        (1, C, [S, S, S], 0, "at most 1 resellers"),
        (2, C, [C, C, S, S, S], 0, None),
        (1, S, [S], 0, None),
        (1, S, [S, S], 0, "at most 1 resellers"),
        (1, S, [S], 1, "at most 1 resellers"),  # with a reseller of its own
        (1, UA, [UA] * 32, 0, "at most 32 deep"),
        (1, UA, [UA] * 30, 2, "at most 32 deep"),
    ],
)
def test_how_many_may_stand_between(levels: int, kind: Kind, above: list[Kind], below: int, wrong: str | None) -> None:
    chain = [(str(number), one) for number, one in enumerate(above)]
    if wrong is None:
        check_chain("own", kind, chain, levels, below=below)
    else:
        with pytest.raises(UnableToKeepAccount, match=wrong):
            check_chain("own", kind, chain, levels, below=below)


def test_nobody_is_above_themselves() -> None:
    with pytest.raises(UnableToKeepAccount, match="above itself"):
        check_chain("1", UA, [("0", UA), ("1", UA)], 1)


@pytest.mark.parametrize(
    ("kind", "parent", "role"), [(S, None, "operator"), (S, S, "reseller"), (C, S, "customer"), (UA, BA, "customer")]
)
def test_roles(kind: Kind, parent: Kind | None, role: str) -> None:
    assert role_of(kind, parent) == role


@pytest.mark.parametrize("before", Status)
@pytest.mark.parametrize("after", Status)
def test_what_may_become_of_an_account(before: Status, after: Status) -> None:
    if after is before or after in NEXT[before]:
        check_status(before, after)
    else:
        with pytest.raises(UnableToKeepAccount, match=f"what is {before.value} cannot become {after.value}"):
            check_status(before, after)
    assert not NEXT[Status.CLOSED]


def test_the_nearest_that_says_it_holds() -> None:
    nothing = dict.fromkeys(INHERITED)
    chain: list[dict[str, Any]] = [
        nothing | {"code": "ua", "zone": "Europe/Paris"},
        nothing | {"code": "ba", "currency": "EUR"},
        nothing | {"code": "c", "currency": "USD", "country": "FR"},
    ]
    assert inherited(chain) == {"zone": ("Europe/Paris", "ua"), "currency": ("EUR", "ba"), "country": ("FR", "c")}


@pytest.mark.parametrize(
    ("kind", "reference", "wrong"),
    [
        ("DIRECTDEBIT", "FR14 2004 1010 0505 0001 3M02 606", None),
        ("DIRECTDEBIT", "FR1420041010050500013M02607", "needs an IBAN"),
        ("DIRECTDEBIT", None, "needs an IBAN"),
        ("CARD", "4111 1111 1111 1111", "number of a card"),
        ("CASH", "4111111111111111", "number of a card"),
        ("CARD", "4111 1111 1111 1112", None),  # no card has it: its last digit is wrong
        ("CARD", "pm_1N0a", None),
    ],
)
def test_how_somebody_pays(kind: str, reference: str | None, wrong: str | None) -> None:
    method = PaymentMethod.model_validate({"type": kind, "reference": reference})
    if wrong is None:
        check_payment(method)
    else:
        with pytest.raises(UnableToKeepAccount, match=wrong):
            check_payment(method)


SCHEMA = {"properties": {"floor": {"type": "integer"}}, "required": ["floor"], "additionalProperties": False}


@pytest.mark.parametrize(
    ("schema", "values", "wrong"),
    [
        (None, {}, None),
        (None, {"floor": 1}, "there are no custom fields"),
        (SCHEMA, {"floor": 1}, None),
        (SCHEMA, {"floor": "first"}, '^custom.floor: the JSON Schema says type: "integer"$'),
        (SCHEMA, {}, r'^custom: the JSON Schema says required: \["floor"\]$'),
        (SCHEMA, {"floor": 1, "colour": "red"}, "additionalProperties: false"),
        ({"properties": {"a": {"$ref": "#/$defs/gone"}}}, {"a": 1}, "refers to what it has not"),
        ({"properties": {"a": {"pattern": "^[0-9]{5}$"}}}, {"a": "75001"}, None),
        ({"properties": {"a": {"pattern": "^[0-9]{5}$"}}}, {"a": "7500"}, 'custom.a: the JSON Schema says pattern: "'),
        ({"properties": {"a": {"pattern": "^(a+)+$"}}}, {"a": "a" * 10_000 + "b"}, "says pattern"),
    ],
)
def test_custom_fields(schema: dict[str, Any] | None, values: dict[str, Any], wrong: str | None) -> None:
    if wrong is None:
        CustomFields(schema).check(values)
    else:
        with pytest.raises(UnableToKeepAccount, match=wrong):
            CustomFields(schema).check(values)


@pytest.mark.parametrize(
    ("schema", "wrong"),
    [
        ([], "of an object"),
        ({"type": "string"}, "of an object"),
        ({"type": "object", "properties": {"a": {"type": "text"}}}, "no JSON Schema"),
        ({"properties": {"a": [{"$ref": "https://example.org/a.json"}]}}, "no JSON Schema|nothing outside"),
        ({"properties": {"a": {"anyOf": [{"$ref": "file:///etc/a.json"}]}}}, "nothing outside"),
        ({"description": "x" * 70_000}, "at most 65536 bytes"),
        ({"patternProperties": {"^a": {}}}, "not by patternProperties"),
        ({"properties": {"a": {"pattern": "(?=a)"}}}, "without look-around"),
        ({"properties": {"a": {"pattern": "(a{1000}){1000}"}}}, "no huge one"),
    ],
)
def test_what_is_no_schema_of_custom_fields(schema: Any, wrong: str) -> None:
    with pytest.raises(UnableToKeepAccount, match=wrong):
        check_schema(schema)


def test_a_seller_has_no_wallets_and_no_two_have_one_code() -> None:
    wallet = {"code": "credit", "type": "prepaid"}
    with pytest.raises(UnableToKeepAccount, match="a seller has no wallets"):
        check_account(Account.model_validate({"kind": "seller", "code": "acme", "wallets": [wallet]}))
    with pytest.raises(UnableToKeepAccount, match="two wallets have one code"):
        check_account(Account.model_validate({"kind": "billing_account", "code": "a", "wallets": [wallet, wallet]}))
