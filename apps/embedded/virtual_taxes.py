"""Taxes of virtual rating: what is due on each item, and what accounts would pay, computed once per tax on the sum."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from apps.embedded.virtual_texts import named_texts, plain, scaled_texts
from billing.catalog.taxation import Taxation, TaxDue, TaxStatus, plain_rate
from billing.invoicing.rules_taxes import TaxedSum, invoice_taxes, tax_columns
from rating.vocabulary import Vocabulary
from schemas.arrays import Int32Array, Int64Array
from schemas.catalog import Catalog
from schemas.edr import EdrBlock
from schemas.money import AMOUNT_DECIMALS, from_scaled
from schemas.rated_item import RatedBlock
from schemas.tax import Seller

TAX_COLUMNS = ("seller", "tax_status", "tax", "tax_rate", "net", "tax_amount", "gross")
"""Of an item, where the catalog has taxes: the rate in percent, and amounts, null where nothing is known."""
Line = dict[str, str | int | None]
_MONEY = {"amount": pl.Int128}
_KEYS = ("account", "due")


@dataclass(frozen=True, slots=True)
class ItemTaxes:
    """What is due on the rated items of a block: (n,) places in `VirtualTaxes.dues`, in the order of their rows."""

    due: Int64Array


class VirtualTaxes:
    """Which taxes are due on rated usage, and sums of them so far.

    Attributes:
        dues: everything that was ever due on an item.
        untaxed: how many items have no tax, because no row of a mapping says which.
    """

    def __init__(self, catalog: Catalog, vocabulary: Vocabulary, charges: dict[int, str]) -> None:
        """Prepare; `charges` are codes by the ids of charge versions."""
        self._catalog = catalog
        self._words = vocabulary
        self._taxation = Taxation(catalog)
        highest = max(charges, default=-1)
        self._charge = pl.Series([charges.get(each) for each in range(highest + 1)], dtype=pl.String)
        self._place: dict[TaxDue, int] = {}
        self._sums = pl.DataFrame(schema={"account": pl.Int32, "due": pl.Int64, **_MONEY})
        self.dues: list[TaxDue] = []
        self.untaxed = 0

    def add(self, edrs: EdrBlock, rated: RatedBlock, rows: Int64Array, account: Int32Array) -> ItemTaxes:
        """Return what is due on rated rows of a block, and count it."""
        items = pl.DataFrame(
            {
                "subscription": named_texts(self._words.subscriptions.names, edrs.subscription[rows]),
                "charge": named_texts(self._charge, rated.charge_version[rows]),
                "event_at": edrs.event_at[rows],
            }
        )
        places, dues = self._taxation.due(items)
        known = np.array([self._known(due) for due in dues], np.int64)
        due = known[places.to_numpy()] if len(rows) else np.zeros(0, np.int64)
        more = pl.DataFrame({"account": account, "due": due, "amount": pl.Series(rated.amount[rows]).cast(pl.Int128)})
        self._sums = pl.concat([self._sums, more]).group_by(_KEYS).agg(pl.col("amount").sum())
        self.untaxed += sum(
            int(np.count_nonzero(due == place))
            for place in np.unique(due).tolist()
            if self.dues[place].status is TaxStatus.NO_TAX
        )
        return ItemTaxes(due)

    def _known(self, due: TaxDue) -> int:
        place = self._place.setdefault(due, len(self.dues))
        if place == len(self.dues):
            self.dues.append(due)
        return place

    def columns(self, amount: Int64Array, taxes: ItemTaxes) -> pl.DataFrame:
        """Return TAX_COLUMNS of n items, as texts."""
        due = taxes.due.astype(np.uint32)
        status = [str(each.status) for each in self.dues]
        rates = pl.Series(
            [None if each.status is TaxStatus.NO_TAX else each.rate for each in self.dues], dtype=pl.Int64
        )
        codes = pl.Series([each.tax for each in self.dues], dtype=pl.String)
        percent = [plain_rate(each.rate) if each.tax is not None else None for each in self.dues]
        sellers = np.array([each.seller for each in self.dues])[due]
        parts = []
        for code in np.unique(sellers).tolist():
            rows = np.flatnonzero(sellers == code)
            seller = self._catalog.sellers[code]
            told = tax_columns(pl.Series(amount[rows]), rates.gather(due[rows]), seller.prices, seller.item_rounding)
            parts.append(
                pl.DataFrame({"row": rows, **{each.name: scaled_texts(each, AMOUNT_DECIMALS) for each in told}})
            )
        amounts = pl.concat(parts).sort("row")
        return pl.DataFrame(
            {
                "seller": sellers,
                "tax_status": pl.Series(status, dtype=pl.String).gather(due),
                "tax": codes.gather(due),
                "tax_rate": pl.Series(percent, dtype=pl.String).gather(due),
                "net": amounts["net"],
                "tax_amount": amounts["tax"],
                "gross": amounts["gross"],
            }
        )

    def totals(self) -> tuple[list[Line], list[Line]]:
        """Return what accounts would pay: by account, seller and tax, and by account and seller.

        A tax is computed once, on the sum that it is due on. Sums of which nobody knows the tax have none, and neither has
        what they are part of.
        """
        by_tax: list[Line] = []
        to_pay: list[Line] = []
        sums: dict[tuple[str, str], list[tuple[TaxDue, int]]] = {}
        for account, place, amount in self._sums.iter_rows():
            due = self.dues[place]
            sums.setdefault((self._words.accounts.name(account), due.seller), []).append((due, amount))
        currencies = dict(self._catalog.accounts.iter_rows())
        for (account, code), held in sorted(sums.items(), key=lambda each: each[0]):
            ours = {"account": account, "seller": code}
            currency = {"currency": currencies[account]}
            lines, total = _bill(self._catalog.sellers[code], held, currencies[account])
            by_tax += [{**ours, **line, **currency} for line in lines]
            to_pay.append({**ours, **total, **currency})
        return by_tax, to_pay


def _bill(seller: Seller, held: list[tuple[TaxDue, int]], currency: str) -> tuple[list[Line], Line]:
    """Return (a line for each tax, the totals) of what one account buys of one seller."""
    taxed = [TaxedSum(due.parts, amount) for due, amount in held if due.status is TaxStatus.TAXED]
    exempt = [TaxedSum((), amount) for due, amount in held if due.status is TaxStatus.EXEMPT]
    unknown = sum(amount for due, amount in held if due.status is TaxStatus.NO_TAX)
    rounding = seller.rounding.of(currency)
    found = invoice_taxes([*taxed, *exempt], seller.prices, rounding)
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
        base = invoice_taxes(exempt, seller.prices, rounding).net
        lines.append({"tax_status": str(TaxStatus.EXEMPT), **nothing, "net": _plain(base), "tax_amount": "0"})
    if not any(due.status is TaxStatus.NO_TAX for due, _ in held):
        return lines, {"net": _plain(found.net), "tax_amount": _plain(found.tax), "gross": _plain(found.gross)}
    given = {"net": _plain(unknown) if seller.prices == "net" else None}
    lines.append({"tax_status": str(TaxStatus.NO_TAX), **nothing, **given, "tax_amount": None})
    return lines, {"net": None, "tax_amount": None, "gross": None}


def _plain(amount: int) -> str:
    return plain(from_scaled(amount, AMOUNT_DECIMALS))
