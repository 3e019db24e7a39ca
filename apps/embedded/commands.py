"""Commands that change something, as data: the same whether they are run here or sent to the owner."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from apps.embedded.back_out import back_out
from apps.embedded.engine import ClaimReport, Engine
from apps.embedded.retry import Selection, discard, replay

SUMMED = (
    "received", "accepted", "absorbed", "duplicate", "superseded", "filtered", "rejected", "parked",
    "edrs", "rated", "unrated",
)  # fmt: skip

OPERATIONS = ("query", "balance", "replay", "discard", "back_out")
"""What an owner can be asked; the first two change nothing."""


def _selection(value: dict[str, Any] | None) -> Selection | None:
    if value is None:
        return None
    ids = tuple((int(claim), int(record), int(branch)) for claim, record, branch in value["ids"])
    return Selection(ids, value["code"], value["source"], value["claim"])


def perform(request: dict[str, Any]) -> Callable[[Engine], Any]:
    """Return the action that a request means; a selection of null, written out, means all.

    Raises:
        ValueError, KeyError, TypeError: when the request is none of ours.
    """
    match request["op"]:
        case "replay":
            selection = _selection(request["selection"])
            return lambda engine: _replayed(*replay(engine, selection))
        case "discard":
            selection, reason = _selection(request["selection"]), str(request["reason"])
            return lambda engine: _discarded(*discard(engine, selection, reason))
        case "back_out":
            file, why, preview = str(request["file"]), str(request["reason"]), bool(request["preview"])
            return lambda engine: back_out(engine, file, why, preview=preview)
        case other:
            raise ValueError(f"unknown operation {other!r}")


def _replayed(reports: list[ClaimReport], tried: int, left: int) -> dict[str, Any]:
    totals = {column: sum(report.total(column) for report in reports) for column in SUMMED}
    return {"claims": [report.entry.claim for report in reports], "replayed": tried, "left": left, **totals}


def _discarded(discarded: int, left: int) -> dict[str, Any]:
    return {"discarded": discarded, "left": left}
