"""Price plug-ins: what they are given, that they are compared with their twin, and what cannot be used."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from rating_strategies import yaml_of
from rating_world import Use, World, catalog_from, instant

from billing.catalog.models import UnableToLoadCatalog
from rating.price_plugins import _load
from rating.tariff_image import UnableToCompileImage
from schemas.values import pack_digits

AT = instant("2026-05-01T10:00:00Z")
MODULE = """\
import numpy as np

ABSENT = -2**63


class Good:
    def price(self, columns, options):
        size = columns["size"]
        dear = (columns["zone"] == "US") | (columns["class"] == "L")
        amount = columns["quantity"] % 1000 * options["rate"] + np.where(dear, 7, 1) + np.where(size == ABSENT, 0, size % 10)
        return np.where(columns["at"] % 2 == 1, -1, amount)

    def twin(self, usage, options):
        if usage["at"] % 2:
            return None
        dear = usage["zone"] == "US" or usage["class"] == "L"
        return usage["quantity"] % 1000 * options["rate"] + (7 if dear else 1) + (usage["size"] or 0) % 10


class Wrong(Good):
    def twin(self, usage, options):
        return 5 if usage["size"] is None else super().twin(usage, options)


class Narrow(Good):
    def price(self, columns, options):
        return super().price(columns, options).astype(np.int32)


class Failing(Good):
    def price(self, columns, options):
        if len(columns["quantity"]) < 200:
            raise ValueError("no")
        return super().price(columns, options)


class Half:
    price = None


good, wrong, narrow, failing, half = Good(), Wrong(), Narrow(), Failing(), Half()
"""
NAMES = ("good", "wrong", "narrow", "failing", "half")


@pytest.fixture(autouse=True)
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    info = tmp_path / "prices-1.2.dist-info"
    info.mkdir()
    (tmp_path / "unit_prices.py").write_text(MODULE)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: prices\nVersion: 1.2\n")
    points = "\n".join(f"{name} = unit_prices:{name}" for name in NAMES)
    (info / "entry_points.txt").write_text(f"[octroi.prices]\n{points}\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "unit_prices", raising=False)
    _load.cache_clear()


def _world(name: str = "good", version: str = "1.2", **more: Any) -> World:
    plugin = {"name": name, "version": version, "options": {"rate": 3}}
    documents = [
        {"kind": "lookup_table", "code": "sizes", "key": "digits", "rows": [{"key": "33", "code": "L"}]},
        {"kind": "event_type", "code": "sale", "unit": "B", "attributes": ["zone"], "values": {"size": "number", "called": "digits"},
         "lookups": {"class": {"table": "sizes", "of": "called"}}},
        {"kind": "price_plan", "code": "plan", "currency": "EUR",
         "versions": [{"start": "2000-01-01T00:00:00Z", "model": "plugin", "plugin": plugin, "rounding": {"decimals": 9}, **more}]},
        {"kind": "charge", "code": "any", "event_type": "sale", "price_plan": "plan", "condition": "zone != 'none'"},
        {"kind": "offer", "code": "offer", "charges": ["any"]},
        {"kind": "account", "code": "acme", "currency": "EUR"},
        {"kind": "subscription", "code": "line", "account": "acme", "offer": "offer"},
    ]  # fmt: skip
    return World(catalog_from(*yaml_of(documents)))


def test_a_plugin_prices_as_its_twin_does() -> None:
    world = _world()
    usage = [
        Use("line", "sale", AT, 5), Use("line", "sale", AT, 5, {}, {"size": 23}), Use("line", "sale", AT + 1, 5),
        Use("line", "sale", AT, 5, {}, {"called": pack_digits("331")}), Use("line", "sale", AT, 0), Use("line", "sale", AT, 1999),
    ]  # fmt: skip
    rated = world.rate(usage)
    assert world.items(rated) == world.rate_twin(usage)
    assert rated.amount.tolist() == [16, 19, 0, 22, 0, 2998]
    assert rated.reason.tolist() == [0, 0, 309, 0, 0, 0]


def test_fee_and_cap_are_those_of_the_version() -> None:
    rated = _world(connection_fee="0.5", cap="0.500000010").rate(
        [Use("line", "sale", AT, 1), Use("line", "sale", AT, 9)]
    )
    assert rated.amount.tolist() == [500_000_004, 500_000_010]


@pytest.mark.parametrize(
    ("name", "version", "message"),
    [
        ("wrong", "1.2", "wrong 1.2 gives .* billionths where its twin gives 5: .*size None"),
        ("narrow", "1.2", "narrow 1.2 returns int32 of the shape .* not int64"),
        ("half", "1.2", "half 1.2 has no functions `price` and `twin`"),
        ("good", "1.3", "good 1.3 is needed, and 1.2 is installed"),
        ("other", "1.2", "'other' is not installed .*good"),
    ],
)
def test_what_cannot_be_used_makes_no_image(name: str, version: str, message: str) -> None:
    with pytest.raises(UnableToCompileImage, match=f"price plug-in for sale: {message}"):
        _world(name, version)


def test_a_plugin_that_fails_refuses_and_prices_nothing() -> None:
    rated = _world("failing").rate([Use("line", "sale", AT, 5)])
    assert (rated.reason.tolist(), rated.amount.tolist()) == ([309], [0])


def test_a_plugin_has_no_price_beside_it() -> None:
    with pytest.raises(UnableToLoadCatalog, match="a plugin version has no price"):
        _world(price="1")
