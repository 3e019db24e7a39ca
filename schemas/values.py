"""Values: typed attributes of CDRs and EDRs, as 64-bit integers that prices read.

A number is scaled by its decimals, an instant is microseconds UTC, a date is days since 1970-01-01. Digits, such as a
telephone number, are written in base 11: digit d, plus 1, stands at 11**(17 - d), and nothing at 0, so that they sort as texts
do, and those with a common prefix are a range.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from math import ceil
from typing import Literal

ValueKind = Literal["number", "instant", "date", "digits"]
VALUE_SLOTS = 4
"""How many values an event type may have; each takes a slot by its place."""
LOOKUP_SLOTS = 4
"""How many texts of lookup tables an event type may have; rating finds them, and no record carries them."""
VALUE_ABSENT = -(2**63)
"""The value of a record that has none."""
VALUE_MAX = 2**63 - 1
VALUE_DECIMALS_MAX = 12
DIGITS_MAX = 18
"""How many digits are kept of a longer number; the prefix tables of E.164 end at 15."""
BASE = 11


def pack_digits(text: str) -> int:
    """Return digits as one integer; those beyond `DIGITS_MAX` are not kept."""
    packed = 0
    for digit in text[:DIGITS_MAX].ljust(DIGITS_MAX):
        packed = packed * BASE + (0 if digit == " " else int(digit) + 1)
    return packed


def digits_text(value: int) -> str:
    """Return the digits that `pack_digits` packed."""
    places = (value // BASE ** (DIGITS_MAX - 1 - place) % BASE for place in range(DIGITS_MAX))
    return "".join(str(digit - 1) for digit in places if digit)


def prefix_range(prefix: str) -> tuple[int, int]:
    """Return [first, end) of the packed digits that begin with `prefix`, at most `DIGITS_MAX` digits."""
    first = pack_digits(prefix)
    return first, first + BASE**DIGITS_MAX // BASE ** len(prefix)


def value_text(value: int, kind: ValueKind, decimals: int = 0) -> str | None:
    """Return what a value says, as people write it; None for an absent one."""
    if value == VALUE_ABSENT:
        return None
    if kind == "number":
        return f"{Decimal(value).scaleb(-decimals):f}"
    if kind == "digits":
        return digits_text(value)
    if kind == "date":
        return (date(1970, 1, 1) + timedelta(days=value)).isoformat()
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=value)
    return moment.replace(tzinfo=None).isoformat() + "Z"


def cell_range(text: str, kind: str, decimals: int = 0, limit: int = VALUE_MAX) -> tuple[int, int]:
    """Return [low, high) of the values that a cell of a price matrix asks for.

    Args:
        text: one value, a range `FROM..TO` without TO, either end left out, or of digits a prefix `33*`.
        kind: of the value. decimals: of a number; a bound that lies between two such numbers is the upper one.
        limit: what stands for an end that is left out, or lies beyond.

    Raises:
        ValueError: when it cannot be read, its end is not above its beginning, or a bound is too large.
    """
    if kind == "digits":
        if not text.removesuffix("*").isdecimal() or not text.isascii() or len(text.removesuffix("*")) > DIGITS_MAX:
            raise ValueError("write digits, or a prefix such as 33*")
        if len(text) == DIGITS_MAX and not text.endswith("*"):
            raise ValueError(f"digits beyond {DIGITS_MAX} are not kept: write a prefix, {text}*")
        first, end = prefix_range(text.removesuffix("*"))
        return (first, end) if text.endswith("*") else (first, first + 1)
    start, dots, stop = text.partition("..")
    if not dots:
        exact = kind != "number" or (_number(start) * 10**decimals).denominator == 1
        low = _bound(start, kind, decimals, limit)
        # beyond the limit there is no such value
        return low, min(low + 1, limit) if exact else low
    if not start and not stop:
        raise ValueError("leave out the beginning or the end of a range, not both")
    low = _bound(start, kind, decimals, limit) if start else -limit
    high = _bound(stop, kind, decimals, limit) if stop else limit
    ends = (_number(start) >= _number(stop) if kind == "number" else low >= high) if start and stop else False
    if ends:
        raise ValueError("the range ends where it begins, or before")
    return low, high


def _number(text: str) -> Fraction:
    if re.fullmatch(r"-?[0-9]{1,18}(\.[0-9]{1,12})?", text, re.ASCII) is None:
        raise ValueError("write a number with at most 12 decimals")
    return Fraction(text)


def _bound(text: str, kind: str, decimals: int, limit: int) -> int:
    """Return the least value that is not below a bound."""
    if kind == "number":
        least: int = ceil(_number(text) * 10**decimals)
        return max(-limit, min(limit, least))
    if kind == "date":
        return (date.fromisoformat(text) - date(1970, 1, 1)).days
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("write an instant with its zone")
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
