"""Accounts in a database, on SQLite and on PostgreSQL: added, changed, moved, imported and exported."""

from __future__ import annotations

from typing import Any

import pytest
from control_world import NOW, Databases, made

from billing.access.queries import audit_log
from billing.access.sheets import Fault, UnableToReadSheet, csv_bytes, fault_bytes, read_sheet, xlsx_bytes
from billing.access.store.changes import ChangedMeanwhile, UnableToChange
from billing.access.store.database import Database
from billing.accounts.importing import COLUMNS, FIELDS, Imported, read_account
from billing.accounts.models import Account, Address, Contact, Kind, Note, PaymentMethod, PaymentType
from billing.accounts.operations import (
    Added,
    add_account,
    add_accounts,
    add_all_levels,
    attach,
    change_account,
    define_fields,
)
from billing.accounts.queries import exported, fields_of, find_account, list_accounts, show_account
from billing.accounts.rules import UnableToKeepAccount
from billing.accounts.store import remove_attachment

IBAN = "FR1420041010050500013M02606"


def account(kind: str, code: str, parent: str | None = None, **fields: Any) -> Account:
    return Account.model_validate({"kind": kind, "code": code, "parent": parent, **fields})


@pytest.fixture
def database(databases: Databases) -> Database:
    """A seller Acme with a customer Ana on all levels."""
    database = databases.tenant()
    with made(database) as changes:
        add_account(changes, account("seller", "acme", currency="EUR", country="FR"), reseller_levels=1)
        add_all_levels(changes, account("customer", "ana", "acme", name="Ana", external_id="crm 7"), reseller_levels=1)
    return database


def read(data: bytes) -> tuple[list[Imported], list[Fault]]:
    rows: list[Imported] = []
    faults: list[Fault] = []
    for line, values in read_sheet(data, COLUMNS):
        found = read_account(line, values)
        rows.append(found) if isinstance(found, Imported) else faults.extend(found)
    return rows, faults


def imported(database: Database, data: bytes) -> tuple[Added, list[Fault]]:
    rows, faults = read(data)
    with made(database) as changes:
        return add_accounts(changes, rows, reseller_levels=1), faults


def test_one_word_names_one_account(database: Database) -> None:
    identifier = show_account(database, "ana")["id"]

    def kept(code: str, external_id: str | None = None) -> str:
        with made(database) as changes:
            try:
                return add_account(
                    changes, account("customer", code, "acme", external_id=external_id), reseller_levels=1
                ).code
            except UnableToKeepAccount as error:
                return error.column

    assert kept("eve", "c7") == "eve"
    assert [kept("c7"), kept("ana"), kept(identifier)] == ["code"] * 3
    assert [kept("bob", "crm 7"), kept("bob", "ana-ba"), kept("bob", identifier)] == ["external_id"] * 3
    assert [kept("bob", "bob"), kept("carl", "bob"), kept("carl", "c8"), kept("c8")] == [
        "bob", "external_id", "carl", "code",
    ]  # fmt: skip
    for taken in ("ana", "crm 7", identifier):
        with made(database) as changes, pytest.raises(UnableToKeepAccount, match=f"there is an account {taken}"):
            change_account(changes, "bob", {"external_id": taken}, reseller_levels=1)
    with made(database) as changes:
        change_account(changes, "ana", {"external_id": "ana"}, reseller_levels=1)
        rows = [
            Imported(1, account("customer", "x", "acme", external_id="y")),
            Imported(2, account("customer", "y", "acme")),
        ]
        faults = add_accounts(changes, rows, reseller_levels=1).faults
    assert [(fault.row, fault.column) for fault in faults] == [(2, "code")]


def test_an_account_is_found_by_whatever_names_it(database: Database) -> None:
    shown = show_account(database, "ana-ba")
    assert (shown["kind"], shown["above"], shown["role"]) == ("billing_account", ["ana-ca", "ana", "acme"], "customer")
    assert shown["holds"] == {"currency": {"value": "EUR", "of": "acme"}, "country": {"value": "FR", "of": "acme"}}
    assert shown["id"].startswith("bac_")
    by_id = find_account(database, shown["id"])
    assert by_id == find_account(database, "ana-ba")
    assert find_account(database, "crm 7") == find_account(database, "ana")
    assert find_account(database, "nobody") is None
    with pytest.raises(UnableToKeepAccount, match="there is no account nobody"):
        show_account(database, "nobody")
    assert [row["code"] for row in list_accounts(database, kind=Kind.CUSTOMER)] == ["ana"]
    assert [row["code"] for row in list_accounts(database, below="ana")] == ["ana-ca"]
    assert [row["code"] for row in list_accounts(database, after="ana", limit=1)] == ["ana-ba"]


def test_a_change_is_told_with_what_was_before(database: Database) -> None:
    with made(database, NOW + 1, by="ben") as changes:
        assert change_account(changes, "ana", {"name": "Anna", "zone": "Europe/Paris"}, reseller_levels=1).fields == (
            "name",
            "zone",
        )
        assert change_account(changes, "ana", {"name": "Anna"}, reseller_levels=1).fields == ()
    (entry,) = [one for one in audit_log(database, entity="account") if one.by == "ben"]
    assert (entry.before["name"], entry.after["name"], entry.after["zone"]) == ("Ana", "Anna", "Europe/Paris")
    with made(database) as changes:
        change_account(changes, "ana", {"name": None}, reseller_levels=1)
    assert show_account(database, "ana")["name"] is None
    assert show_account(database, "ana")["revision"] == 3


def test_who_read_an_older_state_changes_nothing(database: Database) -> None:
    with made(database) as changes:
        change_account(changes, "ana", {"name": "Anna"}, reseller_levels=1, revision=1)
    with pytest.raises(ChangedMeanwhile, match="changed meanwhile"), made(database) as changes:
        change_account(changes, "ana", {"name": "Annie"}, reseller_levels=1, revision=1)
    assert show_account(database, "ana")["name"] == "Anna"


@pytest.mark.parametrize(
    ("named", "said", "wrong"),
    [
        ("ana", {"code": "anna"}, "code: this cannot be changed"),
        ("ana", {"colour": "red"}, "colour: this cannot be changed"),
        ("ana", {"currency": "XXX"}, "does not bill"),
        ("ana", {"parent": "ana-ba"}, "a customer is below a customer or a seller"),
        ("ana", {"parent": "gone"}, "there is no account gone"),
        ("ana", {"parent": "ana"}, "above itself"),
        ("ana", {"status": "ASLEEP"}, "status"),
        ("ana", {"custom": {"a": 1}}, "there are no custom fields"),
        ("gone", {"name": "x"}, "there is no account gone"),
    ],
)
def test_what_an_account_cannot_become(database: Database, named: str, said: dict[str, Any], wrong: str) -> None:
    before = list(exported(database))
    with pytest.raises(UnableToKeepAccount, match=wrong), made(database) as changes:
        change_account(changes, named, said, reseller_levels=1)
    assert list(exported(database)) == before


def test_a_seller_with_customers_does_not_become_one_level_too_deep(database: Database) -> None:
    with made(database) as changes:
        add_account(changes, account("seller", "shop", "acme"), reseller_levels=1)
        change_account(changes, "ana", {"parent": "shop"}, reseller_levels=1)
    with pytest.raises(UnableToKeepAccount, match="at most 1 resellers"), made(database) as changes:
        add_account(changes, account("seller", "kiosk", "shop"), reseller_levels=1)
    with made(database) as changes:
        add_account(changes, account("seller", "kiosk", "shop"), reseller_levels=2)
        add_account(changes, account("seller", "other"), reseller_levels=2)
    assert show_account(database, "ana")["above"] == ["shop", "acme"]
    with pytest.raises(UnableToKeepAccount, match="at most 1 resellers"), made(database) as changes:
        change_account(changes, "shop", {"parent": "other"}, reseller_levels=1)  # with the kiosk below
    with made(database) as changes:
        change_account(changes, "shop", {"parent": "other"}, reseller_levels=2)


def test_what_is_attached(database: Database) -> None:
    with made(database) as changes:
        attach(changes, "ana", Address(line1="1 rue de la Paix", city="Paris", country="FR"))
        contact = attach(changes, "ana", Contact(name="Ana", email="ana@example.org"))
        attach(changes, "ana", Note(text="calls on Mondays"))
        first = PaymentMethod(type=PaymentType.DIRECTDEBIT, reference=IBAN, preferred=True)
        attach(changes, "ana-ba", first)
        attach(changes, "ana-ba", PaymentMethod(type=PaymentType.CARD, reference="pm_1N0abcdefgh", preferred=True))
    shown = show_account(database, "ana-ba")
    assert [(one["type"], one["preferred"]) for one in shown["payment_method"]] == [("DIRECTDEBIT", 0), ("CARD", 1)]
    assert IBAN not in str(audit_log(database))  # its last four characters are
    assert "…2606" in str(audit_log(database))
    with made(database) as changes:
        remove_attachment(changes, contact)
    assert show_account(database, "ana")["contact"] == []
    for wrong in (contact, "con_gone", "x"):
        with pytest.raises(UnableToChange, match="there is no"), made(database) as changes:
            remove_attachment(changes, wrong)
    with pytest.raises(UnableToKeepAccount, match="pay, and no other"), made(database) as changes:
        attach(changes, "ana", first)


def test_custom_fields_are_the_tenants(database: Database) -> None:
    schema = {"properties": {"floor": {"type": "integer"}}, "additionalProperties": False}
    with made(database) as changes:
        define_fields(changes, Kind.CUSTOMER, schema)
        define_fields(changes, Kind.CUSTOMER, {**schema, "required": ["floor"]})
    assert fields_of(database) == {"customer": {**schema, "required": ["floor"]}}
    with pytest.raises(UnableToKeepAccount, match=r'required: \["floor"\]'), made(database) as changes:
        add_account(changes, account("customer", "ben", "acme"), reseller_levels=1)
    with made(database) as changes:
        add_account(changes, account("customer", "ben", "acme", custom={"floor": 2}), reseller_levels=1)
    found = find_account(database, "ben")
    assert found is not None
    assert found.custom == {"floor": 2}


FILE = """\
kind,code,parent,name,currency,wallets,address.line1,address.city,contact.name,payment.type,payment.reference
billing_account,ben-ba,ben-ca,Ben,,"[{""code"": ""credit"", ""type"": ""prepaid"", ""opening_balance"": ""10.50""}]",,,,,
customer,ben,acme,Ben,,,1 High Street,London,Ben,,
customer_account,ben-ca,ben,,GBP,,,,,DIRECTDEBIT,FR1420041010050500013M02606
customer,ana,acme,,,,,,,,
customer,cleo,gone,,,,,,,,
customer,dan,acme,,,,1 High Street,,,,
customer,,acme,,DM,,,,,,
customer_account,cleo-ca,cleo,,,,,,,,
customer_account,eve-ca,ben,,,,,,,DIRECTDEBIT,FR00
"""


def test_a_file_is_taken_but_for_what_is_wrong(database: Database) -> None:
    added, faults = imported(database, FILE.encode())
    assert [event.code for event in added.events] == ["ben", "ben-ca", "ben-ba"]  # above first, whatever their order
    assert [(fault.row, fault.column) for fault in faults] == [
        (7, "address.city"), (8, "code"), (8, "currency"), (10, "payment.reference"),
    ]  # fmt: skip
    assert added.faults == [
        Fault(5, "code", "there is an account ana already"),
        Fault(6, "parent", "there is no account gone"),
        Fault(9, "parent", "there is no account cleo"),
    ]
    assert fault_bytes(added.faults[:1]).decode() == "row,column,reason\r\n5,code,there is an account ana already\r\n"
    shown = show_account(database, "ben-ba")
    assert shown["wallets"][0]["opening_balance"] == "10.50"
    assert shown["holds"]["currency"] == {"value": "GBP", "of": "ben-ca"}
    assert show_account(database, "ben")["address"][0]["city"] == "London"


@pytest.mark.parametrize("written", [csv_bytes, xlsx_bytes])
def test_what_is_exported_is_imported_as_the_same(database: Database, databases: Databases, written: Any) -> None:
    with made(database) as changes:
        define_fields(changes, Kind.CUSTOMER, {})
        strange = account(
            "customer", "eve", "ana", name='=1+1 "é", 007', custom={"a": [1, {"b": "ü"}]}, status="CANCELED"
        )
        add_account(changes, strange, reseller_levels=1)
        wallets = [{"code": "credit", "type": "prepaid", "opening_balance": "0.000000001"}]
        change_account(changes, "ana-ba", {"wallets": wallets, "electronic_billing": True}, reseller_levels=1)
    rows = list(exported(database))
    other = databases.tenant()
    with made(other) as changes:
        define_fields(changes, Kind.CUSTOMER, {})
    added, faults = imported(other, written(FIELDS, rows))
    assert (added.faults, faults, len(added.events)) == ([], [], len(rows))
    assert list(exported(other)) == rows


@pytest.mark.parametrize(
    ("data", "wrong"),
    [
        (b"", "no header"),
        (b"colour\nred\n", 'the column "colour" is unknown'),
        (b"code,code\n", "appears twice"),
        (b"code\n\xff\n", "line 2: the file is neither UTF-8"),
        (b'code\n"a', "line 2: "),
        (b"PK\x03\x04 no zip", "no XLSX"),
        (b"custom.\n", 'the column "custom." is unknown|custom'),
    ],
)
def test_what_is_no_file_of_accounts(data: bytes, wrong: str) -> None:
    with pytest.raises(UnableToReadSheet, match=wrong):
        list(read_sheet(data, [name for name in COLUMNS if name != "custom."] if b"custom." in data else COLUMNS))


def test_a_row_that_is_too_long_is_told() -> None:
    assert list(read_sheet(b"code,name\na,b,c\n\n,\nd\n", COLUMNS)) == [
        (2, {"": "more cells than the header has"}),
        (5, {"code": "d"}),
    ]
