"""`octroi bill journal`: the sales journal of what was issued, for accountants and the French administration (FEC)."""

from __future__ import annotations

import csv
import io
import re
from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from apps.cli.failures import WrongUsage, honest, say
from apps.cli.options import AsJson, Data, open_settings
from apps.cli.output import count, print_json

ENCODING = "iso8859-15"
"""UTF-8 is none of what article A47 A-1 (III, 1°) allows; what it cannot say of a name is a question mark."""
_INVOICES = """
SELECT * FROM invoice WHERE invoice_date >= toDate({first:String}) AND invoice_date < toDate({after:String})
  AND ({seller:String} = '' OR seller = {seller:String})
ORDER BY claim, invoice
"""
_TAXES = """
SELECT invoice, tax_amount FROM invoice_tax WHERE invoice IN (
  SELECT invoice FROM invoice WHERE invoice_date >= toDate({first:String}) AND invoice_date < toDate({after:String})
)
"""


@honest
def journal(
    start: Annotated[str, typer.Option("--from", metavar="DAY", help="First day: that on which the books begin.")],
    end: Annotated[str, typer.Option("--to", metavar="DAY", help="Day after the last one.")],
    out: Annotated[
        Path, typer.Option("--out", metavar="FILE", help="Where to write, such as 404833048FEC20261231.txt.")
    ],
    seller: Annotated[str, typer.Option("--seller", help="Only what this one sold.")] = "",
    customers: Annotated[str, typer.Option(help="Account of what customers owe.")] = "411000",
    sales: Annotated[str, typer.Option(help="Account of what is sold.")] = "706000",
    tax: Annotated[str, typer.Option(help="Account of the tax on it.")] = "445710",
    prepaid: Annotated[str, typer.Option(help="Account of what wallets paid ahead.")] = "419100",
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Write the sales journal of what was issued in a period: 18 columns between tabulators (article A47 A-1 LPF).

    Each invoice or credit note is one entry that balances, numbered in the order of issuing: what is issued later for the
    same period comes behind. Another period has other numbers. Names of accounts are those of the catalog in force.
    """
    first, after = _day(start), _day(end)
    if after <= first:
        raise WrongUsage(f"there is no day from {first} to {after}: --to is the day after the last one")
    for account in (customers, sales, tax, prepaid):
        if not re.fullmatch(r"[0-9]{3}[0-9A-Za-z]{0,17}", account):
            raise WrongUsage(f'"{account}" is no account of the books: it begins with three digits, such as 411000')
    settings, directory = open_settings(data)
    from apps.embedded.access import reach
    from billing.catalog.store import load_catalog
    from billing.invoicing.rules_journal import COLUMNS, JournalAccounts, journal_lines

    asked = {"first": first.isoformat(), "after": after.isoformat(), "seller": seller}
    with reach(directory, settings, say) as access:
        with access.scan(_INVOICES, asked) as found:
            invoices = [row for some in found for row in some.to_pylist()]
        with access.scan(_TAXES, asked) as found:
            taxes: dict[str, list[dict[str, object]]] = {}
            for some in found:
                for row in some.to_pylist():
                    taxes.setdefault(row["invoice"], []).append(row)
    sellers = sorted({row["seller"] for row in invoices})
    if len(sellers) > 1:
        raise WrongUsage(f"books are of one seller, and {', '.join(sellers)} sold: say --seller")
    names = {code: said.party.name for code, said in load_catalog(directory.catalog).account_invoicing.items()}
    accounts = JournalAccounts(customers, sales, tax, prepaid=prepaid)
    lines = list(journal_lines([(row, taxes.get(row["invoice"], [])) for row in invoices], accounts, names))
    text = io.StringIO()
    writer = csv.writer(text, delimiter="\t", lineterminator="\r\n", quoting=csv.QUOTE_NONE, quotechar=None)
    writer.writerows([COLUMNS, *lines])
    partial = out.with_name(f".{out.name}.tmp")
    partial.write_bytes(text.getvalue().encode(ENCODING, "replace"))
    partial.replace(out)
    entries = len({line[2] for line in lines})
    if as_json:
        print_json({"entries": entries, "lines": len(lines), "file": str(out)})
        return
    print(f"{count(entries, 'entry', 'entries')}, {count(len(lines), 'line')} written to {out}")


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise WrongUsage(f'"{text}" is no day: write it as 2026-11-01') from None
