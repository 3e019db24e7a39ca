"""Exchange rates: kernels, which price variants cut where rates change, against the twin, which looks for the rate of each usage."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import config
from rating_strategies import yaml_of
from rating_world import Use, World, catalog_from, instant

from billing.catalog.difference import compare
from billing.catalog.models import UnableToLoadCatalog
from rating.exchange import stretches, timeline_of
from rating.reference import find_charge_version, price
from schemas.money import from_scaled
from schemas.rejection import Reason

EXAMPLES = 12 if config.DISABLE_JIT else 30
BORDERS = [f"2026-0{month}-01T00:00:00Z" for month in range(1, 6)]
CURRENCIES = ("EUR", "USD", "JPY")
DOCUMENTS: list[dict[str, Any]] = [
    {"kind": "event_type", "code": "call", "unit": "s"},
    {"kind": "event_type", "code": "data", "unit": "MB", "values": {"size": "number"}},
    {"kind": "counter", "code": "month", "unit": "MB"},
    {"kind": "price_plan", "code": "voice", "currency": "USD", "versions": [
        {"start": BORDERS[0], "end": BORDERS[2], "model": "flat", "per": "1 min", "price": "0.30"},
        {"start": BORDERS[2], "model": "flat", "per": "1 min", "price": "0.24", "connection_fee": "0.10", "cap": "5"}]},
    {"kind": "price_plan", "code": "traffic", "currency": "EUR", "versions": [
        {"start": BORDERS[0], "model": "graduated", "per": "1 MB", "counter": "month", "tiers": [
            {"up_to": "10 MB", "price": "0.1"}, {"price": "0.0333"}]}]},
    {"kind": "price_plan", "code": "sized", "currency": "EUR", "versions": [
        {"start": BORDERS[0], "model": "formula", "formula": "quantity * size / 7.0", "rounding": {"decimals": 9}}]},
    {"kind": "price_plan", "code": "dollars", "currency": "USD", "versions": [
        {"start": BORDERS[1], "model": "flat", "per": "1 min", "price": "0.07"}]},
    {"kind": "charge", "code": "voice", "event_type": "call", "price_plan": "voice"},
    {"kind": "charge", "code": "sized", "event_type": "data", "price_plan": "sized", "condition": "size > 5", "priority": 1},
    {"kind": "charge", "code": "data", "event_type": "data", "price_plan": "traffic"},
    {"kind": "offer", "code": "all", "charges": ["voice", "data", "sized"], "exchange_rates": "bank"},
    *({"kind": "account", "code": currency.lower(), "currency": currency} for currency in CURRENCIES),
    *({"kind": "subscription", "code": f"{currency.lower()}-line", "account": currency.lower(), "offer": "all"}
      for currency in CURRENCIES),
    {"kind": "contract", "code": "less", "account": "eur", "start": BORDERS[1], "end": BORDERS[3], "items": [
        {"event_type": "call", "percentage": "10"}]},
    {"kind": "contract", "code": "other", "account": "jpy", "start": BORDERS[2], "items": [
        {"event_type": "call", "price_plan": "dollars"}]},
]  # fmt: skip
ROUNDINGS = [{}, {"decimals": 0, "mode": "half_even"}, {"decimals": 9}, {"decimals": 2, "mode": "down"}]


@st.composite
def rates(draw: st.DrawFn) -> dict[str, Any]:
    """Rates of a bank: of some pairs, from some days on, with gaps, by any policy."""
    rows = [
        {"pair": pair, "rate": draw(st.sampled_from(["1.0832", "0.000321", "163.45", "1", "7.123456"])), "start": start}
        for pair in ("EUR/USD", "EUR/JPY", "USD/JPY")
        for start in draw(st.lists(st.sampled_from([*BORDERS, "2026-02-14T22:30:00Z"]), min_size=1, unique=True))
    ]
    for row in rows:
        if draw(st.integers(0, 4)) == 0:
            row["end"] = row["start"].replace("T00:00", "T05:00").replace("T22:30", "T23:30")
    return {
        "kind": "exchange_rates",
        "code": "bank",
        "inverse": True,
        "dated": draw(st.sampled_from(["usage", "day", "month", "price"])),
        "zone": draw(st.sampled_from(["UTC", "America/New_York"])),
        "rounding": draw(st.sampled_from(ROUNDINGS)),
        **draw(st.sampled_from([{}, {"through": "EUR"}])),
        "rows": rows,
    }


uses = st.builds(
    lambda account, event, border, past, quantity, size: Use(
        f"{account}-line", event, instant(border) + past, quantity, values={"size": size} if event == "data" else {}
    ),
    st.sampled_from(["eur", "usd", "jpy"]), st.sampled_from(["call", "data"]),
    st.sampled_from([*BORDERS, "2026-02-14T22:30:00Z"]),
    st.sampled_from([-1, 0, 12 * 3_600_000_000, 4 * 3_600_000_000, 5 * 3_600_000_000]),
    st.sampled_from([0, 1, 60_000, 7_000_000, 10**12, 2**62]), st.sampled_from([0, 6, 123]),
)  # fmt: skip


@settings(max_examples=EXAMPLES)
@given(written=rates(), usage=st.lists(uses, min_size=6, max_size=16))
def test_conversions_agree_with_the_twin(written: dict[str, Any], usage: list[Use]) -> None:
    world = World(catalog_from(*yaml_of([*DOCUMENTS, written])))
    items = world.items(world.rate(usage))
    assert items == world.rate_twin(usage)
    for use, item in zip(usage, items, strict=True):
        if item.reason == 0 and item.charge_version is not None:
            charge, version = find_charge_version(world.catalog, item.charge_version)
            again = price(
                world.catalog,
                charge,
                version,
                quantity=use.quantity,
                event_at=use.at,
                counter_before=item.counter_before,
                said={name: Decimal(value) for name, value in use.values.items()},
            )
            assert again.amount == item.amount
            assert again.currency == use.subscription[:3].upper()


@settings(max_examples=EXAMPLES)
@given(written=rates(), at=st.integers(-10, 160 * 24))
def test_stretches_cover_all_time_once(written: dict[str, Any], at: int) -> None:
    table = catalog_from(*yaml_of([*DOCUMENTS, written])).exchange_rates["bank"]
    low, high = instant(BORDERS[0]) + at * 3_600_000_000, instant("2027-01-01T00:00:00Z")
    for base, quote in (("EUR", "USD"), ("USD", "EUR"), ("JPY", "USD")):
        found = stretches(table, base, quote, low, low, high)
        assert [found[0][0], found[-1][1]] == [low, high]
        assert all(one[1] == other[0] for one, other in pairwise(found))
        assert all(one[1] == other[0] for one, other in pairwise(timeline_of(table, base, quote)))


def _world(rates_: dict[str, Any], *more: dict[str, Any]) -> World:
    bank = {"kind": "exchange_rates", "code": "bank", **rates_}
    return World(catalog_from(*yaml_of([*DOCUMENTS, bank, *more])))


EURO = {"pair": "EUR/USD", "rate": "1.25", "start": BORDERS[0]}
YEN = [{"pair": "EUR/JPY", "rate": "160", "start": BORDERS[0]}]


def _cost(world: World, subscription: str, at: str) -> Decimal | Reason:
    usage = [Use(subscription, "call", instant(at), 60_000)]
    (item,) = world.items(world.rate(usage))
    assert [item] == world.rate_twin(usage)
    return from_scaled(item.amount, 9) if item.reason == 0 else item.reason


def test_a_price_is_converted_by_the_rate_in_force_and_rounded_once_more() -> None:
    rows = [EURO, {"pair": "EUR/USD", "rate": "1.2", "start": BORDERS[1]}, *YEN]
    world = _world({"inverse": True, "through": "EUR", "rows": rows, "rounding": {"decimals": 2}})
    assert _cost(world, "usd-line", BORDERS[0]) == Decimal("0.3")
    assert _cost(world, "eur-line", BORDERS[0]) == Decimal("0.24")
    # 10 % off from February on: 0.27 USD at 1/1.2 are 0.225 EUR
    assert _cost(world, "eur-line", BORDERS[1]) == Decimal("0.23")
    # from USD to EUR to JPY
    assert _cost(world, "jpy-line", BORDERS[0]) == Decimal("38.4")


def test_what_has_no_rate_in_force_is_unrated_and_never_free() -> None:
    world = _world(
        {"inverse": True, "through": "EUR", "rows": [{**EURO, "start": BORDERS[1], "end": BORDERS[2]}, *YEN]}
    )
    assert _cost(world, "eur-line", BORDERS[0]) is Reason.NO_EXCHANGE_RATE
    assert _cost(world, "eur-line", BORDERS[1]) == Decimal("0.216")
    assert _cost(world, "eur-line", BORDERS[2]) is Reason.NO_EXCHANGE_RATE
    assert _cost(world, "usd-line", BORDERS[2]) == Decimal("0.34")


@pytest.mark.parametrize(
    ("dated", "zone", "cost"),
    [("usage", "UTC", "0.15"), ("day", "UTC", "0.24"), ("day", "America/New_York", "0.24"), ("month", "UTC", "0.24"), ("price", "UTC", "0.24")],
)  # fmt: skip
def test_a_named_date_decides_which_rate_counts(dated: str, zone: str, cost: str) -> None:
    second = {"pair": "EUR/USD", "rate": "2", "start": "2026-01-10T12:00:00Z"}
    world = _world({"inverse": True, "through": "EUR", "dated": dated, "zone": zone, "rows": [EURO, second, *YEN]})
    assert _cost(world, "eur-line", "2026-01-10T13:00:00Z") == Decimal(cost)
    following = {"usage": "0.15", "day": "0.15", "month": "0.24", "price": "0.24"}[dated]
    assert _cost(world, "eur-line", "2026-01-11T05:00:00Z") == Decimal(following)
    # the day in New York begins five hours later
    assert _cost(world, "eur-line", "2026-01-11T04:59:00Z") == Decimal(cost if "/" in zone else following)


def test_explanations_name_the_amount_before_the_rate_and_where_it_is_from() -> None:
    world = _world({"inverse": True, "through": "EUR", "rows": [EURO, *YEN]})
    (item,) = world.items(world.rate([Use("eur-line", "call", instant(BORDERS[0]), 60_000)]))
    assert (item.charge_version or "").endswith("*USD/EUR@0.8")
    charge, version = find_charge_version(world.catalog, item.charge_version or "")
    told = price(world.catalog, charge, version, quantity=60_000, event_at=instant(BORDERS[0])).lines()
    assert told[0] == "0.240000 EUR for 60 s of call"
    assert told[-1] == "0.300000 USD at 0.8 EUR for 1 USD (bank), rounded half up to 6 decimals: 0.240000 EUR"


def test_a_difference_of_catalogs_tells_of_terms_and_rates() -> None:
    old = _world({"inverse": True, "through": "EUR", "rows": [EURO, *YEN]}).catalog
    new = _world({"inverse": True, "through": "EUR", "dated": "day", "rows": [{**EURO, "rate": "1.26"}, *YEN]}).catalog
    found = compare(old, new)
    assert [change.lines for change in found.documents] == [("dated: usage → day",)]
    assert [rows.kind for rows in found.rows] == ["exchange rates"]


@pytest.mark.parametrize(
    ("bank", "message"),
    [
        ({"rows": [EURO]}, 'the offer "all" has prices in USD, and "bank" has no rate from USD to EUR'),
        ({"inverse": True, "rows": [EURO]}, 'the offer "all" has prices in USD, and "bank" has no rate from USD to JPY'),
        ({"rows": [{**EURO, "pair": "EURUSD"}]}, '"EURUSD" is no pair'),
        ({"rows": [{**EURO, "pair": "EUR/XYZ"}]}, 'octroi does not bill in both of "EUR/XYZ"'),
        ({"rows": [{**EURO, "pair": "EUR/EUR"}]}, '"EUR/EUR" is one currency'),
        ({"rows": [{**EURO, "rate": "0.0"}]}, '"0.0" is zero'),
        ({"rows": [{**EURO, "rate": "-1"}]}, '"-1" is no rate'),
        ({"rows": [EURO, EURO]}, 'the pair "EUR/USD" has two rates from then on'),
        ({"inverse": True, "rows": [EURO, {**EURO, "pair": "USD/EUR"}]}, '"USD/EUR" is written the other way round, too, and rates serve both ways'),
        ({"through": "EUR", "rows": [{**EURO, "rate": "1.0000000001"}]}, '"1.0000000001" has too many digits for a rate that makes others'),
        ({"zone": "Mars", "inverse": True, "through": "EUR", "rows": [EURO, *YEN]}, 'the time zone "Mars" is unknown'),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_wrong_rates_are_told(bank: dict[str, Any], message: str) -> None:
    with pytest.raises(UnableToLoadCatalog) as caught:
        _world(bank)
    assert message in [problem.message for problem in caught.value.problems]


def test_amounts_are_counted_in_the_currency_that_is_paid() -> None:
    spend = {"kind": "counter", "code": "spend", "unit": "EUR", "function": "amount"}
    offer = {
        "kind": "offer",
        "code": "counted",
        "charges": ["voice"],
        "exchange_rates": "bank",
        "accumulate": ["spend"],
    }
    bought = [
        {"kind": "subscription", "code": f"{who}-2", "account": who, "offer": "counted"} for who in ("eur", "usd")
    ]
    bank = {"inverse": True, "through": "EUR", "rows": [EURO, *YEN]}
    others = [one for one in DOCUMENTS if one["code"] != "all" and one.get("offer") != "all"]
    documents = [*others, {"kind": "exchange_rates", "code": "bank", **bank}, spend, offer]
    world = World(catalog_from(*yaml_of([*documents, bought[0]])))
    growths = world.rate([Use("eur-2", "call", instant(BORDERS[0]), 60_000)]).growths
    assert growths is not None
    assert growths.by.tolist() == [240_000_000]
    with pytest.raises(UnableToLoadCatalog, match='grows "spend", which counts EUR, and the account pays in USD'):
        catalog_from(*yaml_of([*documents, *bought]))
