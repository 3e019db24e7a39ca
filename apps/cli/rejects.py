"""`octroi rejects`: what was refused, and why. What to do about it is in `apps.cli.deciding`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from apps.cli.correcting import add_correction
from apps.cli.deciding import add_decisions
from apps.cli.failures import WrongUsage, honest, say
from apps.cli.options import AsJson, Data, open_settings
from apps.cli.output import count, print_json, print_result, printable, rows_of
from apps.cli.selecting import CRITERIA, ID_TEXT, Ids, listing, places

rejects = typer.Typer(help="Records and EDRs that were refused.", no_args_is_help=True)

CHARACTERS_SHOWN = 2000
_COUNTED = ("OPEN", "TO_REPROCESS", "DISCARDED", "REPLAYED", "CANCELLED")


def _where(found: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    from apps.embedded.selection import ALL, Selection

    chosen = Selection.from_request(found) if found else None
    return (ALL, {}) if chosen is None else chosen.where()


@rejects.command("list", epilog="Example: octroi rejects list --code UNKNOWN_ACCESS_POINT")
@honest
@listing(*CRITERIA, status="OPEN")
def show_list(
    found: dict[str, Any],
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="Most rows.")] = 50,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """List rejections, and how many there are by reason."""
    settings, directory = open_settings(data)
    condition, parameters = _where(found)
    from apps.embedded.access import reach

    with reach(directory, settings, say) as access:
        listed = access.query(
            f"SELECT {ID_TEXT} AS id, source, stage, reason, status, access_point, "
            f"event_at, retry_count, detail FROM rejection WHERE {condition} ORDER BY claim, record, branch LIMIT {limit}",
            parameters,
        )
        counts = access.query(
            f"SELECT reason, stage, source, count() AS rejections FROM rejection WHERE {condition} "
            "GROUP BY reason, stage, source ORDER BY rejections DESC, reason, source",
            parameters,
        )
    if as_json:
        print_json({"rejections": rows_of(listed), "by_reason": rows_of(counts)})
        return
    total = sum(row["rejections"] for row in counts.to_pylist())
    kind = f", {found['status'].lower()}" if "status" in found else ""
    shown = f"; the first {limit:,} (--limit shows more)" if total > limit else ""
    print_result(listed, as_json=False, title=f"{count(total, 'rejection')}{kind}{shown}", empty="nothing to show")
    if total:
        print_result(counts, as_json=False, title="By reason")


@rejects.command(epilog="Example: octroi rejects summary --source calls")
@honest
@listing("code", "source", "claim", "file", "since", "until")
def summary(found: dict[str, Any], data: Data = None, as_json: AsJson = False) -> None:
    """Count rejections by reason and source, and what was decided about them."""
    settings, directory = open_settings(data)
    condition, parameters = _where(found)
    from apps.embedded.access import reach

    statuses = ", ".join(f"countIf(status = '{name}') AS {name.lower()}" for name in _COUNTED)
    with reach(directory, settings, say) as access:
        counts = access.query(
            f"SELECT code, reason, stage, source, count() AS rejections, {statuses} FROM rejection WHERE {condition} "
            "GROUP BY code, reason, stage, source ORDER BY open DESC, rejections DESC, code, source",
            parameters,
        )
    print_result(counts, as_json=as_json, title="Rejections by reason", empty="none")


@rejects.command(epilog="Example: octroi rejects show 3-1207")
@honest
def show(ids: Ids = None, data: Data = None, as_json: AsJson = False) -> None:
    """Show rejections whole: reason, parameters, the record's text and bytes."""
    meant = places(ids)
    if not meant:
        raise WrongUsage("say which rejections: CLAIM-RECORD, as `octroi rejects list` shows them")
    wanted = ", ".join(f"({claim}, {record}, {branch})" for claim, record, branch in meant)
    settings, directory = open_settings(data)
    from apps.embedded.access import reach

    with reach(directory, settings, say) as access:
        rows = rows_of(
            access.query(
                f"SELECT {ID_TEXT} AS id, * FROM rejection WHERE (claim, record, branch) IN ({wanted}) "
                "ORDER BY claim, record, branch"
            )
        )
    if not rows:
        raise WrongUsage(f"no rejection {', '.join(ids or [])}")
    if as_json:
        print_json(rows)
        return
    for row in rows:
        print(f"rejection {row.pop('id')}")
        if bytes.fromhex(row["raw_hex"]) == str(row["raw"]).encode():
            del row["raw_hex"]  # it says nothing more
        for name, value in row.items():
            if value not in (None, ""):
                print(f"  {name:16} {_shortened(printable(str(value)))}")


def _shortened(text: str) -> str:
    more = len(text) - CHARACTERS_SHOWN
    return text if more <= 0 else f"{text[:CHARACTERS_SHOWN]}… {more:,} more; --json prints all"


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    add_decisions(rejects)
    add_correction(rejects)
    app.add_typer(rejects, name="rejects")
