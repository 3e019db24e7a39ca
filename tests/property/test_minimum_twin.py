"""Minimums at every level against their twin, and what they promise: nobody pays less than what is due."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from minimum_twin import TwinScope, twin_lines

from billing.invoicing.rules_minimums import FACTOR_DECIMALS, SCOPE_FRAME, SCOPE_LEVELS, minimum_lines
from schemas.money import AMOUNT_DECIMALS, from_scaled, to_scaled
from schemas.price_plan import Rounding

CENTS = Rounding(decimals=2)
EUROS = st.decimals(-50, 500, places=4)


@st.composite
def _scopes(draw: st.DrawFn, level: int = len(SCOPE_LEVELS) - 1, name: str = "top") -> TwinScope:
    below = [
        draw(_scopes(level=draw(st.integers(0, level - 1)), name=f"{name}.{place}"))
        for place in range(draw(st.integers(0, 2)) if level else 0)
    ]
    return TwinScope(
        name,
        SCOPE_LEVELS[level],
        rated=draw(EUROS),
        items=draw(st.integers(0, 2)),
        minimum=draw(st.none() | st.decimals(0, 300, places=2)),
        share=draw(st.sampled_from([Fraction(1), Fraction(15, 30), Fraction(12, 31), Fraction(0), Fraction(31, 30)])),
        factor=draw(st.sampled_from([Decimal(1), Decimal("1.5"), Decimal("1.000001")])),
        true_up=draw(st.booleans()),
        when_unused=draw(st.booleans()),
        below=below,
    )


def frame_of(scope: TwinScope) -> pl.DataFrame:
    """Return a scope and all below it as SCOPE_FRAME."""
    return pl.DataFrame(list(_rows(scope, None)), schema=SCOPE_FRAME, orient="row")


def _rows(scope: TwinScope, above: str | None) -> Iterator[tuple[object, ...]]:
    minimum = None if scope.minimum is None else to_scaled(scope.minimum, AMOUNT_DECIMALS)
    yield (
        scope.name,
        scope.level,
        above,
        to_scaled(scope.rated, AMOUNT_DECIMALS),
        scope.items,
        minimum,
        scope.share.numerator,
        scope.share.denominator,
        to_scaled(scope.factor, FACTOR_DECIMALS),
        scope.true_up,
        scope.when_unused,
    )
    for each in scope.below:
        yield from _rows(each, scope.name)


@settings(max_examples=60)
@given(_scopes(), st.integers(0, 10))
def test_lines_are_those_of_the_twin(top: TwinScope, seed: int) -> None:
    frame = frame_of(top)
    found = minimum_lines(frame.sample(fraction=1, shuffle=True, seed=seed), CENTS)
    told = {
        (row["scope"], row["kind"]): from_scaled(row["amount"], AMOUNT_DECIMALS) for row in found.iter_rows(named=True)
    }
    assert told == {(name, kind): amount for name, kind, amount in twin_lines(top)[2]}
    assert len(told) == len(found), "a scope has a line of each kind once"
    for row in found.filter(kind="true_up").iter_rows(named=True):
        assert max(row["reached"], 0) + row["amount"] == row["minimum"], (
            "what is billed is what is due, to the last unit"
        )


@settings(max_examples=15)
@given(st.lists(_scopes(), max_size=3))
def test_customers_have_nothing_to_do_with_each_other(tops: list[TwinScope]) -> None:
    for place, top in enumerate(tops):
        _renamed(top, f"{place}")
    frames = [frame_of(top) for top in tops]
    together = minimum_lines(pl.concat([pl.DataFrame(schema=SCOPE_FRAME), *frames]), CENTS)
    alone = [minimum_lines(frame, CENTS) for frame in frames]
    assert sorted(together.iter_rows()) == sorted(row for each in alone for row in each.iter_rows())


def _renamed(scope: TwinScope, name: str) -> None:
    scope.name = name
    for place, each in enumerate(scope.below):
        _renamed(each, f"{name}.{place}")
