"""From field offsets to CDR columns: what every format has in common."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from pipelines.mediation.converters import convert
from pipelines.mediation.kernels import contents, encoding, fields, identities, quantities, siphash, versions
from pipelines.mediation.plan import MappingPlan
from pipelines.mediation.times import PADDING, join_columns, read_times
from pipelines.mediation.values import read_values
from schemas.arrays import Int32Array, Int64Array, UInt8Array, UInt16Array, UInt64Array
from schemas.cdr import ATTRIBUTE_SLOTS, EVENT_TYPE_NONE, BlockPosition, CdrBlock, OnDecrease, ReadingRules
from schemas.rejection import Reason

__all__ = [
    "PADDING",
    "STAGGER",
    "DecodedBlock",
    "FieldMatrix",
    "Survey",
    "access_hashes",
    "copy_padded",
    "extract",
    "offsets",
    "survey",
]


@dataclass(slots=True)
class FieldMatrix:
    """The n records of a block as offsets of f fields into one text buffer.

    Attributes:
        raw: (b,) the block's bytes, followed by `PADDING` readable ones; raw_start, raw_end: (n,) each record's bytes.
        text: (t,) buffer that `start` and `end` point into; padded; `raw` itself when nothing was unescaped.
        start, end: (f, m >= n) offsets; equal where a field is absent or empty. Zero where `reason` is below 6.
        reason: (n,) reasons found so far.
        columns: how many fields a record of this file should have, where its format counts them.
    """

    raw: UInt8Array
    raw_start: Int64Array
    raw_end: Int64Array
    text: UInt8Array
    start: Int32Array
    end: Int32Array
    reason: UInt16Array
    columns: int

    def __len__(self) -> int:
        """Return the number of records."""
        return len(self.reason)

    def __getitem__(self, rows: Int64Array) -> Self:
        """Return the records at `rows`; buffers are shared."""
        return replace(
            self,
            raw_start=self.raw_start[rows],
            raw_end=self.raw_end[rows],
            start=np.ascontiguousarray(self.start[:, rows]),
            end=np.ascontiguousarray(self.end[:, rows]),
            reason=self.reason[rows],
        )

    def column(self, slot: int) -> tuple[Int32Array, Int32Array]:
        """Return (start, end) of one field, each (n,)."""
        n = len(self.reason)
        return self.start[slot, :n], self.end[slot, :n]


@dataclass(frozen=True, slots=True)
class DecodedBlock(CdrBlock):
    """A CDR block that still knows its fields, so that a refusal can quote them."""

    matrix: FieldMatrix


STAGGER = 80
"""Offsets between the rows of a matrix beyond its width: rows a power of two apart would share one cache set."""


def offsets(fields: int, width: int) -> Int32Array:
    """Return an uninitialised (fields, >= width) matrix of offsets."""
    return np.empty((fields, width + STAGGER), np.int32)


@dataclass(frozen=True, slots=True)
class Survey:
    """What bytes a block holds.

    Attributes:
        high, nul, quote: whether there is a byte >= 0x80, a NUL, a double quote. lines: how many newlines.
        suspects: (p,) uint8: which `encoding.SUSPECTED` bytes hold a byte >= 0x80 or a NUL.
    """

    high: bool
    nul: bool
    quote: bool
    lines: int
    suspects: UInt8Array


def survey(buffer: UInt8Array, size: int) -> Survey:
    """Look at the first `size` bytes of a padded buffer."""
    suspects = np.empty(-(-size // encoding.SUSPECTED), np.uint8)
    found, quote, lines = encoding.survey(buffer, size, suspects)
    return Survey(bool(found & encoding.HAS_HIGH), bool(found & encoding.HAS_NUL), bool(quote), int(lines), suspects)


def copy_padded(text: UInt8Array, room: int) -> UInt8Array:
    """Return a padded copy of `text` with `room` more bytes at its end."""
    copy = np.empty(len(text) + room + PADDING, np.uint8)
    copy[: len(text)] = text
    copy[len(text) + room :] = 0
    return copy[: len(text) + room]


def extract(plan: MappingPlan, matrix: FieldMatrix, position: BlockPosition) -> DecodedBlock:
    """Return the CDRs of a block: the passes run in the order of their reason codes, so the smallest code stays."""
    n = len(matrix)
    reason = matrix.reason
    if plan.converters:
        matrix.text = convert(plan.converters, matrix.text, matrix.start, matrix.end, n)
    for item in plan.filters:
        left_out = item.condition.leaves_out(matrix.text, *matrix.column(item.slot))
        fields.keep_only(left_out, 1, reason)
    for slot in plan.required:
        fields.require(*matrix.column(slot), reason)
    if plan.quantity.addends:
        fields.require_any(matrix.start, matrix.end, np.array(plan.quantity.addends, np.int32), reason)
    fields.require_identity(matrix.start, matrix.end, plan.identity, reason)
    kind, event_type = _event_types(plan, matrix)
    event_at = _event_times(plan, matrix)
    quantity = _quantities(plan, matrix, kind)
    version = None
    if plan.version >= 0:
        version = np.empty(n, np.int64)
        versions.read_versions(matrix.text, *matrix.column(plan.version), version, reason)
    key_hi, key_lo, content = np.empty(n, np.uint64), np.empty(n, np.uint64), np.empty(n, np.uint64)
    seed_hi, seed_lo = np.uint64(plan.seed[0]), np.uint64(plan.seed[1])
    identify = siphash.identify_keyed if plan.keyed else identities.identify
    identify(matrix.text, matrix.start, matrix.end, plan.identity, seed_hi, seed_lo, key_hi, key_lo)
    contents.summarise(matrix.text, matrix.start, matrix.end, plan.content, key_hi, key_lo, content)
    access_hi, access_lo = access_hashes(matrix, plan.access)
    access_start, access_end = matrix.column(plan.access)
    counter = plan.quantity.counter
    series_hi, series_lo = np.zeros(n, np.uint64), np.zeros(n, np.uint64)
    marks = None
    if counter is not None:
        marks = counter.mark(matrix.text, matrix.start, matrix.end, kind, reason)
        series_hi, series_lo = counter.name_series(matrix.text, matrix.start, matrix.end, access_hi, access_lo)
    parts = None if plan.sessions is None else plan.sessions.read(matrix.text, matrix.start, matrix.end, reason)
    return DecodedBlock(
        position=position,
        record=np.arange(position.first_record, position.first_record + n, dtype=np.int64),
        raw=matrix.raw,
        raw_start=matrix.raw_start,
        raw_end=matrix.raw_end,
        reason=reason,
        key_hi=key_hi,
        key_lo=key_lo,
        content=content,
        access_hi=access_hi,
        access_lo=access_lo,
        access_start=access_start.astype(np.int64),
        access_end=access_end.astype(np.int64),
        text=matrix.text,
        event_at=event_at,
        quantity=quantity,
        event_type=event_type,
        attributes=_attributes(plan, matrix, kind),
        series_hi=series_hi,
        series_lo=series_lo,
        matrix=matrix,
        parts=parts,
        runs=None if plan.sequence is None else plan.sequence.read(matrix.text, matrix.start, matrix.end, reason),
        readings=ReadingRules() if counter is None else counter.rules,
        marks=marks,
        version=version,
        values=None
        if plan.values is None
        else read_values(plan.values, plan.time, matrix.text, matrix.start, matrix.end, kind, reason),
    )


def access_hashes(matrix: FieldMatrix, slot: int) -> tuple[UInt64Array, UInt64Array]:
    """Return (hi, lo) of the access point's identifier, each (n,)."""
    hi, lo = np.empty(len(matrix), np.uint64), np.empty(len(matrix), np.uint64)
    identities.name_access_points(matrix.text, *matrix.column(slot), hi, lo)
    return hi, lo


def _event_types(plan: MappingPlan, matrix: FieldMatrix) -> tuple[Int32Array, UInt16Array]:
    """Return each record's index among the source's event types (-1 unknown) and its vocabulary id."""
    types = plan.event_type
    if types.slot < 0:
        n = len(matrix)
        return np.zeros(n, np.int32), np.full(n, types.codes[0], np.uint16)
    kind = types.table.look_up(matrix.text, *matrix.column(types.slot))
    matrix.reason[(matrix.reason == 0) & (kind < 0)] = Reason.UNKNOWN_EVENT_TYPE
    return kind, np.append(types.codes, np.uint16(EVENT_TYPE_NONE))[kind]


def _event_times(plan: MappingPlan, matrix: FieldMatrix) -> Int64Array:
    slots = plan.time.slots
    if len(slots) == 1:
        return read_times(plan.time, matrix.text, *matrix.column(slots[0]), matrix.reason)
    joined = join_columns(plan.time, matrix.text, matrix.column(slots[0]), matrix.column(slots[1]))
    return read_times(plan.time, *joined, matrix.reason)


def _quantities(plan: MappingPlan, matrix: FieldMatrix, kind: Int32Array) -> Int64Array:
    if plan.quantity.between:
        return _times_between(plan, matrix, kind)
    if plan.quantity.addends:
        return _sums(plan, matrix, kind)
    if plan.quantity.slot < 0:
        return np.append(plan.quantity.constants, np.int64(0))[kind]
    text, (start, end) = matrix.text, matrix.column(plan.quantity.slot)
    counter = plan.quantity.counter
    if counter is not None and counter.rules.on_decrease == OnDecrease.WRAP_64:
        quantity = np.empty(len(matrix), np.int64)
        quantities.read_counters(text, start, end, kind, quantity, matrix.reason)
        return quantity
    return _amounts(plan, matrix, plan.quantity.slot, kind)


def _sums(plan: MappingPlan, matrix: FieldMatrix, kind: Int32Array) -> Int64Array:
    """Return the sum of several fields; an empty one counts nothing."""
    total = np.zeros(len(matrix), np.int64)
    for slot in plan.quantity.addends:
        start, end = matrix.column(slot)
        amounts = _amounts(plan, matrix, slot, np.where(start == end, np.int32(-1), kind))
        quantities.add_amounts(amounts, total, matrix.reason)
    return total


def _amounts(plan: MappingPlan, matrix: FieldMatrix, slot: int, kind: Int32Array) -> Int64Array:
    """Return what one field says, in base steps; 0 where `kind` is -1."""
    quantity = np.empty(len(matrix), np.int64)
    text, (start, end) = matrix.text, matrix.column(slot)
    if plan.quantity.text is not None:
        text, start, end = plan.quantity.text.rewrite(text, start, end)
    quantities.read_quantities(
        text,
        start,
        end,
        kind,
        plan.quantity.factors,
        plan.quantity.half_up,
        plan.quantity.signed,
        quantity,
        matrix.reason,
    )
    return quantity


def _times_between(plan: MappingPlan, matrix: FieldMatrix, kind: Int32Array) -> Int64Array:
    """Return the time from one field to another in base steps; a time that cannot be read has its own reason."""
    times = []
    for slot in plan.quantity.between:
        reason = np.zeros(len(matrix), np.uint16)
        times.append(read_times(plan.time, matrix.text, *matrix.column(slot), reason))
        worse = (reason != 0) & ((matrix.reason == 0) | (reason < matrix.reason))
        matrix.reason[worse] = reason[worse]
    quantity = np.empty(len(matrix), np.int64)
    quantities.scale_durations(
        times[0], times[1], kind, plan.quantity.factors, plan.quantity.half_up, quantity, matrix.reason
    )
    return quantity


def _attributes(plan: MappingPlan, matrix: FieldMatrix, kind: Int32Array) -> Int32Array:
    """Return (n, ATTRIBUTE_SLOTS) vocabulary ids; which attribute a slot holds depends on the event type."""
    n = len(matrix)
    if not plan.attribute_slots:
        return np.zeros((n, ATTRIBUTE_SLOTS), np.int32)
    values = np.empty((len(plan.attribute_slots), n), np.int32)
    for row, slot in enumerate(plan.attribute_slots):
        values[row] = plan.attribute_table.look_up(matrix.text, *matrix.column(slot))
    attributes = np.empty((n, ATTRIBUTE_SLOTS), np.int32)
    fields.place_attributes(plan.event_type.attributes, kind, values, attributes)
    return attributes
