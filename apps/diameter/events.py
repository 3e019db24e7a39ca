"""One-time events: direct debiting, refund, balance check and price enquiry (RFC 8506 §6)."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, Protocol

import polars as pl

from apps.diameter.answers import RESULTS, Decided
from apps.diameter.credit import Action, Credit, Part
from apps.diameter.services import Service, ServiceTable
from apps.diameter.turns import Look, Turn
from apps.embedded.charging_looks import price_enquiry
from apps.embedded.charging_requests import ChargingRequest
from pipelines.mediation.diameter.codes import Result
from pipelines.mediation.diameter.messages import UnableToReadMessage
from schemas.charging import ChargingCode, ChargingKind
from schemas.rejection import Reason

if TYPE_CHECKING:
    from apps.embedded.engine import Engine

ENOUGH_CREDIT, NO_CREDIT = 0, 1
CHARGED = "e"
CURRENCIES = {
    "AUD": 36, "BGN": 975, "BHD": 48, "BRL": 986, "CAD": 124, "CHF": 756, "CNY": 156, "CZK": 203, "DKK": 208, "EUR": 978,
    "GBP": 826, "HKD": 344, "HUF": 348, "INR": 356, "ISK": 352, "JPY": 392, "KRW": 410, "KWD": 414, "MAD": 504, "MXN": 484,
    "NOK": 578, "NZD": 554, "PLN": 985, "RON": 946, "SEK": 752, "SGD": 702, "TND": 788, "TRY": 949, "USD": 840, "VND": 704,
    "XAF": 950, "XOF": 952, "ZAR": 710,
}  # fmt: skip
"""ISO 4217 numbers of the currencies that octroi bills in."""


class Port(Protocol):
    """What events are decided on."""

    @property
    def table(self) -> ServiceTable:
        """The services of the catalog in force."""

    def access_point(self, credit: Credit, service: Service) -> str:
        """Return whose usage it is."""

    def reservation(
        self, credit: Credit, service: Service, part: Part, whose: str, step: str, quantity: int
    ) -> ChargingRequest:
        """Return a reservation."""


def decide_event(port: Port, credit: Credit, part: Part) -> Turn[Decided]:
    """Return what becomes of one part of an event, asking the charging port.

    Raises:
        UnableToReadMessage, UnableToRequest: when it cannot be taken.
    """
    service = port.table.find(credit.context, part.rating_group, part.identifiers)
    if service is None:
        return Decided(part, None, Result.RATING_FAILED)
    if credit.action is Action.REFUND_ACCOUNT:
        return (yield from _refund(port, credit, part, service))
    whose = port.access_point(credit, service)
    asked = service.of_event(part.requested)
    if asked is None and credit.action is Action.CHECK_BALANCE:
        asked = service.quota
    if asked is None:  # RFC 8506, 9.2: insufficient rating input
        return Decided(part, service, Result.RATING_FAILED)
    charge = port.reservation(credit, service, part, whose, CHARGED, asked)._replace(
        kind=ChargingKind.CHARGE, increment=0
    )
    if credit.action is Action.DIRECT_DEBITING:
        [answer] = yield [charge]
        if answer.code is not ChargingCode.DONE:
            return Decided(part, service, RESULTS[answer.code])
        extra = (("Refund-Information", charge.id.encode()),)
        return Decided(part, service, Result.SUCCESS, asked, extra=extra)
    found = yield Look(lambda engine: _priced(engine, charge))
    if credit.action is Action.CHECK_BALANCE:
        if not found["priced"] and found["reason"] != Reason.INSUFFICIENT_BALANCE.name:
            return Decided(part, service, Result.RATING_FAILED)
        enough = ENOUGH_CREDIT if found["priced"] else NO_CREDIT
        return Decided(part, service, Result.SUCCESS, extra=(("Check-Balance-Result", enough),))
    if not found["priced"]:
        insufficient = found["reason"] == Reason.INSUFFICIENT_BALANCE.name
        return Decided(part, service, Result.CREDIT_LIMIT_REACHED if insufficient else Result.RATING_FAILED)
    return Decided(part, service, Result.SUCCESS, extra=(("Cost-Information", _cost(found)),))


def _refund(port: Port, credit: Credit, part: Part, service: Service) -> Turn[Decided]:
    """Take a charge back that was answered before; its answer said by what it is known."""
    if part.refund is None:
        raise UnableToReadMessage(Result.MISSING_AVP, "Refund-Information says which charge it was")
    name = credit.name(part.group, credit.number, "refund")
    try:
        of = part.refund.decode("ascii")
    except UnicodeDecodeError as error:
        raise UnableToReadMessage(Result.INVALID_AVP_VALUE, "no charge has this Refund-Information") from error
    [answer] = yield [ChargingRequest(ChargingKind.REFUND, name, of)]
    return Decided(part, service, RESULTS[answer.code])


def _priced(engine: Engine, charge: ChargingRequest) -> dict[str, Any]:
    """Return what usage would cost now, with the currency of the account that pays."""
    found = price_enquiry(engine, charge)
    active = engine.active
    assert active is not None
    at = charge.at or max(engine.journal.stage_time(engine.now()), engine.state.charging.at)
    (subscription,) = active.catalog.access_points.filter(
        pl.col("access_point") == charge.access_point, pl.col("start_at") <= at, pl.col("end_at") > at
    )["subscription"]
    subscriptions, accounts = active.catalog.subscriptions, active.catalog.accounts
    account = subscriptions.filter(subscriptions["subscription"] == subscription)["account"][0]
    return found | {"currency": accounts.filter(accounts["account"] == account)["currency"][0]}


def _cost(found: dict[str, Any]) -> dict[str, Any]:
    digits = Decimal(found["amount"]).as_tuple()
    number = int("".join(map(str, digits.digits)) or "0") * (-1 if digits.sign else 1)
    return {
        "Unit-Value": {"Value-Digits": number, "Exponent": int(digits.exponent)},
        "Currency-Code": CURRENCIES[found["currency"]],
    }
