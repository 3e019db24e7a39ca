"""Filters: which records a source leaves out, decided column by column."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

import numpy as np

from pipelines.mediation.converters import Texts, pack_texts
from pipelines.mediation.failures import UnableToCompileSource
from pipelines.mediation.kernels.comparisons import NO_NUMBER, compare_numbers
from pipelines.mediation.kernels.converters import begin_with
from pipelines.mediation.tables import ValueTable, value_table
from schemas.arrays import Int32Array, Int64Array, UInt8Array
from schemas.source import Filter


class Condition(Protocol):
    """What a field's text must be."""

    def leaves_out(self, text: UInt8Array, start: Int32Array, end: Int32Array) -> Int32Array:
        """Return (n,) 1 where the record is left out, else 0."""


@dataclass(frozen=True, slots=True)
class OneOf:
    """One of some texts; the table holds what a text is answered."""

    table: ValueTable

    def leaves_out(self, text: UInt8Array, start: Int32Array, end: Int32Array) -> Int32Array:
        """Return (n,) 1 where the record is left out, else 0."""
        return self.table.look_up(text, start, end)


@dataclass(frozen=True, slots=True)
class Bound:
    """A number as `kernels.comparisons.compare_numbers` takes it; `side` is the answer that leaves a record out."""

    digits: Int64Array
    magnitude: int
    sign: int
    side: int


@dataclass(frozen=True, slots=True)
class Within:
    """A number within bounds; what is no number stays."""

    bounds: tuple[Bound, ...]

    def leaves_out(self, text: UInt8Array, start: Int32Array, end: Int32Array) -> Int32Array:
        """Return (n,) 1 where the record is left out, else 0."""
        out = np.zeros(len(start), np.int32)
        answer = np.empty(len(start), np.int32)
        for bound in self.bounds:
            compare_numbers(text, start, end, bound.digits, bound.magnitude, bound.sign, answer)
            assert bound.side != NO_NUMBER
            out[answer == bound.side] = 1
        return out


@dataclass(frozen=True, slots=True)
class Beginning:
    """Beginning with one of some prefixes."""

    prefixes: Texts

    def leaves_out(self, text: UInt8Array, start: Int32Array, end: Int32Array) -> Int32Array:
        """Return (n,) 1 where the record is left out, else 0."""
        found = np.empty(len(start), np.int32)
        begin_with(text, start, end, self.prefixes.data, self.prefixes.ptr, found)
        return (1 - found).astype(np.int32)


@dataclass(frozen=True, slots=True)
class Presence:
    """There, or not there."""

    wanted: bool

    def leaves_out(self, text: UInt8Array, start: Int32Array, end: Int32Array) -> Int32Array:
        """Return (n,) 1 where the record is left out, else 0."""
        left_out: Int32Array = ((end > start) != self.wanted).astype(np.int32)
        return left_out


@dataclass(frozen=True, slots=True)
class FilterPlan:
    """One filter."""

    slot: int
    condition: Condition


def compile_filter(item: Filter, slot: int) -> FilterPlan:
    """Return how a filter decides.

    Raises:
        UnableToCompileSource: when it has no condition, or more than one.
    """
    if len(item.conditions) != 1:
        raise UnableToCompileSource(
            f"filters: give one of `keep`, `drop`, `min` and `max`, `prefix` or `present` for {item.field!r}"
        )
    if item.keep:
        return FilterPlan(slot, OneOf(value_table(dict.fromkeys(item.keep, 0), missing=1)))
    if item.drop:
        return FilterPlan(slot, OneOf(value_table(dict.fromkeys(item.drop, 1), missing=0)))
    if item.prefix:
        return FilterPlan(slot, Beginning(pack_texts(item.prefix)))
    if item.present is not None:
        return FilterPlan(slot, Presence(item.present))
    low = () if item.min is None else (_bound(item.min, -1),)
    high = () if item.max is None else (_bound(item.max, 1),)
    if item.min is not None and item.max is not None and item.min > item.max:
        raise UnableToCompileSource(f"filters: no number is from {item.min} to {item.max}")
    return FilterPlan(slot, Within(low + high))


def _bound(value: Decimal, side: int) -> Bound:
    negative = value < 0
    whole, _, decimals = format(abs(value), "f").partition(".")
    written = (whole + decimals).lstrip("0")
    magnitude = len(written) - len(decimals)
    digits = np.array([int(digit) for digit in written.rstrip("0")], np.int64)
    return Bound(digits, magnitude, (-1 if negative else 1) if written else 0, side)
