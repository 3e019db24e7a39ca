"""`octroi rejects replay`, `mark`, `discard` and `reopen`: what to do about what was refused."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from apps.cli.failures import honest, say
from apps.cli.options import AsJson, Data, open_settings
from apps.cli.output import count, print_json, printable
from apps.cli.selecting import selecting

OUTCOMES = (
    ("rated", "rated"),
    ("unrated", "unrated again"),
    ("absorbed", "absorbed"),
    ("duplicate", "duplicate"),
    ("superseded", "superseded"),
    ("filtered", "filtered"),
    ("rejected", "rejected again"),
    ("parked", "parked again"),
)
Why = Annotated[str, typer.Option("--reason", help="Why; kept with the rejection.")]


@honest
@selecting()
def replay(chosen: dict[str, Any] | None, data: Data = None, as_json: AsJson = False) -> None:
    """Try open and marked rejections again under the catalog now in force; exit code 2 when none matches.

    The retry is a journal entry of its own: what becomes of its records is on its own line of `octroi balance`. What it refuses
    again is a new rejection, open, with a retry more.
    """
    result = ask({"op": "replay", "selection": chosen}, data)
    if as_json:
        print_json(result)
        return
    told = [f"{result[name]:,} {word}" for name, word in OUTCOMES if result[name]]
    print(f"{count(result['replayed'], 'rejection')} tried again: {', '.join(told)}")
    say_rest(result)


@honest
@selecting(status=False)
def mark(chosen: dict[str, Any] | None, reason: Why = "", data: Data = None, as_json: AsJson = False) -> None:
    """Mark open rejections to be tried again later: `octroi rejects replay --status TO_REPROCESS` does it."""
    _decide("mark", "marked", chosen, reason, data, as_json=as_json)


@honest
@selecting()
def discard(chosen: dict[str, Any] | None, reason: Why, data: Data = None, as_json: AsJson = False) -> None:
    """Set open and marked rejections aside, with a reason; exit code 2 when none matches. `reopen` takes it back."""
    _decide("discard", "discarded", chosen, reason, data, as_json=as_json)


@honest
@selecting()
def reopen(chosen: dict[str, Any] | None, reason: Why = "", data: Data = None, as_json: AsJson = False) -> None:
    """Open discarded and marked rejections again."""
    _decide("reopen", "reopened", chosen, reason, data, as_json=as_json)


def _decide(
    op: str, done: str, chosen: dict[str, Any] | None, reason: str, data: Path | None, *, as_json: bool
) -> None:
    result = ask({"op": op, "selection": chosen, "reason": reason}, data)
    if as_json:
        print_json(result)
        return
    why = f": {printable(reason.strip())}" if reason.strip() else ""
    print(f"{count(result[done], 'rejection')} {done}{why}")
    say_rest(result)


def ask(request: dict[str, Any], data: Path | None) -> dict[str, Any]:
    """Return the answer of the data directory's owner, or of this process, to a request."""
    settings, directory = open_settings(data)
    from apps.embedded.access import reach

    with reach(directory, settings, say) as access:
        result: dict[str, Any] = access.command(request)
    return result


def say_rest(result: dict[str, Any]) -> None:
    """Tell how many more matched than one command takes."""
    if result["left"]:
        say(f"{count(result['left'], 'more rejection')} matched and stayed as they were: run the command again")


def add_decisions(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(epilog="Example: octroi rejects replay --code UNKNOWN_ACCESS_POINT")(replay)
    app.command(epilog="Example: octroi rejects mark --code UNKNOWN_ACCESS_POINT --reason 'customer is being created'")(
        mark
    )
    app.command(epilog="Example: octroi rejects discard 3-1207 --reason 'test call'")(discard)
    app.command(epilog="Example: octroi rejects reopen 3-1207")(reopen)
