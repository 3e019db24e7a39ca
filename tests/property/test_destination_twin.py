"""Destination tables against their twin: prefixes within prefixes, dated prices, rows without a price, terms of rows."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from numba import config
from rating_strategies import DATE_LISTS, calendars, decimals_text, yaml_of
from rating_world import Use, World, catalog_from, instant

from schemas.values import DIGITS_MAX, pack_digits

EXAMPLES = 40 if config.DISABLE_JIT else 120
TIMES = ["2026-01-01T00:00:00Z", "2026-03-01T00:00:00+01:00", "2026-05-01T00:00:00Z"]
PARTIES: list[dict[str, Any]] = [
    {"kind": "event_type", "code": "call", "unit": "s", "values": {"until": "instant", "called": "digits"}},
    {"kind": "counter", "code": "count", "unit": "s", "period": "month", "zone": "Europe/Paris"},
    {"kind": "charge", "code": "charge", "event_type": "call", "price_plan": "plan"},
    {"kind": "offer", "code": "offer", "charges": ["charge"]},
    {"kind": "account", "code": "acme", "currency": "EUR"},
    {"kind": "subscription", "code": "line", "account": "acme", "offer": "offer", "zone": "America/New_York"},
]
prefixes = st.one_of(st.text("01", max_size=6), st.text("0129", min_size=1, max_size=15)).map(lambda text: text or "*")
numbers = st.one_of(st.text("01", max_size=8), st.text("0129", max_size=DIGITS_MAX))


@st.composite
def tables(draw: Any, bands: list[str]) -> dict[str, Any]:
    """Return a destination table in which no prefix has two prices at a time."""
    rows = []
    for prefix in draw(st.lists(prefixes, min_size=1, max_size=12, unique=True)):
        borders = draw(st.sampled_from([[], TIMES[:1], TIMES[1:2], TIMES[:2], TIMES]))
        periods = list(zip([None, *borders], [*borders, None], strict=True))
        for start, end in draw(st.lists(st.sampled_from(periods), min_size=1, unique=True)):
            row = {"prefix": prefix, "start": start, "end": end} | draw(terms())
            if draw(st.integers(0, 4)):
                row |= {f"price.{band}": draw(decimals_text) for band in bands} or {"price": draw(decimals_text)}
            rows.append({name: value for name, value in row.items() if value is not None})
    header = {f"price.{band}" for band in bands} or {"price"}
    if not any(header & set(row) for row in rows):
        rows.append({"prefix": "*", **dict.fromkeys(header, "1")})
    rows = [row for place, row in enumerate(rows) if row not in rows[:place]]
    return {"kind": "destination_table", "code": "world", "value": "called", "rows": rows}


@st.composite
def terms(draw: Any) -> dict[str, str]:
    """Return what a row says in the place of its version."""
    return {
        **draw(st.sampled_from([{}, {}, {"first": "60 s", "next": "30 s"}, {"first": "7 s", "next": "1 s"}])),
        **draw(st.sampled_from([{}, {}, {"minimum_quantity": "45 s"}])),
        **draw(st.sampled_from([{}, {}, {"connection_fee": "0.05"}, {"connection_fee": "0"}])),
    }


@st.composite
def worlds(draw: Any) -> list[dict[str, Any]]:
    """Return the documents of a plan that takes its prices from a destination table."""
    calendar = draw(calendars("week"))
    timed = draw(st.booleans())
    names = list(dict.fromkeys(band["name"] for band in calendar["bands"])) if timed and draw(st.booleans()) else []
    model = draw(st.sampled_from(["flat", "flat", "package", "event"]))
    version: dict[str, Any] = {"start": "2000-01-01T00:00:00Z", "model": model, "prices": "world"}
    if model != "event":
        version["per"] = draw(st.sampled_from(["1 min", "7 s"]))
        if draw(st.booleans()):
            version["free"] = "90 s"
    if timed:
        version["calendar"] = "week"
        if model == "flat":
            version["crossing"] = draw(st.sampled_from(["start", "split_then_round", "each_increment", "per_second"]))
    if draw(st.booleans()):
        version["counter"] = "count"
    version |= draw(st.sampled_from([{}, {"connection_fee": "0.01"}, {"floor": "0.02", "cap": "3"}]))
    version |= draw(
        st.sampled_from([{}, {"increments": {"first": "30 s", "next": "1 s"}}, {"minimum_quantity": "5 s"}])
    )
    version["rounding"] = {"decimals": draw(st.integers(2, 9))}
    plan = {"kind": "price_plan", "code": "plan", "currency": "EUR", "versions": [version]}
    return [*PARTIES, *DATE_LISTS, calendar, draw(tables(names)), plan]


calls = st.builds(
    lambda at, seconds, number: Use(
        "line", "call", at, seconds * 1000, values={} if number is None else {"called": pack_digits(number)}
    ),
    st.one_of(
        st.sampled_from([instant(text) + off for text in TIMES for off in (-1, 0)]),
        st.integers(instant("2025-12-01T00:00:00Z"), instant("2026-06-01T00:00:00Z")),
    ),
    st.one_of(st.integers(0, 70), st.integers(0, 7200)),
    st.one_of(st.none(), numbers, numbers),
)


@settings(max_examples=EXAMPLES)
@given(documents=worlds(), usage=st.lists(calls, min_size=8, max_size=24))
def test_the_longest_priced_prefix_prices(documents: list[dict[str, Any]], usage: list[Use]) -> None:
    world = World(catalog_from(*yaml_of(documents)))
    assert world.items(world.rate(usage)) == world.rate_twin(usage)
