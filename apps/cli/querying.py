"""`octroi query` and `octroi balance`: reading the store, through its owner when one runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from apps.cli.failures import MISMATCH, WrongUsage, honest, say
from apps.cli.options import AsJson, Data, open_settings
from apps.cli.output import count, print_json, print_result, print_table, rows_of

SHEETS = ("file", "hour", "tenant", "source")
_RECORD = (
    "received",
    "accepted",
    "absorbed",
    "duplicate",
    "superseded",
    "filtered",
    "rejected",
    "parked",
    "difference",
)
_QUARANTINED = """
SELECT claim, s.code AS source, name AS file, code, message FROM fact_claim AS c
LEFT JOIN dim_source AS s ON toInt64(s.id) = c.source WHERE c.status = 'quarantined' ORDER BY claim
"""
_FINISHED = "SELECT uniqExact(claim) AS n FROM fact_claim"
_EDR = ("edrs", "rated", "unrated", "cancelled", "difference")


@honest
def query(
    sql: Annotated[
        str,
        typer.Argument(
            metavar="SQL", help="One reading statement over the views, in ClickHouse SQL.", show_default=False
        ),
    ] = "",
    name: Annotated[str, typer.Option(metavar="NAME", help="A query that has a name, in the place of SQL.")] = "",
    parameters: Annotated[
        list[str] | None, typer.Option("--param", metavar="NAME=VALUE", help="A parameter of it; may be repeated.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="Rows of its answer, at most 100,000.")] = 10_000,
    names: Annotated[bool, typer.Option("--names", help="List the queries that have a name.")] = False,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Query rated usage.

    Views: rated_item, edr, wallet_operation, rejection, record_sheet, edr_sheet, account_balance, usage_by_day, revenue,
    revenue_stream, load_curve, rejection_funnel, rejection_pareto, wallet_history, lineage, file, access_transfer;
    `SELECT name, comment FROM system.columns WHERE table = 'rated_item'` says what the columns mean.
    """
    if names:
        show_names(as_json=as_json)
        return
    if bool(sql) == bool(name):
        raise WrongUsage("say what to ask: SQL, or --name; --names lists the queries that have one")
    settings, directory = open_settings(data)
    from apps.embedded.access import reach

    asked = ask(sql, name, parameters, tenant=settings.tenant, limit=limit)
    if name:
        directory.check_tenant(settings.tenant)
    with reach(directory, settings, say) as access:
        found = access.query(*asked)
    if name and found.num_rows > limit:
        found = found.slice(0, limit)
        say(f"there are more than {limit:,} rows; --limit asks for more, `octroi export` for all")
    print_result(found, as_json=as_json)


def ask(
    sql: str, name: str, parameters: list[str] | None, *, tenant: str, limit: int | None
) -> tuple[str, dict[str, Any]]:
    """Return a statement and its parameters: SQL as it is, or a query that has a name.

    Raises:
        WrongUsage: when a parameter is none. UnableToName: when a name or a parameter is not known.
    """
    if not name:
        if parameters:
            raise WrongUsage("--param is for queries that have a name")
        return sql, {}
    from sinks.clickhouse.named import bound

    given = dict[str, str]()
    for each in parameters or []:
        key, sign, value = each.partition("=")
        if not sign:
            raise WrongUsage(f"--param takes NAME=VALUE, not {each!r}")
        given[key] = value
    return bound(name, given, tenant=tenant, limit=limit)


def show_names(*, as_json: bool) -> None:
    """Print the queries that have a name, with what they are asked with."""
    from sinks.clickhouse.named import NAMED

    if as_json:
        print_json([each.as_dict() for each in NAMED.values()])
        return
    rows = [
        [
            each.name,
            " ".join(one.name if one.default is None else f"[{one.name}]" for one in each.parameters),
            each.meaning,
        ]
        for each in NAMED.values()
    ]
    print_table("Queries that have a name", ["name", "parameters", "meaning"], rows)


@honest
def export(
    sql: Annotated[
        str,
        typer.Argument(
            metavar="SQL", help="One reading statement over the views, in ClickHouse SQL.", show_default=False
        ),
    ] = "",
    to: Annotated[Path, typer.Option("--to", metavar="FILE", help="Where: .parquet, .arrow, .csv or .xlsx.")] = Path(
        "export.parquet"
    ),
    name: Annotated[str, typer.Option(metavar="NAME", help="A query that has a name, in the place of SQL.")] = "",
    parameters: Annotated[
        list[str] | None, typer.Option("--param", metavar="NAME=VALUE", help="A parameter of it; may be repeated.")
    ] = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Write the result of a query, of any size, to a file, and its SHA-256 to FILE.sha256, as `sha256sum -c` reads it."""
    form = to.suffix.lstrip(".").lower()
    from apps.exporting import FORMS, export_batches

    if form not in FORMS:
        raise WrongUsage(f"the name of the file ends in .{', .'.join(FORMS)}, not {to.name!r}")
    if bool(sql) == bool(name):
        raise WrongUsage("say what to write: SQL, or --name; `octroi query --names` lists the queries that have one")
    settings, directory = open_settings(data)
    from apps.cli.progress import records_bar
    from apps.embedded.access import reach

    asked = ask(sql, name, parameters, tenant=settings.tenant, limit=None)
    if name:
        directory.check_tenant(settings.tenant)
    with (
        reach(directory, settings, say) as access,
        access.scan(*asked) as batches,
        records_bar("exporting", quiet=as_json, noun="rows") as progress,
    ):
        done = export_batches(batches, to, form, progress)
    if as_json:
        print_json(done.as_dict())
    else:
        print(f"{count(done.rows, 'row')}, {count(done.bytes, 'byte')} in {done.path}")
        print(f"SHA-256 {done.sha256}")


@honest
def balance(
    by: Annotated[
        str, typer.Option(metavar="KEY", help=f"One row per {', '.join(SHEETS[:-1])} or {SHEETS[-1]}.")
    ] = "file",
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Show both balance sheets, recounted from the facts; exit with 1 when something does not balance."""
    if by not in SHEETS:
        raise WrongUsage(f"--by takes {', '.join(SHEETS)}")
    settings, directory = open_settings(data)
    from apps.embedded.access import reach
    from pipelines.spool.journal import count_entries

    with reach(directory, settings, say) as access:
        records = access.query(_sheet("record_sheet", by, _RECORD))
        edrs = access.query(_sheet("edr_sheet", by, _EDR))
        quarantined = access.query(_QUARANTINED)
        finished: int = access.query(_FINISHED).to_pylist()[0]["n"]
        unfinished = max(0, count_entries(directory.journal) - finished)
        differences: list[dict[str, Any]] = access.command({"op": "balance"})
    closes = not differences and not any(row["difference"] for sheet in (records, edrs) for row in sheet.to_pylist())
    if as_json:
        print_json(
            {
                "records": rows_of(records),
                "edrs": rows_of(edrs),
                "quarantined": rows_of(quarantined),
                "unfinished": unfinished,
                "differences": differences,
                "balanced": closes,
            }
        )
    else:
        print_result(records, as_json=False, title="Records: received = accepted + … + parked")
        print_result(edrs, as_json=False, title="EDRs = rated + unrated + cancelled")
        if quarantined.num_rows:
            print_result(quarantined, as_json=False, title="Files refused (quarantined)")
        if differences:
            columns = ["claim", "what", "expected", "found"]
            print_table(
                "Facts that differ from the sheets", columns, [[row[c] for c in columns] for row in differences]
            )
        if unfinished:
            entries = "1 entry of the journal is" if unfinished == 1 else f"{unfinished:,} entries of the journal are"
            print(f"{entries} not finished and not counted here; `octroi run` finishes what was interrupted")
        print("balanced" if closes else "NOT balanced")
    if not closes:
        raise typer.Exit(MISMATCH)


def _sheet(view: str, by: str, columns: tuple[str, ...]) -> str:
    keys = "claim, file, source, retry" if by == "file" else f"{by}, retry"
    sums = ", ".join(f"sum({column}) AS {column}" for column in columns)
    return f"SELECT {keys}, {sums} FROM {view} GROUP BY {keys} ORDER BY {keys}"


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(epilog="Example: octroi query 'SELECT charge, sum(amount) FROM rated_item GROUP BY charge'")(query)
    app.command(
        epilog="Example: octroi export --name revenue --param from=2026-10-01 --param to=2026-11-01 --to october.xlsx"
    )(export)
    app.command(epilog="Example: octroi balance --by source")(balance)
