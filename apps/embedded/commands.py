"""Commands that change something, as data: the same whether they are run here or sent to the owner."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from apps.embedded.engine import ClaimReport, Engine
from apps.embedded.retry import Selection, discard, replay
from schemas.output import BlockHeader
from sinks.clickhouse.store import Store

SUMMED = (
    "received", "accepted", "absorbed", "duplicate", "superseded", "filtered", "rejected", "parked",
    "edrs", "rated", "unrated",
)  # fmt: skip


def selection_to_json(selection: Selection | None) -> dict[str, Any] | None:
    """Return a selection as JSON; None stands for all."""
    if selection is None:
        return None
    return {"ids": list(selection.ids), "code": selection.code, "source": selection.source, "claim": selection.claim}


def _selection(value: dict[str, Any] | None) -> Selection | None:
    if value is None:
        return None
    ids = tuple((int(claim), int(record)) for claim, record in value["ids"])
    return Selection(ids, value["code"], value["source"], value["claim"])


def perform(request: dict[str, Any]) -> Callable[[Engine], Any]:
    """Return the action that a request means.

    Raises:
        ValueError: when the operation is unknown.
    """
    selection = _selection(request.get("selection"))
    if request["op"] == "replay":
        return lambda engine: summarise(replay(engine, selection))
    if request["op"] == "discard":
        return lambda engine: {"discarded": discard(engine, selection, request["reason"])}
    raise ValueError(f"unknown operation {request['op']!r}")


def totals(headers: tuple[BlockHeader, ...]) -> dict[str, int]:
    """Return the sums of the sheets of some blocks."""
    return {column: sum(int(getattr(header, column)) for header in headers) for column in SUMMED}


def summarise(reports: list[ClaimReport]) -> dict[str, Any]:
    """Return what a list of claims came to."""
    headers = tuple(header for report in reports for header in report.headers)
    return {"claims": [report.entry.claim for report in reports], **totals(headers)}


def differences_as_json(store: Store) -> list[dict[str, Any]]:
    """Return what the balance check finds."""
    return [
        {"claim": found.claim, "what": found.what, "expected": str(found.expected), "found": str(found.found)}
        for found in store.balance_check()
    ]
