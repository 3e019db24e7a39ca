"""Rows of files as subscriptions: one line a subscription and one of its access points."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from billing.access.sheets import Fault
from billing.subscriptions.models import Subscription

COLUMNS = ("code", "account", "offer", "start", "zone", "group", "access_point", "shared", "term_months", "term_renews")
"""Columns of a file of subscriptions."""


@dataclass(frozen=True, slots=True)
class Ordered:
    """A row that may be kept: its line and the subscription."""

    row: int
    subscription: Subscription


def read_subscription(row: int, values: Mapping[str, str]) -> Ordered | list[Fault]:
    """Return the subscription of a row, or everything that is wrong with it."""
    if "" in values:
        return [Fault(row, "", values[""])]
    said: dict[str, Any] = {name: values[name] for name in COLUMNS[:6] if name in values}
    if "access_point" in values:
        said["access_points"] = [{"id": values["access_point"], "shared": values.get("shared", "false")}]
    if "term_months" in values:
        said["term"] = {"months": values["term_months"], "renews": values.get("term_renews", "false")}
    try:
        return Ordered(row, Subscription.model_validate(said))
    except ValidationError as error:
        return [
            Fault(row, _column(item["loc"]), str(item["msg"]).removeprefix("Value error, "))
            for item in error.errors(include_url=False, include_input=False)
        ]


def _column(place: tuple[int | str, ...]) -> str:
    if place[0] == "access_points":
        return "shared" if place[-1] == "shared" else "access_point"
    return f"term_{place[1]}" if place[0] == "term" and len(place) > 1 else str(place[0])
