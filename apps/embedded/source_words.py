"""What a source's decoder will do, in words: from the definition alone, whatever its format."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from schemas.catalog import Catalog
from schemas.converters import Converter
from schemas.source import (
    EnedisSource,
    EventMapping,
    EventTime,
    EventTypeRule,
    Filter,
    MeterDataSource,
    Quantity,
    R151Source,
    SourceBase,
)
from schemas.source_energy import EnergySource
from schemas.source_flow import Assembly, Cumulative
from schemas.source_transform import Transform

_COMMON = (*SourceBase.model_fields, "format", "mapping")
_SAME_KEY = {
    "conflict": "a known identity with another content is rejected (SAME_KEY_OTHER_CONTENT)",
    "duplicate": "a known identity with another content is dropped as a duplicate",
    "supersede": "a newer record with a known identity takes the place of the earlier one, unless that one is billed",
    "reverse": "a newer record with a known identity takes the place of the earlier one, even when that one is billed",
}
_LOWER = {
    "reject": "is rejected (INDEX_DECREASED)",
    "reset": "counts again from 0",
    "wrap_32": "went once over 2**32",
    "wrap_64": "went once over 2**64",
}
_R151_IDENTITY = ("Id_PRM", "Date_Releve", "calendar", "Id_Classe_Temporelle")


def identity_of(source: SourceBase) -> tuple[str, ...]:
    """Return the fields by which a source's records are known again."""
    mapping = mapping_of(source)
    return mapping.identity if mapping is not None else _R151_IDENTITY


def access_point_of(source: SourceBase) -> str:
    """Return the field that names the access point."""
    mapping = mapping_of(source)
    return mapping.access_point if mapping is not None else _R151_IDENTITY[0]


def event_types_of(source: SourceBase) -> tuple[str, ...]:
    """Return the event types that a source may yield, sorted."""
    mapping = mapping_of(source)
    if mapping is None:
        return (source.event_type,) if isinstance(source, R151Source) else ()
    rule = mapping.event_type
    return (rule.constant,) if rule.constant is not None else tuple(sorted(set(rule.values.values())))


def mapping_of(source: SourceBase) -> EventMapping | None:
    """Return a source's mapping; None where the format itself says which field means what."""
    mapping: EventMapping | None = getattr(source, "mapping", None)
    return mapping


def describe_source(source: SourceBase, catalog: Catalog) -> list[tuple[str, str]]:
    """Return (what, how) of everything that happens to a record of a source."""
    told = [("format", _format(source)), ("identity", f"{_joined(identity_of(source))}; {_same_key(source)}")]
    if source.identity_space is not None:
        told.append(("identity space", f"{source.identity_space}: known to all sources with this space"))
    told.append(("access point", access_point_of(source)))
    if source.transform is not None:
        told.append(("transform", _transform(source.transform)))
    mapping = mapping_of(source)
    if mapping is not None:
        told += _mapped(mapping, catalog)
    elif isinstance(source, R151Source):
        told += _readings(source, catalog)
    if isinstance(source, EnergySource):
        told += _energy(source)
    if isinstance(source, EnedisSource | MeterDataSource) and source.cut_minutes is not None:
        told.append(("cut", _grains(source.cut_minutes)))
    if isinstance(source, MeterDataSource) and source.demand_to is not None:
        told.append(
            ("demand is stated", f"by {source.demand_to}, over all files, once `octroi energy create` reads them")
        )
    if source.hold:
        told.append(("hold", "records of new files wait (AWAITS_EXECUTION): `octroi energy execute`, or replay them"))
    return [*told, ("longest record", f"{source.record_bytes_max} bytes; longer ones are rejected (RECORD_TOO_LONG)")]


def _grains(minutes: int) -> str:
    return (
        f"into grains of {minutes} minutes, in whole units that add up: of each grain the newest statement counts; a step "
        "whose ends are no multiples of them is parked (DOUBTFUL_READING)"
    )


def _energy(source: EnergySource) -> Iterator[tuple[str, str]]:
    if source.cut == "month":
        share = "at the first of every month in Paris; parts are shared by days (estimated_by)"
        if source.months_max is not None:
            share += f"; what lies more than {source.months_max} months before its reading is parked (BEYOND_BILLABLE)"
        yield "cut", share
    if isinstance(source, EnedisSource):
        if source.priority:
            yield "priority", f"{', '.join(source.priority)}, then all others, whenever they were made"
        if source.bounds is not None:
            some = f", {len(source.bounds.points)} points by their own" if source.bounds.points else ""
            told = f"{source.bounds.power_w} W times {source.bounds.margin}{some}; what is beyond is parked (DOUBTFUL_READING)"
            yield "bounds", told
        if source.differences_to is not None:
            told = f"by {source.differences_to}, once `octroi energy create` reads all indexes"
            yield "differences are stated", f"{told}; they bill nothing by themselves (KEPT_READING)"


def _format(source: SourceBase) -> str:
    dumped = source.model_dump(mode="json", exclude_none=True)
    options = {name: value for name, value in dumped.items() if name not in _COMMON}
    written = (f"{name} {json.dumps(value, ensure_ascii=False)}" for name, value in options.items() if value != [])
    return ", ".join([dumped["format"], *written])


def _transform(transform: Transform) -> str:
    written = f"; it writes {_joined(transform.writes)}" if transform.writes else ""
    return (
        f"plug-in {transform.name} {transform.version} reads {_joined(transform.reads)}{written}; what it refuses is rejected "
        "(REFUSED_BY_PLUGIN)"
    )


def _same_key(source: SourceBase) -> str:
    return _SAME_KEY.get(source.on_same_key, f"a known identity with another content: {source.on_same_key}")


def _mapped(mapping: EventMapping, catalog: Catalog) -> Iterator[tuple[str, str]]:
    for name, steps in mapping.converters.items():
        yield f"first of all {name}", "; ".join(_step(step) for step in steps)
    yield "time", _time(mapping.time)
    yield "event type", _event_type(mapping.event_type)
    codes = [mapping.event_type.constant] if mapping.event_type.constant else mapping.event_type.values.values()
    for code in sorted(set(codes)):
        yield f"quantity of {code}", _quantity(mapping, code, catalog)
    if mapping.quantity.cumulative is not None:
        yield "counter", _counter(mapping.quantity.cumulative)
    if mapping.assembly is not None:
        yield "sessions", _sessions(mapping.assembly)
    if mapping.sequence is not None:
        per = f" of each {_joined(mapping.sequence.per)}" if mapping.sequence.per else ""
        yield (
            "sequence",
            f"{mapping.sequence.field} counts the records{per}; `octroi sources gaps` tells what is missing",
        )
    for name, field in sorted(mapping.attributes.items()):
        yield f"attribute {name}", field
    for name, field in sorted(mapping.values.items()):
        yield f"value {name}", f"{field}; what cannot be read is rejected (INVALID_VALUE)"
    for item in mapping.filters:
        yield "filter", _filter(item)
    if mapping.required:
        yield "required", f"{_joined(mapping.required)} too must not be empty (FIELD_MISSING)"


def _time(time: EventTime) -> str:
    where = _joined(time.names)
    form: str = time.format
    if form.startswith("epoch_"):
        return f"{where}, {form.removeprefix('epoch_')} since 1970-01-01T00:00:00Z"
    if time.pattern is not None:
        form = _joined((repr(pattern) for pattern in time.pattern), "or")
    bare = "rejected (TIMESTAMP_WITHOUT_ZONE)" if time.zone is None else f"read in {time.zone}"
    return f"{where}, {form}; without an offset it is {bare}"


def _event_type(rule: EventTypeRule) -> str:
    if rule.constant is not None:
        return f"always {rule.constant}"
    values = ", ".join(f"{value!r} is {code}" for value, code in rule.values.items())
    return f"{rule.field}: {values}; other values are rejected (UNKNOWN_EVENT_TYPE)"


def _quantity(mapping: EventMapping, event_type: str, catalog: Catalog) -> str:
    quantity = mapping.quantity
    own = catalog.units[catalog.event_types[event_type].unit]
    is_duration = quantity.between is not None or quantity.format == "hms"
    unit = catalog.units["s"] if is_duration else own if quantity.unit is None else catalog.units[quantity.unit]
    kept = (
        f"kept in {own.code}"
        if unit.step_count == 1
        else f"kept in {own.code}, {unit.step_count} steps to 1 {unit.code}"
    )
    finer = "rounded half up" if quantity.excess_decimals == "half_up" else "rejected (QUANTITY_PRECISION)"
    if quantity.between is not None:
        start, end = quantity.between
        return f"the time from {start} to {end} in {unit.code}, {kept}; what is finer is {finer}"
    if quantity.fields is not None:
        sums = f"{_joined(quantity.fields)} added up{_written(quantity)}"
        return f"{sums} in {unit.code}, {kept}; empty ones count nothing; what is finer is {finer}"
    if quantity.field is None:
        return f"always {quantity.constant} {unit.code}, {kept}"
    return f"{quantity.field}{_written(quantity)} in {unit.code}, {kept}; what is finer is {finer}"


def _counter(counter: Cumulative) -> str:
    series = f"the access point and {_joined(counter.series)}" if counter.series else "the access point"
    first = "usage since 0" if counter.opens_at == "zero" else "only the beginning (OPENING_READING)"
    begins, rolls = counter.begins, counter.rolls_over_at
    anew = f"; it begins anew when {begins.field} is {_joined(map(repr, begins.values), 'or')}" if begins else ""
    return (
        f"usage is the difference of consecutive readings of {series}; the first reading is {first}{anew}; "
        f"a lower one {_LOWER[counter.on_decrease]}{f', unless {rolls} says where it began again at 0' if rolls else ''}"
    )


def _sessions(assembly: Assembly) -> str:
    parts = "; ".join(
        f"{name} when {assembly.part.field} is {_joined(map(repr, values), 'or')}"
        for name, values in assembly.part.values.items()
        if values
    )
    whole = "with its first and last part" if assembly.sequence is None else f"when {assembly.sequence} has no gap"
    if assembly.quantity == "elapsed":
        whole = "with its first and last part, whose distance in time is its quantity"
    over = "is rated with what there is" if not assembly.is_strict else "is rejected (SESSION_INCOMPLETE)"
    late = {"reject": "is parked (LATE_PART)", "separate": "is usage of its own", "reopen": "opens it again"}
    return (
        f"records with the same {_joined(assembly.key)} become one EDR: {parts}; complete {whole}; a session of which "
        f"nothing came for {assembly.time_out} {over}; what comes later {late[assembly.late]}"
    )


def _written(quantity: Quantity) -> str:
    if quantity.format == "hms":
        return ", as hh:mm:ss or mm:ss,"
    if quantity.format == "hex":
        return ", in hexadecimal,"
    thousands = "" if quantity.thousands is None else f", {quantity.thousands!r} between thousands"
    return thousands if quantity.decimal == "." else f"{thousands}, {quantity.decimal!r} before decimals,"


def _step(step: Converter) -> str:
    name = step.steps[0]
    value = step.model_dump(mode="json", exclude_none=True)[name]
    told = f"{name} {json.dumps(value, ensure_ascii=False)}"
    return told if step.default is None else f"{told}, others {json.dumps(step.default, ensure_ascii=False)}"


def _filter(item: Filter) -> str:
    if item.present is not None:
        return f"keeps records {'with' if item.present else 'without'} {item.field}"
    if item.prefix:
        return f"keeps records whose {item.field} begins with {_joined(map(repr, item.prefix), 'or')}"
    if item.min is not None or item.max is not None:
        low = [] if item.min is None else [f"below {item.min}"]
        high = [] if item.max is None else [f"above {item.max}"]
        return f"leaves out records whose {item.field} is {_joined([*low, *high], 'or')}"
    verb, values = ("keeps", item.keep) if item.keep else ("leaves out", item.drop)
    return f"{verb} records whose {item.field} is {_joined((repr(value) for value in values), 'or')}"


def _readings(source: R151Source, catalog: Catalog) -> Iterator[tuple[str, str]]:
    unit = catalog.event_types[source.event_type].unit
    yield "time", "the end of the day Date_Releve in Europe/Paris"
    yield "event type", f"always {source.event_type}"
    yield (
        f"quantity of {source.event_type}",
        f"Valeur in Wh is an index, kept in {unit}; two indexes of one register make a consumption",
    )
    if "class" in catalog.event_types[source.event_type].attributes:
        yield "attribute class", "Id_Classe_Temporelle"
    yield "filter", f"keeps indexes of the {source.grid} grid; maximum powers and the other grid are left out"


def _joined(names: Iterable[str], word: str = "and") -> str:
    *first, last = names
    return f"{', '.join(first)} {word} {last}" if first else last


def definition(source: SourceBase) -> dict[str, Any]:
    """Return a source as it was loaded, defaults included, ready for JSON and YAML."""
    dumped: dict[str, Any] = source.model_dump(mode="json", exclude_none=True)
    first = ("kind", "code", "format")
    return {name: dumped[name] for name in first} | {n: v for n, v in dumped.items() if n not in first}
