"""Compile a source's mapping into small arrays that kernels read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from pipelines.mediation.context import DecodeContext
from pipelines.mediation.converters import FieldConverter, compile_converters
from pipelines.mediation.counters import CounterPlan, compile_counter
from pipelines.mediation.failures import UnableToCompileSource
from pipelines.mediation.filters import FilterPlan, compile_filter
from pipelines.mediation.kernels.siphash import siphash128_bytes
from pipelines.mediation.quantity_text import QuantityText, compile_quantity_text
from pipelines.mediation.sequences import SequencePlan, compile_sequence
from pipelines.mediation.sessions import SessionPlan, compile_sessions
from pipelines.mediation.tables import ValueTable, value_table
from pipelines.mediation.times import TimePlan, compile_time
from pipelines.mediation.values import ValuePlan, compile_values
from rating.kernels.hashing import hash128_bytes
from schemas.arrays import Int32Array, Int64Array, UInt16Array
from schemas.cdr import ATTRIBUTE_SLOTS
from schemas.price_plan import EventType
from schemas.quantity import QUANTITY_MAX
from schemas.source import EventMapping, EventTypeRule, Quantity

SECONDS = "s"
"""The unit of durations."""


@dataclass(frozen=True, slots=True)
class EventTypePlan:
    """The event types a source may yield; records refer to them by index.

    Attributes:
        slot: the field that decides, -1 when it is always the first.
        table: field value -> index.
        codes: (e,) vocabulary ids.
        attributes: (e, ATTRIBUTE_SLOTS) index into `MappingPlan.attribute_slots`, -1 where the slot stays 0.
    """

    slot: int
    table: ValueTable
    codes: UInt16Array
    attributes: Int32Array


@dataclass(frozen=True, slots=True)
class QuantityPlan:
    """The quantity: field `slot`, or -1 and `constants`, or the time `between` two fields, or the sum of `addends`.

    Attributes:
        text: how it is written when it is no plain decimal.
        between: the slots of two times, or none.
        addends: slots of fields that are added up, at least one of which is not empty; or none.
        factors: (e,) base steps of one source unit, per event type.
        constants: (e,) base steps of the constant quantity, per event type.
        counter: when the field is the reading of a counter. signed: whether it may be below zero.
    """

    slot: int
    half_up: bool
    factors: Int64Array
    constants: Int64Array
    text: QuantityText | None = None
    between: tuple[int, ...] = ()
    counter: CounterPlan | None = None
    addends: tuple[int, ...] = ()
    signed: bool = False


@dataclass(frozen=True, slots=True)
class MappingPlan:
    """A mapping over numbered fields (slots).

    Attributes:
        fields: the name of each slot.
        identity: (k,) slots of the identity, in order.
        content: (c,) slots of the other mapped fields, in a fixed order.
        required: slots that must not be empty.
        version: slot of the version, -1 without one.
        converters: what changes the text of fields before anything else reads it.
        attribute_slots: the slot of each mapped attribute; `attribute_table`: value -> vocabulary id.
        seed: of identity keys: the installation's secret, tenant and source.
        keyed: identities are hashed with SipHash, because the source is not trusted.
        sessions: of a source whose records may be parts of sessions. sequence: of one that counts its records.
        values: of one that maps any.
    """

    fields: tuple[str, ...]
    identity: Int32Array
    content: Int32Array
    required: tuple[int, ...]
    version: int
    access: int
    time: TimePlan
    event_type: EventTypePlan
    quantity: QuantityPlan
    attribute_slots: tuple[int, ...]
    attribute_table: ValueTable
    filters: tuple[FilterPlan, ...]
    converters: tuple[FieldConverter, ...]
    seed: tuple[int, int]
    keyed: bool
    sessions: SessionPlan | None = None
    sequence: SequencePlan | None = None
    values: ValuePlan | None = None


def compile_mapping(context: DecodeContext, mapping: EventMapping, extra_fields: Iterable[str] = ()) -> MappingPlan:
    """Return the plan of `mapping`; `extra_fields` get slots too.

    Raises:
        UnableToCompileSource: when the mapping does not fit the event types, attributes or units.
    """
    slots: dict[str, int] = {}

    def slot(name: str) -> int:
        return slots.setdefault(name, len(slots))

    identity = [slot(name) for name in dict.fromkeys(mapping.identity)]
    access = slot(mapping.access_point)
    time = compile_time(mapping.time, tuple(slot(name) for name in mapping.time.names))
    known = _event_types(context, mapping.event_type)
    decider = mapping.event_type.field
    decider_slot = -1 if decider is None else slot(decider)
    quantity_slot = -1 if mapping.quantity.field is None else slot(mapping.quantity.field)
    measured = (quantity_slot, *(slot(name) for name in mapping.quantity.between or ()))
    addends = tuple(dict.fromkeys(slot(name) for name in mapping.quantity.fields or ()))
    cumulative = mapping.quantity.cumulative
    counted = [slot(name) for name in (cumulative.series if cumulative is not None else ())]
    marked = [slot(name) for name in (cumulative.marked_by if cumulative is not None else ())]
    names = sorted(mapping.attributes)
    attribute_slots = tuple(slot(mapping.attributes[name]) for name in names)
    _check_attributes(names, known.values())
    values = compile_values(mapping.values, slot, list(known.values()))
    valued = values.slots if values is not None else ()
    content = [
        s
        for s in (access, *time.slots, *measured, *addends, decider_slot, *counted, *marked, *attribute_slots, *valued)
        if s not in identity
    ]
    sessions = compile_sessions(mapping.assembly, slot, identity_seed(context), keyed=not context.source.trusted)
    sequence = compile_sequence(mapping.sequence, slot)
    content += [s for s in (sessions.slots if sessions is not None else ()) if s not in identity]
    blank = "" in mapping.event_type.values
    required = [access, *time.slots, *measured, -1 if blank else decider_slot, *counted]
    required += [slot(name) for name in mapping.required]
    version = -1 if mapping.version is None else slot(mapping.version)
    required.append(version)
    filters = tuple(compile_filter(item, slot(item.field)) for item in mapping.filters)
    for name in extra_fields:
        slot(name)
    return MappingPlan(
        fields=tuple(slots),
        identity=np.array(identity, np.int32),
        content=np.array([s for s in dict.fromkeys(content) if s >= 0], np.int32),
        required=tuple(s for s in dict.fromkeys(required) if s >= 0),
        version=version,
        access=access,
        time=time,
        event_type=_compile_event_types(context, mapping.event_type, known, decider_slot, names),
        quantity=_compile_quantity(context, mapping.quantity, measured, addends, counted, list(known.values()), slot),
        attribute_slots=attribute_slots,
        attribute_table=value_table(context.attribute_codes, missing=0),
        filters=filters,
        converters=compile_converters(mapping.converters, slots),
        seed=identity_seed(context),
        keyed=not context.source.trusted,
        sessions=sessions,
        sequence=sequence,
        values=values,
    )


def identity_seed(context: DecodeContext) -> tuple[int, int]:
    """Return the seed of identity keys: the secret, chained with the tenant and the source's space, by default its code."""
    hi, lo = int.from_bytes(context.secret[:8], "little"), int.from_bytes(context.secret[8:], "little")
    space = context.source.identity_space or context.source.code
    digest = hash128_bytes if context.source.trusted else siphash128_bytes
    return digest(space.encode(), *digest(context.tenant.encode(), hi, lo))


def _event_types(context: DecodeContext, rule: EventTypeRule) -> dict[str, EventType]:
    if (rule.constant is None) == (rule.field is None):
        raise UnableToCompileSource("event_type: give either `constant` or `field` with `values`")
    if rule.field is not None and not rule.values:
        raise UnableToCompileSource(f"event_type: list the `values` of {rule.field!r} and their event types")
    if rule.field is None and rule.values:
        raise UnableToCompileSource("event_type: `values` need a `field`")
    codes = sorted(set(rule.values.values())) if rule.constant is None else [rule.constant]
    return {code: known_event_type(context, code) for code in codes}


def known_event_type(context: DecodeContext, code: str) -> EventType:
    """Return the event type of the catalog that has this code.

    Raises:
        UnableToCompileSource: when there is none.
    """
    if code not in context.event_types or code not in context.event_type_codes:
        known = ", ".join(sorted(context.event_types)) or "none"
        raise UnableToCompileSource(f"event_type: the catalog has no event type {code!r} (known: {known})")
    return context.event_types[code]


def _check_attributes(names: Iterable[str], event_types: Iterable[EventType]) -> None:
    declared = {name for event_type in event_types for name in event_type.attributes}
    for name in names:
        if name not in declared:
            raise UnableToCompileSource(f"attributes: no event type of this source declares the attribute {name!r}")


def _compile_event_types(
    context: DecodeContext, rule: EventTypeRule, known: Mapping[str, EventType], slot: int, names: list[str]
) -> EventTypePlan:
    index = {code: i for i, code in enumerate(known)}
    attributes = np.full((len(known), ATTRIBUTE_SLOTS), -1, np.int32)
    for row, event_type in enumerate(known.values()):
        for place, name in enumerate(event_type.attributes):
            if name in names:
                attributes[row, place] = names.index(name)
    return EventTypePlan(
        slot=slot,
        table=value_table({text: index[code] for text, code in rule.values.items()}, missing=-1),
        codes=np.array([context.event_type_codes[code] for code in known], np.uint16),
        attributes=attributes,
    )


def unit_factor(context: DecodeContext, unit: str | None, event_type: EventType) -> int:
    """Return how many base steps one source unit is worth for this event type; without a unit, the event type's.

    Raises:
        UnableToCompileSource: when a unit is unknown or of another dimension.
    """
    for code in (event_type.unit, unit):
        if code is not None and code not in context.units:
            raise UnableToCompileSource(f"quantity: there is no unit {code!r}")
    target = context.units[event_type.unit]
    given = target if unit is None else context.units[unit]
    if given.dimension != target.dimension:
        raise UnableToCompileSource(
            f"quantity: unit {given.code!r} ({given.dimension}) does not convert into {target.code!r} "
            f"({target.dimension}) of event type {event_type.code!r}"
        )
    return given.step_count


def _compile_quantity(
    context: DecodeContext,
    quantity: Quantity,
    slots: tuple[int, ...],
    addends: tuple[int, ...],
    counted: list[int],
    event_types: list[EventType],
    slot: Callable[[str], int],
) -> QuantityPlan:
    if [quantity.constant, quantity.field, quantity.between, quantity.fields].count(None) != 3:
        raise UnableToCompileSource("quantity: give one of `field`, `fields`, `between` and `constant`")
    if quantity.between is not None and quantity.unit not in (None, SECONDS):
        raise UnableToCompileSource(f"quantity: the time between two fields is counted in s, not in {quantity.unit!r}")
    unit = SECONDS if quantity.between is not None or quantity.format == "hms" else quantity.unit
    factors = [unit_factor(context, unit, event_type) for event_type in event_types]
    constants = [factor * (quantity.constant or 0) for factor in factors]
    if max(constants) > QUANTITY_MAX:
        raise UnableToCompileSource(f"quantity: the constant {quantity.constant} is larger than a quantity can be")
    return QuantityPlan(
        slots[0],
        quantity.excess_decimals == "half_up",
        np.array(factors, np.int64),
        np.array(constants, np.int64),
        compile_quantity_text(quantity),
        slots[1:],
        compile_counter(quantity, counted, factors, identity_seed(context)[1], slot),
        addends,
        quantity.negative == "take_back",
    )
