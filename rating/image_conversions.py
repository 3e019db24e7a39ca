"""Conversions into the currency of the account, as rows that kernels read."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rating.contracts import NegotiatedVersion
from rating.kernels import layout
from schemas.arrays import Int64Array
from schemas.exchange import Conversion
from schemas.money import AMOUNT_DECIMALS, ROUNDING_CODES
from schemas.price_plan import PriceVersion


def conversions_of(versions: Sequence[PriceVersion]) -> list[Conversion]:
    """Return the distinct conversions of versions, in their order; not those without a rate."""
    found = (version.conversion for version in versions if isinstance(version, NegotiatedVersion))
    return list(dict.fromkeys(each for each in found if each is not None and each.numerator))


def conversion_places(versions: Sequence[PriceVersion], conversions: Sequence[Conversion]) -> list[int]:
    """Return what the column CONVERSION says of versions."""
    place = {each: number for number, each in enumerate(conversions, start=1)}
    found = [version.conversion if isinstance(version, NegotiatedVersion) else None for version in versions]
    return [0 if each is None else place.get(each, layout.UNCONVERTED) for each in found]


def conversion_rows(conversions: Sequence[Conversion]) -> Int64Array:
    """Return (conversions, CONVERSION_COLUMNS)."""
    rows = np.zeros((len(conversions), layout.CONVERSION_COLUMNS), np.int64)
    for row, conversion in zip(rows, conversions, strict=True):
        row[layout.RATE_OVER], row[layout.RATE_UNDER] = conversion.numerator, conversion.denominator
        row[layout.CONVERTED_MODE] = int(ROUNDING_CODES[conversion.rounding.mode])
        row[layout.CONVERTED_STEP] = 10 ** (AMOUNT_DECIMALS - conversion.rounding.decimals)
    return rows
