"""`octroi explain`: which rule made an amount; `octroi trace`: where it came from and where it went."""

from __future__ import annotations

from typing import Annotated

import typer

from apps.cli.failures import MISMATCH, WrongUsage, honest, say
from apps.cli.options import AsJson, Data, open_settings
from apps.cli.output import print_json, printable


@honest
def explain(
    rated_item: Annotated[
        str, typer.Argument(metavar="RATED_ITEM_ID", help="Such as ri-3-1207 (view rated_item, column id).")
    ],
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Explain an amount: price plan version, tier, time band, increment, counter and rounding.

    The amount is computed again, slowly and in decimals, from the catalog that was in force; exit code 1 when it differs
    from the stored one.
    """
    from schemas.ids import RatedItemId

    try:
        wanted = RatedItemId.parse(rated_item)
    except ValueError as error:
        raise WrongUsage(str(error)) from error
    settings, directory = open_settings(data)
    from apps.embedded.access import reach
    from apps.embedded.explain import explain_item

    with reach(directory, settings, say) as access:
        told = explain_item(access, directory, wanted)
    if as_json:
        print_json(told.as_dict())
    else:
        print(printable("\n".join(told.lines()), newlines=True))
    if not told.agrees:
        say("the stored amount and the recomputed one differ")
        raise typer.Exit(MISMATCH)


@honest
def trace(
    wanted: Annotated[
        str,
        typer.Argument(
            metavar="ID",
            help="Of a rated item, an EDR, a wallet operation, or CLAIM-RECORD of a record or a rejection.",
        ),
    ],
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Follow usage both ways: file, record, refusals, EDR, rated items, wallet operations, and what took their place."""
    settings, directory = open_settings(data)
    from apps.embedded.access import reach
    from apps.embedded.trace import trace as follow

    with reach(directory, settings, say) as access:
        told = follow(access, directory, wanted)
    if as_json:
        print_json(told.as_dict())
    else:
        print(printable("\n".join(told.lines()), newlines=True))


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(epilog="Example: octroi trace ri-3-1207")(trace)
    app.command(epilog="Example: octroi explain ri-3-1207")(explain)
