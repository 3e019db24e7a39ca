"""How many of something subscriptions have, such as kVA, and since when."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from schemas.document import Document, Instant

UNITS_MAX = 1_000_000
CHANGES_MAX = 1000


class UnitCount(Document):
    """How many of something a subscription has from `start` on; the first one without, from the beginning."""

    start: Instant | None = None
    count: Annotated[int, Field(ge=1, le=UNITS_MAX)]


def _counts(written: Any) -> Any:
    return written if isinstance(written, (list, tuple)) else ({"count": written},)


def _in_order(counts: tuple[UnitCount, ...]) -> tuple[UnitCount, ...]:
    starts = [each.start for each in counts]
    later = [start for start in starts[1:] if start is not None]
    if starts[0] is not None or len(later) < len(counts) - 1 or any(one >= other for one, other in pairwise(later)):
        raise ValueError("the first has no start, and every other one a later start than the one before")
    return counts


UnitCounts = Annotated[
    tuple[UnitCount, ...],
    Field(min_length=1, max_length=CHANGES_MAX),
    AfterValidator(_in_order),
    BeforeValidator(_counts, json_schema_input_type=int | tuple[UnitCount, ...]),
]
