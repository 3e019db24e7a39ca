"""Charging services: which usage a rating group of Diameter is, and how much of it is granted at a time."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from schemas.charging import VALIDITY_S_MAX
from schemas.price_plan import Code, Document, QuantityText

Measure = Literal["total_octets", "input_octets", "output_octets", "time", "service_units"]
"""Which units of credit control say how much: octets are bytes, time is seconds, service units those of the event type."""
SubscriptionType = Literal["e164", "imsi", "sip_uri", "nai", "private"]
"""Kinds of Subscription-Id (RFC 8506 §8.47), in the order of their numbers."""
FinalUnit = Literal["terminate", "redirect", "restrict"]
Number32 = Annotated[int, Field(ge=0, lt=2**32)]
AvpPath = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*$")]


class ChargingService(Document):
    """Usage that network elements ask credit for, by the service context and the rating group or service that they name.

    `service_context` matches the end of Service-Context-Id. Of several services that match, the one that says more is taken.
    """

    kind: Literal["charging_service"]
    code: Code
    service_context: Annotated[str, Field(min_length=1, max_length=255)]
    rating_group: Number32 | None = None
    service_identifier: Number32 | None = None
    event_type: Code
    measured_in: Measure
    quota: QuantityText
    increment: QuantityText | None = None
    validity_s: Annotated[int, Field(ge=1, le=VALIDITY_S_MAX // 2)] = 1800
    threshold: QuantityText | None = None
    holding_s: Number32 | None = None
    final_unit: FinalUnit = "terminate"
    redirect_to: Annotated[str, Field(min_length=1, max_length=1024)] | None = None
    restrict_to: tuple[str, ...] = ()
    subscription_ids: Annotated[tuple[SubscriptionType, ...], Field(min_length=1)] = ("e164", "imsi")
    attributes: dict[str, AvpPath] = {}
