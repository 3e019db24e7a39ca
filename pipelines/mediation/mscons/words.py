"""Words of MSCONS: qualifiers of quantities, formats of times, and registers, as Germany, Austria and Switzerland use them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from pipelines.mediation.columns.rows import Row
from pipelines.mediation.enedis import words as common
from pipelines.mediation.meters.channels import CONSUMPTION, PRODUCTION, direction_of, measure_of

NATURES = {
    "220": "R", "79": "R", "46": "R", "66": "R", "18": "R",
    "67": "E", "187": "E", "201": "E", "65": "E", "99": "E", "125": "E",
    "237": "C",
}  # fmt: skip
"""Qualifiers of QTY -> nature: true values, sums, and values without a mark are real; substitutes, forecasts and preliminary
values are estimates."""
NO_VALUE = ("20",)
"""Not usable."""
CANCELS, REPLACES = "1", "5"
"""Functions of BGM; 9 is an original."""
FUNCTIONS = {CANCELS: "A", REPLACES: "R", "9": "I", "": "I"}
PERIOD_UNITS = {"804": 86_400, "805": 3600, "806": 60}
"""Formats of a length of time -> seconds: days, hours, minutes."""
_UNITS = {"KWH": "kWh", "MWH": "MWh", "WHR": "Wh", "KVR": "kVArh", "K3": "kVArh", "KVARH": "kVArh", "MTQ": "m3", "NM3": "m3",
          "KWT": "kW", "KW": "kW", "MAW": "MW", "Z16": "kVArh"}  # fmt: skip
_USUAL = {"EA": "kWh", "ER": "kVArh", "heat": "kWh", "EA_demand": "kW"}
"""Units of values that say none."""
_OBIS = re.compile(r"\d{1,3}-\d{1,3}:\d{1,3}\.\d{1,3}\.\d{1,3}(\*\d{1,3})?")
_PRODUCTS = {"AUA": ("EA", PRODUCTION)}
"""Products that have no OBIS code: energy that a plant was kept from producing."""
_PATTERNS = {"203": (12, "%Y%m%d%H%M"), "204": (14, "%Y%m%d%H%M%S"), "102": (8, "%Y%m%d"), "303": (12, "%Y%m%d%H%M"),
             "304": (14, "%Y%m%d%H%M%S")}  # fmt: skip
_OFFSET = re.compile(r"(Z|UTC|[+-]\d{2}(\d{2})?)", re.ASCII)


def instant(text: str, form: str, zone: ZoneInfo | None) -> datetime | None:
    """Return an instant of DTM, None where it cannot be read, or has no offset and there is no zone."""
    length, pattern = _PATTERNS.get(form, (0, ""))
    clock, offset = text[:length], text[length:]
    if not length or not (clock.isascii() and clock.isdigit()) or len(clock) != length:
        return None
    try:
        found = datetime.strptime(clock, pattern).replace(tzinfo=UTC)
    except ValueError:
        return None
    if not offset and (form in ("303", "304") or zone is None):
        return None
    try:
        if offset:
            return found - _offset(offset) if _OFFSET.fullmatch(offset) else None
        return found.replace(tzinfo=zone).astimezone(UTC)
    except OverflowError:
        return None


def _offset(text: str) -> timedelta:
    if text in ("Z", "UTC"):
        return timedelta()
    found = timedelta(hours=int(text[1:3]), minutes=int(text[3:5] or "0"))
    return -found if text[0] == "-" else found


DEMAND, TOTAL = "_demand", "_total"
_EXTREMES = frozenset((1, 2, 3, 6, 7, 11, 12, 13, 16, 21, 22, 23, 26))
"""Kinds of values (D of OBIS, IEC 62056-61) that are powers of an instant: smallest, largest, their sums, the present."""
TOTAL_S = 23 * 3600
"""Values of a day (one of 23 hours is the shortest) and more are totals that stand beside a curve or in place of one."""


def over(measure: str, seconds: int) -> str:
    """Return the measure of a value of so many seconds: energy of a day and more is a total."""
    return f"{measure}{TOTAL}" if measure in ("EA", "ER", "ES") and seconds >= TOTAL_S else measure


def series(code: str) -> Row:
    """Return what a register, or a product, is."""
    plain = code.partition("*")[0]
    if _OBIS.fullmatch(code):
        measure, direction = measure_of(plain), direction_of(plain)
        if measure in ("volume", "heat", "water"):
            direction = CONSUMPTION
        elif measure and int(plain.split(".")[1]) in _EXTREMES:
            measure += DEMAND
        doubt = "" if measure else f"the register {code[:20]} is of no known quantity"
        return {"channel": plain, "measure": measure, "direction": direction, "doubt": doubt}
    measure, direction = _PRODUCTS.get(code, ("", ""))
    doubt = "" if measure else f"the register is {code[:20]!r}"
    return {"channel": code, "measure": measure, "direction": direction, "doubt": doubt}


def unit(said: str, measure: str) -> str:
    """Return the unit of a value; what says none has the one that is usual."""
    return _UNITS.get(said.upper(), said) if said else _USUAL.get(measure, "")


def version(made: datetime | None, function: str) -> str:
    """Return the version of a message: what cancels stands above what it cancels, and what replaces above both."""
    return common.version("" if made is None else common.written(made), FUNCTIONS.get(function, "I"))
