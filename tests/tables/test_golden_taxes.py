"""Golden cases of taxes: the direction of rounding, once per tax on the sum, nothing that does not add up."""

from __future__ import annotations

from decimal import Decimal

import pytest

from billing.invoicing.rules_taxes import InvoiceTaxes, TaxedSum, invoice_taxes, tax_amounts
from rating.amounts import allocate, rounded
from schemas.money import AMOUNT_DECIMALS, from_scaled, to_scaled
from schemas.price_plan import Rounding
from schemas.tax import RATE_DECIMALS, PriceBasis, TaxRounding

CENTS = Rounding(decimals=2)


def _scaled(text: str) -> int:
    return to_scaled(Decimal(text), AMOUNT_DECIMALS)


def _rate(text: str) -> int:
    return to_scaled(Decimal(text), RATE_DECIMALS)


# an amount is rounded, then taxed: gross prices back out the net amount, net prices add the tax
AMOUNTS = """
prices  amount    percent  mode       decimals  net      tax     gross
gross   10.00     20       half_up    2         8.33     1.67    10
net     10.005    20       half_up    2         10.01    2       12.01
net     10.005    20       half_even  2         10       2       12
net     -10.005   20       half_up    2         -10.01   -2      -12.01
gross   -10.00    20       half_up    2         -8.33    -1.67   -10
net     0.825     20       half_up    2         0.83     0.17    1
net     0.33      20       half_up    6         0.33     0.066   0.396
net     0.33      0        half_up    2         0.33     0       0.33
gross   0.333333  0        half_up    2         0.33     0       0.33
net     1.234     5        up         3         1.234    0.062   1.296
net     1.234     5        down       3         1.234    0.061   1.295
net     1234.5    10       half_up    0         1235     124     1359
net     165       0.1      half_up    2         165      0.17    165.17
net     165       0.1      half_even  2         165      0.16    165.16
"""


@pytest.mark.parametrize("row", AMOUNTS.strip().splitlines()[1:])
def test_net_and_tax_are_gross(row: str) -> None:
    prices, amount, percent, mode, decimals, *expected = row.split()
    rounding = Rounding.model_validate({"mode": mode, "decimals": int(decimals)})
    basis: PriceBasis = "net" if prices == "net" else "gross"
    found = tax_amounts(rounded(_scaled(amount), 1, rounding), _rate(percent), basis, rounding)
    assert [from_scaled(each, AMOUNT_DECIMALS) for each in found] == [Decimal(each) for each in expected]


def _bill(prices: PriceBasis, *sums: tuple[str, dict[str, str]]) -> InvoiceTaxes:
    taxed = [
        TaxedSum(tuple((tax, _rate(rate)) for tax, rate in taxes.items()), _scaled(amount)) for amount, taxes in sums
    ]
    return invoice_taxes(taxed, prices, CENTS)


def _told(bill: InvoiceTaxes) -> list[str]:
    lines = [f"{line.tax} {_plain(line.base)} {_plain(line.amount)}" for line in bill.lines]
    return [*lines, f"{_plain(bill.net)} + {_plain(bill.tax)} = {_plain(bill.gross)}"]


def _plain(amount: int) -> str:
    return f"{from_scaled(amount, AMOUNT_DECIMALS).normalize():f}"


VAT, BOTH = {"vat": "20"}, {"gst": "5", "qst": "9.975"}


def test_a_tax_is_computed_once_on_the_sum() -> None:
    assert _told(_bill("net", *[("0.33", VAT)] * 3)) == ["vat 0.99 0.2", "0.99 + 0.2 = 1.19"]


def test_gross_prices_give_back_exactly_what_was_paid() -> None:
    assert _told(_bill("gross", *[("0.33", VAT)] * 3)) == ["vat 0.83 0.16", "0.83 + 0.16 = 0.99"]


def test_a_rate_that_changed_is_another_sum() -> None:
    told = _told(_bill("net", ("0.33", {"vat": "19.6"}), ("0.33", VAT)))
    assert told == ["vat 0.33 0.06", "vat 0.33 0.07", "0.66 + 0.13 = 0.79"]


def test_a_tax_that_is_due_alone_and_as_a_part_is_one_sum() -> None:
    told = _told(_bill("net", ("0.05", BOTH), ("0.05", {"gst": "5"}), ("1", {})))
    assert told == ["gst 0.1 0.01", "qst 0.05 0", "1.1 + 0.01 = 1.11"]


def test_what_is_between_gross_and_net_is_shared_by_the_rates() -> None:
    assert _told(_bill("gross", ("20", BOTH))) == ["gst 17.4 0.87", "qst 17.4 1.73", "17.4 + 2.6 = 20"]


def test_what_is_taken_back_mirrors_what_was_billed() -> None:
    one, other = _bill("gross", ("20.01", BOTH), ("7.77", VAT)), _bill("gross", ("-20.01", BOTH), ("-7.77", VAT))
    assert [-line.amount for line in one.lines] == [line.amount for line in other.lines]
    assert (-one.net, -one.tax, -one.gross) == (other.net, other.tax, other.gross)


@pytest.mark.parametrize(("currency", "decimals"), [("EUR", 2), ("JPY", 0), ("KWD", 3)])
def test_a_bill_is_rounded_to_what_its_currency_has(currency: str, decimals: int) -> None:
    assert TaxRounding().of(currency) == Rounding(decimals=decimals)
    assert TaxRounding(decimals=1).of(currency).decimals == 1


SHARES = """
total  weights    shares
10     1 1 1      4 3 3
-10    1 1 1      -4 -3 -3
5      0 2 1      0 3 2
7      0 0        7 0
0      3 1        0 0
260    5 9.975    87 173
"""


@pytest.mark.parametrize("row", SHARES.strip().splitlines()[1:])
def test_shares_add_up_to_the_whole(row: str) -> None:
    total, weights, shares = (part.split() for part in row.split("  ") if part.strip())
    assert allocate(int(total[0]), [_rate(each) for each in weights]) == [int(each) for each in shares]


@pytest.mark.parametrize("weights", [[], [1, -1]])
def test_a_whole_is_not_shared_by_nothing_or_less(weights: list[int]) -> None:
    with pytest.raises(ValueError, match="zero or more"):
        allocate(10, weights)
