"""Values: typed attributes of CDRs and EDRs, as 64-bit integers that prices read.

A number is scaled by its decimals, an instant is microseconds UTC, a date is days since 1970-01-01. Digits, such as a
telephone number, are left-aligned: digit d of `DIGITS_MAX` stands at 10**(DIGITS_MAX - d), and the length below all of
them, so that numbers with a common prefix are neighbours and the prefix of a number is a range.
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
DIGITS_MAX = 17
"""How many digits are kept of a longer number; the prefix tables of E.164 end at 15."""
LENGTH_BITS = 5
"""Below the digits: how many there are."""


def pack_digits(text: str) -> int:
    """Return digits as one integer; those beyond `DIGITS_MAX` are not kept."""
    kept = text[:DIGITS_MAX]
    return int(kept.ljust(DIGITS_MAX, "0")) << LENGTH_BITS | len(kept)


def digits_text(value: int) -> str:
    """Return the digits that `pack_digits` packed."""
    return f"{value >> LENGTH_BITS:0{DIGITS_MAX}d}"[: value & ((1 << LENGTH_BITS) - 1)]


def prefix_range(prefix: str) -> tuple[int, int]:
    """Return [first, end) of the packed digits that begin with `prefix`, at most `DIGITS_MAX` digits.

    Shorter digits that are `prefix` but for zeros at its end lie in it too: only their length tells.
    """
    one = 10 ** (DIGITS_MAX - len(prefix))
    first = int(prefix) * one if prefix else 0
    return first << LENGTH_BITS, first + one << LENGTH_BITS


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
