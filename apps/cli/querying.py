"""`octroi query` and `octroi balance`: reading the store, through its owner when one runs."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from apps.cli.failures import MISMATCH, WrongUsage, honest, say
from apps.cli.options import AsJson, Data, open_settings
from apps.cli.output import print_json, print_result, print_table, rows_of

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
    sql: Annotated[str, typer.Argument(metavar="SQL", help="One reading statement over the views, in ClickHouse SQL.")],
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Query rated usage.

    Views: rated_item, edr, wallet_operation, rejection, record_sheet, edr_sheet, account_balance, revenue, file,
    access_transfer; `SELECT name, comment FROM system.columns WHERE table = 'rated_item'` says what the columns mean.
    """
    settings, directory = open_settings(data)
    from apps.embedded.access import reach

    with reach(directory, settings, say) as access:
        found = access.query(sql)
    print_result(found, as_json=as_json)


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
    app.command(epilog="Example: octroi balance --by source")(balance)
