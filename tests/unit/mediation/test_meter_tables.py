"""Tables of meter data: local times around changes of clocks, days in rows, what is parked; and demand over rolling windows."""

from __future__ import annotations

import io
from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError

from pipelines.mediation.columns.rows import Row
from pipelines.mediation.failures import UnableToDecodeFile
from pipelines.mediation.intervals.decoder import read_rows
from pipelines.mediation.intervals.demand import with_demand
from pipelines.mediation.intervals.flows import Asked
from schemas.source_meters import MeterDataSource, MeterTable

ACTIVE = {"channel": "1-0:1.29.0", "unit": "kWh"}
LONG: dict[str, Any] = {
    "columns": {"start": "at", "value": "v"}, "point": "P", "step_minutes": 30, "series": {"a": ACTIVE},
}  # fmt: skip
QUARTERS = ";".join(f"q{n}" for n in range(100))
DAYS: dict[str, Any] = {
    "layout": "day", "columns": {"start": "day"}, "point": "P", "step_minutes": 15, "first_step": "q0", "pattern": "YYYY-MM-DD",
    "decimal": ",", "series": {"a": ACTIVE},
}  # fmt: skip


def read(
    text: str, table: dict[str, Any], records: Any = "intervals", zone: str | None = "Europe/Brussels"
) -> list[Row]:
    """Return the records of a table."""
    asked = Asked(records, True, zone, MeterTable.model_validate(table))
    return list(read_rows(io.BytesIO(text.encode()), asked))


def test_the_hour_that_comes_twice_is_told_by_order() -> None:
    clocks = ["01:30", "02:00", "02:30", "02:00", "02:30", "03:00"]
    rows = read("at;v\n" + "".join(f"2026-10-25 {clock};1\n" for clock in clocks), LONG)
    assert [row["start"][11:16] for row in rows] == ["23:30", "00:00", "00:30", "01:00", "01:30", "02:00"]
    assert [row["end"][11:16] for row in rows] == ["00:00", "00:30", "01:00", "01:30", "02:00", "02:30"]
    assert not any(row["doubt"] for row in rows)


def test_a_time_that_the_clock_jumps_over_is_doubted() -> None:
    rows = read("at;v\n2026-03-29 01:30;1\n2026-03-29 02:30;1\n2026-03-29 03:00;1\n", LONG)
    assert [row["doubt"] for row in rows] == ["", "'2026-03-29 02:30' is no time of Europe/Brussels", ""]


def test_stamps_at_the_end_and_ends_of_their_own() -> None:
    [row] = read("at;v\n2026-01-15 00:30;1\n", LONG | {"stamp": "end"})
    assert (row["start"], row["end"]) == ("2026-01-14T23:00:00Z", "2026-01-14T23:30:00Z")
    ended = {"columns": {"start": "at", "end": "to", "value": "v"}, "point": "P", "series": {"a": ACTIVE}}
    rows = read("at;to;v\n2026-10-25 02:45;2026-10-25 02:00;1\n2026-01-15 02:00;2026-01-15 01:00;1\n", ended)
    assert (rows[0]["step_s"], rows[0]["doubt"]) == ("900", "")  # the second 02:00
    assert rows[1]["doubt"] == "an interval without an end, or that ends before it starts"


@pytest.mark.parametrize(
    ("day", "values", "first", "last"),
    [
        ("2026-01-15", 96, "2026-01-14T23:00:00Z", "2026-01-15T22:45:00Z"),
        ("2026-03-29", 92, "2026-03-28T23:00:00Z", "2026-03-29T21:45:00Z"),
        ("2026-10-25", 100, "2026-10-24T22:00:00Z", "2026-10-25T22:45:00Z"),
    ],
)
def test_a_day_has_as_many_steps_as_its_clock(day: str, values: int, first: str, last: str) -> None:
    rows = read(f"day;{QUARTERS}\n{day};{';'.join(['0,25'] * values)}\n", DAYS)
    assert len(rows) == values
    assert (rows[0]["start"], rows[-1]["start"]) == (first, last)
    assert len({row["start"] for row in rows}) == values
    assert {row["value"] for row in rows} == {"250"}
    assert not any(row["doubt"] for row in rows)


def test_values_in_the_hour_that_a_day_lacks_are_doubted() -> None:
    rows = read(f"day;{QUARTERS}\n2026-03-29;{';'.join(['1'] * 96)}\n", DAYS)
    assert [place for place, row in enumerate(rows) if row["doubt"]] == [8, 9, 10, 11]
    [row] = read(f"day;{QUARTERS}\n2026-02-30;1\n", DAYS)
    assert row["doubt"] == "'2026-02-30' is no day"


@pytest.mark.parametrize(
    ("text", "doubt"),
    [
        ("2026-01-15 00:00;x", "'x' is no value"),
        ("15/01/2026;1", "'15/01/2026' is no time of the pattern YYYY-MM-DD hh:mm"),
    ],
)
def test_what_cannot_be_read_is_doubted(text: str, doubt: str) -> None:
    [row] = read(f"at;v\n{text}\n", LONG)
    assert row["doubt"] == doubt


def test_a_series_that_is_not_named_and_a_column_that_is_missing() -> None:
    several = LONG | {"columns": {"start": "at", "value": "v", "series": "s"}}
    rows = read("at;v;s\n2026-01-15 00:00;1;a\n2026-01-15 00:00;1;b\n", several)
    assert [row["doubt"] for row in rows] == ["", "the series is 'b', which the table does not name"]
    with pytest.raises(UnableToDecodeFile) as told:
        read("at;w\n", LONG)
    assert told.value.code == "MISSING_COLUMN"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"zone": None}, "instants without an offset have a `zone`"),
        ({"records": "readings", "demand_minutes": 30}, "only intervals have a demand"),
        ({"demand_windows": "fixed"}, "fixed windows have `demand_minutes` that divide a day"),
        ({"demand_windows": "fixed", "demand_minutes": 50}, "fixed windows have `demand_minutes` that divide a day"),
        ({"demand_to": "d", "demand_minutes": 30}, "`demand_to` is of intervals"),
        ({"demand_to": "d", "records": "readings"}, "`demand_to` is of intervals"),
        ({"cut_minutes": 5, "records": "readings"}, "only intervals are cut"),
        ({"cut_minutes": 5, "demand_minutes": 30}, "demand is of whole intervals"),
        ({"cut_minutes": 7}, "Input should be 1, 5, 10, 15, 30 or 60"),
        ({"table": LONG | {"point": ""}}, "say either which column is the `point`"),
        ({"table": LONG | {"step_minutes": None}}, "intervals have `step_minutes`"),
        ({"table": LONG | {"series": {"a": ACTIVE, "b": ACTIVE}}}, "with several `series`"),
        ({"table": LONG | {"columns": {"start": "at"}}}, "has the columns value"),
        ({"table": DAYS | {"first_step": None}}, "a table of days has intervals"),
    ],
)
def test_a_source_that_contradicts_itself_is_refused(change: dict[str, Any], told: str) -> None:
    mapping = {
        "identity": ["point", "start"], "access_point": "point", "time": {"field": "start"},
        "quantity": {"field": "value", "unit": "Wh"}, "event_type": {"constant": "e"},
    }  # fmt: skip
    source = {
        "kind": "source",
        "code": "s",
        "format": "meter_data",
        "records": "intervals",
        "zone": "Europe/Brussels",
        "table": LONG,
    }
    MeterDataSource.model_validate(source | {"mapping": mapping})
    with pytest.raises(ValidationError, match=told):
        MeterDataSource.model_validate(source | {"mapping": mapping} | change)
    MeterDataSource.model_validate(source | {"mapping": mapping, "cut_minutes": 5})
    for identity in (["point"], ["point", "start", "end"]):
        with pytest.raises(ValidationError, match="grains of steps of any length have one identity"):
            MeterDataSource.model_validate(source | {"mapping": mapping | {"identity": identity}, "cut_minutes": 5})


def interval(minute: int, value: str, doubt: str = "") -> Row:
    """Return a quarter of an hour."""
    return {
        "point": "P", "channel": "c", "start": f"2026-01-15T{minute // 60:02}:{minute % 60:02}:00Z",
        "end": f"2026-01-15T{(minute + 15) // 60:02}:{(minute + 15) % 60:02}:00Z", "value": value, "doubt": doubt,
    }  # fmt: skip


def test_demand_rolls_from_interval_to_interval() -> None:
    values = [100, 200, 400, 300, 0, 50]
    rows = [interval(15 * place, str(value)) for place, value in enumerate(values)]
    for window, steps in ((15, 1), (30, 2), (60, 4)):
        found = [row["demand"] for row in next(with_demand(iter([rows]), 60 * window))]
        slow = [
            str(Decimal(sum(values[place - steps + 1 : place + 1])) * 60 / window) if place >= steps - 1 else ""
            for place in range(len(values))
        ]
        assert [Decimal(one) if one else None for one in found] == [Decimal(one) if one else None for one in slow]


def test_a_gap_a_doubt_or_no_value_ends_a_window() -> None:
    for broken in (interval(30, "5", "doubted"), interval(30, ""), interval(45, "5")):
        rows = [interval(0, "1"), interval(15, "2"), broken, interval(60, "3"), interval(75, "4")]
        found = [row["demand"] for row in next(with_demand(iter([rows]), 1800))]
        wanted = ["", "6", "", "16" if broken["start"] == "2026-01-15T00:45:00Z" and not broken["doubt"] else "", "14"]
        assert found == wanted
