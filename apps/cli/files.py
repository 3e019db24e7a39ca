"""`octroi files`: what was taken, what became of it, and taking a file out again."""

from __future__ import annotations

import csv
import sys
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from apps.cli.deciding import ask
from apps.cli.failures import PARTIAL, WrongUsage, honest, say
from apps.cli.options import AsJson, Data, open_settings, require_catalog
from apps.cli.output import count, decimal_text, print_json, print_result, print_table, printable, rows_of

if TYPE_CHECKING:
    from apps.embedded.layout import DataDirectory
    from schemas.source_base import SourceBase

files = typer.Typer(help="Usage files that were taken.", no_args_is_help=True)

STATUSES = ("done", "quarantined", "backed_out", "all")
ACCOUNTS_SHOWN = 20
_LISTED = "claim, source, name, status, bytes, received, accepted, duplicate, superseded, rejected, parked, rated, hour"
FileOrClaim = Annotated[str, typer.Argument(metavar="FILE_OR_CLAIM", help="A file's name, or the number of its claim.")]


@files.command("list", epilog="Example: octroi files list --source calls")
@honest
def show_list(
    source: Annotated[str | None, typer.Option("--source", help="Files of this source.")] = None,
    status: Annotated[str, typer.Option(help=f"{', '.join(STATUSES[:-1])} or {STATUSES[-1]}.")] = "all",
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="Most rows: the latest ones.")] = 50,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """List files with what became of their records; counts are without retries."""
    status = status.lower()
    if status not in STATUSES:
        raise WrongUsage(f"--status takes {', '.join(STATUSES[:-1])} or {STATUSES[-1]}")
    terms = {"source": source, "status": None if status == "all" else status}
    parameters = {name: value for name, value in terms.items() if value is not None}
    condition = " AND ".join(f"{name} = {{{name}:String}}" for name in parameters) or "1"
    settings, directory = open_settings(data)
    from apps.embedded.access import reach

    with reach(directory, settings, say) as access:
        columns = "*" if as_json else _LISTED
        found = access.query(
            f"SELECT * FROM (SELECT {columns} FROM file WHERE {condition} ORDER BY claim DESC LIMIT {limit}) ORDER BY claim",
            parameters,
        )
        total: int = access.query(f"SELECT count() AS n FROM file WHERE {condition}", parameters).to_pylist()[0]["n"]
    shown = f"; the latest {limit:,} (--limit shows more)" if total > limit else ""
    print_result(found, as_json=as_json, title=f"{count(total, 'file')}{shown}", empty="nothing to show")


@files.command(epilog="Example: octroi files show 3")
@honest
def show(file: FileOrClaim, data: Data = None, as_json: AsJson = False) -> None:
    """Show all that is known of a file: hash, size, counts, reasons of what was refused."""
    settings, directory = open_settings(data)
    from apps.embedded.access import reach

    term = "claim = {wanted:UInt32}" if file.isdecimal() else "name = {wanted:String}"
    with reach(directory, settings, say) as access:
        wanted: dict[str, Any] = {"wanted": int(file) if file.isdecimal() else file}
        rows = rows_of(access.query(f"SELECT * FROM file WHERE {term} ORDER BY claim", wanted))
        for row in rows:
            reasons = access.query(
                "SELECT stage, reason, status, count() AS rejections FROM rejection WHERE claim = {claim:UInt32} "
                "GROUP BY stage, reason, status ORDER BY rejections DESC, reason, status",
                {"claim": row["claim"]},
            )
            row["rejections"] = rows_of(reasons)
    if not rows:
        raise WrongUsage(f"no file {file}; `octroi files list` shows them")
    if as_json:
        print_json(rows)
        return
    for row in rows:
        refused = row.pop("rejections")
        print(f"file {row['claim']}: {printable(row['name'])}")
        for name, value in row.items():
            if value not in ("", 0):
                print(f"  {name:16} {printable(f'{value:,}' if isinstance(value, int) else str(value))}")
        if refused:
            print_table("Refused", list(refused[0]), [list(item.values()) for item in refused])


@files.command("back-out", epilog="Example: octroi files back-out monday.csv --preview")
@honest
def back_out(
    file: FileOrClaim,
    reason: Annotated[str, typer.Option("--reason", help="Why; kept with what is taken back.")] = "",
    preview: Annotated[bool, typer.Option("--preview", help="Say what it would do, and do nothing.")] = False,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Take a file out: what its records cost goes back, and they can be sent again.

    Every rated item is taken back by another one, so that sums over both are zero; nothing is deleted. Refused where something
    of the file is billed, where it holds cumulative readings, and where it was backed out already.
    """
    if not preview and not reason.strip():
        raise WrongUsage("say why with --reason, or look first with --preview")
    result = ask({"op": "back_out", "file": file, "reason": reason, "preview": preview}, data)
    if as_json:
        print_json(result)
    else:
        _print(result, preview=preview)
    if result["refusals"]:
        raise typer.Exit(PARTIAL)


@files.command(epilog="Example: octroi files abandon 7 --reason 'its plug-in needs more memory than there is'")
@honest
def abandon(
    file: FileOrClaim,
    reason: Annotated[str, typer.Option("--reason", help="Why; shown with the file.")],
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Leave out the rest of a file that ends octroi wherever it is read, so that what came after it is taken.

    What was stored of it counts. It stays in the archive; the next run goes on behind it.
    """
    if not reason.strip():
        raise WrongUsage("say why with --reason")
    _, directory = open_settings(data)
    from apps.clock import now_us
    from apps.embedded.abandon import abandon as write_down
    from apps.embedded.access import take_over

    if not directory.journal.exists():
        raise WrongUsage(f"{directory.root} holds no octroi data")
    with take_over(directory):
        result = write_down(directory, file, reason.strip(), now_us())
    if as_json:
        print_json(result)
        return
    counted = f" from block {result['block']} on" if result["block"] else ""
    print(f"{printable(result['name'])} (claim {result['claim']}) is abandoned{counted}; run octroi again")
    if result["reopened"]:
        print(f"{count(result['reopened'], 'rejection')} that it would have corrected: open again")


@files.command(epilog="Example: octroi files gaps --source r151")
@honest
def gaps(
    source: Annotated[str | None, typer.Option("--source", "-s", help="Only of this source.")] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV instead of a table.")] = False,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """List files that did not come, and those that came twice, by what their names count: see `file_names` of a source."""
    settings, directory = open_settings(data)
    require_catalog(directory)
    from apps.embedded.access import reach
    from apps.embedded.file_gaps import COLUMNS, gaps_of

    chosen = _chosen(directory, source)
    with reach(directory, settings, say) as access:
        unusable = rows_of(access.query("SELECT claim FROM file WHERE status != 'done'"))
    found = list(gaps_of(directory.journal, chosen, {row["claim"] for row in unusable}))
    if as_json:
        print_json(found)
    elif as_csv:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows([printable(str(value)) for value in _cells(row)] for row in found)
    elif found:
        print_table(count(len(found), "finding"), list(COLUMNS), [_cells(row) for row in found])
    else:
        counted = sum(known.file_names is not None for known in chosen.values())
        print(f"nothing is missing of {count(counted, 'source')} whose file names are counted")


@files.command(epilog="Example: octroi files warnings --source enedis_r15")
@honest
def warnings(
    file: Annotated[
        str | None,
        typer.Argument(metavar="[FILE_OR_CLAIM]", help="Only this one: its name or its claim."),
    ] = None,
    source: Annotated[str | None, typer.Option("--source", "-s", help="Only of this source.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="Most warnings of each file.")] = 100,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """List what is odd about files of meters and refuses nothing: how they are made, sums that do not fit."""
    _, directory = open_settings(data)
    require_catalog(directory)
    from apps.embedded.file_warnings import COLUMNS, warnings_of

    chosen = _chosen(directory, source)
    archive = directory.spool.archive
    found = list(warnings_of(directory.journal, archive, chosen, file=file, limit=limit))
    if as_json:
        print_json(found)
    elif found:
        print_table(
            count(len(found), "warning"),
            list(COLUMNS),
            [[printable(str(value)) for value in row.values()] for row in found],
        )
    else:
        print("nothing is odd")


@files.command(
    epilog="Example: octroi files fill curve.xml --method index_difference --indexes r151.xml --output filled.json"
)
@honest
def fill(
    curve: Annotated[Path, typer.Argument(metavar="CURVE", help="A load curve of Enedis, as any source of it reads.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Where to write what is estimated.")],
    method: Annotated[str, typer.Option(help="index_difference or previous_period.")] = "index_difference",
    indexes: Annotated[
        Path | None, typer.Option("--indexes", help="Indexes of the same points, for index_difference.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Estimate the steps that a load curve lacks, by a named method, into a file that can be dropped where curves are.

    What is estimated has the nature E, and the lowest version: what is measured takes its place, whenever it comes.
    """
    from apps.embedded.estimating import UnableToEstimate, estimate
    from pipelines.mediation.enedis.estimates import METHODS

    if method not in METHODS:
        raise WrongUsage(f"--method takes {' or '.join(METHODS)}")
    if (method == "index_difference") != (indexes is not None):
        raise WrongUsage("--indexes goes with index_difference, which needs it")
    try:
        result = estimate(curve, indexes, method, output)
    except UnableToEstimate as error:
        raise WrongUsage(str(error)) from error
    if as_json:
        print_json(result)
        return
    print(f"{count(result['estimated'], 'step')} estimated, {count(len(result['left']), 'day')} left")
    if result["left"]:
        print_table(
            "Left", ["point", "day", "why"], [[printable(text) for text in row.values()] for row in result["left"]]
        )


def _chosen(directory: DataDirectory, source: str | None) -> dict[str, SourceBase]:
    """Return the sources that are meant: one, or all that the catalog defines."""
    from billing.catalog.store import load_catalog

    sources = load_catalog(directory.catalog).sources
    if source is not None and source not in sources:
        raise WrongUsage(f"the catalog defines no source {source}; `octroi sources list` shows them")
    return {code: known for code, known in sources.items() if source in (None, code)}


def _cells(row: dict[str, Any]) -> list[Any]:
    values = {**row, "claims": " ".join(map(str, row["claims"]))}
    return ["" if value is None else value for value in values.values()]


def _print(result: dict[str, Any], *, preview: bool) -> None:
    head = "Preview: nothing is done yet" if preview else f"Backed out by entry {result['entry']}"
    print(f"{head}: {printable(result['name'])} (claim {result['claim']}, source {result['source']})")
    told = [f"{number:,} {name}" for name, number in result["records"].items() if number]
    print(f"records: {', '.join(told) or 'none'}")
    print(
        f"EDRs: {result['rated']:,} rated, {result['unrated']:,} unrated; {count(result['rejections'], 'open rejection')}"
    )
    if result["reopened"]:
        print(f"{count(result['reopened'], 'rejection')} that it corrected: open again")
    if result["amounts"]:
        rows = [
            [row["charge"], row["items"], Decimal(row["amount"]), row["currency"], row["charge_version"]]
            for row in result["amounts"]
        ]
        print_table("Amounts taken back", ["charge", "items", "amount", "currency", "charge_version"], rows)
        for currency in sorted({row["currency"] for row in result["amounts"]}):
            total = sum(Decimal(row["amount"]) for row in result["amounts"] if row["currency"] == currency)
            print(f"in all {decimal_text(Decimal(total))} {currency}")
    accounts = result["accounts"]
    more = f", … {len(accounts) - ACCOUNTS_SHOWN:,} more" if len(accounts) > ACCOUNTS_SHOWN else ""
    print(f"{count(len(accounts), 'account')}: {printable(', '.join(accounts[:ACCOUNTS_SHOWN]))}{more}")
    if result["counters_left"]:
        print(
            f"{count(result['counters_left'], 'item')} counted in a period that is no longer kept: that counter stays"
        )
    if result["sessions"]:
        print(
            f"{count(result['sessions'], 'session')} with parts from it and from other files: open again, without its parts"
        )
    if result["later_items"]:
        print(
            f"{count(result['later_items'], 'item')} priced later on counters that included it: they keep their price"
        )
    for refusal in result["refusals"]:
        print(f"refused: {refusal}")


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(files, name="files")
