"""Lines of the sales journal that no billing run of our tests makes: coins, wallets that pay finer, and what cannot be said."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from billing.invoicing.rules_journal import COLUMNS, JournalAccounts, UnableToKeepJournal, journal_lines


def _lines(**more: Any) -> list[tuple[str, str, str]]:
    row = {
        "invoice": "I-1", "kind": "invoice", "account": "ana", "currency": "EUR", "net": "10.02", "paid": "0", "cash_rounding": "0",
        "to_pay": "12.02", "invoice_date": date(2026, 11, 1), "issued_at": datetime(2026, 11, 2, tzinfo=UTC), **more,
    }  # fmt: skip
    told = journal_lines(
        [(row, [{"tax_amount": "1.50"}, {"tax_amount": "0.50"}])], JournalAccounts(), {"ana": "Ana\tSA"}, 7
    )
    lines = [dict(zip(COLUMNS, line, strict=True)) for line in told]
    assert {(line["EcritureNum"], line["EcritureDate"], line["ValidDate"]) for line in lines} == {
        ("7", "20261101", "20261102")
    }
    return [(line["CompteNum"], line["Debit"], line["Credit"]) for line in lines]


def test_coins_and_wallets_have_lines() -> None:
    sold = [("706000", "0,00", "10,02"), ("445710", "0,00", "2,00")]
    assert _lines() == [("411000", "12,02", "0,00"), *sold]
    assert _lines(to_pay="12.00", cash_rounding="-0.02") == [
        ("411000", "12,00", "0,00"), sold[0], ("658000", "0,02", "0,00"), sold[1],
    ]  # fmt: skip
    assert _lines(to_pay="12.05", cash_rounding="0.03") == [
        ("411000", "12,05", "0,00"), sold[0], ("758000", "0,00", "0,03"), sold[1],
    ]  # fmt: skip
    finer = _lines(to_pay="11.92", paid="0.103", cash_rounding="0.003")
    assert finer == [("411000", "11,92", "0,00"), ("419100", "0,10", "0,00"), *sold]
    both = _lines(to_pay="10.75", paid="1.264", cash_rounding="-0.006")
    assert both[1:4] == [("419100", "1,26", "0,00"), sold[0], ("658000", "0,01", "0,00")]


def test_an_invoice_of_nothing_takes_no_number() -> None:
    row = {
        "invoice": "I-1", "kind": "invoice", "account": "ana", "currency": "EUR", "net": "1.00", "paid": "0", "cash_rounding": "0",
        "to_pay": "1.00", "invoice_date": date(2026, 11, 1), "issued_at": datetime(2026, 11, 2, tzinfo=UTC),
    }  # fmt: skip
    nothing = {**row, "net": "0", "to_pay": "0"}
    told = journal_lines([(row, []), (nothing, []), (row, [])], JournalAccounts(), {})
    assert [line[2] for line in told] == ["1", "1", "2", "2"]


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"currency": "USD"}, "is in USD, and the books are in EUR"),
        ({"net": "10.021", "to_pay": "12.021"}, "more decimals than EUR has"),
        ({"to_pay": "12.00"}, "does not balance"),
    ],
)
def test_what_the_journal_cannot_say_is_refused(more: dict[str, Any], why: str) -> None:
    with pytest.raises(UnableToKeepJournal, match=why):
        _lines(**more)
