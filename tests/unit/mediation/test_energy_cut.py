"""Quantities cut at the first of a month: parts add up, meet, and are by days; what may not be billed any more says so."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rating_world import catalog_from

from billing.catalog.models import UnableToLoadCatalog
from billing.catalog.templates import find_template
from pipelines.mediation.enedis.cut import PIECES_MAX, cut_rows
from schemas.energy import Quantity

PARIS = ZoneInfo("Europe/Paris")
GAS = timedelta(hours=6)
FIRST = datetime(2023, 1, 1, tzinfo=UTC)


def _row(start: str, end: str, value: str, **more: str) -> dict[str, str]:
    return {"start": start, "end": end, "value": value, "net": value, **more}


def _parts(
    row: dict[str, str], day_starts: timedelta = timedelta(0), months: int | None = None
) -> list[tuple[str, ...]]:
    return [
        (part["start"], part["end"], part["value"], part.get("beyond", ""))
        for part in cut_rows(iter([row]), day_starts=day_starts, months_max=months)
    ]


def test_a_period_over_a_change_of_excise_is_shared_by_days() -> None:
    """17 days of January and 14 of February, of 310 kWh."""
    row = _row("2025-01-14T23:00:00Z", "2025-02-14T23:00:00Z", "310000")
    assert _parts(row) == [
        ("2025-01-14T23:00:00Z", "2025-01-31T23:00:00Z", "170000", ""),
        ("2025-01-31T23:00:00Z", "2025-02-14T23:00:00Z", "140000", ""),
    ]


def test_gas_is_cut_where_its_day_begins() -> None:
    row = _row("2025-06-15T04:00:00Z", "2025-08-15T04:00:00Z", "610000")
    assert [part[:3] for part in _parts(row, GAS)] == [
        ("2025-06-15T04:00:00Z", "2025-07-01T04:00:00Z", "160000"),
        ("2025-07-01T04:00:00Z", "2025-08-01T04:00:00Z", "310000"),
        ("2025-08-01T04:00:00Z", "2025-08-15T04:00:00Z", "140000"),
    ]


@pytest.mark.parametrize(
    "row",
    [
        _row("2025-01-31T23:00:00Z", "2025-02-28T23:00:00Z", "5"),
        _row("2025-02-01T10:00:00Z", "2025-02-01T17:00:00Z", "5"),
    ],
)
def test_what_lies_in_one_month_stays_whole(row: dict[str, str]) -> None:
    (part,) = cut_rows(iter([row]))
    assert part == {**row, "period_start": row["start"], "period_end": row["end"]}
    assert list(cut_rows(iter([part]))) == [part]


@pytest.mark.parametrize(
    "row",
    [
        _row("soon", "2025-02-28T23:00:00Z", "5"),
        _row("2025-03-31T23:00:00Z", "2025-02-28T23:00:00Z", "5"),
        _row("2025-01-31T23:00:00Z", "2025-05-28T23:00:00Z", "a lot"),
    ],
)
def test_what_is_no_period_or_number_is_left_to_be_refused(row: dict[str, str]) -> None:
    assert list(cut_rows(iter([row]))) == [row]


def test_a_period_of_centuries_is_doubtful_and_bounded() -> None:
    (part,) = cut_rows(iter([_row("0001-01-01T00:00:00Z", "9998-01-01T00:00:00Z", "5")]))
    assert part["doubt"].startswith("a period of")
    assert PIECES_MAX == 240


def test_energy_of_more_than_14_months_before_its_reading_says_so() -> None:
    """20 months at a meter nobody could read: the first six may not be billed, unless access was refused."""
    row = _row("2024-01-09T23:00:00Z", "2025-09-09T22:00:00Z", "609000", created_at="2025-09-10T05:00:00Z")
    parts = _parts(row, months=14)
    beyond = [part for part in parts if part[3]]
    assert beyond[-1][:2] == ("2024-06-30T22:00:00Z", "2024-07-09T22:00:00Z")
    assert parts[len(beyond)][0] == "2024-07-09T22:00:00Z"
    assert beyond[0][3] == "longer than 14 months before 2025-09-10"
    assert all(part[3] == "" for part in _parts({**row, "net": "0", "status": "A"}, months=14))
    assert all(part[3] == "" for part in _parts({**row, "net": "-609000"}, months=14))


@settings(max_examples=60)
@given(
    start=st.integers(0, 900), days=st.integers(0, 500), hour=st.integers(0, 23), value=st.integers(-(10**9), 10**9),
    gas=st.booleans(),
)  # fmt: skip
def test_parts_meet_and_add_up(start: int, days: int, hour: int, value: int, gas: bool) -> None:
    low = FIRST + timedelta(days=start, hours=hour)
    high = low + timedelta(days=days, hours=1)
    row = _row(f"{low:%Y-%m-%dT%H:%M:%SZ}", f"{high:%Y-%m-%dT%H:%M:%SZ}", str(value))
    parts = _parts(row, GAS if gas else timedelta(0))
    assert sum(Decimal(part[2]) for part in parts) == value
    assert [part[0] for part in parts[1:]] == [part[1] for part in parts[:-1]]
    assert (parts[0][0], parts[-1][1]) == (row["start"], row["end"])
    inner = [datetime.fromisoformat(part[0]).astimezone(PARIS) for part in parts[1:]]
    assert all((at.day, at.hour) == (1, 6 if gas else 0) for at in inner)
    mirrored = _parts({**row, "value": str(-value), "net": str(-value)}, GAS if gas else timedelta(0))
    assert [Decimal(part[2]) for part in mirrored] == [-Decimal(part[2]) for part in parts]
    for low_at, high_at, share, _ in parts[1:-1]:  # by days: whole months of a quantity that is even
        months = (datetime.fromisoformat(high_at) - datetime.fromisoformat(low_at)).days
        assert (
            abs(Decimal(share) - Decimal(value) * months / max(days, 1)) <= abs(Decimal(value)) / max(days, 1) * 2 + 1
        )


def test_parts_are_quantities_as_records_have_them() -> None:
    row = _row("2025-01-14T23:00:00Z", "2025-02-14T23:00:00Z", "310000", flow="R15", point="1", version="1", unit="Wh",
               measure="consumption", direction="consumption", status="I")  # fmt: skip
    for part in cut_rows(iter([row])):
        assert Quantity.model_validate(part).period_end == datetime(2025, 2, 14, 23, tzinfo=UTC)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("records: quantities", "records: intervals", "only quantities have periods to cut"),
        ("cut: month\n", "", "asks for `cut: month`"),
        (", start]", "]", "add `start` to the identity"),
    ],
)
def test_what_cannot_be_cut_is_told(old: str, new: str, message: str) -> None:
    text = find_template("enedis_r15_operations").text
    assert old in text
    with pytest.raises(UnableToLoadCatalog) as caught:
        catalog_from(text.replace(old, new, 1))
    assert any(message in str(problem) for problem in caught.value.problems)
