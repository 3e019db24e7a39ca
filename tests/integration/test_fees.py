"""Fees from the catalog to money: charged once, corrected by what changes, undone, and the same after a loss of state."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from cli_octroi import Told, balanced, octroi, query

CATALOG = """
kind: price_plan
code: line-fee
currency: EUR
versions:
  - {start: "2026-01-01T00:00:00+01:00", end: "2026-08-15T00:00:00+02:00", model: event, price: "30", rounding: {decimals: 2}}
  - {start: "2026-08-15T00:00:00+02:00", model: event, price: "33", rounding: {decimals: 2}}
---
{kind: recurring_charge, code: line, price_plan: line-fee, zone: Europe/Paris, in_advance: true}
---
{kind: price_plan, code: once, currency: EUR, versions: [{start: "2026-07-01T00:00:00+02:00", model: event, price: "49"}]}
---
{kind: one_shot_charge, code: setup, price_plan: once, zone: Europe/Paris}
---
{kind: offer, code: fixed, charges: [line, setup]}
---
{kind: account, code: ana, currency: EUR, wallets: [{code: cash, type: prepaid, opening_balance: "150"}]}
---
{kind: account, code: acme, currency: EUR}
---
{kind: contract, code: deal, account: acme, start: "2026-01-01T00:00:00+01:00", items: [{charge: line, percentage: "10"}]}
---
{kind: subscription, code: ana, account: ana, offer: fixed, start: "2026-07-16T00:00:00+02:00"}
---
{kind: subscription, code: acme, account: acme, offer: fixed, start: "2026-07-16T10:00:00+02:00"}
"""
ITEMS = "SELECT subscription, charge, quantity, toString(amount) AS amount, toString(event_at) AS at FROM rated_item ORDER BY claim, record"
AUGUST = [  # 16, 14 and 17 of 31 days; Acme pays 27.00, then 29.70
    ("acme", "line", "13.94", "2026-07-16 08:00"), ("acme", "line", "12.19", "2026-07-31 22:00"),
    ("acme", "line", "16.29", "2026-08-14 22:00"), ("acme", "setup", "49", "2026-07-16 08:00"),
    ("ana", "line", "15.48", "2026-07-15 22:00"), ("ana", "line", "13.55", "2026-07-31 22:00"),
    ("ana", "line", "18.1", "2026-08-14 22:00"), ("ana", "setup", "49", "2026-07-15 22:00"),
]  # fmt: skip


def write(data: Path, *changes: tuple[str, str]) -> None:
    text = CATALOG
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    (data / "catalog").mkdir(parents=True, exist_ok=True)
    (data / "catalog" / "catalog.yaml").write_text(text)
    octroi("run", data).ok()


def fees(data: Path, until: str, *options: str) -> Told:
    return octroi("fees", "--data", data, "--until", until, "--json", *options)


def items(data: Path) -> list[tuple[Any, ...]]:
    return [(row["subscription"], row["charge"], row["amount"], row["at"][:16]) for row in query(data, ITEMS)]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    write(tmp_path)
    return tmp_path


def test_what_is_due_is_charged_once_and_corrected_by_what_changes(data: Path) -> None:
    look = fees(data, "2026-09-01", "--preview").ok().json
    assert (look["charged"], look["taken_back"], look["subscriptions"], look["left"]) == (8, 0, 2, 0)
    assert look["rows"][0] == {
        "subscription": "acme",
        "fee": "line",
        "from": "2026-07-16",
        "to": "2026-08-01",
        "share": "16/31",
    }
    assert items(data) == []
    told = fees(data, "2026-09-01").ok().json
    assert (told["charged"], told["rated"], told["refused"], told["amounts"]) == (8, 8, 0, {"EUR": "187.550000000"})
    assert items(data) == AUGUST
    again = fees(data, "2026-09-01").ok().json
    assert (again["charged"], again["taken_back"], again["claim"], again["amounts"]) == (0, 0, 0, {})
    assert "until 2026-09-01: 0 fees charged" in octroi("fees", "--data", data, "--until", "2026-09-01").ok().out
    # Ana left on 20 August, and the price did not change on the 15th, but on the 10th
    ended = (
        'offer: fixed, start: "2026-07-16T00:00:00+02:00"',
        'offer: fixed, start: "2026-07-16T00:00:00+02:00", end: "2026-08-20T00:00:00+02:00"',
    )
    write(data, ended)
    told = fees(data, "2026-09-01").ok().json
    assert (told["charged"], told["taken_back"], told["amounts"]) == (0, 1, {"EUR": "-12.770000000"})  # 12/31 of 33
    write(data, ended, ("2026-08-15", "2026-08-10"))
    look = fees(data, "2026-09-01", "--preview").ok().json
    assert [row["share"] for row in look["rows"]] == ["-5/31", "22/31", "-17/31", "-5/31", "10/31", "-5/31"]
    fees(data, "2026-09-01").ok()
    assert fees(data, "2026-09-01").ok().json["claim"] == 0
    # 9/31 of 30 and 10/31 of 33; 9/31 of 27 and 22/31 of 29.70, each as its steps were rounded
    total = "SELECT subscription, toString(sum(amount)) AS amount FROM rated_item WHERE charge = 'line' AND event_at >= '2026-07-31 22:00:00' GROUP BY subscription ORDER BY subscription"
    assert [row["amount"] for row in query(data, total)] == ["28.92", "19.37"]
    explained = octroi("explain", "ri-2-4", "--data", data).ok().out
    assert "formula quantity * price * numerator / denominator" in explained
    assert "as stored" in explained


def test_a_loss_of_state_and_store_changes_nothing(data: Path) -> None:
    fees(data, "2026-09-01").ok()
    write(
        data,
        (
            '+02:00"}\n---\n{kind: subscription, code: acme',
            '+02:00", end: "2026-08-20T00:00:00+02:00"}\n---\n{kind: subscription, code: acme',
        ),
    )
    fees(data, "2026-09-02").ok()
    before = items(data)
    shutil.rmtree(data / "state")
    shutil.rmtree(data / "store")
    octroi("run", data).ok()
    assert items(data) == before
    assert fees(data, "2026-09-02").ok().json["claim"] == 0
    balanced(data)


def test_what_was_charged_can_be_undone_and_is_due_again(data: Path) -> None:
    fees(data, "2026-08-01").ok()
    fees(data, "2026-09-01").ok()
    earlier = fees(data, "2026-08-15")
    assert (earlier.code, "charged until 2026-09-01 already" in earlier.err) == (2, True)
    octroi("files", "back-out", "fees-until-2026-09-01.parquet", "--data", data, "--reason", "too early").ok()
    told = fees(data, "2026-08-15").ok().json
    assert (told["charged"], told["rated"]) == (4, 4)
    assert octroi("wallet", "show", "ana", "--data", data, "--json").ok().json["wallets"][0]["balance"] == "53.87"


def test_what_is_refused_waits_as_usage_does(tmp_path: Path) -> None:
    data = tmp_path
    write(
        data,
        ('opening_balance: "150"', 'opening_balance: "60"'),
        ('once, currency: EUR, versions: [{start: "2026-07', 'once, currency: EUR, versions: [{start: "2026-08'),
    )
    told = fees(data, "2026-08-01").ok().json
    assert (told["charged"], told["rated"], told["refused"]) == (4, 2, 2)
    assert fees(data, "2026-08-01").ok().json["claim"] == 0
    codes = octroi("rejects", "list", "--data", data, "--json").ok().json["rejections"]
    assert [(row["reason"], row["access_point"]) for row in codes] == [
        ("NO_PRICE_VERSION", "fee:acme"),
        ("NO_PRICE_VERSION", "fee:ana"),
    ]
    write(data, ('opening_balance: "150"', 'opening_balance: "60"'))
    octroi("rejects", "replay", "--all", "--data", data).ok()
    assert sorted(items(data)) == [
        row for row in sorted(AUGUST) if row[3] < "2026-07-17" and row[:2] != ("ana", "setup")
    ]


def test_what_was_never_charged_is_not_paid_back(tmp_path: Path) -> None:
    small = ('opening_balance: "150"', 'opening_balance: "60"')
    moved = ('offer: fixed, start: "2026-07-16T00:00:00+02:00"', 'offer: fixed, start: "2026-07-17T00:00:00+02:00"')
    write(tmp_path, small)
    assert fees(tmp_path, "2026-08-01").ok().json["refused"] == 1  # 15.48 of 60 is paid, 49 is not
    write(tmp_path, small, moved)
    told = fees(tmp_path, "2026-08-01").ok()
    assert (told.json["charged"], told.json["taken_back"], told.json["waiting"]) == (2, 1, 1)
    assert octroi("wallet", "show", "ana", "--data", tmp_path, "--json").ok().json["wallets"][0]["balance"] == "45.48"
    look = octroi("fees", "--data", tmp_path, "--until", "2026-08-01", "--preview").ok()
    assert "1 part not taken back" in look.err
    octroi("wallet", "top-up", "ana", "-w", "cash", "-n", "100 EUR", "--id", "one", "--data", tmp_path).ok()
    octroi("rejects", "replay", "--all", "--data", tmp_path).ok()
    told = fees(tmp_path, "2026-08-01").ok()
    assert (told.json["charged"], told.json["taken_back"], told.json["waiting"]) == (0, 1, 0)
    assert octroi("wallet", "show", "ana", "--data", tmp_path, "--json").ok().json["wallets"][0]["balance"] == "96.48"


@pytest.mark.parametrize(
    ("until", "change", "message"),
    [
        ("soon", (), "is no day"),
        ("2062-09-01", (), "lies too far ahead"),
        (
            "2026-09-01",
            ("in_advance: true", "in_advance: true, every: 2 week"),
            "give the new periods a fee of their own",
        ),
    ],
)
def test_what_cannot_be_charged_is_told(data: Path, until: str, change: tuple[str, str], message: str) -> None:
    fees(data, "2026-08-01").ok()
    write(data, *([change] if change else []))
    told = fees(data, until)
    assert (told.code, message in told.err) == (2, True), told
    assert len(items(data)) == 4


def test_a_catalog_without_fees_says_so(tmp_path: Path) -> None:
    head = "{kind: event_type, code: fee, unit: event}\n---\n{kind: charge, code: line, event_type: fee, price_plan: once}\n---\n"
    (tmp_path / "catalog").mkdir()
    offers = "{kind: offer, code: fixed, charges: [line]}\n---\n"
    (tmp_path / "catalog" / "catalog.yaml").write_text(head + offers + CATALOG.split("---\n")[2])
    octroi("run", tmp_path).ok()
    told = fees(tmp_path, "2026-09-01")
    assert (told.code, "the catalog in force has no fees" in told.err) == (2, True)


def test_what_says_what_was_charged_must_be_there(data: Path) -> None:
    fees(data, "2026-08-01").ok()
    (stored,) = (data / "archive").glob("*fees-until*")
    stored.write_bytes(b"")
    told = fees(data, "2026-08-01")
    assert (told.code, "says what was charged, cannot be read" in told.err) == (2, True)


def test_what_a_crash_left_for_a_catalog_without_fees_is_due_again(data: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    write(other)
    fees(other, "2026-09-01").ok()
    (left,) = (other / "archive").glob("*fees-until*")
    shutil.copy(left, data / "archive" / left.name)  # moved, and not in the journal yet
    (data / "catalog" / "catalog.yaml").write_text(
        "{kind: event_type, code: call, unit: event}\n---\n{kind: charge, code: c, event_type: call, price_plan: once}\n---\n"
        "{kind: offer, code: o, charges: [c]}\n---\n" + CATALOG.split("---\n")[2]
    )
    assert octroi("run", data).code == 5
    assert query(data, "SELECT status FROM fact_claim WHERE kind = 'file'") == [{"status": "quarantined"}]
    write(data)
    told = fees(data, "2026-09-01").ok().json
    assert (told["charged"], told["rated"], told["amounts"]) == (8, 8, {"EUR": "187.550000000"})
    assert items(data) == AUGUST
    assert fees(data, "2026-09-01").ok().json["claim"] == 0
    balanced(data)
