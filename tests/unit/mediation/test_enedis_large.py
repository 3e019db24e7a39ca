"""Flows of large points, requests and histories of Enedis: every record of every public sample, by a twin and by figures."""

from __future__ import annotations

import io
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pytest
from mediation_enedis_large import read_large

from pipelines.mediation.enedis.decoder import read_rows
from schemas.energy import RECORDS, RecordKind, columns_of

COLLECTED, HISTORY = "sge_tiers/CommandeCollectePublicationMesures", "sge_tiers/CommandeTransmissionHistoriqueMesures"
R4Q = f"{COLLECTED}/C4-CDC/R4Q.xml"
R171 = f"{COLLECTED}/C4-IDX/R171.xml"
CURVE = f"{HISTORY}/C4-CDC/Enedis_SGE_HDM_A06NW11N.csv"
INDEXES = f"{HISTORY}/C5-IDX/Enedis_SGE_HDM_A06NW10D.csv"
SAMPLES: list[tuple[str, RecordKind, int]] = [
    (R4Q, "intervals", 288),
    (R171, "readings", 28),
    (CURVE, "intervals", 105_120),
    (INDEXES, "readings", 1575),
    ("electricore/f12.xml", "lines", 4),
    ("electricore/f12_xsd.xml", "lines", 4),
    ("electricore/c12_xsd.xml", "events", 2),
    ("electricore/affaires_X12.xml", "events", 8),
    ("electricore/affaires_X13.xml", "events", 2),
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
    wanted = read_large(data, kind)
    for row, twin in zip(found, wanted, strict=True):
        shown = {column: text for column, text in row.items() if column != "line"}
        if "warning" in shown:
            shown["warning"] = "odd"
        assert shown == twin
    lines = data.decode().splitlines()
    for row in found[:: max(1, count // 300)]:
        assert set(row) <= set(columns_of(kind))
        if "TEXTE" not in row.values():
            RECORDS[kind].model_validate(row)
        assert lines[int(row["line"]) - 1].strip()


def _sum(rows: list[dict[str, str]], name: str) -> Decimal:
    return sum((Decimal(row[name]) for row in rows if name in row), Decimal(0))


def test_figures_of_the_samples(flows: Path) -> None:
    """As the samples print them, and as the reference on energy worked them out."""
    rows = rows_of((flows / R171).read_bytes(), "readings")
    energy = {
        row["time_class"]: row["value"] for row in rows if row["measure"] == "EA" and row["grid"] == "distributor"
    }
    assert energy == {"HPH": "429229000", "HCH": "175013000", "HPB": "129034000", "HCB": "60091000"}
    curve = rows_of((flows / R4Q).read_bytes(), "intervals")
    active = [row for row in curve if row["measure"] == "EA"]
    reactive = [row for row in curve if row["measure"] == "ERI"]
    assert (len(active), round(_sum(active, "value") / 1000, 4)) == (144, Decimal("760.1667"))
    assert (round(_sum(reactive, "value") / 1000, 4), {row["unit"] for row in reactive}) == (
        Decimal("56.8333"),
        {"VArh"},
    )
    off_peak = [row for row in active if not "05:00" <= row["start"][11:16] < "21:00"]
    assert abs(_sum(off_peak, "value") / 1000 - Decimal("249.0")) < Decimal("0.0001")
    lines = rows_of((flows / "electricore/f12.xml").read_bytes(), "lines")
    assert [Decimal(row["amount"]) for row in lines] == [
        round(Decimal(row["quantity"]) * Decimal(row["price"]), 2) for row in lines
    ]  # fmt: skip
    assert (_sum(lines, "amount"), [row for row in lines if "warning" in row]) == (Decimal("52.71"), [])


def test_a_history_is_what_its_meter_says(flows: Path) -> None:
    data = (flows / CURVE).read_bytes()
    curve = rows_of(data, "intervals")
    assert sum("value" not in row for row in curve) == 2448
    assert _sum(curve, "power") == 1_356_368_000
    assert all(row["end"] == after["start"] for row, after in pairwise(curve))
    indexes = rows_of((flows / INDEXES).read_bytes(), "readings")
    supplier = {row["at"]: int(row["value"]) for row in indexes if row.get("grid") == "supplier"}
    assert supplier["2022-01-06T23:00:00Z"] - supplier["2022-01-05T23:00:00Z"] == 24_217
    assert supplier["2022-01-05T23:00:00Z"] - supplier["2022-01-04T23:00:00Z"] == 20_711  # of 5 January
    values = list(supplier.values())
    assert values == sorted(values)
    dial = [row for row in indexes if row.get("dial") == "F1"]
    assert len(dial) == len(values) + 1  # a day of October comes twice
    by_instant: dict[str, set[str]] = {}
    for row in indexes:
        if row["measure"] == "EA" and row["dial"] in ("F1", "D1", "T"):
            by_instant.setdefault(row["at"], set()).add(row["value"])
    assert {len(found) for found in by_instant.values()} == {1}  # both grids, and the dial that counts everything
    powers = [row for row in indexes if row["measure"] == "PMA"]
    assert powers[-1] | {"line": ""} == {
        "flow": "HDM", "point": "09111642617347", "version": "5125001", "measure": "PMA", "direction": "consumption", "nature": "R",
        "line": "", "at": "2022-02-01T07:18:09Z", "unit": "W", "value": "5125", "status": "I",
    }  # fmt: skip


def test_a_request_keeps_its_code_without_a_label(flows: Path) -> None:
    rows = rows_of((flows / "electricore/affaires_X12.xml").read_bytes(), "events")
    assert [(row["affair"], row["nature"], row["state"], row["category"]) for row in rows if row["milestone"] == "1"] == [
        ("AFF0000001", "CFN", "DMTR", "TERMN"), ("AFF0000002", "AME", "DMTR", "COURS"),
        ("AFF0000003", "MES", "DMTR", "TERMN"), ("AFF0000004", "CFN", "DMTR", "COURS"),
    ]  # fmt: skip


def test_what_customers_are_called_comes_no_further(flows: Path) -> None:
    data = (flows / "electricore/c12_xsd.xml").read_bytes()
    assert b"FOURNISSEUR EXEMPLE" in data
    data = data.replace(b"0000000000<", b"0612345678<")
    told = repr(rows_of(data, "events"))
    assert not [word for word in ("FOURNISSEUR", "44000", "44109", "3514Z", "0612345678", "75001") if word in told]
