"""Rules of the values that a source maps."""

from __future__ import annotations

from typing import Any

from billing.catalog.checking import Context
from billing.catalog.models import Entry
from billing.catalog.wording import choose
from schemas.price_plan import EventType
from schemas.source import EventMapping


def check_values(ctx: Context, entry: Entry[Any], mapping: EventMapping, event_types: list[EventType]) -> None:
    """Check that all event types of a source have the values that it maps, and mean the same by them."""
    for name in mapping.values:
        path = ("mapping", "values", name)
        for event_type in event_types:
            if name not in event_type.values:
                message = f'the event type "{event_type.code}" has no value "{name}"'
                fix = choose(name, event_type.values, otherwise=f"add it: `values: {{{name}: number}}`")
                ctx.problems.at(entry, path, message, fix, key=True)
        types = {one.values[name]: one.code for one in event_types if name in one.values}
        if len(types) > 1:
            message = f'"{name}" is another value for each of the event types {", ".join(sorted(types.values()))}'
            ctx.problems.at(entry, path, message, "rename it in one of them, or map them by two sources", key=True)
