"""Clocks of the kernels against zoneinfo and datetime."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rating_world import instant

from rating.kernels.layout import PERIOD_DAY, PERIOD_EVER, PERIOD_MONTH, PERIOD_YEAR
from rating.kernels.local_time import local_instant, months_since_1970, period_around, period_number, quarter_of_day
from rating.zones import UnableToReadZone, zone_buckets, zone_transitions
from schemas.cdr import TIMESTAMP_MAX_US, TIMESTAMP_MIN_US

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ZONES = (
    "UTC",
    "Europe/Paris",
    "America/Sao_Paulo",
    "America/Boa_Vista",  # two changes within a week in October 2000
    "Africa/Casablanca",  # a clock that follows the moon
    "Australia/Lord_Howe",  # half an hour of summer time
    "Pacific/Apia",  # a day that never was
    "Asia/Kathmandu",
)


def tables(*zones: str) -> tuple[np.ndarray, ...]:
    """Return zone_ptr, zone_bucket, zone_instant, zone_offset of some zones."""
    each = [zone_transitions(zone) for zone in zones]
    ptr = np.cumsum([0, *(len(instants) for instants, _ in each)]).astype(np.int32)
    bucket = np.array(
        [start + zone_buckets(instants) for start, (instants, _) in zip(ptr, each, strict=False)], np.int32
    )
    return ptr, bucket, np.concatenate([one[0] for one in each]), np.concatenate([one[1] for one in each])


TABLES = tables(*ZONES)


def local_by_zoneinfo(zone: str, at: int) -> int:
    local = (EPOCH + timedelta(microseconds=at)).astimezone(ZoneInfo(zone)).replace(tzinfo=UTC)
    return (local - EPOCH) // timedelta(microseconds=1)


@given(zone=st.integers(0, len(ZONES) - 1), at=st.integers(TIMESTAMP_MIN_US, TIMESTAMP_MAX_US - 1))
def test_local_time_is_zoneinfos(zone: int, at: int) -> None:
    assert local_instant(np.int64(at), zone, *TABLES) == local_by_zoneinfo(ZONES[zone], at)


@pytest.mark.parametrize("zone", ZONES)
def test_local_time_is_zoneinfos_around_every_change(zone: str) -> None:
    instants, offsets = zone_transitions(zone)
    assert all(low != high for low, high in pairwise(offsets.tolist()))
    for change in instants[1:].tolist():
        for at in (change - 1, change, change + 1):
            assert local_instant(np.int64(at), ZONES.index(zone), *TABLES) == local_by_zoneinfo(zone, at)


def test_paris_changes_twice_a_year() -> None:
    instants, offsets = zone_transitions("Europe/Paris")
    assert len(instants) == 201
    assert instant("2026-03-29T01:00:00Z") in instants
    assert instant("2026-10-25T01:00:00Z") in instants
    assert set(offsets.tolist()) == {3_600_000_000, 7_200_000_000}


@pytest.mark.parametrize("zone", ["Europe/Pariss", "", "../etc/passwd", "/etc/passwd"])
def test_an_unknown_zone_is_refused(zone: str) -> None:
    with pytest.raises(UnableToReadZone, match="time zone"):
        zone_transitions(zone)


def test_months_of_every_day_until_2100() -> None:
    day = datetime(1970, 1, 1, tzinfo=UTC)
    for number in range(47_482):
        assert months_since_1970(np.int64(number)) == (day.year - 1970) * 12 + day.month - 1
        day += timedelta(days=1)


@given(at=st.integers(TIMESTAMP_MIN_US, TIMESTAMP_MAX_US - 1))
def test_periods_and_quarters_are_the_calendars(at: int) -> None:
    local = EPOCH + timedelta(microseconds=at)
    assert period_number(PERIOD_DAY, np.int64(at)) == (local - EPOCH).days
    assert period_number(PERIOD_MONTH, np.int64(at)) == (local.year - 1970) * 12 + local.month - 1
    assert period_number(PERIOD_YEAR, np.int64(at)) == local.year - 1970
    assert period_number(PERIOD_EVER, np.int64(at)) == 0
    assert quarter_of_day(np.int64(at)) == local.hour * 4 + local.minute // 15


@given(
    zone=st.integers(0, len(ZONES) - 1), at=st.integers(TIMESTAMP_MIN_US, TIMESTAMP_MAX_US - 1), kind=st.integers(0, 3)
)
def test_all_around_an_instant_is_in_its_period(zone: int, at: int, kind: int) -> None:
    number, start, end = period_around(np.int64(at), kind, zone, *TABLES)
    assert start <= at < end

    def period_at(when: int) -> int:
        return int(period_number(kind, local_instant(np.int64(when), zone, *TABLES)))

    inside = [at, max(start, TIMESTAMP_MIN_US), min(end, TIMESTAMP_MAX_US) - 1]
    assert {period_at(when) for when in inside} == {int(number)}
    if end < TIMESTAMP_MAX_US and end not in TABLES[2]:
        assert period_at(int(end)) == number + 1
    if start > TIMESTAMP_MIN_US and start not in TABLES[2]:
        assert period_at(int(start) - 1) == number - 1
