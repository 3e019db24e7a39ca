"""Levels of an image as tables: at what counters, accumulators and wallets somebody is told."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import polars as pl

from rating.image_accounts import wallet_names
from rating.image_accumulators import ImageAccumulators, counter_of
from rating.image_calendars import CalendarTables
from rating.image_charges import ChargeTables
from rating.kernels.layout import COUNTER, VERSION_ID
from rating.levels import level_of, unit_of, whole_of
from rating.vocabulary import Vocabulary
from schemas.arrays import Int32Array, Int64Array
from schemas.catalog import Catalog
from schemas.quantity import Unit


@dataclass(frozen=True, slots=True)
class Levels:
    """The levels of some things: those of thing i are level[ptr[i]:ptr[i + 1]], in the order in which they are crossed.

    Attributes:
        level: base steps; of wallets billionths with the sign changed, so that all are crossed upwards.
        written: how the catalog writes each; of wallets nothing.
    """

    ptr: Int64Array
    level: Int64Array
    written: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CounterWords:
    """What is said of a counter: `unit` may be a currency; `code` has a value behind it where it counts by values."""

    code: str
    unit: Unit
    zone: str


@dataclass(frozen=True, slots=True)
class Notices:
    """All levels of an image; None where a kind of thing has none.

    Attributes:
        counter_of: (charge versions of the vocabulary,) int32 index of the counter that the version runs on, -1 without
            levels. counters, accumulators: by index in the image, with `words` of each. wallets: by id.
    """

    counter_of: Int32Array
    counters: Levels | None
    counter_words: tuple[CounterWords, ...]
    accumulators: Levels | None
    accumulator_words: tuple[CounterWords, ...]
    wallets: Levels | None


def compile_levels(
    catalog: Catalog,
    vocabulary: Vocabulary,
    charges: ChargeTables,
    calendars: CalendarTables,
    accumulators: ImageAccumulators | None,
) -> Notices | None:
    """Return the levels of a catalog; None where there are none, so that nothing looks for any."""
    names = accumulators.names if accumulators is not None else ()
    counters, accumulated = _counters(catalog, calendars.counters), _counters(catalog, names)
    wallets = _wallets(catalog, vocabulary)
    if counters is None and accumulated is None and wallets is None:
        return None
    counter_of = np.full(len(vocabulary.charge_versions), -1, np.int32)
    if counters is not None:
        rows = charges.version_row[: len(charges.version_start)]
        counter = rows[:, COUNTER]
        told = (counter >= 0) & (np.diff(counters.ptr)[counter] > 0)
        counter_of[rows[told, VERSION_ID]] = counter[told]
    return Notices(
        counter_of,
        counters,
        tuple(_words(code, catalog) for code in calendars.counters),
        accumulated,
        tuple(_words(name, catalog) for name in names),
        wallets,
    )


def _words(name: str, catalog: Catalog) -> CounterWords:
    counter = catalog.counters[counter_of(name)]
    return CounterWords(name, unit_of(counter, catalog.units), counter.zone)


def _counters(catalog: Catalog, names: Iterable[str]) -> Levels | None:
    versions = [version for plan in catalog.price_plans.values() for version in plan.versions]
    ptr, found = [0], []
    for name in names:
        counter = catalog.counters[counter_of(name)]
        if counter.notify:
            whole, unit = whole_of(counter, versions, catalog.units), unit_of(counter, catalog.units)
            found += sorted((level_of(text, whole, unit, catalog.units), text) for text in counter.notify)
        ptr.append(len(found))
    if not found:
        return None
    levels, written = zip(*found, strict=True)
    return Levels(np.array(ptr, np.int64), np.array(levels, np.int64), written)


def _wallets(catalog: Catalog, vocabulary: Vocabulary) -> Levels | None:
    told = catalog.wallet_levels
    if not len(told):
        return None
    names = wallet_names(told.select(pl.concat_str("account", "wallet", separator="/"))["account"], catalog)
    placed = pl.DataFrame({"wallet": vocabulary.wallets.ids(names), "level": -told["level"]}).sort("wallet", "level")
    counts = np.bincount(placed["wallet"].to_numpy(), minlength=len(vocabulary.wallets))
    ptr = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return Levels(ptr, np.ascontiguousarray(placed["level"].to_numpy()))
