"""Rules of source definitions."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from billing.catalog.checking import Context, units_of
from billing.catalog.models import Entry, Path
from billing.catalog.rules_fields import (
    check_converters,
    check_filters,
    check_quantity_text,
    check_time,
    counts_seconds,
)
from billing.catalog.rules_files import check_file_names
from billing.catalog.rules_flow import check_flow, check_space, flow_fields
from billing.catalog.rules_transform import check_transform
from billing.catalog.rules_values import check_values
from billing.catalog.wording import choose
from schemas.energy import DEMAND_KEY, DIFFERENCE_KEY, columns_of
from schemas.price_plan import EventType
from schemas.quantity import QUANTITY_MAX, Unit
from schemas.source import (
    CloudEventsSource,
    DelimitedSource,
    EnedisSource,
    EventMapping,
    FixedWidthSource,
    GrdfSource,
    HeaderRecords,
    JsonSource,
    MeterDataSource,
    R151Source,
    SourceBase,
)
from schemas.source_energy import GAS_COLUMNS, GrdfTable
from schemas.source_meters import MeterTable
from schemas.time_pattern import WrongPattern, pattern_tokens

CLOUD_EVENTS_IDENTITY = ("source", "id")
STEPS_MAX = 16
"""Names on the way to the records of a JSON document."""
_NO_DELIMITER = frozenset('"\r\n\0')


def check_source(ctx: Context, entry: Entry[SourceBase]) -> None:
    """Check a source of any format."""
    source = entry.document
    if isinstance(source, R151Source):
        _check_r151(ctx, entry, source)
    elif isinstance(source, DelimitedSource):
        _check_delimited(ctx, entry, source)
    elif isinstance(source, FixedWidthSource):
        _check_fixed_width(ctx, entry, source)
    elif isinstance(source, CloudEventsSource):
        _check_cloud_events(ctx, entry, source)
    elif isinstance(source, JsonSource):
        _check_json(ctx, entry, source)
    elif isinstance(source, EnedisSource | GrdfSource | MeterDataSource):
        _check_energy(ctx, entry, source)
    mapping: EventMapping | None = getattr(source, "mapping", None)
    check_transform(ctx, entry, source, () if mapping is None else _fields(mapping))
    if mapping is not None:
        _check_mapping(ctx, entry, mapping)
    _check_same_key(ctx, entry, source, mapping)
    check_file_names(ctx, entry, source.file_names)
    check_space(ctx, entry)


def _check_same_key(ctx: Context, entry: Entry[Any], source: SourceBase, mapping: EventMapping | None) -> None:
    replaces = source.on_same_key in ("supersede", "reverse")
    if replaces and (mapping is None or mapping.quantity.cumulative is not None):
        message = (
            f"`on_same_key: {source.on_same_key}` does not go with readings: later ones were measured from earlier ones"
        )
        ctx.problems.at(entry, ("on_same_key",), message, "write `conflict` or `duplicate`")
    if mapping is not None and mapping.version is not None and not replaces:
        message = "`version` says which record is the newest, but newer records do not replace earlier ones"
        ctx.problems.at(
            entry, ("mapping", "version"), message, "add `on_same_key: supersede` to the source, or remove it"
        )


def _check_r151(ctx: Context, entry: Entry[Any], source: R151Source) -> None:
    event_type = ctx.reference(entry, ("event_type",), EventType, "event_type", source.event_type)
    unit = ctx.units.get(event_type.unit) if event_type is not None else None
    if unit is not None and unit.dimension != "energy":
        message = f'R151 carries energy, but the event type "{source.event_type}" measures {unit.dimension}'
        fix = f"name an event type whose unit is one of {units_of('energy', ctx.units)}"
        ctx.problems.at(entry, ("event_type",), message, fix)


def _check_delimited(ctx: Context, entry: Entry[Any], source: DelimitedSource) -> None:
    if source.delimiter in _NO_DELIMITER or not source.delimiter.isascii():
        fix = 'write one ASCII character, such as ";" or "\\t"'
        ctx.problems.at(entry, ("delimiter",), "this cannot be a delimiter", fix)
    ctx.unique(entry, ("columns",), source.columns, "column")
    if source.rest and source.quoting != "none":
        fix = "write `quoting: none`, or remove `rest`"
        ctx.problems.at(entry, ("rest",), "where fields are quoted, delimiters can be quoted, too", fix)
    if source.columns_min is not None and source.columns and source.columns_min > len(source.columns):
        message = f"there are only {len(source.columns)} columns"
        ctx.problems.at(entry, ("columns_min",), message, "write a smaller number")
    if source.header and source.columns:
        fix = "write `header: false`, or remove `columns`"
        ctx.problems.at(entry, ("columns",), "a file with a header names its columns itself", fix, key=True)
    if source.header:
        return
    if not source.columns:
        ctx.problems.at(entry, ("columns",), "a file without header needs columns", "add `columns: [first, second]`")
        return
    for path, name in _read_fields(source):
        if name not in source.columns:
            ctx.problems.at(entry, path, f'there is no column "{name}"', choose(name, source.columns))


def _check_fixed_width(ctx: Context, entry: Entry[Any], source: FixedWidthSource) -> None:
    names = [column.name for column in source.columns]
    ctx.unique(entry, ("columns",), names, "column")
    _check_places(ctx, entry, source)
    for name, edge in (("header", source.header), ("trailer", source.trailer)):
        if edge is not None:
            _check_edge(ctx, entry, name, edge, source.encoding)
    count = source.trailer.record_count if source.trailer is not None else None
    if count is not None and not source.lines and source.record_bytes and count.end > source.record_bytes:
        message = f"it ends at byte {count.end}, but the trailer has {source.record_bytes}"
        ctx.problems.at(entry, ("trailer", "record_count"), message, "correct its start and width")
    for path, name in _read_fields(source):
        if name not in names:
            ctx.problems.at(entry, path, f'there is no column "{name}"', choose(name, names))


def _check_places(ctx: Context, entry: Entry[Any], source: FixedWidthSource) -> None:
    """Check that columns lie side by side, inside the record, and that the record is not too long."""
    by_start = sorted(enumerate(source.columns), key=lambda item: item[1].start)
    for (_, before), (index, column) in pairwise(by_start):
        if column.start <= before.end:
            message = f'it begins inside the column "{before.name}", which has bytes {before.start} to {before.end}'
            fix = f'start it at byte {before.end + 1}, or make "{before.name}" narrower'
            ctx.problems.at(entry, ("columns", index, "start"), message, fix)
    length = source.record_bytes
    if length is None and not source.lines:
        ctx.problems.at(entry, ("lines",), "without line ends a record needs a length", "add `record_bytes: …`")
    for index, column in enumerate(source.columns):
        if length is not None and column.end > length:
            message = f"it ends at byte {column.end}, but a record has {length}"
            ctx.problems.at(entry, ("columns", index, "width"), message, "make it narrower, or correct `record_bytes`")
    if max(source.reach, length or 0) > source.record_bytes_max:
        message = f"every record is longer than its maximum of {source.record_bytes_max} bytes"
        fix = f"write `record_bytes_max: {max(source.reach, length or 0)}`"
        ctx.problems.at(entry, ("columns",) if length is None else ("record_bytes",), message, fix)


def _check_edge(ctx: Context, entry: Entry[Any], name: str, edge: HeaderRecords, encoding: str) -> None:
    if (edge.prefix is None) == (edge.count is None):
        fix = "write either `prefix: …` or `count: …`"
        ctx.problems.at(entry, (name,), f"the {name} is known either by its prefix or by its number of records", fix)
    prefix = edge.prefix or ""
    if any(character in "\r\n\0" for character in prefix):
        ctx.problems.at(entry, (name, "prefix"), "no record begins like this", "write it without line ends and NULs")
    try:
        prefix.encode(encoding)
    except UnicodeEncodeError:
        fix = "write what the bytes mean in that encoding"
        ctx.problems.at(entry, (name, "prefix"), f"it cannot be written in {encoding}", fix)


def _check_cloud_events(ctx: Context, entry: Entry[Any], source: CloudEventsSource) -> None:
    if sorted(source.mapping.identity) != sorted(CLOUD_EVENTS_IDENTITY):
        message = "the identity of a CloudEvent is always its source and id"
        ctx.problems.at(entry, ("mapping", "identity"), message, "write `identity: [source, id]`")
    _check_paths(ctx, entry, source)


def _check_json(ctx: Context, entry: Entry[Any], source: JsonSource) -> None:
    _check_paths(ctx, entry, source)
    if source.records is None:
        return
    if not all(source.records.split(".")) or source.records.count(".") >= STEPS_MAX:
        fix = f"write at most {STEPS_MAX} names joined by dots, such as data.items"
        ctx.problems.at(entry, ("records",), f'"{source.records}" is not a path to an array', fix)
    if source.layout in ("lines", "array"):
        ctx.problems.at(entry, ("layout",), "a path to the records goes through documents", "remove `layout`", key=True)


def _check_energy(ctx: Context, entry: Entry[Any], source: EnedisSource | GrdfSource | MeterDataSource) -> None:
    names = columns_of(source.records)
    for path, name in _read_fields(source):
        if name not in names:
            ctx.problems.at(entry, path, f'{source.records} have no column "{name}"', choose(name, names))
    if isinstance(source, EnedisSource) and source.differences_to is not None:
        _check_differences(ctx, entry, source.differences_to)
    if not isinstance(source, EnedisSource) and source.table is not None:
        _check_table(ctx, entry, source.table)
    if isinstance(source, MeterDataSource) and source.zone is not None:
        ctx.zone(entry, ("zone",), source.zone)
    if isinstance(source, MeterDataSource) and source.demand_to is not None:
        _check_demand(ctx, entry, source.demand_to)


def _check_differences(ctx: Context, entry: Entry[Any], code: str) -> None:
    """Check that the source that differences go to takes the place of what it stated before."""
    found = ctx.documents.of(SourceBase).get(code)
    target = None if found is None else found.document
    if not isinstance(target, EnedisSource) or target.records != "quantities":
        ctx.problems.at(entry, ("differences_to",), f'"{code}" is no source of quantities of Enedis', "name one")
        return
    if not _replaces(target, target.mapping, DIFFERENCE_KEY):
        fix = f"give it `on_same_key: reverse`, `version: version`, and the identity {', '.join(DIFFERENCE_KEY)}"
        ctx.problems.at(entry, ("differences_to",), f'"{code}" cannot state a difference again', fix)


def _check_demand(ctx: Context, entry: Entry[Any], code: str) -> None:
    """Check that the source that demand goes to works it out, and takes the place of what it stated before."""
    found = ctx.documents.of(SourceBase).get(code)
    target = None if found is None else found.document
    if not isinstance(target, MeterDataSource) or target.demand_minutes is None:
        fix = "name one of the format meter_data with `demand_minutes`"
        ctx.problems.at(entry, ("demand_to",), f'"{code}" is no source of demand', fix)
    elif not _replaces(target, target.mapping, DEMAND_KEY):
        fix = f"give it `on_same_key: reverse`, `version: version`, and the identity {', '.join(DEMAND_KEY)}"
        ctx.problems.at(entry, ("demand_to",), f'"{code}" cannot state a demand again', fix)


def _replaces(target: SourceBase, mapping: EventMapping, key: tuple[str, ...]) -> bool:
    """Return whether a newer statement of what has a key takes the place of the one before."""
    replaces = target.on_same_key in ("reverse", "supersede") and mapping.version == "version"
    return replaces and set(key) == set(mapping.identity)


def _check_table(ctx: Context, entry: Entry[Any], table: GrdfTable | MeterTable) -> None:
    path: Path = ("table",)
    needed = GAS_COLUMNS if isinstance(table, GrdfTable) else ()
    if missing := [name for name in needed if name not in table.columns]:
        ctx.problems.at(entry, (*path, "columns"), f"no column is named for {', '.join(missing)}", "name it")
    if table.delimiter in _NO_DELIMITER or table.delimiter == table.decimal:
        ctx.problems.at(entry, (*path, "delimiter"), "that can be no delimiter", "write another one, such as ;")
    try:
        pattern_tokens(table.pattern)
    except WrongPattern as error:
        ctx.problems.at(entry, (*path, "pattern"), str(error), "write one such as DD/MM/YYYY hh:mm")


def _check_paths(ctx: Context, entry: Entry[Any], source: JsonSource | CloudEventsSource) -> None:
    for path, name in _read_fields(source):
        if not all(name.split(".")):
            ctx.problems.at(entry, path, f'"{name}" is not a path', "write names joined by dots, such as data.bytes")


def _fields(mapping: EventMapping) -> Iterator[tuple[Path, str]]:
    """Yield (path, name) of every field that a mapping reads."""
    for index, name in enumerate(mapping.identity):
        yield ("mapping", "identity", index), name
    yield ("mapping", "access_point"), mapping.access_point
    if mapping.time.field is not None:
        yield ("mapping", "time", "field"), mapping.time.field
    for index, name in enumerate(mapping.time.fields or ()):
        yield ("mapping", "time", "fields", index), name
    if mapping.quantity.field is not None:
        yield ("mapping", "quantity", "field"), mapping.quantity.field
    for index, name in enumerate(mapping.quantity.fields or ()):
        yield ("mapping", "quantity", "fields", index), name
    for index, name in enumerate(mapping.quantity.between or ()):
        yield ("mapping", "quantity", "between", index), name
    if mapping.event_type.field is not None:
        yield ("mapping", "event_type", "field"), mapping.event_type.field
    for attribute, name in mapping.attributes.items():
        yield ("mapping", "attributes", attribute), name
    for value, name in mapping.values.items():
        yield ("mapping", "values", value), name
    for index, item in enumerate(mapping.filters):
        yield ("mapping", "filters", index, "field"), item.field
    for index, name in enumerate(mapping.required):
        yield ("mapping", "required", index), name
    if mapping.version is not None:
        yield ("mapping", "version"), mapping.version
    yield from flow_fields(mapping)


def _read_fields(
    source: DelimitedSource
    | FixedWidthSource
    | JsonSource
    | CloudEventsSource
    | EnedisSource
    | GrdfSource
    | MeterDataSource,
) -> Iterator[tuple[Path, str]]:
    """Yield (path, name) of every field that is read from a record: by the mapping, or by the transform before it."""
    transform = source.transform
    yield from (item for item in _fields(source.mapping) if transform is None or item[1] not in transform.writes)
    if transform is not None:
        yield from ((("transform", "reads", index), name) for index, name in enumerate(transform.reads))


def _check_mapping(ctx: Context, entry: Entry[Any], mapping: EventMapping) -> None:
    ctx.unique(entry, ("mapping", "identity"), mapping.identity, "field")
    check_time(ctx, entry, mapping)
    event_types = list(_event_types(ctx, entry, mapping))
    _check_quantity(ctx, entry, mapping, event_types)
    check_flow(ctx, entry, mapping, event_types)
    for attribute in mapping.attributes:
        for event_type in event_types:
            if attribute not in event_type.attributes:
                message = f'the event type "{event_type.code}" has no attribute "{attribute}"'
                fix = choose(attribute, event_type.attributes, otherwise=f"add it: `attributes: [{attribute}]`")
                ctx.problems.at(entry, ("mapping", "attributes", attribute), message, fix, key=True)
    check_values(ctx, entry, mapping, event_types)
    check_filters(ctx, entry, mapping)
    check_converters(ctx, entry, mapping, {name for _, name in _fields(mapping)})


def _event_types(ctx: Context, entry: Entry[Any], mapping: EventMapping) -> Iterator[EventType]:
    """Yield the event types that a mapping may give, each once; check the rule that gives them."""
    rule, path = mapping.event_type, ("mapping", "event_type")
    if (rule.constant is None) == (rule.field is None):
        fix = "write either `constant: …`, or `field: …` with `values`"
        ctx.problems.at(entry, path, "the event type is either a constant or read from a field", fix)
    if rule.constant is not None:
        found = ctx.reference(entry, (*path, "constant"), EventType, "event_type", rule.constant)
        if found is not None:
            yield found
    if rule.field is not None and not rule.values:
        ctx.problems.at(entry, path, "no value gives an event type", "add `values: {value in the file: event type}`")
    if rule.field is None and rule.values:
        ctx.problems.at(entry, (*path, "values"), "there is no field to look up", "add `field: …`", key=True)
    seen = {rule.constant}
    for value, code in rule.values.items():
        found = ctx.reference(entry, (*path, "values", value), EventType, "event_type", code)
        if found is not None and code not in seen:
            yield found
        seen.add(code)


def _check_quantity(ctx: Context, entry: Entry[Any], mapping: EventMapping, event_types: list[EventType]) -> None:
    quantity, path = mapping.quantity, ("mapping", "quantity")
    check_quantity_text(ctx, entry, quantity)
    unit = ctx.unit(entry, (*path, "unit"), quantity.unit) if quantity.unit is not None else None
    if counts_seconds(quantity):
        unit = ctx.units["s"]
    for event_type in event_types:
        own = ctx.units.get(event_type.unit)
        if own is None:
            continue
        if unit is not None and unit.dimension != own.dimension:
            message = f'{unit.code} measures {unit.dimension}, but "{event_type.code}" measures {own.dimension}'
            fix = f"use one of {units_of(own.dimension, ctx.units)}"
            ctx.problems.at(entry, (*path, "unit"), message, fix)
        _check_constant(ctx, entry, quantity.constant, unit or own)


def _check_constant(ctx: Context, entry: Entry[Any], constant: int | None, unit: Unit) -> None:
    if constant is not None and constant * unit.step_count > QUANTITY_MAX:
        ctx.problems.at(
            entry, ("mapping", "quantity", "constant"), "the quantity is too large", "write a smaller number"
        )
