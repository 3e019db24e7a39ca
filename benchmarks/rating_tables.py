"""Price tables of the rating benchmark, and usage that finds its rows: seeded, written as CSV files beside the catalog."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.random import Generator

from rating.vocabulary import Vocabulary
from schemas.arrays import Int32Array, Int64Array
from schemas.cdr import ATTRIBUTE_SLOTS
from schemas.values import BASE, DIGITS_MAX, VALUE_ABSENT, VALUE_SLOTS

SEED = 17
PREFIXES = 100_000
NUMBER_DIGITS = 12
MATRIX_ROWS = 10_000
ZONES, NETWORKS, WAYS, CLASSES = 60, 400, 2, 5
SIZES = tuple(range(0, 8000, 1000))
DAYS = tuple(range(20_454, 20_819, 61))
"""From 2026-01-01 on, in days since 1970."""
MASKS = (
    ("zone", "network", "way", "class", "size", "day"),
    ("zone", "network", "way", "size"),
    ("zone", "network", "class"),
    ("zone", "way", "day"),
    ("network",),
    ("zone",),
)
EVENT_TYPE = (
    "{kind: event_type, code: call, unit: s, attributes: [zone, network, way, class], "
    "values: {called: digits, size: number, day: date}}"
)
DESTINATIONS = "{kind: destination_table, code: table, value: called, file: table.csv}"
MATRIX = (
    "{kind: price_matrix, code: table, file: table.csv, "
    "columns: {zone: code, network: code, way: code, class: code, size: number, day: date}}"
)

Draw = Callable[[Vocabulary, Generator, int], tuple[Int32Array, Int64Array]]
"""Returns attributes and values of so many usages."""


@dataclass(frozen=True)
class Tables:
    """What a shape has besides a version: the document of its table, its rows, and usage that finds them."""

    document: str
    write: Callable[[Path], None]
    draw: Draw


def _prefixes() -> tuple[Int64Array, Int64Array]:
    """Return (digits (p, NUMBER_DIGITS), lengths (p,)) of distinct prefixes that lie within one another."""
    draw = np.random.default_rng(SEED)
    digits = draw.integers(0, 10, (PREFIXES, NUMBER_DIGITS))
    digits[:, 0] = np.maximum(digits[:, 0], 1)
    length = draw.integers(4, 8, PREFIXES)
    length[: PREFIXES // 100] = 3  # countries, which price what is not priced more closely
    codes = [int("".join(map(str, row[:size]))) for row, size in zip(digits.tolist(), length.tolist(), strict=True)]
    first = np.unique(codes, return_index=True)[1]
    return digits[first], length[first]


def write_destinations(path: Path) -> None:
    """Write a price for each band of about PREFIXES prefixes; some have increments or a fee of their own."""
    draw = np.random.default_rng(SEED + 1)
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["prefix", "price.peak", "price.offpeak", "price.night", "first", "next", "connection_fee"])
        for row, size in zip(*(column.tolist() for column in _prefixes()), strict=True):
            cents = int(draw.integers(1, 300))
            own = ("30 s", "1 s") if draw.integers(0, 10) == 0 else ("", "")
            fee = "0.05" if draw.integers(0, 10) == 0 else ""
            prices = [f"0.{cents * part:05d}" for part in (3, 2, 1)]
            rows.writerow(["".join(map(str, row[:size])), *prices, *own, fee])
        rows.writerow(["*", "2", "2", "2", "", "", ""])


def draw_destinations(vocabulary: Vocabulary, draw: Generator, count: int) -> tuple[Int32Array, Int64Array]:
    """Return numbers of NUMBER_DIGITS digits, each with one of the prefixes."""
    digits, length = _prefixes()
    chosen = draw.integers(0, len(digits), count)
    numbers = np.where(
        np.arange(NUMBER_DIGITS) < length[chosen, None], digits[chosen], draw.integers(0, 10, (count, NUMBER_DIGITS))
    )
    worth = np.array([BASE ** (DIGITS_MAX - 1 - place) for place in range(NUMBER_DIGITS)], np.int64)
    values = np.full((count, VALUE_SLOTS), VALUE_ABSENT, np.int64)
    values[:, 0] = ((numbers + 1) * worth).sum(axis=1)
    return np.zeros((count, ATTRIBUTE_SLOTS), np.int32), values


def write_matrix(path: Path) -> None:
    """Write MATRIX_ROWS rows that ask for one to all six of the columns, and one for any usage."""
    draw = np.random.default_rng(SEED)
    names = MASKS[0]
    seen: set[tuple[int, ...]] = set()
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow([*names, "priority", "price"])
        rows.writerow([*("" for _ in names), "90", "0.99"])
        while len(seen) < MATRIX_ROWS - 1:
            mask = int(draw.choice(len(MASKS), p=[0.5, 0.25, 0.15, 0.06, 0.03, 0.01]))
            bounds = (ZONES, NETWORKS, WAYS, CLASSES, len(SIZES) - 1, len(DAYS) - 1)
            places = [int(draw.integers(0, bound)) for bound in bounds]
            asked = tuple(place if name in MASKS[mask] else -1 for name, place in zip(names, places, strict=True))
            if asked in seen:
                continue
            seen.add(asked)
            cells = ["" if place < 0 else _cell(name, place) for name, place in zip(names, asked, strict=True)]
            rows.writerow([*cells, str(10 * mask), f"0.{int(draw.integers(1, 9999)):04d}"])


def _cell(name: str, place: int) -> str:
    if name == "size":
        return f"{SIZES[place]}..{SIZES[place + 1]}"
    if name == "day":
        return "..".join(str(np.datetime64(day, "D")) for day in DAYS[place : place + 2])
    return f"{name}{place}"


def draw_matrix(vocabulary: Vocabulary, draw: Generator, count: int) -> tuple[Int32Array, Int64Array]:
    """Return usage that says something for each of the six columns."""
    attributes = np.zeros((count, ATTRIBUTE_SLOTS), np.int32)
    for slot, (name, bound) in enumerate(zip(MASKS[0], (ZONES, NETWORKS, WAYS, CLASSES), strict=False)):
        ids = [max(0, vocabulary.attribute_values.id(f"{name}{place}")) for place in range(bound)]
        attributes[:, slot] = np.array(ids, np.int32)[draw.integers(0, bound, count)]
    values = np.full((count, VALUE_SLOTS), VALUE_ABSENT, np.int64)
    values[:, 1] = draw.integers(0, SIZES[-1], count)
    values[:, 2] = draw.integers(DAYS[0], DAYS[-1], count)
    return attributes, values


TABLES = {
    "voice": Tables(DESTINATIONS, write_destinations, draw_destinations),
    "matrix": Tables(MATRIX, write_matrix, draw_matrix),
}
"""By shape."""
