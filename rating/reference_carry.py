"""The twin of `rating.kernels.carry`: what is left of every allowance since the first, told from all that was ever counted."""

from __future__ import annotations

from collections.abc import Mapping

from rating.reference_shapes import steps
from schemas.catalog import Catalog
from schemas.price_plan import RollOver


def carried_into(period: int, counted: Mapping[int, int], rule: RollOver, catalog: Catalog) -> int:
    """Return the base steps that are carried into a period.

    Args:
        counted: period: base steps that were counted in it, of every period with any usage.
    """
    allowance = steps(rule.of, catalog)
    limit = steps(rule.limit, catalog) if rule.limit is not None else allowance
    left: dict[int, int] = {}
    for each in range(min(counted, default=period), period):
        usable = sorted(old for old in left if each - rule.periods <= old < each)
        left[each] = allowance
        order = [each, *reversed(usable)] if rule.order == "newest_first" else [*usable, each]
        drawn = counted.get(each, 0)
        for bucket in order:
            part = min(drawn, left[bucket])
            left[bucket] -= part
            drawn -= part
        left[each] = min(left[each], limit)
    return sum(quantity for old, quantity in left.items() if period - rule.periods <= old < period)
