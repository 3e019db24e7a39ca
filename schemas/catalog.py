"""A whole catalog, checked and ready to compile: documents for what is sold, frames for who bought it."""

from __future__ import annotations

from dataclasses import dataclass, field

import polars as pl

from schemas.price_plan import Calendar, Charge, Counter, DateList, EventType, Offer, PricePlan
from schemas.quantity import Unit
from schemas.source import SourceBase

ACCOUNT_FRAME = pl.Schema({"account": pl.String, "currency": pl.String})
WALLET_FRAME = pl.Schema(
    {
        "account": pl.String,
        "wallet": pl.String,
        "prepaid": pl.Boolean,
        "priority": pl.Int32,
        "opening_balance": pl.Int64,  # billionths of the currency unit
    }
)
SUBSCRIPTION_FRAME = pl.Schema({"subscription": pl.String, "account": pl.String, "offer": pl.String})
SUBSCRIPTION_ZONE_FRAME = pl.Schema({"subscription": pl.String, "zone": pl.String})
ACCESS_POINT_FRAME = pl.Schema(
    {
        "access_point": pl.String,
        "subscription": pl.String,
        "start_at": pl.Int64,  # microseconds UTC, TIME_MIN when open
        "end_at": pl.Int64,  # exclusive, TIME_MAX when open
    }
)
OPENING_READING_FRAME = pl.Schema(
    {
        "access_point": pl.String,
        "series": pl.String,  # e.g. "supplier/HP" for R151: grid "/" class
        "at": pl.Int64,  # microseconds UTC
        "index": pl.Int64,  # base steps of the unit it is written in
    }
)
TIME_MIN = -(2**62)
TIME_MAX = 2**62


@dataclass(frozen=True)
class Catalog:
    """Documents that passed every check, so that compiling them cannot fail on a reference.

    Attributes:
        content_hash: SHA-256 (hex) over the bytes of every file of the catalog, in order of name.
        units: built-in and declared units by code.
        accounts .. opening_readings: frames with exactly the schemas above, sorted by their leading columns.
        source_places: "FILE:LINE" where each source is defined, for people.
        date_lists: what day types of calendars refer to. subscription_zones: of the subscriptions that name one.
    """

    content_hash: str
    units: dict[str, Unit]
    event_types: dict[str, EventType]
    calendars: dict[str, Calendar]
    counters: dict[str, Counter]
    price_plans: dict[str, PricePlan]
    charges: dict[str, Charge]
    offers: dict[str, Offer]
    sources: dict[str, SourceBase]
    accounts: pl.DataFrame
    wallets: pl.DataFrame
    subscriptions: pl.DataFrame
    access_points: pl.DataFrame
    opening_readings: pl.DataFrame
    source_places: dict[str, str] = field(default_factory=dict, compare=False)
    date_lists: dict[str, DateList] = field(default_factory=dict)
    subscription_zones: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=SUBSCRIPTION_ZONE_FRAME))

    def zone_of(self, subscription: str) -> str | None:
        """Return the time zone of a subscription, None when it names none."""
        found = self.subscription_zones.filter(pl.col("subscription") == subscription)["zone"]
        return str(found[0]) if len(found) else None
