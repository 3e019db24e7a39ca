"""`octroi fees`: charge what subscriptions cost without usage."""

from __future__ import annotations

from typing import Annotated

import typer

from apps.cli.deciding import ask
from apps.cli.failures import honest, say
from apps.cli.options import AsJson, Data
from apps.cli.output import count, print_json, print_table

SHOWN = 20


@honest
def fees(
    until: Annotated[
        str,
        typer.Option(
            "--until", metavar="DAY", help="In advance: what begins before this day; otherwise: what has ended by then."
        ),
    ],
    preview: Annotated[bool, typer.Option("--preview", help="Say what is due, and charge nothing.")] = False,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Charge the recurring and one-shot fees of all subscriptions that are due and were not charged yet.

    What was paid in advance and a subscription ends before, or whose price changed afterwards, is taken back by its part. Done
    again, it changes nothing. Charging fees is an entry of the log like a file of usage: `octroi files back-out` undoes it.
    """
    result = ask({"op": "fees", "until": until, "preview": preview}, data)
    if as_json:
        print_json(result)
        return
    if result["waiting"]:
        parts = count(result["waiting"], "part")
        say(f"{parts} not taken back, because what was asked of them is refused: `octroi rejects list --source fees`")
    charged, taken = count(result["charged"], "fee"), count(result["taken_back"], "part")
    of = count(result["subscriptions"], "subscription")
    if preview:
        print(f"until {result['until']}: {charged} due, {taken} to take back, of {of}")
        rows = [list(row.values()) for row in result["rows"][:SHOWN]]
        if rows:
            print_table("", ["subscription", "fee", "from", "to", "share"], rows)
        left = result["left"] + max(0, len(result["rows"]) - SHOWN)
        if left:
            print(f"… and {left:,} more; --json lists the first {len(result['rows']):,}")
        return
    by = f" by claim {' and '.join(map(str, result['claims']))}" if result["claims"] else ""
    print(f"until {result['until']}: {charged} charged, {taken} taken back, of {of}{by}")
    for currency, amount in result["amounts"].items():
        print(f"  {amount} {currency}")
    if result["refused"]:
        print(f"{count(result['refused'], 'record')} refused: see `octroi rejects list`")


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog="Example: octroi fees --until 2026-09-01 --preview")(fees)
