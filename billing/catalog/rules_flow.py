"""Rules of what holds the records of a source together: counters, sessions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from billing.catalog.checking import Context
from billing.catalog.models import Entry, Path
from schemas.price_plan import EventType
from schemas.quantity import QUANTITY_MAX, Unit
from schemas.source import EventMapping, SourceBase

WRAP_32_UNITS = 2**32


def flow_fields(mapping: EventMapping) -> Iterator[tuple[Path, str]]:
    """Yield (path, name) of the fields that say how records hang together."""
    cumulative = mapping.quantity.cumulative
    for index, name in enumerate(cumulative.series if cumulative is not None else ()):
        yield ("mapping", "quantity", "cumulative", "series", index), name
    if cumulative is not None and cumulative.begins is not None:
        yield ("mapping", "quantity", "cumulative", "begins", "field"), cumulative.begins.field
    if cumulative is not None and cumulative.rolls_over_at is not None:
        yield ("mapping", "quantity", "cumulative", "rolls_over_at"), cumulative.rolls_over_at
    if mapping.sequence is not None:
        yield ("mapping", "sequence", "field"), mapping.sequence.field
        for index, name in enumerate(mapping.sequence.per):
            yield ("mapping", "sequence", "per", index), name
    assembly = mapping.assembly
    if assembly is None:
        return
    for index, name in enumerate(assembly.key):
        yield ("mapping", "assembly", "key", index), name
    yield ("mapping", "assembly", "part", "field"), assembly.part.field
    if assembly.sequence is not None:
        yield ("mapping", "assembly", "sequence"), assembly.sequence


def check_flow(ctx: Context, entry: Entry[Any], mapping: EventMapping, event_types: list[EventType]) -> None:
    """Check what holds the records of a source together."""
    _check_cumulative(ctx, entry, mapping, event_types)
    _check_negative(ctx, entry, mapping)
    _check_assembly(ctx, entry, mapping)
    _check_elapsed(ctx, entry, mapping, event_types)
    if mapping.sequence is not None:
        ctx.unique(entry, ("mapping", "sequence", "per"), mapping.sequence.per, "field")


def _check_negative(ctx: Context, entry: Entry[Any], mapping: EventMapping) -> None:
    """Check that usage is taken back only where one decimal number of one record says how much."""
    quantity = mapping.quantity
    plain = quantity.field is not None and quantity.format == "decimal" and quantity.cumulative is None
    if quantity.negative == "take_back" and not (plain and mapping.assembly is None):
        message = (
            "only a quantity of one field, in decimals, that is neither a counter's nor a session's can be taken back"
        )
        ctx.problems.at(entry, ("mapping", "quantity", "negative"), message, "remove it", key=True)


def _check_assembly(ctx: Context, entry: Entry[Any], mapping: EventMapping) -> None:
    assembly, path = mapping.assembly, ("mapping", "assembly")
    if assembly is None:
        return
    ctx.unique(entry, (*path, "key"), assembly.key, "field")
    if mapping.quantity.cumulative is not None:
        message = "a source has counters or sessions in parts, not both"
        ctx.problems.at(entry, path, message, "remove `assembly`, or `cumulative`")
    if entry.document.on_same_key in ("supersede", "reverse"):
        message = f"parts of sessions cannot {entry.document.on_same_key} each other"
        ctx.problems.at(entry, ("on_same_key",), message, "write `conflict` or `duplicate`, or remove `assembly`")
    for name in ("first", "last"):
        if not assembly.part.values[name]:
            message = f"no value is the {name} part, so no session is ever complete"
            ctx.problems.at(entry, (*path, "part"), message, f"add `{name}: […]`")
    seen: dict[str, str] = {}
    for name, values in assembly.part.values.items():
        for index, value in enumerate(values):
            if value in seen:
                message = f'"{value}" is the {seen[value]} part already'
                ctx.problems.at(entry, (*path, "part", name, index), message, "remove one of them")
            seen.setdefault(value, name)


def _check_elapsed(ctx: Context, entry: Entry[Any], mapping: EventMapping, event_types: list[EventType]) -> None:
    assembly, path = mapping.assembly, ("mapping", "assembly")
    if assembly is None or assembly.quantity != "elapsed":
        return
    if mapping.quantity.constant != 0:
        message = "the quantity is the time that passes between the parts, so that what a part says of it would be lost"
        ctx.problems.at(entry, ("mapping", "quantity"), message, "write `quantity: {constant: 0}`")
    if assembly.sequence is not None:
        message = "the time between first and last part does not depend on those between them"
        ctx.problems.at(entry, (*path, "sequence"), message, "remove `sequence`, or `quantity: elapsed`")
    if assembly.late == "separate":
        message = "a late part says when something ended, not how long it was"
        ctx.problems.at(entry, (*path, "late"), message, "write `late: reject` or `late: reopen`")
    if assembly.part.single:
        message = "a record that is whole has no time between its parts"
        ctx.problems.at(entry, (*path, "part", "single"), message, "remove `single`, or `quantity: elapsed`")
    for event_type in event_types:
        unit = ctx.units.get(event_type.unit)
        if unit is not None and unit.dimension != "time":
            message = f'elapsed time is no {unit.dimension}, which the event type "{event_type.code}" measures'
            ctx.problems.at(entry, (*path, "quantity"), message, "write `quantity: sum`, or another event type")


def check_space(ctx: Context, entry: Entry[Any]) -> None:
    """Check that the sources of one identity space can know each other's identities."""
    source = entry.document
    space = source.identity_space or source.code
    if source.identity_tolerance is not None and source.on_same_key in ("supersede", "reverse"):
        message = "a record that takes the place of another one is known by the day of its event time"
        fix = "remove it, or write `on_same_key: conflict` or `duplicate`"
        ctx.problems.at(entry, ("identity_tolerance",), message, fix)
    for other in ctx.documents.of(SourceBase).values():
        known = other.document
        if known.code >= source.code or (known.identity_space or known.code) != space:
            continue
        told = f'"{known.code}" and "{source.code}" share the identity space "{space}", but'
        if known.trusted != source.trusted:
            one = known.code if known.trusted else source.code
            message = (
                f'{told} only "{one}" is trusted: they hash identities differently, and would not know each other\'s'
            )
            ctx.problems.at(
                entry, ("trusted",), message, "write `trusted: false` in all sources of the space, or in none"
            )
        if known.identity_tolerance != source.identity_tolerance:
            message = f"{told} not the tolerance: which of two records comes first would decide whether they match"
            ctx.problems.at(entry, ("identity_tolerance",), message, "write the same in all sources of the space")


def _check_cumulative(ctx: Context, entry: Entry[Any], mapping: EventMapping, event_types: list[EventType]) -> None:
    quantity = mapping.quantity
    cumulative, path = quantity.cumulative, ("mapping", "quantity", "cumulative")
    if cumulative is None:
        return
    ctx.unique(entry, (*path, "series"), cumulative.series, "field")
    if quantity.field is None:
        ctx.problems.at(entry, path, "a counter is read from a field", "write `field: …`, or remove `cumulative`")
    if cumulative.on_decrease != "reject":
        for name in ("begins", "rolls_over_at"):
            if getattr(cumulative, name) is not None:
                message = "what a lower reading means is told twice"
                ctx.problems.at(entry, (*path, name), message, f"remove `{name}`, or `on_decrease`", key=True)
    if not cumulative.on_decrease.startswith("wrap"):
        return
    units = _units(ctx, quantity.unit, event_types)
    if len({unit.step_count for unit in units}) > 1:
        told = " and ".join(sorted(unit.code for unit in units))
        ctx.problems.at(entry, path, f"a counter that wraps counts in one unit, not in {told}", "write its `unit`")
    elif units and cumulative.on_decrease == "wrap_64":
        plain = quantity.format == "decimal" and quantity.decimal == "." and quantity.thousands is None
        if units[0].step_count != 1 or not plain:
            message = "a counter of 64 bits counts base steps, such as B, in decimal digits"
            ctx.problems.at(entry, (*path, "on_decrease"), message, "write `unit: B`, or another `on_decrease`")
    elif units and WRAP_32_UNITS * units[0].step_count > QUANTITY_MAX:
        message = f"2**32 {units[0].code} are more than a quantity can be"
        ctx.problems.at(entry, (*path, "on_decrease"), message, "write a smaller unit, or another `on_decrease`")


def _units(ctx: Context, unit: str | None, event_types: list[EventType]) -> list[Unit]:
    codes = {unit} if unit is not None else {event_type.unit for event_type in event_types}
    return [ctx.units[code] for code in sorted(codes) if code in ctx.units]
