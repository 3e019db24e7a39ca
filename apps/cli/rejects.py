"""`octroi rejects`: what was refused, why, and what to do about it."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from apps.cli.failures import WrongUsage, honest, say
from apps.cli.options import AsJson, Data, data_directory, read_settings
from apps.cli.output import print_json, print_result, rows_of

rejects = typer.Typer(help="Records and EDRs that were refused.", no_args_is_help=True)

Ids = Annotated[list[str] | None, typer.Argument(metavar="[CLAIM-RECORD]…", help="Rejections, as `list` shows them.")]
Code = Annotated[str | None, typer.Option("--code", help="Reason, such as UNKNOWN_ACCESS_POINT.")]
OfSource = Annotated[str | None, typer.Option("--source", help="Source of the record.")]
OfClaim = Annotated[int | None, typer.Option("--claim", help="Journal entry that brought the record.")]
Everything = Annotated[bool, typer.Option("--all", help="Every open rejection.")]


def _pairs(ids: list[str] | None) -> list[list[int]]:
    pairs = []
    for text in ids or []:
        claim, dash, record = text.partition("-")
        if not (dash and claim.isdigit() and record.isdigit()):
            raise WrongUsage(f"{text!r} is no rejection; `octroi rejects list` shows them as CLAIM-RECORD")
        pairs.append([int(claim), int(record)])
    return pairs


def _selection(
    ids: list[str] | None, code: str | None, source: str | None, claim: int | None, *, everything: bool
) -> dict[str, Any] | None:
    given = bool(ids) or code is not None or source is not None or claim is not None
    if everything and given:
        raise WrongUsage("--all and a selection exclude each other")
    if everything:
        return None
    if not given:
        raise WrongUsage("say which rejections: CLAIM-RECORD, --code, --source, --claim or --all")
    return {"ids": _pairs(ids), "code": code, "source": source, "claim": claim}


@rejects.command("list", epilog="Example: octroi rejects list --code UNKNOWN_ACCESS_POINT")
@honest
def show_list(
    code: Code = None,
    source: OfSource = None,
    claim: OfClaim = None,
    status: Annotated[str, typer.Option(help="OPEN, REPLAYED, DISCARDED or ALL.")] = "OPEN",
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="Most rows.")] = 50,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """List rejections, and how many there are by reason."""
    from apps.embedded.access import reach

    if status not in ("OPEN", "REPLAYED", "DISCARDED", "ALL"):
        raise WrongUsage("--status takes OPEN, REPLAYED, DISCARDED or ALL")
    terms = {"reason": code, "source": source, "status": None if status == "ALL" else status}
    parameters: dict[str, Any] = {name: value for name, value in terms.items() if value is not None}
    where = [f"{name} = {{{name}:String}}" for name in parameters]
    if claim is not None:
        where.append("claim = {claim:UInt32}")
        parameters["claim"] = claim
    condition = " AND ".join(where) or "1"
    settings = read_settings(data)
    with reach(data_directory(settings), settings, say) as access:
        found = access.query(
            "SELECT concat(toString(claim), '-', toString(record)) AS id, source, stage, reason, status, access_point, "
            f"event_at, retry_count, detail FROM rejection WHERE {condition} ORDER BY claim, record LIMIT {limit}",
            parameters,
        )
        counts = access.query(
            f"SELECT reason, stage, source, count() AS rejections FROM rejection WHERE {condition} "
            "GROUP BY reason, stage, source ORDER BY rejections DESC, reason, source",
            parameters,
        )
    if as_json:
        print_json({"rejections": rows_of(found), "by_reason": rows_of(counts)})
        return
    print_result(found, as_json=False, title=f"Rejections ({status.lower()}), the first {limit}")
    print_result(counts, as_json=False, title="By reason")


@rejects.command(epilog="Example: octroi rejects show 3-1207")
@honest
def show(ids: Ids = None, data: Data = None, as_json: AsJson = False) -> None:
    """Show rejections whole: reason, parameters, the record's text and bytes."""
    from apps.embedded.access import reach

    pairs = _pairs(ids)
    if not pairs:
        raise WrongUsage("say which rejection: CLAIM-RECORD")
    wanted = ", ".join(f"({claim}, {record})" for claim, record in pairs)
    settings = read_settings(data)
    with reach(data_directory(settings), settings, say) as access:
        rows = rows_of(
            access.query(f"SELECT * FROM rejection WHERE (claim, record) IN ({wanted}) ORDER BY claim, record")
        )
    if not rows:
        raise WrongUsage(f"no rejection {', '.join(ids or [])}")
    if as_json:
        print_json(rows)
        return
    for row in rows:
        print(f"rejection {row['claim']}-{row['record']}")
        for name, value in row.items():
            if value not in (None, ""):
                print(f"  {name:16} {value}")


@rejects.command(epilog="Example: octroi rejects replay --code UNKNOWN_ACCESS_POINT")
@honest
def replay(
    ids: Ids = None,
    code: Code = None,
    source: OfSource = None,
    claim: OfClaim = None,
    everything: Everything = False,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Try open rejections again under the catalog now in force."""
    _run({"op": "replay", "selection": _selection(ids, code, source, claim, everything=everything)}, data, as_json)


@rejects.command(epilog="Example: octroi rejects discard 3-1207 --reason 'test call'")
@honest
def discard(
    reason: Annotated[str, typer.Option("--reason", help="Why; kept with the rejection.")],
    ids: Ids = None,
    code: Code = None,
    source: OfSource = None,
    claim: OfClaim = None,
    everything: Everything = False,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Set open rejections aside for good, with a reason."""
    selection = _selection(ids, code, source, claim, everything=everything)
    _run({"op": "discard", "selection": selection, "reason": reason}, data, as_json)


def _run(request: dict[str, Any], data: Any, as_json: bool) -> None:
    from apps.embedded.access import reach

    settings = read_settings(data)
    with reach(data_directory(settings), settings, say) as access:
        result = access.command(request)
    if as_json:
        print_json(result)
    else:
        print(", ".join(f"{name} {value}" for name, value in result.items() if value not in (0, [])))


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(rejects, name="rejects")
