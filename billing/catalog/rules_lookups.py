"""Rules of what an event type looks up."""

from __future__ import annotations

from billing.catalog.checking import Context
from billing.catalog.models import Entry
from billing.catalog.wording import choose
from schemas.price_plan import EventType
from schemas.price_table import LookupTable


def check_lookups(ctx: Context, entry: Entry[EventType]) -> None:
    """Check the lookups of an event type: their names are their own, their tables are known and read what they are given."""
    event_type = entry.document
    kinds = {
        **dict.fromkeys(event_type.attributes, "code"),
        **{name: each.type for name, each in event_type.values.items()},
    }
    for name, lookup in event_type.lookups.items():
        path = ("lookups", name)
        if name in kinds:
            ctx.problems.at(entry, path, f'"{name}" is an attribute or a value already', "rename one of them", key=True)
        table = ctx.reference(entry, (*path, "table"), LookupTable, "lookup_table", lookup.table)
        if lookup.of not in kinds:
            message = f'the event type has no attribute or value "{lookup.of}"'
            ctx.problems.at(entry, (*path, "of"), message, choose(lookup.of, kinds, otherwise="add it to `values`"))
        elif table is not None and table.key != kinds[lookup.of]:
            message = f'"{lookup.table}" looks up {table.key}, but "{lookup.of}" is {kinds[lookup.of]}'
            ctx.problems.at(entry, (*path, "of"), message, f"write `key: {kinds[lookup.of]}` in the table")
