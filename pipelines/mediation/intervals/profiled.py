"""Profiles of files of any flow of energy, French ones included: which flow it is, its records, and its own totals."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import chain
from typing import Any, BinaryIO
from zoneinfo import ZoneInfo

from pipelines.mediation.columns.rows import Row
from pipelines.mediation.enedis import decoder as enedis
from pipelines.mediation.enedis.csv_flows import is_history
from pipelines.mediation.enedis.words import number, plain
from pipelines.mediation.espi import words as espi_words
from pipelines.mediation.espi.reader import EspiReader
from pipelines.mediation.failures import UnableToDecodeFile
from pipelines.mediation.grdf import decoder as grdf
from pipelines.mediation.intervals.flows import Asked, chunks, flow_of, read_pieces, whole_head
from pipelines.mediation.intervals.profile import Offset, Profile, totals_of
from pipelines.mediation.meters.steps import Steps
from pipelines.mediation.nem.words import MARKET
from schemas.energy import RecordKind
from schemas.source import EnedisSource, GrdfSource, SourceBase
from schemas.source_meters import MeterDataSource, MeterRecords

Opened = Callable[[], AbstractContextManager[BinaryIO]]
KINDS: tuple[RecordKind, ...] = ("intervals", "readings", "quantities")
ZONES = {"MSCONS": "Europe/Berlin", "P1": "Europe/Amsterdam"}
FRANCE = "Europe/Paris"
_ROOT_ESPI = (b"http://naesb.org/espi", b"<feed", b":feed")


def profile_file(opened: Opened, source: SourceBase | None = None, zone: str | None = None) -> dict[str, Any]:
    """Return the profile of a file: its flow, channels, and totals.

    Args:
        opened: opens it anew. source: what its table is, or which zone and strictness. zone: whose days are summed, in the
            place of the flow's own.

    Raises:
        UnableToDecodeFile: as reading the flow does; WRONG_FLOW for a file of no flow that is known.
    """
    with opened() as stream:
        head, shape = whole_head(stream)
    if shape == "text" and flow_of(head) is None and source is None and not is_history(head):
        raise UnableToDecodeFile("WRONG_FLOW", "the file is of no known flow; what a table is, a source says")
    asked = Asked("intervals", strict=True)
    if isinstance(source, MeterDataSource):
        asked = Asked(source.records, source.strict, source.zone, source.table)
    found = None if asked.table is not None else flow_of(head)
    is_feed = found is not None and found.name == "ESPI" and any(mark in head for mark in _ROOT_ESPI)
    if asked.table is not None:
        return _told("TABLE", _table(opened, asked, zone))
    if found is None or isinstance(source, EnedisSource | GrdfSource) or (found.name == "ESPI" and not is_feed):
        return _told("", _french(opened, source, zone))
    if found.name == "ESPI":
        return _told("ESPI", _espi(opened, zone))
    there = zone or ZONES.get(found.name)
    profile = Profile(_offset(there) if there else lambda _: MARKET.utcoffset(None))
    totals: list[dict[str, Any]] = []
    kinds = found.records
    failures = []
    for kind in kinds:
        with opened() as stream:
            try:
                if found.name == "NEM13":
                    rows = list(chain.from_iterable(_rows(read_pieces(stream, replace(asked, records=kind)))))
                    profile.take([rows])
                    totals += list(totals_of(iter(rows)))
                else:
                    profile.take(read_pieces(stream, replace(asked, records=kind)))
            except UnableToDecodeFile as error:
                if error.code != "WRONG_FLOW":
                    raise
                failures.append(error)
    if len(failures) == len(kinds):
        raise failures[0]
    return _told(found.name, (profile, totals))


def _rows(pieces: Iterator[Steps | list[Row]]) -> Iterator[list[Row]]:
    return (piece for piece in pieces if isinstance(piece, list))


def _table(opened: Opened, asked: Asked, zone: str | None) -> tuple[Profile, list[dict[str, Any]]]:
    profile = Profile(_offset(zone or asked.zone))
    with opened() as stream:
        profile.take(read_pieces(stream, asked))
    return profile, []


def _espi(opened: Opened, zone: str | None) -> tuple[Profile, list[dict[str, Any]]]:
    """Read a feed; its days are those of its own local time. A summary is compared where intervals are of all of it."""
    kinds: tuple[MeterRecords, ...] = ("intervals", "readings")
    profile, failures, summaries = Profile(_offset(zone)), 0, list[tuple[str, dict[str, str]]]()
    for kind in kinds:
        reader = EspiReader(kind)
        with opened() as stream:
            try:
                profile.take(reader.pieces(stream, whole_head(stream)[0]))
            except UnableToDecodeFile as error:
                failures += 1
                if error.code != "WRONG_FLOW" or failures == len(kinds):
                    raise
        if zone is None and reader.local is not None:
            profile.offset = reader.local.offset
        summaries = reader.summaries
    return profile, [total for point, said in summaries for total in _summary(profile, point, said)]


def _summary(profile: Profile, point: str, said: dict[str, str]) -> Iterator[dict[str, Any]]:
    start, duration = (espi_words.seconds(said.get(f"billingPeriod.{name}", "")) for name in ("start", "duration"))
    value = number(said.get("overallConsumptionLastPeriod.value", ""))
    scale = espi_words.multiplier(said.get("overallConsumptionLastPeriod.powerOfTenMultiplier", ""))
    if start is None or duration is None or value is None or scale is None:
        return
    first, last = int(start), int(start + duration)
    total, seconds = Decimal(0), 0
    for key, channel in profile.channels.items():
        if key[0] == point and key[2] == "consumption":
            for begin, end, found in zip(channel.start, channel.end, channel.value, strict=True):
                if begin >= first and end <= last:
                    total += Decimal(max(found, 0)) / 1_000_000
                    seconds += end - begin
    whole = seconds == last - first
    yield {"what": f"usage summary of {point}", "told": plain(value * scale), "found": plain(total) if whole else None}


def _french(opened: Opened, source: SourceBase | None, zone: str | None) -> tuple[Profile, list[dict[str, Any]]]:
    """Read what a flow of Enedis or GRDF says of each kind that it has."""
    profile, failures, read = Profile(_offset(zone or FRANCE)), list[UnableToDecodeFile](), 0
    for kind in KINDS:
        for walk in (_enedis, _grdf):
            if (walk is _grdf and isinstance(source, EnedisSource)) or (
                walk is _enedis and isinstance(source, GrdfSource)
            ):
                continue
            with opened() as stream:
                try:
                    rows = walk(stream, kind, source)
                    taken = next(rows, None)
                    if taken is None:
                        continue
                    profile.take(chunks(chain([taken], rows)))
                    read += 1
                    break
                except UnableToDecodeFile as error:
                    if error.code != "WRONG_FLOW":
                        raise
                    failures.append(error)
    if not read and failures:
        raise UnableToDecodeFile(
            "WRONG_FLOW", f"the file is of no flow with readings or energies; {failures[0].message}"[:500]
        )
    return profile, []


def _enedis(stream: BinaryIO, kind: RecordKind, _: SourceBase | None) -> Iterator[Row]:
    return enedis.read_rows(stream, kind)


def _grdf(stream: BinaryIO, kind: RecordKind, source: SourceBase | None) -> Iterator[Row]:
    if kind == "intervals":
        return iter(())
    table = source.table if isinstance(source, GrdfSource) else None
    return grdf.read_rows(stream, kind, table)


def _offset(zone: str | None) -> Offset:
    if zone is None:
        return lambda _: timedelta()
    there = ZoneInfo(zone)

    def offset(at: datetime) -> timedelta:
        return at.astimezone(there).utcoffset() or timedelta()

    return offset


def _told(flow: str, found: tuple[Profile, list[dict[str, Any]]]) -> dict[str, Any]:
    profile, totals = found
    for total in totals:
        total["agrees"] = None if total["found"] is None else total["told"] == total["found"]
    return {
        "flow": flow or "French",
        "channels": profile.told(),
        "totals": totals,
        "unread": [{"why": why, "count": count} for why, count in sorted(profile.unread.items())],
    }
