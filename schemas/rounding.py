"""How amounts and prices are rounded, as catalogs write it."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from schemas.document import Document
from schemas.money import PRICE_DECIMALS_MAX, RoundingMode

QuantityText = Annotated[str, StringConstraints(pattern=r"^\d+(\.\d+)? [A-Za-z][A-Za-z0-9_./-]*$")]
"""A number and a unit: "60 s", "1 GB"."""


class Rounding(Document):
    """Where an amount is rounded: once per rated item, to `decimals` (at most 9)."""

    mode: RoundingMode = RoundingMode.HALF_UP
    decimals: Annotated[int, Field(ge=0, le=9)] = 6


class UnitPriceRounding(Document):
    """Prices are those of one `per`, rounded to `decimals`, before they price anything."""

    per: QuantityText
    decimals: Annotated[int, Field(ge=0, le=PRICE_DECIMALS_MAX)]
    mode: RoundingMode = RoundingMode.HALF_UP


class IncrementRounding(Document):
    """What each increment costs is rounded to `decimals`, and an item costs its increments."""

    decimals: Annotated[int, Field(ge=0, le=PRICE_DECIMALS_MAX)]
    mode: RoundingMode = RoundingMode.HALF_UP


class PriceRounding(Rounding):
    """Where an amount is rounded, and whether prices of a unit or of each increment are before it is computed."""

    unit_price: UnitPriceRounding | None = None
    increment: IncrementRounding | None = None
