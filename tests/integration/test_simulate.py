"""Stored usage under another catalog: what would change for whom, exactly, and without a trace."""

from __future__ import annotations

import hashlib
import shutil
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from cli_calls import BOB, CATALOG, STRANGER, call, write_calls, write_catalog
from cli_octroi import octroi, query

import apps.embedded.simulate as simulation

COUNTED = (
    CATALOG.replace("code: mobile, charges", "code: small, charges").replace(
        "account: ana, offer: mobile", "account: ana, offer: small"
    )
    + """---
{kind: offer, code: mobile, charges: [data]}
---
{kind: counter, code: month, unit: min, period: month, zone: Europe/Paris}
---
kind: price_plan
code: data
currency: EUR
versions:
  - {start: "2026-01-01T00:00:00Z", model: graduated, per: "1 min", counter: month, tiers: [{up_to: "10 min", price: "0"}, {price: "1"}]}
---
{kind: charge, code: data, event_type: voice, price_plan: data}
"""
)
"""Ana pays by the second; Bob has ten minutes a month free."""
NEW = COUNTED.replace('price: "0.60"', 'price: "0.30"').replace('up_to: "10 min"', 'up_to: "5 min"')
OCTOBER = ("--from", "2026-10-01", "--to", "2026-11-01")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    directory = tmp_path_factory.mktemp("simulated")
    data = write_catalog(directory / "data", COUNTED)
    lines = (
        call(1, 60, at="2026-10-05T12:00:00Z"), call(2, 120, at="2026-10-06T12:00:00Z"),
        call(3, 60, at="2026-11-05T12:00:00Z"),
        call(4, 300, BOB, at="2026-10-20T12:00:00Z"), call(5, 360, BOB, at="2026-10-02T12:00:00Z"),
        call(6, 60, at="2025-10-05T12:00:00Z"), call(7, 60, STRANGER),
    )  # fmt: skip
    octroi("ingest", write_calls(directory / "calls.csv", *lines), "--source", "calls", "--data", data).ok()
    return data, write_catalog(directory / "new", NEW) / "catalog"


def _simulate(world: tuple[Path, Path], *options: object, period: tuple[str, ...] = OCTOBER) -> dict[str, Any]:
    data, new = world
    chosen = options if "--new" in options else ("--new", new, *options)
    result: dict[str, Any] = octroi("simulate", *period, *chosen, "--data", data, "--json").ok().json
    return result


def _difference(line: dict[str, Any]) -> tuple[Decimal, Decimal, Decimal]:
    before, after, difference = (Decimal(line[name]) for name in ("before", "after", "difference"))
    return before, after, difference


def test_what_would_change_for_whom(world: tuple[Path, Path]) -> None:
    told = _simulate(world)
    assert told["edrs"] == 4
    (total,) = told["totals"]
    assert _difference(total) == (Decimal("2.8"), Decimal("6.9"), Decimal("4.1"))
    assert {line["charge"]: _difference(line) for line in told["charges"]} == {
        "voice": (Decimal("1.8"), Decimal("0.9"), Decimal("-0.9")), "data": (Decimal(1), Decimal(6), Decimal(5)),
    }  # fmt: skip
    assert {line["offer"]: _difference(line)[2] for line in told["offers"]} == {
        "small": Decimal("-0.9"),
        "mobile": Decimal(5),
    }
    assert [line["account"] for line in told["winners"]] == ["ana"]
    assert [line["account"] for line in told["losers"]] == ["bob"]
    assert (told["accounts_cheaper"], told["accounts_dearer"]) == (1, 1)
    assert [(line["account"], *_difference(line)[:2]) for line in told["largest"]] == [
        ("bob", Decimal(1), Decimal(6)), ("ana", Decimal("1.8"), Decimal("0.9")),
    ]  # fmt: skip
    assert (told["unrated_before"], told["unrated_after"]) == ({}, {})


def test_the_same_catalog_changes_nothing_and_is_what_was_charged(world: tuple[Path, Path]) -> None:
    data, _ = world
    told = _simulate(world, "--new", "current", period=("--from", "2025-01-01", "--to", "2027-01-01"))
    assert told["old"] == told["new"]
    for line in (*told["totals"], *told["charges"], *told["offers"]):
        assert _difference(line)[2] == 0
    assert (told["winners"], told["losers"]) == ([], [])
    assert told["unrated_before"] == told["unrated_after"] == {"NO_PRICE_VERSION": 1}
    (charged,) = query(data, "SELECT toString(sum(amount)) AS amount, count() AS items FROM rated_item")
    assert (told["totals"][0]["items_before"], Decimal(told["totals"][0]["before"])) == (5, Decimal(charged["amount"]))


def test_nothing_is_kept(world: tuple[Path, Path], tmp_path: Path) -> None:
    data, _ = world

    def left() -> dict[str, str]:
        files = [path for path in data.rglob("*") if path.is_file() and "store" not in path.relative_to(data).parts]
        return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}

    before, rows = left(), query(data, "SELECT count() AS n FROM fact_usage")
    files = {name: tmp_path / f"{name}.csv" for name in ("charges", "offers")}
    options = [word for name, file in files.items() for word in (f"--{name}-csv", file)]
    _simulate(world, "--csv", tmp_path / "accounts.csv", *options)
    assert files["charges"].read_text().splitlines() == [
        "charge,items_before,items_after,before,after,difference,currency",
        "data,2,2,1.000000000,6.000000000,5.000000000,EUR", "voice,2,2,1.800000000,0.900000000,-0.900000000,EUR",
    ]  # fmt: skip
    assert files["offers"].read_text().splitlines()[1:] == [
        "mobile,2,2,1.000000000,6.000000000,5.000000000,EUR", "small,2,2,1.800000000,0.900000000,-0.900000000,EUR",
    ]  # fmt: skip
    assert (left(), query(data, "SELECT count() AS n FROM fact_usage")) == (before, rows)
    assert (tmp_path / "accounts.csv").read_text().splitlines() == [
        "account,items_before,items_after,unrated_before,unrated_after,before,after,difference,currency",
        "ana,2,2,0,0,1.800000000,0.900000000,-0.900000000,EUR",
        "bob,2,2,0,0,1.000000000,6.000000000,5.000000000,EUR",
    ]


def test_a_catalog_that_was_in_force_is_named_by_its_hash(world: tuple[Path, Path], tmp_path: Path) -> None:
    data, new = world
    data = shutil.copytree(data, tmp_path / "data", symlinks=True)
    (before,) = octroi("catalog", "list", "--data", data, "--json").ok().json
    shutil.copytree(new, data / "catalog", dirs_exist_ok=True)
    octroi("run", data).ok()
    told = _simulate((data, new), "--old", before["image"][:10], "--new", "current")
    assert told["old"] == before["image"] != told["new"]
    assert told == _simulate(world)  # which compared the same two


def test_counters_count_from_where_their_period_begins(world: tuple[Path, Path]) -> None:
    late = ("--from", "2026-10-15", "--to", "2026-11-01")
    told = _simulate(world, period=late)
    # Bob used six minutes before: they count, and cost nothing here
    assert told["edrs"] == 1
    assert _difference(told["totals"][0]) == (Decimal(1), Decimal(5), Decimal(4))


def test_a_month_begins_where_it_does_in_the_zone_of_its_counter(tmp_path: Path) -> None:
    west = COUNTED.replace("period: month, zone: Europe/Paris", "period: month, zone: America/New_York")
    data = write_catalog(tmp_path / "data", west)
    lines = (call(1, 600, BOB, at="2026-09-02T12:00:00Z"), call(2, 60, BOB, at="2026-10-01T02:00:00Z"))
    octroi("ingest", write_calls(tmp_path / "calls.csv", *lines), "--source", "calls", "--data", data).ok()
    # it is still September over there, and its ten minutes are used up
    told = _simulate((data, data / "catalog"))
    assert _difference(told["totals"][0]) == (Decimal(1), Decimal(1), Decimal(0))


def test_windows_change_nothing(world: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    whole = _simulate(world)
    monkeypatch.setattr(simulation, "WINDOW_ROWS", 1)
    assert _simulate(world) == whole


def test_selections(world: tuple[Path, Path]) -> None:
    everything = _difference(_simulate(world)["totals"][0])
    parts = [
        _difference(_simulate(world, *options)["totals"][0])
        for options in (("--account", "ana"), ("--subscription", "bob"), ("--charge", "voice"), ("--price-plan", "data"),
                        ("--offer", "small"), ("--offer", "mobile"))
    ]  # fmt: skip
    for first in range(0, len(parts), 2):
        assert tuple(sum(values) for values in zip(parts[first], parts[first + 1], strict=True)) == everything
    assert _simulate(world, "--source", "calls")["edrs"] == 4
    data, new = world
    wrong = octroi("simulate", *OCTOBER, "--new", new, "--account", "nobody", "--data", data)
    assert (wrong.code, "there is no account nobody" in wrong.err) == (2, True)
    unknown = octroi("simulate", *OCTOBER, "--new", "nothing", "--data", data)
    assert (unknown.code, "neither a kept image" in unknown.err) == (2, True)


def test_a_plan_that_only_a_contract_has_selects_what_it_prices(world: tuple[Path, Path], tmp_path: Path) -> None:
    data, _ = world
    text = (
        NEW
        + """---
kind: price_plan
code: agreed@2027
currency: EUR
versions: [{start: "2026-01-01T00:00:00Z", model: flat, per: "1 min", price: "0.06"}]
---
{kind: contract, code: staff, account: ana, start: "2026-10-06T00:00:00Z", items: [{charge: voice, price_plan: agreed@2027}]}
"""
    )
    new = write_catalog(tmp_path / "contract", text) / "catalog"
    told = _simulate((data, new), "--price-plan", "agreed@2027")
    # the call of the 5th was before the contract
    assert (told["edrs"], _difference(told["totals"][0])) == (1, (Decimal("1.2"), Decimal("0.12"), Decimal("-1.08")))


def test_people_see_tables_and_the_difference_of_the_catalogs(world: tuple[Path, Path]) -> None:
    data, new = world
    text = octroi("simulate", *OCTOBER, "--new", new, "--data", data).ok().out
    for words in (
        "Simulation of 4 EDRs",
        "By charge",
        "1 account cheaper",
        "1 account dearer",
        "before: 0 EDRs unrated",
    ):
        assert words in text
    lines = octroi("catalog", "diff", "current", new, "--data", data).ok().out.splitlines()
    assert lines == [
        "price plan data: changed",
        "  from 2026-01-01T00:00:00Z: tiers 1 up_to: 10 min → 5 min",
        "price plan voice: changed",
        "  from 2026-01-01T00:00:00Z: price: 0.60 → 0.30",
    ]
    (kept,) = octroi("catalog", "list", "--data", data, "--json").ok().json
    assert (kept["entry"], kept["status"], kept["kept"]) == (1, "current", True)
    assert octroi("catalog", "diff", kept["image"][:8], "current", "--data", data).ok().out == "nothing differs\n"
    assert octroi("catalog", "diff", "current", "nothing", "--data", data).code == 2
    assert "image" in octroi("catalog", "list", "--data", data).ok().out
    assert (
        octroi("catalog", "diff", "current", new, "--data", data, "--json").ok().json["documents"][0]["code"] == "data"
    )


def test_a_draft_is_simulated_as_if_it_were_published(world: tuple[Path, Path], tmp_path: Path) -> None:
    version = '{start: "2026-01-01T00:00:00Z", model: flat, per: "1 min", price: "0.60"'
    assert COUNTED.count(version) == 1
    draft = version.replace("model", "state: draft, model").replace("2026-01-01", "2026-10-06").replace("0.60", "0.30")
    text = COUNTED.replace(version, f"{draft}}}\n  - {version}")
    other = write_catalog(tmp_path, text) / "catalog"
    assert _difference(_simulate(world, "--new", other)["totals"][0])[2] == 0
    (total,) = _simulate(world, "--new", other, "--drafts")["totals"]
    assert _difference(total)[2] == Decimal("-0.6")  # two minutes on the 6th
    usage = tmp_path / "usage.csv"
    usage.write_text("timestamp,access_point,quantity\n2026-10-06T12:00:00Z,33600000001,120\n")
    for options, amount in (((), "1.2"), (("--drafts",), "0.6")):
        rated = octroi("rate", "-c", other, "-u", usage, "-o", "json", *options).ok().json
        assert Decimal(rated["items"][0]["amount"]) == Decimal(amount)
