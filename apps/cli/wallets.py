"""`octroi wallet`: what accounts have."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from apps.cli.deciding import ask
from apps.cli.failures import honest
from apps.cli.options import AsJson, Data
from apps.cli.output import print_json, print_table

WALLET_COLUMNS = ("wallet", "type", "currency", "balance", "reserved", "available")
COUNTER_COLUMNS = ("counter", "holder", "period", "zone", "used", "unit")

wallet_app = typer.Typer(help="See what accounts have.", no_args_is_help=True)


@honest
def show(
    account: Annotated[str, typer.Argument(help="Code of the account.")], data: Data = None, as_json: AsJson = False
) -> None:
    """Show the wallets of an account, and the counters of its subscriptions in their present periods.

    A running octroi is asked between two blocks: everything that was acknowledged is in the answer.
    """
    found: Any = ask({"op": "show_account", "account": account}, data)
    if as_json:
        print_json(found)
        return
    as_of = found["as_of"]
    frame = f", frame {as_of['frame']} of segment {as_of['segment']}" if as_of["segment"] else ""
    print(
        f"account {found['account']} as of {as_of['at']}, before block {as_of['block']} of entry {as_of['entry']}{frame}"
    )
    _table("Wallets, in drawing order", WALLET_COLUMNS, found["wallets"])
    if found["counters"]:
        _table("Counters of this period", COUNTER_COLUMNS, found["counters"])


def _table(title: str, columns: tuple[str, ...], rows: list[dict[str, Any]]) -> None:
    print_table(title, columns, [[row[name] for name in columns] for row in rows])


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    wallet_app.command(epilog="Example: octroi wallet show ana")(show)
    app.add_typer(wallet_app, name="wallet")
