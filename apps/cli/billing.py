"""`octroi bill`: say which rated items an invoice holds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from apps.cli.deciding import ask
from apps.cli.failures import honest
from apps.cli.options import AsJson, Data
from apps.cli.output import count, print_json


@honest
def bill(
    file: Annotated[Path, typer.Argument(help="A CSV file with the columns item (ri-…) and invoice, a number.")],
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Mark rated items as billed, all of a file or none; an item that the same invoice holds already is left out.

    What is billed is never taken back in silence: `octroi rerate` refunds it by an item of its own, and files that it came of
    are not backed out. Refused where an item is unknown, was taken back, or is on another invoice.
    """
    result = ask({"op": "bill", "file": str(file.resolve())}, data)
    if as_json:
        print_json(result)
        return
    by = f" by entry {result['entry']}" if result["entry"] else ""
    print(f"{count(result['billed'], 'rated item')} on {count(result['invoices'], 'invoice')} marked as billed{by}")
    if result["already"]:
        print(f"{count(result['already'], 'rated item')} billed already")


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog="Example: octroi bill invoiced-2026-10.csv")(bill)
