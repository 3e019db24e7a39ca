"""The recount's reading of single fields that are not of the commonest form: it says what is wrong with them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NUMBER = re.compile(r"-?\d+(\.\d+)?")
_QUANTITY_MAX = 2**62


def read_instant(text: str, zone: str | None) -> int | str:
    """Return ISO 8601 text in microseconds UTC, or the name of the reason why not."""
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        return "INVALID_TIMESTAMP"
    if instant.tzinfo is None:
        if zone is None:
            return "TIMESTAMP_WITHOUT_ZONE"
        instant = instant.replace(tzinfo=ZoneInfo(zone))
    if not 2000 <= instant.astimezone(UTC).year < 2100:
        return "TIMESTAMP_OUT_OF_RANGE"
    return (instant - _EPOCH) // timedelta(microseconds=1)


def read_quantity(text: str, steps_per_unit: int) -> int | str:
    """Return a decimal number of units in base steps, or the name of the reason why not."""
    if not _NUMBER.fullmatch(text):
        return "INVALID_QUANTITY"
    steps = Decimal(text) * steps_per_unit
    if steps != steps.to_integral_value():
        return "QUANTITY_PRECISION"
    if abs(steps) > _QUANTITY_MAX:
        return "QUANTITY_OVERFLOW"
    return int(steps) if steps >= 0 else "NEGATIVE_QUANTITY"
