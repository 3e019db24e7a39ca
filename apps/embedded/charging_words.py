"""Online charging in words, as JSON has it: for HTTP, for the owner's socket and for the command line."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal, DecimalException
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from apps.embedded.charging_requests import VALIDITY_S, ChargingAnswer, ChargingRequest, UnableToRequest
from schemas.charging import CODE_WORDS, VALIDITY_S_MAX, ChargingCode, ChargingKind
from schemas.money import AMOUNT_DECIMALS, from_scaled
from schemas.price_plan import ValueType, utc_microseconds
from schemas.quantity import Unit, parse_quantity
from schemas.rejection import EXPLANATIONS
from schemas.values import pack_digits

if TYPE_CHECKING:
    from apps.embedded.engine import Engine

Name = Annotated[str, Field(min_length=1, max_length=255)]


class ChargingBody(BaseModel):
    """One request of online charging."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: Name = Field(description="names the request: the same one again gets the same answer")
    of: str = Field(
        "",
        max_length=255,
        description="confirm, cancel: id of the reservation; refund: id of the confirmation or charge",
    )
    access_point: str = Field("", description="whose usage it is; reserve and charge only")
    event_type: str = Field("", description="what kind of usage it is; reserve and charge only")
    quantity: str = Field("", description='how much is asked for or was used: "NUMBER UNIT"')
    increment: str = Field(
        "", description="a reservation may grant less, in whole multiples of this; without it, all or nothing"
    )
    at: datetime | None = Field(None, description="when the usage is, ISO 8601 with zone; without it, now")
    validity_s: int = Field(VALIDITY_S, ge=1, le=VALIDITY_S_MAX, description="how long a reservation is held")
    said: dict[str, str] = Field({}, description="attributes and values that the event type declares, as texts")


def read_request(engine: Engine, kind: ChargingKind, body: Mapping[str, Any]) -> ChargingRequest:
    """Return the request that some JSON is.

    Raises:
        UnableToRequest: INVALID_REQUEST, or what the catalog in force does not have.
    """
    try:
        said = ChargingBody.model_validate(body)
    except ValidationError as error:
        told = "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())
        raise UnableToRequest("INVALID_REQUEST", told) from error
    active = engine.active
    if active is None:
        raise UnableToRequest("UNAVAILABLE", "no catalog is in force")
    begins = kind in (ChargingKind.RESERVE, ChargingKind.CHARGE)
    event_type = active.catalog.event_types.get(said.event_type)
    if begins and event_type is None:
        raise UnableToRequest("UNKNOWN_EVENT_TYPE", f"the catalog in force has no event type {said.event_type!r}")
    units = active.catalog.units
    dimension = None if event_type is None else units[event_type.unit].dimension
    needs = begins or kind is ChargingKind.CONFIRM
    declared = {} if event_type is None else event_type.values
    values = {name: _value(declared[name], name, text) for name, text in said.said.items() if name in declared}
    request = ChargingRequest(
        kind=kind,
        id=said.id,
        of=said.of,
        access_point=said.access_point,
        event_type=said.event_type,
        quantity=_steps(said.quantity, units, dimension, "quantity") if needs or said.quantity else 0,
        increment=_steps(said.increment, units, dimension, "increment") if said.increment else 0,
        at=_instant(said.at),
        validity_s=said.validity_s,
        attributes={name: text for name, text in said.said.items() if name not in values},
        values=values,
    )
    request.check()
    return request


def _steps(text: str, units: Mapping[str, Unit], dimension: str | None, name: str) -> int:
    try:
        steps, unit = parse_quantity(text, units)
    except (KeyError, ValueError) as error:
        raise UnableToRequest("INVALID_REQUEST", f'{name}: {text!r} is no quantity, write "NUMBER UNIT"') from error
    if dimension is not None and unit.dimension != dimension:
        raise UnableToRequest("INVALID_REQUEST", f"{name}: {unit.code} does not measure this event type")
    return steps


def _instant(at: datetime | None) -> int:
    if at is None:
        return 0
    if at.tzinfo is None:
        raise UnableToRequest("INVALID_REQUEST", "at: write an instant with its zone")
    try:
        return utc_microseconds(at.astimezone(UTC))
    except OverflowError as error:
        raise UnableToRequest("INVALID_REQUEST", "the time is out of range") from error


def _value(declared: ValueType, name: str, text: str) -> int:
    """Return a value as it is kept.

    Raises:
        UnableToRequest: INVALID_REQUEST.
    """
    try:
        if declared.type == "digits":
            if re.fullmatch(r"[0-9]+", text, re.ASCII) is None:
                raise ValueError(text)
            return pack_digits(text)
        if declared.type == "date":
            return (date.fromisoformat(text) - date(1970, 1, 1)).days
        if declared.type == "instant":
            return _instant(datetime.fromisoformat(text))
        scaled = Decimal(text).scaleb(declared.decimals)
        if scaled != scaled.to_integral_value() or abs(scaled) >= 2**63:
            raise ValueError(text)
        return int(scaled)
    except (ValueError, DecimalException) as error:
        raise UnableToRequest("INVALID_REQUEST", f"said.{name}: {text!r} is no {declared.type}") from error


def answer_as_dict(answer: ChargingAnswer) -> dict[str, Any]:
    """Return an answer, ready for JSON; quantities are in base steps of the event type's unit."""
    told: dict[str, Any] = {
        "code": answer.code.name,
        "granted_steps": answer.granted,
        "amount": f"{from_scaled(answer.amount, AMOUNT_DECIMALS).normalize():f}",
    }
    if answer.expires_at:
        told["expires_at"] = datetime.fromtimestamp(answer.expires_at / 1_000_000, UTC).isoformat()
    if answer.claim:
        told["item"] = f"ri-{answer.claim}-{answer.record}"
    if answer.code is not ChargingCode.DONE:
        told["detail"] = EXPLANATIONS[answer.reason] if answer.reason else CODE_WORDS[answer.code][0]
        told["diameter"] = CODE_WORDS[answer.code][1]
    if answer.reason:
        told["reason"] = answer.reason.name
    return told
