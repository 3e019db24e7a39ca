"""`octroi rejects correct`: replace fields of refused records and try them again."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from apps.cli.deciding import OUTCOMES, ask, say_rest
from apps.cli.failures import WrongUsage, honest, say
from apps.cli.options import AsJson, Data
from apps.cli.output import count, print_json, printable
from apps.cli.selecting import selecting

SKIPPED_SHOWN = 5
Set = Annotated[
    list[str],
    typer.Option(
        "--set", metavar="FIELD=VALUE", help="The source's own name of a field, and its new text; repeatable."
    ),
]
Preview = Annotated[bool, typer.Option("--preview", help="Show what would be corrected, and change nothing.")]


@honest
@selecting()
def correct(
    chosen: dict[str, Any] | None, values: Set, preview: Preview = False, data: Data = None, as_json: AsJson = False
) -> None:
    """Replace fields in the bytes of open and marked rejections of one source, and try the records again.

    The corrected records are a file of their own: archived, journaled before anything is applied, on its own line of
    `octroi balance`. What it refuses again is a new rejection, open, with a retry more. Records of delimited, fixed-width and
    JSON sources can be corrected; exit code 2 when none can.
    """
    request = {"op": "correct", "selection": chosen, "values": assignments(values), "preview": preview}
    result = ask(request, data)
    if as_json:
        print_json(result)
        return
    if preview:
        _show_preview(result)
    else:
        told = [f"{result[name]:,} {word}" for name, word in OUTCOMES if result[name]]
        print(f"{count(result['corrected'], 'rejection')} corrected: {', '.join(told)}")
    if result["skipped"]:
        say(f"{count(result['skipped'], 'rejection')} cannot be corrected and stay as they are:")
        for item in result["skipped_first"][:SKIPPED_SHOWN]:
            say(f"  {item['id']}: {item['why']}")
    say_rest(result)


def assignments(texts: list[str]) -> dict[str, str]:
    """Return field -> new text of `--set` options.

    Raises:
        WrongUsage: when one has no equals sign or no name, or a field is given twice.
    """
    values: dict[str, str] = {}
    for text in texts:
        name, is_set, value = text.partition("=")
        if not is_set or not name:
            raise WrongUsage(f"--set takes FIELD=VALUE, not {text!r}")
        if name in values:
            raise WrongUsage(f"--set gives {name} twice")
        values[name] = value
    return values


def _show_preview(result: dict[str, Any]) -> None:
    names = ", ".join(f"{printable(file['name'])} ({file['records']:,})" for file in result["files"])
    print(f"{count(result['corrected'], 'rejection')} of {result['source']} would be corrected, of {names}")
    for item in result["examples"]:
        print(f"rejection {item['id']}")
        print(f"  before  {printable(item['before'])}")
        print(f"  after   {printable(item['after'])}")
        if item["refused"]:
            print(f"  still   {printable(item['refused'])}")
    if result["still_refused"]:
        print(f"{count(result['still_refused'], 'record')} would still be refused when decoded")
    print("nothing was changed; attribution, duplicates and prices are decided when it is done (leave out --preview)")


def add_correction(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog="Example: octroi rejects correct --code INVALID_QUANTITY --set seconds=60 --preview")(correct)
