"""Rules of how a source's fields read: times, quantities, filters, converters."""

from __future__ import annotations

from typing import Any

from billing.catalog.checking import Context
from billing.catalog.models import Entry, Path
from billing.catalog.wording import choose
from schemas.converters import Converter
from schemas.source import EventMapping, Quantity
from schemas.time_pattern import WrongPattern, pattern_tokens

REPLACEMENT_BYTES_MAX = 512


def check_time(ctx: Context, entry: Entry[Any], mapping: EventMapping) -> None:
    """Check how the event time reads."""
    time, path = mapping.time, ("mapping", "time")
    if (time.field is None) == (time.fields is None):
        fix = "write either `field: …`, or `fields: [date, time]`"
        ctx.problems.at(entry, path, "the event time is read from one field, or from two", fix)
    if (time.format == "pattern") != (time.pattern is not None):
        fix = "write both `format: pattern` and `pattern: …`, or neither"
        ctx.problems.at(entry, path, "the format pattern and the pattern itself need each other", fix)
    for index, pattern in enumerate(time.pattern or ()):
        try:
            pattern_tokens(pattern)
        except WrongPattern as error:
            fix = "write it like `DD.MM.YYYY hh:mm:ss`"
            ctx.problems.at(entry, (*path, "pattern", index), str(error), fix)
    epoch = time.format.startswith("epoch")
    if epoch and time.fields is not None:
        ctx.problems.at(entry, (*path, "fields"), f"{time.format} is one number", "write `field: …`", key=True)
    if time.zone is None:
        return
    ctx.zone(entry, (*path, "zone"), time.zone)
    if epoch:
        message = f"{time.format} counts from 1970-01-01T00:00:00Z and has no zone"
        ctx.problems.at(entry, (*path, "zone"), message, "remove `zone`", key=True)


def check_quantity_text(ctx: Context, entry: Entry[Any], quantity: Quantity) -> None:
    """Check how the quantity reads."""
    path = ("mapping", "quantity")
    if [quantity.constant, quantity.field, quantity.between, quantity.fields].count(None) != 3:
        fix = "write one of `field: …`, `fields: [one, other]`, `between: [from, to]` and `constant: …`"
        ctx.problems.at(entry, path, "the quantity is read from fields, or from two times, or is a constant", fix)
    ctx.unique(entry, (*path, "fields"), quantity.fields or (), "field")
    if counts_seconds(quantity) and quantity.unit not in (None, "s"):
        fix = "remove `unit`, or write `unit: s`"
        ctx.problems.at(entry, (*path, "unit"), "a duration is counted in seconds", fix)
    if quantity.format != "decimal" and (quantity.decimal != "." or quantity.thousands is not None):
        name = "thousands" if quantity.thousands is not None else "decimal"
        message = f"it does not go with the format {quantity.format}"
        ctx.problems.at(entry, (*path, name), message, f"remove `{name}`", key=True)
    if quantity.decimal == quantity.thousands:
        message = "the same character cannot stand for decimals and for thousands"
        ctx.problems.at(entry, (*path, "thousands"), message, "correct one of them")


def counts_seconds(quantity: Quantity) -> bool:
    """Return whether a quantity is a duration, whatever the event type's unit."""
    return quantity.between is not None or quantity.format == "hms"


def check_filters(ctx: Context, entry: Entry[Any], mapping: EventMapping) -> None:
    """Check that every filter has one condition that something can meet."""
    for index, item in enumerate(mapping.filters):
        path = ("mapping", "filters", index)
        if not item.conditions:
            fix = "add one of `keep`, `drop`, `min`, `max`, `prefix` and `present`"
            ctx.problems.at(entry, path, "the filter neither keeps nor drops anything", fix)
        if len(item.conditions) > 1:
            fix = "remove the others, or write one filter for each"
            ctx.problems.at(entry, path, f"the filter has {' and '.join(map(_quoted, item.conditions))}", fix)
        if item.min is not None and item.max is not None and item.min > item.max:
            message = f"no number is from {item.min} to {item.max}"
            ctx.problems.at(entry, (*path, "min"), message, "correct one of them")


def _quoted(name: str) -> str:
    return f"`{name}`"


def check_converters(ctx: Context, entry: Entry[Any], mapping: EventMapping, read: set[str]) -> None:
    """Check that every converter changes a field that is read, and that every step is one thing."""
    for name, steps in mapping.converters.items():
        path: Path = ("mapping", "converters", name)
        if name not in read:
            ctx.problems.at(entry, path, f'nothing reads the field "{name}"', choose(name, sorted(read)), key=True)
        for index, step in enumerate(steps):
            _check_step(ctx, entry, (*path, index), step)


def _check_step(ctx: Context, entry: Entry[Any], path: Path, step: Converter) -> None:
    if len(step.steps) != 1:
        message = f"it has {' and '.join(map(_quoted, step.steps))}" if step.steps else "it does nothing"
        ctx.problems.at(entry, path, f"each step is exactly one thing, but {message}", "write one step for each")
    if step.default is not None and step.map is None:
        ctx.problems.at(entry, (*path, "default"), "there is no `map`", "add `map: {…}`", key=True)
    if step.map is not None and not step.map:
        ctx.problems.at(entry, (*path, "map"), "it is empty", "add `value: replacement`")
    texts = (*(step.map or {}).items(), ("default", step.default or ""))
    for key, text in texts:
        if len(text.encode()) > REPLACEMENT_BYTES_MAX or "\0" in key + text:
            message = f"a replacement has at most {REPLACEMENT_BYTES_MAX} bytes and no NUL"
            ctx.problems.at(entry, path, message, "write another one")
