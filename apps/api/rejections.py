"""Routes of records that were refused: what there is, and what to do about it, as `octroi rejects` does.

What a record says is personal: whose call it was. Whoever lacks `rejection:reveal` sees reasons and times, no record, and may
not choose by what records hold either, or the choice would tell.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from apps.api.commanding import carried_out
from apps.api.problems import Problem
from apps.api.resources import Ask, Reply, Route, missing, page
from apps.api.usage_views import Decided, RejectionRow, RejectionView, Replayed, moment, texts_of
from apps.cli.failures import WrongUsage
from apps.cli.output import rows_of
from apps.cli.selecting import places
from apps.embedded.commands import DONE
from apps.embedded.files import UnableToReadArchive
from apps.embedded.retry import UnableToRetry
from apps.embedded.selection import ALL, Selection, UnableToDecide, UnableToSelect, place_of, written
from billing.access.permissions import Resource
from billing.access.store.changes import Changes, masked_text
from pipelines.spool.lifecycle import Step
from sinks.clickhouse.client import UnableToQuery

IDS_MAX = 10_000
REVEAL = "rejection:reveal"
_PERSONAL = ("access_point", "text")
"""Criteria that are about what a record holds."""
_ROWS = "(SELECT * FROM rejection WHERE tenant = {tenant:String})"
_COLUMNS = (
    "claim, record, branch, source, stage, reason, explanation, outcome, status, event_at, access_point, retry_count, "
    "decided_by"
)
_NO_ID = "is no rejection: it is written CLAIM-RECORD or CLAIM-RECORD-BRANCH"
_Text = Annotated[str, Field(min_length=1, max_length=255)]
_Reason = Annotated[str, Field(max_length=1000)]
_Id = Annotated[str, Field(min_length=3, max_length=25)]


class Chosen(BaseModel):
    """Which rejections are meant: by id, or all for which every criterion holds; `all` stands alone."""

    model_config = ConfigDict(extra="forbid")

    ids: Annotated[list[_Id], Field(min_length=1, max_length=IDS_MAX)] | None = None
    code: _Text | None = Field(None, description="the reason, such as UNKNOWN_ACCESS_POINT")
    source: _Text | None = None
    claim: Annotated[int, Field(strict=True, ge=1, lt=2**32)] | None = None
    file: _Text | None = Field(None, description="name of the file that brought the record")
    since: _Text | None = Field(None, description="event time from, ISO 8601; UTC without an offset")
    until: _Text | None = Field(None, description="event time before")
    access_point: _Text | None = Field(None, description="the identifier in the record; needs rejection:reveal")
    status: _Text | None = None
    stage: _Text | None = None
    retries_min: Annotated[int, Field(strict=True, ge=0, lt=2**16)] | None = None
    text: _Text | None = Field(None, description="what the record's text holds; needs rejection:reveal")
    all: Annotated[bool, Field(strict=True)] = Field(False, description="every rejection with which it may be done")


class ToDiscard(Chosen):
    """Rejections that are set aside, and why."""

    reason: Annotated[str, Field(min_length=1, max_length=1000)]


class ToDecide(Chosen):
    """Rejections about which something is decided, and why."""

    reason: _Reason = ""


def _reveals(ask: Ask, source: str) -> bool:
    return ask.caller.may(REVEAL, Resource("Source", source))


def _may_choose(ask: Ask, named: Mapping[str, Any]) -> None:
    """Check that the caller may choose by what records hold, where they do.

    Raises:
        Problem: forbidden.
    """
    if any(named.get(name) is not None for name in _PERSONAL):
        ask.caller.require_whole(REVEAL)


def _row(ask: Ask, row: Mapping[str, Any]) -> dict[str, Any]:
    shown = _reveals(ask, row["source"])
    kept = ("source", "stage", "reason", "explanation", "outcome", "status")
    return {
        "id": written(place_of(dict(row))),
        **{name: row[name] for name in kept},
        "event_at": moment(row["event_at"]),
        "access_point": (row["access_point"] if shown else masked_text(row["access_point"])) or None,
        "retries": row["retry_count"],
        "decided_by": row["decided_by"] or None,
        "masked": not shown,
    }


def _asked(ask: Ask, columns: str, terms: list[str], values: dict[str, Any], limit: int) -> list[dict[str, Any]]:
    """Return rows of the view `rejection` that the caller may see, in the order of the log.

    Raises:
        Problem: bad-request, when the store cannot say.
    """
    engine = ask.engine()
    values = {**values, "tenant": ask.settings.tenant, "rows": limit}
    within = ask.caller.principal.sources
    if within is not None:
        if not within:
            return []
        terms = [*terms, "source IN {within:Array(String)}"]
        values["within"] = sorted(within)
    where = " AND ".join(f"({term})" for term in terms) or ALL
    order = "ORDER BY claim, record, branch LIMIT {rows:UInt32}"
    try:
        return texts_of(rows_of(engine.store.query(f"SELECT {columns} FROM {_ROWS} WHERE {where} {order}", values)))
    except UnableToQuery as error:
        raise Problem("bad-request", "the store cannot answer this: ask for less") from error


def _list(ask: Ask) -> Reply:
    named: dict[str, Any] = {name: one for name, one in ask.query.items() if name in _CRITERIA}
    _may_choose(ask, named)
    terms: list[str] = []
    values: dict[str, Any] = {}
    try:
        if named:
            if "claim" in named:
                named["claim"] = _claim(named["claim"])
            where, values = Selection.from_request(named).where()  # type: ignore[union-attr]
            terms.append(where)
        if ask.after:
            claim, record, branch = places([ask.after])[0]
            terms.append(f"(claim, record, branch) > ({claim}, {record}, {branch})")
    except UnableToSelect as error:
        raise Problem("bad-request", str(error)) from error
    except WrongUsage as error:
        raise Problem("bad-request", f"what starting_after names {_NO_ID}") from error
    rows = _asked(ask, _COLUMNS, terms, values, ask.limit + 1)
    return page(ask, [_row(ask, row) for row in rows], "/v1/rejections", "id")


def _claim(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= len(text) <= 10 or not 1 <= int(text) < 2**32:
        raise Problem("bad-request", "claim is the number of an entry of the log")
    return int(text)


def _read(ask: Ask) -> Reply:
    try:
        claim, record, branch = places([ask.path["rejection"]])[0]
    except WrongUsage as error:
        raise missing() from error
    rows = _asked(ask, "*", [f"(claim, record, branch) = ({claim}, {record}, {branch})"], {}, 1)
    if not rows or not ask.caller.may("rejection:read", Resource("Source", rows[0]["source"])):
        raise missing()
    row = rows[0]
    told = _row(ask, row)
    personal = {"detail": row["detail"], "record": row["raw"], "record_hex": row["raw_hex"].lower()}
    return Reply(
        {
            **told,
            **(dict.fromkeys(personal) if told["masked"] else personal),
            "truncated": row["raw_truncated"],
            "decision_reason": row["decision_reason"],
            "corrects": row["corrects"] or None,
        }
    )


def _selection(ask: Ask, said: Chosen) -> dict[str, Any] | None:
    """Return what the engine takes for a selection, None for all.

    Raises:
        Problem: forbidden, or refused.
    """
    given = said.model_dump(exclude_none=True, exclude={"reason", "all"})
    _may_choose(ask, given)
    if said.all == bool(given):
        raise Problem("refused", "say which rejections, by ids or criteria, or `all` and nothing else")
    if said.all:
        return None
    if "ids" in given:
        try:
            given["ids"] = places(given["ids"])
        except WrongUsage as error:
            raise Problem("refused", f"one of ids {_NO_ID}") from error
    return given


def _carried_out(ask: Ask, request: dict[str, Any]) -> dict[str, Any]:
    assert ask.gate is not None
    try:
        found: dict[str, Any] = carried_out(ask.gate, request)
        return found
    except (UnableToSelect, UnableToDecide, UnableToReadArchive, UnableToRetry, UnableToQuery) as error:
        told = "the store cannot answer this: ask for less" if isinstance(error, UnableToQuery) else str(error)
        raise Problem("refused", told) from error


def _noted(step: Step, request: Mapping[str, Any], done: Mapping[str, Any]) -> Callable[[Changes], None]:
    """Return what writes down who decided: which rejections were meant, without what their records say."""
    meant = dict(request["selection"] or {"all": True})
    if "ids" in meant:
        meant["ids"] = [written((claim, record, branch)) for claim, record, branch in meant["ids"][:100]]
    meant |= {name: masked_text(meant[name]) for name in _PERSONAL if name in meant}
    told = {"meant": meant, "done": dict(done)} | ({"reason": request["reason"]} if request.get("reason") else {})
    return lambda changes: changes.note("rejection", step.value, told)


def _replay(ask: Ask) -> Reply:
    request = {"op": Step.REPLAY.value, "selection": _selection(ask, ask.read(Chosen))}
    done = _carried_out(ask, request)
    told = {name: done[name] for name in Replayed.model_fields}
    return Reply(told, note=_noted(Step.REPLAY, request, told))


def _deciding(step: Step, model: type[ToDecide] | type[ToDiscard]) -> Callable[[Ask], Reply]:
    def decide(ask: Ask) -> Reply:
        said = ask.read(model)
        request = {"op": step.value, "selection": _selection(ask, said), "reason": said.reason}
        done = _carried_out(ask, request)
        told = {"decided": done[DONE[step]], "left": done["left"]}
        return Reply(told, note=_noted(step, request, told))

    return decide


_CRITERIA = {
    "source": "of this source",
    "code": "with this reason, such as UNKNOWN_ACCESS_POINT",
    "status": "OPEN, TO_REPROCESS, DISCARDED, REPLAYED or CANCELLED",
    "stage": "refused by this stage: decode, resource or account",
    "claim": "brought by this entry of the log",
    "file": "brought by the file of this name",
    "since": "event time from, ISO 8601; UTC without an offset",
    "until": "event time before",
    "access_point": "with this identifier; needs rejection:reveal",
    "text": "with this in the record's text, in any case; needs rejection:reveal",
}
ROUTES = [
    Route(
        "GET", "/v1/rejections", "rejection:list", "List refused records and unrated EDRs, in the order of the log", _list,
        RejectionRow, is_list=True, has_pages=True, query=_CRITERIA, engine=True,
    ),
    Route(
        "GET", "/v1/rejections/{rejection}", "rejection:read", "Show a refused record", _read, RejectionView, engine=True,
    ),
    Route(
        "POST", "/v1/rejections/replay", "rejection:replay", "Try rejections again under the catalog in force", _replay,
        Replayed, body=Chosen, whole=True, engine=True,
    ),
    Route(
        "POST", "/v1/rejections/mark", "rejection:mark", "Mark open rejections to be tried again later",
        _deciding(Step.MARK, ToDecide), Decided, body=ToDecide, whole=True, engine=True,
    ),
    Route(
        "POST", "/v1/rejections/discard", "rejection:discard", "Set rejections aside, with a reason",
        _deciding(Step.DISCARD, ToDiscard), Decided, body=ToDiscard, whole=True, engine=True,
    ),
    Route(
        "POST", "/v1/rejections/reopen", "rejection:reopen", "Open rejections again that were marked or discarded",
        _deciding(Step.REOPEN, ToDecide), Decided, body=ToDecide, whole=True, engine=True,
    ),
]  # fmt: skip
