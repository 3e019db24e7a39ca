"""Values: typed attributes of CDRs and EDRs, as 64-bit integers that prices read.

A number is scaled by its decimals, an instant is microseconds UTC, a date is days since 1970-01-01. Digits, such as a
telephone number, are written in base 11: digit d, plus 1, stands at 11**(17 - d), and nothing at 0, so that they sort as texts
do, and those with a common prefix are a range.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Literal

ValueKind = Literal["number", "instant", "date", "digits"]
VALUE_SLOTS = 4
"""How many values an event type may have; each takes a slot by its place."""
VALUE_ABSENT = -(2**63)
"""The value of a record that has none."""
VALUE_DECIMALS_MAX = 12
DIGITS_MAX = 18
"""How many digits are kept of a longer number; the prefix tables of E.164 end at 15."""
BASE = 11


def pack_digits(text: str) -> int:
    """Return digits as one integer; those beyond `DIGITS_MAX` are not kept."""
    return sum((int(digit) + 1) * BASE ** (DIGITS_MAX - 1 - place) for place, digit in enumerate(text[:DIGITS_MAX]))


def digits_text(value: int) -> str:
    """Return the digits that `pack_digits` packed."""
    places = (value // BASE ** (DIGITS_MAX - 1 - place) % BASE for place in range(DIGITS_MAX))
    return "".join(str(digit - 1) for digit in places if digit)


def prefix_range(prefix: str) -> tuple[int, int]:
    """Return [first, end) of the packed digits that begin with `prefix`, at most `DIGITS_MAX` digits."""
    first = pack_digits(prefix)
    return first, first + int(BASE ** (DIGITS_MAX - len(prefix)))


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
