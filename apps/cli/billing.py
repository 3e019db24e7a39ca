"""`octroi bill`: billing runs, what is on an invoice, and marks of invoices that something else made."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from apps.cli.billing_credits import credit
from apps.cli.billing_documents import document
from apps.cli.billing_journal import journal
from apps.cli.billing_runs import app as run
from apps.cli.deciding import ask
from apps.cli.failures import honest, say
from apps.cli.options import AsJson, Data, open_settings
from apps.cli.output import count, print_json, print_result

_LINES = """
SELECT line, kind, subscription, charge, event_type, quantity, unit, items, exact, amount, net, tax, tax_rate, corrects
FROM invoice_line
WHERE invoice = {invoice:String} AND ({line:UInt32} = 0 OR line = {line:UInt32}) ORDER BY line
"""
_CREDITED = """
SELECT invoice, invoice_date, net, tax, gross, reason FROM invoice
WHERE corrects = {invoice:String} ORDER BY claim
"""
_ITEMS = """
SELECT r.id AS item, r.event_at AS event_at, r.subscription AS subscription, r.charge AS charge, r.rated_quantity AS quantity,
  r.unit AS unit, r.amount AS amount
FROM rated_item AS r
WHERE (r.claim, r.record, r.branch, r.item) IN (
  SELECT claim, record, branch, item FROM fact_billed WHERE invoice = {invoice:String} AND line = {line:UInt32}
) ORDER BY event_at, item LIMIT {limit:UInt32}
"""

app = typer.Typer(help="Bill: billing runs, and what is on invoices.", no_args_is_help=True)
app.add_typer(run, name="run")


@honest
def mark(
    file: Annotated[Path, typer.Argument(help="A CSV file with the columns item (ri-…) and invoice, a number.")],
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Mark rated items as billed by invoices that something else made, all of a file or none.

    An item that the same invoice holds already is left out. What is billed is never taken back in silence: `octroi rerate`
    refunds it by an item of its own, and files that it came of are not backed out. Refused where an item is unknown, was
    taken back, or is on another invoice.
    """
    result = ask({"op": "bill", "file": str(file.resolve())}, data)
    if as_json:
        print_json(result)
        return
    by = f" by entry {result['entry']}" if result["entry"] else ""
    print(f"{count(result['billed'], 'rated item')} on {count(result['invoices'], 'invoice')} marked as billed{by}")
    if result["already"]:
        print(f"{count(result['already'], 'rated item')} billed already")


@honest
def explain(
    invoice: Annotated[str, typer.Argument(help="Number of an invoice, or NUMBER/LINE for the items of one line.")],
    limit: Annotated[int, typer.Option("--limit", min=1, max=1_000_000, help="Items that are listed.")] = 1000,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Say what an invoice consists of: its lines, or the rated items of one line, whose amounts add up to its exact sum.

    Credit notes of an invoice are listed besides.
    """
    settings, directory = open_settings(data)
    from apps.embedded.access import reach

    number, _, line = invoice.rpartition("/")
    asked: dict[str, Any] = {"invoice": invoice, "line": 0}
    with reach(directory, settings, say) as access:
        told = {"lines": access.query(_LINES, asked)}
        # numbers may have a slash: what is behind it is a line only where there is no such number
        if number and not told["lines"].num_rows and line.isdecimal() and int(line):
            asked = {"invoice": number, "line": int(line)}
            told["lines"] = access.query(_LINES, asked)
            told["items"] = access.query(_ITEMS, {**asked, "limit": limit})
        told["credited"] = access.query(_CREDITED, {"invoice": asked["invoice"]})
    if not told["lines"].num_rows:
        raise typer.BadParameter(f"there is no invoice, or no line of one, called {invoice}")
    if as_json:
        from apps.cli.output import rows_of

        print_json({name: rows_of(table) for name, table in told.items()})
        return
    print_result(told["lines"], as_json=False, title=f"Invoice {asked['invoice']}")
    if told["credited"].num_rows:
        print_result(told["credited"], as_json=False, title="Credit notes")
    if "items" in told:
        print_result(told["items"], as_json=False, title=f"Rated items of line {asked['line']}")


def add_to(parent: typer.Typer) -> None:
    """Add the commands."""
    app.command(epilog="Example: octroi bill mark invoiced-2026-10.csv")(mark)
    app.command(epilog="Example: octroi bill explain INV-2026-000001/2")(explain)
    app.command(epilog='Example: octroi bill credit INV-2026-000001 --line 2=1.50 --reason "as promised"')(credit)
    app.command(epilog="Example: octroi bill journal --from 2026-01-01 --to 2027-01-01 --out 404833048FEC20261231.txt")(
        journal
    )
    app.command(epilog="Example: octroi bill document 2026-10 --out documents")(document)
    parent.add_typer(app, name="bill")
