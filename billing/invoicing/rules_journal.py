"""The sales journal of what was issued, in the form that France asks of accounts kept by computer (FEC).

18 columns, in order, by article A47 A-1 of the Livre des procédures fiscales (VII): names in the first line, fields between
tabulators, days as YYYYMMDD, amounts with a comma and no separator of thousands. An entry is one invoice or credit note; it
balances.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from schemas.invoice_sums import ZERO, rounded_amount, total
from schemas.money import CURRENCY_DECIMALS, EXACT

COLUMNS = (
    "JournalCode", "JournalLib", "EcritureNum", "EcritureDate", "CompteNum", "CompteLib", "CompAuxNum", "CompAuxLib",
    "PieceRef", "PieceDate", "EcritureLib", "Debit", "Credit", "EcritureLet", "DateLet", "ValidDate",
    "Montantdevise", "Idevise",
)  # fmt: skip
BOOKS = "EUR"
ZONE = ZoneInfo("Europe/Paris")
"""In which the day of an entry's validation is told: books are French."""


class UnableToKeepJournal(Exception):
    """Something that was issued cannot be said in the journal."""


@dataclass(frozen=True, slots=True)
class JournalAccounts:
    """Accounts of the plan comptable général: what customers owe, what is sold, and the tax that is owed for it."""

    customers: str = "411000"
    sales: str = "706000"
    tax: str = "445710"
    rounding_loss: str = "658000"
    rounding_gain: str = "758000"
    prepaid: str = "419100"


def journal_lines(
    issued: Sequence[tuple[Mapping[str, Any], Sequence[Mapping[str, Any]]]],
    accounts: JournalAccounts,
    names: Mapping[str, str],
    first: int = 1,
) -> Iterator[tuple[str, ...]]:
    """Yield the lines of invoices and their taxes, each invoice one entry, numbered from `first` on in the order of issuing.

    Args:
        issued: rows of the views `invoice` and `invoice_tax`. names: of accounts, for the auxiliary ledger.

    Raises:
        UnableToKeepJournal: for another currency than that of the books, and for amounts of more decimals than it has.
    """
    number = first
    for row, taxes in issued:
        if row["currency"] != BOOKS:
            raise UnableToKeepJournal(f"{row['invoice']} is in {row['currency']}, and the books are in {BOOKS}")
        lines = list(_entry(number, row, taxes, accounts, names))
        yield from lines
        number += bool(lines)  # an invoice of nothing is no entry, and takes no number: the sequence has no gap


def _entry(
    number: int,
    row: Mapping[str, Any],
    taxes: Sequence[Mapping[str, Any]],
    accounts: JournalAccounts,
    names: Mapping[str, str],
) -> Iterator[tuple[str, ...]]:
    title = "Avoir" if row["kind"] == "credit_note" else "Facture"
    paid, coins = Decimal(row["paid"]), Decimal(row["cash_rounding"])
    step = Decimal(1).scaleb(-CURRENCY_DECIMALS[BOOKS])
    whole = rounded_amount(paid, BOOKS)
    if whole != paid:
        # wallets pay finer than anybody can: that rounding is theirs; what is left of one to coins is one to coins
        finer = coins if 2 * abs(coins) <= step else EXACT.subtract(paid, whole)
        paid, coins = EXACT.subtract(paid, finer), EXACT.subtract(coins, finer)
    owed: list[tuple[str, str, str, str, Decimal]] = [
        (accounts.customers, "Clients", row["account"], names.get(row["account"], row["account"]), Decimal(row["to_pay"])),
        (accounts.prepaid, "Clients - avances et acomptes", row["account"], names.get(row["account"], row["account"]), paid),
        (accounts.sales, "Prestations de services", "", "", -Decimal(row["net"])),
        (accounts.rounding_gain if coins > 0 else accounts.rounding_loss, "Arrondis", "", "", -coins),
        (accounts.tax, "TVA collectée", "", "", -total(Decimal(each["tax_amount"]) for each in taxes)),
    ]  # fmt: skip
    if total(amount for *_, amount in owed):
        raise UnableToKeepJournal(f"{row['invoice']} does not balance")
    day, valid = _day(row["invoice_date"]), _day(row["issued_at"].astimezone(ZONE))
    for account, label, auxiliary, name, amount in owed:
        if not amount:
            continue
        debit, credit = (amount, ZERO) if amount > 0 else (ZERO, -amount)
        yield tuple(
            _plain(field)
            for field in (
                "VE", "Journal des ventes", str(number), day, account, label, auxiliary, name, row["invoice"], day,
                f"{title} {row['invoice']}", _amount(debit, row), _amount(credit, row), "", "", valid, "", "",
            )
        )  # fmt: skip


def _day(day: date) -> str:  # an instant of the zone is one, too
    return f"{day:%Y%m%d}"


def _amount(amount: Decimal, row: Mapping[str, Any]) -> str:
    step = Decimal(1).scaleb(-CURRENCY_DECIMALS[BOOKS])
    said = amount.quantize(step)
    if EXACT.subtract(said, amount):
        raise UnableToKeepJournal(f"{row['invoice']} has the amount {amount:f}, of more decimals than {BOOKS} has")
    return f"{said:f}".replace(".", ",")


def _plain(field: str) -> str:
    """Return a field without what would end it."""
    return " ".join(field.split())
