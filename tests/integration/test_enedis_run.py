"""Flows of Enedis through the real command, to money: what is annulled, rectified, late, doubtful, sent twice, in any order."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from itertools import permutations
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from cli_octroi import balanced, octroi, query
from enedis_world import HEAD, POINT, energy, r15, write_supplier

STANDS = """
SELECT toString(event_at) AS at, toString(quantity) AS quantity, toString(amount) AS amount
FROM rated_item WHERE status = 'rated' ORDER BY at, quantity
"""
SUMS = "SELECT toString(sum(quantity)) AS quantity, toString(sum(amount)) AS amount, count() AS items FROM rated_item"


def _take(data: Path, source: str, *files: tuple[str, str]) -> dict[str, Any]:
    paths = []
    for name, text in files:
        paths.append(data.parent / name)
        paths[-1].write_text(text)
    report: dict[str, Any] = octroi("ingest", *paths, "--source", source, "--data", data, "--json").ok().json
    balanced(data)
    return report["totals"]


def _stands(data: Path) -> list[tuple[str, Decimal, Decimal]]:
    return [(row["at"][:16], Decimal(row["quantity"]), Decimal(row["amount"])) for row in query(data, STANDS)]


def _sums(data: Path) -> tuple[Decimal, Decimal]:
    (row,) = query(data, SUMS)
    return Decimal(row["quantity"]), Decimal(row["amount"])


FIRST = r15(energy("1", 121, "2026-01-01", "2026-02-01", nature="ESTIME"), made="2026-02-02")
ANNULLED = r15(energy("1", 121, "2026-01-01", "2026-02-01", "ANNULE", "ESTIME"), made="2026-03-05")
RECTIFIED = r15(
    energy("2", 100, "2026-01-01", "2026-02-01", "RECTIFICATIF"),
    energy("3", -7, "2026-02-01", "2026-03-01", nature="REGULARISE"),
    made="2026-03-06",
)
SETTLED = [("2025-12-31 23:00", Decimal(0), Decimal(0)), ("2025-12-31 23:00", Decimal(100), Decimal(20)),
           ("2026-01-31 23:00", Decimal(-7), Decimal("-1.75"))]  # fmt: skip


@pytest.mark.parametrize("order", list(permutations(range(3)))[::2], ids=lambda order: "".join(map(str, order)))
def test_annulled_and_rectified_energy_ends_the_same_in_any_order(tmp_path: Path, order: tuple[int, ...]) -> None:
    """121 kWh estimated for January are annulled; 100 kWh are real, and 7 kWh too many of February are given back."""
    data = write_supplier(tmp_path / "data", ["enedis_r15"])
    files = [("first.xml", FIRST), ("annulled.xml", ANNULLED), ("rectified.xml", RECTIFIED)]
    for number in order:
        _take(data, "enedis_r15", files[number])
    assert _stands(data) == SETTLED
    assert _sums(data) == (Decimal(93), Decimal("18.25"))
    again = _take(data, "enedis_r15", *(("again.xml", text) for _, text in files[:1]))
    assert again["accepted"] == 0
    assert _stands(data) == SETTLED


def test_what_is_annulled_sums_to_nothing_and_says_what_it_takes_back(tmp_path: Path) -> None:
    data = write_supplier(tmp_path / "data", ["enedis_r15"])
    _take(data, "enedis_r15", ("first.xml", FIRST))
    ((at, quantity, amount),) = _stands(data)
    assert (at, quantity, amount) == ("2025-12-31 23:00", Decimal(121), Decimal("24.2"))
    _take(data, "enedis_r15", ("annulled.xml", ANNULLED))
    assert _sums(data) == (Decimal(0), Decimal(0))
    (reversed_item,) = query(data, "SELECT * FROM reversed_item")
    (original,) = query(data, "SELECT id FROM rated_item WHERE quantity > 0")
    assert original["id"] in [str(value) for value in reversed_item.values()]
    # what was never billed here, because it came before octroi did, is not given back either
    other = write_supplier(tmp_path / "other", ["enedis_r15"])
    _take(other, "enedis_r15", ("alone.xml", ANNULLED))
    assert _sums(other) == (Decimal(0), Decimal(0))


def test_another_value_without_a_status_corrects_the_first_even_when_it_is_billed(tmp_path: Path) -> None:
    data = write_supplier(tmp_path / "data", ["enedis_r15"])
    _take(data, "enedis_r15", ("first.xml", FIRST))
    (item,) = query(data, "SELECT id FROM rated_item")
    (tmp_path / "billed.csv").write_text(f"item,invoice\n{item['id']},INV-1\n")
    octroi("bill", tmp_path / "billed.csv", "--data", data).ok()
    later = FIRST.replace("<Valeur>121<", "<Valeur>90<").replace("2026-02-02", "2026-02-09")
    earlier = FIRST.replace("<Valeur>121<", "<Valeur>7<").replace("2026-02-02", "2026-01-31")
    _take(data, "enedis_r15", ("later.xml", later))
    assert _take(data, "enedis_r15", ("earlier.xml", earlier))["superseded"] == 1
    assert _stands(data) == [("2025-12-31 23:00", Decimal(90), Decimal(18))]
    assert _sums(data) == (Decimal(90), Decimal(18))
    statuses = query(data, "SELECT status, toString(amount) AS amount FROM rated_item ORDER BY amount")
    assert [(row["status"], Decimal(row["amount"])) for row in statuses] == [
        ("refund", Decimal("-24.2")), ("rated", Decimal(18)), ("billed", Decimal("24.2")),
    ]  # fmt: skip


def _curve(day: str, *steps: tuple[str, str, str], made: str) -> str:
    points = "".join(
        f"<PDC><H>{at}</H>{f'<V>{power}</V>' if power else ''}<IV>{doubt}</IV></PDC>" for at, power, doubt in steps
    )
    releve = f"<Donnees_Releve><Date_Releve>{day}</Date_Releve>{points}</Donnees_Releve>"
    return f"<R50>{HEAD.format(made=made)}<PRM><Id_PRM>{POINT}</Id_PRM>{releve}</PRM></R50>"


def test_a_curve_is_completed_and_corrected_and_nothing_erases_a_value(tmp_path: Path) -> None:
    data = write_supplier(tmp_path / "data", ["enedis_r50"])
    at = [f"2026-01-31T{hour}:00+01:00" for hour in ("22:30", "23:00", "23:30")] + ["2026-02-01T00:00:00+01:00"]
    first = _curve(
        "2026-01-31", (at[0], "", "0"), (at[1], "2000", "0"), (at[2], "9", "1"), (at[3], "1001", "0"), made="2026-02-01"
    )
    totals = _take(data, "enedis_r50", ("first.xml", first))
    assert (totals["accepted"], totals["filtered"], totals["parked"]) == (2, 1, 1)
    # the stamp is the end: the last step of January is priced as January is
    assert _stands(data) == [
        ("2026-01-31 21:30", Decimal(1), Decimal("0.2")),
        ("2026-01-31 22:30", Decimal("0.5005"), Decimal("0.1")),
    ]
    late = _curve(
        "2026-01-31",
        (at[0], "3000", "0"),
        (at[1], "", "0"),
        (at[2], "10", "0"),
        (at[3], "2001", "0"),
        made="2026-02-05",
    )
    _take(data, "enedis_r50", ("late.xml", late))
    assert [quantity for _, quantity, _ in _stands(data)] == [
        Decimal("1.5"),
        Decimal(1),
        Decimal("0.005"),
        Decimal("1.0005"),
    ]
    (row,) = query(data, "SELECT reason, detail FROM rejection WHERE reason = 'DOUBTFUL_READING'")
    assert row["detail"] == "line 1: IV is 1"


@pytest.mark.parametrize(
    ("day", "offsets", "steps"), [("2026-03-29", ("+01:00", "+02:00"), 46), ("2026-10-25", ("+02:00", "+01:00"), 50)]
)
def test_days_on_which_the_clock_changes_have_all_their_steps(
    day: str, offsets: tuple[str, str], steps: int, tmp_path: Path
) -> None:
    """An hour that comes twice is two, whatever the clock says; the one that is missing is none."""
    paris = ZoneInfo("Europe/Paris")
    begin = datetime.fromisoformat(f"{day}T00:00:00{offsets[0]}")
    end = (datetime.fromisoformat(f"{day}T00:00:00") + timedelta(days=1)).replace(tzinfo=paris)
    stamps, at = [], begin
    while at < end:
        at = at + timedelta(minutes=30)
        stamps.append(at.astimezone(paris).isoformat())
    assert len(stamps) == steps
    data = write_supplier(tmp_path / "data", ["enedis_r50"])
    totals = _take(
        data, "enedis_r50", ("day.xml", _curve(day, *((stamp, "200", "0") for stamp in stamps), made="2026-11-01"))
    )
    assert totals["accepted"] == steps
    assert sum(quantity for _, quantity, _ in _stands(data)) == Decimal(steps) / 10


def test_lines_of_an_invoice_are_passed_on_to_the_cent(samples: Path, tmp_path: Path) -> None:
    data = write_supplier(tmp_path / "data", ["enedis_f15"])
    text = (samples / "energy/fr_enedis_samples/electricore/f15.xml").read_text().replace("99510061232830", POINT)
    annulled = (
        text.replace("17381405504114786", "2")
        .replace("EVNT", "ANNUL")
        .replace("-48.00", "48.00")
        .replace("-24.0<", "24.0<")
    )
    _take(data, "enedis_f15", ("f15.xml", text))
    assert _stands(data) == [("2025-01-16 23:00", Decimal(-48), Decimal(-48))]
    _take(data, "enedis_f15", ("f15.xml", text), ("annulled.xml", annulled))
    assert _sums(data) == (Decimal(0), Decimal(0))
