"""`octroi run` and `octroi ingest`: usage in, rated items out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from apps.cli.failures import PARTIAL, WrongUsage, honest, say
from apps.cli.options import AsJson, Data, data_directory, read_settings
from apps.cli.output import print_json, print_table
from apps.cli.progress import records_bar

if TYPE_CHECKING:
    from apps.embedded.layout import DataDirectory
    from apps.embedded.session import RunReport
    from apps.settings import Settings

Files = Annotated[list[Path] | None, typer.Argument(metavar="[FILE]…", help="Files to process beside the spool.")]
RejectsMax = Annotated[
    float | None,
    typer.Option("--rejects-max", min=0, max=100, metavar="PERCENT", help="Exit with 5 when more records are refused."),
]
FILES_SHOWN = 40


@honest
def run(
    data_dir: Annotated[Path, typer.Argument(metavar="DATA_DIR", help="Data directory: catalog/, spool/SOURCE/ …")],
    files: Files = None,
    source: Annotated[str | None, typer.Option("--source", "-s", help="Source of the named files.")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Keep watching the spool.")] = False,
    rejects_max: RejectsMax = None,
    as_json: AsJson = False,
) -> None:
    """Process everything in the spool, and the named files, into rated items; then end, or follow.

    Nothing is lost or doubled when it is killed: run it again. Meanwhile `octroi query` and `octroi rejects` answer.
    """
    if files and source is None:
        raise WrongUsage("named files need --source NAME")
    settings = read_settings(data_dir)
    report = process_files(
        data_directory(settings), settings, [(source or "", path) for path in files or []], follow=follow, quiet=as_json
    )
    show_report(report, as_json=as_json)
    _judge(report, rejects_max)


@honest
def ingest(
    files: Annotated[list[Path], typer.Argument(metavar="FILE…", help="Usage files.")],
    source: Annotated[str, typer.Option("--source", "-s", help="Source that the catalog defines.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Decode, attribute and rate, but keep nothing.")] = False,
    rejects_max: RejectsMax = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Take usage files in: process them, or hand them to the process that owns the data directory."""
    from apps.embedded.lock import DirectoryIsOwned
    from apps.embedded.rehearse import rehearse

    settings = read_settings(data)
    directory = data_directory(settings)
    if dry_run:
        report = rehearse(directory, settings, [(source, path) for path in files], say=say)
        show_report(report, as_json=as_json, heading="dry run, nothing was kept")
        _judge(report, rejects_max)
        return
    try:
        report = process_files(directory, settings, [(source, path) for path in files], follow=False, quiet=as_json)
    except DirectoryIsOwned:
        _hand_over(directory, source, files)
        return
    show_report(report, as_json=as_json)
    _judge(report, rejects_max)


def process_files(
    directory: DataDirectory, settings: Settings, files: list[tuple[str, Path]], *, follow: bool, quiet: bool
) -> RunReport:
    """Run one session with a progress bar."""
    from apps.jit import prepare_cache

    prepare_cache()
    from apps.embedded.session import run_session, stopping

    with records_bar("rating", quiet=quiet) as progress, stopping() as stop:
        return run_session(directory, settings, files, follow=follow, stop=stop, say=say, progress=progress)


def _hand_over(directory: DataDirectory, source: str, files: list[Path]) -> None:
    from pipelines.spool.files import copy_durably

    incoming = directory.spool.incoming / source
    if not incoming.is_dir():
        raise WrongUsage(f"the running catalog defines no source {source!r}")
    for path in files:
        with path.open("rb") as handle:
            copy_durably(handle, _free_name(incoming, path.name))
        say(f"{path.name} was handed to the process that owns {directory.root}")


def _free_name(directory: Path, name: str) -> Path:
    target = directory / name
    number = 1
    while target.exists():
        number += 1
        target = directory / f"{number}-{name}"
    return target


def show_report(report: RunReport, *, as_json: bool, heading: str = "") -> None:
    """Print what a run did."""
    if as_json:
        print_json(report.as_dict())
        return
    figures = report.as_dict()
    columns = ["received", "accepted", "absorbed", "duplicate", "filtered", "rejected", "parked", "rated", "unrated"]
    files = figures["files"]
    rows = [[item["claim"], item["source"], item["name"], *(item[c] for c in columns), _remark(item)] for item in files]
    if rows:
        print_table(heading, ["claim", "source", "file", *columns, ""], rows[:FILES_SHOWN])
        if len(rows) > FILES_SHOWN:
            print(f"… {len(rows) - FILES_SHOWN:,} more files; `octroi balance` shows all")
    totals = figures["totals"]
    money = ", ".join(f"{amount} {code}" for code, amount in figures["amounts"].items()) or "nothing"
    seconds = figures["seconds"]["process"]
    rate = f", {totals['received'] / seconds:,.0f} records/s" if totals["received"] and seconds > 0 else ""
    print(f"{totals['received']:,} records, {totals['rated']:,} rated items, {money}; {seconds:.2f} s{rate}")


def _remark(item: dict[str, object]) -> str:
    if item["quarantined"]:
        return f"quarantined: {item['quarantined']['code']}"  # type: ignore[index]
    return f"same bytes as claim {item['duplicate_of']}" if item["duplicate_of"] else ""


def _judge(report: RunReport, rejects_max: float | None) -> None:
    refused = report.total("rejected") + report.total("parked") + report.total("unrated")
    received = report.total("received")
    share = 100 * refused / received if received else 0.0
    too_many = rejects_max is not None and share > rejects_max
    if too_many:
        say(f"{share:.2f} % of the records were refused, more than {rejects_max} %")
    if too_many or report.quarantined or report.failures:
        raise typer.Exit(PARTIAL)


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(epilog="Example: octroi run ./data --follow")(run)
    app.command(epilog="Example: octroi ingest calls.csv --source telephony --dry-run")(ingest)
