"""`octroi energy profile`: what is in a file of meter data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer

from apps.cli.failures import MISMATCH, WrongUsage, honest
from apps.cli.options import AsJson, Data, open_settings
from apps.cli.output import count, print_json, print_table, printable

DAYS_SHOWN = 62
COLUMNS = ("point", "channel", "direction", "records", "count", "sum", "unit", "first", "last", "gaps", "quality")


@honest
def profile(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A file of any flow, packed or not.", show_default=False)
    ],
    source: Annotated[
        str | None,
        typer.Option(
            "--source", "-s", help="The source of the catalog that says what a table is, or which zone holds."
        ),
    ] = None,
    zone: Annotated[
        str | None, typer.Option("--zone", help="Whose days are summed; otherwise those of the flow.")
    ] = None,
    days: Annotated[bool, typer.Option("--days", help="What each day comes to as well; --json always has it.")] = False,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Show what is in a file of meter data, channel by channel: count, sum, first, last, gaps, quality, days.

    Of what is stated twice the newest counts. Totals that the file itself states are compared: exit code 1 where one differs.
    """
    from apps.embedded.profiling import UnableToProfile
    from apps.embedded.profiling import profile as read

    chosen = None
    if source is not None:
        from billing.catalog.store import load_catalog

        _, directory = open_settings(data)
        sources = load_catalog(directory.catalog).sources
        if source not in sources:
            raise WrongUsage(f"the catalog defines no source {source}; `octroi sources list` shows them")
        chosen = sources[source]
    if zone is not None:
        try:
            ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise WrongUsage(f"there is no time zone {zone}; write an IANA name such as Europe/Paris") from error
    try:
        told = read(file, chosen, zone)
    except UnableToProfile as error:
        raise WrongUsage(str(error)) from error
    if as_json:
        print_json(told)
    else:
        _show(told, days=days)
    if any(total["agrees"] is False for total in told["totals"]):
        raise typer.Exit(MISMATCH)


def _show(told: dict[str, Any], *, days: bool) -> None:
    print(f"{told['flow']}: {count(len(told['channels']), 'channel')}")
    if told["channels"]:
        print_table("", list(COLUMNS), [[_cell(row, name) for name in COLUMNS] for row in told["channels"]])
    for row in told["channels"]:
        odd = {
            name.replace("_", " "): row[name]
            for name in ("without_value", "replaced", "doubted", "said_twice", "overlaps", "decreased")
            if row.get(name)
        }
        if odd:
            said = ", ".join(f"{number:,} {name}" for name, number in odd.items())
            print(f"{printable(row['point'])} {printable(row['channel'])}: {said}")
    for item in told["unread"]:
        print(f"{count(item['count'], 'record')} of no channel: {printable(item['why'])}")
    if days:
        rows = [
            [printable(row["point"]), printable(row["channel"]), *day.values()]
            for row in told["channels"]
            for day in row.get("days", ())
        ]
        print_table("Days", ["point", "channel", "day", "count", "without_value", "sum"], rows[:DAYS_SHOWN])
        if len(rows) > DAYS_SHOWN:
            print(f"… and {len(rows) - DAYS_SHOWN:,} more; --json prints all")
    for total in told["totals"]:
        agrees = {True: "agrees", False: "DIFFERS", None: "not all of it is in the file"}[total["agrees"]]
        print(f"{printable(total['what'])}: {total['told']}, here {total['found'] or '-'}: {agrees}")


def _cell(row: dict[str, Any], name: str) -> Any:
    value = row.get(name)
    if name == "quality":
        return " ".join(f"{code or '-'}={number}" for code, number in row["quality"].items())
    return "" if value is None else printable(value) if isinstance(value, str) else value
