"""`octroi diameter peers|reauthorise|abort`: who is connected to a server, and what its network elements are asked."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from apps.cli.failures import PARTIAL, honest, say
from apps.cli.options import Data, open_settings
from apps.cli.output import count, printable

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Sessions = Annotated[list[str] | None, typer.Argument(metavar="[SESSION]...", help="Session-Ids.", show_default=False)]


class NobodyNamed(Exception):
    """Nothing says which sessions are meant."""


def _ask(data: Data, request: dict[str, Any]) -> Any:
    settings, directory = open_settings(data)
    from apps.embedded.access import reach

    with reach(directory, settings, say) as access:
        return access.command({"op": "diameter", **request})


@honest
def peers(data: Data = None, as_json: AsJson = False) -> None:
    """Show who is connected to `octroi diameter serve`: requests, answers by result, what is on its way."""
    found = _ask(data, {"step": "peers"})
    if as_json:
        print(json.dumps(found))
        return
    for peer in found:
        results = ", ".join(f"{number} {result}" for result, number in peer["results"].items())
        state = " suspect" if peer["suspect"] else ""
        words = f"{count(peer['requests'], 'request')}, {peer['in_flight']} on their way; answered {results or 'none'}"
        print(printable(f"{peer['host']}  {peer['address']}{state}  {words}"))
    say(f"{count(len(found), 'peer')} connected")


@honest
def reauthorise(
    sessions: Sessions = None,
    every: Annotated[bool, typer.Option("--all", help="All sessions that hold credit.")] = False,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Have network elements report and ask again (Re-Auth-Request), as after a change of tariff; a top-up does so by itself.

    Exit code 5 when not every session could be asked.
    """
    _tell("reauthorise", sessions, every=every, data=data, as_json=as_json)


@honest
def abort(
    sessions: Sessions = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Have network elements end sessions (Abort-Session-Request); their last report is charged as always.

    Exit code 5 when not every session could be asked.
    """
    _tell("abort", sessions, every=False, data=data, as_json=as_json)


def _tell(step: str, sessions: list[str] | None, *, every: bool, data: Data, as_json: bool) -> None:
    if bool(sessions) == every:
        raise NobodyNamed("name sessions, or say --all" if step == "reauthorise" else "name sessions")
    found = _ask(data, {"step": step, "sessions": sessions or [], "every": every})
    if not every:
        for name, told in zip(sessions or [], found, strict=True):
            told["session"] = name
    if as_json:
        print(json.dumps(found))
    else:
        for told in found:
            released = f", {count(told['released'], 'reservation')} released" if told["released"] else ""
            print(printable(f"{told['session']}  {told['outcome']}{released}"))
    if any(told["outcome"] not in ("SUCCESS", "LIMITED_SUCCESS") for told in found):
        raise typer.Exit(PARTIAL)


def add_to(group: typer.Typer) -> None:
    """Add the commands."""
    for command, example in (
        (peers, "octroi diameter peers --json"),
        (reauthorise, "octroi diameter reauthorise 'pgw1.epc;1;7'"),
        (abort, "octroi diameter abort 'pgw1.epc;1;7'"),
    ):
        group.command(epilog=f"Example: {example}")(command)
