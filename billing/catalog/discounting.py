"""Which assigned discounts hold for usage: by its subscription, the account of that, and when it starts."""

from __future__ import annotations

from itertools import groupby
from operator import itemgetter

import polars as pl

from schemas.catalog import TIME_MIN, Catalog


class Discounting:
    """The assigned discounts of a checked catalog.

    Attributes:
        plans: the plan of each assignment, by its name: "account/CODE/NUMBER" or "subscription/CODE/NUMBER".
    """

    def __init__(self, catalog: Catalog) -> None:
        """Name the assignments."""
        self._catalog = catalog
        names = pl.concat_str("holder_kind", "holder", "number", separator="/")
        self._assigned = catalog.discounts.with_columns(name=names)
        self.plans: dict[str, str] = dict(self._assigned.select("name", "plan").iter_rows())

    def active(self, items: pl.DataFrame) -> tuple[pl.Series, list[tuple[str, ...]]]:
        """Return which assignments hold for items: (n,) places, and the names that each of them stands for.

        Args:
            items: subscription and event_at (microseconds UTC) of n items, in any order.
        """
        bought = items.select("subscription").unique().join(self._catalog.subscriptions, on="subscription")
        held = pl.concat(
            [
                bought.join(self._assigned.filter(holder_kind=kind), left_on=kind, right_on="holder").select(
                    "subscription", "name", "start_at", "end_at"
                )
                for kind in ("account", "subscription")
            ]
        )
        places: dict[tuple[str, ...], int] = {(): 0}
        begun: list[tuple[str, int, int]] = []
        every = held.sort("subscription", "name").iter_rows()
        for subscription, rows in groupby(every, key=itemgetter(0)):
            periods = [(name, start, end) for _, name, start, end in rows]
            for edge in sorted({TIME_MIN, *(each for _, start, end in periods for each in (start, end))}):
                names = tuple(name for name, start, end in periods if start <= edge < end)
                begun.append((subscription, edge, places.setdefault(names, len(places))))
        since = pl.DataFrame(
            begun, schema={"subscription": pl.String, "event_at": pl.Int64, "active": pl.UInt32}, orient="row"
        )
        placed = (
            items.select("subscription", "event_at")
            .with_row_index("item")
            .sort("event_at")
            .join_asof(since.sort("event_at"), on="event_at", by="subscription", check_sortedness=False)
            .sort("item")
        )
        return placed["active"].fill_null(0), list(places)
