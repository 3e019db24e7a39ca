"""Event times and quantities read as datetime, zoneinfo and Decimal read them, bit for bit."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mediation_values import EPOCH, read_day_end, read_epoch, read_iso, read_quantity

from pipelines.mediation.kernels import quantities, timestamps
from pipelines.mediation.zones import ZoneTable, zone_table
from schemas.rejection import Reason

ZONES = (
    "UTC", "Europe/Paris", "America/New_York", "America/Sao_Paulo", "Australia/Lord_Howe", "Asia/Kathmandu",
    "Africa/Casablanca", "Pacific/Apia", "America/Caracas", "Europe/Dublin", "Antarctica/Troll",
)  # fmt: skip
TABLES: dict[str | None, ZoneTable] = {zone: zone_table(zone) for zone in ZONES}


def columns(texts: list[bytes]) -> tuple[Any, Any, Any]:
    """Return (text, start, end) of fields that lie side by side."""
    ends = np.cumsum([len(text) for text in texts]).astype(np.int32)
    lengths = np.array([len(text) for text in texts], np.int32)
    text = np.frombuffer(b"".join(texts) + bytes(64), np.uint8).copy()  # kernels may read after the last field
    return text, ends - lengths, ends


def _answers(value: Any, reason: Any) -> list[tuple[int, Reason]]:
    return [(int(number), Reason(int(code))) for number, code in zip(value, reason, strict=True)]


def kernel_iso(texts: list[bytes], zone: str | None) -> list[tuple[int, Reason]]:
    """Return (event_at, reason) of each text as the kernel reads it."""
    event_at, reason = np.full(len(texts), -1, np.int64), np.zeros(len(texts), np.uint16)
    table = ZoneTable(np.empty(0, np.int64), np.zeros(1, np.int64)) if zone is None else TABLES[zone]
    timestamps.read_iso(*columns(texts), False, zone is not None, table.thresholds, table.offsets, event_at, reason)
    return _answers(event_at, reason)


years = st.one_of(st.integers(1999, 2101), st.sampled_from([0, 1, 1970, 2024, 2026, 2100, 9999]))
two = st.one_of(st.integers(0, 31), st.integers(0, 99))
offsets = st.one_of(
    st.sampled_from(["", "", "Z", "z", "+02:00", "-0330", "+01", "+24:00", "+02:60", " +01:00", "+1", "UTC", "+002", "-00:00"]),
    st.builds(lambda sign, h, m, colon: f"{sign}{h:02d}{colon}{m:02d}", st.sampled_from("+-"), st.integers(0, 24),
              st.integers(0, 60), st.sampled_from(["", ":"])),
)  # fmt: skip
fractions = st.one_of(
    st.sampled_from(["", "", ".", ",", ".x"]),
    st.builds(
        lambda mark, digits: mark + digits, st.sampled_from(".,"), st.text("0123456789", min_size=1, max_size=11)
    ),
)


@st.composite
def iso_texts(draw: Any) -> bytes:
    """Return a time, right or nearly so; near a clock change now and then."""
    if draw(st.integers(0, 2)) == 0:  # an hour or so around 01:00 .. 03:00 in months that change clocks
        day = f"{draw(st.integers(2000, 2099)):04d}-{draw(st.sampled_from([3, 4, 9, 10, 11])):02d}-{draw(st.integers(1, 31)):02d}"
        hours = draw(st.integers(0, 4))
    else:
        day = f"{draw(years):04d}-{draw(st.one_of(st.integers(1, 12), two)):02d}-{draw(two):02d}"
        hours = draw(st.one_of(st.integers(0, 24), two))
    minutes, seconds = draw(st.one_of(st.integers(0, 60), two)), draw(st.one_of(st.integers(0, 60), two))
    text = (
        f"{day}{draw(st.sampled_from('TTT t_'))}{hours:02d}:{minutes:02d}:{seconds:02d}{draw(fractions)}{draw(offsets)}"
    )
    if draw(st.integers(0, 9)) == 0:
        at = draw(st.integers(0, len(text) - 1))
        text = text[:at] + draw(st.sampled_from(["", " ", "-", "9", "x", ":"])) + text[at + draw(st.integers(0, 1)) :]
    return text.encode()


@given(texts=st.lists(iso_texts(), min_size=1, max_size=25), zone=st.sampled_from([None, *ZONES]))
def test_iso_times_read_as_datetime_reads_them(texts: list[bytes], zone: str | None) -> None:
    assert kernel_iso(texts, zone) == [read_iso(text, zone) for text in texts]


@given(texts=st.lists(st.one_of(st.dates().map(str), st.text("0123456789-", max_size=11)).map(str.encode), max_size=25),
       zone=st.sampled_from(ZONES))  # fmt: skip
def test_days_end_as_datetime_says(texts: list[bytes], zone: str) -> None:
    event_at, reason = np.full(len(texts), -1, np.int64), np.zeros(len(texts), np.uint16)
    timestamps.read_day_end(*columns(texts), TABLES[zone].thresholds, TABLES[zone].offsets, event_at, reason)
    assert _answers(event_at, reason) == [read_day_end(text, zone) for text in texts]


COUNTS = (946_684_800, 4_102_444_800, 1_777_622_400, 0)
counts = st.one_of(
    st.builds(lambda base, unit, off: str(base * unit + off), st.sampled_from(COUNTS), st.sampled_from([1, 10**3, 10**6]),
              st.integers(-2, 2)),
    st.integers(-5, 10**20).map(str),
    st.text("0123456789.-+e ", max_size=24),
    st.builds("{}.{}".format, st.sampled_from(COUNTS), st.text("0123456789", max_size=12)),
)  # fmt: skip


@given(texts=st.lists(counts.map(str.encode), max_size=25), unit_us=st.sampled_from([1, 10**3, 10**6]))
def test_epoch_counts_read_as_integers_say(texts: list[bytes], unit_us: int) -> None:
    event_at, reason = np.full(len(texts), -1, np.int64), np.zeros(len(texts), np.uint16)
    timestamps.read_epoch(*columns(texts), unit_us, 1, event_at, reason)
    assert _answers(event_at, reason) == [read_epoch(text, unit_us) for text in texts]


FACTORS = (1, 7, 60, 10**3, 60_000, 2**30, 10**9, 10**9 + 1, 2**40, 10**12, 10**15)
digits = st.text("0123456789", max_size=12)
numbers = st.one_of(
    st.integers(0, 10**10).map(str),
    st.builds("{}{}.{}".format, st.sampled_from(["", "", "-", "+"]), digits, st.text("0123456789", max_size=20)),
    st.builds("{}.{}e{}".format, digits, digits, st.integers(-40, 40)),
    st.builds("{}E+{}".format, digits, digits),
    st.builds(lambda off, factor: str(2**62 // factor + off), st.integers(-12, 12), st.sampled_from(FACTORS)),
    st.builds(lambda off, zeros: f"{2**62 + off}{'0' * zeros}e-{zeros}", st.integers(-12, 12), st.integers(0, 30)),
    st.builds("0.{}5{}e{}".format, st.integers(0, 60).map(lambda n: "0" * n), digits, st.integers(-3, 80)),
    st.text("0123456789.-+eE ,_x", max_size=12),
    st.sampled_from(
        ["", ".", "-", "+", "e5", ".e5", "-.5", "5.", "1e", "1e+", "NaN", "inf", "0x10", "1_000", "1,5", "٣", "--1"]
    ),
)


@given(
    texts=st.lists(numbers.map(str.encode), max_size=25),
    factor=st.sampled_from(FACTORS),
    half_up=st.booleans(),
    signed=st.booleans(),
)
def test_quantities_read_as_decimal_says(texts: list[bytes], factor: int, half_up: bool, signed: bool) -> None:
    quantity, reason = np.full(len(texts), -1, np.int64), np.zeros(len(texts), np.uint16)
    kind, factors = np.zeros(len(texts), np.int32), np.array([factor], np.int64)
    quantities.read_quantities(*columns(texts), kind, factors, half_up, signed, quantity, reason)
    expected = [read_quantity(text, factor, half_up=half_up, signed=signed) for text in texts]
    assert _answers(quantity, reason) == expected


@given(texts=st.lists(numbers.map(str.encode), min_size=1, max_size=9))
def test_an_objection_found_before_stays(texts: list[bytes]) -> None:
    quantity, reason = np.full(len(texts), -1, np.int64), np.full(len(texts), Reason.INVALID_TIMESTAMP, np.uint16)
    kind, factors = np.zeros(len(texts), np.int32), np.array([1000], np.int64)
    quantities.read_quantities(*columns(texts), kind, factors, False, False, quantity, reason)
    assert set(reason.tolist()) == {Reason.INVALID_TIMESTAMP}


@pytest.mark.parametrize("zone", ZONES)
def test_every_change_of_a_clock_is_where_zoneinfo_has_it(zone: str) -> None:
    seconds = [
        int(t) + off for t in TABLES[zone].thresholds for off in (-7200, -3600, -1800, -1, 0, 1, 1800, 3600, 7200)
    ]
    texts = [(EPOCH + timedelta(seconds=second)).strftime("%Y-%m-%d %H:%M:%S").encode() for second in seconds]
    assert kernel_iso(texts, zone) == [read_iso(text, zone) for text in texts]
