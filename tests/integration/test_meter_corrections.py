"""A file of meter data that corrects another one: what changed is charged, and nothing else."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

from cli_octroi import balanced, octroi, query

CATALOG = """
{kind: event_type, code: energy, unit: kWh}
---
kind: source
code: nem12
format: meter_data
records: intervals
on_same_key: reverse
mapping:
  identity: [point, channel, start]
  access_point: point
  time: {field: start}
  quantity: {field: net, unit: Wh}
  version: version
  event_type: {constant: energy}
  filters: [{field: net, present: true}]
---
{kind: price_plan, code: p, currency: AUD, versions: [{start: "2026-01-01T00:00:00Z", model: flat, per: 1 kWh, price: "0.30"}]}
---
{kind: charge, code: c, event_type: energy, price_plan: p}
---
{kind: offer, code: o, charges: [c]}
---
{kind: account, code: a, currency: AUD}
---
{kind: subscription, code: s, account: a, offer: o, access_points: [{id: N1}]}
"""


def _file(folder: Path, name: str, values: list[str], day: int, tail: str = "A,,") -> Path:
    path = folder / name
    ranges = "400,1,40,A,,\n400,41,48,N,,\n" if tail.startswith("V") else ""
    path.write_text(
        "100,NEM12,202601160102,A,B\n200,N1,E1,,E1,,M,kWh,30,\n"
        f"300,20260115,{','.join(values)},{tail},202601{day:02}000000,\n{ranges}900\n"
    )
    return path


def test_a_corrected_file_charges_the_difference_only(tmp_path: Path) -> None:
    data = tmp_path / "data"
    (data / "catalog").mkdir(parents=True)
    (data / "catalog" / "all.yaml").write_text(CATALOG)
    first = ["1"] * 48
    second = ["1"] * 10 + ["2", "0.5"] + ["1"] * 36
    steps = [
        (_file(tmp_path, "first.csv", first, 16), Decimal("14.4"), 48),
        (_file(tmp_path, "second.csv", second, 17), Decimal("14.55"), 2 * 2),  # two are taken back, two are new
        (_file(tmp_path, "late.csv", first, 16), Decimal("14.55"), 0),  # an older statement that comes late
        (
            _file(tmp_path, "none.csv", second, 18, "V,,"),
            Decimal("12.15"),
            8 * 2,
        ),  # the last eight have no value after all
        (_file(tmp_path, "again.csv", second, 19), Decimal("14.55"), 8 * 2),
    ]
    before = 0
    for path, owed, moved in steps:
        octroi("ingest", path, "--source", "nem12", "--data", data).ok()
        balanced(data)
        (row,) = query(data, "SELECT count() AS n, toString(sum(amount)) AS amount FROM rated_item")
        assert Decimal(row["amount"]) == owed, path.name
        assert row["n"] - before == moved, path.name
        before = row["n"]
