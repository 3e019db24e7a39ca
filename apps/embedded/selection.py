"""Which rejections a command means, and whether what it wants may be done with them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any

from apps.embedded.engine import Engine
from pipelines.spool.family import root_of
from pipelines.spool.journal import FileClaim
from pipelines.spool.lifecycle import ALLOWED, Place, Status, Step, decisions
from schemas.rejection import Reason, Stage

SELECTED_MAX = 100_000
"""Rejections one command answers at most; the rest stays as it is for the next."""
SHOWN_MAX = 5
ALL = "1"
_DONE = {
    Step.REPLAY: "tried again", Step.MARK: "marked", Step.DISCARD: "discarded", Step.REOPEN: "reopened",
    Step.CORRECT: "corrected",
}  # fmt: skip
_COLUMNS = """
SELECT f.claim AS claim, f.record AS record, f.branch AS branch, f.stage AS stage, f.reason AS reason,
  f.retry_count AS retry_count, f.edr AS edr, f.raw AS raw, f.raw_truncated AS raw_truncated, s.code AS source
FROM fact_rejection AS f LEFT JOIN dim_source AS s ON s.id = f.source
"""


class UnableToSelect(ValueError):
    """A selection of rejections is empty or wrong."""


class UnableToDecide(ValueError):
    """A rejection is not in a status from which this may be done; nothing changed."""


def by_file(engine: Engine, rows: Iterable[dict[str, Any]]) -> list[tuple[FileClaim, list[dict[str, Any]]]]:
    """Return rejections of records by the file that they came in, in the order of the log."""
    entries = engine.journal.entries
    found: dict[int, list[dict[str, Any]]] = {}
    for row in sorted(rows, key=lambda row: (row["claim"], row["record"], row.get("branch", 0))):
        found.setdefault(root_of(entries, row["claim"]).claim, []).append(row)
    return [(root_of(entries, claim), found[claim]) for claim in sorted(found)]


@dataclass(frozen=True, slots=True)
class Selection:
    """Which rejections are meant; every given criterion must hold.

    Attributes:
        ids: claim, record and branch. code: the reason's name. source, file: codes, the file's name.
        claim: of the rejection. since, until: ISO 8601, event time from, and before; UTC unless it has an offset.
        access_point, status, stage: as the view `rejection` writes them. retries_min: tried again at least so often.
        text: what the record's text holds, in any case.
    """

    ids: tuple[Place, ...] = ()
    code: str | None = None
    source: str | None = None
    claim: int | None = None
    file: str | None = None
    since: str | None = None
    until: str | None = None
    access_point: str | None = None
    status: str | None = None
    stage: str | None = None
    retries_min: int | None = None
    text: str | None = None

    @classmethod
    def from_request(cls, value: dict[str, Any] | None) -> Selection | None:
        """Return what a request selects; None, which means all, for None.

        Raises:
            KeyError, TypeError, ValueError: when it is none of ours.
        """
        if value is None:
            return None
        given = dict(value)
        unknown = set(given) - {item.name for item in fields(cls)}
        if unknown:
            raise ValueError(f"no criterion {', '.join(sorted(unknown))}")
        ids = tuple((int(claim), int(record), int(branch)) for claim, record, branch in given.pop("ids", ()))
        return cls(ids, **given)

    def where(self) -> tuple[str, dict[str, Any]]:
        """Return the SQL predicate over the view `rejection` and its parameters.

        Raises:
            UnableToSelect: when nothing is selected, or a criterion cannot be.
        """
        terms: list[str] = []
        values: dict[str, Any] = {}

        def add(term: str, name: str, value: Any) -> None:
            if value is not None:
                terms.append(term)
                values[name] = value

        if self.ids:
            places = ", ".join(f"({int(claim)}, {int(record)}, {int(branch)})" for claim, record, branch in self.ids)
            terms.append(f"(claim, record, branch) IN ({places})")
        add("reason = {code:String}", "code", _one_of(self.code, Reason.__members__, "reason code"))
        add("source = {source:String}", "source", self.source)
        add("claim = {claim:UInt32}", "claim", self.claim)
        add("claim IN (SELECT claim FROM fact_claim WHERE kind = 'file' AND name = {file:String})", "file", self.file)
        add("event_at >= fromUnixTimestamp64Micro({since:Int64}, 'UTC')", "since", instant(self.since))
        add("event_at < fromUnixTimestamp64Micro({until:Int64}, 'UTC')", "until", instant(self.until))
        add("access_point = {access_point:String}", "access_point", self.access_point)
        add("status = {status:String}", "status", _one_of(self.status, Status.__members__, "status"))
        stages = [stage.name.lower() for stage in Stage]
        add("stage = {stage:String}", "stage", _one_of(self.stage, stages, "stage"))
        add("retry_count >= {retries_min:UInt16}", "retries_min", self.retries_min)
        add("positionCaseInsensitiveUTF8(raw, {text:String}) > 0", "text", self.text)
        if not terms:
            raise UnableToSelect("say which rejections: ids, --code, --source, --claim, another criterion, or --all")
        return " AND ".join(terms), values


def _one_of(value: str | None, known: Any, what: str) -> str | None:
    if value is not None and value not in known:
        raise UnableToSelect(f"{value} is no {what}; there are {', '.join(known)}")
    return value


def instant(text: str | None) -> int | None:
    """Return an instant in microseconds UTC."""
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise UnableToSelect(f"{text!r} is no date or time; write 2026-10-05 or 2026-10-05T12:00:00Z") from error
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    return int(moment.timestamp()) * 1_000_000 + moment.microsecond


def place_of(row: dict[str, Any]) -> Place:
    """Return which rejection a row is about."""
    return row["claim"], row["record"], row["branch"]


def select(engine: Engine, selection: Selection | None, step: Step) -> tuple[list[dict[str, Any]], int]:
    """Return the rejections that are meant and with which `step` may be done, at most SELECTED_MAX; and how many more.

    The log says what was decided, whatever the store still shows.

    Raises:
        UnableToSelect: when none matches. UnableToDecide: when one that is named is in another status.
    """
    engine.flush()
    where, values = (ALL, {}) if selection is None else selection.where()
    decided = decisions(engine.journal.entries)
    if selection is not None:
        _expect(decided.status, selection.ids, step)
    allowed = ", ".join(f"'{status}'" for status in sorted(ALLOWED[step]))
    meant = f"status IN ({allowed}) AND {where}"
    rows = engine.store.query(
        f"{_COLUMNS} WHERE (claim, record, branch) IN (SELECT claim, record, branch FROM rejection WHERE {meant}) "
        f"ORDER BY claim, record, branch LIMIT {SELECTED_MAX}",
        values,
    ).to_pylist()
    found = [row for row in rows if decided.status(place_of(row)) in ALLOWED[step]]
    if not found:
        statuses = " or ".join(sorted(status.lower() for status in ALLOWED[step]))
        raise UnableToSelect(f"no rejection that is {statuses} matches")
    counted = engine.store.query(f"SELECT count() AS n FROM rejection WHERE {meant}", values)
    return found, int(counted["n"][0].as_py()) - len(rows)


def _expect(status: Any, ids: tuple[Place, ...], step: Step) -> None:
    """Refuse named rejections that are in a status from which the step may not be taken."""
    wrong = [(place, status(place)) for place in ids if status(place) not in ALLOWED[step]]
    if not wrong:
        return
    told = "; ".join(f"{written(place)} is {found.lower()}" for place, found in wrong[:SHOWN_MAX])
    more = f"; and {len(wrong) - SHOWN_MAX:,} more" if len(wrong) > SHOWN_MAX else ""
    from_ = " or ".join(sorted(found.lower() for found in ALLOWED[step]))
    raise UnableToDecide(f"{told}{more}: only what is {from_} can be {_DONE[step]}")


def written(place: Place) -> str:
    """Return how a rejection is written for people."""
    claim, record, branch = place
    return f"{claim}-{record}-{branch}" if branch else f"{claim}-{record}"
