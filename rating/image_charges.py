"""Offers, charges and price versions as tables."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl

from rating.contracts import NegotiatedVersion, own_code
from rating.exchange import converted_mark
from rating.image_calendars import CalendarTables
from rating.image_conditions import compile_conditions, expression_codes
from rating.image_conversions import conversion_places, conversion_rows, conversions_of
from rating.image_derived import lookup_codes
from rating.image_items import ItemTables, compile_follow_ups, compile_items, is_covered
from rating.image_lookup import LookupTables, join_tables
from rating.image_matrix import matrix_codes
from rating.image_prices import UnableToCompileImage
from rating.image_programs import ProgramTables, pack_programs
from rating.image_tables import TERMS, compile_tables
from rating.image_triggers import TriggerTables, chosen_texts, compile_trigger_programs, compile_triggers
from rating.image_versions import (
    PricedVersion,
    compile_priced,
    joined_prices,
    pack_versions,
    wide_halves,
    with_shared_prices,
)
from rating.image_wallets import WalletFilters, compile_filters, wallet_codes
from rating.kernels.layout import CONVERSION, EXTRA, IN_UNITS
from rating.vocabulary import Vocabulary
from schemas.account import unit_mark
from schemas.arrays import Int32Array, Int64Array
from schemas.catalog import TIME_MAX, Catalog
from schemas.cdr import ATTRIBUTE_SLOTS, EVENT_TYPE_NONE
from schemas.exchange import Conversion
from schemas.price_plan import (
    Band,
    Calendar,
    Charge,
    Counter,
    Document,
    Increments,
    PriceRounding,
    PriceVersion,
    Tier,
    utc_microseconds,
)
from schemas.quantity import Unit, converted_units

_HASH_DIGITS = 8
COMPANION = "#left"
"""Ends the name of the second slot of a counter that rolls over, which follows the first one; a code has no "#"."""
LATER: dict[type[Document], frozenset[str]] = {
    PriceVersion: frozenset(
        {
            "free",
            "blocks",
            "bounds",
            "minimum_quantity",
            "floor",
            "cap",
            "zero_usage",
            "crossing",
            "prices",
            "value",
            "free_value",
            "formula",
            "constants",
            "plugin",
        }
    ),
    Tier: frozenset({"amount", "increment"}),
    Increments: frozenset({"mode"}),
    PriceRounding: frozenset({"unit_price", "increment"}),
    Calendar: frozenset({"day_types", "seasons"}),
    Band: frozenset({"seasons"}),
    Counter: frozenset({"first_day", "shared_by", "function", "roll_over", "notify", "by", "values", "ceiling"}),
}
"""Fields that came later: a version that does not use them keeps the name that it had before they came."""
_LATER_DEFAULTS = {
    model: {name: model.model_fields[name].default for name in sorted(names)} for model, names in LATER.items()
}


@dataclass(frozen=True, slots=True)
class ChargeVersion:
    """A charge priced by one version of its plan: what the store says about a `charge_version` id.

    Attributes:
        id: id in `Vocabulary.charge_versions`, and `name` there.
        start_at, end_at: microseconds UTC, half-open.
        unit: the unit of the event type; rated quantities count its dimension's base steps.
        unit_steps: how many base steps one such unit is worth. counter: on which it runs, "" for none; ceiling: what that
            counts at most, as the catalog writes it, "" for no ceiling.
        contract: whose terms it has, None where it is the plan's own.
        currency: of its amounts. conversion: how they came into it, None where the plan has that currency.
    """

    id: int
    name: str
    charge: str
    price_plan: str
    start_at: int
    end_at: int
    model: str
    unit: str
    unit_steps: int
    currency: str
    event_type: str
    contract: str | None = None
    counter: str = ""
    ceiling: str = ""
    conversion: Conversion | None = None


@dataclass(frozen=True, slots=True)
class ChargeTables:
    """The parts of `rating.kernels.layout.Tariff` that say what is sold.

    Attributes:
        offers: codes in the order of their index; charges likewise.
        offer_counters: the counters (codes) that each offer's price plans use, and their companions, in the order of the slots.
        versions: what the ids of `version_row` mean, once each. filters: what wallets pay for.
    """

    offers: tuple[str, ...]
    charges: tuple[str, ...]
    offer_counters: dict[str, tuple[str, ...]]
    versions: tuple[ChargeVersion, ...]
    cell_ptr: Int32Array
    candidate_charge: Int32Array
    candidate_attribute: Int32Array
    candidate_condition: Int32Array
    charge_ptr: Int32Array
    version_start: Int64Array
    version_end: Int64Array
    version_row: Int64Array
    conversion: Int64Array
    tier_upper: Int64Array
    tier_amount: Int64Array
    tier_step: Int64Array
    price: Int64Array
    offer_counter: Int32Array
    lookup: LookupTables
    programs: ProgramTables
    items: ItemTables
    filters: WalletFilters
    triggers: TriggerTables | None


Said = dict[tuple[type[Document], str], dict[str, Any]]
"""What calendars and counters say, by model and code: many versions use the same."""


def version_name(charge: Charge, version: PriceVersion, catalog: Catalog, said: Said | None = None) -> str:
    """Return the name of a charge version: "charge/plan@START#HASH", "…#UNIT" or "…*USD/EUR@0.92", see `Vocabulary`.

    The hash covers everything that makes the price: the version, its calendar, its counter, the unit, the
    currency, and what is negotiated. `said` remembers some of it for other versions of the same catalog.
    """
    plan, contract, conversion = charge.price_plan, None, None
    if isinstance(version, NegotiatedVersion):
        plan, conversion = version.price_plan, version.conversion
        if version.item is not None:
            contract = [version.contract, version.item.model_dump(mode="json", include={"price", "percentage"})]
        version = version.whole
    unit = catalog.units[catalog.event_types[charge.event_type].unit]
    said = {} if said is None else said
    calendar = _said(catalog.calendars[version.calendar], said) if version.calendar is not None else None
    counter = _said(catalog.counters[version.counter], said) if version.counter is not None else None
    content: dict[str, Any] = {
        "version": _content(version),
        "currency": catalog.price_plans[plan].currency,
        "unit": [unit.code, unit.dimension, unit.step_count],
        "calendar": calendar,
        "counter": counter,
    }
    event_type = catalog.event_types[charge.event_type]
    del content["version"]["state"]  # who may use it is no price
    if event_type.lookups and (version.prices is not None or version.formula is not None):
        content["lookups"] = {
            name: [lookup.of, catalog.lookup_tables[lookup.table].digest] for name, lookup in event_type.lookups.items()
        }
    if version.prices is not None:
        content["prices"] = catalog.price_tables[version.prices].digest
    converted = _converted(content, version, catalog)
    if converted:
        content["units"] = {each.code: each.step_count for each in converted}
    if contract is not None:
        content["contract"] = contract
    if conversion is not None:
        content["conversion"] = conversion.model_dump(mode="json")
    lists = _date_lists(version, catalog)
    if lists:
        content["date_lists"] = lists
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":")).encode()
    digest = sha256(canonical).hexdigest()[:_HASH_DIGITS]
    sold_in = catalog.price_plans[plan]
    mark = unit_mark(sold_in.currency if sold_in.in_units else None) or converted_mark(conversion)
    return f"{own_code(charge.code)}/{plan}@{start_text(version.start)}#{digest}{mark}"


def _converted(content: dict[str, Any], version: PriceVersion, catalog: Catalog) -> list[Unit]:
    """Return the multiples of units in which a version writes quantities: what they are worth makes its price."""
    if all(unit.of is None for unit in catalog.units.values()):
        return []
    rows = catalog.price_tables[version.prices].frame.select(TERMS[:3]).unique() if version.prices is not None else None
    return converted_units([content, [] if rows is None else rows.rows()], catalog.units)


def _said(document: Calendar | Counter, said: Said) -> dict[str, Any]:
    key = type(document), document.code
    if key not in said:
        said[key] = _content(document)
        said[key].pop("notify", None)  # who is told of what is no price
    return said[key]


def _content(document: Document) -> dict[str, Any]:
    """Return a document as JSON data without the `LATER` fields that stand at their defaults."""
    content = document.model_dump(mode="json")
    _drop_unused(document, content)
    return content


def _drop_unused(document: Document, content: dict[str, Any]) -> None:
    """Remove from the JSON data of a document, and of those in it, the `LATER` fields that stand at their defaults."""
    later = _LATER_DEFAULTS.get(type(document), {})
    for name, value in document.__dict__.items():
        if name in later and value == later[name]:
            del content[name]
        elif isinstance(value, Document):
            _drop_unused(value, content[name])
        elif isinstance(value, tuple):
            for item, said in zip(value, content[name], strict=True):
                if isinstance(item, Document):
                    _drop_unused(item, said)


def _date_lists(version: PriceVersion, catalog: Catalog) -> list[Any]:
    if version.calendar is None:
        return []
    used = {code for codes in catalog.calendars[version.calendar].day_types.values() for code in codes}
    return [catalog.date_lists[code].model_dump(mode="json") for code in sorted(used)]


def start_text(start: datetime) -> str:
    """Return the start of a version as names write it: UTC, ISO 8601, "2026-01-01T00:00:00Z"."""
    return start.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"


def texts_named(catalog: Catalog) -> set[str]:
    """Return the texts of attributes that something in a catalog asks for: they get codes."""
    return (
        {value for charge in catalog.charges.values() for value in charge.filters.values()}
        | {value for counter in catalog.counters.values() for value in counter.values}
        | chosen_texts(catalog)
        | matrix_codes(catalog)
        | expression_codes(catalog)
        | lookup_codes(catalog)
        | wallet_codes(catalog)
    )


def compile_charges(catalog: Catalog, vocabulary: Vocabulary, calendars: CalendarTables) -> ChargeTables:
    """Return the tables of all offers, charges and price versions, extending the vocabulary.

    Raises:
        UnableToCompileImage: when a document asks for what the kernels cannot hold.
    """
    vocabulary.event_types.extend(pl.Series(sorted(catalog.event_types), dtype=pl.String))
    if len(vocabulary.event_types) >= EVENT_TYPE_NONE:
        raise UnableToCompileImage("too many event types")
    vocabulary.attribute_values.extend(pl.Series(sorted(texts_named(catalog)), dtype=pl.String))
    charges = tuple(sorted(catalog.charges))
    dated = {code: _in_order(catalog.charges[code].price_plan, catalog) for code in charges}
    pairs = [(catalog.charges[code], version) for code in charges for version in dated[code]]
    said: Said = {}
    names = [version_name(charge, version, catalog, said) for charge, version in pairs]
    vocabulary.charge_versions.extend(pl.Series(names, dtype=pl.String))
    described = tuple(
        _describe(vocabulary.charge_versions.id(name), name, charge, version, catalog)
        for name, (charge, version) in zip(names, pairs, strict=True)
    )
    tables = compile_tables(catalog, vocabulary)

    def compile_one(charge: Charge, version: PriceVersion, where: str) -> PricedVersion:
        return compile_priced(charge, version, catalog, tables, vocabulary.attribute_values.id, where=where)

    compile_shared = with_shared_prices(compile_one)
    compiled = [compile_shared(*pair, about.name) for about, pair in zip(described, pairs, strict=True)]
    price_starts, prices = joined_prices(compiled)
    conditions = compile_conditions(catalog, vocabulary.attribute_values.id)
    follow_ups = compile_follow_ups(catalog, vocabulary.attribute_values.id)
    triggers = compile_trigger_programs(catalog, vocabulary.attribute_values.id)
    programs = [*conditions.values(), *follow_ups.values(), *triggers.values()]
    ids = [about.id for about in described]
    rows = pack_versions(ids, compiled, calendars, list(tables.values()), len(programs), price_starts)
    versions = [version for _, version in pairs]
    conversions = conversions_of(versions)
    rows[: len(pairs), CONVERSION] = conversion_places(versions, conversions)
    rows[: len(pairs), IN_UNITS] = [is_covered(charge, catalog) for charge, _ in pairs]
    if ((rows[:, IN_UNITS] != 0) & (rows[:, EXTRA] != 1)).any():
        raise UnableToCompileImage("units are priced per a quantity that is too large")
    programs += [program for version in compiled for program in version.whole.programs]
    offers = tuple(sorted(catalog.offers))
    offer_counters = {code: _counters_of(code, catalog) for code in offers}
    cell_ptr, candidate_charge, candidate_attribute = _candidates(offers, charges, catalog, vocabulary)
    program_of = {code: place for place, code in enumerate(conditions)}
    filters = compile_filters(
        catalog, offers, charges, cell_ptr, candidate_charge, vocabulary.attribute_values.id, len(programs)
    )
    return ChargeTables(
        offers=offers,
        charges=charges,
        offer_counters=offer_counters,
        versions=tuple(dict.fromkeys(described)),
        cell_ptr=cell_ptr,
        candidate_charge=candidate_charge,
        candidate_attribute=candidate_attribute,
        candidate_condition=np.array([program_of.get(charges[charge], -1) for charge in candidate_charge], np.int32),
        charge_ptr=np.cumsum([0, *(len(dated[code]) for code in charges)]).astype(np.int32),
        version_start=np.array([version.whole.start for version in compiled], np.int64),
        version_end=np.array([version.whole.end for version in compiled], np.int64),
        version_row=rows,
        conversion=conversion_rows(conversions),
        tier_upper=_joined(version.whole.tier_upper for version in compiled),
        tier_amount=wide_halves(amount for version in compiled for amount in version.whole.tier_amount),
        tier_step=_joined(version.whole.tier_step for version in compiled),
        price=prices,
        offer_counter=_counter_positions(offers, offer_counters, calendars),
        lookup=join_tables(tuple(tables.values())),
        programs=pack_programs([*programs, *filters.programs]),
        filters=filters,
        items=compile_items(
            catalog,
            charges,
            calendars.counters,
            offer_counters,
            cell_ptr,
            candidate_charge,
            {code: len(conditions) + place for place, code in enumerate(follow_ups)},
        ),
        triggers=compile_triggers(
            catalog,
            charges,
            cell_ptr,
            candidate_charge,
            triggers,
            len(conditions) + len(follow_ups),
            vocabulary,
        ),
    )


def _in_order(price_plan: str, catalog: Catalog) -> list[PriceVersion]:
    versions = sorted(catalog.price_plans[price_plan].versions, key=lambda version: version.start)
    for earlier, later in pairwise(versions):
        if earlier.end is None or earlier.end > later.start:
            raise UnableToCompileImage(f"price plan {price_plan}: the version of {later.start} overlaps the one before")
    return versions


def _describe(id_: int, name: str, charge: Charge, version: PriceVersion, catalog: Catalog) -> ChargeVersion:
    plan, contract, conversion = charge.price_plan, None, None
    if isinstance(version, NegotiatedVersion):
        plan, contract, conversion, version = (
            version.price_plan, version.contract, version.conversion, version.whole,
        )  # fmt: skip
    unit = catalog.units[catalog.event_types[charge.event_type].unit]
    if version.counter is not None:
        counted = catalog.units[catalog.counters[version.counter].unit]
        if counted.dimension != unit.dimension:
            raise UnableToCompileImage(f"{name}: counter {version.counter} counts {counted.code}, not {unit.code}")
    return ChargeVersion(
        id=id_,
        name=name,
        charge=own_code(charge.code),
        price_plan=plan,
        start_at=utc_microseconds(version.start),
        end_at=TIME_MAX if version.end is None else utc_microseconds(version.end),
        model=version.model,
        unit=unit.code,
        unit_steps=unit.step_count,
        currency=conversion.currency if conversion is not None else catalog.price_plans[plan].currency,
        event_type=charge.event_type,
        contract=contract,
        counter=version.counter or "",
        ceiling=(catalog.counters[version.counter].ceiling or "") if version.counter is not None else "",
        conversion=conversion,
    )


def _joined(parts: Iterable[tuple[int, ...]]) -> Int64Array:
    return np.array([value for part in parts for value in part], np.int64)


def _candidates(
    offers: tuple[str, ...], charges: tuple[str, ...], catalog: Catalog, vocabulary: Vocabulary
) -> tuple[Int32Array, Int32Array, Int32Array]:
    """Return (cell_ptr, candidate_charge, candidate_attribute): who may price what, best candidate first."""
    types = len(vocabulary.event_types)
    index = {code: position for position, code in enumerate(charges)}
    # ties of priority keep the offer's order
    cells = sorted(
        (number * types + vocabulary.event_types.id(charge.event_type), charge.priority, position, charge.code)
        for number, offer in enumerate(offers)
        for position, charge in enumerate(catalog.charges[code] for code in catalog.offers[offer].charges)
    )
    counts = np.bincount(np.array([cell for cell, *_ in cells], np.int64), minlength=len(offers) * types)
    ptr = np.cumsum([0, *counts]).astype(np.int32)
    required = np.zeros((len(cells), ATTRIBUTE_SLOTS), np.int32)
    for row, (*_, code) in zip(required, cells, strict=True):
        row[:] = _required_attributes(catalog.charges[code], catalog, vocabulary)
    return ptr, np.array([index[code] for *_, code in cells], np.int32), required


def _required_attributes(charge: Charge, catalog: Catalog, vocabulary: Vocabulary) -> list[int]:
    slots = catalog.event_types[charge.event_type].attributes
    required = [0] * ATTRIBUTE_SLOTS
    for name, value in charge.filters.items():
        if name not in slots or value == "":
            raise UnableToCompileImage(f"charge {charge.code}: cannot filter on {name} = {value!r}")
        required[slots.index(name)] = vocabulary.attribute_values.id(value)
    return required


def _counters_of(offer: str, catalog: Catalog) -> tuple[str, ...]:
    plans = {catalog.charges[code].price_plan for code in catalog.offers[offer].charges}
    used = {version.counter for plan in plans for version in catalog.price_plans[plan].versions}
    counters = sorted(code for code in used if code is not None)
    rolling = {code for code in counters if catalog.counters[code].roll_over is not None}
    return tuple(name for code in counters for name in (code, code + COMPANION)[: 1 + (code in rolling)])


def _counter_positions(
    offers: tuple[str, ...], offer_counters: dict[str, tuple[str, ...]], calendars: CalendarTables
) -> Int32Array:
    positions = np.full((len(offers), len(calendars.counters)), -1, np.int32)
    for row, offer in zip(positions, offers, strict=True):
        for position, counter in enumerate(offer_counters[offer]):
            if counter.endswith(COMPANION):
                continue
            row[calendars.counters.index(counter)] = position
    return positions
