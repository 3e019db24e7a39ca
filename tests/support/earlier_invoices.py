"""A small data directory with invoices and credit notes, as one revision issues them, with what it says of them.

`python tests/support/earlier_invoices.py NAME` packs one of the revision at hand into tests/integration/earlier_invoices/NAME.tar.xz.
The rule is that of support/earlier.py: a revision that changes the form of `invoices` entries, of their files or of plans adds one
of its parent before; none is ever made anew.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from billing_world import documented, make_usage
from cli_octroi import octroi, query
from earlier import pack

from apps.clock import now_us

EARLIER = Path(__file__).resolve().parents[1] / "integration" / "earlier_invoices"
FACTS = {
    "invoices": """SELECT invoice, kind, run, account, toString(invoice_date) AS date, toString(net) AS net, toString(tax) AS tax,
        toString(to_pay) AS to_pay, corrects, reason FROM invoice ORDER BY invoice""",
    "lines": "SELECT invoice, line, kind, subscription, items, toString(amount) AS amount, corrects FROM invoice_line ORDER BY invoice, line",
    "taxes": "SELECT invoice, tax, toString(base) AS base, toString(tax_amount) AS amount FROM invoice_tax ORDER BY invoice, base, amount",
    "marks": "SELECT claim, record, branch, item, invoice, line FROM fact_billed ORDER BY claim, record, branch, item",
}


def facts(data: Path) -> dict[str, Any]:
    """Return what a store says of invoices, in words that do not change."""
    return {name: query(data, sql) for name, sql in FACTS.items()}


def live(directory: Path) -> dict[str, Any]:
    """Bill October and credit a part of it, in `directory`/data; a November run is planned and drafted only."""
    data = make_usage(directory, documented(every=True))
    run = ("bill", "run")
    octroi(*run, "plan", "oct", "--until", "2026-11-01", "--data", data).ok()
    octroi(*run, "validate", "oct", "--without", "dan", "--data", data).ok()
    octroi(
        "bill",
        "credit",
        "INV-2026-11-0001",
        "--line",
        "1=0.11",
        "--reason",
        "dispute",
        "--date",
        "2026-11-20",
        "--data",
        data,
    ).ok()
    octroi(*run, "plan", "late", "--until", "2026-11-01", "--data", data).ok()
    return {"at": now_us(), "facts": facts(data)}


if __name__ == "__main__":
    # state and store are of the log; support/earlier.py has them
    pack(EARLIER, sys.argv[1], lambda data: live(data.parent), ["spool", "state", "store"])
