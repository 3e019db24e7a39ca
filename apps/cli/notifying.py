"""`octroi notifications`: levels of counters and wallets that were crossed."""

from __future__ import annotations

from typing import Annotated

import typer

from apps.cli.failures import honest, say
from apps.cli.options import AsJson, Data, open_settings
from apps.cli.output import count, print_result

notifications = typer.Typer(help="Levels of counters and wallets that were crossed.", no_args_is_help=True)

_LISTED = (
    "id, at, event_at, account, subscription, if(wallet = '', concat(holder, '/', counter), wallet) AS what, period, written, "
    "level, before, after, unit"
)


@notifications.command("list", epilog="Example: octroi notifications list --since 2026-10-05 --account ana")
@honest
def show_list(
    since: Annotated[
        str | None, typer.Option("--since", metavar="TIME", help="Told from then on (ISO 8601; UTC without an offset).")
    ] = None,
    until: Annotated[str | None, typer.Option("--until", metavar="TIME", help="Told before.")] = None,
    account: Annotated[str | None, typer.Option("--account", help="Of usage that this account pays.")] = None,
    subscription: Annotated[str | None, typer.Option("--subscription", help="Of usage of this subscription.")] = None,
    counter: Annotated[str | None, typer.Option("--counter", help="Of this counter.")] = None,
    wallet: Annotated[str | None, typer.Option("--wallet", help="Of wallets of this name.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="Most rows: the latest ones.")] = 50,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """List what was told, in the order of the log: which level, by which usage, and the values before and after it."""
    settings, directory = open_settings(data)
    from apps.embedded.access import reach
    from apps.embedded.selection import instant

    named = {"account": account, "subscription": subscription, "counter": counter, "wallet": wallet}
    parameters: dict[str, object] = {name: value for name, value in named.items() if value is not None}
    terms = [f"{name} = {{{name}:String}}" for name in parameters]
    for name, term, text in (("since", ">=", since), ("until", "<", until)):
        if text is not None:
            terms.append(f"at {term} fromUnixTimestamp64Micro({{{name}:Int64}}, 'UTC')")
            parameters[name] = instant(text)
    condition = " AND ".join(terms) or "1"
    order = "claim, record, branch, part"
    with reach(directory, settings, say) as access:
        columns = "*" if as_json else f"{_LISTED}, claim, record, branch, part"
        latest = f"{order.replace(',', ' DESC,')} DESC LIMIT {limit}"
        rows = f"SELECT {columns} FROM notification WHERE {condition} ORDER BY {latest}"
        shown = "*" if as_json else "* EXCEPT (claim, record, branch, part)"
        found = access.query(f"SELECT {shown} FROM ({rows}) ORDER BY {order}", parameters)
        total: int = access.query(f"SELECT count() AS n FROM notification WHERE {condition}", parameters).to_pylist()[
            0
        ]["n"]
    more = f"; the latest {limit:,} (--limit shows more)" if total > limit else ""
    print_result(found, as_json=as_json, title=f"{count(total, 'notification')}{more}", empty="nothing to show")


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(notifications, name="notifications")
