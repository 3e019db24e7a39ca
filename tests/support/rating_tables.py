"""Worlds of one price version, for tables of prices."""

from __future__ import annotations

from decimal import Decimal

from rating_world import Use, World, catalog_from, instant

from schemas.money import from_scaled
from schemas.quantity import parse_quantity

PARTIES = """
kind: offer
code: offer
charges: [charge]
---
kind: account
code: acme
currency: EUR
---
kind: subscription
code: line
account: acme
offer: offer
"""
NOON = instant("2026-06-10T12:00:00Z")


def world(unit: str, version: str, more: str = "") -> World:
    """Return a world with one event type in `unit` and one plan whose version has these fields."""
    return World(
        catalog_from(
            f"kind: event_type\ncode: usage\nunit: {unit}",
            "kind: charge\ncode: charge\nevent_type: usage\nprice_plan: plan",
            "kind: price_plan\ncode: plan\ncurrency: EUR\nversions: [{start: 2000-01-01T00:00:00Z, " + version + "}]",
            PARTIES,
            *([more] if more else []),
        )
    )


def costs(place: World, *quantities: str, at: int = NOON) -> list[Decimal]:
    """Return what usages cost one after another, having checked that kernels and twin agree."""
    uses = [Use("line", "usage", at, parse_quantity(text, place.catalog.units)[0]) for text in quantities]
    items = place.items(place.rate(uses))
    assert items == place.rate_twin(uses)
    assert all(item.reason == 0 for item in items)
    return [from_scaled(item.amount, 9) for item in items]
