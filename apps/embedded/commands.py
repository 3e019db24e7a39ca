"""Commands that change something, as data: the same whether they are run here or sent to the owner."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from apps.embedded.back_out import back_out
from apps.embedded.engine import ClaimReport, Engine
from apps.embedded.retry import decide, replay
from apps.embedded.selection import Selection
from pipelines.spool.lifecycle import Step

SUMMED = (
    "received", "accepted", "absorbed", "duplicate", "superseded", "filtered", "rejected", "parked",
    "edrs", "rated", "unrated",
)  # fmt: skip

DONE = {Step.MARK: "marked", Step.DISCARD: "discarded", Step.REOPEN: "reopened"}
"""What the number of rejections that were decided is called in an answer."""

OPERATIONS = ("query", "balance", "replay", "mark", "discard", "reopen", "back_out")
"""What an owner can be asked; the first two change nothing."""


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
        case "back_out":
            file, why, preview = str(request["file"]), str(request["reason"]), bool(request["preview"])
            return lambda engine: back_out(engine, file, why, preview=preview)
        case other:
            raise ValueError(f"unknown operation {other!r}")


def _replayed(reports: list[ClaimReport], tried: int, left: int) -> dict[str, Any]:
    totals = {column: sum(report.total(column) for report in reports) for column in SUMMED}
    return {"claims": [report.entry.claim for report in reports], "replayed": tried, "left": left, **totals}


def _decided(step: Step, decided: int, left: int) -> dict[str, Any]:
    return {DONE[step]: decided, "left": left}
