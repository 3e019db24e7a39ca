"""Decode TAP files: check the whole of one, then its events as records."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

from pipelines.mediation.context import DecodeContext
from pipelines.mediation.explain import describe_record
from pipelines.mediation.extract import PADDING, DecodedBlock, FieldMatrix, extract, offsets
from pipelines.mediation.failures import UnableToDecodeFile
from pipelines.mediation.kernels.tap import TIME
from pipelines.mediation.kernels.tap_text import AMOUNT, CONSTANT, FIELD_TEXT_MAX, FIRST, render_events, span_of_times
from pipelines.mediation.plan import MappingPlan, compile_mapping
from pipelines.mediation.tap.audit import Sums, expect_sums
from pipelines.mediation.tap.batch import Events, open_tap
from pipelines.mediation.tap.fields import ENTITY_IDS, ENTITY_TYPES, RATES, START, FieldTable, compile_fields
from pipelines.mediation.tap.head import Head, wrong
from pipelines.mediation.tap.tags import EVENTS, TAG_COUNT, tag_shapes
from schemas.arrays import Int64Array, UInt8Array
from schemas.cdr import BlockPosition
from schemas.source_roaming import TapSource

CHECK_BYTES = 1 << 22
BLOCK_BYTES_MAX = 1 << 25
UNKNOWN_EVENT = "unknown"


@dataclass(frozen=True, slots=True)
class TapDecoder:
    """A compiled TAP source.

    Attributes:
        table: how its fields come about; times: the same of nothing but the start of events.
        shapes: (TAG_COUNT,) what is known of each tag.
    """

    source: TapSource
    plan: MappingPlan
    table: FieldTable
    times: FieldTable
    shapes: UInt8Array

    @property
    def field_names(self) -> tuple[str, ...]:
        """The name of each field of a matrix."""
        return self.plan.fields

    def check(self, stream: BinaryIO) -> None:
        """Check a file, given from its first byte, to its last: its head, every element, and its own sums."""
        file = open_tap(stream, self.source.record_bytes_max)
        if file.head is None:
            return
        if file.head.test and not self.source.accept_test_files:
            message = f"file {file.head.sequence} of {file.head.sender} is marked as a test; accept_test_files takes it"
            raise UnableToDecodeFile("TEST_FILE", message)
        codes, seconds = _sorted_offsets(file.head)
        sums = Sums()
        for events in file.events(self.shapes, self.times.cells, CHECK_BYTES):
            span = span_of_times(events.buffer, len(events), self.times.start, events.start, events.end, codes, seconds)
            sums.add(events.amounts, int(span[0]), int(span[1]))
        if file.tail is None:
            return
        if file.head.places is None and any(sums.totals):
            raise wrong("the file has charges and no tapDecimalPlaces")
        if self.source.audit:
            expect_sums(file.tail, file.audit, file.head, sums)

    def decode(self, stream: BinaryIO, *, claim: int, block_bytes: int) -> Iterator[DecodedBlock]:
        """Yield the CDRs of a file, given from its first byte."""
        file = open_tap(stream, self.source.record_bytes_max)
        if file.head is None:
            return
        names = _name_texts(self.table, file.head)
        record = 0
        for number, events in enumerate(file.events(self.shapes, self.table.cells, min(block_bytes, BLOCK_BYTES_MAX))):
            matrix = self._render(events, names)
            yield extract(self.plan, matrix, BlockPosition(claim, number, record))
            record += len(events)

    def describe(self, block: DecodedBlock, row: int) -> str:
        """Return what is wrong with one record."""
        return describe_record(self.source, self.plan, block, row)

    def _render(self, events: Events, names: _Names) -> FieldMatrix:
        table, rows = self.table, len(events)
        text = np.empty(len(names.text) + self._room(events) + PADDING, np.uint8)
        text[: len(names.text)] = names.text
        start, end = offsets(len(table.names), rows), offsets(len(table.names), rows)
        stop = render_events(
            events.buffer,
            rows,
            events.start,
            events.end,
            events.amounts,
            events.present,
            events.event,
            table.how,
            table.choices,
            table.cell_kind,
            names.constant,
            names.event,
            names.lookup_codes,
            names.lookup_bounds,
            names.lookup_span,
            names.codes,
            names.offsets,
            names.places,
            text,
            len(names.text),
            start,
            end,
        )
        text[stop : stop + PADDING] = 0
        return FieldMatrix(
            raw=events.buffer[: int(events.raw_end[-1])],
            raw_start=events.raw_start,
            raw_end=events.raw_end,
            text=text[:stop],
            start=start,
            end=end,
            reason=np.zeros(rows, np.uint16),
            columns=len(table.names),
        )

    def _room(self, events: Events) -> int:
        """Return the bytes that the text of a block's events may take."""
        table, rows = self.table, len(events)
        room = FIELD_TEXT_MAX * rows * int(np.isin(table.how, (FIRST, AMOUNT)).sum())
        for field in np.flatnonzero(table.how == FIRST):
            for cell in table.choices[field]:
                if cell >= 0 and table.cell_kind[cell] != TIME:
                    room += 4 * int((events.end[cell, :rows] - events.start[cell, :rows]).sum(dtype=np.int64))
        return room


@dataclass(frozen=True, slots=True)
class _Names:
    """What holds for all events of a file, as `kernels.tap_text.render_events` takes it."""

    text: UInt8Array
    constant: Int64Array
    event: Int64Array
    lookup_codes: Int64Array
    lookup_bounds: Int64Array
    lookup_span: Int64Array
    codes: Int64Array
    offsets: Int64Array
    places: int


def _sorted_offsets(head: Head) -> tuple[Int64Array, Int64Array]:
    items = sorted(head.offsets.items())
    return np.array([code for code, _ in items], np.int64), np.array([seconds for _, seconds in items], np.int64)


def _name_texts(table: FieldTable, head: Head) -> _Names:
    parts: list[bytes] = []
    size = 0

    def span(value: str) -> tuple[int, int]:
        nonlocal size
        parts.append(value.encode())
        begin, size = size, size + len(parts[-1])
        return begin, size

    span(" ")  # no text begins at offset 0
    constant = np.zeros((len(table.names), 2), np.int64)
    for field in np.flatnonzero(table.how == CONSTANT):
        constant[field] = span(head.fields[table.names[field]])
    event = np.tile(np.array(span(UNKNOWN_EVENT), np.int64), (TAG_COUNT, 1))
    for name, number in EVENTS.items():
        event[number] = span(name)
    tables: dict[int, Mapping[int, str]] = {
        RATES: head.rates,
        ENTITY_IDS: {code: identifier for code, (_, identifier) in head.entities.items()},
        ENTITY_TYPES: {code: kind for code, (kind, _) in head.entities.items()},
    }
    bounds = [0]
    codes: list[int] = []
    spans: list[tuple[int, int]] = []
    for number in sorted(tables):
        for code, value in sorted(tables[number].items()):
            codes.append(code)
            spans.append(span(value))
        bounds.append(len(codes))
    sorted_codes, seconds = _sorted_offsets(head)
    return _Names(
        text=np.frombuffer(b"".join(parts), np.uint8),
        constant=constant,
        event=event,
        lookup_codes=np.array(codes, np.int64),
        lookup_bounds=np.array(bounds, np.int64),
        lookup_span=np.array(spans, np.int64).reshape(-1, 2),
        codes=sorted_codes,
        offsets=seconds,
        places=head.places or 0,
    )


def make_tap(context: DecodeContext, source: TapSource) -> TapDecoder:
    """Return the decoder of a TAP source.

    Raises:
        UnableToCompileSource: when the definition contradicts itself or the catalog.
    """
    plan = compile_mapping(context, source.mapping)
    return TapDecoder(source, plan, compile_fields(plan.fields), compile_fields(START), tag_shapes())
