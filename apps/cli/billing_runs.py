"""`octroi bill run`: plan, execute, review, validate, cancel and report billing runs."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from apps.cli.deciding import ask
from apps.cli.failures import honest, say
from apps.cli.options import AsJson, Data
from apps.cli.output import count, print_json, print_table

Run = Annotated[str, typer.Argument(metavar="RUN", help="Key of the run, such as 2026-10.")]
WHY = {
    "taken_back": "taken back before it was billed",
    "in_units": "priced in units, which is no money",
    "paid_in_advance": "paid by prepaid wallets",
    "not_in_catalog": "its subscription or charge is no longer in the catalog",
    "tax_unknown": "nobody knows which tax is due",
    "below_threshold": "below the threshold",
    "nothing_to_pay": "nothing to pay",
}
app = typer.Typer(help="Billing runs: from rated usage to invoices.", no_args_is_help=True)


@app.command(epilog="Example: octroi bill run plan 2026-10 --until 2026-11-01")
@honest
def plan(
    run: Run,
    until: Annotated[
        str | None,
        typer.Option("--until", metavar="DAY", help="Bill periods that have ended by this day (default: today)."),
    ] = None,
    cycle: Annotated[
        str | None, typer.Option("--cycle", help="Billing cycle (default: the catalog's default).")
    ] = None,
    account: Annotated[
        list[str] | None, typer.Option("--account", help="Only this billing account; repeatable.")
    ] = None,
    date: Annotated[str | None, typer.Option("--date", metavar="DAY", help="Day of the invoices.")] = None,
    ahead: Annotated[bool, typer.Option("--ahead", help="Bill a period that has not ended.")] = False,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Freeze what a billing run bills, and draft it to say what that comes to. Nothing is billed; a plan that is there is kept.

    A plan fixes usage (of entries of the log before now), period, dates, the terms of the cycle and the catalog that decides
    about taxes. Later usage goes to the next run.
    """
    asked = {"until": until, "cycle": cycle, "accounts": account or [], "date": date, "ahead": ahead}
    told = ask({"op": "bill_run", "step": "plan", "run": run, **asked}, data)
    told |= _until_done(run, {"step": "execute"}, "done", data)
    _print(told, f"planned as {told['plan']}", as_json=as_json)


@app.command(epilog="Example: octroi bill run execute 2026-10")
@honest
def execute(run: Run, data: Data = None, as_json: AsJson = False) -> None:
    """Draft the invoices of a plan, part by part. Interrupted, it goes on where it was: the same plan makes the same bytes."""
    told = _until_done(run, {"step": "execute"}, "done", data)
    if as_json:
        print_json(told)
        return
    print(f"run {run}: {count(told['parts'], 'part')} drafted")
    _print_sums(told)


@app.command(epilog="Example: octroi bill run review 2026-10 --all")
@honest
def review(
    run: Run,
    every: Annotated[bool, typer.Option("--all", help="All drafts, not only suspects.")] = False,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """List drafts that somebody should look at: of zero, below zero, or several times what the account was billed last."""
    told = ask({"op": "bill_run", "step": "review", "run": run, "all": every}, data)
    if as_json:
        print_json(told)
        return
    print(f"run {run}: {count(told['found'], 'draft' if every else 'suspect')}")
    if told["invoices"]:
        names = ["account", "currency", "split", "items", "net", "tax", "gross", "to_pay", "suspect"]
        print_table("", names, [[row[name] for name in names] for row in told["invoices"]])


@app.command(epilog="Example: octroi bill run validate 2026-10 --without ana")
@honest
def validate(
    run: Run,
    without: Annotated[list[str] | None, typer.Option("--without", help="Leave this account for a later run.")] = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Issue the drafts of a run: they get numbers, without a gap, and never change any more; their items are billed.

    Interrupted, it goes on where it was. Corrections of what is issued are refunds on the next invoice, or credit notes.
    """
    told = _until_done(run, {"step": "validate", "without": without or []}, "issued", data)
    _print(told, f"{count(told['invoices_issued'], 'invoice')} issued", as_json=as_json)


@app.command(epilog='Example: octroi bill run cancel 2026-10 --reason "wrong tariff"')
@honest
def cancel(
    run: Run,
    reason: Annotated[str, typer.Option("--reason", help="Why.")],
    rest: Annotated[
        bool, typer.Option("--rest", help="Of a run that is issued in part, the rest: what was issued stays.")
    ] = False,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Drop a run, or what of it is not issued: its usage is free for another run, of another key."""
    told = ask({"op": "bill_run", "step": "cancel", "run": run, "reason": reason, "rest": rest}, data)
    if as_json:
        print_json(told)
        return
    kept = f", {told['issued']} of {count(told['parts'], 'part')} issued before" if told["issued"] else ""
    print(f"run {run} {told['state']}: {reason}{kept}")


@app.command(epilog="Example: octroi bill run report 2026-10")
@honest
def report(run: Run, data: Data = None, as_json: AsJson = False) -> None:
    """Say how far a run is, and which numbers it took."""
    told = ask({"op": "bill_run", "step": "report", "run": run}, data)
    _print(told, told["state"], as_json=as_json)


def _until_done(run: str, step: dict[str, Any], name: str, data: Any) -> dict[str, Any]:
    """Ask for steps until all parts are done: between two of them, whoever owns the data does other things."""
    while True:
        told: dict[str, Any] = ask({"op": "bill_run", "run": run, **step}, data)
        if told[name] == told["parts"]:
            return told
        say(f"run {run}: {told[name]} of {count(told['parts'], 'part')}")


def _print(told: dict[str, Any], what: str, *, as_json: bool) -> None:
    if as_json:
        print_json(told)
        return
    print(f"run {told['run']}: {what}, cycle {told['cycle']}, period {told['period_start']} to {told['period_end']}")
    print(f"  invoices of {told['invoice_date']}, due {told['due_date']}; usage of entries before {told['cut']}")
    for series, first, number in told.get("series", []):
        print(f"  {series}: {number:,} from {first:,}")
    _print_sums(told)


def _print_sums(told: dict[str, Any]) -> None:
    if told.get("totals"):
        names = ["currency", "accounts", "invoices", "lines", "items", "net", "tax", "gross"]
        print_table("Invoices", names, [[row[name] for name in names] for row in told["totals"]])
    if told.get("credited"):
        names = ["currency", "credit_notes", "gross"]
        print_table("Credited since", names, [[row[name] for name in names] for row in told["credited"]])
    if told.get("left"):
        names = ["why", "currency", "accounts", "items", "amount"]
        rows = [[WHY[row["why"]], *(row[name] for name in names[1:])] for row in told["left"]]
        print_table("Left out", names, rows)
    if told.get("suspects"):
        print(f"{count(told['suspects'], 'suspect')}: `octroi bill run review {told['run']}` lists them")
