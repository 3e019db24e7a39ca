"""Steps that come again in another length: the customer pays once, whatever the order and split of files, taken back or read again."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from cli_octroi import balanced, octroi, query

SOURCE = """
kind: source
code: {code}
format: meter_data
records: intervals
on_same_key: reverse
{more}
mapping:
  identity: [point, start]
  access_point: point
  time: {{field: start}}
  quantity: {{field: net, unit: Wh}}
  version: version
  event_type: {{constant: energy}}
  filters: [{{field: net, present: true}}]
"""
SOLD = """
{kind: event_type, code: energy, unit: kWh}
---
{kind: price_plan, code: p, currency: AUD, versions: [{start: "2026-01-01T00:00:00Z", model: flat, per: 1 kWh, price: "0.30"}]}
---
{kind: charge, code: c, event_type: energy, price_plan: p}
---
{kind: offer, code: o, charges: [c]}
---
{kind: account, code: a, currency: AUD}
"""
OWED = "SELECT access_point AS p, toString(sum(amount)) AS amount FROM rated_item GROUP BY p"
STANDING = "SELECT access_point AS p, count() AS n FROM rated_item WHERE status = 'rated' GROUP BY p"


def _file(point: str, made: int, minutes: int, kwh: str, days: tuple[int, ...] = (15,)) -> str:
    """Return days of which each step has so many kWh, as they were stated on a day of February."""
    values = ",".join([kwh] * (1440 // minutes))
    told = "".join(f"300,202601{day},{values},A,,,202602{made:02}000000,\n" for day in days)
    return f"100,NEM12,202601160102,A,B\n200,{point},E1,,E1,,M,kWh,{minutes},\n{told}900\n"


HALVES, FIVES, HALVES_AGAIN, QUARTERS = (1, 30, "1"), (2, 5, "0.1"), (3, 30, "0.5"), (4, 15, "0.2")
"""48, 28.8, 24 and 19.2 kWh."""
SCENARIOS: dict[str, tuple[list[tuple[int, int, str]], str]] = {
    "halves": ([HALVES], "14.4"),
    "shorter": ([HALVES, FIVES], "8.64"),
    "late": ([FIVES, HALVES], "8.64"),
    "longer": ([FIVES, HALVES_AGAIN], "7.2"),
    "again": ([HALVES, FIVES, HALVES_AGAIN], "7.2"),
    "any": ([HALVES_AGAIN, HALVES, FIVES], "7.2"),
    "four": ([FIVES, QUARTERS, HALVES, HALVES_AGAIN], "5.76"),
    "twice": ([HALVES, FIVES, FIVES], "8.64"),
}
"""Point -> (files in the order in which they come, what is owed: 0.30 a kWh of the newest)."""


def _catalog(data: Path, *sources: str) -> None:
    (data / "catalog").mkdir(parents=True, exist_ok=True)
    sold = [
        f"{{kind: subscription, code: {name}, account: a, offer: o, access_points: [{{id: {name}}}]}}"
        for name in SCENARIOS
    ]
    (data / "catalog" / "all.yaml").write_text("\n---\n".join([*sources, SOLD, *sold]))


def _owed(data: Path) -> dict[str, Decimal]:
    return {row["p"]: Decimal(row["amount"]) for row in query(data, OWED)}


def _claim(data: Path, file: str) -> int:
    return int(query(data, f"SELECT max(claim) AS claim FROM record_sheet WHERE file = '{file}'")[0]["claim"])


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a directory whose points got the same day in steps of several lengths, a file of each after the other."""
    data = tmp_path_factory.mktemp("lengths") / "data"
    _catalog(data, SOURCE.format(code="nem12", more="cut_minutes: 5"))
    folder = data / "spool" / "nem12"
    folder.mkdir(parents=True)
    for turn in range(max(len(files) for files, _ in SCENARIOS.values())):
        for name, (files, _) in SCENARIOS.items():
            if turn < len(files):
                (folder / f"{name}-{turn}").write_text(_file(name, *files[turn]))
        octroi("run", data).ok()
    return data


def test_whatever_order_steps_of_several_lengths_come_in_the_newest_is_owed_once(before: Path) -> None:
    assert _owed(before) == {name: Decimal(owed) for name, (_, owed) in SCENARIOS.items()}
    standing = {row["p"]: row["n"] for row in query(before, STANDING)}
    assert standing == dict.fromkeys(SCENARIOS, 288)  # of each 5 minutes one
    assert "grains of 5 minutes" in octroi("sources", "show", "nem12", "--data", before).ok().out
    balanced(before)


def test_a_correction_that_is_backed_out_and_comes_again_is_as_if_it_had_come_once(before: Path) -> None:
    owed = _owed(before)
    claim = _claim(before, "again-2")
    octroi("files", "back-out", claim, "--reason", "of another point", "--data", before).ok()
    assert _owed(before)["again"] in (Decimal(0), Decimal("8.64"))  # never two of them
    for name, made in (("back", HALVES_AGAIN), ("old", HALVES)):
        (before / "spool" / "nem12" / name).write_text(_file("again", *made))
        octroi("run", before).ok()
    assert _owed(before) == owed
    balanced(before)


def test_what_came_before_grains_is_taken_back_by_a_source_that_has_them(tmp_path: Path) -> None:
    data = tmp_path / "data"
    old = SOURCE.format(code="nem12", more="")
    _catalog(data, old)
    folder = data / "spool" / "nem12"
    folder.mkdir(parents=True)
    for name in ("shorter", "longer"):
        (folder / name).write_text(_file(name, *SCENARIOS[name][0][0]))
    octroi("run", data).ok()
    assert _owed(data) == {"shorter": Decimal("14.4"), "longer": Decimal("8.64")}
    _catalog(data, SOURCE.format(code="nem12", more="cut_minutes: 5"))
    refused = octroi("run", data)
    assert refused.code == 3
    assert "`identity_space: nem12`" in refused.err
    _catalog(data, old, SOURCE.format(code="nem12-cut", more="cut_minutes: 5\nidentity_space: nem12"))
    folder = data / "spool" / "nem12-cut"
    folder.mkdir(parents=True)
    for turn, owed in ((0, _owed(data)), (1, {name: Decimal(SCENARIOS[name][1]) for name in ("shorter", "longer")})):
        for name in ("shorter", "longer"):
            (folder / name).write_text(_file(name, *SCENARIOS[name][0][turn]))
        octroi("run", data).ok()
        assert _owed(data) == owed  # the same files once more change nothing; then a correction
    balanced(data)
