"""What accounts would pay for virtually rated usage: discounts taken off, each tax computed once, on the sum."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl

from apps.embedded.virtual_taxes import VirtualTaxes
from apps.embedded.virtual_texts import named_texts, plain
from billing.catalog.code_conditions import compile_code_condition
from billing.catalog.discounting import Discounting
from billing.catalog.taxation import TaxDue, TaxStatus, plain_rate
from billing.invoicing.rules_discounts import Assigned, BillLine, DiscountLine, Holds, discount
from billing.invoicing.rules_taxes import TaxedSum, invoice_taxes
from rating.vocabulary import Vocabulary
from schemas.arrays import Int64Array
from schemas.catalog import Catalog
from schemas.edr import EdrBlock
from schemas.money import AMOUNT_DECIMALS, from_scaled
from schemas.price_plan import Rounding
from schemas.rated_item import RatedBlock
from schemas.tax import PriceBasis, TaxRounding

DISCOUNT_COLUMNS = ("discount_plan", "discount_item", "discount", "to_pay")
"""Of totals, where the catalog has discounts."""
Line = dict[str, str | int | None]
_KEYS = ("subscription", "charge", "due", "active")
_SUMS = {"subscription": pl.Int32, "charge": pl.Int32, "due": pl.Int64, "active": pl.Int64, "amount": pl.Int128}


class VirtualBill:
    """All usage that was rated, as one bill for each account and seller."""

    def __init__(
        self, catalog: Catalog, vocabulary: Vocabulary, charges: dict[int, str], taxes: VirtualTaxes | None
    ) -> None:
        """Prepare; `charges` are codes by the ids of charge versions."""
        self._catalog = catalog
        self._words = vocabulary
        self._taxes = taxes
        self._discounting = Discounting(catalog)
        self._charge = pl.Series([charges.get(each) for each in range(max(charges, default=-1) + 1)], dtype=pl.String)
        self._active: dict[tuple[str, ...], int] = {}
        plans = [catalog.price_plans[catalog.charges[code].price_plan] if code else None for code in self._charge]
        self._in_money = np.array([plan is None or not plan.in_units for plan in plans], np.bool_)
        self._sums = pl.DataFrame(schema=_SUMS)

    def add(self, edrs: EdrBlock, rated: RatedBlock, rows: Int64Array) -> Int64Array | None:
        """Count rated rows of a block; return what is due on them, None in a catalog without taxes. Units are no money."""
        subscription, charge = edrs.subscription[rows], rated.charge_version[rows]
        items = pl.DataFrame(
            {
                "subscription": named_texts(self._words.subscriptions.names, subscription),
                "charge": named_texts(self._charge, charge),
                "event_at": edrs.event_at[rows],
            }
        )
        due = self._taxes.due(items) if self._taxes is not None else None
        active = np.zeros(len(rows), np.int64)
        if self._discounting.plans:
            places, names = self._discounting.active(items)
            active = np.array([self._active.setdefault(each, len(self._active)) for each in names])[places.to_numpy()]
        else:
            self._active.setdefault((), 0)
        columns = {
            "subscription": subscription,
            "charge": charge,
            "due": due if due is not None else np.full(len(rows), -1, np.int64),
            "active": active,
            "amount": pl.Series(np.where(self._in_money[charge], rated.amount[rows], 0)).cast(pl.Int128),
        }
        more = pl.DataFrame(columns, schema=_SUMS)
        self._sums = pl.concat([self._sums, more]).group_by(_KEYS).agg(pl.col("amount").sum())
        return due

    def totals(self) -> dict[str, list[Line]]:
        """Return what accounts would pay: discounts, taxes and sums, by account and seller.

        Sums of which nobody knows the tax have none, and neither has what they are part of.
        """
        told: dict[str, list[Line]] = {"discounts": []} if self._catalog.discount_plans else {}
        told |= {"taxes": []} if self._taxes is not None else {}
        told["to_pay"] = []
        currencies = dict(self._catalog.accounts.iter_rows())
        for (account, seller), lines in sorted(self._bills().items()):
            self._tell(told, account, seller, lines, currencies[account])
        return told

    def _bills(self) -> dict[tuple[str, str], list[BillLine]]:
        """Return the lines of each account and seller; the seller is empty in a catalog without taxes."""
        names = list(self._active)
        codes = self._words.subscriptions
        bought = {row[0]: row[1:] for row in self._bought(codes.names).iter_rows()}
        bills: dict[tuple[str, str], list[BillLine]] = {}
        for subscription, charge, due, active, amount in self._sums.iter_rows():
            code, sold = codes.name(subscription), str(self._charge[charge])
            account, offer = bought[code]
            seller = self._taxes.dues[due].seller if self._taxes is not None else ""
            event_type = self._catalog.charges[sold].event_type
            line = BillLine(account, code, offer, sold, event_type, due, names[active], amount)
            bills.setdefault((account, seller), []).append(line)
        return bills

    def _bought(self, codes: pl.Series) -> pl.DataFrame:
        used = codes.gather(self._sums["subscription"].unique().cast(pl.UInt32)).alias("subscription")
        return (
            used.to_frame()
            .join(self._catalog.subscriptions, on="subscription")
            .select("subscription", "account", "offer")
        )

    def _tell(
        self, told: dict[str, list[Line]], account: str, seller: str, lines: list[BillLine], currency: str
    ) -> None:
        terms = self._catalog.sellers.get(seller)
        rounding = (terms.rounding if terms is not None else TaxRounding()).of(currency)
        whose: Line = {"account": account, **({"seller": seller} if self._taxes is not None else {})}
        total: Line = dict(whose)
        amount = sum(line.amount for line in lines)
        if self._catalog.discount_plans:
            taken = self._discounts(lines, rounding)
            told["discounts"] += [{**whose, **line, "currency": currency} for line in _told_discounts(taken, lines)]
            left = [line.amount for line in lines]
            for one in taken:
                left[one.line] += one.amount
            lines = [replace(line, amount=each) for line, each in zip(lines, left, strict=True)]
            total |= {"amount": _plain(amount), "discount": _plain(sum(left) - amount)}
        if self._taxes is None or terms is None:
            total["to_pay"] = _plain(sum(line.amount for line in lines))
        else:
            held = [(self._taxes.dues[line.part], line.amount) for line in lines]
            by_tax, sums = _taxed(terms.prices, rounding, held)
            told["taxes"] += [{**whose, **line, "currency": currency} for line in by_tax]
            total |= sums
        told["to_pay"].append({**total, "currency": currency})

    def _discounts(self, lines: list[BillLine], rounding: Rounding) -> list[DiscountLine]:
        names = sorted({name for line in lines for name in line.active})
        plans = [Assigned(name, self._catalog.discount_plans[self._discounting.plans[name]]) for name in names]
        return list(discount(lines, plans, rounding, _conditions(plans, lines)).lines)


def _conditions(plans: list[Assigned], lines: list[BillLine]) -> Holds:
    """Return which conditions of items hold for which lines."""
    codes = pl.DataFrame(
        [(one.account, one.subscription, one.offer, one.charge, one.event_type) for one in lines],
        schema=["account", "subscription", "offer", "charge", "event_type"],
        orient="row",
    )
    asked = {item.condition for each in plans for item in each.plan.items if item.condition is not None}
    truth = {text: codes.select(holds=compile_code_condition(text)).to_series() for text in asked}
    place = {line: number for number, line in enumerate(lines)}
    # a condition without a name is one truth for all lines
    return lambda item, line: (
        item.condition is None or bool(truth[item.condition][place[line] if len(truth[item.condition]) > 1 else 0])
    )


def _told_discounts(taken: list[DiscountLine], lines: list[BillLine]) -> list[Line]:
    """Return what each item of a plan takes off each charge."""
    sums: dict[tuple[str, str, str], int] = {}
    for one in taken:
        key = one.plan, one.item, lines[one.line].charge
        sums[key] = sums.get(key, 0) + one.amount
    return [
        {"discount_plan": plan, "discount_item": item, "charge": charge, "discount": _plain(amount)}
        for (plan, item, charge), amount in sorted(sums.items())
    ]


def _taxed(prices: PriceBasis, rounding: Rounding, held: list[tuple[TaxDue, int]]) -> tuple[list[Line], Line]:
    """Return (a line for each tax, the totals) of what one account buys of one seller."""
    taxed = [TaxedSum(due.parts, amount) for due, amount in held if due.status is TaxStatus.TAXED]
    exempt = [TaxedSum((), amount) for due, amount in held if due.status is TaxStatus.EXEMPT]
    unknown = sum(amount for due, amount in held if due.status is TaxStatus.NO_TAX)
    found = invoice_taxes([*taxed, *exempt], prices, rounding)
    lines: list[Line] = [
        {
            "tax_status": str(TaxStatus.TAXED),
            "tax": line.tax,
            "tax_rate": plain_rate(line.rate),
            "net": _plain(line.base),
            "tax_amount": _plain(line.amount),
        }
        for line in found.lines
    ]
    nothing: Line = {"tax": None, "tax_rate": None}
    if exempt:
        base = invoice_taxes(exempt, prices, rounding).net
        lines.append({"tax_status": str(TaxStatus.EXEMPT), **nothing, "net": _plain(base), "tax_amount": "0"})
    if not any(due.status is TaxStatus.NO_TAX for due, _ in held):
        return lines, {"net": _plain(found.net), "tax_amount": _plain(found.tax), "gross": _plain(found.gross)}
    given = {"net": _plain(unknown) if prices == "net" else None}
    lines.append({"tax_status": str(TaxStatus.NO_TAX), **nothing, **given, "tax_amount": None})
    return lines, {"net": None, "tax_amount": None, "gross": None}


def _plain(amount: int) -> str:
    return plain(from_scaled(amount, AMOUNT_DECIMALS))
