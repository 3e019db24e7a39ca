"""Readings of P1 telegrams: indexes of electricity, gas, water and heat, and the largest quarters of an hour."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import BinaryIO
from zoneinfo import ZoneInfo

from pipelines.mediation.columns.rows import Row
from pipelines.mediation.enedis import words as common
from pipelines.mediation.failures import UnableToDecodeFile
from pipelines.mediation.meters.channels import CONSUMPTION, direction_of
from pipelines.mediation.meters.units import scaled, unit_of
from pipelines.mediation.p1.telegrams import Telegram, read_telegrams

FLOW = "P1"
AT, METER = "0-0:1.0.0", "0-0:96.1.1"
DUTCH, BELGIAN = "1-3:0.2.8", "0-0:96.1.4"
"""The version of the telegram, by which the two countries are told apart."""
LOW, NORMAL = "low", "normal"
TARIFFS = {DUTCH: {"1": LOW, "2": NORMAL}, BELGIAN: {"1": NORMAL, "2": LOW}}
"""Tariff 1 is the low one in the Netherlands, and the one of the day in Belgium."""
RUNNING, LARGEST, HISTORY = "1-0:1.4.0", "1-0:1.6.0", "0-0:98.1.0"
"""Mean power of the quarter of an hour that runs, the largest one of the month, and those of the months before."""
RUNNING_MEASURE, LARGEST_MEASURE = "P15", "PMAX"
DEVICES = {"3": "volume", "7": "water", "4": "heat", "8": "water"}
"""Kinds of M-Bus devices (EN 13757-3): gas, cold and warm water, heat."""
_INDEX = re.compile(r"1-0:([12])\.8\.([0-9])", re.ASCII)
_DEVICE = re.compile(r"0-([1-9]):(24\.1\.0|96\.1\.[012]|24\.2\.[13]|24\.3\.0)", re.ASCII)
_TIME = re.compile(r"\d{12}[SW]?", re.ASCII)
_VALUE = re.compile(r"(\d{1,12}(?:\.\d{1,6})?)\*(\w{1,6})", re.ASCII)
SUMMER, WINTER = timezone(timedelta(hours=2)), timezone(timedelta(hours=1))


def readings(stream: BinaryIO, head: bytes, *, strict: bool, zone: ZoneInfo | None) -> Iterator[Row]:
    """Yield the readings of a file. `zone`: of the times of old telegrams, which do not say whether it is summer.

    Raises:
        UnableToDecodeFile: MALFORMED_METER_DATA with the line: for what is no telegram, and where `strict`, a wrong checksum.
    """
    for telegram in read_telegrams(stream, head):
        if strict and telegram.doubt:
            raise UnableToDecodeFile("MALFORMED_METER_DATA", f"line {telegram.line}: {telegram.doubt}"[:500])
        rows = list(_readings(telegram, zone))
        yield from rows or [{"flow": FLOW, "line": str(telegram.line), "version": "0", "status": "I",
                             "doubt": telegram.doubt or "the telegram has no readings"}]  # fmt: skip


def instant(text: str, zone: ZoneInfo | None) -> str:
    """Return a time in UTC, "" where it cannot be read."""
    if not _TIME.fullmatch(text) or (len(text) == 12 and zone is None):
        return ""
    where = {"S": SUMMER, "W": WINTER}.get(text[12:], zone)
    try:
        return common.written(datetime.strptime(text[:12], "%y%m%d%H%M%S").replace(tzinfo=where).astimezone(UTC))
    except ValueError:
        return ""


def _readings(telegram: Telegram, zone: ZoneInfo | None) -> Iterator[Row]:
    said = {code: values for _, code, values in telegram.lines}
    at = instant("".join(said.get(AT, [])[:1]), zone)
    country = next((code for code in (DUTCH, BELGIAN) if code in said), "")
    known = {
        "flow": FLOW,
        "point": _identifier(said.get(METER, [])),
        "created_at": at,
        "version": common.version(at),
        "status": "I",
        "nature": "R",
        "doubt": telegram.doubt,
    }
    for line, code, values in telegram.lines:
        known["line"] = str(line)
        if found := _INDEX.fullmatch(code):
            yield known | _index(code, found[2], country, values, at)
        elif code == RUNNING:
            yield known | _power(code, RUNNING_MEASURE, values, at)
        elif code == LARGEST:
            yield known | _power(code, LARGEST_MEASURE, values[1:], instant("".join(values[:1]), zone))
        elif code == HISTORY:
            for place in range(3, len(values) - 2, 3):
                month = instant(values[place], zone)
                peak = _power(LARGEST, LARGEST_MEASURE, values[place + 2 :], instant(values[place + 1], zone))
                yield known | peak | {"reason": month}
        elif (device := _DEVICE.fullmatch(code)) and device[2].startswith(("24.2", "24.3")):
            yield known | _device(code, device[1], said, values, zone)


def _index(code: str, tariff: str, country: str, values: list[str], at: str) -> Row:
    value, unit, doubt = _read(values)
    return {
        "at": at,
        "channel": code,
        "dial": tariff,
        "measure": "EA",
        "direction": direction_of(code),
        "time_class": TARIFFS.get(country, {}).get(tariff, "" if tariff == "0" else f"T{tariff}"),
        "value": value,
        "unit": unit,
        "truncated": common.truncated(value, unit),
    } | _doubted(doubt or ("" if at else "the telegram says no time"))


def _power(code: str, measure: str, values: list[str], at: str) -> Row:
    value, unit, doubt = _read(values)
    found = {"at": at, "channel": code, "measure": measure, "direction": CONSUMPTION, "value": value, "unit": unit}
    return found | _doubted(doubt or ("" if at else "a largest power without a time"))


def _device(code: str, number: str, said: dict[str, list[str]], values: list[str], zone: ZoneInfo | None) -> Row:
    kind = "".join(said.get(f"0-{number}:24.1.0", [])[:1]).lstrip("0")
    names = (said.get(f"0-{number}:96.1.{place}", []) for place in (0, 1, 2))
    if code.endswith("24.3.0"):  # of DSMR 2.2 and 3: time, status, …, unit, value
        at, values = "".join(values[:1]), [f"{values[6]}*{values[5]}"] if len(values) > 6 else []
    else:
        at, values = "".join(values[:1]), values[1:]
    value, unit, doubt = _read(values)
    measure = DEVICES.get(kind, "")
    if not measure:
        doubt = doubt or f"the device {number} is of the kind {kind or 'of none'}"
    point = next((found for name in names if (found := _identifier(name))), "")
    when = instant(at, zone)
    row = {
        "at": when,
        "channel": code,
        "dial": number,
        "measure": measure,
        "direction": CONSUMPTION,
        "value": value,
        "unit": unit,
    }
    if point:
        row["point"] = point
    return row | _doubted(doubt or ("" if when else f"{at[:20]!r} is no time"))


def _doubted(doubt: str) -> Row:
    return {"doubt": doubt} if doubt else {}


def _read(values: list[str]) -> tuple[str, str, str]:
    """Return (value, unit, why it is doubted) of the last of the values of a line."""
    found = _VALUE.fullmatch("".join(values[:1]))
    if found is None:
        return "", "", f"{''.join(values[:1])[:20]!r} is no value with a unit"
    factor, base = unit_of(found[2])
    return scaled(found[1], factor), base, ""


def _identifier(values: list[str]) -> str:
    """Return the name of a meter, which is written as the codes of its letters; as it is where it is no such text."""
    said = "".join(values[:1])
    try:
        found = bytes.fromhex(said).decode("ascii")
    except ValueError:
        return said
    return found.strip() if found.isprintable() else said
