"""`octroi rejects`: what was refused, why, and what to do about it."""

from __future__ import annotations

import re
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any

import typer

from apps.cli.failures import WrongUsage, honest, say
from apps.cli.options import AsJson, Data, open_settings
from apps.cli.output import count, print_json, print_result, printable, rows_of

rejects = typer.Typer(help="Records and EDRs that were refused.", no_args_is_help=True)

Ids = Annotated[
    list[str] | None, typer.Argument(metavar="[CLAIM-RECORD[-BRANCH]]…", help="Rejections, as `list` shows them.")
]
Code = Annotated[str | None, typer.Option("--code", help="Reason, such as UNKNOWN_ACCESS_POINT.")]
OfSource = Annotated[str | None, typer.Option("--source", help="Source of the record.")]
OfClaim = Annotated[
    int | None, typer.Option("--claim", min=1, max=2**32 - 1, help="Journal entry that brought the record.")
]
Everything = Annotated[bool, typer.Option("--all", help="Every open rejection.")]
STATUSES = ("OPEN", "REPLAYED", "DISCARDED", "ALL")
CHARACTERS_SHOWN = 2000
_OUTCOMES = (
    ("rated", "rated"),
    ("unrated", "unrated again"),
    ("absorbed", "absorbed"),
    ("duplicate", "duplicate"),
    ("superseded", "superseded"),
    ("filtered", "filtered"),
    ("rejected", "rejected again"),
    ("parked", "parked again"),
)
_ID = re.compile(r"([0-9]{1,10})-([0-9]{1,10})(?:-([0-9]{1,3}))?")
_ID_TEXT = "concat(toString(claim), '-', toString(record), if(branch = 0, '', concat('-', toString(branch))))"


def _places(ids: list[str] | None) -> list[list[int]]:
    places = []
    for text in ids or []:
        match = _ID.fullmatch(text)
        if match is None:
            raise WrongUsage(
                f"{text!r} is no rejection; `octroi rejects list` shows them as CLAIM-RECORD, such as 3-1207"
            )
        places.append([int(match[1]), int(match[2]), int(match[3] or 0)])
    return places


def _reason(code: str | None) -> str | None:
    """Return a reason's name, however it was typed."""
    from schemas.rejection import Reason

    if code is None:
        return None
    known = [reason.name for reason in Reason if reason is not Reason.NONE]
    if code.upper() in known:
        return code.upper()
    near = get_close_matches(code.upper(), known, 1)
    raise WrongUsage(f"{code} is no reason code" + (f"; did you mean {near[0]}?" if near else ""))


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
    return {"ids": _places(ids), "code": _reason(code), "source": source, "claim": claim}


@rejects.command("list", epilog="Example: octroi rejects list --code UNKNOWN_ACCESS_POINT")
@honest
def show_list(
    code: Code = None,
    source: OfSource = None,
    claim: OfClaim = None,
    status: Annotated[str, typer.Option(help=f"{', '.join(STATUSES[:-1])} or {STATUSES[-1]}.")] = "OPEN",
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="Most rows.")] = 50,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """List rejections, and how many there are by reason."""
    status = status.upper()
    if status not in STATUSES:
        raise WrongUsage(f"--status takes {', '.join(STATUSES[:-1])} or {STATUSES[-1]}")
    terms = {"reason": _reason(code), "source": source, "status": None if status == "ALL" else status}
    parameters: dict[str, Any] = {name: value for name, value in terms.items() if value is not None}
    where = [f"{name} = {{{name}:String}}" for name in parameters]
    if claim is not None:
        where.append("claim = {claim:UInt32}")
        parameters["claim"] = claim
    condition = " AND ".join(where) or "1"
    settings, directory = open_settings(data)
    from apps.embedded.access import reach

    with reach(directory, settings, say) as access:
        found = access.query(
            f"SELECT {_ID_TEXT} AS id, source, stage, reason, status, access_point, "
            f"event_at, retry_count, detail FROM rejection WHERE {condition} ORDER BY claim, record, branch LIMIT {limit}",
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
    total = sum(row["rejections"] for row in counts.to_pylist())
    kind = "" if status == "ALL" else f", {status.lower()}"
    shown = f"; the first {limit:,} (--limit shows more)" if total > limit else ""
    print_result(found, as_json=False, title=f"{count(total, 'rejection')}{kind}{shown}", empty="nothing to show")
    if total:
        print_result(counts, as_json=False, title="By reason")


@rejects.command(epilog="Example: octroi rejects show 3-1207")
@honest
def show(ids: Ids = None, data: Data = None, as_json: AsJson = False) -> None:
    """Show rejections whole: reason, parameters, the record's text and bytes."""
    places = _places(ids)
    if not places:
        raise WrongUsage("say which rejections: CLAIM-RECORD, as `octroi rejects list` shows them")
    wanted = ", ".join(f"({claim}, {record}, {branch})" for claim, record, branch in places)
    settings, directory = open_settings(data)
    from apps.embedded.access import reach

    with reach(directory, settings, say) as access:
        rows = rows_of(
            access.query(
                f"SELECT {_ID_TEXT} AS id, * FROM rejection WHERE (claim, record, branch) IN ({wanted}) "
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
    """Try open rejections again under the catalog now in force; exit code 2 when none matches.

    The retry is a journal entry of its own: what becomes of its records is on its own line of `octroi balance`.
    """
    result = _ask({"op": "replay", "selection": _selection(ids, code, source, claim, everything=everything)}, data)
    if as_json:
        print_json(result)
        return
    told = [f"{result[name]:,} {word}" for name, word in _OUTCOMES if result[name]]
    print(f"{count(result['replayed'], 'rejection')} tried again: {', '.join(told)}")
    _say_rest(result)


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
    """Set open rejections aside for good, with a reason; exit code 2 when none matches."""
    selection = _selection(ids, code, source, claim, everything=everything)
    result = _ask({"op": "discard", "selection": selection, "reason": reason}, data)
    if as_json:
        print_json(result)
        return
    print(f"{count(result['discarded'], 'rejection')} discarded: {printable(reason.strip())}")
    _say_rest(result)


def _ask(request: dict[str, Any], data: Path | None) -> dict[str, Any]:
    settings, directory = open_settings(data)
    from apps.embedded.access import reach

    with reach(directory, settings, say) as access:
        result: dict[str, Any] = access.command(request)
    return result


def _say_rest(result: dict[str, Any]) -> None:
    if result["left"]:
        say(f"{count(result['left'], 'more rejection')} matched and stayed open: run the command again")


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(rejects, name="rejects")
