"""Commands that change something, as data: the same whether they are run here or sent to the owner."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from apps.embedded.activation import take_catalog, told
from apps.embedded.back_out import back_out
from apps.embedded.backup import cut
from apps.embedded.bill import bill
from apps.embedded.bill_credit import bill_credit
from apps.embedded.billing_run import bill_run
from apps.embedded.charging_commands import LOOKS, charge_here, look_at
from apps.embedded.correct import (
    EXAMPLE_CHARACTERS,
    EXAMPLES_MAX,
    SKIPPED_TOLD_MAX,
    Correction,
    correct,
)
from apps.embedded.energy import energy
from apps.embedded.energy_reconcile import reconciled
from apps.embedded.engine import Engine
from apps.embedded.fees import charge_fees
from apps.embedded.reports import ClaimReport
from apps.embedded.rerate import rerate
from apps.embedded.rerate_scope import UsageSelection
from apps.embedded.retry import decide, replay
from apps.embedded.selection import Selection, place_of, written
from apps.embedded.simulate import simulate
from apps.embedded.wallet_commands import change_here
from pipelines.spool.lifecycle import Step

SUMMED = (
    "received", "accepted", "absorbed", "duplicate", "superseded", "filtered", "rejected", "parked",
    "edrs", "rated", "unrated",
)  # fmt: skip

DONE = {Step.MARK: "marked", Step.DISCARD: "discarded", Step.REOPEN: "reopened"}
"""What the number of rejections that were decided is called in an answer."""

OPERATIONS = (
    "query", "spool", "balance", *LOOKS, "charge",
    "replay", "mark", "discard", "reopen", "correct", "back_out", "rerate", "bill", "bill_run", "fees", "simulate", "wallets",
    "bill_credit", "cut", "energy", "activate", "diameter",
)  # fmt: skip
"""What an owner can be asked; those before `charge` change nothing."""


class NoPeers(Exception):
    """Peers are asked for, and no server that has any is running."""


def perform(request: dict[str, Any]) -> Callable[[Engine], Any]:
    """Return the action that a request means; a selection of null, written out, means all.

    Raises:
        ValueError, KeyError, TypeError: when the request is none of ours.
    """
    match request["op"]:
        case "replay":
            selection = Selection.from_request(request["selection"])
            return lambda engine: _replayed(*replay(engine, selection))
        case "mark" | "discard" | "reopen" as name:
            selection, reason, step = Selection.from_request(request["selection"]), str(request["reason"]), Step(name)
            return lambda engine: _decided(step, *decide(engine, selection, step, reason))
        case "correct":
            selection, preview = Selection.from_request(request["selection"]), bool(request["preview"])
            values = {str(name): str(value) for name, value in dict(request["values"]).items()}
            return lambda engine: _corrected(correct(engine, selection, values, preview=preview), preview=preview)
        case "back_out":
            file, why, preview = str(request["file"]), str(request["reason"]), bool(request["preview"])
            return lambda engine: back_out(engine, file, why, preview=preview)
        case "rerate":
            usage, why = UsageSelection.from_request(request["selection"]), str(request["reason"])
            preview, image, expect = bool(request["preview"]), request.get("image"), request.get("expect")
            file_of = request.get("csv")
            return lambda engine: rerate(engine, usage, why, preview=preview, image=image, expect=expect, csv=file_of)
        case "bill":
            billed = str(request["file"])
            return lambda engine: bill(engine, billed)
        case "bill_run":
            return lambda engine: bill_run(engine, request)
        case "bill_credit":
            return lambda engine: bill_credit(engine, request)
        case "fees":
            until, look = str(request["until"]), bool(request["preview"])
            return lambda engine: charge_fees(engine, until, preview=look)
        case "energy":
            if request["step"] == "reconcile":
                first, after = str(request["from"]), str(request["to"])
                return lambda engine: reconciled(engine, first, after)
            return lambda engine: energy(engine, request)
        case "simulate":
            usage, top, csv = UsageSelection.from_request(request["selection"]), int(request["top"]), request["csv"]
            old, new, drafts = str(request["old"]), str(request["new"]), bool(request.get("drafts"))
            return lambda engine: simulate(engine, usage, old=old, new=new, top=top, csv=csv, drafts=drafts)
        case "cut":
            return cut
        case "activate":
            return activated
        case "charge":
            asked = [dict(one) for one in request["requests"]]
            return lambda engine: charge_here(engine, asked)
        case "wallets":
            asked = [dict(one) for one in request["requests"]]
            return lambda engine: change_here(engine, asked)
        case "diameter":
            raise NoPeers("no octroi diameter serve runs on this data directory: nobody is connected")
        case name if name in LOOKS:
            return lambda engine: look_at(engine, request)
        case other:
            raise ValueError(f"unknown operation {other!r}")


def activated(engine: Engine) -> dict[str, Any]:
    """Take the catalog directory into force where it differs from what is; return the image that is in force.

    Raises:
        billing.catalog.store.UnableToLoadCatalog: when it is invalid; nothing changed.
    """
    take_catalog(engine)
    return told(engine)


def _replayed(reports: list[ClaimReport], tried: int, left: int) -> dict[str, Any]:
    return {"replayed": tried, "left": left, **_totals(reports)}


def _totals(reports: list[ClaimReport]) -> dict[str, Any]:
    totals = {column: sum(report.total(column) for report in reports) for column in SUMMED}
    return {"claims": [report.entry.claim for report in reports], **totals}


def _corrected(found: Correction, *, preview: bool) -> dict[str, Any]:
    """Return what a correction did; of a preview, the first records before and after as well."""
    result = {
        "source": found.source,
        "corrected": found.corrected,
        "skipped": len(found.skipped),
        "skipped_first": [{"id": item.rejection, "why": item.why} for item in found.skipped[:SKIPPED_TOLD_MAX]],
        "left": found.left,
    }
    if not preview:
        return result | _totals(found.reports)
    return result | {
        "files": [
            {"claim": file.root.claim, "name": file.root.name, "records": len(file.rows)} for file in found.files
        ],
        "still_refused": sum(bool(told) for file in found.files for told in file.refused),
        "examples": _examples(found)[:EXAMPLES_MAX],
    }


def _examples(found: Correction) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for file in found.files:
        for place, row in enumerate(file.rows[: EXAMPLES_MAX - len(rows)]):
            before, after = (
                text[place].decode("utf-8", "replace")[:EXAMPLE_CHARACTERS] for text in (file.before, file.after)
            )
            rows.append(
                {"id": written(place_of(row)), "before": before, "after": after, "refused": file.refused[place]}
            )
    return rows


def _decided(step: Step, decided: int, left: int) -> dict[str, Any]:
    return {DONE[step]: decided, "left": left}
