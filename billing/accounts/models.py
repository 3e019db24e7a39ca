"""Accounts of five levels, and what is attached to them: frozen, checked where they come in."""

from __future__ import annotations

from enum import StrEnum
from functools import cache
from typing import Annotated, Any
from zoneinfo import available_timezones

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from schemas.account import Wallet
from schemas.document import Code
from schemas.money import CURRENCY_DECIMALS


class Kind(StrEnum):
    """Levels, from above: who sells, who they are, what they owe, who gets the invoice, who consumes."""

    SELLER = "seller"
    CUSTOMER = "customer"
    CUSTOMER_ACCOUNT = "customer_account"
    BILLING_ACCOUNT = "billing_account"
    USER_ACCOUNT = "user_account"


class Status(StrEnum):
    """Of an account: only an active one may buy."""

    ACTIVE = "ACTIVE"
    CANCELED = "CANCELED"
    TERMINATED = "TERMINATED"
    CLOSED = "CLOSED"


class PaymentType(StrEnum):
    """How somebody pays."""

    CHECK = "CHECK"
    DIRECTDEBIT = "DIRECTDEBIT"
    WIRETRANSFER = "WIRETRANSFER"
    CARD = "CARD"
    PAYPAL = "PAYPAL"
    STRIPE = "STRIPE"
    CASH = "CASH"
    SIPS = "SIPS"


def _printable(value: str) -> str:
    if any(not character.isprintable() for character in value):
        raise ValueError("there are control characters")
    return value


def _listed(value: str) -> str:
    if value not in CURRENCY_DECIMALS:
        raise ValueError(f"octroi does not bill in the currency {value}")
    return value


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


def _known_zone(value: str) -> str:
    if value not in _zones():
        raise ValueError(f"there is no time zone {value}")
    return value


Line = Annotated[
    str, StringConstraints(min_length=1, max_length=255, strip_whitespace=True), AfterValidator(_printable)
]
"""One line of text."""
Prose = Annotated[str, StringConstraints(min_length=1, max_length=10_000, strip_whitespace=True)]
Country = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
Language = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}(-[A-Z]{2})?$")]
Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$"), AfterValidator(_listed)]
Zone = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+){0,2}$"), AfterValidator(_known_zone)
]


class Model(BaseModel):
    """Base: frozen, unknown fields are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Account(Model):
    """An account.

    What is left out of `currency`, `language`, `country`, `tax_category`, `zone` and `billing_cycle` is that of the nearest
    account above. `wallets` are those of a catalog's account: None is one postpaid `principal`. `custom` are the tenant's own
    fields.
    """

    kind: Kind
    code: Code
    name: Line | None = None
    parent: Code | None = None
    external_id: Line | None = None
    status: Status = Status.ACTIVE
    currency: Currency | None = None
    language: Language | None = None
    country: Country | None = None
    tax_category: Code | None = None
    tax_exemption: Line | None = None
    zone: Zone | None = None
    billing_cycle: Code | None = None
    electronic_billing: bool = False
    wallets: Annotated[tuple[Wallet, ...], Field(max_length=64)] | None = None
    custom: dict[str, Any] = {}


INHERITED = ("currency", "language", "country", "tax_category", "tax_exemption", "zone", "billing_cycle")
"""Fields that are those of the nearest account above where they are left out."""


class Address(Model):
    """Where an account is, for a purpose: `billing`, `delivery`, `legal`, `site`."""

    purpose: Annotated[str, StringConstraints(pattern=r"^(billing|delivery|legal|site)$")] = "billing"
    line1: Line
    line2: Line | None = None
    line3: Line | None = None
    postal_code: Line | None = None
    city: Line
    state: Line | None = None
    country: Country | None = None


class Contact(Model):
    """Somebody to talk to."""

    name: Line
    role: Line | None = None
    email: Annotated[str, StringConstraints(pattern=r"^[^@\s]{1,64}@[^@\s]{1,189}$")] | None = None
    phone: Annotated[str, StringConstraints(pattern=r"^\+?[0-9 ().-]{3,32}$")] | None = None


class PaymentMethod(Model):
    """How a billing account, or one of its subscriptions, pays; one of an account's is preferred.

    `reference` is an IBAN or what a payment service calls a card: never the number of a card. `mandate` names that of a direct
    debit, `expires_on` is the month (YYYY-MM) after which a card is of no use.
    """

    type: PaymentType
    reference: Line | None = None
    holder: Line | None = None
    mandate: Line | None = None
    expires_on: Annotated[str, StringConstraints(pattern=r"^[0-9]{4}-(0[1-9]|1[0-2])$")] | None = None
    subscription: Code | None = None
    preferred: bool = False


class Note(Model):
    """What somebody wants to remember of an account."""

    text: Prose


Attachment = Address | Contact | PaymentMethod | Note
"""What is attached to an account."""
