"""Options that say which usage is meant, shared by `octroi rerate` and `octroi simulate`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from apps.cli.output import count

From = Annotated[str, typer.Option("--from", metavar="TIME", help="Event time from (ISO 8601; UTC without an offset).")]
To = Annotated[str, typer.Option("--to", metavar="TIME", help="Event time before.")]
Offer = Annotated[str | None, typer.Option("--offer", help="Only of subscriptions to this offer.")]
Charge = Annotated[str | None, typer.Option("--charge", help="Only of this charge.")]
PricePlan = Annotated[str | None, typer.Option("--price-plan", help="Only what this price plan priced.")]
Account = Annotated[str | None, typer.Option("--account", help="Only of this account.")]
Subscription = Annotated[str | None, typer.Option("--subscription", help="Only of this subscription.")]
Source = Annotated[str | None, typer.Option("--source", help="Only from this source.")]


def usage_selection(since: str, until: str, **criteria: str | None) -> dict[str, Any]:
    """Return what is meant as `apps.embedded.rerate_scope.UsageSelection` takes it."""
    return {"since": since, "until": until} | {name: value for name, value in criteria.items() if value is not None}


def unrated_text(reasons: dict[str, int]) -> str:
    """Return how many EDRs are unrated, and why."""
    told = ", ".join(f"{number:,} {name}" for name, number in reasons.items())
    return f"{count(sum(reasons.values()), 'EDR')} unrated{f' ({told})' if told else ''}"
