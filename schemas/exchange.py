"""Exchange rates: what a price in one currency is worth in another, from when, and which date counts."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import StringConstraints

from schemas.price_plan import Code, Document, Rounding
from schemas.price_table import PriceTable

PAIR_PATTERN = r"^[A-Z]{3}/[A-Z]{3}$"
RateDate = Literal["usage", "day", "month", "price"]


class ExchangeRates(PriceTable):
    """The rates of one source, such as a central bank; an offer that names them sells in other currencies than its own.

    Columns: `pair`, such as `EUR/USD`; `rate`, what one unit of the first costs in the second; `start`, from when; and,
    optionally, `end`. A rate is in force until the next one of its pair. `dated` says which one counts: that at the start of
    the `usage`, of its `day` or `month` in `zone`, or that of when the version of the `price` came into force. Nothing is
    worked out unless it is said: with `inverse`, a rate serves both ways; `through` a currency, two rates make one. An amount
    is rounded by its price plan first, and by `rounding` once it is converted.
    """

    kind: Literal["exchange_rates"]
    dated: RateDate = "usage"
    zone: str = "UTC"
    inverse: bool = False
    through: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")] | None = None
    rounding: Rounding = Rounding()


class Conversion(Document):
    """How amounts become those of another currency: by numerator / denominator of `currency` for 1 of `base`, by `rounding`.

    `rates` is the code of where the rate is from. The numerator is 0 where no rate is in force: nothing is converted then.
    """

    rates: Code
    base: str
    currency: str
    numerator: int
    denominator: int
    rounding: Rounding

    @property
    def text(self) -> str:
        """The rate: a decimal number, or a fraction where none is exact; empty where there is no rate."""
        if not self.numerator:
            return ""
        for decimals in range(25):
            scaled, rest = divmod(self.numerator * 10**decimals, self.denominator)
            if not rest:
                digits = f"{scaled:0{decimals + 1}d}"
                return f"{digits[:-decimals]}.{digits[-decimals:]}" if decimals else digits
        return f"{self.numerator}/{self.denominator}"
