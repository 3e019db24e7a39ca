"""`octroi energy profile`: what is in files of every flow, the French ones included."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from cli_octroi import octroi
from template_world import load

ENERGY = Path(__file__).parents[3] / "shared" / "samples" / "energy"
FRENCH = ENERGY / "fr_enedis_samples"


def profiled(path: Path, *options: str) -> Any:
    """Return the profile of a file."""
    return octroi("energy", "profile", path, "--json", *options).ok().json


@pytest.mark.parametrize(
    ("name", "flow", "channels", "count", "total"),
    [
        ("nem/nem12/NEM12#000000000000006#CNRGYMDP#NEMMCO.zip", "NEM12", 2, 384, None),
        ("nem/nem13/nem13#13#INTEGM#NEMMCO.zip", "NEM13", 1, 2, "10000"),
        ("greenbutton/TestGBDataHourlyNineDaysBinnedDaily.xml", "ESPI", 1, 216, "199563"),
        ("mscons/msconsconverter/MSCONS_TL_Multiple_LOC_SAMPLE.txt", "MSCONS", 2, 5944, "1827400"),
        ("be_nl/dsmr_telegram_v5.txt", "P1", 5, 5, "0"),
    ],
)
def test_channels_of_every_flow(name: str, flow: str, channels: int, count: int, total: str | None) -> None:
    told = profiled(ENERGY / name)
    assert (told["flow"], len(told["channels"])) == (flow, channels)
    assert sum(row["count"] for row in told["channels"]) == count
    if total is not None:
        assert sum(Decimal(row["sum"]) for row in told["channels"]) == Decimal(total)
    for row in told["channels"]:
        assert sum(row["quality"].values()) == row["count"]
        if row["records"] == "intervals":
            assert sum(Decimal(day["sum"]) for day in row["days"]) == Decimal(row["sum"])
            assert sum(day["count"] for day in row["days"]) == row["count"]


@pytest.mark.parametrize(
    ("name", "records"),
    [
        ("sge_tiers/CommandeCollectePublicationMesures/C5-CDC/R50.xml", "intervals"),
        ("electricore/r15.xml", "readings"),
        ("electricore/r151.xml", "readings"),
        ("electricore/r67.json", "intervals"),
    ],
)
def test_french_flows_have_the_same_channels(name: str, records: str) -> None:
    told = profiled(FRENCH / name)
    assert told["flow"] == "French"
    assert records in {row["records"] for row in told["channels"]}
    assert all(row["point"].isdigit() and len(row["point"]) == 14 for row in told["channels"])


def test_the_totals_of_the_file_itself_are_compared(tmp_path: Path) -> None:
    line = "250,NEM1300000,11,1,11,11,M1,E,{0},20260101093000,A,,,{1},20260115093000,A,,,{2},kWh,,20260116000000,\n"
    path = tmp_path / "nem13.csv"
    head = "100,NEM13,202601160102,MDP,RETAILER\n"
    path.write_text(head + line.format(99990, 10, 20) + "900\n")
    [total] = profiled(path)["totals"]
    assert total == {"what": "quantity of line 2", "told": "20000", "found": "20000", "agrees": True}
    path.write_text(head + line.format(100, 120, 21) + "900\n")
    result = octroi("energy", "profile", path)
    assert result.code == 1
    assert "quantity of line 2: 21000, here 20000: DIFFERS" in result.out


def test_gaps_corrections_and_doubts_are_told(tmp_path: Path) -> None:
    day = ",".join(["1"] * 48)
    rows = [f"300,2026011{n},{day},A,,,2026011900000{version}," for n, version in ((1, 0), (2, 0), (4, 0), (4, 1))]
    path = tmp_path / "nem12.csv"
    path.write_text("\n".join(["100,NEM12,202601160102,A,B", "200,N1,E1,,E1,,M,kWh,30,", *rows, "900", ""]))
    [row] = profiled(path)["channels"]
    assert (row["count"], row["replaced"], row["gaps"], row["missing_s"]) == (144, 48, 1, 86_400)
    assert [(day["day"], day["sum"]) for day in row["days"]] == [(f"2026-01-1{n}", "48000") for n in (1, 2, 4)]
    shown = octroi("energy", "profile", path, "--days").ok().out
    assert "48 replaced" in shown
    assert "2026-01-14" in shown


def test_a_table_is_read_as_its_source_says(tmp_path: Path) -> None:
    data = tmp_path / "data"
    load("homewizard", data / "catalog")
    path = tmp_path / "export.csv"
    path.write_text(
        "time,Import T1 kWh,Import T2 kWh,Export T1 kWh,Export T2 kWh\n2026-01-15 00:00,1,2,3,4\n2026-01-16 00:00,1.5,2,3,5\n"
    )
    told = octroi("energy", "profile", path, "--source", "homewizard", "--data", data, "--json").ok().json
    assert [(row["channel"], row["sum"]) for row in told["channels"]] == [
        ("1-0:1.8.1 low", "500"), ("1-0:1.8.2 normal", "0"), ("1-0:2.8.1 low", "0"), ("1-0:2.8.2 normal", "1000"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "options", "told"),
    [
        ("100,NEM12,202601160102,A,B\n", (), "MALFORMED_METER_DATA: line 1"),
        ("hello\n", (), "WRONG_FLOW"),
        ("100,NEM12,202601160102,A,B\n900\n", ("--zone", "Nowhere"), "there is no time zone Nowhere"),
    ],
)
def test_what_cannot_be_profiled_says_why(text: str, options: tuple[str, ...], told: str, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text(text)
    result = octroi("energy", "profile", path, *options)
    assert result.code == 2
    assert told in result.err
