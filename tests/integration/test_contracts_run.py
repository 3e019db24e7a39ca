"""A contract from the catalog to stored items: rated, explained, simulated, and rated again when it comes late."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from cli_calls import BOB, CATALOG, call, write_calls, write_catalog
from cli_octroi import balanced, octroi, query

SIGNED = """---
kind: contract
code: ana-2026
account: ana
start: "2026-10-05T12:00:00Z"
end: "2026-11-01T00:00:00Z"
items: [{charge: voice, percentage: "12.5"}]
"""
OCTOBER = ("--from", "2026-10-01", "--to", "2026-12-01")
CALLS = (
    call(1, 60, at="2026-10-05T11:59:59Z"), call(2, 60, at="2026-10-05T12:00:00Z"),
    call(3, 60, at="2026-11-01T00:00:00Z"), call(4, 60, BOB, at="2026-10-06T12:00:00Z"),
)  # fmt: skip


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    directory = tmp_path_factory.mktemp("contracts")
    data = write_catalog(directory / "data")
    calls = write_calls(directory / "calls.csv", *CALLS)
    octroi("ingest", calls, "--source", "calls", "--data", data).ok()
    return data, write_catalog(directory / "new", CATALOG + SIGNED) / "catalog"


def test_a_contract_that_comes_late_is_simulated_and_usage_rated_again_by_it(world: tuple[Path, Path]) -> None:
    data, new = world
    told = octroi("simulate", *OCTOBER, "--new", new, "--data", data, "--json").ok().json
    (charged,) = told["charges"]
    assert (Decimal(charged["before"]), Decimal(charged["after"])) == (Decimal("2.4"), Decimal("2.325"))
    difference = octroi("catalog", "diff", data / "catalog", new).out
    assert "contract ana-2026: added" in difference
    assert "charge voice, percentage 12.5" in difference
    write_catalog(data, CATALOG + SIGNED)
    octroi("rerate", *OCTOBER, "--reason", "the contract was signed late", "--data", data).ok()
    balanced(data)
    items = query(data, "SELECT id, record, amount, charge, price_plan, status FROM rated_item ORDER BY record, status")
    found = sorted((str(row["status"]), Decimal(row["amount"])) for row in items)
    rated = [("rated", Decimal(text)) for text in ("0.525", "0.6", "0.6", "0.6")]
    assert found == [*rated, ("reversal", Decimal("-0.6")), ("reversed", Decimal("0.6"))]
    (cheaper,) = (row for row in items if Decimal(row["amount"]) == Decimal("0.525"))
    assert (cheaper["charge"], cheaper["price_plan"]) == ("voice", "voice")
    lines = octroi("explain", cheaper["id"], "--data", data).ok().out.splitlines()
    assert "contract ana-2026: 12.5 % off the prices of voice (contract of ana)" in lines
    assert lines[-1] == "computed again in decimals: 0.525 EUR, as stored"


def test_virtual_rating_honours_a_contract(world: tuple[Path, Path], tmp_path: Path) -> None:
    usage = tmp_path / "usage.csv"
    usage.write_text(
        "timestamp,subscription,quantity,unit,event_type\n2026-10-06T12:00:00Z,ana,1,min,voice\n2026-10-06T12:00:00Z,bob,1,min,voice\n"
    )
    told = octroi("rate", "--catalog", world[1], "--usage", usage, "--out", "csv").ok()
    rows = [line.split(",") for line in told.out.splitlines()]
    place = {name: number for number, name in enumerate(rows[0])}
    assert [(row[place["unit_price"]], Decimal(row[place["amount"]])) for row in rows[1:3]] == [
        ("0.525", Decimal("0.525")),
        ("0.6", Decimal("0.6")),
    ]
