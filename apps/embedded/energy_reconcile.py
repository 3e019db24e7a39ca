"""The distributor's invoices beside what we billed: lines and periods from the archive, amounts from the store."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from apps.embedded.energy import UnableToOperate, energy_sources, origins, records
from apps.embedded.engine import Engine
from billing.energy.rules_reconcile import Billed, reconcile
from pipelines.spool.journal import FileClaim
from schemas.fees import DAY_AFTER, FEES, FIRST_DAY, POINT_PREFIX

NETWORK = "turpe-"
"""The beginning of charges for the network: what else we bill, no distributor invoices."""
_PARIS = ZoneInfo("Europe/Paris")
_ITEMS = """
SELECT claim, record, source, access_point, charge, toString(amount) AS amount FROM rated_item
WHERE source IN {sources:Array(String)} AND status IN ('rated', 'billed') AND amount != 0
ORDER BY claim, record
"""


def reconciled(engine: Engine, first: str, after: str) -> list[dict[str, Any]]:
    """Return what differs in [first, after), days of Paris (`reconcile`). What is passed on is of the element that it came by.

    Raises:
        UnableToOperate: when one is no day, or they do not follow.
    """
    try:
        days = date.fromisoformat(first), date.fromisoformat(after)
    except ValueError as error:
        raise UnableToOperate(f"{first} and {after} are not both days: write them as 2026-09-01") from error
    if days[0] >= days[1]:
        raise UnableToOperate(f"{first} does not lie before {after}")
    lines = {}
    for said in records(engine, None, ("lines",)):
        found = _line(said)
        if found is not None:
            lines[said["claim"], said["record"]] = found
    told = reconcile(list(lines.values()), list(_ours(engine, lines)), first=days[0], after=days[1])
    plain = ("first", "after", "distributor", "ours", "difference")
    return [{**row, **{name: str(row[name]) for name in plain}} for row in told]


def _line(said: dict[str, Any]) -> Billed | None:
    """Return a line of an invoice; its last day is a day of it."""
    try:
        start, end, amount = date.fromisoformat(said["start"]), date.fromisoformat(said["end"]), Decimal(said["amount"])
    except (KeyError, ValueError, TypeError, InvalidOperation):
        return None
    return Billed(
        said.get("point", ""), said.get("stem") or said.get("element", ""), start, end + timedelta(days=1), amount
    )


def _ours(engine: Engine, lines: dict[tuple[int, int], Billed]) -> list[Billed]:
    energies = {
        (said["claim"], said["record"]): (str(said["start"]), str(said["end"]))
        for said in records(engine, None, ("quantities",))
    }
    assert engine.active is not None
    rows = engine.active.catalog.access_points.select("subscription", "access_point").iter_rows()
    owned = {sub: point for sub, point in rows if not point.startswith(POINT_PREFIX)}
    sources = [*energy_sources(engine), FEES]
    origin, found = origins(engine), []
    fees: dict[int, list[tuple[date, date]]] = {}
    for row in engine.store.query(_ITEMS, {"sources": sources}).to_pylist():
        place, amount = origin(row["claim"], row["record"]), Decimal(row["amount"])
        if place in lines:
            line = lines[place]
            found.append(Billed(line.point, line.element, line.first, line.after, amount))
        elif not row["charge"].startswith(NETWORK):
            continue
        elif row["source"] == FEES:
            if place[0] not in fees:
                fees[place[0]] = _fee_days(engine, place[0])
            days = fees[place[0]][place[1]]
            point = owned.get(row["access_point"].removeprefix(POINT_PREFIX), row["access_point"])
            found.append(Billed(point, row["charge"], *days, amount))
        elif place in energies:
            start, end = (_day(text) for text in energies[place])
            found.append(Billed(row["access_point"], row["charge"], start, end, amount))
    return found


def _fee_days(engine: Engine, claim: int) -> list[tuple[date, date]]:
    entry = engine.journal.entries[claim - 1]
    assert isinstance(entry, FileClaim)
    frame = pl.read_parquet(engine.directory.spool.archive / entry.stored, columns=[FIRST_DAY, DAY_AFTER])
    return list(frame.iter_rows())


def _day(text: str) -> date:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).astimezone(_PARIS).date()
