"""The recount against sums made by hand, one tiny feed per industry."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.catalogs.write import write_cloud_catalog, write_electricity_catalog, write_telephony_catalog
from benchmarks.generate.cloud import write_cloud
from benchmarks.generate.meters import write_meters
from benchmarks.generate.telephony import COLUMNS, write_telephony
from benchmarks.recount import Recount, recount_cloud, recount_meters, recount_telephony


def _number(subscriber: int) -> str:
    return f"336{(subscriber * 61_803_399 + 12_345_678) % 10**8:08d}"


def _call(
    record: str, msisdn: str, kind: str, at: str, quantity: object, zone: str = "national", way: str = "out"
) -> str:
    fields = dict.fromkeys(COLUMNS, "") | {
        "record_id": record,
        "record_type": kind,
        "direction": way,
        "msisdn": msisdn,
        "zone": zone,
        "start_time": at,
        "quantity": str(quantity),
    }
    return ",".join(fields.values())


def test_telephony_by_hand(tmp_path: Path) -> None:
    write_telephony_catalog(tmp_path / "catalog", subscribers=100)
    zero, plus, poor = _number(0), _number(50), _number(99)
    lines = [
        # subscriber 0, essential: sixty free minutes, connection fee 0.02, increments 60/1
        _call("1", zero, "voice", "2026-10-05T10:00:00Z", 90),  # free; 0.02
        # 20:00 local, off-peak: 3510 s free, 90 s at 0.098/min: 0.147 + 0.02
        _call("2", zero, "voice", "2026-10-05T18:00:00Z", 3600),
        _call("2", zero, "voice", "2026-10-05T18:00:00Z", 3600),  # repeated
        _call("3", zero, "voice", "2026-10-25T00:30:00Z", 10),  # 02:30 local, night: 60 s at 0.049/min + 0.02 = 0.069
        _call("4", zero, "voice", "2026-10-25T09:00:00Z", 61, "world"),  # 120 s at 0.39/min + 0.15 = 0.93
        _call("5", zero, "voice", "2026-10-25T09:00:00Z", 0),  # nothing
        _call("6", zero, "data", "2026-10-06T09:00:00Z", 600_000_000),  # 0.5 GB free, 0.1 GB at 1.99: 0.199
        _call("7", zero, "data", "2026-10-06T09:00:00Z", 251),  # 0.00000049949: rounds to 0
        _call("8", zero, "data", "2026-10-06T09:00:00Z", 252),  # 0.00000050148: rounds to 0.000001
        _call("9", zero, "sms", "2026-10-06T09:00:00Z", 1),  # 0.07
        _call("10", zero, "sms", "2026-10-06T09:00:00Z", 1, way="in"),  # filtered
        # subscriber 50, plus: the price changes on 16 October at midnight in Paris, 22:00 UTC; increments 30/1
        _call("11", plus, "voice", "2026-10-15T21:59:59Z", 1),  # 30 s at 0.019/min: 0.0095
        _call("12", plus, "voice", "2026-10-15T22:00:00Z", 31),  # 31 s at 0.017/min: 0.00878333 -> 0.008783
        # subscriber 99 can spend 4.50
        _call("13", poor, "data", "2026-10-07T09:00:00Z", 900_000_000),  # 900 MB at 0.0049: 4.41, 0.09 left
        _call("14", poor, "sms", "2026-10-07T09:01:00Z", 1),  # 0.07, 0.02 left
        _call("15", poor, "sms", "2026-10-07T09:02:00Z", 1),  # cannot pay
        _call("16", "33700000000", "sms", "2026-10-07T09:00:00Z", 1),  # unknown number
        _call("17", zero, "sms", "2026-10-07T09:00:00Z", "one"),
        _call("18", zero, "sms", "2026-10-07 09:00:00", 1),
        _call("9", zero, "sms", "2026-10-06T09:00:00Z", 2),  # the identity of another content
    ]
    first, second = tmp_path / "1.csv", tmp_path / "2.csv"
    header = ",".join(COLUMNS)
    first.write_text("\n".join([header, *lines[:2]]) + "\n")
    second.write_text("\n".join([header, *lines[2:]]) + "\n")

    found = recount_telephony([first, second], tmp_path / "catalog")

    assert found == Recount(
        records=20,
        accepted=14,
        duplicates=1,
        filtered=1,
        rejected_by_reason={
            "INVALID_QUANTITY": 1,
            "SAME_KEY_OTHER_CONTENT": 1,
            "TIMESTAMP_WITHOUT_ZONE": 1,
            "UNKNOWN_ACCESS_POINT": 1,
        },
        rated=13,
        unrated_by_reason={"INSUFFICIENT_BALANCE": 1},
        rated_by_charge={
            "data-essential": 3, "data-prepaid": 1, "sms-essential": 2, "voice-essential": 4, "voice-plus": 2,
            "voice-world": 1,
        },
        quantity_by_charge={
            "data-essential": 600_000_503, "data-prepaid": 900_000_000, "sms-essential": 2,
            "voice-essential": (90 + 3600 + 10) * 1000, "voice-plus": 32_000, "voice-world": 61_000,
        },
        rated_quantity_by_charge={
            "data-essential": 600_000_503, "data-prepaid": 900_000_000, "sms-essential": 2,
            "voice-essential": (90 + 3600 + 60) * 1000, "voice-plus": 61_000, "voice-world": 120_000,
        },
        amount_by_charge={
            "data-essential": 199_001_000,
            "data-prepaid": 4_410_000_000,
            "sms-essential": 140_000_000,
            "voice-essential": 256_000_000,  # 0.02 + 0.167 + 0.069
            "voice-plus": 18_283_000,
            "voice-world": 930_000_000,
        },
        amount_by_currency={"EUR": 5_953_284_000},
    )  # fmt: skip
    assert found.balanced()


def _reading(prm: str, date: str, classes: dict[str, tuple[int, int]]) -> str:
    registers = "".join(
        f"<Classe_Temporelle><Id_Classe_Temporelle>{name}</Id_Classe_Temporelle><Valeur>{value}</Valeur>"
        f"<Indice_Vraisemblance>{doubt}</Indice_Vraisemblance></Classe_Temporelle>"
        for name, (value, doubt) in classes.items()
    )
    tag = "Classe_Temporelle_Distributeur"
    other = f"<{tag}><Id_Classe_Temporelle>HPB</Id_Classe_Temporelle><Valeur>5</Valeur></{tag}>"
    calendar = "<Id_Calendrier_Fournisseur>FC1</Id_Calendrier_Fournisseur>"
    power = "<Puissance_Maximale><Valeur>3000</Valeur></Puissance_Maximale>"
    day = f"<Date_Releve>{date}</Date_Releve>{calendar}{other}{registers}{power}"
    return f"<PRM><Id_PRM>{prm}</Id_PRM><Donnees_Releve>{day}</Donnees_Releve></PRM>"


def test_electricity_by_hand(tmp_path: Path) -> None:
    write_electricity_catalog(tmp_path / "catalog", meters=1)
    meter = "09012345678901"
    days = [
        _reading(meter, "2026-10-13", {"HP": (1_000_000, 0), "HC": (500_000, 0)}),  # opens both registers
        _reading(meter, "2026-10-14", {"HP": (1_010_500, 0), "HC": (504_000, 1)}),  # HP 10.5 kWh; HC doubtful
        # HP decreases; HC 8 kWh since the 13th
        _reading(meter, "2026-10-15", {"HP": (1_010_000, 0), "HC": (508_000, 0)}),
        # HP 20 kWh since the 14th; HC 1.001 kWh
        _reading(meter, "2026-10-16", {"HP": (1_030_500, 0), "HC": (509_001, 0)}),
        _reading(meter, "2026-10-16", {"HP": (1_030_500, 0), "HC": (509_002, 0)}),  # HP repeated, HC contradicted
        _reading("99999999999999", "2026-10-16", {"HP": (1, 0)}),  # nobody's
    ]
    path = tmp_path / "r151.xml"
    path.write_text(f"<R151>{''.join(days)}</R151>")

    found = recount_meters([path], tmp_path / "catalog")

    # a period has the price of its start: up to the 16th 0.20318 (HP) and 0.15284 (HC), then 0.21467 and 0.16012
    assert found == Recount(
        records=11 + 6 * 2,
        accepted=4,
        duplicates=1,
        filtered=12,
        absorbed=2,
        rejected_by_reason={"INDEX_DECREASED": 1, "SAME_KEY_OTHER_CONTENT": 1, "UNKNOWN_ACCESS_POINT": 1},
        parked_by_reason={"DOUBTFUL_READING": 1},
        rated=4,
        rated_by_charge={"electricity-hc": 2, "electricity-hp": 2},
        quantity_by_charge={"electricity-hc": 9_001_000, "electricity-hp": 30_500_000},
        rated_quantity_by_charge={"electricity-hc": 9_001_000, "electricity-hp": 30_500_000},
        amount_by_charge={
            "electricity-hc": 1_222_720_000 + 160_280_000,  # 8 * 0.15284; 1.001 * 0.16012 = 0.16028012
            "electricity-hp": 2_133_390_000 + 4_063_600_000,  # 10.5 and 20 times 0.20318
        },
        amount_by_currency={"EUR": 7_579_990_000},
    )
    assert found.balanced()


def _event(
    number: int, kind: str, subject: str, quantity: object, region: str = "eu", at: str = "2026-10-05T10:00:00Z"
) -> str:
    body = {
        "specversion": "1.0",
        "id": str(number),
        "source": "/here",
        "type": f"com.example.{kind}",
        "subject": subject,
    }
    return json.dumps(body | {"time": at, "data": {"quantity": quantity, "region": region}})


def test_cloud_by_hand(tmp_path: Path) -> None:
    write_cloud_catalog(tmp_path / "catalog", devices=1, projects=1)
    device, project = "dev-00000000", "project-00000000"
    lines = [
        _event(1, "lpwan.messages", device, 19),  # free
        _event(2, "lpwan.messages", device, 3),  # one free, two at 0.0021: 0.0042
        _event(2, "lpwan.messages", device, 3),  # redelivered
        _event(3, "lpwan.messages", device, 21, at="2026-11-01T00:00:00Z"),  # another month: one at 0.0021
        _event(4, "lpwan.bytes", device, 222),  # 0.222 kB at 0.00375: 0.0008325 -> 0.000833
        _event(5, "compute.vcpu", project, 60.001),  # 61 s at 0.0416/h: 0.000704888 -> 0.000705
        _event(6, "compute.vcpu", project, 3600, "us"),  # 0.0384
        _event(7, "storage.gbh", project, 123.456789),  # at 0.000031944444: 0.003943758...
        _event(8, "storage.gbh", project, 1000),  # 876.543211 at 0.000031944444, 123.456789 at 0.000027777778
        _event(9, "storage.gbh", "x", 1),
        _event(10, "teleport", project, 1),
        _event(11, "storage.gbh", project, "much"),
        _event(12, "storage.gbh", project, 1.0000001),
        '{"id": "13"',
    ]
    path = tmp_path / "events.ndjson"
    path.write_text("\n".join(lines) + "\n")

    found = recount_cloud([path], tmp_path / "catalog")

    assert found == Recount(
        records=14,
        accepted=8,
        duplicates=1,
        rejected_by_reason={
            "INVALID_QUANTITY": 1, "MALFORMED_RECORD": 1, "QUANTITY_PRECISION": 1, "UNKNOWN_ACCESS_POINT": 1,
            "UNKNOWN_EVENT_TYPE": 1,
        },
        rated=8,
        rated_by_charge={"compute-eu": 1, "compute-us": 1, "lpwan-bytes": 1, "lpwan-messages": 3, "storage": 2},
        quantity_by_charge={
            "compute-eu": 60_001, "compute-us": 3_600_000, "lpwan-bytes": 222, "lpwan-messages": 43,
            "storage": 1_123_456_789,
        },
        rated_quantity_by_charge={
            "compute-eu": 61_000, "compute-us": 3_600_000, "lpwan-bytes": 222, "lpwan-messages": 43,
            "storage": 1_123_456_789,
        },
        amount_by_charge={
            "compute-eu": 705_000,
            "compute-us": 38_400_000,
            "lpwan-bytes": 833_000,
            "lpwan-messages": 4_200_000 + 2_100_000,
            # 123.456789 * 0.000031944444 = 0.003943758482630316 -> 0.003943758
            # 876.543211 * 0.000031944444 + 123.456789 * 0.000027777778 = 0.028000685517... + 0.003429355277... -> 0.031430041
            "storage": 3_943_758 + 31_430_041,
        },
        amount_by_currency={"EUR": 81_611_799},
    )  # fmt: skip
    assert found.balanced()


def test_generated_feeds_balance(tmp_path: Path) -> None:
    catalog = tmp_path / "catalog"
    write_telephony_catalog(catalog, subscribers=300)
    write_electricity_catalog(catalog, meters=500)
    write_cloud_catalog(catalog, devices=90, projects=10)
    calls = write_telephony(tmp_path / "calls", records=30_000, subscribers=300, seed=7, bad=True)
    readings = write_meters(tmp_path / "readings", meters=500, seed=7, days=10)
    events = write_cloud(tmp_path / "events", records=20_000, devices=90, projects=10, seed=7, bad=True)

    telephony = recount_telephony(calls, catalog)
    electricity = recount_meters(readings, catalog)
    cloud = recount_cloud(events, catalog)
    everything = telephony + electricity + cloud

    assert telephony.balanced()
    assert electricity.balanced()
    assert cloud.balanced()
    assert everything.balanced()
    assert telephony.records == 30_000
    assert cloud.records == 20_000
    assert telephony.duplicates > 250
    assert recount_telephony(calls, catalog, parts=3).differences(telephony) == {}
    assert cloud.duplicates > 180
    assert sum(telephony.rejected_by_reason.values()) == 30
    assert telephony.unrated > 0
    assert electricity.absorbed == 1000
    assert electricity.parked > 0
    assert everything.amount_total == telephony.amount_total + electricity.amount_total + cloud.amount_total


def test_differences_name_what_is_not_the_same() -> None:
    mine = Recount(records=2, accepted=2, amount_by_charge={"voice": 1})
    theirs = Recount(records=2, accepted=1, amount_by_charge={"voice": 2})
    assert mine.differences(theirs) == {"accepted": (2, 1), "amount_by_charge": ({"voice": 1}, {"voice": 2})}
    assert not mine.differences(mine)


@pytest.mark.parametrize("files", [1, 7])
def test_the_number_of_files_does_not_change_the_totals(tmp_path: Path, files: int) -> None:
    write_telephony_catalog(tmp_path / "catalog", subscribers=300)
    one = write_telephony(tmp_path / "one", records=9000, subscribers=300, seed=5, files=3)
    other = write_telephony(tmp_path / "other", records=9000, subscribers=300, seed=5, files=files)
    assert recount_telephony(one, tmp_path / "catalog") == recount_telephony(other, tmp_path / "catalog")
