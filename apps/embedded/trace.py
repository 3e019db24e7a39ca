"""Following usage through octroi, both ways: from what came in to what it cost and who paid, and back.

A place is a claim and a record of it. Usage may have stood in several: its record was tried again, corrected, put together
with others, or its EDR was tried or rated again. The log says which; the store says what stands there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from typing import Any

from apps.embedded.access import Access
from apps.embedded.layout import DataDirectory
from apps.embedded.recollect import Place, UnableToRecollect, first_place, origin_of
from apps.embedded.rerated import replaced_places
from pipelines.spool.family import moves_of
from pipelines.spool.journal import Cancel, FileClaim, JournalEntry, RecordRetry, read_entries, with_branch

_ID = re.compile(r"(?:(?:ri|edr|wo)-)?(\d{1,10})-(\d{1,10})(?:[-.]\d{1,5}){0,3}")
PLACES_MAX = 2_000
"""A session of more records than this is not followed: view `assembled_part` has them."""


class UnableToTrace(LookupError):
    """There is no such usage."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where usage came from: a record of a file, from 0, or an entry of the log that brought no file."""

    claim: int
    record: int
    entry: str
    received_at: datetime
    source: str = ""
    file: str = ""


@dataclass(frozen=True, slots=True)
class Trace:
    """All that is known of some usage.

    Attributes:
        wanted: the id that was asked for. origins: several when it was put together.
        rejections .. billed: rows of the views of these names, in the order of the log.
    """

    wanted: str
    origins: list[Origin]
    rejections: list[dict[str, Any]]
    edrs: list[dict[str, Any]]
    rated_items: list[dict[str, Any]]
    wallet_operations: list[dict[str, Any]]
    reversed_items: list[dict[str, Any]]
    billed_items: list[dict[str, Any]]

    def as_dict(self) -> dict[str, Any]:
        """Return everything for JSON."""
        return asdict(self)

    def lines(self) -> Iterator[str]:
        """Yield everything in words, in the order in which it happened."""
        for origin in self.origins:
            brought = f"file {origin.file} (source {origin.source})" if origin.file else f"entry {origin.entry}"
            yield f"record {origin.claim}-{origin.record}: {brought}, received {_instant(origin.received_at)}"
        for row in self.rejections:
            why = f": {row['detail']}" if row["detail"] else ""
            yield f"refused as {_place(row)} by the {row['stage']} stage: {row['reason']}{why}; {row['status']}"
        for edr in self.edrs:
            yield (
                f"{edr['id']}: {_much(edr['quantity'])} {edr['unit']} of {edr['event_type']} at {_instant(edr['event_at'])}, "
                f"subscription {edr['subscription']}, access point {edr['access_point']}, account {edr['account']}"
            )
            for item in self.rated_items:
                if all(item[name] == edr[name] for name in ("claim", "record", "branch")):
                    yield from self._item(item)
        if not self.rejections and not self.rated_items:
            yield "nothing of it was refused or rated by itself: it was absorbed, a duplicate, superseded or filtered"
        edrs = {(edr["claim"], edr["record"], edr["branch"]) for edr in self.edrs}
        for item in self.rated_items:
            if (item["claim"], item["record"], item["branch"]) not in edrs:
                yield from self._item(item)

    def _item(self, item: dict[str, Any]) -> Iterator[str]:
        yield (
            f"  {item['id']}: {_much(item['amount'])} {item['currency']}, charge {item['charge']}, version "
            f"{item['charge_version']}, image {item['image'][:12]}, {item['status']}"
        )
        for operation in self.wallet_operations:
            if all(operation[name] == item[name] for name in ("claim", "record", "branch", "item")):
                yield (
                    f"    {operation['id']}: {_much(operation['amount'])} {operation['currency']} of wallet "
                    f"{operation['wallet']}, balance afterwards {_much(operation['balance_after'])}"
                )
        for row in self.reversed_items:
            if row["item"] == item["id"]:
                instead = f", {row['replaced_by']} took its place" if row["replaced_by"] else ""
                yield f"    taken back by {row['reversal']} ({row['cause']}){instead}"
        for row in self.billed_items:
            if row["item"] == item["id"]:
                yield f"    on invoice {row['invoice']} since {_instant(row['billed_at'])}"


def trace(access: Access, directory: DataDirectory, wanted: str) -> Trace:
    """Return all that is known of the usage that an id is of: of a rated item, an EDR, a wallet operation, or CLAIM-RECORD.

    Raises:
        UnableToTrace: when the id is none of ours, or there is nothing of that name.
    """
    entries = read_entries(directory.journal)
    match = _ID.fullmatch(wanted.strip())
    if match is None:
        raise UnableToTrace(
            f"{wanted!r} is no id of usage; they look like ri-12-3456, edr-12-3456, wo-12-3456-0 or 12-3456"
        )
    asked = int(match[1]), int(match[2])
    if not 1 <= asked[0] <= len(entries):
        raise UnableToTrace(f"the log has no entry {asked[0]}")
    places = _Places(access, directory, entries)
    stood = places.of(asked)
    found = stood | places.reversals(stood)
    rows = partial(_rows, access)
    items = rows("rated_item", found, "claim, record, branch, item")
    named = [row["id"] for row in items]
    result = Trace(
        wanted.strip(),
        places.origins(stood),
        rows("rejection", found, "claim, record, branch"),
        rows("edr", found, "claim, record, branch", "status != 'reversal'"),
        items,
        rows("wallet_operation", found, "claim, record, branch, item, part", "kind IN ('usage', 'reversal')"),
        _by_item(access, "reversed_item", named),
        _by_item(access, "billed_item", named),
    )
    if not result.rejections and not result.rated_items and not places.was_read(stood):
        raise UnableToTrace(f"nothing is known of {wanted.strip()}: no record of that number was refused or rated")
    return result


class _Places:
    """Finds the places in which usage stood."""

    def __init__(self, access: Access, directory: DataDirectory, entries: Sequence[JournalEntry]) -> None:
        self._access = access
        self._archive = directory.spool.archive
        self._entries = entries

    def of(self, asked: Place) -> set[Place]:
        """Return every place in which the usage of one stood, and the parts that it was put together of."""
        found: set[Place] = set()
        fresh = {self._before_reversal(asked)}
        while fresh:
            for place in fresh:
                found |= {place, self._first(place)}
            fresh = (self._parts(found) | self._later(found) | self._corrected(found)) - found
            if len(found) > PLACES_MAX:
                raise UnableToTrace(f"it was put together of more than {PLACES_MAX:,} records: see view assembled_part")
        return found

    def origins(self, places: Iterable[Place]) -> list[Origin]:
        """Return where the usage of places came from, in the order of the log."""
        found = {}
        for place in places:
            claim, record = self._first(place)
            entry = self._entries[claim - 1]
            if isinstance(entry, FileClaim):
                at = datetime.fromtimestamp(entry.received_at / 1e6, UTC)
                found[claim, record] = Origin(claim, record, "file", at, entry.source, entry.name)
            elif (claim, record) == place and entry.kind in ("charging", "tick"):
                at = datetime.fromtimestamp(entry.received_at / 1e6, UTC)
                found[claim, record] = Origin(claim, record, entry.kind, at)
        return [found[place] for place in sorted(found)]

    def was_read(self, places: set[Place]) -> bool:
        """Return whether a block of the log has the record that all of it began with."""
        claim, record = self._first(min(places))
        told = self._access.query(f"SELECT sum(received) AS records FROM fact_block WHERE claim = {claim:d}")
        return record < int(told.to_pylist()[0]["records"] or 0)

    def _first(self, place: Place) -> Place:
        try:
            root, record = origin_of(self._archive, self._entries, *place)
        except UnableToRecollect:
            return first_place(self._archive, self._entries, *place)
        return root.claim, record

    def _later(self, places: set[Place]) -> set[Place]:
        """Return where records were tried again, and where EDRs went that were tried or rated again."""
        found = {
            (entry.claim, record)
            for entry in self._entries
            if isinstance(entry, RecordRetry | Cancel) and entry.file_claim
            for claim, record in places
            if claim == entry.file_claim and record in entry.records
        }
        replaced = partial(replaced_places, self._archive)
        return found | {place for _, place in moves_of(self._entries, replaced, places | found)}

    def _corrected(self, places: set[Place]) -> set[Place]:
        """Return the records that correct some, and those that some correct."""
        found: set[Place] = set()
        for entry in self._entries:
            if isinstance(entry, FileClaim) and entry.corrects:
                answered = [with_branch(named)[:2] for named in entry.refused]
                found |= {(entry.claim, index) for index, place in enumerate(answered) if place in places}
                found |= {
                    answered[record] for claim, record in places if claim == entry.claim and record < len(answered)
                }
        return found

    def _parts(self, places: set[Place]) -> set[Place]:
        """Return the EDRs that some records became parts of, and the records that are parts of some EDRs."""
        as_part = _within(places, "part_claim", "part_record")
        rows = self._access.query(
            "SELECT claim, record, part_claim, part_record FROM assembled_part "
            f"WHERE ({as_part}) OR ({_within(places)}) LIMIT {PLACES_MAX + 1}"
        ).to_pylist()
        return {(row["claim"], row["record"]) for row in rows} | {
            (row["part_claim"], row["part_record"]) for row in rows
        }

    def _before_reversal(self, place: Place) -> Place:
        rows = self._access.query(
            f"SELECT reversed_claim, reversed_record FROM fact_reversal WHERE {_within({place})}"
        ).to_pylist()
        return (rows[0]["reversed_claim"], rows[0]["reversed_record"]) if rows else place

    def reversals(self, places: set[Place]) -> set[Place]:
        """Return the places of the items that take those of some places back."""
        within = _within(places, "reversed_claim", "reversed_record")
        rows = self._access.query(f"SELECT claim, record FROM fact_reversal WHERE {within}").to_pylist()
        return {(row["claim"], row["record"]) for row in rows}


def _within(places: Iterable[Place], claim: str = "claim", record: str = "record") -> str:
    """Return a condition; the claims are named apart because parts of a table know which claims they hold."""
    known = sorted(places)
    claims = ", ".join(str(each) for each in sorted({place[0] for place in known}))
    pairs = ", ".join(f"({each[0]:d}, {each[1]:d})" for each in known)
    return f"{claim} IN ({claims}) AND ({claim}, {record}) IN ({pairs})"


def _rows(access: Access, view: str, places: Iterable[Place], order: str, also: str = "1") -> list[dict[str, Any]]:
    sql = f"SELECT * FROM {view} WHERE {_within(places)} AND {also} ORDER BY {order}"
    rows: list[dict[str, Any]] = access.query(sql).to_pylist()
    return rows


def _by_item(access: Access, view: str, items: Sequence[str]) -> list[dict[str, Any]]:
    if not items:
        return []
    named = ", ".join(f"'{item}'" for item in items)  # of ours: letters, digits, hyphens and dots
    rows: list[dict[str, Any]] = access.query(
        f"SELECT * FROM {view} WHERE item IN ({named}) ORDER BY claim, item"
    ).to_pylist()
    return rows


def _place(row: dict[str, Any]) -> str:
    return f"{row['claim']}-{row['record']}" + (f"-{row['branch']}" if row["branch"] else "")


def _much(value: Decimal) -> str:
    return f"{value.normalize():f}"


def _instant(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
