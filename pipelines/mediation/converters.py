"""Converters: compile the steps that change a field's text, and run them over the columns of a block."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from pipelines.mediation.failures import UnableToCompileSource
from pipelines.mediation.kernels import converters as kernels
from pipelines.mediation.tables import ValueTable, value_table
from pipelines.mediation.times import PADDING
from schemas.arrays import Int32Array, UInt8Array
from schemas.converters import E164, Converter

Column = tuple[UInt8Array, Int32Array, Int32Array]
"""(text, start, end) of one field: a step may change `start` and `end`, and returns the text they point into."""
VALUE_BYTES_MAX = 512
"""Longest text a `map` may write: it bounds the memory of a block."""


class Step(Protocol):
    """One compiled step."""

    def run(self, column: Column) -> Column:
        """Return the column after the step."""


@dataclass(frozen=True, slots=True)
class Texts:
    """Texts one after the other: text i is data[ptr[i]:ptr[i + 1]]."""

    data: UInt8Array
    ptr: Int32Array


def pack_texts(texts: tuple[str, ...]) -> Texts:
    """Return texts as kernels take them, in UTF-8."""
    encoded = [text.encode() for text in texts]
    ptr = np.cumsum([0, *map(len, encoded)]).astype(np.int32)
    return Texts(np.frombuffer(bytearray(b"".join(encoded) + bytes(PADDING)), np.uint8), ptr)


def _room(column: Column, more: int) -> UInt8Array:
    """Return a buffer for the column's texts with `more` bytes each."""
    _, start, end = column
    size = int((end.astype(np.int64) - start).sum())
    return np.zeros(size + more * len(start) + PADDING, np.uint8)


@dataclass(frozen=True, slots=True)
class StripPrefix:
    """Remove the first of some prefixes."""

    prefixes: Texts

    def run(self, column: Column) -> Column:
        """Return the column after the step."""
        kernels.strip_prefixes(*column, self.prefixes.data, self.prefixes.ptr)
        return column


@dataclass(frozen=True, slots=True)
class Cut:
    """Keep characters `skip` + 1 to `skip` + `width`."""

    skip: int
    width: int

    def run(self, column: Column) -> Column:
        """Return the column after the step."""
        kernels.substring(*column, self.skip, self.width)
        return column


@dataclass(frozen=True, slots=True)
class Part:
    """Keep one part of a divided text; `part` counts from 0."""

    separator: int
    part: int

    def run(self, column: Column) -> Column:
        """Return the column after the step."""
        kernels.split_part(*column, self.separator, self.part)
        return column


@dataclass(frozen=True, slots=True)
class Case:
    """Upper or lower case."""

    upper: bool

    def run(self, column: Column) -> Column:
        """Return the column after the step."""
        out = _room(column, 0)
        kernels.change_case(*column, self.upper, out)
        return out, column[1], column[2]


@dataclass(frozen=True, slots=True)
class Prepend:
    """Put a text in front: once, or up to `width` characters."""

    affix: UInt8Array
    width: int

    def run(self, column: Column) -> Column:
        """Return the column after the step."""
        out = _room(column, len(self.affix) * max(1, self.width))
        kernels.prepend(*column, self.affix, self.width, out)
        return out, column[1], column[2]


@dataclass(frozen=True, slots=True)
class Replace:
    """Replace whole texts."""

    table: ValueTable
    values: Texts

    def run(self, column: Column) -> Column:
        """Return the column after the step."""
        found = self.table.look_up(*column)
        out = _room(column, int(np.diff(self.values.ptr).max()))
        kernels.replace_texts(*column, found, self.values.data, self.values.ptr, out)
        return out, column[1], column[2]


@dataclass(frozen=True, slots=True)
class Normalise:
    """Telephone numbers as E.164."""

    country: UInt8Array
    trunk: UInt8Array
    international: Texts
    national: bool
    short_max: int

    def run(self, column: Column) -> Column:
        """Return the column after the step."""
        out = _room(column, len(self.country))
        prefixes = self.international
        kernels.normalise_numbers(
            *column,
            self.country,
            self.trunk,
            prefixes.data,
            prefixes.ptr,
            self.national,
            self.short_max,
            out,
        )
        return out, column[1], column[2]


@dataclass(frozen=True, slots=True)
class FieldConverter:
    """All steps of one field."""

    slot: int
    steps: tuple[Step, ...]


def compile_converters(
    definitions: Mapping[str, tuple[Converter, ...]], slots: Mapping[str, int]
) -> tuple[FieldConverter, ...]:
    """Return the converters of those fields that have a slot.

    Raises:
        UnableToCompileSource: when a step contradicts itself, or a field is read by nothing.
    """
    for name in definitions:
        if name not in slots:
            raise UnableToCompileSource(f"converters: nothing in the mapping reads {name!r}")
    return tuple(
        FieldConverter(slots[name], tuple(_compile(name, step) for step in steps))
        for name, steps in sorted(definitions.items(), key=lambda item: slots[item[0]])
    )


def _bytes(text: str) -> UInt8Array:
    return np.frombuffer(bytearray(text.encode()), np.uint8)


def _compile(name: str, step: Converter) -> Step:
    if len(step.steps) != 1:
        raise UnableToCompileSource(f"converters: each step of {name!r} is exactly one thing, not {len(step.steps)}")
    if step.default is not None and step.map is None:
        raise UnableToCompileSource(f"converters: `default` of {name!r} belongs to a `map`")
    if step.strip_prefix is not None:
        return StripPrefix(pack_texts(step.strip_prefix))
    if step.add_prefix is not None:
        return Prepend(_bytes(step.add_prefix), 0)
    if step.case is not None:
        return Case(step.case == "upper")
    if step.substring is not None:
        return Cut(step.substring.start - 1, step.substring.width or 2**31 - 1)
    if step.split is not None:
        return Part(ord(step.split.separator), step.split.part - 1)
    if step.pad_left is not None:
        return Prepend(_bytes(step.pad_left.fill), step.pad_left.width)
    if step.e164 is not None:
        return _compile_e164(step.e164)
    return _compile_map(name, step.map or {}, step.default)


def _compile_e164(numbers: E164) -> Normalise:
    return Normalise(
        _bytes(numbers.country),
        _bytes(numbers.trunk),
        pack_texts(numbers.international),
        numbers.bare == "national",
        numbers.short_max,
    )


def _compile_map(name: str, values: dict[str, str], default: str | None) -> Replace:
    if not values:
        raise UnableToCompileSource(f"converters: the `map` of {name!r} is empty")
    texts = (*values.values(), *(() if default is None else (default,)))
    if max(len(text.encode()) for text in texts) > VALUE_BYTES_MAX:
        raise UnableToCompileSource(f"converters: a value of {name!r} is longer than {VALUE_BYTES_MAX} bytes")
    if any("\0" in text for text in (*values, *texts)):
        raise UnableToCompileSource(f"converters: the `map` of {name!r} holds a NUL")
    index = {text: place for place, text in enumerate(values)}
    index.setdefault("", -1)
    return Replace(value_table(index, missing=-1 if default is None else len(values)), pack_texts(texts))


def convert(
    converters: tuple[FieldConverter, ...], text: UInt8Array, start: Int32Array, end: Int32Array, rows: int
) -> UInt8Array:
    """Run all converters; return the buffer that the fields are in then, `text` itself when nothing was written.

    Args:
        converters: what to do.
        text: padded.
        start, end: (f, m >= rows), changed.
        rows: how many records there are.
    """
    written: list[tuple[int, Column]] = []
    for item in converters:
        column: Column = (text, start[item.slot, :rows].copy(), end[item.slot, :rows].copy())
        for step in item.steps:
            column = step.run(column)
        written.append((item.slot, column))
    grown = sum(int((column[2].astype(np.int64) - column[1]).sum()) for _, column in written if column[0] is not text)
    target, to = text, len(text)
    if grown:
        target = np.empty(len(text) + grown + PADDING, np.uint8)
        target[: len(text)] = text
        target[len(text) + grown :] = 0
        target = target[: len(text) + grown]
    for slot, column in written:
        if column[0] is not text:
            to = kernels.append_texts(*column, target, to)
        start[slot, :rows], end[slot, :rows] = column[1], column[2]
    return target
