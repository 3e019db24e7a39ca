"""Rules of charging services."""

from __future__ import annotations

from billing.catalog.checking import Context, units_of
from billing.catalog.models import Entry
from schemas.charging_service import ChargingService
from schemas.price_plan import EventType
from schemas.quantity import QUANTITY_MAX, parse_quantity

DIMENSIONS = {"total_octets": "data", "input_octets": "data", "output_octets": "data", "time": "time"}
"""What measures must be of; service units are of any dimension."""


def check_charging_service(ctx: Context, entry: Entry[ChargingService]) -> None:
    """Check a charging service: its event type, what it is measured in, its quantities and its end."""
    service = entry.document
    event_type = ctx.reference(entry, ("event_type",), EventType, "event_type", service.event_type)
    _check_alike(ctx, entry)
    if service.final_unit == "redirect" and service.redirect_to is None:
        ctx.problems.at(entry, ("final_unit",), "it does not say where to", "add `redirect_to: …`")
    if service.final_unit != "redirect" and service.redirect_to is not None:
        ctx.problems.at(
            entry, ("redirect_to",), "nobody is redirected", "write `final_unit: redirect`, or remove it", key=True
        )
    if service.final_unit != "restrict" and service.restrict_to:
        ctx.problems.at(
            entry, ("restrict_to",), "nobody is restricted", "write `final_unit: restrict`, or remove it", key=True
        )
    ctx.unique(entry, ("subscription_ids",), service.subscription_ids, "kind")
    if event_type is None or event_type.unit not in ctx.units:
        return
    for name in service.attributes:
        if name not in event_type.attributes:
            fix = f"declare it in event type {event_type.code}, or remove it"
            ctx.problems.at(entry, ("attributes", name), f"event type {event_type.code} has no attribute {name!r}", fix)
    dimension = ctx.units[event_type.unit].dimension
    wanted = DIMENSIONS.get(service.measured_in, dimension)
    if dimension != wanted:
        message = (
            f"{service.measured_in} cannot say how much of {event_type.code}, which is measured in {event_type.unit}"
        )
        fix = "name an event type whose unit is one of " + units_of(wanted, ctx.units)
        ctx.problems.at(entry, ("measured_in",), message, fix)
        return
    quantities = {name: getattr(service, name) for name in ("quota", "increment", "threshold")}
    for name, text in quantities.items():
        if text is not None:
            _check_quantity(ctx, entry, name, text, dimension)


def _check_quantity(ctx: Context, entry: Entry[ChargingService], name: str, text: str, dimension: str) -> None:
    try:
        steps, unit = parse_quantity(text, ctx.units)
    except (KeyError, ValueError):
        ctx.problems.at(entry, (name,), f"{text!r} is no quantity", 'write "NUMBER UNIT"')
        return
    if unit.dimension != dimension:
        fix = "use one of " + units_of(dimension, ctx.units)
        ctx.problems.at(entry, (name,), f"{unit.code} does not measure this event type", fix)
    elif not 0 < steps <= QUANTITY_MAX:
        ctx.problems.at(entry, (name,), "it is zero, or too large", "write a quantity above zero")


def _check_alike(ctx: Context, entry: Entry[ChargingService]) -> None:
    service = entry.document
    for other in ctx.documents.of(ChargingService).values():
        theirs = other.document
        if theirs.code >= service.code:
            continue
        if (theirs.service_context, theirs.rating_group, theirs.service_identifier) == (
            service.service_context, service.rating_group, service.service_identifier,
        ):  # fmt: skip
            message = f'the charging service "{theirs.code}" is for the same requests'
            ctx.problems.at(entry, ("service_context",), message, "name another rating group, or remove one of them")
