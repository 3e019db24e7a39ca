"""Which flow of meter data a file is, by its first bytes, and what reads it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO
from zoneinfo import ZoneInfo

from pipelines.mediation.columns.rows import ROWS_AT_ONCE, Row
from pipelines.mediation.enedis.heads import HEAD_BYTES, Shape, read_head, read_up_to
from pipelines.mediation.espi.reader import EspiReader
from pipelines.mediation.failures import UnableToDecodeFile
from pipelines.mediation.intervals.demand import FLOW as DEMAND
from pipelines.mediation.intervals.statements import read_statements
from pipelines.mediation.intervals.table import TableReader
from pipelines.mediation.meters.steps import Steps
from pipelines.mediation.mscons.reader import MsconsReader
from pipelines.mediation.nem import nem13
from pipelines.mediation.nem.fast_nem12 import FastNem12
from pipelines.mediation.p1 import reader as p1
from pipelines.mediation.text_lines import read_lines
from schemas.source_meters import MeterRecords, MeterTable

Piece = Steps | list[Row]


@dataclass(frozen=True, slots=True)
class Asked:
    """What a source asks of its files; see `schemas.source_meters.MeterDataSource`."""

    records: MeterRecords
    strict: bool = True
    zone: str | None = None
    table: MeterTable | None = None


@dataclass(frozen=True, slots=True)
class Flow:
    """A flow: how its files begin, which records it has, and what reads them, given stream, head and what is asked."""

    name: str
    begins: re.Pattern[bytes]
    records: tuple[MeterRecords, ...]
    read: Callable[[BinaryIO, bytes, Asked], Iterator[Piece]]


def chunks(rows: Iterator[Row]) -> Iterator[list[Row]]:
    """Yield rows, some thousands at once."""
    taken: list[Row] = []
    for row in rows:
        taken.append(row)
        if len(taken) == ROWS_AT_ONCE:
            yield taken
            taken = []
    if taken:
        yield taken


def _nem12(stream: BinaryIO, head: bytes, asked: Asked) -> Iterator[Piece]:
    return FastNem12(stream, head, asked.strict).pieces()


def _nem13(stream: BinaryIO, head: bytes, asked: Asked) -> Iterator[Piece]:
    return chunks(nem13.readings(read_lines(stream, head), strict=asked.strict))


def _espi(stream: BinaryIO, head: bytes, asked: Asked) -> Iterator[Piece]:
    return EspiReader(asked.records).pieces(stream, head)


def _mscons(stream: BinaryIO, head: bytes, asked: Asked) -> Iterator[Piece]:
    zone = None if asked.zone is None else ZoneInfo(asked.zone)
    return chunks(MsconsReader(asked.records, zone).rows(stream, head))


def _p1(stream: BinaryIO, head: bytes, asked: Asked) -> Iterator[Piece]:
    zone = None if asked.zone is None else ZoneInfo(asked.zone)
    return chunks(p1.readings(stream, head, strict=asked.strict, zone=zone))


def _demand(stream: BinaryIO, head: bytes, asked: Asked) -> Iterator[Piece]:
    return chunks(read_statements(read_lines(stream, head)))


FLOWS = (
    Flow("P1", re.compile(rb"\s*/[^/\n]{3}[0-9]"), ("readings",), _p1),
    Flow("MSCONS", re.compile(rb"\s*UN[AB]"), ("intervals", "readings"), _mscons),
    Flow("ESPI", re.compile(rb"\s*<"), ("intervals", "readings"), _espi),
    Flow("NEM13", re.compile(rb"\s*(100,NEM13|250,)"), ("readings",), _nem13),
    Flow(DEMAND, re.compile(rb'\s*\{"demand": \['), ("intervals",), _demand),
    Flow("NEM12", re.compile(rb"\s*([1-9]00,)"), ("intervals",), _nem12),
)
"""In the order in which they are tried."""


def flow_of(head: bytes) -> Flow | None:
    """Return the flow that a file is by its first bytes, None for none that is known."""
    begin = head.removeprefix(b"\xef\xbb\xbf")
    return next((flow for flow in FLOWS if flow.begins.match(begin)), None)


def whole_head(stream: BinaryIO) -> tuple[bytes, Shape]:
    """Return what `read_head` does, but of a stream that gives few bytes at once, too, enough to tell the flow.

    Raises:
        UnableToDecodeFile: as `read_head`.
    """
    head, shape = read_head(stream)
    return head + read_up_to(stream, HEAD_BYTES - len(head)), shape


def read_pieces(stream: BinaryIO, asked: Asked) -> Iterator[Piece]:
    """Yield the records of one kind of a file, in order, given from its first byte.

    A file of nothing but white space has none.

    Raises:
        UnableToDecodeFile: WRONG_FLOW for another flow, or one without such records; MALFORMED_METER_DATA with line and
            reason, and what reading XML and text raises.
    """
    head, shape = whole_head(stream)
    if not shape:
        return
    if asked.table is not None:
        zone = None if asked.zone is None else ZoneInfo(asked.zone)
        yield from chunks(TableReader(asked.records, asked.table, zone).rows(stream, head))
        return
    found = flow_of(head)
    if found is None or asked.records not in found.records:
        known = ", ".join(flow.name for flow in FLOWS if asked.records in flow.records)
        told = "the file is of no known flow" if found is None else f"the file is {found.name}"
        raise UnableToDecodeFile("WRONG_FLOW", f"{told}; {asked.records} are read of {known}")
    yield from found.read(stream, head, asked)
