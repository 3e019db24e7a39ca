"""Words of ESPI (NAESB REQ.21, Green Button): units, directions, qualities, and the local time of a place."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from pipelines.mediation.enedis import words as common

UNITS = {
    "72": "Wh", "73": "VArh", "71": "VAh", "38": "W", "63": "VAr", "61": "VA",
    "42": "m3", "119": "ft3", "134": "l", "169": "therm", "132": "Btu", "31": "J",
}  # fmt: skip
"""`uom` -> unit. A therm stays one: what it is in Wh is no decimal number."""
FORWARD, NET, TOTAL, REVERSE = "1", "4", "20", "19"
DIRECTIONS = {"": "consumption", "0": "consumption", FORWARD: "consumption", REVERSE: "production"}
BALANCES = {NET: 16, TOTAL: 15}
"""Quantities (C of OBIS) of what is delivered less what is received, and of both together."""
INDEXES = ("1", "9")
"""Behaviours of values that only grow: bulk quantities and summations."""
BEHAVIOURS = ("", "0", "4", *INDEXES)
"""Those that are read; of intervals none, or deltas."""
QUESTIONABLE = "10"
NATURES = {**dict.fromkeys(("0", "14", "17", "18", "19"), "R"), **dict.fromkeys(("8", "9", "12"), "E"), "7": "C"}
POINT = re.compile(r"((?<![^/])[^/]+/[^/]+/)?UsagePoint/[^/]+")
METER = re.compile(r".*?MeterReading/[^/]+")
READING_TYPE = re.compile(r"ReadingType/[^/]+")
_SECONDS = re.compile(r"-?\d{1,12}(\.\d{1,9})?", re.ASCII)
EXPONENT_MAX = 12
_RULE = re.compile(r"[0-9a-fA-F]{8}")
_NAIVE_LENGTH = 19


def seconds(text: str) -> Decimal | None:
    """Return seconds since 1970, None where the text is no number of them."""
    return Decimal(text) if _SECONDS.fullmatch(text) else None


def instant(at: Decimal) -> str:
    """Return an instant in UTC as text; "" beyond the years that have one."""
    try:
        return common.written(common.EPOCH + timedelta(microseconds=int(at * 1_000_000)))
    except OverflowError:
        return ""


def made_at(text: str) -> str:
    """Return when a feed was made, in UTC, which it means where it says no offset; "" where it cannot be read."""
    if len(text) <= _NAIVE_LENGTH and "Z" not in text:
        text += "T00:00:00Z" if len(text) == len("2024-06-21") else "Z"
    found = common.parsed(text)
    return "" if found is None else common.written(found)


def multiplier(text: str) -> Decimal | None:
    """Return the power of ten of a `powerOfTenMultiplier`, None where it is none."""
    sign, digits = text[:1] in "+-" and text[:1], text.lstrip("+-") or "0"
    if not digits.isascii() or not digits.isdigit() or len(digits) > 4 or int(digits) > EXPONENT_MAX:
        return None
    return Decimal(10) ** (-int(digits) if sign == "-" else int(digits))


@dataclass(frozen=True, slots=True)
class LocalTime:
    """`LocalTimeParameters`: the offset of a place, and when summer time begins and ends (`dstRuleType` of ESPI).

    Attributes:
        offset_s: without summer time. summer_s: what it adds. begins, ends: the rules, None for no summer time.
    """

    offset_s: int
    summer_s: int = 0
    begins: int | None = None
    ends: int | None = None

    def offset(self, at: datetime) -> timedelta:
        """Return the offset of local time at an instant."""
        usual = timedelta(seconds=self.offset_s)
        if self.begins is None or self.ends is None:
            return usual
        summer = timedelta(seconds=self.summer_s)
        local = at.astimezone(UTC).replace(tzinfo=None) + usual
        begins, ends = _when(self.begins, local.year), _when(self.ends, local.year) - summer
        inside = begins <= local < ends if begins < ends else not ends <= local < begins
        return usual + summer if inside else usual


def local_time(said: dict[str, str]) -> LocalTime | None:
    """Return the local time that parameters tell, None where they cannot be read."""
    try:
        offset, summer = int(said.get("tzOffset", "")), int(said.get("dstOffset") or "0")
    except ValueError:
        return None
    rules = said.get("dstStartRule", ""), said.get("dstEndRule", "")
    if not all(_RULE.fullmatch(rule) and _is_rule(int(rule, 16)) for rule in rules) or abs(offset) > 86_400:
        return LocalTime(offset) if abs(offset) <= 86_400 else None
    return LocalTime(offset, summer, int(rules[0], 16), int(rules[1], 16))


def _is_rule(rule: int) -> bool:
    return 1 <= rule >> 28 <= 12 and rule >> 12 & 31 <= 23 and rule & 0xFFF < 3600 and rule != 0xFFFFFFFF


def _when(rule: int, year: int) -> datetime:
    """Return the local time of a rule in a year.

    Of its bits from the lowest: 12 of seconds, 5 of hours, 3 of the day of the week (1 is Monday), 5 of the day of the month,
    3 of what both mean together, 4 of the month.
    """
    second, hour, weekday, day = rule & 0xFFF, rule >> 12 & 31, rule >> 17 & 7, rule >> 20 & 31
    operator, month = rule >> 25 & 7, rule >> 28
    first = datetime(year, month, 1)  # noqa: DTZ001
    clock = timedelta(hours=hour, seconds=second)
    if operator == 0 or not weekday:
        return first + timedelta(days=max(day, 1) - 1) + clock
    if operator == 1:
        first += timedelta(days=max(day, 1) - 1)
        return first + timedelta(days=(weekday - first.isoweekday()) % 7) + clock
    found = first + timedelta(days=(weekday - first.isoweekday()) % 7)
    if operator < 7:
        return found + timedelta(weeks=operator - 2) + clock
    while (found + timedelta(weeks=1)).month == month:
        found += timedelta(weeks=1)
    return found + clock
