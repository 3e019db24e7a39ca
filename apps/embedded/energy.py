"""Operations of a supplier of energy: made of what files brought, executed, retried and abandoned, as entries of the log."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from apps.embedded.demanding import demand_sources, state_demand
from apps.embedded.differencing import decided_otherwise, kept, standing_claims, state_differences
from apps.embedded.engine import Engine
from apps.embedded.fees import charge_fees
from apps.embedded.rerated import replaced_places
from apps.embedded.retry import archived_file, decide, replay
from apps.embedded.selection import Selection, UnableToSelect
from billing.energy.rules_operations import (
    AWAITS,
    ITEM_FRAME,
    MOVE_FRAME,
    REFUSAL_FRAME,
    Kind,
    Status,
    operations,
    origins_of,
)
from billing.energy.rules_yearly import STATED_FRAME, without_real_index
from pipelines.mediation.enedis.words import annuls
from pipelines.mediation.explain import raw_record
from pipelines.spool.family import RECORD, root_of
from pipelines.spool.journal import Cancel, EdrRetry, FileClaim, RecordRetry, Rerate, with_branch
from pipelines.spool.lifecycle import Step, decisions
from schemas.fees import FEES, POINT_PREFIX
from schemas.source_energy import EnergySource

ROWS_MAX = 200_000
"""Rows of the store that one listing looks at: say a point where there are more."""
KIND_OF = {"quantities": Kind.CONSO, "readings": Kind.CONSO, "intervals": Kind.CONSO, "lines": Kind.FRAIS}
_ID = re.compile(r"op-(\d{1,10})-(\d{1,10})", re.ASCII)
_TOTALS = ("rated", "unrated", "rejected", "parked")
_PARIS = ZoneInfo("Europe/Paris")
_AT = "formatDateTime(event_at, '%FT%TZ')"
_MEANT = "source IN {sources:Array(String)} AND ({all:Bool} OR access_point IN {points:Array(String)})"
_ITEMS = f"""
SELECT claim, record, source, access_point AS point, subscription, {_AT} AS start, amount, currency, status
FROM rated_item WHERE {_MEANT} ORDER BY claim DESC, record LIMIT {ROWS_MAX}
"""
_REFUSALS = f"""
SELECT claim, record, branch, source, access_point AS point, ifNull({_AT}, '') AS start, reason, detail,
  retry_count AS retries, status, decision_reason AS why
FROM rejection WHERE {_MEANT} ORDER BY claim DESC, record LIMIT {ROWS_MAX}
"""
_OF_PART = "cityHash64(access_point) % {parts:UInt32} = {part:UInt32}"
_PLACES = f"""
SELECT DISTINCT claim, record FROM (
  SELECT claim, record FROM rated_item WHERE {_MEANT} AND status NOT IN ('reversal', 'refund') AND {_OF_PART}
  UNION ALL SELECT claim, record FROM rejection WHERE {_MEANT} AND {_OF_PART}
) ORDER BY claim DESC, record LIMIT {ROWS_MAX}
"""
_COUNT = f"""
SELECT (SELECT count() FROM rated_item WHERE {_MEANT}) + (SELECT count() FROM rejection WHERE {_MEANT}) AS places
"""
_NAMES = ("id", "grid", "calendar", "time_class", "measure", "direction")
"""Columns of quantities that name what is stated, with the period where the distributor gives no id."""
_LOGS = """
SELECT claim, formatDateTime(received_at, '%FT%TZ') AS at, file, source, retry, received, accepted, absorbed, duplicate,
  superseded, filtered, rejected, parked
FROM record_sheet WHERE source IN {sources:Array(String)} ORDER BY claim DESC LIMIT 1000
"""


class UnableToOperate(ValueError):
    """What is asked of operations cannot be done; nothing changed."""


def energy(engine: Engine, request: dict[str, Any]) -> Any:
    """Do one step, or look at something.

    Raises:
        UnableToOperate: when the catalog in force has no sources of energy, or an operation is not there.
        What retries, discards and fees raise.
    """
    step = str(request["step"])
    engine.flush()
    if step == "execute":
        return execute(engine, request.get("until"))
    if step in ("retry", "abandon"):
        return _decided(engine, step, [str(one) for one in request["ids"]], str(request.get("reason", "")))
    if step == "create":
        return created(engine, request.get("until"))
    if step == "list":
        return listed(engine, request.get("point"))
    if step == "records":
        return list(records(engine, request.get("point"), tuple(request["kinds"])))
    if step == "logs":
        return engine.store.query(_LOGS, {"sources": list(energy_sources(engine))}).to_pylist()
    if step == "point":
        return whole_story(engine, str(request["point"]))
    if step == "yearly":
        return yearly(engine, str(request["at"]))
    raise ValueError(f"unknown step {step!r}")


def energy_sources(engine: Engine) -> dict[str, EnergySource]:
    """Return the sources of energy in France of the catalog in force; none where there is demand to state.

    Raises:
        UnableToOperate: when there is neither.
    """
    catalog = engine.active.catalog if engine.active is not None else None
    found = {} if catalog is None else {c: s for c, s in catalog.sources.items() if isinstance(s, EnergySource)}
    if not found and not demand_sources(engine):
        raise UnableToOperate(
            "the catalog in force has no source of the formats enedis and grdf, and none with demand_to"
        )
    return found


def created(engine: Engine, until: str | None) -> dict[str, Any]:
    """State what indexes differ by, and demand; count operations by kind and status, and say which fees are due."""
    stated, (windows, again) = state_differences(engine), state_demand(engine)
    told = listed(engine, None)
    counts = Counter((one["kind"], one["status"]) for one in told["operations"])
    fees = charge_fees(engine, until, preview=True) if until and _has_fees(engine) else None
    if fees is not None:
        counts[Kind.ABO, Status.TO_DO] += fees["charged"] + fees["taken_back"]
    rows = [{"kind": kind, "status": status, "operations": counts[kind, status]} for kind in Kind for status in Status]
    return {"counts": rows, "fees": fees, "left": told["left"], "differences": sum(stated.values()),
            "windows": windows, "windows_again": again}  # fmt: skip


def execute(engine: Engine, until: str | None) -> dict[str, Any]:
    """Execute all that waits, and charge the fees that are due until a day; done again, it changes nothing.

    Each file's records are one entry of the log, so that a crash leaves what was not executed for the next time.
    """
    stated, (windows, again) = state_differences(engine), state_demand(engine)
    tried, totals = 0, Counter[str]()
    for source in energy_sources(engine):
        left = 1
        while left:
            try:
                reports, some, left = replay(engine, Selection(code=AWAITS, source=source))
            except UnableToSelect:
                break
            tried += some
            for report in reports:
                totals.update({name: report.total(name) for name in _TOTALS})
    fees = charge_fees(engine, until, preview=False) if until and _has_fees(engine) else None
    return {
        "executed": tried,
        "differences": sum(stated.values()),
        "windows": windows,
        "windows_again": again,
        **{name: totals[name] for name in _TOTALS},
        "fees": fees,
    }


def _has_fees(engine: Engine) -> bool:
    return engine.active is not None and bool(engine.active.catalog.fees)


def _decided(engine: Engine, step: str, ids: list[str], reason: str) -> dict[str, Any]:
    wanted = {f"op-{int(found[1])}-{int(found[2])}" for one in ids if (found := _ID.fullmatch(one))}
    if len(wanted) < len(set(ids)) or not wanted:
        raise UnableToOperate("operations are named as `octroi energy traitement` shows them: op-3-17")
    there = {one["id"]: one for one in listed(engine, None)["operations"] if one["id"] in wanted}
    places = tuple(place for one in there.values() for place in one["refusals"])
    missing = sorted(one for one in wanted if not there.get(one, {}).get("refusals"))
    if missing:
        raise UnableToOperate(f"{missing[0]} is no operation that waits or was refused")
    if step == "abandon":
        done, _ = decide(engine, Selection(ids=places), Step.DISCARD, reason)
        return {"abandoned": done}
    reports, tried, _ = replay(engine, Selection(ids=places))
    return {"retried": tried, "rated": sum(report.total("rated") for report in reports)}


def listed(engine: Engine, point: str | None) -> dict[str, Any]:
    """Return the operations of a point, or all of them, and whether there are more than one listing looks at."""
    sources = energy_sources(engine)
    kinds = {code: KIND_OF[source.records] for code, source in sources.items() if source.records in KIND_OF}
    kinds[FEES] = Kind.ABO
    owned = _points(engine)
    fee_points = [f"{POINT_PREFIX}{sub}" for sub, at in owned.items() if at == point]
    asked = {"sources": list(kinds), "all": point is None, "points": [point or "", *fee_points]}
    items = pl.DataFrame(engine.store.query(_ITEMS, asked)).cast(dict(ITEM_FRAME))  # type: ignore[arg-type]
    refusals = pl.DataFrame(engine.store.query(_REFUSALS, asked)).cast(dict(REFUSAL_FRAME))  # type: ignore[arg-type]
    found = operations(items, refusals, _moves(engine), kinds)
    for one in found:
        one["amount"] = str(one["amount"])
        if one["point"].startswith(POINT_PREFIX):
            one["point"] = owned.get(one["point"].removeprefix(POINT_PREFIX), one["point"])
    return {"operations": found, "left": max(len(items), len(refusals)) == ROWS_MAX}


def _points(engine: Engine) -> dict[str, str]:
    """Return the meter point of each subscription that has one."""
    assert engine.active is not None
    rows = engine.active.catalog.access_points.select("subscription", "access_point").iter_rows()
    return {sub: point for sub, point in rows if not point.startswith(POINT_PREFIX)}


def _moves(engine: Engine) -> pl.DataFrame:
    """Return where records and EDRs that were tried or rated again came from: MOVE_FRAME."""
    rows: list[tuple[int, int | None, int, int | None]] = []
    for entry in engine.journal.entries:
        if isinstance(entry, RecordRetry | Cancel) and entry.file_claim:
            rows.append((entry.claim, None, entry.file_claim, None))
        elif isinstance(entry, EdrRetry) or (isinstance(entry, FileClaim) and entry.corrects):
            rows += [(entry.claim, at, *with_branch(one)[:2]) for at, one in enumerate(entry.refused)]
        elif isinstance(entry, Rerate):
            place, _ = replaced_places(engine.directory.spool.archive, entry)
            rows += [(entry.claim, at, int(one) >> 32, int(one) & RECORD) for at, one in enumerate(place)]
    return pl.DataFrame(rows, schema=MOVE_FRAME, orient="row")


def origins(engine: Engine) -> Callable[[int, int], tuple[int, int]]:
    """Return what says which claim and record brought what stands at a claim and record."""
    return origins_of(_moves(engine))


def records(
    engine: Engine, point: str | None, kinds: tuple[str, ...], part: int = 0, parts: int = 1
) -> Iterator[dict[str, Any]]:
    """Yield what flows said of a point, or of all, record by record as their sources read it, from the archive.

    That is what became usage, was refused, or is kept for differences: what only opened a series, or was filtered, is not.

    Args:
        kinds: of records, as sources say. part, parts: only of some of the points, in so many parts.
    """
    known = {code: source for code, source in energy_sources(engine).items() if source.records in kinds}
    keeping = [code for code, source in known.items() if getattr(source, "differences_to", None) is not None]
    if keeping:
        yield from _kept_readings(engine, point, keeping)
    asked = {"sources": list(known), "all": point is None, "points": [point or ""], "part": part, "parts": parts}
    wanted: dict[int, set[int]] = {}
    for row in engine.store.query(_PLACES, asked).to_pylist():
        entry = engine.journal.entries[row["claim"] - 1]
        if isinstance(entry, FileClaim | RecordRetry | Cancel):
            wanted.setdefault(root_of(engine.journal.entries, row["claim"]).claim, set()).add(row["record"])
        elif isinstance(entry, EdrRetry):
            claim, record, _ = with_branch(entry.refused[row["record"]])
            wanted.setdefault(root_of(engine.journal.entries, claim).claim, set()).add(record)
    for claim in sorted(wanted):
        root, file = archived_file(engine, claim)
        again = RecordRetry(
            claim=engine.journal.next_claim, received_at=root.received_at, file_claim=claim,
            records=tuple(sorted(wanted[claim])), refused=(), retry_count=1,
        )  # fmt: skip
        for cdrs in engine.decoded(again, root, file):
            for row_index in range(len(cdrs)):
                said = json.loads(raw_record(cdrs, row_index))
                yield {
                    "claim": claim,
                    "record": int(cdrs.record[row_index]),
                    "source": root.source,
                    "file": root.name,
                    **said,
                }


def _kept_readings(engine: Engine, point: str | None, codes: list[str]) -> Iterator[dict[str, Any]]:
    found = kept(engine, standing_claims(engine, codes))
    mine = (one for one in found if point is None or one[2].get("point") == point)
    for claim, record, said in islice(mine, ROWS_MAX):
        yield {"claim": claim.claim, "record": record, "source": claim.source, "file": claim.name, **said}


def whole_story(engine: Engine, point: str) -> dict[str, Any]:
    """Return all that is known of a point: whose it was, what flows said, and what was billed."""
    assert engine.active is not None
    owners = engine.active.catalog.access_points.filter(pl.col("access_point") == point)
    bought = owners.join(engine.active.catalog.subscriptions, on="subscription", how="left")
    told = listed(engine, point)
    return {
        "point": point,
        "subscriptions": bought.select("subscription", "account", "offer", "start_at", "end_at").to_dicts(),
        "readings": list(records(engine, point, ("quantities", "readings"))),
        "events": list(records(engine, point, ("events",))),
        "fees": list(records(engine, point, ("lines",))),
        "operations": told["operations"],
        "left": told["left"],
    }


def yearly(engine: Engine, at: str) -> list[dict[str, Any]]:
    """Return the points without a real index for more than twelve months before a day."""
    try:
        day = date.fromisoformat(at)
    except ValueError as error:
        raise UnableToOperate(f'"{at}" is no day: write it as 2026-09-01') from error
    withdrawn = decisions(engine.journal.entries).withdrawn
    sources = [code for code, source in energy_sources(engine).items() if source.records == "quantities"]
    asked = {"sources": sources, "all": True, "points": [""]}
    [counted] = engine.store.query(_COUNT, asked).to_pylist()
    decided = decided_otherwise(engine, standing_claims(engine, sources))
    parts, late = 1 + 2 * counted["places"] // ROWS_MAX, []
    for part in range(parts):
        rows = []
        for said in records(engine, None, ("quantities",), part, parts):
            start, end = _day(said.get("start")), _day(said.get("end"))
            gone = said["claim"] in withdrawn or (said["claim"], said["record"]) in decided
            if not gone and start is not None and end is not None:
                period = "" if said.get("id") else f"{said['start']}/{said['end']}"
                key = "\t".join([said["source"], period, *(said.get(name) or "" for name in _NAMES)])
                version = said.get("version") or ""
                version = version if re.fullmatch("[0-9]{1,18}", version) else "0"  # of what is refused, any text
                rows.append((said["point"], start, end, said.get("nature") or "", key, int(version), annuls(version)))
        late.append(without_real_index(pl.DataFrame(rows, schema=STATED_FRAME, orient="row"), day))
    found = pl.concat(late).sort("since", "point")
    return [{**row, "since": row["since"].isoformat()} for row in found.to_dicts()]


def _day(text: str | None) -> date | None:
    try:
        return datetime.fromisoformat(text or "").replace(tzinfo=UTC).astimezone(_PARIS).date()
    except ValueError:
        return None
