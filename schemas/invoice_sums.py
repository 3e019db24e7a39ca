"""What lines come to: pure sums, each tax computed and rounded once on the sum of what it is due on (BR-CO-17)."""

from __future__ import annotations

import decimal
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from schemas.invoice_parts import AllowanceCharge, InvoiceLine, LineTax, TaxCategory, TaxSum, Totals
from schemas.money import CURRENCY_DECIMALS, DECIMAL_ROUNDING, EXACT, RoundingMode

RATED = ("S", "L", "M")
"""Categories that have a sum for each rate; the others have one, whatever their lines are."""
ZERO = Decimal(0)
_HUNDRED = Decimal(100)


@dataclass(frozen=True, slots=True)
class Exemption:
    """Why nothing is due: in words, and by the VATEX list of codes."""

    reason: str | None = None
    code: str | None = None


REASONS: dict[TaxCategory, Exemption] = {
    "AE": Exemption("Reverse charge", "VATEX-EU-AE"),
    "K": Exemption("Intra-Community supply", "VATEX-EU-IC"),
    "G": Exemption("Export outside the EU", "VATEX-EU-G"),
    "O": Exemption("Not subject to VAT", "VATEX-EU-O"),
}
"""What is said of categories whose reason is always the same; an exemption (E) has to say its own."""


_WIDE = decimal.Context(prec=EXACT.prec, traps=[decimal.InvalidOperation])


def rounded_amount(amount: Decimal, currency: str, mode: RoundingMode = RoundingMode.HALF_UP) -> Decimal:
    """Return an amount rounded to the decimals of its currency; negative amounts mirror positive ones.

    Raises:
        ValueError: when `schemas.money.CURRENCY_DECIMALS` does not list the currency.
    """
    if currency not in CURRENCY_DECIMALS:
        raise ValueError(f"{currency} is no currency that octroi bills in")
    step = Decimal(1).scaleb(-CURRENCY_DECIMALS[currency])
    return amount.quantize(step, rounding=DECIMAL_ROUNDING[mode], context=_WIDE)


def total(amounts: Iterable[Decimal]) -> Decimal:
    """Return the sum of amounts, exact."""
    result = ZERO
    for amount in amounts:
        result = EXACT.add(result, amount)
    return result


def line_amount(
    quantity: Decimal,
    price: Decimal,
    price_base: Decimal,
    adjustments: Iterable[AllowanceCharge],
    currency: str,
    mode: RoundingMode = RoundingMode.HALF_UP,
) -> Decimal:
    """Return what a line comes to without tax: quantity × price / base + charges − allowances, rounded once."""
    exact = _WIDE.divide(_WIDE.multiply(quantity, price), price_base)
    return rounded_amount(_WIDE.add(exact, signed(adjustments)), currency, mode)


def signed(adjustments: Iterable[AllowanceCharge]) -> Decimal:
    """Return charges less allowances."""
    return total(each.amount if each.kind == "charge" else -each.amount for each in adjustments)


def tax_key(tax: LineTax) -> tuple[TaxCategory, Decimal | None]:
    """Return what taxes are summed by: category and rate, or the category alone where there is one sum of it."""
    return (tax.category, tax.rate) if tax.category in RATED else (tax.category, None)


def tax_bases(
    lines: Iterable[InvoiceLine], adjustments: Iterable[AllowanceCharge]
) -> dict[tuple[TaxCategory, Decimal | None], Decimal]:
    """Return what each tax is due on: net amounts of lines, and charges less allowances of the document that name it."""
    bases: dict[tuple[TaxCategory, Decimal | None], Decimal] = {}
    for line in lines:
        key = tax_key(line.tax)
        bases[key] = EXACT.add(bases.get(key, ZERO), line.net_amount)
    for each in adjustments:
        if each.tax is not None:
            key = tax_key(each.tax)
            bases[key] = EXACT.add(bases.get(key, ZERO), each.amount if each.kind == "charge" else -each.amount)
    return bases


def tax_due(base: Decimal, rate: Decimal | None, currency: str, mode: RoundingMode = RoundingMode.HALF_UP) -> Decimal:
    """Return the tax on a base, rounded once; 0 where there is no rate."""
    return rounded_amount(_WIDE.divide(_WIDE.multiply(base, rate or ZERO), _HUNDRED), currency, mode)


def tax_sums(
    lines: Iterable[InvoiceLine],
    adjustments: Iterable[AllowanceCharge],
    currency: str,
    *,
    reasons: Mapping[TaxCategory, Exemption] | None = None,
    mode: RoundingMode = RoundingMode.HALF_UP,
) -> tuple[TaxSum, ...]:
    """Return the taxes of net prices, by category and rate; `reasons` say why nothing is due, over those of `REASONS`."""
    why = {**REASONS, **(reasons or {})}
    sums = []
    for (category, rate), base in sorted(tax_bases(lines, adjustments).items(), key=_order):
        said = why.get(category, Exemption()) if category not in (*RATED, "Z") else Exemption()
        due = rate if category in RATED else None if category == "O" else ZERO
        sums.append(
            TaxSum(
                tax=LineTax(category=category, rate=due),
                base=base,
                amount=tax_due(base, due, currency, mode),
                reason=said.reason,
                reason_code=said.code,
            )
        )
    return tuple(sums)


def _order(item: tuple[tuple[TaxCategory, Decimal | None], Decimal]) -> tuple[bool, str, Decimal]:
    (category, rate), _ = item
    return category != "S", category, -(rate or ZERO)


def totals_of(
    lines: Iterable[InvoiceLine],
    adjustments: Iterable[AllowanceCharge],
    taxes: Iterable[TaxSum],
    *,
    prepaid: Decimal = ZERO,
    rounding: Decimal = ZERO,
    accounting_tax: Decimal | None = None,
) -> Totals:
    """Return what lines, adjustments of the document and taxes come to (BR-CO-10 to BR-CO-16)."""
    adjustments = tuple(adjustments)
    net_lines = total(line.net_amount for line in lines)
    allowances = total(each.amount for each in adjustments if each.kind == "allowance")
    charges = total(each.amount for each in adjustments if each.kind == "charge")
    tax = total(each.amount for each in taxes)
    net = total((net_lines, -allowances, charges))
    gross = total((net, tax))
    return Totals(
        lines=net_lines,
        allowances=allowances,
        charges=charges,
        net=net,
        tax=tax,
        accounting_tax=accounting_tax,
        gross=gross,
        prepaid=prepaid,
        rounding=rounding,
        payable=total((gross, -prepaid, rounding)),
    )
