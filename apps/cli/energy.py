"""`octroi energy`: what a supplier of energy bills, operation by operation."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from apps.cli.deciding import Why, ask
from apps.cli.energy_profile import profile
from apps.cli.failures import PARTIAL, honest, say
from apps.cli.options import AsJson, Data, open_settings
from apps.cli.output import count, print_json, print_table, printable

if TYPE_CHECKING:
    from apps.embedded.layout import DataDirectory
    from apps.embedded.session import RunReport
    from apps.settings import Settings

energy = typer.Typer(
    help="Energy: operations in France (conso, abo, frais), what flows said, and what is in files of any flow.",
    no_args_is_help=True,
)
SHOWN = 100
OWNER_S, LOOK_S = 30.0, 0.25
"""How long the process that owns the directory is given to take what lies in the spool; how often that is looked at."""
Until = Annotated[
    str | None,
    typer.Option(
        "--until",
        metavar="DAY",
        help="Fees as well, as `octroi fees --until` takes them.",
    ),
]
Point = Annotated[str | None, typer.Option("--point", "-p", metavar="PDL", help="Only of this point.")]
Ids = Annotated[list[str], typer.Argument(metavar="ID...", help="Operations, such as op-3-17.", show_default=False)]
READING = (
    "point",
    "source",
    "start",
    "end",
    "at",
    "time_class",
    "value",
    "net",
    "truncated",
    "unit",
    "nature",
    "status",
    "doubt",
)
EVENT = ("point", "source", "at", "kind", "tariff", "power", "situation", "sequence")
LINE = ("point", "source", "invoice", "element", "label", "start", "end", "quantity", "price", "amount")


def _step(data: Path | None, step: str, **more: Any) -> Any:
    return ask({"op": "energy", "step": step, **more}, data)


@energy.command(epilog="Example: octroi energy create --until 2026-09-01")
@honest
def create(until: Until = None, data: Data = None, as_json: AsJson = False) -> None:
    """Take in what lies in the spool, and count the operations that come of it; fees that are due are operations, too.

    Demand is stated over all intervals that came (`demand_to`). Records of sources with `hold` wait.
    Done again, it changes nothing.
    """
    settings, directory = open_settings(data)
    from apps.cli.processing import judge

    taken = _taken_in(directory, settings)
    told = _step(data, "create", until=until)
    rows = [list(row.values()) for row in told["counts"] if row["operations"]]
    if as_json:
        print_json(told)
    else:
        _tell_windows(told)
        if rows:
            print_table("", ["kind", "status", "operations"], rows)
        elif not told["windows"]:
            print("no operations")
    if taken is not None:
        judge(taken, None)
    elif _lies_in(directory):
        say("not all that lies in the spool is counted: the process that owns the directory has not taken it yet")
        raise typer.Exit(PARTIAL)


def _tell_windows(told: dict[str, Any]) -> None:
    if told["windows"]:
        print(f"{count(told['windows'], 'window')} of demand stated")
    if told["windows_again"]:
        again = f"{told['windows_again']:,} of them again, with another demand than before"
        say(f"{again}: `octroi rerate` settles what the largest of their periods costs")


def _taken_in(directory: DataDirectory, settings: Settings) -> RunReport | None:
    """Take in what lies in the spool; None where the process that owns the directory does: it is given time for it."""
    from apps.cli.processing import process_files
    from apps.embedded.lock import DirectoryIsOwned

    end = time.monotonic() + OWNER_S
    while True:
        try:
            return process_files(directory, settings, [], follow=False, quiet=True)
        except DirectoryIsOwned:
            if not _lies_in(directory) or time.monotonic() > end:
                return None
            time.sleep(LOOK_S)


def _lies_in(directory: DataDirectory) -> bool:
    """Return whether the spool has files that nobody has taken."""
    incoming = directory.spool.incoming
    sources = [path.name for path in incoming.iterdir() if path.is_dir()] if incoming.is_dir() else []
    return bool(directory.spool.waiting(sources))


@energy.command(epilog="Example: octroi energy execute --until 2026-09-01")
@honest
def execute(until: Until = None, data: Data = None, as_json: AsJson = False) -> None:
    """Execute the operations that wait: rate their usage, and charge the fees that are due. Done again, it changes nothing."""
    told = _step(data, "execute", until=until)
    if as_json:
        print_json(told)
        return
    _tell_windows(told)
    if told["differences"]:
        print(f"{count(told['differences'], 'difference')} of indexes stated")
    refused = told["unrated"] + told["rejected"] + told["parked"]
    print(f"{count(told['executed'], 'operation')} executed: {count(told['rated'], 'rated item')}, {refused:,} refused")
    if told["fees"]:
        print(
            f"{count(told['fees']['charged'], 'fee')} charged, {count(told['fees']['taken_back'], 'part')} taken back"
        )


@energy.command(epilog="Example: octroi energy traitement --status rejet")
@honest
def traitement(
    status: Annotated[
        str | None, typer.Option(help="à traiter, traité, rejet or abandonné; accents may be left out.")
    ] = None,
    point: Point = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """List operations: what they bill, their status, and why one was refused."""
    told = _step(data, "list", point=point)
    found = [one for one in told["operations"] if status is None or _bare(one["status"]) == _bare(status)]
    if as_json:
        print_json({"operations": found, "left": told["left"]})
        return
    columns = ("id", "point", "kind", "start", "status", "code", "amount", "currency", "retries", "french")
    _show(found, columns)
    if told["left"]:
        say("there are more: say a --point")


def _bare(status: str) -> str:
    return status.lower().replace("à", "a").replace("é", "e").replace("_", " ")


@energy.command(epilog="Example: octroi energy retry op-3-17")
@honest
def retry(ids: Ids, data: Data = None, as_json: AsJson = False) -> None:
    """Try operations again that wait or were refused, under the catalog now in force."""
    told = _step(data, "retry", ids=ids)
    if as_json:
        print_json(told)
    else:
        print(f"{count(told['retried'], 'operation')} tried again: {count(told['rated'], 'rated item')}")


@energy.command(epilog="Example: octroi energy abandon op-3-17 --reason 'billed by hand'")
@honest
def abandon(ids: Ids, reason: Why, data: Data = None, as_json: AsJson = False) -> None:
    """Abandon operations that wait or were refused, with a reason; `octroi rejects reopen` takes it back."""
    told = _step(data, "abandon", ids=ids, reason=reason)
    if as_json:
        print_json(told)
    else:
        print(f"{count(told['abandoned'], 'operation')} abandoned: {printable(reason.strip())}")


@energy.command(epilog="Example: octroi energy errors")
@honest
def errors(as_json: AsJson = False) -> None:
    """List the codes of refused operations, with a sentence each in French and in English."""
    from billing.energy.rules_operations import ERRORS, UNKNOWN_ERROR

    known = {**ERRORS, "any other": UNKNOWN_ERROR}
    rows = [
        {"reason": name, "code": one.code, "french": one.french, "english": one.english} for name, one in known.items()
    ]
    _print(rows, ("code", "reason", "french", "english"), as_json=as_json)


@energy.command(epilog="Example: octroi energy releve --point 09111642617347")
@honest
def releve(point: Point = None, data: Data = None, as_json: AsJson = False) -> None:
    """List readings and energies, as the flows stated them."""
    _print(_step(data, "records", point=point, kinds=["quantities", "readings", "intervals"]), READING, as_json=as_json)


@energy.command(epilog="Example: octroi energy evenements --point 09111642617347")
@honest
def evenements(point: Point = None, data: Data = None, as_json: AsJson = False) -> None:
    """List what happened to contracts and meters."""
    _print(_step(data, "records", point=point, kinds=["events"]), EVENT, as_json=as_json)


@energy.command(epilog="Example: octroi energy frais --point 09111642617347")
@honest
def frais(point: Point = None, data: Data = None, as_json: AsJson = False) -> None:
    """List the lines of the distributor's invoices."""
    _print(_step(data, "records", point=point, kinds=["lines"]), LINE, as_json=as_json)


@energy.command(epilog="Example: octroi energy logs")
@honest
def logs(data: Data = None, as_json: AsJson = False) -> None:
    """List the files and retries of the sources of energy, the latest first, and what became of their records."""
    rows = _step(data, "logs")
    _print(rows, tuple(rows[0]) if rows else (), as_json=as_json)


@energy.command(epilog="Example: octroi energy yearly --at 2026-09-01")
@honest
def yearly(
    at: Annotated[str, typer.Option("--at", metavar="DAY", help="The day of the check.")],
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """List the points that had no real index for more than twelve months: one bill a year must rest on one."""
    _print(_step(data, "yearly", at=at), ("point", "since", "days"), as_json=as_json)


@energy.command(epilog="Example: octroi energy reconcile --from 2026-08-01 --to 2026-09-01")
@honest
def reconcile(
    first: Annotated[str, typer.Option("--from", metavar="DAY", help="The first day.")],
    after: Annotated[str, typer.Option("--to", metavar="DAY", help="The day after the last one.")],
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Compare the distributor's invoices with what was billed, by point, component and day; list what differs, and why."""
    columns = ("point", "component", "first", "after", "distributor", "ours", "difference", "why")
    _print(_step(data, "reconcile", **{"from": first, "to": after}), columns, as_json=as_json)


@energy.command(epilog="Example: octroi energy pod 09111642617347")
@honest
def pod(
    point: Annotated[str, typer.Argument(metavar="PDL", help="The point.", show_default=False)],
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Tell the whole story of a point: whose it was, what flows said, and what was billed."""
    told = _step(data, "point", point=point)
    if as_json:
        print_json(told)
        return
    _show(told["subscriptions"], ("subscription", "account", "offer"), "Subscriptions")
    _show(told["events"], EVENT, "Événements")
    _show(told["readings"], READING, "Relève")
    _show(told["fees"], LINE, "Frais")
    _show(told["operations"], ("id", "kind", "start", "status", "code", "amount", "currency", "french"), "Traitement")


def _print(rows: list[dict[str, Any]], columns: tuple[str, ...], *, as_json: bool) -> None:
    if as_json:
        print_json(rows)
    else:
        _show(rows, columns)


def _show(rows: list[dict[str, Any]], columns: tuple[str, ...], title: str = "") -> None:
    shown = [name for name in columns if any(row.get(name) not in (None, "") for row in rows)]
    if rows:
        print_table(title, shown, [[printable(str(row.get(name, ""))) for name in shown] for row in rows[:SHOWN]])
    else:
        print(f"{title}: none" if title else "none")
    if len(rows) > SHOWN:
        print(f"… and {len(rows) - SHOWN:,} more; --json prints all")


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    energy.command(epilog="Example: octroi energy profile nem12.csv --days")(profile)
    app.add_typer(energy, name="energy")
