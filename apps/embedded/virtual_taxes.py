"""Taxes of virtual rating: what is due on each item, and what each would bear by itself."""

from __future__ import annotations

import numpy as np
import polars as pl

from apps.embedded.virtual_texts import scaled_texts
from billing.catalog.taxation import Taxation, TaxDue, TaxStatus, plain_rate
from billing.invoicing.rules_taxes import tax_columns
from schemas.arrays import Int64Array
from schemas.catalog import Catalog
from schemas.money import AMOUNT_DECIMALS

TAX_COLUMNS = ("seller", "tax_status", "tax", "tax_rate", "net", "tax_amount", "gross")
"""Of an item, where the catalog has taxes: the rate in percent, and amounts, null where nothing is known."""


class VirtualTaxes:
    """Which taxes are due on rated usage.

    Attributes:
        dues: everything that was ever due on an item.
        untaxed: how many items have no tax, because no row of a mapping says which.
    """

    def __init__(self, catalog: Catalog) -> None:
        """Prepare."""
        self._catalog = catalog
        self._taxation = Taxation(catalog)
        self._place: dict[TaxDue, int] = {}
        self.dues: list[TaxDue] = []
        self.untaxed = 0

    def due(self, items: pl.DataFrame) -> Int64Array:
        """Return (n,) what is due on items, as places in `dues`, and count those without a tax.

        Args:
            items: subscription, charge and event_at (microseconds UTC).
        """
        places, dues = self._taxation.due(items)
        known = np.array([self._known(due) for due in dues], np.int64)
        due = known[places.to_numpy()] if len(items) else np.zeros(0, np.int64)
        counts = np.bincount(due, minlength=len(self.dues))
        self.untaxed += sum(
            int(count) for count, each in zip(counts, self.dues, strict=True) if each.status is TaxStatus.NO_TAX
        )
        return due

    def _known(self, due: TaxDue) -> int:
        place = self._place.setdefault(due, len(self.dues))
        if place == len(self.dues):
            self.dues.append(due)
        return place

    def columns(self, amount: Int64Array, due: Int64Array) -> pl.DataFrame:
        """Return TAX_COLUMNS of n items, as texts."""
        where = due.astype(np.uint32)
        status = [str(each.status) for each in self.dues]
        rates = pl.Series(
            [None if each.status is TaxStatus.NO_TAX else each.rate for each in self.dues], dtype=pl.Int64
        )
        codes = pl.Series([each.tax for each in self.dues], dtype=pl.String)
        percent = [plain_rate(each.rate) if each.tax is not None else None for each in self.dues]
        sellers = np.array([each.seller for each in self.dues])[where]
        parts = []
        for code in np.unique(sellers).tolist():
            rows = np.flatnonzero(sellers == code)
            seller = self._catalog.sellers[code]
            told = tax_columns(pl.Series(amount[rows]), rates.gather(where[rows]), seller.prices, seller.item_rounding)
            parts.append(
                pl.DataFrame({"row": rows, **{each.name: scaled_texts(each, AMOUNT_DECIMALS) for each in told}})
            )
        amounts = pl.concat(parts).sort("row")
        return pl.DataFrame(
            {
                "seller": sellers,
                "tax_status": pl.Series(status, dtype=pl.String).gather(where),
                "tax": codes.gather(where),
                "tax_rate": pl.Series(percent, dtype=pl.String).gather(where),
                "net": amounts["net"],
                "tax_amount": amounts["tax"],
                "gross": amounts["gross"],
            }
        )
