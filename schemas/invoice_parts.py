"""What an invoice is made of, in the words of EN 16931-1:2017 (its terms BT-… and groups BG-… stand beside each field).

Amounts are Decimal, texts in JSON. A period is half-open, [start, end): XML and paper say its last day. Texts hold no control
characters, which XML could not say.
"""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, PlainSerializer, StringConstraints, model_validator

from schemas.price_plan import CivilDate, Country, Document, ExactDecimal

DIGITS_MAX, DECIMALS_MAX = 38, 15
LINES_MAX = 100_000

_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


def _sayable(text: str) -> str:
    """Refuse what XML 1.0 cannot say, and what would command a terminal."""
    if found := _CONTROLS.search(text):
        raise ValueError(f"has the character U+{ord(found[0]):04X}, which no document can say")
    return text


def _plain(value: Decimal) -> str:
    return format(value, "f")


Number = Annotated[
    ExactDecimal,
    Field(max_digits=DIGITS_MAX, decimal_places=DECIMALS_MAX),
    PlainSerializer(_plain, return_type=str, when_used="json"),
]
"""An amount, a quantity, a price or a percentage: exact, a text in JSON."""
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1000), AfterValidator(_sayable)]
LongText = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=20_000), AfterValidator(_sayable)
]
UnitCode = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9]{1,3}$")]
"""UN/ECE Recommendation 20 or 21: C62 one, KWH kilowatt hour, MIN minute, E34 gigabyte, DAY, MON month."""
Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
TaxCategory = Literal["S", "Z", "E", "AE", "K", "G", "O", "L", "M"]
"""UNTDID 5305: S standard or reduced, Z zero, E exempt, AE reverse charge, K intra-community supply, G export, O outside the
scope of VAT, L IGIC of the Canary Islands, M IPSI of Ceuta and Melilla."""
Mark = Literal["real", "estimated", "customer"]
"""What a quantity of energy rests on: an index that was read, an estimate, or an index that the customer told."""


def _iban(value: str) -> str:
    """Refuse an IBAN whose check digits are wrong (ISO 13616: the number, read with letters as 10 to 35, is 1 modulo 97)."""
    text = value.replace(" ", "").upper()
    if not re.fullmatch(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{8,30}", text):
        raise ValueError("is no IBAN")
    if int("".join(str(int(letter, 36)) for letter in text[4:] + text[:4])) % 97 != 1:
        raise ValueError("is no IBAN: its check digits are wrong")
    return text


Iban = Annotated[str, AfterValidator(_iban)]


class Period(Document):
    """[start, end), civil days of the seller: November 2026 is 2026-11-01 to 2026-12-01."""

    start: CivilDate
    end: CivilDate

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if self.end <= self.start:
            raise ValueError(f"BR-29: the period from {self.start} to {self.end} holds no day")
        return self


class Identifier(Document):
    """A number and whose it is: an ISO 6523 code (0002 SIREN, 0009 SIRET, 0225 French address), or an EAS code."""

    value: Text
    scheme: Annotated[str, StringConstraints(pattern=r"^[A-Z0-9]{2,4}$")] | None = None


class Address(Document):
    """A postal address; only its country is needed (BT-40, BT-55)."""

    lines: Annotated[tuple[Text, ...], Field(max_length=3)] = ()
    postcode: Text | None = None
    city: Text | None = None
    subdivision: Text | None = None
    country: Country


class Contact(Document):
    """Whom to ask (BG-6, BG-9)."""

    name: Text | None = None
    telephone: Text | None = None
    email: Text | None = None


class Party(Document):
    """A seller (BG-4), a buyer (BG-7), or whom goods go to (BG-13).

    `legal_id` is the number in the register of companies (BT-30, BT-47), `legal_text` what the law has a seller say of itself:
    form, capital, register (BT-33). `electronic_address` is where documents go (BT-34, BT-49).
    """

    name: Text
    trading_name: Text | None = None
    identifiers: Annotated[tuple[Identifier, ...], Field(max_length=20)] = ()
    legal_id: Identifier | None = None
    vat_id: Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}[A-Z0-9+*.]{2,13}$")] | None = None
    tax_id: Text | None = None
    legal_text: Text | None = None
    electronic_address: Identifier | None = None
    address: Address
    contact: Contact | None = None


class Payee(Document):
    """Who is paid, where it is not the seller (BG-10)."""

    name: Text
    identifier: Identifier | None = None
    legal_id: Identifier | None = None


class Payment(Document):
    """How it is paid (BG-16 to BG-19): `means` is UNTDID 4461, 30 credit transfer, 58 by SEPA, 59 SEPA direct debit, 48 card.

    `iban` is where to, `debited_iban` where from; `mandate` and `creditor_id` are those of a direct debit.
    """

    means: Annotated[str, StringConstraints(pattern=r"^([0-9]{1,2}|ZZZ)$")]
    text: Text | None = None
    remittance: Text | None = None
    iban: Iban | None = None
    account_name: Text | None = None
    bic: Annotated[str, StringConstraints(pattern=r"^[A-Z0-9]{8}([A-Z0-9]{3})?$")] | None = None
    mandate: Text | None = None
    creditor_id: Text | None = None
    debited_iban: Iban | None = None
    card_last_digits: Annotated[str, StringConstraints(pattern=r"^[0-9]{4,6}$")] | None = None


class Preceding(Document):
    """An invoice that this one corrects, or takes back (BG-3)."""

    number: Text
    issue_date: CivilDate | None = None


class Note(Document):
    """A text, and its subject by UNTDID 4451 (BG-1).

    PMT costs of recovery, PMD penalties, AAB discount for early payment, REG law.
    """

    text: LongText
    subject: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")] | None = None


class LineTax(Document):
    """How something is taxed: category (BT-151) and rate in percent (BT-152); nothing outside the scope of VAT has a rate."""

    category: TaxCategory
    rate: Annotated[Number, Field(ge=0, le=100)] | None = None


class AllowanceCharge(Document):
    """What is taken off (allowance) or put on (charge): a line (BG-27, BG-28) or the document (BG-20, BG-21), with its tax.

    `amount` is what it comes to, not negative; `base` and `percent` say what it was computed from.
    """

    kind: Literal["allowance", "charge"]
    amount: Annotated[Number, Field(ge=0)]
    base: Annotated[Number, Field(ge=0)] | None = None
    percent: Annotated[Number, Field(ge=0)] | None = None
    reason: Text | None = None
    reason_code: Annotated[str, StringConstraints(pattern=r"^[A-Z0-9]{1,3}$")] | None = None
    tax: LineTax | None = None


class Attribute(Document):
    """Anything else that a line says (BG-32)."""

    name: Text
    value: Text


class InvoiceLine(Document):
    """One line (BG-25): `quantity` of `unit` at `price` for `price_base` of it, and what that comes to without tax.

    `price` is what is paid (BT-146), after `price_discount` (BT-147); neither is negative: what is given back has a negative
    quantity. `net_amount` (BT-131) is rounded once, charges and allowances of the line in it. `section` gathers lines under a
    title with a subtotal, on paper only.
    """

    id: Text
    name: Text
    description: LongText | None = None
    section: Text | None = None
    article: Text | None = None
    buyer_article: Text | None = None
    note: LongText | None = None
    quantity: Number
    unit: UnitCode
    price: Number
    price_base: Annotated[Number, Field(gt=0)] = Decimal(1)
    price_discount: Annotated[Number, Field(ge=0)] | None = None
    net_amount: Number
    period: Period | None = None
    order_line: Text | None = None
    accounting: Text | None = None
    tax: LineTax
    allowances_charges: Annotated[tuple[AllowanceCharge, ...], Field(max_length=100)] = ()
    attributes: Annotated[tuple[Attribute, ...], Field(max_length=100)] = ()
    mark: Mark | None = None


class TaxSum(Document):
    """One tax of the document (BG-23): computed and rounded once on the sum of what it is due on; why nothing is due, if so."""

    tax: LineTax
    base: Number
    amount: Number
    reason: Text | None = None
    reason_code: Annotated[str, StringConstraints(pattern=r"^VATEX-[A-Z0-9-]+$")] | None = None


class Totals(Document):
    """What it all comes to (BG-22): lines (BT-106) − allowances (107) + charges (108) = net (109); + tax (110) = gross (112);
    − prepaid (113) + rounding (114) = payable (115). `accounting_tax` is the tax in the currency of the books (BT-111).
    """

    lines: Number
    allowances: Number = Decimal(0)
    charges: Number = Decimal(0)
    net: Number
    tax: Number
    accounting_tax: Number | None = None
    gross: Number
    prepaid: Number = Decimal(0)
    rounding: Number = Decimal(0)
    payable: Number


class UsageBar(Document):
    """What was used in a period, and what that rests on."""

    period: Period
    quantity: Annotated[Number, Field(ge=0)]
    mark: Mark | None = None


class UsageChart(Document):
    """Usage by months, drawn as bars, of one point of delivery; `point` is its number, as on its contract."""

    label: Text
    point: Text | None = None
    unit: Text
    bars: Annotated[tuple[UsageBar, ...], Field(min_length=1, max_length=60)]


def last_day(period: Period) -> date:
    """Return the last day that a period holds."""
    return date.fromordinal(period.end.toordinal() - 1)
