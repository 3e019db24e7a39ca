"""Hostile meter data: dates and numbers at the ends of what there is become doubts, and nothing takes long."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest
from meter_messages import BEGIN, TIMED, WATT_HOURS, feed, kind, message, read, reading

from pipelines.mediation.espi import parser
from pipelines.mediation.failures import UnableToDecodeFile
from pipelines.mediation.grdf.table import clock_reader
from pipelines.mediation.intervals.demand import _local
from pipelines.mediation.intervals.profile import _local_day
from pipelines.mediation.intervals.profiled import _offset
from schemas.source_meters import MeterTable


def table(**more: object) -> MeterTable:
    """Return a table with one series."""
    said = {"point": "P", "series": {"x": {"channel": "1-0:1.29.0", "unit": "kWh"}}}
    return MeterTable.model_validate(said | more)


def test_a_date_that_no_instant_has_is_a_doubt() -> None:
    for start, told in (("000101010000?+01", "DTM 163 is '000101010000+01'"), ("000101010000?+00", "")):
        values = TIMED.replace("202601312300?+00", start, 1).replace("202601312315", "000101010015").format("220", "1")
        [row] = read(message(values))
        assert row["doubt"].endswith(told)
    [row] = read(message("DTM+163:999912312359?+00:303'DTM+672:15:806'QTY+220:2:KWH'"))
    assert row["doubt"].endswith("a value without a time, or of none")


def test_a_day_of_a_table_at_the_end_of_years_is_none() -> None:
    day = "31/12/9999"
    days = table(layout="day", columns={"start": "G"}, first_step="a", step_minutes=720, pattern="DD/MM/YYYY")
    [row] = read(f"G;a;b\n{day};1;2\n", table=days, zone="Europe/Rome")
    assert row["doubt"] == f"'{day}' is no day"
    long = table(columns={"start": "G", "value": "a"}, step_minutes=15, pattern="DD/MM/YYYY")
    [row] = read(f"G;a\n{day};1\n", table=long, zone="America/New_York")
    assert row["doubt"] == f"'{day}' is no time of the pattern DD/MM/YYYY"


@pytest.mark.parametrize("power", ["000099999999", "000070", "00012"])
def test_a_long_power_of_ten_is_a_doubt(power: str) -> None:
    [row] = read(feed("1:" + reading(BEGIN, 900, 1), types=kind(1, **WATT_HOURS | {"powerOfTenMultiplier": power})))
    assert row["doubt"] == f"the multiplier is '{power}'"


def test_the_last_instants_have_no_local_time() -> None:
    row = {"start": "9999-12-31T13:30:00Z"}
    assert "has no local time" in _local(row, ZoneInfo("Australia/Sydney"))["doubt"]
    assert _local_day(253_402_263_000 // 900, _offset("Australia/Sydney")) == 253_402_263_000 // 86_400


@pytest.mark.parametrize(
    ("put", "told"),
    [
        ("<a b='" + "x" * (1 << 18), "what begins there is longer than 65536 bytes"),
        ("<!--" + "x" * (1 << 18), "what begins there is longer than 65536 bytes"),
        ("<" + "x" * 5000 + ">", "the name of an element is too long"),
        ("<entry>" + "<link rel='a' href='b'/>" * 1001, "an entry has more than 1000 links"),
        (f"<entry><link rel='{'r' * 5000}' href='b'/>", "a link is too long"),
    ],
)
def test_what_a_feed_keeps_has_a_bound(put: str, told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parser, "ELEMENT_BYTES_MAX", 1 << 16)
    with pytest.raises(UnableToDecodeFile, match=told) as refused:
        read("<feed>" + put)
    assert refused.value.code == "RECORD_TOO_LONG"


def test_a_year_of_four_digits_is_that_year() -> None:
    for pattern, said, year in (
        ("YYYY-MM-DD", "0001-01-15", 1),
        ("YY-MM-DD", "01-01-15", 2001),
        ("YYYY-MM-DD", "0099-01-15", 99),
    ):
        found = clock_reader(pattern)(said)
        assert found is not None
        assert found.year == year
    assert clock_reader("YYYY-MM-DD")("0000-01-15") is None
