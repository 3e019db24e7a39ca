"""`octroi simulate`: what stored usage would have cost under another catalog."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import typer

from apps.cli.deciding import ask
from apps.cli.failures import honest, say
from apps.cli.options import AsJson, Data
from apps.cli.output import count, print_json, print_table, write_rows
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

_CATALOG = "`current`, the beginning of a kept image's hash, or a catalog's directory"
MONEY = ("before", "after", "difference")


@honest
def simulate(
    since: From,
    until: To,
    new: Annotated[str, typer.Option("--new", metavar="CATALOG", help=f"The other catalog: {_CATALOG}.")],
    old: Annotated[
        str, typer.Option("--old", metavar="CATALOG", help=f"What it is compared with: {_CATALOG}.")
    ] = "current",
    drafts: Annotated[
        bool, typer.Option("--drafts", help="Take the other catalog as if its draft versions were published.")
    ] = False,
    offer: Offer = None,
    charge: Charge = None,
    price_plan: PricePlan = None,
    account: Account = None,
    subscription: Subscription = None,
    source: Source = None,
    top: Annotated[
        int, typer.Option(min=0, max=10_000, help="How many winners, losers and largest accounts to show.")
    ] = 10,
    csv: Annotated[
        Path | None, typer.Option("--csv", metavar="FILE", help="Write every account to a CSV file.")
    ] = None,
    charges_csv: Annotated[
        Path | None, typer.Option("--charges-csv", metavar="FILE", help="Write every charge to a CSV file.")
    ] = None,
    offers_csv: Annotated[
        Path | None, typer.Option("--offers-csv", metavar="FILE", help="Write every offer to a CSV file.")
    ] = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Price the stored usage of a period by two catalogs, and show what changes for whom. Nothing is kept.

    Counters count from where their periods begin, in the order of events; prepaid wallets can always pay. While it runs, the
    process that owns the data directory takes no usage.
    """
    selection = usage_selection(
        since, until, offer=offer, charge=charge, price_plan=price_plan, account=account, subscription=subscription,
        source=source,
    )  # fmt: skip
    told = {
        name: str(Path(text).resolve()) if Path(text).is_dir() else text for name, text in (("old", old), ("new", new))
    }
    target = None if csv is None else str(csv.resolve())
    result = ask({"op": "simulate", "selection": selection, **told, "top": top, "csv": target, "drafts": drafts}, data)
    written = {"account": csv, "charge": charges_csv, "offer": offers_csv}
    for name, file in (("charge", charges_csv), ("offer", offers_csv)):
        if file is not None:
            columns = (name, "items_before", "items_after", *MONEY, "currency")
            write_rows(file, columns, result[f"{name}s"])
    if as_json:
        print_json(result)
        return
    _print(result)
    for name, file in written.items():
        if file is not None:
            say(f"every {name} is in {file}")


def _print(result: dict[str, Any]) -> None:
    print(
        f"Simulation of {count(result['edrs'], 'EDR')}: image {result['old'][:12]} before, {result['new'][:12]} after"
    )
    _table("In all", ("currency", "items_before", "items_after", *MONEY), result["totals"])
    for name in ("charge", "offer"):
        columns = (name, "items_before", "items_after", *MONEY, "currency")
        _table(f"By {name}", columns, result[f"{name}s"])
    print(f"before: {unrated_text(result['unrated_before'])}; after: {unrated_text(result['unrated_after'])}")
    for name, words in (("winners", "cheaper"), ("losers", "dearer")):
        number = result[f"accounts_{words}"]
        print(f"{count(number, 'account')} {words}")
        if result[name]:
            _table("", ("account", *MONEY, "currency"), result[name])
    if result["largest"]:
        _table("Largest accounts", ("account", *MONEY, "currency"), result["largest"])


def _table(title: str, columns: tuple[str, ...], lines: list[dict[str, Any]]) -> None:
    rows = [[Decimal(line[name]) if name in MONEY else line[name] for name in columns] for line in lines]
    print_table(title, list(columns), rows)


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog="Example: octroi simulate --from 2026-10-01 --to 2026-11-01 --new tariff-2027")(simulate)
