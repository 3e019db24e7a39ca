"""Meter data of other countries: every value of every sample, and what is refused, parked or said twice."""

from __future__ import annotations

import io
import zipfile
from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from meter_messages import BEGIN, TIMED, WATT_HOURS, feed, kind, message, read, reading
from meter_twin import dsmr_p1, green_button, mscons, nem12, nem13

from pipelines.mediation.columns.rows import Row
from pipelines.mediation.espi import reader as espi_reader
from pipelines.mediation.espi.words import local_time
from pipelines.mediation.failures import UnableToDecodeFile
from pipelines.mediation.meters.units import counted, unit_of
from pipelines.mediation.oddities import has_oddities, record_oddities
from pipelines.mediation.p1.telegrams import crc16
from schemas.source_meters import MeterDataSource

ENERGY = Path(__file__).parents[4] / "shared" / "samples" / "energy"
NEM12_FILES = sorted((ENERGY / "nem" / "nem12").iterdir())
NEM13_FILES = sorted((ENERGY / "nem" / "nem13").iterdir())
INVALID = ENERGY / "nem" / "invalid"
HALF_HOURS = ",".join(["1.5"] * 48)
HEAD = "100,NEM12,202601160102,MDP,RETAILER\n"
STREAM = "200,NEM1200000,E1,E1,E1,N1,M1,kWh,30,\n"
DAY = f"300,20260115,{HALF_HOURS},A,,,20260116000000,\n"


def plain(path: Path) -> bytes:
    """Return a file, or the one that is zipped in it."""
    if path.suffix.lower() != ".zip":
        return path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        return archive.read(archive.namelist()[0])


def same(found: list[Row], wanted: list[Row]) -> None:
    """Compare the columns that the other reader has."""
    assert len(found) == len(wanted)
    for one, other in zip(found, wanted, strict=True):
        assert {name: one.get(name, "") for name in other} == other


def refused(data: str, records: Any = "intervals", **asked: Any) -> str:
    """Return why a file is refused whole."""
    with pytest.raises(UnableToDecodeFile) as told:
        read(data, records, **asked)
    return f"{told.value.code} {told.value.message}"


# ---- NEM12 and NEM13


@pytest.mark.parametrize("path", NEM12_FILES, ids=lambda path: path.name)
def test_every_value_of_every_nem12_file(path: Path) -> None:
    data = plain(path)
    rows = read(data)
    same(rows, nem12(data.decode()))
    assert rows == read(data, strict=False)


@pytest.mark.parametrize("path", NEM13_FILES, ids=lambda path: path.name)
def test_every_reading_of_every_nem13_file(path: Path) -> None:
    data = plain(path)
    rows = read(data, "readings")
    same(rows, nem13(data.decode()))
    for before, after in zip(rows[::2], rows[1::2], strict=True):  # the file's own totals
        cells = next(line.split(",") for line in data.decode().splitlines()[int(after["line"]) - 1 :])
        through = Decimal(after["value"]) - Decimal(before["value"]) + Decimal(after["rolls_over_at"] or 0)
        assert through == Decimal(cells[18]) * 1000 or after["warning"], cells


def test_invalid_files_are_refused_with_their_line() -> None:
    told = {path.name: refused(plain(path).decode()) for path in sorted(INVALID.iterdir())}
    assert told == {
        "Example_NEM12_15min_200_30min_400.csv": "MALFORMED_METER_DATA line 3: 400 records are of 48 of the 96 intervals",
        "Example_NEM12_30min_200_15min_400.csv": (
            "MALFORMED_METER_DATA line 3: 96 values and the quality 'V' instead of 48 values"
        ),
        "Example_NEM12_incomplete_interval.csv": "MALFORMED_METER_DATA line 3: 0 values and the quality 'V' instead of 48 values",
        "Example_NEM12_powercor.csv": "MALFORMED_METER_DATA line 1: the file does not begin with a 100 record",
        "Example_NEM12_powercor_missing_fields.csv": "MALFORMED_METER_DATA line 1: the file does not begin with a 100 record",
    }


def test_lenient_reading_parks_faults_and_keeps_the_rest() -> None:
    counted_rows = {}
    for path in sorted(INVALID.iterdir()):
        rows = read(plain(path), strict=False)
        counted_rows[path.name.removeprefix("Example_NEM12_")] = Counter(bool(row["doubt"]) for row in rows)
    assert counted_rows == {
        "15min_200_30min_400.csv": {True: 96},
        "30min_200_15min_400.csv": {True: 3},
        "incomplete_interval.csv": {True: 1, False: 144},
        "powercor.csv": {False: 192},
        "powercor_missing_fields.csv": {False: 192},
    }


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (STREAM + DAY + "900\n", "line 1: the file does not begin with a 100 record"),
        (HEAD + HEAD + "900\n", "line 2: a second 100 record"),
        (HEAD + DAY + "900\n", "line 2: a 300 record without a 200 record before it"),
        (HEAD + STREAM + DAY, "line 3: the file does not end with a 900 record"),
        (HEAD + STREAM + "900\n" + DAY, "line 4: a 300 record behind the 900 record"),
        (HEAD + STREAM.replace(",30,", ",20,") + "900\n", "line 2: a 200 record of the point NEM1200000 has intervals of 20 minutes"),
        (HEAD + STREAM.replace(",E1,N1", ",X1,N1") + "900\n", "line 2: the data stream X1 is not known"),
        (HEAD + STREAM.replace("kWh", "kVArh") + "900\n", "line 2: the data stream E1 is in kVArh"),
        (HEAD + STREAM + DAY.replace("20260115", "20260230") + "900\n", "line 3: 20260230 is no day"),
        (HEAD + STREAM + DAY.replace("1.5", "1.5x", 1) + "900\n", "line 3: '1.5x' is no value"),
        (HEAD + STREAM + DAY.replace("1.5,", "", 1) + "900\n", "line 3: 47 values and the quality 'A' instead of 48 values"),
        (HEAD + STREAM + DAY.replace("20260116000000", "20261316000000") + "900\n", "line 3: 20261316000000 is no time of update"),
        (HEAD + STREAM + DAY + "400,1,48,A,,\n900\n", "line 4: a 400 record, but the quality of the 300 record is A"),
        (HEAD + STREAM + DAY.replace(",A,", ",V,") + "400,1,20,A,,\n400,22,48,A,,\n900\n",
         "line 3: a 400 record is of the intervals 22 to 48 of 48, behind 20"),
        (HEAD + STREAM + DAY.replace(",A,", ",V,") + "400,1,48,V,,\n900\n", "line 4: V is no quality of a 400 record"),
        (HEAD + STREAM + DAY + "123,x\n900\n", "line 4: 123 is no record of NEM12"),
        (HEAD.replace("202601160102", "now") + "900\n", "line 1: now is no time of a 100 record"),
    ],
)  # fmt: skip
def test_a_fault_refuses_a_strict_file_with_its_line(text: str, told: str) -> None:
    assert refused(text).startswith(f"MALFORMED_METER_DATA {told}")
    assert all(row["doubt"] or row["value"] for row in read(text, strict=False))


def test_a_day_has_no_summer_time_and_null_data_have_no_value() -> None:
    rows = read(HEAD + STREAM + DAY.replace(",A,", ",V,") + "400,1,47,A,,\n400,48,48,N,,\n900\n")
    assert (rows[0]["start"], rows[-1]["end"]) == ("2026-01-14T14:00:00Z", "2026-01-15T14:00:00Z")
    assert [rows[n]["value"] for n in (0, 46, 47)] == ["1500", "1500", ""]
    october = read(HEAD + STREAM + DAY.replace("20260115", "20261004") + "900\n")  # clocks change in Sydney
    assert (len(october), october[0]["start"]) == (48, "2026-10-03T14:00:00Z")


def test_a_day_that_is_stated_again_is_a_newer_version() -> None:
    later = DAY.replace("1.5", "2.5").replace("20260116000000", "20260117000000")
    rows = read(HEAD + STREAM + DAY + later + "900\n")
    versions = [int(rows[n]["version"]) for n in (0, 48)]
    assert versions[1] - versions[0] == 10 * 86_400_000
    assert rows[0]["start"] == rows[48]["start"]


@pytest.mark.parametrize(
    ("unit", "value"), [(" kWh", "1500"), ("kWh ", "1500"), ("GWh", "1500000000"), ("Wh", "1.5"), ("mWH", "1500000")]
)
def test_the_prefix_of_a_unit_counts_wherever_it_stands(unit: str, value: str) -> None:
    rows = read(HEAD + STREAM.replace("kWh", unit) + DAY + "900\n")
    assert {row["value"] for row in rows} == {value}


def test_what_varies_has_no_reason_of_its_own() -> None:
    data = HEAD + STREAM + DAY.replace(",A,,", ",V,89,") + "400,1,48,A,,\n900\n"
    assert refused(data).startswith("MALFORMED_METER_DATA line 3: the quality V/89, but")
    assert {row["quality"] for row in read(data, strict=False)} == {"A"}


def test_registers_of_a_meter_are_channels_of_their_own() -> None:
    record = "250,N1,1112,1,{0},{0},M1,E,1.0,20260101093000,A,,,2.0,20260115093000,A,,,{1},kWh,,20260116000000,\n"
    lines = "".join(record.format(suffix, "1.0") for suffix in ("11", "12", "2A")) + record.format("41", "7")
    rows = read(f"100,NEM13,202601160102,A,B\n{lines}900\n", "readings")
    assert [row["channel"] for row in rows[::2]] == ["1-1:1.8.1", "1-1:1.8.2", "1-2:1.8.10", "1-4:1.8.1"]
    source = MeterDataSource.model_construct(records="readings", strict=True, zone=None, table=None)
    assert has_oddities(source)
    told = record_oddities(source, io.BytesIO(f"100,NEM13,202601160102,A,B\n{lines}900\n".encode()))
    assert list(told) == [(5, "the quantity is 7, but the readings are 1 apart")]
    for suffix in ("", "0", "123"):
        rows = read(f"100,NEM13,202601160102,A,B\n{record.format(suffix, '1')}900\n", "readings")
        assert ["is not known" in row["doubt"] for row in rows] == [True, True]


def test_check_meters_are_no_energy_of_their_own() -> None:
    [row, *_] = read(HEAD + STREAM.replace(",E1,N1", ",F1,N1") + DAY + "900\n")
    assert (row["measure"], row["channel"]) == ("EA_check", "1-65:1.29.0")


# ---- Green Button


@pytest.mark.parametrize("name", ["TestGBDataHourlyNineDaysBinnedDaily.xml", "abridged/electric_containerized.xml"])
def test_every_interval_of_green_button_files(name: str) -> None:
    data = (ENERGY / "greenbutton" / name).read_bytes()
    same(read(data), green_button(data.decode()))


def test_gas_comes_in_therms_and_without_a_reading_type_it_is_doubted() -> None:
    gas = read((ENERGY / "greenbutton" / "abridged" / "gas_direct.xml").read_bytes())
    assert sum(Decimal(row["value"]) for row in gas) == 140  # 37 + 14 + 21 + 27 + 41 thousands of thousandths
    assert {(row["unit"], row["channel"], row["point"]) for row in gas} == {
        ("therm", "7-0:33.30.0", "User/1234567890/UsagePoint/NET_USAGE")
    }
    for name, count in (("abridged/gas_containerized.xml", 3), ("ngma_gas_provider_2024-07-16.xml", 36)):
        assert [row["doubt"] for row in read((ENERGY / "greenbutton" / name).read_bytes())] == ["the uom is ''"] * count


@pytest.mark.parametrize("daily_first", [False, True])
def test_longer_intervals_that_say_the_same_are_never_billed(*, daily_first: bool) -> None:
    hours = "1:" + "".join(reading(BEGIN + 3600 * n, 3600, 100) for n in range(24))
    days = "2:" + reading(BEGIN, 86_400, 2400) + reading(BEGIN + 86_400, 86_400, 2500)
    rows = read(
        feed(*((days, hours) if daily_first else (hours, days)), types=kind(1, **WATT_HOURS) + kind(2, **WATT_HOURS))
    )
    billed = [row for row in rows if not row.get("covered")]
    assert sum(int(row["value"]) for row in billed) == 4900
    [covered] = [row for row in rows if row.get("covered")]
    assert (covered["value"], covered["covered"]) == ("2400", "intervals of 3600 s say the same")


@pytest.mark.parametrize("held", [20_000, 4])
def test_an_hour_that_comes_first_does_not_hide_its_quarters(held: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(espi_reader, "HELD_MAX", held)
    hours = "2:" + "".join(reading(BEGIN + 3600 * n, 3600, 100) for n in range(2))
    quarters = "1:" + "".join(reading(BEGIN + 900 * n, 900, 25) for n in range(8))
    rows = read(feed(hours, quarters, types=kind(1, **WATT_HOURS) + kind(2, **WATT_HOURS)))
    assert [row["step_s"] for row in rows if not row.get("covered")] == ["900"] * 8
    assert [row["step_s"] for row in rows if row.get("covered")] == ["3600"] * 2


def test_a_reading_type_may_come_behind_its_blocks() -> None:
    block = "1:" + reading(BEGIN, 900, 1234)
    said = {"uom": "38", "flowDirection": "19", "powerOfTenMultiplier": "3"}
    [row] = read(feed(block, last=kind(1, **said)))
    assert (row["value"], row["power"], row["unit"], row["direction"], row["channel"]) == (
        "308500", "1234000", "Wh", "production", "1-0:2.29.0"
    )  # fmt: skip


@pytest.mark.parametrize(
    ("said", "block", "doubt"),
    [
        (WATT_HOURS | {"uom": "999"}, reading(BEGIN, 900, 1), "the uom is '999'"),
        (WATT_HOURS | {"powerOfTenMultiplier": "99"}, reading(BEGIN, 900, 1), "the multiplier is '99'"),
        (WATT_HOURS | {"flowDirection": "7"}, reading(BEGIN, 900, 1), "the direction is '7'"),
        (WATT_HOURS | {"accumulationBehaviour": "3"}, reading(BEGIN, 900, 1), "the accumulation behaviour is '3'"),
        (WATT_HOURS, reading(BEGIN, 0, 1), "'0' is no duration"),
        (WATT_HOURS, reading(10**15, 900, 1), "'1000000000000000' is no instant"),
        (WATT_HOURS, reading(BEGIN, 900, 1, "10"), "the quality is questionable"),
    ],
)
def test_what_cannot_be_read_of_a_feed_is_doubted(said: dict[str, str], block: str, doubt: str) -> None:
    [row] = read(feed("1:" + block, types=kind(1, **said)))
    assert row["doubt"] == doubt


def test_indexes_of_a_feed_are_readings() -> None:
    data = feed("1:" + reading(BEGIN, 0, 5, "14"), types=kind(1, **WATT_HOURS, accumulationBehaviour="9"))
    [row] = read(data, "readings")
    assert (row["at"], row["value"], row["channel"], row["nature"]) == ("2026-01-01T00:00:00Z", "5", "1-0:1.8.0", "R")
    assert refused(data) == "WRONG_FLOW the feed has no intervals"


def test_the_local_time_of_a_place_follows_its_rules() -> None:
    there = local_time(
        {"dstEndRule": "B40E2000", "dstOffset": "3600", "dstStartRule": "360E2000", "tzOffset": "-18000"}
    )
    assert there is not None
    hours = {
        at: there.offset(datetime.fromisoformat(at).replace(tzinfo=UTC)).total_seconds() / 3600
        for at in ("2026-03-08T06:59:59", "2026-03-08T07:00:00", "2026-11-01T05:59:59", "2026-11-01T06:00:00")
    }
    assert list(hours.values()) == [
        -5,
        -4,
        -4,
        -5,
    ]  # the second Sunday of March, the first of November, at 2 local time


# ---- MSCONS


@pytest.mark.parametrize("path", sorted((ENERGY / "mscons" / "msconsconverter").iterdir()), ids=lambda path: path.name)
def test_every_value_of_every_mscons_file(path: Path) -> None:
    data = path.read_bytes()
    rows = read(data)
    same(rows, mscons(data.decode()))
    doubts = Counter(row["doubt"] for row in rows if row["doubt"])
    ends_before = {"segment 5676: a value without a time, or of none": 1}  # 16:45 to 16:00
    assert doubts == ({} if "Multiple" in path.name else ends_before)


@pytest.mark.parametrize(
    ("qualifier", "function", "value", "nature"),
    [
        ("220", "9", "1500", "R"),
        ("67", "9", "1500", "E"),
        ("201", "9", "1500", "E"),
        ("20", "9", "", ""),
        ("220", "1", "0", "R"),
    ],
)
def test_qualifiers_say_what_a_value_is(qualifier: str, function: str, value: str, nature: str) -> None:
    [row] = read(message(TIMED.format(qualifier, "1,5"), function))
    assert (row["value"], row["nature"], row["quality"], row["channel"]) == (value, nature, qualifier, "1-1:1.29.0")
    original, replaced = (read(message(TIMED.format("220", "1"), code))[0]["version"] for code in ("9", "5"))
    assert int(replaced) > int(original)


def test_a_swiss_step_is_told_once() -> None:
    values = "DTM+163:202601312300?+00:303'DTM+672:15:806'QTY+220:1,5:KWH'QTY+220:2:KWH'"
    rows = read(message(values))
    assert [(row["start"], row["value"]) for row in rows] == [
        ("2026-01-31T23:00:00Z", "1500"),
        ("2026-01-31T23:15:00Z", "2000"),
    ]


def test_each_series_of_a_point_begins_where_its_time_does() -> None:
    series = "QTY+220:1:KWH'QTY+220:2:KWH'"
    begin = "DTM+163:202601312300?+00:303'DTM+164:202601312330?+00:303'DTM+672:15:806'"
    rows = read(message(begin + series + "LIN+2'PIA+5+1-1?:2.29.0:SRW'" + series + "QTY+220:3:KWH'"))
    assert [(row["channel"], row["start"][11:16], row["value"]) for row in rows[:4]] == [
        (channel, start, value)
        for channel in ("1-1:1.29.0", "1-1:2.29.0")
        for start, value in (("23:00", "1000"), ("23:15", "2000"))
    ]
    assert rows[4]["doubt"].endswith("a value behind the end of its series")


@pytest.mark.parametrize(
    ("channel", "unit", "measure", "value"),
    [
        ("1-1?:1.6.0", "KWT", "EA_demand", ("100000", "W")),
        ("1-1?:1.6.0", "", "EA_demand", ("100000", "W")),
        ("1-1?:1.29.0", "KWH", "EA_total", ("100000", "Wh")),
        ("1-1?:1.8.0", "KWH", "EA_total", ("100000", "Wh")),
    ],
)
def test_demand_and_totals_are_no_curves(channel: str, unit: str, measure: str, value: tuple[str, str]) -> None:
    month = f"QTY+220:100:{unit}'DTM+163:202512312300?+00:303'DTM+164:202601312300?+00:303'"
    [row] = read(message(month).replace("1-1?:1.29.0", channel))
    assert (row["measure"], (row["value"], row["unit"]), row["net"], row["doubt"]) == (measure, value, value[0], "")


def test_what_has_no_value_takes_back_what_had_one() -> None:
    assert [row["net"] for row in read(message(TIMED.format("20", "1,5")))] == ["0"]
    assert [row["net"] for row in read(message(TIMED.format("220", "1,5"), "1"))] == ["0"]
    null = read(HEAD + STREAM + DAY.replace(",A,", ",N,") + "900\n")
    assert {(row["value"], row["net"]) for row in null} == {("", "0")}


def test_times_without_an_offset_need_a_zone() -> None:
    values = "QTY+220:1:KWH'DTM+163:202607010000:203'DTM+164:202607010015:203'"
    [row] = read(message(values))
    assert row["doubt"] == "segment 8: DTM 163 is '202607010000'"
    [row] = read(message(values), zone="Europe/Berlin")
    assert (row["start"], row["doubt"]) == ("2026-06-30T22:00:00Z", "")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            message(TIMED.format("220", "1"), more=1),
            "line 1, segment 11: UNT counts 11 segments, but the message has 10",
        ),
        (message("").replace("UNZ+1", "UNZ+2"), "line 1, segment 9: UNZ counts 2 messages, but the interchange has 1"),
        (
            message("").replace("UNZ+1+REF1", "UNZ+1+REF2"),
            "line 1, segment 9: UNZ is of the interchange 'REF2', but UNB of 'REF1'",
        ),
        (message("").replace("+1'UNZ", "+9'UNZ"), "line 1, segment 8: UNT is of the message '9', but UNH of '1'"),
        (message("")[:-3], "line 1, segment 9: 'UNZ+1+RE' does not end"),
        (message("").replace("UNZ+1+REF1'", ""), "line 1, segment 8: the interchange does not end with UNZ"),
        (message("") + "\n" + "UNB+UNOC:3'", "line 2, segment 10: UNB behind UNZ"),
        (message("", "3"), "line 1, segment 3: '3' is no function of a message"),
    ],
)
def test_an_unbalanced_interchange_is_refused(text: str, told: str) -> None:
    assert refused(text) == f"MALFORMED_METER_DATA {told}"


def test_marks_of_una_are_honoured() -> None:
    usual = message(TIMED.format("220", "1,5"))
    other = (
        usual[9:]
        .translate(str.maketrans({"'": "~", "+": "|", ":": "#", "?": "!"}))
        .replace("!|", "!+")
        .replace("1-1!#", "1-1:")
    )
    assert read("UNA#|,! ~" + other) == read(usual)


# ---- P1


@pytest.mark.parametrize("path", sorted((ENERGY / "be_nl").iterdir()), ids=lambda path: path.name)
def test_every_reading_of_every_telegram(path: Path) -> None:
    data = path.read_bytes()
    rows = read(data, "readings")
    same(rows, dsmr_p1(data.decode()))
    assert rows == read(data.replace(b"\r\n", b"\n"), "readings")  # a file that lost its CR
    assert not any(row["doubt"] for row in rows)


def test_low_is_the_first_tariff_here_and_the_second_there() -> None:
    classes = {
        path.stem: [
            row["time_class"] for row in read(path.read_bytes(), "readings") if row["channel"].startswith("1-0:1.8.")
        ]
        for path in (ENERGY / "be_nl").iterdir()
    }
    assert classes == {
        "dsmr_telegram_fluvius_v171": ["normal", "low"],
        "dsmr_telegram_v4_2": ["low", "normal"],
        "dsmr_telegram_v5": ["low", "normal"],
    }


def test_a_wrong_checksum_refuses_or_parks() -> None:
    assert crc16(b"123456789") == 0xBB3D  # the check value of CRC-16/ARC
    data = (ENERGY / "be_nl" / "dsmr_telegram_v5.txt").read_bytes()
    wrong = data.replace(b"000004.426", b"000004.427")
    told = "the checksum is 6EEE, but that of the telegram is "
    assert refused(wrong.decode(), "readings").startswith(f"MALFORMED_METER_DATA line 1: {told}")
    rows = read(data + wrong, "readings", strict=False)
    assert [bool(row["doubt"]) for row in rows] == [False] * 5 + [True] * 5


def test_what_is_no_whole_telegram_is_refused() -> None:
    data = (ENERGY / "be_nl" / "dsmr_telegram_v5.txt").read_bytes().decode()
    assert refused(data + "noise\r\n" + data, "readings").startswith(
        "MALFORMED_METER_DATA line 41: b'noise' stands in no"
    )
    assert refused(data[:200], "readings").startswith("MALFORMED_METER_DATA line 1: '/ISk5")


# ---- units


@pytest.mark.parametrize(
    ("value", "unit", "step_s", "found"),
    [
        ("1.5", "KWH", 900, ("1500", "Wh")),
        ("1.5", "kW", 900, ("375", "Wh")),
        ("2", "MVArh", 900, ("2000000", "VArh")),
        ("1", "ft3", 900, ("0.028316846592", "m3")),
        ("7", "therm", 900, ("7", "therm")),
        ("1", "W", 7, ("0.001944", "Wh")),
        ("x", "kWh", 900, ("x", "Wh")),
    ],
)
def test_units_are_normalised(value: str, unit: str, step_s: int, found: tuple[str, str]) -> None:
    assert counted(value, unit, step_s) == found


def test_an_unknown_unit_stays() -> None:
    assert unit_of("Furlong") == (Decimal(1), "Furlong")


# ---- other files


@pytest.mark.parametrize(
    ("data", "records"), [("hello\n", "intervals"), ("/ISk5x\n\n!\n", "intervals"), ("{}", "readings")]
)
def test_another_flow_is_refused(data: str, records: str) -> None:
    assert refused(data, records).startswith("WRONG_FLOW")


def test_an_empty_file_has_no_records() -> None:
    assert read(" \n") == []
