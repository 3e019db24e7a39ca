"""`octroi diameter serve|peers|reauthorise|abort|decode`: charging over Diameter, and what captured messages say."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from apps.cli import diameter_peers
from apps.cli.failures import PARTIAL, honest, say
from apps.cli.options import Data, open_settings, require_catalog, say_when_cold
from apps.cli.output import count, printable
from apps.cli.processing import show_report

if TYPE_CHECKING:
    from pipelines.mediation.diameter.captures import Captured
    from pipelines.mediation.diameter.fields import Field

diameter = typer.Typer(help="Diameter: charge online over it, look into captures.", no_args_is_help=True)


class NoDiameterSettings(Exception):
    """Nothing says who we are to peers of Diameter."""


@diameter.command(epilog="Example: octroi diameter serve --data ./data")
@honest
def serve(data: Data = None) -> None:
    """Do what `octroi run --follow` does, and answer credit control and take accounting over Diameter, until Ctrl-C or SIGTERM.

    Who we are, where we listen and who may connect is in the setting diameter; what rating groups are, in the catalog.
    """
    settings, directory = open_settings(data)
    if settings.diameter is None:
        raise NoDiameterSettings(
            "the setting diameter is unset: say in octroi.toml who octroi is to its peers, and who may connect, "
            "as docs/operations.md says"
        )
    require_catalog(directory)
    from apps.diameter.server import DiameterServer
    from apps.embedded.session import run_session
    from apps.embedded.stopping import stopping

    say_when_cold(quiet=False)
    server = DiameterServer(settings.diameter, say)
    with stopping() as stop:
        report = run_session(
            directory,
            settings,
            [],
            follow=True,
            stop=stop,
            say=say,
            progress=lambda records: None,
            attendant=server,
        )
    show_report(report, as_json=False)


@diameter.command(epilog="Example: octroi diameter decode gy.pcapng --command CCR --fields")
@honest
def decode(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A capture: pcap or pcapng.", show_default=False)],
    command: Annotated[
        list[str] | None, typer.Option("--command", "-c", help="Only such messages: CCR, CCA, ACR, …; repeatable.")
    ] = None,
    session: Annotated[str, typer.Option("--session", "-s", help="Only messages of this Session-Id.")] = "",
    fields: Annotated[bool, typer.Option("--fields", "-f", help="Show every AVP, groups indented.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print a line of JSON for each message.")] = False,
) -> None:
    """Show the messages of Diameter in a capture, over TCP and SCTP and on whatever port: one line each, or every AVP.

    Exit code 5 when the capture ends within a packet, or a message is not what the protocol says.
    """
    from pipelines.mediation.diameter.captures import CaptureSheet, read_capture
    from pipelines.mediation.diameter.packets import UnableToReadCapture

    sheet, wrong, shown = CaptureSheet(), 0, 0
    only = {name.upper() for name in command or ()}
    with file.open("rb") as stream:
        try:
            for captured in read_capture(stream, sheet):
                told = _told(captured)
                wrong += told["problem"] is not None
                if (only and told["command"] not in only) or (session and told["session"] != session):
                    continue
                shown += 1
                if as_json:
                    print(json.dumps(told, ensure_ascii=True))
                else:
                    _show(told, fields=fields)
        except UnableToReadCapture as error:
            error.add_note(f"{count(shown, 'message')} before that can be read")
            raise
    if not as_json:
        lost = f"; {count(sheet.lost, 'gap')} in its streams" if sheet.lost else ""
        say(f"{count(shown, 'message')} in {count(sheet.packets, 'packet')}{lost}")
    if wrong or sheet.lost:
        if wrong:
            say(f"{count(wrong, 'message')} not as the protocol says")
        raise typer.Exit(PARTIAL)


def _told(captured: Captured) -> dict[str, Any]:
    """Return a message as a mapping that is ready for JSON."""
    from pipelines.mediation.diameter.codes import command_name
    from pipelines.mediation.diameter.fields import EPOCH, fields_of
    from pipelines.mediation.diameter.messages import UnableToReadMessage, decode_message

    at = datetime.fromtimestamp(captured.at / 1_000_000, EPOCH.tzinfo)
    told: dict[str, Any] = {
        "at": at.isoformat(timespec="microseconds").replace("+00:00", "Z"),
        "source": captured.source,
        "destination": captured.destination,
        "transport": captured.transport,
        "command": None,
        "session": None,
        "problem": None,
    }
    try:
        header, avps = decode_message(captured.data)
    except UnableToReadMessage as error:
        return told | {"problem": str(error), "result": int(error.result), "hex": captured.data.hex()}
    found = list(fields_of(avps))
    problems = list(_problems(found))
    names = {field.name: field.value for field in reversed(found)}
    return told | {
        "command": command_name(header.command, request=header.is_request),
        "session": names.get("Session-Id"),
        "problem": problems[0] if problems else None,
        "flags": "".join(letter if header.flags & 0x80 >> place else "-" for place, letter in enumerate("RPET")),
        "application": header.application,
        "hop_by_hop": header.hop_by_hop,
        "end_to_end": header.end_to_end,
        "avps": [_as_dict(field) for field in found],
    }


def _problems(fields: Sequence[Field]) -> Iterator[str]:
    for field in fields:
        if field.problem:
            yield f"{field.name}: {field.problem}" if not field.problem.startswith(field.name) else field.problem
        if isinstance(field.value, tuple):
            yield from _problems(field.value)


def _as_dict(field: Field) -> dict[str, Any]:
    told: dict[str, Any] = {"name": field.name, "code": field.avp.code, "vendor": field.avp.vendor}
    told["flags"] = "".join(letter if field.avp.flags & 0x80 >> place else "-" for place, letter in enumerate("VMP"))
    if isinstance(field.value, tuple):
        told["avps"] = [_as_dict(each) for each in field.value]
    elif isinstance(field.value, bytes):
        told["hex"] = field.value.hex()
    else:
        told["value"] = field.value
    if field.word:
        told["word"] = field.word
    if field.problem:
        told["problem"] = field.problem
    return told


_HEADLINES = (
    "CC-Request-Type",
    "CC-Request-Number",
    "Accounting-Record-Type",
    "Accounting-Record-Number",
    "Result-Code",
)


def _show(told: dict[str, Any], *, fields: bool) -> None:
    ends = f"{told['at']}  {told['source']} > {told['destination']}"
    if told["command"] is None:
        print(printable(f"{ends}  not decoded: {told['problem']}"))
        return
    said = {each["name"]: each for each in reversed(told["avps"])}
    words = [str(said[name].get("word") or said[name].get("value")) for name in _HEADLINES if name in said]
    session = f"  {told['session']}" if told["session"] else ""
    problem = f"  ! {told['problem']}" if told["problem"] else ""
    print(printable(f"{ends}  {told['command']} {told['flags']}{session}  {' '.join(words)}".rstrip() + problem))
    if fields:
        for each in told["avps"]:
            _show_field(each, 1)


def _show_field(field: dict[str, Any], depth: int) -> None:
    value = "" if "avps" in field else field["hex"] if "hex" in field else str(field["value"])
    word = f" ({field['word']})" if "word" in field else ""
    problem = f"  ! {field['problem']}" if "problem" in field else ""
    print("  " * depth + printable(f"{field['name']} {value}{word}{problem}".rstrip()))
    for each in field.get("avps", ()):
        _show_field(each, depth + 1)


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    diameter_peers.add_to(diameter)
    app.add_typer(diameter, name="diameter")
