"""Flows of Enedis: every record of every public sample, by a twin and by figures that were worked out by hand."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from mediation_enedis import read_twin

from pipelines.mediation.enedis.decoder import read_rows
from pipelines.mediation.enedis.words import truncated
from schemas.energy import RECORDS, RecordKind, arrow_schema, columns_of

SAMPLES: list[tuple[str, RecordKind, int]] = [
    ("electricore/r15.xml", "quantities", 2),
    ("electricore/r15.xml", "readings", 2),
    ("electricore/c15_avec_releves.xml", "events", 1),
    ("electricore/c15_avec_releves.xml", "readings", 7),
    ("electricore/f15.xml", "lines", 1),
    ("electricore/r64.json", "readings", 13),
    ("electricore/r67.json", "quantities", 249),
    ("electricore/r151.xml", "readings", 5),
    ("electricore/r151_xsd.xml", "readings", 12),
    ("sge_tiers/CommandeCollectePublicationMesures/C5-CDC/R50.xml", "intervals", 48),
]


def rows_of(data: bytes, kind: RecordKind) -> list[dict[str, str]]:
    """Return the records of a file without what is empty."""
    return [{name: text for name, text in row.items() if text} for row in read_rows(io.BytesIO(data), kind)]


@pytest.fixture(scope="module")
def flows(samples: Path) -> Path:
    """Where the samples of French flows are."""
    return samples / "energy" / "fr_enedis_samples"


@pytest.mark.parametrize(
    ("name", "kind", "count"), SAMPLES, ids=[f"{Path(name).stem}-{kind}" for name, kind, _ in SAMPLES]
)
def test_every_value_of_a_sample_is_what_the_twin_reads(flows: Path, name: str, kind: RecordKind, count: int) -> None:
    data = (flows / name).read_bytes()
    found = rows_of(data, kind)
    assert len(found) == count
    assert [{name: text for name, text in row.items() if name != "line"} for row in found] == read_twin(data, kind)
    lines = data.decode().splitlines()
    tags = {
        "quantities": "lasse_",
        "readings": "lasse_",
        "events": "Evenement",
        "lines": "<Element_",
        "intervals": "<PDC>",
    }
    for row in found:
        assert set(row) <= set(columns_of(kind))
        RECORDS[kind].model_validate(row)  # every value is what the model says
        assert name.endswith(".json") or tags[kind] in lines[int(row["line"]) - 1]


def _picked(rows: list[dict[str, str]], *names: str) -> list[tuple[str, ...]]:
    return [tuple(row.get(name, "") for name in names) for row in rows]


def test_figures_of_the_samples(flows: Path) -> None:
    """As the samples print them, and as the reference on energy worked them out."""
    quantities = rows_of((flows / "electricore/r15.xml").read_bytes(), "quantities")
    assert _picked(quantities, "point", "start", "end", "grid", "time_class", "value", "nature", "status") == [
        ("99147508449444", "2024-06-30T22:00:00Z", "2024-07-29T22:01:00Z", "distributor", "BASE", "100000", "R", "I"),
        ("99147508449444", "2024-06-30T22:00:00Z", "2024-07-29T22:01:00Z", "supplier", "BASE", "101000", "R", "I"),
    ]
    around = rows_of((flows / "electricore/c15_avec_releves.xml").read_bytes(), "readings")
    assert _picked(around, "role", "grid", "time_class", "truncated") == [
        ("before", "distributor", "BASE", "2531000"), ("before", "supplier", "BASE", "9569000"),
        ("after", "distributor", "HCH", "1065000"), ("after", "distributor", "HPB", "3005000"),
        ("after", "distributor", "HCB", "2531000"), ("after", "distributor", "HPH", "2967000"), ("after", "supplier", "BASE", "9569000"),
    ]  # fmt: skip
    (line,) = rows_of((flows / "electricore/f15.xml").read_bytes(), "lines")
    assert Decimal(line["quantity"]) * Decimal(line["price"]) == Decimal(line["amount"]) == Decimal(-48)
    assert (line["vat_code"], line.get("vat_rate"), line["group"]) == ("NS", None, "03")
    indexes = rows_of((flows / "electricore/r64.json").read_bytes(), "readings")
    by_point: dict[str, dict[str, int]] = {}
    for row in indexes:
        sums = by_point.setdefault(row["point"], {})
        sums[row.get("grid", "all")] = sums.get(row.get("grid", "all"), 0) + int(row["value"])
    # the dial that counts everything is what the classes of the distributor come to
    assert by_point == {  # and what those of the supplier come to, where its calendar has been the same from the start
        "99103630318530": {"all": 11_444_177, "distributor": 11_444_177, "supplier": 3_602_078},
        "99331145115979": {"all": 47_678_412, "distributor": 47_678_412, "supplier": 47_678_412},
    }
    curve = rows_of((flows / SAMPLES[-1][0]).read_bytes(), "intervals")
    assert sum(Decimal(row["value"]) for row in curve) == 20_681
    off_peak = [
        row for row in curve if not "05:00" <= row["start"][11:16] < "21:00"
    ]  # 22:00 to 06:00 in Paris, in winter
    assert (len(off_peak), sum(Decimal(row["value"]) for row in off_peak)) == (16, 4_235)


def test_both_grids_agree_within_a_kwh_for_each_class(flows: Path) -> None:
    """R67: the same period by the distributor's and by the supplier's classes, which are truncated each for itself."""
    sums: dict[tuple[str, str], dict[str, list[int]]] = {}
    for row in rows_of((flows / "electricore/r67.json").read_bytes(), "quantities"):
        sums.setdefault((row["start"], row["end"]), {}).setdefault(row["grid"], []).append(int(row["value"]))
    both = [found for found in sums.values() if len(found) == 2]
    assert len(both) > 40
    for found in both:
        classes = max(len(found["supplier"]), len(found["distributor"]))
        assert abs(sum(found["supplier"]) - sum(found["distributor"])) <= 1000 * classes


@pytest.mark.parametrize("kind", list(RECORDS))
def test_the_columns_are_those_of_the_model(kind: RecordKind) -> None:
    schema: Any = arrow_schema(kind)
    assert schema.names == list(RECORDS[kind].model_fields)
    assert {str(field.type) for field in schema} == {"string"}


@pytest.mark.parametrize("minutes", [10, 30])
@pytest.mark.parametrize(("day", "hours"), [("2026-03-29", 23), ("2026-10-25", 25), ("2026-07-01", 24)])
def test_days_on_which_the_clock_changes_have_all_their_steps(day: str, hours: int, minutes: int) -> None:
    """46 or 50 half hours, 138 or 150 steps of ten minutes: an hour that comes twice is two, one that is missing is none."""
    paris = ZoneInfo("Europe/Paris")
    begin = datetime.fromisoformat(day).replace(tzinfo=paris).astimezone(UTC)
    ends = [begin + timedelta(minutes=minutes * step) for step in range(1, hours * 60 // minutes + 1)]
    assert ends[-1].astimezone(paris).strftime("%d %H:%M")[3:] == "00:00"
    points = "".join(f"<PDC><H>{end.astimezone(paris).isoformat()}</H><V>600</V></PDC>" for end in ends)
    head = f"<En_Tete_Flux><Pas_Publication>{minutes}</Pas_Publication></En_Tete_Flux>"
    file = f"<R50>{head}<PRM><Id_PRM>1</Id_PRM><Donnees_Releve>{points}</Donnees_Releve></PRM></R50>"
    rows = rows_of(file.encode(), "intervals")
    assert len({row["start"] for row in rows}) == len(rows) == hours * 60 // minutes
    assert rows[0]["start"] == begin.isoformat().replace("+00:00", "Z")
    assert all(row["end"] == after["start"] for row, after in pairwise(rows))
    assert sum(Decimal(row["value"]) for row in rows) == 600 * hours


def test_indexes_rounded_down_before_they_are_subtracted_lose_less_than_a_kwh() -> None:
    watts = [1_000_900, 1_001_100, 1_004_999, 1_007_000]
    found = [int(truncated(str(index), "Wh")) for index in watts]
    assert [after - before for before, after in pairwise(found)] == [1000, 3000, 3000]
    assert (truncated("999", "Wh"), truncated("12a", "Wh"), truncated("7", "kWr")) == ("0", "12a", "")
