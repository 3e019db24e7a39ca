"""Minimums and commitments, as tables: bottom-up, prorated, true-up and overage."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

import polars as pl
import pytest

from billing.invoicing.rules_minimums import FACTOR_DECIMALS, SCOPE_FRAME, minimum_lines
from billing.subscriptions.rules_periods import Cycle, Period
from billing.subscriptions.rules_proration import Basis, share
from schemas.money import AMOUNT_DECIMALS, from_scaled, to_scaled
from schemas.price_plan import Rounding

CENTS = Rounding(decimals=2)
TREE = {
    "voice": ("charge", "line"),
    "line": ("subscription", "bill"),
    "bill": ("billing_account", "acme"),
    "acme": ("customer", None),
}


def _lines(rated: dict[str, str], minimums: dict[str, Any], **more: Any) -> list[str]:
    """Return "SCOPE KIND AMOUNT" of each line, for a charge, its subscription, account and customer."""
    rows = []
    for scope, (level, above) in TREE.items():
        part: Fraction = more.get("share", Fraction(1))
        minimum = to_scaled(Decimal(minimums[scope]), AMOUNT_DECIMALS) if scope in minimums else None
        amount = to_scaled(Decimal(rated.get(scope, "0")), AMOUNT_DECIMALS)
        factor = to_scaled(Decimal(more.get("factor", "1")), FACTOR_DECIMALS)
        flags = more.get("true_up", True), more.get("when_unused", True)
        rows.append(
            (
                scope,
                level,
                above,
                amount,
                int(scope in rated),
                minimum,
                part.numerator,
                part.denominator,
                factor,
                *flags,
            )
        )
    found = minimum_lines(pl.DataFrame(rows, schema=SCOPE_FRAME, orient="row"), CENTS)
    return [
        f"{scope} {kind} {from_scaled(amount, AMOUNT_DECIMALS).normalize():f}"
        for scope, _, _, kind, amount in found.iter_rows()
    ]


# (what it shows, what was rated, minimums, other terms, lines)
CASES: list[tuple[str, dict[str, str], dict[str, str], dict[str, Any], list[str]]] = [
    ("what is lacking is billed", {"voice": "7.25"}, {"line": "10"}, {}, ["line true_up 2.75"]),
    ("what is reached is enough", {"voice": "10"}, {"line": "10"}, {}, []),
    ("a charge has its own", {"voice": "7.25"}, {"voice": "8"}, {}, ["voice true_up 0.75"]),
    ("a parent counts what was added below", {"voice": "4"}, {"line": "10", "bill": "15", "acme": "15"}, {}, ["line true_up 6", "bill true_up 5"]),
    ("a parent that has less already adds nothing", {"voice": "4"}, {"line": "10", "acme": "9"}, {}, ["line true_up 6"]),
    ("what is billed to the account itself counts above it", {"voice": "4", "bill": "5"}, {"line": "5", "acme": "12"}, {}, ["line true_up 1", "acme true_up 2"]),
    ("without usage it is due in full", {}, {"bill": "10"}, {}, ["bill true_up 10"]),
    ("unless it is only for those who use something", {}, {"bill": "10"}, {"when_unused": False}, []),
    ("what is taken back leaves the minimum due", {"voice": "-3"}, {"line": "10"}, {}, ["line true_up 10"]),
    ("half a month is half a minimum", {"voice": "2"}, {"line": "10"}, {"share": Fraction(15, 30)}, ["line true_up 3"]),
    ("a prorated minimum is rounded once", {}, {"line": "10"}, {"share": Fraction(1, 3)}, ["line true_up 3.33"]),
    ("a commitment: beyond it, half as much more", {"voice": "120"}, {"line": "100"}, {"factor": "1.5"}, ["line overage 10"]),
    ("a commitment that is not reached is trued up", {"voice": "80"}, {"line": "100"}, {"factor": "1.5"}, ["line true_up 20"]),
    ("without true-up only the overage is billed", {"voice": "80"}, {"line": "100"}, {"factor": "1.5", "true_up": False}, []),
    ("an overage counts above", {"voice": "120"}, {"line": "100", "bill": "140"}, {"factor": "1.5"}, ["line overage 10", "bill true_up 10"]),
    ("nothing is due where there is no minimum", {"voice": "120"}, {}, {"factor": "1.5"}, []),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=[case[0] for case in CASES])
def test_what_is_billed_at_least(case: tuple[str, dict[str, str], dict[str, str], dict[str, Any], list[str]]) -> None:
    _, rated, minimums, more, expected = case
    assert _lines(rated, minimums, **more) == expected


@pytest.mark.parametrize(
    ("basis", "lacking"), [(Basis.ACTUAL, "16.07"), (Basis.THIRTY_360, "17"), (Basis.ACTUAL_365, "14.79")]
)
def test_a_minimum_is_prorated_by_a_named_basis(basis: Basis, lacking: str) -> None:
    """From 14 February on: 15 of 28 days, 17 of 30 as every month has, or 15 days of a year of 365."""
    part = share(Cycle(date(2026, 1, 1)), 1, Period(date(2026, 2, 14), date(2026, 3, 1)), basis)
    assert _lines({}, {"line": "30"}, share=part) == [f"line true_up {lacking}"]
