"""`octroi rate` with taxes and discounts: items and totals for programs, and what has no tax is open, not zero."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from cli_octroi import Told, octroi
from tax_world import PARTIES, SOLD, mapping

PLAN = "{kind: discount_plan, code: loyal, items: [{code: tenth, type: percentage, value: 10, charges: [calls]}]}"
HELD = PARTIES.replace("code: corp,", "code: corp, discounts: [{plan: loyal}],").replace(
    "code: office,", "code: office, discounts: [{plan: loyal}],"
)
USAGE = """timestamp,subscription,quantity,unit
2026-06-01T00:00:00Z,ana-1,3,s
2026-12-31T23:59:59Z,ana-1,2,s
2026-06-01T00:00:00Z,office-1,7,s
2026-03-01T00:00:00Z,embassy-1,5,s
"""
ROWS = mapping(
    'tax_category: consumer, tax: high, end: "2026-12-31T23:59:59Z"',
    'tax_category: consumer, tax: both, start: "2027-01-01T00:00:00Z"',
    "tax_category: business, tax: low",
)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A catalog in which an access point keeps ana from the second without a tax; usage by subscription reaches it."""
    directory = tmp_path_factory.mktemp("taxed")
    points = 'offer: mobile, access_points: [{id: "1", end: "2026-12-31T00:00:00Z"}]}'
    sold = HELD.replace("code: ana-1, account: ana, offer: mobile}", f"code: ana-1, account: ana, {points}")
    (directory / "c.yaml").write_text("\n---\n".join((SOLD, sold, ROWS, PLAN)))
    (directory / "usage.csv").write_text(USAGE)
    return directory


def _rate(world: Path, out: str) -> Told:
    return octroi("rate", "--catalog", world, "--usage", world / "usage.csv", "--out", out).ok()


def test_totals_are_told_to_programs(world: Path) -> None:
    told = _rate(world, "json")
    assert told.err == "octroi: 1 item without a tax (NO_TAX): nothing says which is due, so that totals are open\n"
    found: dict[str, Any] = json.loads(told.out)
    kept = [
        (each["account"], each["tax_status"], each["tax"], each["net"], each["tax_amount"])
        for each in found["totals"]["taxes"]
    ]
    assert kept == [
        ("ana", "taxed", "high", "3", "0.6"),
        ("ana", "NO_TAX", None, "2", None),
        ("embassy", "exempt", None, "5", "0"),
        ("office", "taxed", "low", "6.3", "0.35"),
    ]
    paid = {
        each["account"]: (each["amount"], each["discount"], each["net"], each["gross"])
        for each in found["totals"]["to_pay"]
    }
    assert paid == {
        "ana": ("5", "0", None, None),
        "embassy": ("5", "0", "5", "5"),
        "office": ("7", "-0.7", "6.3", "6.65"),
    }
    (off,) = found["totals"]["discounts"]
    assert (off["account"], off["discount_plan"], off["discount_item"], off["charge"], off["discount"]) == (
        "office",
        "loyal",
        "tenth",
        "calls",
        "-0.7",
    )


def test_every_line_has_the_columns_of_the_header(world: Path) -> None:
    lines = list(csv.DictReader(io.StringIO(_rate(world, "csv").out)))
    items = {line["account"] + line["tax_status"]: line for line in lines if line["status"] == "rated"}
    assert [items[key]["gross"] for key in ("anataxed", "anaNO_TAX", "embassyexempt", "officetaxed")] == [
        "3.6",
        "",
        "5",
        "7.385",
    ]
    assert all(None not in line and None not in line.values() for line in lines)
    assert [line["gross"] for line in lines if line["status"] == "total" and line["gross"]] == ["5", "6.65"]


def test_without_taxes_what_is_left_is_to_pay(world: Path, tmp_path: Path) -> None:
    untaxed = "---".join(part for part in SOLD.split("---") if "kind: tax, " not in part)
    (tmp_path / "c.yaml").write_text("\n---\n".join((untaxed, HELD, PLAN)))
    told = octroi("rate", "--catalog", tmp_path, "--usage", world / "usage.csv", "--no-detail").ok().out
    assert "account   amount   discount   to pay   currency" in told
    assert "office         7       -0.7      6.3   EUR" in told
