"""Which usage triggers other usage, by an image."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import polars as pl

from rating.image_prices import UnableToCompileImage
from rating.image_programs import Program, compile_condition, compile_formula
from rating.image_scopes import WrongExpression, condition_scope, trigger_scope
from rating.kernels.layout import ACCOUNT, OFFER
from rating.vocabulary import Vocabulary
from schemas.arrays import Int32Array, Int64Array, UInt8Array
from schemas.catalog import Catalog
from schemas.cdr import ATTRIBUTE_SLOTS
from schemas.expressions import UnableToParse
from schemas.price_plan import Charge
from schemas.trigger import Trigger


@dataclass(frozen=True, slots=True)
class TriggerTables:
    """The t triggers of an image, and which candidates have them.

    Attributes:
        cell_ptr: (cells + 1,) int32 into the pairs of a cell. candidate, trigger: (k,) int32, such a pair.
        event_type: (t,) int64, subscription: (t,) int32, -1 for the same one. by: (t,) int64, slot of the attribute by which
            another one is chosen, -1 for none. choice: (c, 3) int64, ascending: trigger, code of a text, subscription.
        place: (t,) uint8, which of its charge's triggers it is, from 0.
        source: (t, ATTRIBUTE_SLOTS) int64, slot of the usage that each attribute is taken from, -1 for none.
        when, formula: (t,) int32 programs, -1 without. ratio: (t, 2) int64, by which the result of the formula is multiplied
            and divided.
    """

    cell_ptr: Int64Array
    candidate: Int32Array
    trigger: Int32Array
    event_type: Int64Array
    subscription: Int32Array
    by: Int64Array
    choice: Int64Array
    place: UInt8Array
    source: Int64Array
    when: Int32Array
    formula: Int32Array
    ratio: Int64Array


Key = tuple[str, int, str]


def named_by(tables: TriggerTables, types: int) -> Int64Array:
    """Return (k, 2): an offer of which usage may trigger usage of a subscription that is named, and that subscription.

    Args:
        types: event types, of which each offer has a cell.
    """
    offer = np.repeat(np.arange(len(tables.cell_ptr) - 1), np.diff(tables.cell_ptr)) // max(types, 1)
    alone = np.flatnonzero(tables.subscription >= 0)
    triggers = np.concatenate([alone, tables.choice[:, 0]])
    named = np.concatenate([tables.subscription[alone], tables.choice[:, 2]])
    pairs = [
        np.stack([np.full(int(mine.sum()), of), named[mine]], axis=1)
        for of, trigger in np.unique(np.stack([offer, tables.trigger], axis=1), axis=0).tolist()
        if (mine := triggers == trigger).any()
    ]
    return np.asarray(np.unique(np.concatenate([np.zeros((0, 2), np.int64), *pairs]), axis=0), np.int64)


def chosen_texts(catalog: Catalog) -> set[str]:
    """Return the texts of attributes by which triggers choose subscriptions."""
    return {text for charge in catalog.charges.values() for each in charge.triggers for text in each.subscriptions}


def joined_accounts(tables: TriggerTables, subscription_row: Int32Array, types: int) -> tuple[Int32Array, Int32Array]:
    """Return (account, holder), (k,) each: accounts of which usage of one may trigger usage of another have a holder in common.

    Args:
        subscription_row: of `layout.Tariff`. types: as in `named_by`.
    """
    account, holder = [np.zeros(0, np.int32)], [np.zeros(0, np.int32)]
    pairs = named_by(tables, types)
    for offer in np.unique(pairs[:, 0]).tolist():
        buying = np.flatnonzero((subscription_row[:, OFFER] == offer) & (subscription_row[:, ACCOUNT] >= 0))
        if not len(buying):
            continue
        # all of an offer may trigger usage of each that it names, so they are one
        found = np.unique(subscription_row[np.append(buying, pairs[pairs[:, 0] == offer, 1]), ACCOUNT])
        found = found[found >= 0].astype(np.int32)
        account.append(found)
        holder.append(np.full(len(found), offer, np.int32))
    return np.concatenate(account), np.concatenate(holder)


def compile_trigger_programs(catalog: Catalog, code_of: Callable[[str], int]) -> dict[Key, Program]:
    """Return the programs by charge, number of its trigger, and field.

    Raises:
        UnableToCompileImage: when one is none.
    """
    programs: dict[Key, Program] = {}
    for code, charge in sorted(catalog.charges.items()):
        event_type = catalog.event_types[charge.event_type]
        unit = catalog.units[event_type.unit]
        for place, trigger in enumerate(charge.triggers):
            try:
                if trigger.when is not None:
                    scope = condition_scope(event_type, unit, code_of)
                    programs[code, place, "when"] = compile_condition(trigger.when, scope)
                if trigger.quantity is not None:
                    scope = trigger_scope(event_type, unit, code_of)
                    programs[code, place, "quantity"] = compile_formula(trigger.quantity, scope)
            except (UnableToParse, WrongExpression) as error:
                raise UnableToCompileImage(f"charge {code}: trigger {place + 1}: {error}") from error
    return programs


def compile_triggers(
    catalog: Catalog,
    charges: tuple[str, ...],
    cell_ptr: Int32Array,
    candidate_charge: Int32Array,
    programs: dict[Key, Program],
    first: int,
    vocabulary: Vocabulary,
) -> TriggerTables | None:
    """Return the tables of an image, None where nothing triggers anything; `first` is the number of the first program."""
    documents = [catalog.charges[code] for code in charges]
    triggers = [(charge, place, each) for charge in documents for place, each in enumerate(charge.triggers)]
    if not triggers:
        return None
    named = sorted({name for *_, each in triggers for name in each.named})
    vocabulary.subscriptions.extend(pl.Series(named, dtype=pl.String))
    made = {each.event_type for *_, each in triggers}
    for charge in documents:
        plan = catalog.price_plans[charge.price_plan]
        if charge.event_type in made and any(version.plugin is not None for version in plan.versions):
            raise UnableToCompileImage(f"charge {charge.code}: a plug-in cannot price usage that other usage triggers")
    counts = np.array([len(charge.triggers) for charge in documents])
    begin = np.cumsum(counts) - counts
    of = counts[candidate_charge]
    candidate = np.repeat(np.arange(len(of)), of)
    ends = np.cumsum(of)
    trigger = begin[candidate_charge[candidate]] + np.arange(len(candidate)) - np.repeat(ends - of, of)
    place_of = {key: first + place for place, key in enumerate(programs)}
    return TriggerTables(
        cell_ptr=np.concatenate([[0], ends])[cell_ptr],
        candidate=candidate.astype(np.int32),
        trigger=trigger.astype(np.int32),
        event_type=np.array([vocabulary.event_types.id(each.event_type) for *_, each in triggers], np.int64),
        subscription=np.array(
            [
                -1 if each.subscription is None else vocabulary.subscriptions.id(each.subscription)
                for *_, each in triggers
            ],
            np.int32,
        ),
        by=np.array([_slot(charge, each, catalog) for charge, _, each in triggers], np.int64),
        choice=_choice([each for *_, each in triggers], vocabulary),
        place=np.array([place for _, place, _ in triggers], np.uint8),
        source=np.array([trigger_sources(charge, each, catalog) for charge, _, each in triggers], np.int64),
        when=np.array([place_of.get((charge.code, place, "when"), -1) for charge, place, _ in triggers], np.int32),
        formula=np.array(
            [place_of.get((charge.code, place, "quantity"), -1) for charge, place, _ in triggers], np.int32
        ),
        ratio=np.array([_ratio(charge, place, each, catalog, programs) for charge, place, each in triggers], np.int64),
    )


def _slot(charge: Charge, trigger: Trigger, catalog: Catalog) -> int:
    return -1 if trigger.by is None else catalog.event_types[charge.event_type].attributes.index(trigger.by)


def _choice(triggers: list[Trigger], vocabulary: Vocabulary) -> Int64Array:
    rows = [
        (place, vocabulary.attribute_values.id(text), vocabulary.subscriptions.id(name))
        for place, trigger in enumerate(triggers)
        for text, name in trigger.subscriptions.items()
    ]
    return np.array(sorted(rows), np.int64).reshape(-1, 3)


def trigger_sources(charge: Charge, trigger: Trigger, catalog: Catalog) -> list[int]:
    """Return the slot of a charge's usage that each attribute of what a trigger of it makes is taken from, -1 for none."""
    of = catalog.event_types[charge.event_type].attributes
    made = catalog.event_types[trigger.event_type].attributes
    found = [of.index(trigger.attributes[name]) if name in trigger.attributes else -1 for name in made]
    return found + [-1] * (ATTRIBUTE_SLOTS - len(found))


def _ratio(
    charge: Charge, place: int, trigger: Trigger, catalog: Catalog, programs: dict[Key, Program]
) -> tuple[int, int]:
    program = programs.get((charge.code, place, "quantity"))
    steps = catalog.units[catalog.event_types[trigger.event_type].unit].step_count
    ratio = Fraction(1) if program is None else program.unit * steps
    if max(ratio.numerator, ratio.denominator) >= 2**63:
        raise UnableToCompileImage(f"charge {charge.code}: trigger {place + 1}: its quantity has too many decimals")
    return ratio.numerator, ratio.denominator
