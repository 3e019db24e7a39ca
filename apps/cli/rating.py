"""`octroi rate`: what usage would cost under a catalog, leaving no trace."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from io import BufferedReader
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from apps.cli.failures import PARTIAL, WrongUsage, honest, say
from apps.cli.options import read_settings, say_when_cold
from apps.cli.processing import RejectsMax

if TYPE_CHECKING:
    from apps.embedded.virtual_usage import UsageReader

OUTPUTS = ("table", "csv", "json")
STDIN = "-"


@honest
def rate(
    usage: Annotated[
        str, typer.Option("--usage", "-u", metavar="FILE", help="CSV with a header, or JSON; - is standard input.")
    ],
    catalog: Annotated[
        Path | None,
        typer.Option("--catalog", "-c", metavar="DIR", help="Catalog (default: that of the data directory)."),
    ] = None,
    drafts: Annotated[bool, typer.Option("--drafts", help="Price as if draft versions were published.")] = False,
    out: Annotated[str, typer.Option("--out", "-o", metavar="FORM", help=f"{', '.join(OUTPUTS)}.")] = "table",
    at: Annotated[
        str | None, typer.Option("--at", metavar="INSTANT", help="Rate all usage as if it started then.")
    ] = None,
    counters: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="CSV: subscription, counter, period, used. Others begin at zero."),
    ] = None,
    detail: Annotated[
        bool | None,
        typer.Option(
            "--detail/--no-detail",
            help="Tell of each item what every tier and time band costs, as the twin says it: by default in tables only.",
            show_default=False,
        ),
    ] = None,
    check: Annotated[
        bool,
        typer.Option("--check", help="Price everything with the decimal twin as well; exit with 1 on a difference."),
    ] = False,
    zone: Annotated[str | None, typer.Option(help="Zone of timestamps without one, such as Europe/Paris.")] = None,
    delimiter: Annotated[str, typer.Option(help="What lies between columns.")] = ",",
    limit: Annotated[int, typer.Option(min=0, max=1_000_000, help="Most items and refusals that a table shows.")] = 100,
    virtual: Annotated[
        bool, typer.Option("--virtual", help="Leave no trace, as this command always does.", show_default=False)
    ] = True,
    rejects_max: RejectsMax = None,
) -> None:
    """Rate usage from a CSV or JSON file by a catalog, without a data directory and without a trace.

    JSON is an array of objects, or an object a line; attributes and values may be objects of their own.
    Columns: timestamp, access_point or subscription, quantity, and where wanted unit, event_type, and attributes and values
    of the event types by name. Counters and wallets move during the run, in the order of events.
    """
    out = out.lower()
    if out not in OUTPUTS:
        raise WrongUsage(f"--out takes {', '.join(OUTPUTS[:-1])} or {OUTPUTS[-1]}")
    if len(delimiter) != 1:
        raise WrongUsage("--delimiter takes one character")
    del virtual
    from apps.jit import prepare_cache

    prepare_cache()
    from apps.cli.output import count
    from apps.cli.rating_output import OUTPUT
    from apps.embedded.virtual import VirtualRating
    from apps.embedded.virtual_counters import read_counters
    from apps.embedded.virtual_json import as_delimited, is_json
    from billing.catalog.store import load_catalog

    start = None if at is None else _instant(at)
    say_when_cold(quiet=out == "json")
    loaded = load_catalog(catalog if catalog is not None else read_settings(None).data_dir / "catalog", drafts=drafts)
    starts = () if counters is None else read_counters(counters.read_bytes())
    rating = VirtualRating(loaded, counters=starts, check=check)
    with _opened(usage) as given:
        stream = as_delimited(given, delimiter=delimiter) if is_json(given.peek(1)) else given
        reader = rating.reader(stream, at=start, zone=zone, delimiter=delimiter)
        _tell_ignored(reader)
        OUTPUT[out](rating, reader, detail=out == "table" if detail is None else detail, limit=limit)
    if rating.taxes is not None and rating.taxes.untaxed:
        untaxed = count(rating.taxes.untaxed, "item")
        say(f"{untaxed} without a tax (NO_TAX): nothing says which is due, so that totals are open")
    _judge(rating.records, rating.refused, rejects_max)


@contextmanager
def _opened(usage: str) -> Iterator[BufferedReader]:
    if usage == STDIN:
        yield BufferedReader(sys.stdin.buffer)  # type: ignore[arg-type]
        return
    with Path(usage).open("rb") as stream:
        yield stream


def _instant(text: str) -> str:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = datetime.min  # noqa: DTZ901 - refused below, having no zone
    if moment.tzinfo is None:
        raise WrongUsage(f"--at takes an instant with its zone, such as 2026-10-05T09:00:00Z, not {text!r}")
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"


def _tell_ignored(reader: UsageReader) -> None:
    if reader.ignored:
        say(f"nothing in the catalog reads {', '.join(map(repr, reader.ignored))}: left out")


def _judge(records: int, refused: int, rejects_max: float | None) -> None:
    if rejects_max is not None and records and 100 * refused > rejects_max * records:
        say(f"{100 * refused / records:.2f} % of the records were refused, more than {rejects_max:g} %")
        raise typer.Exit(PARTIAL)


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog="Example: octroi rate --catalog tariff --usage usage.csv")(rate)
