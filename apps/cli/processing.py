"""`octroi run` and `octroi ingest`: usage in, rated items out."""

from __future__ import annotations

import signal
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from apps.cli.failures import INTERRUPTED, PARTIAL, WrongUsage, honest, say
from apps.cli.options import AsJson, Data, open_settings, require_catalog, say_when_cold
from apps.cli.output import count, decimal_text, print_json, print_table
from apps.cli.progress import records_bar

if TYPE_CHECKING:
    from apps.embedded.layout import DataDirectory
    from apps.embedded.session import RunReport
    from apps.settings import Settings

RejectsMax = Annotated[
    float | None,
    typer.Option("--rejects-max", min=0, max=100, metavar="PERCENT", help="Exit with 5 when more records are refused."),
]
FILES_SHOWN = 40


@honest
def run(
    data_dir: Annotated[Path, typer.Argument(metavar="DATA_DIR", help="Data directory: catalog/, spool/SOURCE/ …")],
    files: Annotated[
        list[Path] | None, typer.Argument(metavar="FILE", help="Files to process before the spool.")
    ] = None,
    source: Annotated[str | None, typer.Option("--source", "-s", help="Source of the named files.")] = None,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Keep watching the spool until Ctrl-C or SIGTERM.")
    ] = False,
    rejects_max: RejectsMax = None,
    as_json: AsJson = False,
) -> None:
    """Process the named files and everything in the spool into rated items; then end, or follow.

    Nothing is lost or doubled when it is killed: run it again. Meanwhile `octroi query` and `octroi rejects` answer.
    """
    if files and source is None:
        raise WrongUsage("named files need --source NAME")
    if source is not None and not files:
        raise WrongUsage(
            "--source is for named files, and none is named; files in the spool have their directory's source"
        )
    settings, directory = open_settings(data_dir)
    report = process_files(
        directory, settings, [(source or "", path) for path in files or []], follow=follow, quiet=as_json
    )
    show_report(report, as_json=as_json)
    judge(report, rejects_max)


@honest
def ingest(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Usage files.", show_default=False)],
    source: Annotated[str, typer.Option("--source", "-s", help="Source that the catalog defines.")],
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Decode, attribute and rate on the latest snapshot's state, but keep nothing."),
    ] = False,
    rejects_max: RejectsMax = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Take usage files in: process them, or hand them to the process that owns the data directory."""
    settings, directory = open_settings(data)
    from apps.embedded.lock import DirectoryIsOwned

    if dry_run:
        from apps.embedded.rehearse import rehearse

        require_catalog(directory)
        say_when_cold(quiet=as_json)
        report = rehearse(directory, settings, [(source, path) for path in files], say=say)
        show_report(report, as_json=as_json, heading="Dry run: nothing was kept")
        judge(report, rejects_max)
        return
    try:
        report = process_files(directory, settings, [(source, path) for path in files], follow=False, quiet=as_json)
    except DirectoryIsOwned:
        _hand_over(directory, source, files, as_json=as_json)
        return
    show_report(report, as_json=as_json)
    judge(report, rejects_max)


def process_files(
    directory: DataDirectory, settings: Settings, files: list[tuple[str, Path]], *, follow: bool, quiet: bool
) -> RunReport:
    """Run one session with a progress bar.

    Raises:
        NoCatalog: when the data directory has none; nothing was created.
    """
    from apps.embedded.session import run_session
    from apps.embedded.stopping import stopping

    require_catalog(directory)
    say_when_cold(quiet=quiet)
    with records_bar("rating", quiet=quiet) as progress, stopping() as stop:
        report = run_session(directory, settings, files, follow=follow, stop=stop, say=say, progress=progress)
    # SIGTERM is how a service manager ends a run that follows: that is its orderly end
    report.interrupted = stop.by == signal.SIGINT or (stop.by != 0 and not follow)
    return report


def _hand_over(directory: DataDirectory, source: str, files: list[Path], *, as_json: bool) -> None:
    from apps.embedded.handover import hand_over

    handed, failures = hand_over(directory, source, files)
    for failure in failures:
        say(failure)
    if as_json:
        print_json({"handed_over": handed, "failures": failures})
    else:
        for name in handed:
            print(f"{name} is in spool/{source}: the process that owns {directory.root} takes it, or else the next run")
    if failures:
        raise typer.Exit(PARTIAL)


def show_report(report: RunReport, *, as_json: bool, heading: str = "") -> None:
    """Print what a run did."""
    figures = report.as_dict()
    if as_json:
        print_json(figures)
        return
    columns = ["received", "accepted", "absorbed", "duplicate", "filtered", "rejected", "parked", "rated", "unrated"]
    files = figures["files"]
    rows = [[item["claim"], item["source"], item["name"], *(item[c] for c in columns), _remark(item)] for item in files]
    if rows:
        print_table(heading, ["claim", "source", "file", *columns, ""], rows[-FILES_SHOWN:])
        if len(rows) > FILES_SHOWN:
            print(f"… and {count(len(rows) - FILES_SHOWN, 'file')} before; `octroi balance` shows all")
    totals = figures["totals"]
    money = ", ".join(f"{decimal_text(Decimal(amount))} {code}" for code, amount in figures["amounts"].items())
    seconds = figures["seconds"]["replay"] + figures["seconds"]["process"]
    rate = f", {totals['received'] / seconds:,.0f} records/s" if totals["received"] and seconds > 0 else ""
    told = [count(totals["received"], "record"), count(totals["rated"], "rated item"), *([money] if money else [])]
    print(f"{', '.join(told)}; {seconds:.2f} s{rate}")
    refused = report.refused
    if refused and not heading:
        print(f"{refused:,} refused: `octroi rejects list` says why")


def _remark(item: dict[str, Any]) -> str:
    if item["quarantined"]:
        return f"quarantined: {item['quarantined']['code']}"
    if not item["received"]:
        return "no record in it"
    return f"same bytes as claim {item['duplicate_of']}" if item["duplicate_of"] else ""


def judge(report: RunReport, rejects_max: float | None) -> None:
    """End the command as a run ends that was interrupted, could not take all of its files, or refused too much."""
    if report.interrupted:
        say(
            "interrupted: what was taken is finished; run again for the rest of the spool, name files again not listed above"
        )
        raise typer.Exit(INTERRUPTED)
    refused = report.refused
    received = report.total("received")
    share = 100 * refused / received if received else 0.0
    too_many = rejects_max is not None and share > rejects_max
    if too_many:
        say(f"{share:.2f} % of the records were refused, more than {rejects_max:g} %")
    if too_many or report.quarantined or report.failures:
        raise typer.Exit(PARTIAL)


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(epilog="Example: octroi run ./data --follow")(run)
    app.command(epilog="Example: octroi ingest calls.csv --source telephony --dry-run")(ingest)
