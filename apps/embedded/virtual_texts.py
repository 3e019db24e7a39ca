"""Columns of scaled integers, ids and instants as columns of texts."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import polars as pl

from schemas.arrays import Int32Array, Int64Array
from schemas.quantity import Unit, describe_quantity


def plain(value: Decimal) -> str:
    """Return a decimal without zeros that say nothing, and without an exponent."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def quantity_texts(amounts: Int64Array, unit: Unit) -> pl.Series:
    """Return (n,) base steps as texts in a unit."""
    decimals = len(str(unit.step_count)) - 1
    if 10**decimals == unit.step_count:
        return scaled_texts(amounts, decimals)
    known, place = np.unique(amounts, return_inverse=True)
    texts = [plain(describe_quantity(each, unit)) for each in known.tolist()]
    return named_texts(pl.Series(texts, dtype=pl.String), place)


def scaled_texts(amounts: Int64Array | pl.Series, decimals: int) -> pl.Series:
    """Return (n,) integers in units of 10**-decimals as texts, without zeros that say nothing; null where they are null."""
    whole = pl.Series("amount", amounts)
    if decimals == 0:
        return whole.cast(pl.String)
    power = 10**decimals
    size = pl.col("amount").abs()
    rest = (size % power).cast(pl.String).str.zfill(decimals)
    digits = ((size // power).cast(pl.String) + "." + rest).str.strip_chars_end("0").str.strip_chars_end(".")
    signed = pl.when(pl.col("amount") < 0).then(pl.lit("-") + digits).otherwise(digits)
    return whole.to_frame().select(signed).to_series()


def named_texts(names: pl.Series, places: Int64Array | Int32Array) -> pl.Series:
    """Return (n,) the names at some places."""
    return names.gather(places.astype(np.uint32)) if len(names) else pl.Series([], dtype=pl.String)


def instant_texts(moments: Int64Array) -> pl.Series:
    """Return (n,) microseconds UTC in ISO 8601."""
    texts: pl.Series = pl.Series(moments).cast(pl.Datetime("us")).dt.strftime("%Y-%m-%dT%H:%M:%S%.f")
    return texts + "Z"
