"""Single values whose answer is worked out by hand: clocks that change, ends of ranges, the last digit of a quantity."""

from __future__ import annotations

import pytest
from mediation_values import read_day_end, read_epoch, read_iso, read_quantity
from mediation_world import CDR_HEADER, decode, delimited, event_at, quantity

from schemas.rejection import Reason

HOUR_US = 3_600_000_000
MAY_1_08_UTC = 1_777_622_400_000_000  # 20574 days and 8 hours
OCTOBER_25_UTC = 1_792_886_400_000_000  # 20751 days, 00:00Z; Paris goes from +2 to +1 at 01:00Z
MARCH_29_UTC = 1_774_742_400_000_000  # 20541 days, 00:00Z; Paris goes from +1 to +2 at 01:00Z

TIMES: list[tuple[str, str | None, int | Reason]] = [
    ("2026-05-01 10:00:00", "Europe/Paris", MAY_1_08_UTC),
    ("2026-05-01T10:00:00", None, Reason.TIMESTAMP_WITHOUT_ZONE),
    ("2026-05-01T10:00:00", "America/New_York", MAY_1_08_UTC + 6 * HOUR_US),
    ("2026-05-01T08:00:00Z", None, MAY_1_08_UTC),
    ("2026-05-01t08:00:00z", "Europe/Paris", MAY_1_08_UTC),
    ("2026-05-01T13:45:00+05:45", None, MAY_1_08_UTC),
    ("2026-05-01T0430:00-0330", None, Reason.INVALID_TIMESTAMP),
    ("2026-05-01T04:30:00-0330", None, MAY_1_08_UTC),
    ("2026-05-01T10:00:00+02", None, MAY_1_08_UTC),
    ("2026-05-01T08:00:00-00:00", None, MAY_1_08_UTC),
    ("2026-05-01T08:00:00.1Z", None, MAY_1_08_UTC + 100_000),
    ("2026-05-01T08:00:00,123456Z", None, MAY_1_08_UTC + 123_456),
    ("2026-05-01T08:00:00.123456999Z", None, MAY_1_08_UTC + 123_456),
    ("2026-05-01T08:00:00.0000009Z", None, MAY_1_08_UTC),
    ("2026-05-01T08:00:00.0000000001Z", None, Reason.INVALID_TIMESTAMP),
    ("2026-05-01T08:00:00.Z", None, Reason.INVALID_TIMESTAMP),
    ("2026-05-01T08:00:00 Z", None, Reason.INVALID_TIMESTAMP),
    ("2026-05-01T08:00Z", None, Reason.INVALID_TIMESTAMP),
    ("2026-05-01", "Europe/Paris", Reason.INVALID_TIMESTAMP),
    ("20260501T080000Z", None, Reason.INVALID_TIMESTAMP),
    ("01/05/2026 10:00:00", "Europe/Paris", Reason.INVALID_TIMESTAMP),
    ("2026-05-01T24:00:00Z", None, Reason.INVALID_TIMESTAMP),
    ("2026-05-01T23:60:00Z", None, Reason.INVALID_TIMESTAMP),
    ("2016-12-31T23:59:60Z", None, Reason.INVALID_TIMESTAMP),  # the leap second: no clock of ours counts it
    ("2026-05-00T08:00:00Z", None, Reason.INVALID_TIMESTAMP),
    ("2026-04-31T08:00:00Z", None, Reason.INVALID_TIMESTAMP),
    ("2026-13-01T08:00:00Z", None, Reason.INVALID_TIMESTAMP),
    # leap days: 2024 and 2000 have one, 2026 and 2100 have none
    ("2024-02-29T00:00:00Z", None, 1_709_164_800_000_000),
    ("2000-02-29T00:00:00Z", None, 951_782_400_000_000),
    ("2026-02-29T00:00:00Z", None, Reason.INVALID_TIMESTAMP),
    ("2100-02-29T00:00:00Z", None, Reason.INVALID_TIMESTAMP),
    # autumn: 02:00 .. 03:00 comes twice, the first is taken; 03:00 is after the change
    ("2026-10-25 01:59:59", "Europe/Paris", OCTOBER_25_UTC - 1_000_000),
    ("2026-10-25 02:00:00", "Europe/Paris", OCTOBER_25_UTC),
    ("2026-10-25 02:59:59.999999", "Europe/Paris", OCTOBER_25_UTC + HOUR_US - 1),
    ("2026-10-25 03:00:00", "Europe/Paris", OCTOBER_25_UTC + 2 * HOUR_US),
    ("2026-10-25 02:30:00+01:00", "Europe/Paris", OCTOBER_25_UTC + 3 * HOUR_US // 2),
    # spring: 02:00 .. 03:00 is missing, read with the offset before the change
    ("2026-03-29 01:59:59", "Europe/Paris", MARCH_29_UTC + HOUR_US - 1_000_000),
    ("2026-03-29 02:30:00", "Europe/Paris", MARCH_29_UTC + 3 * HOUR_US // 2),
    ("2026-03-29 03:00:00", "Europe/Paris", MARCH_29_UTC + HOUR_US),
    ("2026-03-29 03:30:00", "Europe/Paris", MARCH_29_UTC + 3 * HOUR_US // 2),
    # 2000-01-01 .. 2100-01-01, half-open, whatever the clock on the wall says
    ("1999-12-31T23:59:59.999999Z", None, Reason.TIMESTAMP_OUT_OF_RANGE),
    ("2000-01-01T00:00:00Z", None, 946_684_800_000_000),
    ("2000-01-01T00:30:00", "Europe/Paris", Reason.TIMESTAMP_OUT_OF_RANGE),
    ("1999-12-31T19:00:00", "America/New_York", 946_684_800_000_000),
    ("2099-12-31T23:59:59.999999Z", None, 4_102_444_799_999_999),
    ("2100-01-01T00:00:00Z", None, Reason.TIMESTAMP_OUT_OF_RANGE),
    ("2100-01-01T00:59:59", "Europe/Paris", 4_102_444_799_000_000),
    ("9999-12-31T23:59:59Z", None, Reason.TIMESTAMP_OUT_OF_RANGE),
    ("0000-01-01T00:00:00Z", None, Reason.TIMESTAMP_OUT_OF_RANGE),
]


@pytest.mark.parametrize(("text", "zone", "expected"), TIMES)
def test_iso_times(text: str, zone: str | None, expected: int | Reason) -> None:
    source = delimited(mapping={"time": {"field": "at", "zone": zone}})
    quoted = f'"{text}"'.encode()
    [record] = decode(source, CDR_HEADER + b"1,a,33611," + quoted + b",1,EU\n")
    found = record.reason if isinstance(expected, Reason) else event_at(record)
    assert found == expected
    twin = read_iso(text.encode(), zone)
    assert twin == ((0, expected) if isinstance(expected, Reason) else (expected, Reason.NONE))


COUNTS: list[tuple[str, str, int | Reason]] = [
    ("epoch_s", "1777622400", MAY_1_08_UTC),
    ("epoch_s", "1777622400.25", MAY_1_08_UTC + 250_000),
    ("epoch_s", "1777622400.0000019", MAY_1_08_UTC + 1),
    ("epoch_ms", "1777622400001", MAY_1_08_UTC + 1_000),
    ("epoch_ms", "1777622400001.9", MAY_1_08_UTC + 1_900),
    ("epoch_us", "1777622400000001", MAY_1_08_UTC + 1),
    ("epoch_us", "1777622400000001.9", MAY_1_08_UTC + 1),
    ("epoch_s", "0001777622400", MAY_1_08_UTC),
    ("epoch_s", "946684799.999999", Reason.TIMESTAMP_OUT_OF_RANGE),
    ("epoch_s", "946684800", 946_684_800_000_000),
    ("epoch_s", "4102444799.999999", 4_102_444_799_999_999),
    ("epoch_s", "4102444800", Reason.TIMESTAMP_OUT_OF_RANGE),
    ("epoch_s", "1777622400000", Reason.TIMESTAMP_OUT_OF_RANGE),  # milliseconds, by mistake
    ("epoch_ms", "1777622400", Reason.TIMESTAMP_OUT_OF_RANGE),  # seconds, by mistake
    ("epoch_s", "-1777622400", Reason.TIMESTAMP_OUT_OF_RANGE),
    ("epoch_s", "99999999999999999999999999", Reason.TIMESTAMP_OUT_OF_RANGE),
    ("epoch_us", "18446744073709551617777622400000000", Reason.TIMESTAMP_OUT_OF_RANGE),  # 2**64 wraps to a good time
    ("epoch_s", "+1777622400", Reason.INVALID_TIMESTAMP),
    ("epoch_s", "1777622400.", Reason.INVALID_TIMESTAMP),
    ("epoch_s", "1.7776224e9", Reason.INVALID_TIMESTAMP),
    ("epoch_s", " 1777622400", Reason.INVALID_TIMESTAMP),
    ("epoch_s", "-", Reason.INVALID_TIMESTAMP),
    ("epoch_s", "2026-05-01T08:00:00Z", Reason.INVALID_TIMESTAMP),
]


@pytest.mark.parametrize(("kind", "text", "expected"), COUNTS)
def test_epoch_counts(kind: str, text: str, expected: int | Reason) -> None:
    source = delimited(mapping={"time": {"field": "at", "format": kind}})
    [record] = decode(source, CDR_HEADER + f"1,a,33611,{text},1,EU\n".encode())
    found = record.reason if isinstance(expected, Reason) else event_at(record)
    assert found == expected
    twin = read_epoch(text.encode(), {"epoch_s": 10**6, "epoch_ms": 10**3, "epoch_us": 1}[kind])
    assert twin == ((0, expected) if isinstance(expected, Reason) else (expected, Reason.NONE))


MAX = 2**62  # 4611686018427387904 base steps

QUANTITIES: list[tuple[str, str, str, int | Reason]] = [
    ("s", "61.5", "reject", 61_500),
    ("min", "1.5", "reject", 90_000),
    ("ms", "1.5", "reject", Reason.QUANTITY_PRECISION),
    ("ms", "1.5", "half_up", 2),
    ("ms", "1.4999999999999999999999999", "half_up", 1),
    ("ms", "0.5", "half_up", 1),
    ("ms", "0.05e1", "half_up", 1),
    ("min", "0.00001", "reject", Reason.QUANTITY_PRECISION),  # 0.6 ms
    ("min", "0.00001", "half_up", 1),
    ("s", "0.0010000000000000000000000000", "reject", 1),
    ("s", "0.00100000000000000000000000001", "reject", Reason.QUANTITY_PRECISION),
    ("ms", "007", "reject", 7),
    ("ms", "+7", "reject", 7),
    ("ms", "7.", "reject", 7),
    ("s", ".5", "reject", 500),
    ("ms", "1e3", "reject", 1000),
    ("ms", "12.34E+2", "reject", 1234),
    ("ms", "1200e-2", "reject", 12),
    ("ms", "1e-1", "reject", Reason.QUANTITY_PRECISION),
    ("ms", "0", "reject", 0),
    ("ms", "-0.00", "reject", 0),
    ("ms", "0e999999999999", "reject", 0),
    ("ms", "-1", "reject", Reason.NEGATIVE_QUANTITY),
    ("ms", "-0.5", "reject", Reason.QUANTITY_PRECISION),
    ("ms", "-0.5", "half_up", Reason.NEGATIVE_QUANTITY),
    ("ms", str(MAX), "reject", MAX),
    ("ms", str(MAX - 5), "reject", MAX - 5),
    ("ms", str(MAX + 1), "reject", Reason.QUANTITY_OVERFLOW),
    ("ms", f"{MAX}.4", "half_up", MAX),
    ("ms", f"{MAX}.5", "half_up", Reason.QUANTITY_OVERFLOW),
    ("ms", f"{2**64 + 5}", "reject", Reason.QUANTITY_OVERFLOW),  # wraps to 5 in 64 bits
    ("s", "4611686018427387.904", "reject", MAX),
    ("s", "4611686018427387.905", "reject", Reason.QUANTITY_OVERFLOW),
    ("h", "18446744073710", "reject", Reason.QUANTITY_OVERFLOW),  # times 3 600 000 wraps to a small number
    ("ms", "-99999999999999999999", "reject", Reason.QUANTITY_OVERFLOW),
    ("ms", "1e19", "reject", Reason.QUANTITY_OVERFLOW),
    ("ms", "1e99999999999999999999", "reject", Reason.QUANTITY_OVERFLOW),
    ("ms", "1e-99999999999999999999", "reject", Reason.QUANTITY_PRECISION),
    ("ms", "1e-99999999999999999999", "half_up", 0),
    ("ms", f"0.{'0' * 120_000}1e120002", "reject", 10),
    ("ms", f"1{'0' * 120_000}e-120000", "reject", 1),
    *[("s", text, "reject", Reason.INVALID_QUANTITY)
      for text in (" 1", "1 ", "1_0", "1.2.3", "1,5", "--1", "+-1", "1e", "1e+", "1e1.5", "e1", ".", "-", "+.", "0x1F", "NaN",
                   "inf", "١", "1s", "1.5 s", "２")],
]  # fmt: skip


@pytest.mark.parametrize(("unit", "text", "excess", "expected"), QUANTITIES, ids=lambda value: str(value)[:40])
def test_quantities(unit: str, text: str, excess: str, expected: int | Reason) -> None:
    source = delimited(mapping={"quantity": {"field": "seconds", "unit": unit, "excess_decimals": excess}})
    line = f'1,a,33611,2026-05-01 10:00:00,"{text}",EU\n'.encode()
    [record] = decode(source, CDR_HEADER + line)
    found = record.reason if isinstance(expected, Reason) else quantity(record)
    assert found == expected
    factor = {"ms": 1, "s": 1000, "min": 60_000, "h": 3_600_000}[unit]
    twin = read_quantity(text.encode(), factor, half_up=excess == "half_up") if len(text) < 1000 else None
    assert twin in (None, (0, expected) if isinstance(expected, Reason) else (expected, Reason.NONE))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-05-01", MAY_1_08_UTC + 14 * HOUR_US),  # ends at 22:00Z, in summer time
        ("2026-03-28", MARCH_29_UTC - HOUR_US),
        ("2026-03-29", MARCH_29_UTC + 22 * HOUR_US),  # a day of 23 hours
        ("2026-10-25", OCTOBER_25_UTC + 23 * HOUR_US),  # a day of 25 hours
    ],
)
def test_the_twin_knows_when_a_day_ends_in_paris(text: str, expected: int) -> None:
    assert read_day_end(text.encode(), "Europe/Paris") == (expected, Reason.NONE)
