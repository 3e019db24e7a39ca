"""Accumulators of an image as tables: who grows which, and where."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from rating.image_accounts import counter_names, ptr_of
from rating.image_calendars import CalendarTables
from rating.image_charges import ChargeTables
from rating.kernels.accumulate import AccumulatorTables
from rating.kernels.layout import ATTRIBUTE_SLOTS, IN_UNITS
from rating.vocabulary import Vocabulary
from schemas.arrays import Int32Array
from schemas.catalog import Catalog
from schemas.price_plan import Counter

AMOUNT = "#"
"""Before the currency at the end of the name of an accumulator of amounts; a code has no "#"."""
VALUE = "="
"""Between the counter and the value that one counts, where there are values; a code has no "="."""
OTHERS = "*"
"""Stands there for all values that have no accumulator of their own, and for none."""


@dataclass(frozen=True, slots=True)
class ImageAccumulators:
    """The accumulators of an image.

    Attributes:
        names: COUNTER or COUNTER=VALUE, by index. tables: what kernels read.
        account, holder: (k,) ids: account[i] grows something that holder[i], an id of `Vocabulary.accumulators`, has.
    """

    names: tuple[str, ...]
    tables: AccumulatorTables
    account: Int32Array
    holder: Int32Array


def compile_accumulators(
    catalog: Catalog, vocabulary: Vocabulary, charges: ChargeTables, calendars: CalendarTables
) -> ImageAccumulators | None:
    """Return the accumulators of a catalog, extending the vocabulary; None where there are none.

    Subscriptions, accounts and their ids are in the vocabulary already.
    """
    named = {code for charge in catalog.charges.values() for code in charge.accumulate}
    named |= {code for offer in catalog.offers.values() for code in offer.accumulate}
    if not named:
        return None
    names = tuple(name for code in sorted(named) for name in names_of(catalog.counters[code]))
    codes = [counter_of(name) for name in names]
    of_offer = {code: _grown_by(code, catalog) for code in charges.offers}
    place = np.full((len(charges.offers), len(names)), -1, np.int32)
    for row, offer in zip(place, charges.offers, strict=True):
        for position, name in enumerate(name for code in of_offer[offer] for name in names_of(catalog.counters[code])):
            row[names.index(name)] = position
    # contracts make rows that are versions of the same name: by row, not by what the names mean
    sold = np.repeat(np.arange(len(charges.charges)), np.diff(charges.charge_ptr)).tolist()
    version_ptr, version_list = _lists([catalog.charges[charges.charges[row]].accumulate for row in sold], codes)
    offer_ptr, offer_list = _lists([catalog.offers[code].accumulate for code in charges.offers], codes)
    slot_ptr, slot, account = _slots(catalog, vocabulary, of_offer)
    index = [calendars.counters.index(code) for code in codes]
    said = [_said_in(charge, codes, catalog) for charge in charges.charges]
    return ImageAccumulators(
        names,
        AccumulatorTables(
            kind=np.ascontiguousarray(calendars.counter_kind[index]),
            zone=np.ascontiguousarray(calendars.counter_zone[index]),
            of_amount=np.array([catalog.counters[code].function == "amount" for code in codes], np.bool_),
            values=np.array([_counted_behind(name, catalog) for name in names], np.int32),
            code=np.array([_code(name, vocabulary) for name in names], np.int32),
            in_units=np.ascontiguousarray(charges.version_row[: len(sold), IN_UNITS] != 0),
            said=np.array([said[row] for row in sold], np.int8).reshape(len(sold), len(names)),
            version_ptr=version_ptr,
            version_list=version_list,
            offer_ptr=offer_ptr,
            offer_list=offer_list,
            place=place,
            slot_ptr=slot_ptr,
            slot=slot,
        ),
        account,
        slot,
    )


def names_of(counter: Counter) -> list[str]:
    """Return what an accumulator is called, by index: first of all other values, then of each value, if it has any."""
    return (
        [counter.code]
        if counter.by is None
        else [f"{counter.code}{VALUE}{value}" for value in (OTHERS, *sorted(counter.values))]
    )


def counter_of(name: str) -> str:
    """Return the code of the counter that an accumulator belongs to."""
    return name.partition(VALUE)[0]


def _counted_behind(name: str, catalog: Catalog) -> int:
    return len(catalog.counters[counter_of(name)].values) if name.endswith(VALUE + OTHERS) else 0


def _code(name: str, vocabulary: Vocabulary) -> int:
    value = name.partition(VALUE)[2]
    return -1 if value in ("", OTHERS) else vocabulary.attribute_values.id(value)


def _said_in(charge: str, codes: list[str], catalog: Catalog) -> list[int]:
    """Return the column, attributes first, in which usage of a charge has what each accumulator counts by, else -1."""
    event_type = catalog.event_types[catalog.charges[charge].event_type]
    places = {name: place for place, name in enumerate(event_type.attributes)}
    places |= {name: ATTRIBUTE_SLOTS + place for place, name in enumerate(event_type.lookups)}
    return [places.get(catalog.counters[code].by or "", -1) for code in codes]


def _grown_by(offer: str, catalog: Catalog) -> tuple[str, ...]:
    document = catalog.offers[offer]
    of_charges = (catalog.charges[code].accumulate for code in document.charges)
    return tuple(sorted({*document.accumulate, *(code for codes in of_charges for code in codes)}))


def _lists(lists: list[tuple[str, ...]], codes: list[str]) -> tuple[Int32Array, Int32Array]:
    """Return (ptr, first indexes of codes) of lists of codes."""
    ptr = np.cumsum([0, *map(len, lists)]).astype(np.int32)
    return ptr, np.array([codes.index(code) for some in lists for code in some], np.int32)


def _slots(
    catalog: Catalog, vocabulary: Vocabulary, of_offer: dict[str, tuple[str, ...]]
) -> tuple[Int32Array, Int32Array, Int32Array]:
    """Return (slot_ptr, slot, account of the subscription of each slot), giving ids to the names of accumulators."""
    ids = vocabulary.subscriptions.ids(catalog.subscriptions["subscription"])
    held = counter_names(catalog.subscriptions.with_columns(id=pl.Series(ids)), catalog, of_offer)
    suffixes = {code: [name.removeprefix(code) for name in names_of(each)] for code, each in catalog.counters.items()}
    if any(each.by is not None for each in catalog.counters.values()):
        behind = pl.DataFrame(
            list(suffixes.items()), schema={"counter": pl.String, "behind": pl.List(pl.String)}, orient="row"
        )
        held = held.join(behind.explode("behind"), on="counter", how="left", maintain_order="left_right")
        held = held.with_columns(name=pl.col("name") + pl.col("behind"))
    currency = {code: AMOUNT + each.unit for code, each in catalog.counters.items() if each.function == "amount"}
    names = held["name"] + held["counter"].replace_strict(currency, default="", return_dtype=pl.String)
    vocabulary.accumulators.extend(names)
    owner = held["id"].to_numpy()
    order = np.argsort(owner, kind="stable")
    ptr = ptr_of(owner, len(vocabulary.subscriptions))
    slot = np.ascontiguousarray(vocabulary.accumulators.ids(names)[order])
    return ptr, slot, np.ascontiguousarray(vocabulary.accounts.ids(held["account"])[order])
