"""`octroi charge`: usage that is charged while it happens."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from apps.cli.deciding import ask
from apps.cli.failures import honest
from apps.cli.json_lines import read_requests
from apps.cli.options import Data
from apps.cli.output import print_json

REFUSED_EXIT = 2
REQUESTS_PER_CALL = 40

Id = Annotated[str, typer.Option("--id", help="Names the request: the same one again gets the same answer.")]
Of = Annotated[str, typer.Option("--of", help="Id of the request that it is about.")]
Access = Annotated[str, typer.Option("--access-point", "-a", help="Whose usage it is.")]
Type = Annotated[str, typer.Option("--event-type", "-t", help="What kind of usage it is.")]
Quantity = Annotated[str, typer.Option("--quantity", "-n", help='How much: "NUMBER UNIT".')]
Said = Annotated[
    list[str] | None, typer.Option("--said", help="An attribute or value of the usage, NAME=TEXT; repeatable.")
]
At = Annotated[str | None, typer.Option("--at", help="When the usage is, ISO 8601 with zone (default: now).")]

charge_app = typer.Typer(help="Charge usage online: reserve, confirm, cancel, charge, refund.", no_args_is_help=True)


@honest
def reserve(
    id_: Id,
    access_point: Access,
    event_type: Type,
    quantity: Quantity,
    increment: Annotated[str, typer.Option(help="Grant less, in whole multiples of this, rather than nothing.")] = "",
    validity: Annotated[int, typer.Option("--validity", min=1, help="Seconds for which it is held.")] = 60,
    said: Said = None,
    at: At = None,
    data: Data = None,
) -> None:
    """Reserve money and allowances for usage that begins; exit code 2 when it is refused."""
    usage = _usage("reserve", id_, access_point, event_type, quantity, said, at)
    _send(usage | {"increment": increment, "validity_s": validity}, data)


@honest
def confirm(id_: Id, of: Of, quantity: Quantity, data: Data = None) -> None:
    """End a reservation with what was used: less or more than was granted is rated for what it is."""
    _send({"kind": "confirm", "id": id_, "of": of, "quantity": quantity}, data)


@honest
def cancel(id_: Id, of: Of, data: Data = None) -> None:
    """End a reservation of which nothing was used."""
    _send({"kind": "cancel", "id": id_, "of": of}, data)


@honest
def event(
    id_: Id,
    access_point: Access,
    event_type: Type,
    quantity: Quantity,
    said: Said = None,
    at: At = None,
    data: Data = None,
) -> None:
    """Charge usage at once, without a reservation."""
    _send(_usage("charge", id_, access_point, event_type, quantity, said, at), data)


@honest
def refund(id_: Id, of: Of, data: Data = None) -> None:
    """Take a confirmation or a charge back."""
    _send({"kind": "refund", "id": id_, "of": of}, data)


@honest
def price(
    access_point: Access,
    event_type: Type,
    quantity: Quantity,
    said: Said = None,
    at: At = None,
    data: Data = None,
) -> None:
    """Tell what usage would cost now; nothing moves."""
    body = _usage("charge", "price", access_point, event_type, quantity, said, at)
    del body["kind"]
    print_json(ask({"op": "price_enquiry", "request": body}, data))


@honest
def balance(account: Annotated[str, typer.Argument(help="Code of the account.")], data: Data = None) -> None:
    """Tell what the wallets of an account hold, and what reservations hold of it."""
    print_json(ask({"op": "check_balance", "account": account}, data))


@honest
def send(
    file: Annotated[Path, typer.Argument(help="JSON lines, one request each, with `kind`; - for stdin.")],
    data: Data = None,
) -> None:
    """Send many requests, in order, and print a line of JSON for each answer."""
    asked = read_requests(file)
    for first in range(0, len(asked), REQUESTS_PER_CALL):
        answers: Any = ask({"op": "charge", "requests": asked[first : first + REQUESTS_PER_CALL]}, data)
        for answer in answers:
            print(json.dumps(answer))


def _usage(
    kind: str, id_: str, access_point: str, event_type: str, quantity: str, said: list[str] | None, at: str | None
) -> dict[str, Any]:
    named = dict(item.partition("=")[::2] for item in said or [])
    usage = {"access_point": access_point, "event_type": event_type, "quantity": quantity, "said": named}
    return {"kind": kind, "id": id_, **usage} | ({"at": at} if at else {})


def _send(request: dict[str, Any], data: Path | None) -> None:
    answers: Any = ask({"op": "charge", "requests": [request]}, data)
    print_json(answers[0])
    if answers[0]["code"] != "DONE":
        raise typer.Exit(REFUSED_EXIT)


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    example = "Example: octroi charge reserve --id s1 -a +33600000001 -t data -n '5 MB' --increment '1 MB'"
    charge_app.command(epilog=example)(reserve)
    charge_app.command(epilog="Example: octroi charge confirm --id s1-end --of s1 -n '3 MB'")(confirm)
    charge_app.command(epilog="Example: octroi charge cancel --id s1-end --of s1")(cancel)
    charge_app.command(epilog="Example: octroi charge event --id sms-1 -a +33600000001 -t sms -n '1 event'")(event)
    charge_app.command(epilog="Example: octroi charge refund --id back-1 --of sms-1")(refund)
    charge_app.command(epilog="Example: octroi charge price -a +33600000001 -t data -n '1 GB'")(price)
    charge_app.command(epilog="Example: octroi charge balance ana")(balance)
    charge_app.command(epilog="Example: octroi charge send requests.jsonl")(send)
    app.add_typer(charge_app, name="charge")
