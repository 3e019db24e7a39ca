"""Demand whose windows lie over several files: the same whatever the split and the order, corrected, backed out, and rated again."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from cli_octroi import balanced, octroi, query

from billing.catalog.models import UnableToLoadCatalog
from billing.catalog.store import load_catalog

CATALOG = """
{kind: event_type, code: energy, unit: kWh}
---
{kind: unit, code: W, decimals: 3}
---
{kind: event_type, code: demand, unit: W}
---
kind: source
code: nem12
format: meter_data
records: intervals
demand_to: demand
on_same_key: reverse
mapping:
  identity: [point, channel, start]
  access_point: point
  time: {field: start}
  quantity: {field: net, unit: Wh}
  version: version
  event_type: {constant: energy}
  filters: [{field: measure, keep: [EA]}]
---
kind: source
code: demand
format: meter_data
records: intervals
demand_minutes: 60
zone: Australia/Brisbane
on_same_key: reverse
mapping:
  identity: [point, channel, start]
  access_point: point
  time: {field: start}
  quantity: {field: demand, unit: W}
  version: version
  event_type: {constant: demand}
  filters:
    - {field: demand, present: true}
    - {field: channel, keep: ["1-1:1.29.0"]}
    - {field: hour, keep: ["23", "00", "01", "15"]}
---
{kind: counter, code: largest, unit: W, period: month, zone: Australia/Brisbane, function: max}
---
{kind: price_plan, code: e, currency: AUD, versions: [{start: "2026-01-01T00:00:00Z", model: flat, per: 1 kWh, price: "0.30"}]}
---
kind: price_plan
code: d
currency: AUD
versions: [{start: "2026-01-01T00:00:00Z", model: flat, per: 1000 W, price: "10", counter: largest}]
---
{kind: charge, code: e, event_type: energy, price_plan: e}
---
{kind: charge, code: d, event_type: demand, price_plan: d}
---
{kind: offer, code: o, charges: [e, d]}
---
{kind: account, code: a, currency: AUD}
"""
QUIET = ["0.25"] * 48
OWED = "SELECT access_point AS p, charge, toString(sum(amount)) AS amount FROM rated_item GROUP BY p, charge ORDER BY p, charge"


def _day(day: int, values: list[str], made: int, doubt: bool = False) -> str:
    quality = "V" if doubt else "A"
    ranges = "400,1,48,F52,89,\n" if doubt else ""
    return f"300,202602{day:02},{','.join(values)},{quality},,,202603{made:02}000000,\n{ranges}"


def _file(point: str, *days: str) -> str:
    return f"100,NEM12,202603010102,A,B\n200,{point},E1,,E1,,M,kWh,30,\n{''.join(days)}900\n"


FIRST = _day(10, [*QUIET[:47], "1.5"], 1)
"""3 kW in the last half hour."""
SECOND = _day(11, ["2", *QUIET[1:]], 1)
"""4 kW in the first: 3.5 kW over midnight."""
THIRD = _day(12, [*QUIET[:31], "0.75", "1", *QUIET[33:]], 1)
"""1.75 kW at 15:00 to 16:30 of which the window that ends at 16:00 is 1 kW, that at 16:30 begins its last interval at 16."""
SPLITS = {
    "whole": [[FIRST, SECOND, THIRD]],
    "days": [[FIRST], [SECOND], [THIRD]],
    "backwards": [[THIRD], [SECOND], [FIRST]],
    "middle_last": [[FIRST, THIRD], [SECOND]],
    "corrected": [[FIRST, SECOND, THIRD]],
    "sent_again": [[FIRST, SECOND], [SECOND, THIRD], [FIRST]],
}


def _supplier(data: Path) -> Path:
    """Return a directory whose points got the same days in several ways, some of them before demand was stated."""
    (data / "catalog").mkdir(parents=True)
    sold = [
        f"{{kind: subscription, code: {name}, account: a, offer: o, access_points: [{{id: {name}}}]}}"
        for name in SPLITS
    ]
    (data / "catalog" / "all.yaml").write_text("\n---\n".join([CATALOG, *sold]))
    folder = data / "spool" / "nem12"
    folder.mkdir(parents=True)
    for later in (False, True):
        for name, files in SPLITS.items():
            for number, days in enumerate(files):
                if (number > 0) == later:
                    (folder / f"{name}-{number}").write_text(_file(name, *days))
        octroi("run", data).ok()
        octroi("energy", "create", "--data", data).ok()
    balanced(data)
    return data


def _owed(data: Path) -> dict[str, dict[str, Decimal]]:
    found: dict[str, dict[str, Decimal]] = {}
    for row in query(data, OWED):
        found.setdefault(row["p"], {})[row["charge"]] = Decimal(row["amount"])
    return found


def _rate_again(data: Path) -> None:
    period = ("--from", "2026-02-01", "--to", "2026-03-01", "--subscription", "corrected", "--reason", "a correction")
    octroi("rerate", *period, "--data", data).ok()


def test_demand_is_the_same_whatever_the_split_and_follows_corrections(tmp_path: Path) -> None:
    supplier = _supplier(tmp_path / "data")
    # by hand: 1.5 kWh and 2 kWh are 3.5 kW over the hour around midnight; 3 days of 48 quarters of a kWh, and what is above
    energy = Decimal("0.30") * (3 * 12 + Decimal("1.25") + Decimal("1.75") + Decimal("0.5") + Decimal("0.75"))
    owed = {"d": Decimal(35), "e": energy}
    assert {point: found == owed for point, found in _owed(supplier).items()} == dict.fromkeys(SPLITS, True)
    assert octroi("energy", "create", "--data", supplier).ok().out == "no operations\n"
    assert "demand, over all files" in octroi("sources", "show", "nem12", "--data", supplier).ok().out
    windows = "SELECT access_point AS p, toString(event_at) AS at, quantity AS q FROM rated_item WHERE charge = 'd' ORDER BY p, at"
    by_point: dict[str, list[tuple[str, str]]] = {}
    for row in query(supplier, windows):
        by_point.setdefault(row["p"], []).append((row["at"], str(row["q"])))
    assert all(found == by_point["whole"] for found in by_point.values())
    # a correction, and then the file that brought it is backed out
    folder = supplier / "spool" / "nem12"
    (folder / "c2").write_text(_file("corrected", _day(11, QUIET, 5)))
    told = octroi("energy", "create", "--data", supplier).ok()
    assert told.out == "2 windows of demand stated\n"  # those that end at 00:30 and 01:00
    assert "2 of them again" in told.err
    _rate_again(supplier)
    assert _owed(supplier)["corrected"]["d"] == Decimal("17.5")  # 1.5 and 0.25 kWh around midnight
    claim = query(supplier, "SELECT max(claim) AS claim FROM record_sheet WHERE file = 'c2'")[0]["claim"]
    octroi("files", "back-out", claim, "--reason", "of another point", "--data", supplier).ok()
    octroi("energy", "create", "--data", supplier).ok()
    _rate_again(supplier)
    assert _owed(supplier)["corrected"]["d"] == Decimal(35)
    balanced(supplier)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("demand_to: demand", "demand_to: other", '"other" is no source of demand'),
        ("demand_to: demand", "demand_to: nem12", '"nem12" is no source of demand'),
        ("on_same_key: reverse\nmapping:\n  identity: [point, channel, start]\n  access_point: point\n  time: {field: start}\n  quantity: {field: demand",
         "mapping:\n  identity: [point, channel, start]\n  access_point: point\n  time: {field: start}\n  quantity: {field: demand",
         '"demand" cannot state a demand again'),
    ],
)  # fmt: skip
def test_a_source_of_demand_has_to_take_the_place_of_what_it_stated(
    old: str, new: str, told: str, tmp_path: Path
) -> None:
    assert old in CATALOG
    (tmp_path / "all.yaml").write_text(CATALOG.replace(old, new))
    with pytest.raises(UnableToLoadCatalog, match=told):
        load_catalog(tmp_path)


def test_intervals_that_were_discarded_make_no_demand(tmp_path: Path) -> None:
    data = tmp_path / "data"
    (data / "catalog").mkdir(parents=True)
    catalog = CATALOG.replace("event_type: {constant: energy}", "event_type: {field: nature, values: {R: energy}}", 1)
    sold = "{kind: subscription, code: gone, account: a, offer: o, access_points: [{id: gone}]}"
    (data / "catalog" / "all.yaml").write_text("\n---\n".join([catalog, sold]))
    folder = data / "spool" / "nem12"
    folder.mkdir(parents=True)
    estimated = _day(13, [*QUIET[:29], "50", "50", "50", *QUIET[32:]], 1).replace(",A,,,", ",E52,,,")
    (folder / "gone").write_text(_file("gone", _day(12, QUIET, 1), estimated))
    octroi("run", data)  # nobody sells estimated energy: 48 intervals are refused
    octroi("rejects", "discard", "--source", "nem12", "--reason", "of another meter", "--data", data).ok()
    octroi("energy", "create", "--data", data).ok()
    found = {row["charge"]: Decimal(row["amount"]) for row in query(data, OWED)}
    assert found == {"d": Decimal(5), "e": Decimal("3.6")}
