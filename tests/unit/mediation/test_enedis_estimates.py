"""Estimates of what a load curve lacks: they add up to the index, follow the clock, and give way to whatever is measured."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.embedded.estimating import UnableToEstimate, estimate
from pipelines.mediation.enedis.estimates import fill
from pipelines.mediation.enedis.words import PARIS, UNDATED, written
from schemas.energy import Interval

POINT = "09111642617347"
HALF_HOUR = timedelta(minutes=30)


def midnight(day: str) -> datetime:
    """Return when a day begins in Paris."""
    return datetime.fromisoformat(day).replace(tzinfo=PARIS).astimezone(UTC)


def curve(day: str, hours: int, lacking: set[int], seed: int = 1, doubtful: int = -1) -> list[dict[str, str]]:
    """Return the half hours of a day, of which some have no value."""
    chance = random.Random(seed)
    rows = []
    for step in range(2 * hours):
        at, value = midnight(day) + HALF_HOUR * step, str(chance.randrange(1000))
        rows.append(
            {"point": POINT, "direction": "consumption", "measure": "EA", "step_s": "1800", "start": written(at),
             "value": "" if step in lacking else value, "doubt": "IV is 1" if step == doubtful else ""}
        )  # fmt: skip
    return rows


def index(day: str, value: object, time_class: str = "BASE") -> dict[str, str]:
    """Return an index at the beginning of a day."""
    return {"point": POINT, "direction": "consumption", "measure": "EA", "grid": "supplier", "calendar": "FC",
            "time_class": time_class, "at": written(midnight(day)), "value": str(value)}  # fmt: skip


DAYS = [("2026-03-29", "2026-03-30", 23), ("2026-10-25", "2026-10-26", 25), ("2026-07-01", "2026-07-02", 24)]


@given(
    day=st.sampled_from(DAYS),
    lacking=st.sets(st.integers(0, 45), min_size=1),
    more=st.integers(0, 5000),
    cut=st.booleans(),
)
def test_a_filled_day_is_what_its_indexes_differ_by(
    day: tuple[str, str, int], lacking: set[int], more: int, cut: bool
) -> None:
    first, second, hours = day
    rows = curve(first, hours, lacking)
    if cut:  # what never came lacks as well
        rows = [row for row in rows if row["value"]] or rows[:1]
    there = sum(int(row["value"] or 0) for row in rows)
    readings = [
        index(first, 5000),
        index(first, 10, "HC"),
        index(second, 5000 + there, "BASE"),
        index(second, 10 + more, "HC"),
    ]
    gaps = fill(rows, readings, "index_difference")
    assert (gaps.left, len(gaps.rows)) == ([], len(lacking))
    assert sum(Decimal(row["value"]) for row in gaps.rows) + there == there + more
    values = [int(row["value"]) for row in gaps.rows]
    assert max(values) - min(values) <= 1
    known = {row["start"] for row in rows if row["value"]}
    assert not known & {row["start"] for row in gaps.rows}
    assert len(known | {row["start"] for row in gaps.rows}) == 2 * hours
    for row in gaps.rows:
        Interval.model_validate(row)
        assert (row["nature"], int(row["version"]) < int(UNDATED)) == ("E", True)


@pytest.mark.parametrize(
    ("readings", "why"),
    [
        ([], "no index of the same registers at both ends of the day"),
        (
            [index("2026-07-01", 1), index("2026-07-02", 99_999, "HP")],
            "no index of the same registers at both ends of the day",
        ),
        ([index("2026-07-01", 5), index("2026-07-02", 6)], "Wh more"),
    ],
)
def test_a_day_that_cannot_be_filled_is_told(readings: list[dict[str, str]], why: str) -> None:
    gaps = fill(curve("2026-07-01", 24, {3}), readings, "index_difference")
    assert gaps.rows == []
    ((point, day, told),) = gaps.left
    assert (point, day, why in told) == (POINT, "2026-07-01", True)


def test_the_week_before_is_that_of_the_same_clock() -> None:
    """Sunday 25 October has 25 hours; the Sunday before has the same times of the clock. A doubtful value is none."""
    before, after = (
        curve("2026-10-18", 24, set(), seed=2, doubtful=20),
        curve("2026-10-25", 25, {0, 10, 22, 49}, seed=3),
    )
    gaps = fill(before + after, [], "previous_period")
    by_clock = {
        datetime.fromisoformat(row["start"]).astimezone(PARIS).strftime("%H:%M"): row["value"] for row in before
    }
    found = {row["start"]: row["value"] for row in gaps.rows}
    for start, value in found.items():
        assert value == by_clock[datetime.fromisoformat(start).astimezone(PARIS).strftime("%H:%M")]
    assert len(found) == 3
    assert sorted(gaps.left) == [
        (POINT, "2026-10-18", "1 steps are not known of seven days before either"),
        (POINT, "2026-10-25", "1 steps are not known of seven days before either"),
    ]


def test_a_file_is_written_that_a_source_reads(tmp_path: Path) -> None:
    points = "".join(f"<PDC><H>{written(midnight('2026-07-01') + HALF_HOUR * (step + 1)).replace('Z', '+00:00')}</H>"
                     f"{'' if step == 5 else '<V>100</V>'}</PDC>" for step in range(48))  # fmt: skip
    head = "<En_Tete_Flux><Pas_Publication>30</Pas_Publication></En_Tete_Flux>"
    (tmp_path / "curve.xml").write_text(
        f"<R50>{head}<PRM><Id_PRM>{POINT}</Id_PRM><Donnees_Releve>{points}</Donnees_Releve></PRM></R50>"
    )
    days = "".join(
        f"<Donnees_Releve><Date_Releve>{day}</Date_Releve><Classe_Temporelle><Id_Classe_Temporelle>BASE</Id_Classe_Temporelle>"
        f"<Valeur>{value}</Valeur></Classe_Temporelle></Donnees_Releve>"
        for day, value in (("2026-06-30", 1000), ("2026-07-01", 3400))
    )
    unit = "<En_Tete_Flux><Unite_Mesure_Index>Wh</Unite_Mesure_Index></En_Tete_Flux>"
    (tmp_path / "r151.xml").write_text(f"<R151>{unit}<PRM><Id_PRM>{POINT}</Id_PRM>{days}</PRM></R151>")
    output = tmp_path / "filled.json"
    assert estimate(tmp_path / "curve.xml", tmp_path / "r151.xml", "index_difference", output) == {
        "estimated": 1,
        "left": [],
    }
    (row,) = json.loads(output.read_text())["intervals"]
    assert (row["start"], row["value"], row["nature"]) == ("2026-07-01T00:30:00Z", "50", "E")
    with pytest.raises(UnableToEstimate, match="cannot write"):
        estimate(tmp_path / "curve.xml", None, "previous_period", output)
    with pytest.raises(UnableToEstimate, match="WRONG_FLOW"):
        estimate(tmp_path / "r151.xml", None, "previous_period", tmp_path / "other.json")
