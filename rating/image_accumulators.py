"""Accumulators of an image as tables: who grows which, and where."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from rating.image_accounts import counter_names, ptr_of
from rating.image_calendars import CalendarTables
from rating.image_charges import ChargeTables
from rating.kernels.accumulate import AccumulatorTables
from rating.vocabulary import Vocabulary
from schemas.arrays import Int32Array
from schemas.catalog import Catalog

AMOUNT = "#"
"""Before the currency at the end of the name of an accumulator of amounts; a code has no "#"."""


@dataclass(frozen=True, slots=True)
class ImageAccumulators:
    """The accumulators of an image.

    Attributes:
        codes: the counters, by index. tables: what kernels read.
        account, holder: (k,) ids: account[i] grows something that holder[i], an id of `Vocabulary.accumulators`, has.
    """

    codes: tuple[str, ...]
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
    codes = tuple(sorted(named))
    of_offer = {code: _grown_by(code, catalog) for code in charges.offers}
    place = np.full((len(charges.offers), len(codes)), -1, np.int32)
    for row, offer in zip(place, charges.offers, strict=True):
        for position, code in enumerate(of_offer[offer]):
            row[codes.index(code)] = position
    # contracts make rows that are versions of the same name: by row, not by what the names mean
    sold = np.repeat(np.arange(len(charges.charges)), np.diff(charges.charge_ptr)).tolist()
    version_ptr, version_list = _lists([catalog.charges[charges.charges[row]].accumulate for row in sold], codes)
    offer_ptr, offer_list = _lists([catalog.offers[code].accumulate for code in charges.offers], codes)
    slot_ptr, slot, account = _slots(catalog, vocabulary, of_offer)
    index = [calendars.counters.index(code) for code in codes]
    return ImageAccumulators(
        codes,
        AccumulatorTables(
            kind=np.ascontiguousarray(calendars.counter_kind[index]),
            zone=np.ascontiguousarray(calendars.counter_zone[index]),
            of_amount=np.array([catalog.counters[code].function == "amount" for code in codes], np.bool_),
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


def _grown_by(offer: str, catalog: Catalog) -> tuple[str, ...]:
    document = catalog.offers[offer]
    of_charges = (catalog.charges[code].accumulate for code in document.charges)
    return tuple(sorted({*document.accumulate, *(code for codes in of_charges for code in codes)}))


def _lists(lists: list[tuple[str, ...]], codes: tuple[str, ...]) -> tuple[Int32Array, Int32Array]:
    """Return (ptr, indexes of codes) of lists of codes."""
    ptr = np.cumsum([0, *map(len, lists)]).astype(np.int32)
    return ptr, np.array([codes.index(code) for some in lists for code in some], np.int32)


def _slots(
    catalog: Catalog, vocabulary: Vocabulary, of_offer: dict[str, tuple[str, ...]]
) -> tuple[Int32Array, Int32Array, Int32Array]:
    """Return (slot_ptr, slot, account of the subscription of each slot), giving ids to the names of accumulators."""
    ids = vocabulary.subscriptions.ids(catalog.subscriptions["subscription"])
    held = counter_names(catalog.subscriptions.with_columns(id=pl.Series(ids)), catalog, of_offer)
    currency = {code: AMOUNT + each.unit for code, each in catalog.counters.items() if each.function == "amount"}
    names = held["name"] + held["counter"].replace_strict(currency, default="", return_dtype=pl.String)
    vocabulary.accumulators.extend(names)
    owner = held["id"].to_numpy()
    order = np.argsort(owner, kind="stable")
    ptr = ptr_of(owner, len(vocabulary.subscriptions))
    slot = np.ascontiguousarray(vocabulary.accumulators.ids(names)[order])
    return ptr, slot, np.ascontiguousarray(vocabulary.accounts.ids(held["account"])[order])
