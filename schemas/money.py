"""Money as scaled integers: scales, currencies, rounding modes. Arithmetic on money lives in `rating`.

An amount is an int64 in billionths of the currency unit (`AMOUNT_DECIMALS` = 9) and Decimal(18, 9) in the store;
balances and sums are 128-bit, Decimal(38, 9) in the store. A unit price carries up to `PRICE_DECIMALS_MAX` decimals.
"""

from __future__ import annotations

import decimal
from enum import IntEnum, StrEnum

AMOUNT_DECIMALS = 9
"""Decimals of every stored amount and balance."""
AMOUNT_ONE = 10**AMOUNT_DECIMALS
AMOUNT_MAX = 2**63 - 1
"""Largest amount of one rated item, in billionths: 9 223 372 036.854775807 currency units."""
PRICE_DECIMALS_MAX = 12
"""Most decimals of a unit price."""

EXACT = decimal.Context(prec=80, rounding=decimal.ROUND_HALF_UP, traps=[decimal.InvalidOperation, decimal.Inexact])
"""Context in which any inexact step raises instead of rounding silently."""


class RoundingMode(StrEnum):
    """How an amount is rounded once per rated item. Negative amounts mirror positive ones."""

    HALF_UP = "half_up"
    HALF_EVEN = "half_even"
    UP = "up"
    DOWN = "down"


class RoundingCode(IntEnum):
    """The same modes as the kernels know them."""

    HALF_UP = 0
    HALF_EVEN = 1
    UP = 2
    DOWN = 3


ROUNDING_CODES: dict[RoundingMode, RoundingCode] = {mode: RoundingCode[mode.name] for mode in RoundingMode}
DECIMAL_ROUNDING: dict[RoundingMode, str] = {
    RoundingMode.HALF_UP: decimal.ROUND_HALF_UP,
    RoundingMode.HALF_EVEN: decimal.ROUND_HALF_EVEN,
    RoundingMode.UP: decimal.ROUND_UP,
    RoundingMode.DOWN: decimal.ROUND_DOWN,
}

CURRENCY_DECIMALS: dict[str, int] = {
    "AUD": 2, "BGN": 2, "BHD": 3, "BRL": 2, "CAD": 2, "CHF": 2, "CNY": 2, "CZK": 2, "DKK": 2, "EUR": 2, "GBP": 2,
    "HKD": 2, "HUF": 2, "INR": 2, "ISK": 0, "JPY": 0, "KRW": 0, "KWD": 3, "MAD": 2, "MXN": 2, "NOK": 2, "NZD": 2,
    "PLN": 2, "RON": 2, "SEK": 2, "SGD": 2, "TND": 3, "TRY": 2, "USD": 2, "VND": 0, "XAF": 0, "XOF": 0, "ZAR": 2,
}  # fmt: skip
"""ISO 4217 minor-unit exponents of the currencies octroi bills in; an unlisted currency is refused at publish time."""


def to_scaled(value: decimal.Decimal, decimals: int) -> int:
    """Return `value` as an integer in units of 10**-decimals.

    Raises:
        ValueError: when the value has more non-zero decimals than that, is not finite, or too large to be anything.
    """
    if not value.is_finite():
        raise ValueError(f"{value} is not a finite number")
    scaled = value.scaleb(decimals, EXACT)
    if scaled.adjusted() >= EXACT.prec:  # an integer of a million digits takes minutes
        raise ValueError(f"{value} is too large")
    if scaled != scaled.to_integral_value():
        raise ValueError(f"{value} has more than {decimals} decimals")
    return int(scaled)


def from_scaled(value: int, decimals: int) -> decimal.Decimal:
    """Return the integer `value`, in units of 10**-decimals, as an exact Decimal."""
    return decimal.Decimal(int(value)).scaleb(-decimals, EXACT)
