"""`octroi bill credit`: what an invoice takes back, as a credit note that names it."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

import typer

from apps.cli.deciding import ask
from apps.cli.failures import WrongUsage, honest, say
from apps.cli.options import AsJson, Data
from apps.cli.output import print_json


@honest
def credit(
    invoice: Annotated[str, typer.Argument(help="Number of the invoice.")],
    reason: Annotated[str, typer.Option("--reason", help="Why; the credit note keeps it.")],
    line: Annotated[
        list[str] | None,
        typer.Option(
            "--line",
            metavar="LINE[=AMOUNT]",
            help="What is left of this line, or so much of it, as its `amount` is; repeatable (default: all that is left).",
        ),
    ] = None,
    date: Annotated[
        str | None, typer.Option("--date", metavar="DAY", help="Day of the credit note (default: today).")
    ] = None,
    key: Annotated[
        str | None, typer.Option("--key", help="Tells it from another one of the same lines, amounts and reason.")
    ] = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Issue a credit note for all that is left of an invoice, or for some of its lines; it never changes any more.

    Taxes and discounts are mirrored: whatever the parts, all credit notes of an invoice together come to exactly that invoice.
    More than is left is refused. Asked once more in the same words, it makes none: it says which one that made.

    Items stay billed: what was rated wrongly is rated again (`octroi rerate`), which refunds it on the next invoice.
    """
    lines = []
    for text in line or ():
        number, _, amount = text.partition("=")
        if not number.isdecimal() or (not amount and "=" in text):
            raise WrongUsage(f'"{text}" is no line: write --line 2, or --line 2=1.50')
        lines.append([int(number), amount or None])
    asked = {"invoice": invoice, "reason": reason, "lines": lines, "date": date, "key": key}
    told = ask({"op": "bill_credit", **asked}, data)
    if as_json:
        print_json(told)
        return
    before = " (issued before)" if told["already"] else ""
    print(f"{told['credit_note']} of {told['date']} credits {told['invoice']}{before}: {told['reason']}")
    names = ("net", "tax", "gross", "to_pay", "left")
    print("  " + ", ".join(f"{name} {told[name]} {told['currency']}" for name in names))
    if Decimal(told["paid"]):
        say(
            f"{-Decimal(told['paid']):f} {told['currency']} of it were paid by wallets, which a credit note does not change: "
            "give it back with `octroi wallet adjust`"
        )
