"""`octroi wallet`: what accounts have, and what comes to them or is taken off without usage."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from apps.cli.deciding import ask
from apps.cli.failures import honest
from apps.cli.json_lines import read_requests
from apps.cli.options import AsJson, Data
from apps.cli.output import print_json, print_table, printable

REFUSED_EXIT = 2
REQUESTS_PER_CALL = 500
WALLET_COLUMNS = ("wallet", "type", "currency", "balance", "reserved", "overdraft", "available")
EXPIRY_COLUMNS = ("wallet", "amount", "currency", "expires_at")
COUNTER_COLUMNS = ("counter", "holder", "period", "zone", "used", "unit")

Account = Annotated[str, typer.Argument(help="Code of the account.")]
Wallet = Annotated[str, typer.Option("--wallet", "-w", help="Code of the wallet.")]
Amount = Annotated[str, typer.Option("--amount", "-n", help='How much: "NUMBER CURRENCY".')]
Id = Annotated[str, typer.Option("--id", help="Names the request, for ever: the same one again gets the same answer.")]
Why = Annotated[str, typer.Option("--reason", help="Why; kept with the request.")]

wallet_app = typer.Typer(help="See what accounts have, top wallets up, correct them.", no_args_is_help=True)


@honest
def show(account: Account, data: Data = None, as_json: AsJson = False) -> None:
    """Show the wallets of an account, and the counters of its subscriptions in their present periods.

    A running octroi is asked between two blocks: everything that was acknowledged is in the answer.
    """
    found: Any = ask({"op": "show_account", "account": account}, data)
    if as_json:
        print_json(found)
        return
    as_of = found["as_of"]
    frame = f", frame {as_of['frame']} of segment {as_of['segment']}" if as_of["segment"] else ""
    print(
        f"account {found['account']} as of {as_of['at']}, before block {as_of['block']} of entry {as_of['entry']}{frame}"
    )
    _table("Wallets, in drawing order", WALLET_COLUMNS, found["wallets"])
    expiring = [{**wallet, **lot} for wallet in found["wallets"] for lot in wallet["expiring"]]
    if expiring:
        _table("Credit that expires", EXPIRY_COLUMNS, expiring)
    shared = [wallet for wallet in found["wallets"] if wallet["account"] != account]
    if shared:
        _table("Wallets of other accounts that it shares", ("wallet", "account"), shared)
    asking = [
        {"wallet": wallet["wallet"], "pays_for": ", ".join(f"{name} {value}" for name, value in one.items())}
        for wallet in found["wallets"]
        for one in wallet["pays_for"]
    ]
    if asking:
        _table("Wallets that pay for some usage only", ("wallet", "pays_for"), asking)
    if found["counters"]:
        _table("Counters of this period", COUNTER_COLUMNS, found["counters"])


def _table(title: str, columns: tuple[str, ...], rows: list[dict[str, Any]]) -> None:
    print_table(title, columns, [["unlimited" if row[name] is None else row[name] for name in columns] for row in rows])


@honest
def top_up(
    account: Account,
    wallet: Wallet,
    amount: Amount,
    id_: Id,
    expires: Annotated[str, typer.Option(help="When what is left of it expires, ISO 8601 with zone.")] = "",
    reason: Why = "",
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Add credit to a wallet; exit code 2 when it is refused."""
    body = {"kind": "top_up", "id": id_, "account": account, "wallet": wallet, "amount": amount, "reason": reason}
    _send(body | ({"expires": expires} if expires else {}), data, as_json=as_json)


@honest
def adjust(
    account: Account,
    wallet: Wallet,
    amount: Annotated[str, typer.Option("--amount", "-n", help='How much: "NUMBER CURRENCY"; -5 EUR takes away.')],
    id_: Id,
    reason: Why,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Correct a wallet by hand, with a reason; of a prepaid wallet no more is taken than is available."""
    body = {"kind": "adjustment", "id": id_, "account": account, "wallet": wallet, "amount": amount, "reason": reason}
    _send(body, data, as_json=as_json)


@honest
def transfer(
    account: Account,
    wallet: Wallet,
    amount: Amount,
    to_wallet: Annotated[str, typer.Option(help="Code of the wallet that gets it.")],
    id_: Id,
    to_account: Annotated[str, typer.Option(help="Whose that wallet is (default: the same account).")] = "",
    reason: Why = "",
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Move credit to another wallet of the account, or of one that shares counters with it; what expires still does."""
    body = {"kind": "transfer", "id": id_, "account": account, "wallet": wallet, "amount": amount, "reason": reason}
    body |= {"to_wallet": to_wallet} | ({"to_account": to_account} if to_account else {})
    _send(body, data, as_json=as_json)


@honest
def send(
    file: Annotated[Path, typer.Argument(help="JSON lines, one request each, with `kind`; - for stdin.")],
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Send many requests, in order; exit code 2 when one was refused."""
    asked = read_requests(file)
    answers: list[Any] = []
    for first in range(0, len(asked), REQUESTS_PER_CALL):
        told: Any = ask({"op": "wallets", "requests": asked[first : first + REQUESTS_PER_CALL]}, data)
        answers += told
    if as_json:
        print_json(answers)
    else:
        for answer in answers:
            _tell(answer)
    if any(answer["code"] != "DONE" for answer in answers):
        raise typer.Exit(REFUSED_EXIT)


def _send(request: dict[str, Any], data: Path | None, *, as_json: bool) -> None:
    answers: Any = ask({"op": "wallets", "requests": [request]}, data)
    if as_json:
        print_json(answers[0])
    else:
        _tell(answers[0])
    if answers[0]["code"] != "DONE":
        raise typer.Exit(REFUSED_EXIT)


def _tell(answer: dict[str, Any]) -> None:
    if answer["code"] != "DONE":
        print(f"{printable(str(answer['id']))}: {answer['code']}: {printable(answer['detail'])}")
        return
    for moved in (answer, answer.get("to")):
        if moved is not None:
            print(
                f"{answer['operation']}: {moved['amount']} {moved['currency']} to wallet {moved['wallet']} of account "
                f"{moved['account']}: {moved['balance_before']} before, {moved['balance_after']} after"
            )


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    wallet_app.command(epilog="Example: octroi wallet show ana")(show)
    example = "Example: octroi wallet top-up ben -w credit -n '10 EUR' --id payment-815 --expires 2027-01-01T00:00:00Z"
    wallet_app.command(epilog=example)(top_up)
    example = (
        "Example: octroi wallet adjust ben --wallet credit --amount '-2 EUR' --id ticket-7 --reason 'charged twice'"
    )
    wallet_app.command(epilog=example)(adjust)
    example = "Example: octroi wallet transfer ben --wallet credit --amount '2 EUR' --to-wallet gift --id move-1"
    wallet_app.command(epilog=example)(transfer)
    wallet_app.command(epilog="Example: octroi wallet send payments.jsonl")(send)
    app.add_typer(wallet_app, name="wallet")
