"""What indexes differ by, as quantities: a function of all readings of a register, in whatever order they came.

An index counts in whole kWh, rounded down before it is subtracted, so that what is lost is less than one in all, whatever the
flows write. Nothing is counted from the index before a change of meter or calendar to the one after it. Of several that state
one index the highest version counts: that of the flow with priority, else the newest.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from pipelines.mediation.columns.rows import Row
from pipelines.mediation.enedis import words
from pipelines.mediation.enedis.cut import cut_rows
from pipelines.mediation.enedis.policy import LARGEST_POWERS, Policy
from schemas.energy import DIFFERENCE_KEY
from schemas.source_energy import EnedisSource

FLOW = "DIFF"
"""The flow that differences call themselves."""
INDEX_COLUMNS = (
    "flow", "point", "id", "at", "grid", "calendar", "time_class", "measure", "direction", "unit", "value", "truncated",
    "rolls_over_at", "nature", "status", "role", "meter", "situation", "created_at", "version",
)  # fmt: skip
"""Columns of readings that are needed, whatever a mapping reads."""
STATED = (
    "end",
    "calendar",
    "unit",
    "value",
    "net",
    "nature",
    "period_start",
    "period_end",
    "estimated_by",
    "doubt",
    "beyond",
)
"""What it says: another text of one of these is another statement."""
REGISTER = ("point", "grid", "time_class", "measure", "direction")
Key = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Index:
    """One index of a register, as it counts.

    Attributes:
        at: UTC. count: rounded down. rank: of several at one instant the highest counts.
    """

    at: datetime
    count: Decimal
    rank: tuple[int, tuple[str, ...]]
    said: Row


def differences(readings: Iterable[Row]) -> Iterator[Row]:
    """Yield what each two neighbouring indexes of a register differ by, by register and time, where they differ.

    Args:
        readings: columns of `schemas.energy.Reading`; those of powers, and what cannot be read or is doubted, are passed over.

    Yields:
        Columns of `schemas.energy.Quantity`, not cut, without a version. What cannot be true has a `doubt`.
    """
    registers: dict[Key, list[Index]] = {}
    for row in readings:
        found = _index(row)
        if found is not None:
            registers.setdefault(tuple(row.get(name, "") for name in REGISTER), []).append(found)
    for register in sorted(registers):
        opened: Index | None = None
        for closing, opening in _instants(registers[register]):
            if opened is not None and closing is not None:
                row = _difference(opened, closing)
                if row["net"] != "0" or row["doubt"]:
                    yield row
            opened = opening or closing


def _index(row: Row) -> Index | None:
    at, count = words.parsed(row.get("at", "")), words.number(row.get("truncated") or row.get("value", ""))
    if at is None or count is None or row.get("doubt") or row.get("measure", "").startswith(LARGEST_POWERS):
        return None
    version = row.get("version", "")
    # of equal versions the texts decide, so that no order of arrival does
    texts = tuple(row.get(name, "") for name in INDEX_COLUMNS)
    return Index(at, count, (int(version) if version.isdecimal() else 0, texts), row)


def _instants(indexes: list[Index]) -> Iterator[tuple[Index | None, Index | None]]:
    """Yield (closing, opening) of each instant, by time: the index that ends what was before, and the one that begins anew."""
    latest: dict[tuple[datetime, str, str, str], Index] = {}
    for index in indexes:
        said = index.said
        key = (index.at, said.get("role", ""), said.get("flow", ""), said.get("id", ""))
        if key not in latest or latest[key].rank < index.rank:
            latest[key] = index
    around: dict[datetime, list[Index]] = {}
    for index in latest.values():
        if index.said.get("status") != "A":
            around.setdefault(index.at, []).append(index)
    for at in sorted(around):
        after = [index for index in around[at] if index.said.get("role") == "after"]
        ends = [index for index in around[at] if index.said.get("role") != "after"]
        yield (
            max(ends, key=lambda index: index.rank, default=None),
            max(after, key=lambda index: index.rank, default=None),
        )


def _difference(opened: Index, closing: Index) -> Row:
    first, last = opened.said, closing.said
    count, doubt = closing.count - opened.count, ""
    rolled = words.number(last.get("rolls_over_at", ""))
    for name, what in (("calendar", "calendar"), ("meter", "meter")):
        if first.get(name) and last.get(name) and first[name] != last[name]:
            doubt = f"the {what} changes from {first[name]} to {last[name]}, and no index says where"
    if count < 0 and rolled is not None:
        count += rolled
    if count < 0 or (opened.at == closing.at and count):
        doubt = doubt or f"the index goes from {words.plain(opened.count)} to {words.plain(closing.count)}"
    value, natures = words.plain(count), (first.get("nature", ""), last.get("nature", ""))
    measure = last.get("measure", "")
    return {
        "flow": FLOW,
        "point": last.get("point", ""),
        "created_at": max(first.get("created_at", ""), last.get("created_at", "")),
        "start": words.written(opened.at),
        "end": words.written(closing.at),
        "grid": last.get("grid", ""),
        "calendar": last.get("calendar", "") or first.get("calendar", ""),
        "time_class": last.get("time_class", ""),
        "measure": words.MEASURE["2"] if measure == "EA" else measure,
        "direction": last.get("direction", ""),
        "unit": last.get("unit", ""),
        "value": value,
        "net": value,
        "nature": "E" if "E" in natures else natures[1],
        "status": "I",
        "previous_id": first.get("id", ""),
        "situation": last.get("situation", ""),
        "doubt": doubt,
    }


def as_asked(rows: Iterable[Row], source: EnedisSource) -> Iterator[Row]:
    """Yield differences as the source that states them wants them: bounded, and cut."""
    policy = Policy("quantities", {}, source.bounds)
    judged = map(policy.judged, rows)
    cut = judged if source.cut == "none" else cut_rows(judged, months_max=source.months_max)
    return (row for row in cut if row["net"] != "0" or row.get("doubt"))


def key_of(row: Row) -> Key:
    """Return what names a difference."""
    return tuple(row.get(name, "") for name in DIFFERENCE_KEY)


def restated(wanted: Iterable[Row], stated: Mapping[Key, Row], version: int) -> Iterator[Row]:
    """Yield what has to be said for `wanted` to stand: what is new or other than it was, and 0 of what is no more.

    Args:
        wanted: all differences. stated: the latest statement of each that was made before. version: above all of those.
    """
    seen = set[Key]()
    for row in wanted:
        key = key_of(row)
        seen.add(key)
        before = stated.get(key)
        if before is None or any(before.get(name, "") != row.get(name, "") for name in STATED):
            # what is parked replaces nothing: what stood, or was released by hand, is taken back first
            if before is not None and before.get("status") != "A" and (row.get("doubt") or row.get("beyond")):
                yield _gone(before, 2 * version)
            yield {name: text for name, text in row.items() if text} | {"version": str(2 * version + 1)}
    for key in sorted(stated.keys() - seen):
        if stated[key].get("status") != "A":
            yield _gone(stated[key], 2 * version + 1)


def _gone(before: Row, version: int) -> Row:
    said = {name: text for name, text in before.items() if name not in ("doubt", "beyond")}
    return said | {"net": "0", "status": "A", "version": str(version)}
