"""`octroi rerate`: rate usage again, after a catalog was corrected or usage came out of order."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import typer

from apps.cli.deciding import ask
from apps.cli.failures import WrongUsage, honest, say
from apps.cli.options import AsJson, Data
from apps.cli.output import count, decimal_text, print_json, print_table, printable
from apps.cli.usage_selecting import (
    Account,
    Charge,
    From,
    Offer,
    PricePlan,
    Source,
    Subscription,
    To,
    unrated_text,
    usage_selection,
)

ACCOUNTS_SHOWN = 20


@honest
def rerate(
    since: From,
    until: To,
    offer: Offer = None,
    charge: Charge = None,
    price_plan: PricePlan = None,
    account: Account = None,
    subscription: Subscription = None,
    source: Source = None,
    reason: Annotated[str, typer.Option("--reason", help="Why; kept in the journal.")] = "",
    preview: Annotated[bool, typer.Option("--preview", help="Say what it would change, and do nothing.")] = False,
    image: Annotated[
        str | None,
        typer.Option(
            "--image", metavar="HASH", help="Rate by this image that was in force (default: the one in force)."
        ),
    ] = None,
    expect: Annotated[
        int | None,
        typer.Option(
            "--expect", metavar="ENTRY", help="Do nothing unless this is the latest entry, as a preview said."
        ),
    ] = None,
    csv: Annotated[
        Path | None, typer.Option("--csv", metavar="FILE", help="Write every account that changes to a CSV file.")
    ] = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Rate the usage of a period again by the catalog in force, in the order of events, and replace what changes.

    Every item that is replaced is taken back by another one, and stays visible. Counters are settled as if all usage had come
    in order, so whole counter periods are rated again. What is unrated and has a price now is rated. Done again, it changes
    nothing. What an invoice holds is refunded first, exactly, by items for the next one.
    """
    if not preview and not reason.strip():
        raise WrongUsage("say why with --reason, or look first with --preview")
    selection = usage_selection(
        since, until, offer=offer, charge=charge, price_plan=price_plan, account=account, subscription=subscription,
        source=source,
    )  # fmt: skip
    request = {
        "op": "rerate",
        "selection": selection,
        "reason": reason,
        "preview": preview,
        "image": image,
        "expect": expect,
        "csv": None if csv is None else str(csv.resolve()),
    }
    result = ask(request, data)
    if as_json:
        print_json(result)
        return
    _print(result, preview=preview)
    if csv is not None:
        say(f"every account that changes is in {csv}")


def _print(result: dict[str, Any], *, preview: bool) -> None:
    if result["entry"]:
        print(f"Rated again by entry {result['entry']}")
    elif preview:
        print(f"Preview at entry {result['after']}: nothing is done yet")
    beside = result["selected"] - result["meant"]
    more = f", and {beside:,} more in the counter periods that they touch" if beside else ""
    print(f"{count(result['meant'], 'EDR')} selected{more}; priced by image {result['image'][:12]}")
    if not result["changed"]:
        print("nothing changes: every price is what it is")
        return
    told = [(result["no_longer_rated"], "no longer rated"), (result["newly_rated"], "rated that were not")]
    besides = "".join(f", {number:,} {words}" for number, words in told if number)
    print(
        f"{count(result['changed'], 'EDR')} with another price or payer{besides}; {result['replaced']:,} items replaced"
    )
    if result["no_longer_rated"]:
        print(unrated_text(result["unrated_after"]))
    columns = ["account", "items_changed", "before", "after", "difference", "currency"]
    shown = result["accounts"][:ACCOUNTS_SHOWN]
    rows = [[row[name] if name not in columns[2:5] else Decimal(row[name]) for name in columns] for row in shown]
    left = result["accounts_changed"] - len(shown)
    print_table(
        f"{count(result['accounts_changed'], 'account')}{f', {left:,} not shown' if left else ''}", columns, rows
    )
    for total in result["totals"]:
        before, after, difference = (decimal_text(Decimal(total[name])) for name in ("before", "after", "difference"))
        print(f"in all {before} before, {after} after: {difference} {printable(total['currency'])}")
    for refund in result["refunds"]:
        amount = f"{decimal_text(Decimal(refund['amount']))} {printable(refund['currency'])}"
        print(f"{count(refund['items'], 'billed item')} refunded: {amount}, for the next invoice")


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    example = "octroi rerate --from 2026-10-01 --to 2026-11-01 --charge voice --reason 'wrong price' --preview"
    app.command(epilog=f"Example: {example}")(rerate)
