"""Drafts, what is published, and what is closed: which versions of a price plan price usage."""

from __future__ import annotations

from collections.abc import Iterator

from schemas.price_plan import PricePlan, PriceVersion


def in_force(plan: PricePlan, *, drafts: bool) -> PricePlan:
    """Return a plan with the versions that are published; with `drafts` as if those were, in the place of others then."""
    if all(version.state == "published" for version in plan.versions):
        return plan
    published = [version for version in plan.versions if version.state == "published"]
    coming = [version for version in plan.versions if version.state == "draft"] if drafts else []
    for draft in coming:
        published = [piece for version in published for piece in _outside(version, draft)]
    return plan.model_copy(update={"versions": (*published, *coming)})


def _outside(version: PriceVersion, draft: PriceVersion) -> Iterator[PriceVersion]:
    """Yield what of a version's time lies before a draft, and what after it."""
    if version.start < draft.start:
        end = draft.start if version.end is None else min(version.end, draft.start)
        yield version.model_copy(update={"end": end})
    if draft.end is not None and (version.end is None or draft.end < version.end):
        yield version.model_copy(update={"start": max(version.start, draft.end)})
