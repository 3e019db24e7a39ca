"""An invoice or a credit note as all its forms say it: JSON, XML of EN 16931 (CII and UBL), paper.

It is frozen, and it adds up: whatever is constructed keeps the rules of `schemas.invoice_rules`. `invoice_of` computes taxes
and totals; who has them already constructs an `Invoice`, and is refused where they differ.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Self

from pydantic import model_validator

from schemas.invoice_base import InvoiceBase
from schemas.invoice_parts import AllowanceCharge, InvoiceLine, TaxCategory
from schemas.invoice_rules import broken_rules
from schemas.invoice_sums import ZERO, Exemption, tax_sums, totals_of
from schemas.money import RoundingMode

PROBLEMS_SHOWN = 20


class Invoice(InvoiceBase):
    """An invoice whose sums, taxes, dates and parties agree."""

    @model_validator(mode="after")
    def _keeps_the_rules(self) -> Self:
        problems = list(broken_rules(self))
        if problems:
            more = [f"and {len(problems) - PROBLEMS_SHOWN} more"] if len(problems) > PROBLEMS_SHOWN else []
            raise ValueError("; ".join([*problems[:PROBLEMS_SHOWN], *more]))
        return self


def invoice_of(
    *,
    currency: str,
    lines: Sequence[InvoiceLine],
    allowances_charges: Sequence[AllowanceCharge] = (),
    reasons: Mapping[TaxCategory, Exemption] | None = None,
    prepaid: Decimal = ZERO,
    rounding: Decimal = ZERO,
    accounting_tax: Decimal | None = None,
    mode: RoundingMode = RoundingMode.HALF_UP,
    **fields: Any,
) -> Invoice:
    """Return an invoice of net prices with its taxes and totals computed; `fields` are its others.

    Raises:
        ValueError: when it breaks a rule of `schemas.invoice_rules`.
    """
    taxes = tax_sums(lines, allowances_charges, currency, reasons=reasons, mode=mode)
    totals = totals_of(
        lines, allowances_charges, taxes, prepaid=prepaid, rounding=rounding, accounting_tax=accounting_tax
    )
    return Invoice(
        currency=currency,
        lines=tuple(lines),
        allowances_charges=tuple(allowances_charges),
        taxes=taxes,
        totals=totals,
        **fields,
    )
