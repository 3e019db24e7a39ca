"""Prices that documents show come to the amounts of their lines, whatever these are."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

from hypothesis import given
from hypothesis import strategies as st

from billing.invoicing.rules_documents import price_of
from schemas.money import CURRENCY_DECIMALS


@given(
    cents=st.integers(-(10**12), 10**12),
    steps=st.integers(1, 10**15),
    exact=st.integers(-(10**18), 10**18),
    prices=st.sampled_from(("net", "gross")),
    currency=st.sampled_from(("EUR", "JPY")),
)
def test_quantity_times_price_is_the_amount(cents: int, steps: int, exact: int, prices: str, currency: str) -> None:
    cent = Decimal(1).scaleb(-CURRENCY_DECIMALS[currency])
    net, sign = cents * cent, -1 if cents < 0 else 1
    quantity = sign * Decimal(steps) / 1000
    price = price_of(net, quantity, Decimal(exact).scaleb(-9), {"invoice": "1", "currency": currency, "prices": prices})
    assert price >= 0
    assert (price * quantity).quantize(cent, ROUND_HALF_UP) == net


@given(price=st.integers(0, 10**9), steps=st.integers(1, 10**9))
def test_a_price_that_is_exact_is_shown(price: int, steps: int) -> None:
    told, quantity = Decimal(price).scaleb(-9), Decimal(steps)
    net = (told * quantity).quantize(Decimal("0.01"), ROUND_HALF_UP)
    row = {"invoice": "1", "currency": "EUR", "prices": "net"}
    assert price_of(net, quantity, told * quantity, row) == (told if net else 0)
