"""Explaining a tax: which is due on an item, by which row, and what it comes to."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import polars as pl

from billing.catalog.taxation import Taxation, TaxDue, TaxStatus, plain_rate
from billing.invoicing.rules_taxes import tax_amounts
from schemas.catalog import Catalog
from schemas.money import AMOUNT_DECIMALS, from_scaled, to_scaled


@dataclass(frozen=True, slots=True)
class ExplainedTax:
    """What is due on an item, and its amounts in currency units, None where no tax is known."""

    due: TaxDue
    net: Decimal | None
    tax: Decimal | None
    gross: Decimal | None

    def as_dict(self) -> dict[str, Any]:
        """Return everything for JSON."""
        due = self.due
        return {
            "status": str(due.status),
            "tax": due.tax,
            "parts": [{"tax": tax, "rate": plain_rate(rate)} for tax, rate in due.parts],
            "seller": due.seller,
            "prices": due.prices,
            "why": due.lines(),
            "net": self.net,
            "tax_amount": self.tax,
            "gross": self.gross,
        }

    def lines(self, currency: str) -> list[str]:
        """Return everything in words."""
        told = self.due.lines()
        if self.net is None or self.tax is None or self.gross is None:
            return told
        amounts = f"net {_plain(self.net)}, tax {_plain(self.tax)}, gross {_plain(self.gross)} {currency}"
        return [*told, f"{self.due.prices} prices: {amounts}; a bill computes each tax once, on the sum"]


def explain_tax(
    catalog: Catalog, subscription: str, charge: str, event_at: int, amount: Decimal
) -> ExplainedTax | None:
    """Return the tax of one item, None in a catalog without taxes.

    Args:
        event_at: microseconds UTC. amount: as it is stored, in currency units.
    """
    if not catalog.has_taxes:
        return None
    item = pl.DataFrame({"subscription": [subscription], "charge": [charge], "event_at": [event_at]})
    places, dues = Taxation(catalog).due(item)
    due = dues[places[0]]
    if due.status is TaxStatus.NO_TAX:
        return ExplainedTax(due, None, None, None)
    rounding = catalog.sellers[due.seller].item_rounding
    amounts = tax_amounts(to_scaled(amount, AMOUNT_DECIMALS), due.rate, due.prices, rounding)
    return ExplainedTax(due, *(from_scaled(each, AMOUNT_DECIMALS) for each in amounts))


def _plain(amount: Decimal) -> str:
    return f"{amount.normalize():f}"
