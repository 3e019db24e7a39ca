"""Which discount plans are assigned to whom, and when: rows of DISCOUNT_FRAME from documents."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from billing.catalog.checking import Context
from billing.catalog.models import Entry
from billing.catalog.origins import Origins
from rating.months import months_later
from schemas.catalog import TIME_MAX, TIME_MIN
from schemas.discount import DiscountPlan
from schemas.price_plan import Account, DiscountAssignment, Subscription, utc_microseconds


def discount_rows(ctx: Context, origins: Origins) -> list[tuple[Any, ...]]:
    """Return the rows of DISCOUNT_FRAME, with their origins; assignments that never hold, or of unknown plans, have none."""
    plans = ctx.documents.of(DiscountPlan)
    holders: Iterable[tuple[str, Entry[Any]]] = (
        *(("account", entry) for entry in ctx.documents.of(Account).values()),
        *(("subscription", entry) for entry in ctx.documents.of(Subscription).values()),
    )
    rows: list[tuple[Any, ...]] = []
    for kind, entry in holders:
        for number, each in enumerate(entry.document.discounts):
            if each.plan not in plans:
                continue
            start, end = _period(plans[each.plan].document, each)
            if start < end:
                origin = origins.value(entry, ("discounts", number))
                rows.append((kind, entry.document.code, number, each.plan, start, end, origin))
    return rows


def _period(plan: DiscountPlan, assigned: DiscountAssignment) -> tuple[int, int]:
    """Return when an assigned plan holds: as long as all that is said of it does."""
    starts = [utc_microseconds(each) for each in (plan.start, assigned.start) if each is not None]
    ends = [utc_microseconds(each) for each in (plan.end, assigned.end) if each is not None]
    if plan.limits.months is not None and assigned.start is not None:
        with suppress(ValueError):  # that is after all years that there are
            ends.append(utc_microseconds(months_later(assigned.start, plan.limits.months)))
    return max(starts, default=TIME_MIN), min(ends, default=TIME_MAX)
