"""Contracts: kernels, which price variants of plans, against the twin, which looks for the contract of each usage."""

from __future__ import annotations

import re
from decimal import Decimal
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import config
from rating_strategies import yaml_of
from rating_world import Use, World, catalog_from, instant

from billing.catalog.difference import compare
from billing.catalog.models import UnableToLoadCatalog
from rating.contracts import pico_off
from rating.reference import find_charge_version, price
from schemas.contract import taken_off
from schemas.money import from_scaled
from schemas.values import pack_digits

EXAMPLES = 15 if config.DISABLE_JIT else 40
BORDERS = [f"2026-0{month}-01T00:00:00Z" for month in range(1, 8)]
DOCUMENTS: list[dict[str, Any]] = [
    {"kind": "event_type", "code": "call", "unit": "s", "values": {"called": "digits"}},
    {"kind": "event_type", "code": "data", "unit": "MB"},
    {"kind": "counter", "code": "month", "unit": "MB"},
    {"kind": "calendar", "code": "hours", "zone": "UTC", "bands": [{"name": "day", "start": "08:00", "end": "20:00"}, {"name": "night"}]},
    {"kind": "destination_table", "code": "world", "value": "called", "rows": [
        {"prefix": "33", "price": "0.02"}, {"prefix": "336", "price": "0.333333333333", "connection_fee": "0.05"}]},
    {"kind": "price_plan", "code": "voice", "currency": "EUR", "versions": [
        {"start": BORDERS[0], "end": BORDERS[2], "model": "flat", "per": "1 min", "price": "0.30"},
        {"start": BORDERS[3], "model": "flat", "per": "1 min", "price": "0.24", "connection_fee": "0.10", "cap": "5"}]},
    {"kind": "price_plan", "code": "abroad", "currency": "EUR", "versions": [
        {"start": BORDERS[0], "model": "flat", "per": "1 min", "prices": "world", "connection_fee": "0.01"}]},
    {"kind": "price_plan", "code": "traffic", "currency": "EUR", "versions": [
        {"start": BORDERS[0], "model": "graduated", "per": "1 MB", "counter": "month", "calendar": "hours", "tiers": [
            {"up_to": "10 MB", "price": {"day": "0.1", "night": "0.05"}, "amount": "0.000000001"}, {"price": "0.0333"}]}]},
    {"kind": "price_plan", "code": "special", "currency": "EUR", "versions": [
        {"start": BORDERS[1], "end": BORDERS[4], "model": "flat", "per": "1 min", "price": "0.07"},
        {"start": BORDERS[5], "model": "event", "price": "0.5"}]},
    {"kind": "charge", "code": "national", "event_type": "call", "price_plan": "voice", "condition": 'called.startsWith("0")'},
    {"kind": "charge", "code": "world", "event_type": "call", "price_plan": "abroad"},
    {"kind": "charge", "code": "data", "event_type": "data", "price_plan": "traffic"},
    {"kind": "offer", "code": "all", "charges": ["national", "world", "data"]},
    {"kind": "offer", "code": "talk", "charges": ["national", "world"]},
    {"kind": "account", "code": "acme", "currency": "EUR", "level": "customer"},
    {"kind": "account", "code": "sales", "currency": "EUR", "parent": "acme"},
    {"kind": "account", "code": "solo", "currency": "EUR"},
    *({"kind": "subscription", "code": f"{account}-{offer}", "account": account, "offer": offer}
      for account in ("acme", "sales", "solo") for offer in ("all", "talk")),
]  # fmt: skip
HOWS = [
    {"percentage": "10"}, {"percentage": "33.333333"}, {"percentage": "100"}, {"price_plan": "special", "event_type": "call"},
    {"price": "0.19", "event_type": "call"}, {"price": "0.000000000001", "charge": "national"},
]  # fmt: skip


@st.composite
def contracts(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Contracts of some of the accounts, one after the other, with gaps and without."""
    found = []
    for account in ("acme", "sales", "solo"):
        borders = draw(st.lists(st.sampled_from(BORDERS), max_size=3, unique=True).map(sorted))
        for number, (start, end) in enumerate(pairwise([*borders, None])):
            if draw(st.integers(0, 3)):
                asked = st.fixed_dictionaries(
                    {},
                    optional={
                        "offer": st.sampled_from(["all", "talk"]),
                        "event_type": st.sampled_from(["call", "data"]),
                    },
                )
                item = st.builds(lambda one, how: {**one, **how}, asked, st.sampled_from(HOWS))
                items = draw(st.lists(item.filter(_is_sold), min_size=1, max_size=3))
                period = {"start": start} if end is None else {"start": start, "end": end}
                found.append(
                    {"kind": "contract", "code": f"{account}{number}", "account": account, **period, "items": items}
                )
    return found


def _is_sold(item: dict[str, Any]) -> bool:
    return not (item.get("event_type") == "data" and (item.get("offer") == "talk" or item.get("charge")))


uses = st.builds(
    lambda account, offer, event, border, past, quantity, called: Use(
        f"{account}-{offer}", event, instant(border) + past, quantity, values={"called": called} if event == "call" else {}
    ),
    st.sampled_from(["acme", "sales", "solo"]), st.sampled_from(["all", "talk"]), st.sampled_from(["call", "data"]),
    st.sampled_from(BORDERS), st.sampled_from([-1, 0, 12 * 3_600_000_000]), st.sampled_from([0, 1, 60_000, 7_000_000, 10**12]),
    st.sampled_from(["01", "331", "336", "99"]).map(pack_digits),
)  # fmt: skip


@settings(max_examples=EXAMPLES)
@given(negotiated=contracts(), usage=st.lists(uses, min_size=6, max_size=16))
def test_contracts_agree_with_the_twin(negotiated: list[dict[str, Any]], usage: list[Use]) -> None:
    world = World(catalog_from(*yaml_of([*DOCUMENTS, *negotiated])))
    rated = world.rate(usage)
    items = world.items(rated)
    assert items == world.rate_twin(usage)
    for use, item in zip(usage, items, strict=True):
        if item.reason == 0 and item.charge_version is not None:
            charge, version = find_charge_version(world.catalog, item.charge_version)
            said = {"called": "336" if use.values.get("called") == pack_digits("336") else "331"}
            again = price(
                world.catalog,
                charge,
                version,
                quantity=use.quantity,
                event_at=use.at,
                counter_before=item.counter_before,
                said=said,
            )
            assert again.amount == item.amount


def _world(*negotiated: dict[str, Any]) -> World:
    return World(catalog_from(*yaml_of([*DOCUMENTS, *({"kind": "contract", **one} for one in negotiated)])))


def _costs(world: World, *uses: tuple[str, str, str]) -> list[Decimal | int]:
    """Return what a minute costs each (subscription, called, at), or the reason why it has no price."""
    usage = [
        Use(line, "call", instant(at), 60_000, values={"called": pack_digits(called)}) for line, called, at in uses
    ]
    items = world.items(world.rate(usage))
    assert items == world.rate_twin(usage)
    return [from_scaled(item.amount, 9) if item.reason == 0 else int(item.reason) for item in items]


MAY = "2026-05-10T12:00:00Z"


def test_a_contract_counts_from_its_start_to_its_end_for_all_below_its_account() -> None:
    contract = {
        "code": "acme-26",
        "account": "acme",
        "start": BORDERS[4],
        "end": BORDERS[5],
        "items": [{"percentage": "10"}],
    }
    world = _world(contract)
    april, june = "2026-04-30T23:59:59Z", "2026-06-01T00:00:00Z"
    lines = [
        ("sales-all", "01", april),
        ("sales-all", "01", MAY),
        ("acme-talk", "01", MAY),
        ("solo-all", "01", MAY),
        ("sales-all", "01", june),
    ]
    assert _costs(world, *lines) == [Decimal(text) for text in ("0.34", "0.306", "0.306", "0.34", "0.34")]
    # 10 % off 0.333333333333 is 0.2999999999997, which has twelve decimals as 0.300000000000, and off the row's fee
    assert _costs(world, ("sales-all", "336", MAY)) == [Decimal("0.345")]


def test_the_nearest_contract_counts_and_in_it_the_first_item_that_matches() -> None:
    above = {"code": "above", "account": "acme", "start": BORDERS[4], "items": [{"percentage": "50"}]}
    own = {"code": "own", "account": "sales", "start": BORDERS[4], "items": [
        {"offer": "talk", "charge": "national", "price": "0.06"}, {"offer": "talk", "percentage": "100"}]}  # fmt: skip
    world = _world(above, own)
    lines = [("sales-talk", "01", MAY), ("sales-talk", "331", MAY), ("sales-all", "01", MAY), ("acme-talk", "01", MAY)]
    assert _costs(world, *lines) == [Decimal("0.16"), Decimal(0), Decimal("0.17"), Decimal("0.17")]


def test_a_negotiated_plan_prices_by_its_own_versions_and_a_gap_in_it_is_no_price() -> None:
    item = {"charge": "national", "price_plan": "special"}
    world = _world({"code": "plan", "account": "solo", "start": BORDERS[2], "items": [item]})
    times = ["2026-02-10T12:00:00Z", "2026-03-10T12:00:00Z", MAY, "2026-06-10T12:00:00Z"]
    assert _costs(world, *(("solo-all", "01", at) for at in times)) == [
        Decimal("0.3"),
        Decimal("0.07"),
        301,
        Decimal("0.5"),
    ]


def test_what_no_contract_changes_keeps_its_name_and_its_counter() -> None:
    usage = [Use("solo-all", "data", instant(MAY), 7_000_000)] * 2
    plain = _world()
    first = plain.items(plain.rate(usage))
    contract = {
        "kind": "contract",
        "code": "later",
        "account": "solo",
        "start": BORDERS[5],
        "items": [{"percentage": "20"}],
    }
    world = World(catalog_from(*yaml_of([*DOCUMENTS, contract])), plain)
    again = world.items(world.rate(usage))
    assert [item.charge_version for item in again] == [item.charge_version for item in first]
    assert again[0].counter_before == 14_000_000
    june = world.items(world.rate([Use("solo-all", "data", instant("2026-06-10T12:00:00Z"), 1_000_000)]))
    assert from_scaled(june[0].amount, 9) == Decimal("0.08")
    explained = find_charge_version(world.catalog, june[0].charge_version or "")[1]
    told = price(world.catalog, world.catalog.charges["data"], explained, quantity=10**6, event_at=instant(MAY)).lines()
    assert "contract later: 20 % off the prices of traffic (contract of solo)" in told


def test_contracts_with_the_same_percentage_off_a_price_table_share_its_prices() -> None:
    def prices(*percentages: str) -> int:
        negotiated = [
            {
                "code": f"c{place}",
                "account": account,
                "start": BORDERS[4],
                "items": [{"charge": "world", "percentage": each}],
            }
            for place, (account, each) in enumerate(zip(("acme", "solo"), percentages, strict=False))
        ]
        return len(_world(*negotiated).image.tariff.price)

    alone = prices("10") - prices()
    assert prices("10", "10") == prices("10")
    assert prices("10", "11") == prices("10") + alone > prices("10")


def test_a_difference_of_catalogs_tells_what_was_negotiated() -> None:
    contract = {"code": "c", "account": "solo", "start": BORDERS[2], "items": [{"percentage": "10"}]}
    old, new = _world().catalog, _world(contract).catalog
    (change,) = compare(old, new).documents
    assert (change.kind, change.code, change.change) == ("contract", "c", "added")
    assert change.lines == ("solo, from 2026-03-01T00:00:00Z", "percentage 10")
    (other,) = compare(new, _world({**contract, "items": [{"percentage": "12"}]}).catalog).documents
    assert other.lines == ("items 1 percentage: 10 → 12",)


@given(st.integers(0, 9_000_000 * 10**12), st.decimals("0.000001", "100", places=6))
def test_a_percentage_is_off_arrays_as_it_is_off_numbers(pico: int, percentage: Decimal) -> None:
    assert from_scaled(int(pico_off(np.array([pico]), percentage)[0]), 12) == taken_off(
        from_scaled(pico, 12), percentage, 12
    )


@pytest.mark.parametrize(
    ("contract", "message"),
    [
        ({"account": "nobody"}, 'the account "nobody" is unknown'),
        ({"end": BORDERS[0]}, "the period ends before it starts"),
        ({"items": [{"offer": "all"}]}, "an item has one of price_plan, price, percentage, this one has none"),
        ({"items": [{"price": "1", "percentage": "5"}]}, "an item has one of price_plan, price, percentage, this one has price and percentage"),
        ({"items": [{"charge": "calls", "percentage": "5"}]}, 'the charge "calls" is unknown'),
        ({"items": [{"offer": "talk", "charge": "data", "percentage": "5"}]}, "no offer has a charge that it is for"),
        ({"items": [{"charge": "data", "price": "1"}]}, 'the plan "traffic" of the charge "data" is graduated and has no single price'),
        ({"items": [{"charge": "national", "price": {"day": "1"}}]}, 'the plan "voice" of the charge "national" has prices for no time bands'),
        ({"items": [{"charge": "national", "price": "9000001"}]}, "9000001 is too large"),
        ({"items": [{"charge": "national", "percentage": "101"}]}, '"101" is too large'),
        ({"items": [{"charge": "national", "price_plan": "francs"}]}, '"francs" is in CHF, but the charge "national" is sold in EUR'),
        ({"items": [{"charge": "national", "price_plan": "together"}]}, '"together" needs the shared counter "family", which the plan "voice" of the charge "national" does not'),
        ({"items": [{"charge": "data", "price_plan": "special"}]}, 'the price plan "special" prices time (catalog.yaml:X: per "1 min"), but "data" measures data'),
        ({"items": [{"charge": "sum", "percentage": "5"}]}, 'the plan "computed" of the charge "sum" is formula and has no prices'),
        ({"start": BORDERS[1]}, 'the contract "other" of the account is in force then (at catalog.yaml:X)'),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_wrong_contracts_are_told(contract: dict[str, Any], message: str) -> None:
    more: list[dict[str, Any]] = [
        {"kind": "counter", "code": "family", "unit": "s", "shared_by": "group"},
        {"kind": "price_plan", "code": "francs", "currency": "CHF", "versions": [{"start": BORDERS[0], "model": "event", "price": "1"}]},
        {"kind": "price_plan", "code": "together", "currency": "EUR", "versions": [
            {"start": BORDERS[0], "model": "package", "per": "1 min", "price": "1", "counter": "family"}]},
        {"kind": "price_plan", "code": "computed", "currency": "EUR", "versions": [{"start": BORDERS[0], "model": "formula", "formula": "quantity"}]},
        {"kind": "charge", "code": "sum", "event_type": "data", "price_plan": "computed"},
        {"kind": "offer", "code": "sums", "charges": ["sum"]},
        {"kind": "contract", "code": "other", "account": "solo", "start": BORDERS[0], "end": BORDERS[2], "items": [{"charge": "data", "percentage": "1"}]},
        {"kind": "contract", "code": "wrong", "account": "solo", "start": BORDERS[2], "items": [{"charge": "data", "percentage": "1"}], **contract},
    ]  # fmt: skip
    with pytest.raises(UnableToLoadCatalog) as caught:
        catalog_from(*yaml_of([*DOCUMENTS, *more]))
    told = [_without_place(problem.message) for problem in caught.value.problems]
    assert told == [message]


def _without_place(message: str) -> str:
    return re.sub(r"[^\s(]*catalog\.yaml:[0-9]+", "catalog.yaml:X", message)
