"""Discounts: totals against a plain twin, and laws: parts add up, order is nothing, nothing falls below zero."""

from __future__ import annotations

import random
from collections import Counter
from decimal import Decimal
from typing import Any

from discount_twin import taken_off
from hypothesis import given
from hypothesis import strategies as st

from billing.invoicing.rules_discounts import Assigned, BillLine, discount
from schemas.discount import DiscountPlan
from schemas.money import RoundingMode, from_scaled
from schemas.price_plan import Rounding

ROUNDINGS = st.builds(Rounding, mode=st.sampled_from(RoundingMode), decimals=st.integers(0, 4))
CHARGES = "abc"


def _lines(lowest: int) -> st.SearchStrategy[list[BillLine]]:
    """Lines of distinct parts, of which some have one plan, some both."""
    told = st.tuples(
        st.sampled_from(CHARGES), st.sampled_from([("one",), ("one", "two"), ()]), st.integers(lowest, 10**13)
    )
    return st.lists(told, max_size=8).map(
        lambda rows: [
            BillLine("ana", "line", "offer", charge, "voice", place, active, amount)
            for place, (charge, active, amount) in enumerate(rows)
        ]
    )


@st.composite
def _plans(draw: st.DrawFn, *, free: bool) -> list[Assigned]:
    """One or two plans; `free` ones also have limits, ends and items that negate."""
    found = []
    for name in ("one", "two")[: draw(st.integers(1, 2))]:
        items: list[dict[str, Any]] = []
        for place in range(draw(st.integers(1, 3))):
            kind = draw(st.sampled_from(["percentage", "fixed"]))
            value = draw(
                st.sampled_from(["10", "33.333333", "5.5"])
                if kind == "percentage"
                else st.sampled_from(["0.5", "100", "7.25"])
            )
            charges = draw(st.lists(st.sampled_from(CHARGES), max_size=2, unique=True))
            item = {
                "code": f"i{place}",
                "type": kind,
                "value": value,
                "charges": charges,
                "priority": draw(st.integers(1, 2)),
                "sequence": draw(st.integers(0, 1)),
            }
            items.append(item | ({"last": draw(st.booleans()), "allow_to_negate": draw(st.booleans())} if free else {}))
        limits = {"amount": draw(st.sampled_from(["0", "3", "1000"]))} if free and draw(st.booleans()) else {}
        plan = {
            "kind": "discount_plan",
            "code": name,
            "currency": "EUR",
            "items": items,
            "limits": limits,
            "cascading": draw(st.booleans()),
        }
        found.append(Assigned(name, DiscountPlan.model_validate(plan)))
    return found


@given(_lines(0), _plans(free=False), ROUNDINGS)
def test_items_take_off_what_the_twin_says(lines: list[BillLine], plans: list[Assigned], rounding: Rounding) -> None:
    found = discount(lines, plans, rounding)
    totals: Counter[tuple[str, str]] = Counter()
    for one in found.lines:
        totals[one.assigned, one.item] -= one.amount
    expected = taken_off(lines, plans, rounding)
    # shares are cut off at what is left of their lines, so that a total may lack a last unit for each line and item before
    slack = Decimal(10) ** -rounding.decimals * (1 + len(lines)) * 6
    for key, whole in expected.items():
        assert abs(from_scaled(totals[key], 9) - whole) <= slack, key
    if len(plans) == 1 and len(plans[0].plan.items) == 1:
        assert {key: from_scaled(each, 9) for key, each in totals.items() if each} == {
            key: each for key, each in expected.items() if each
        }, "one item alone adds up exactly"


@given(_lines(-(10**13)), _plans(free=True), ROUNDINGS, st.randoms(use_true_random=False))
def test_laws_of_discounts(
    lines: list[BillLine], plans: list[Assigned], rounding: Rounding, chance: random.Random
) -> None:
    found = discount(lines, plans, rounding)
    left = [line.amount for line in lines]
    may_negate = any(item.allow_to_negate for each in plans for item in each.plan.items)
    for one in found.lines:
        left[one.line] += one.amount
        assert one.assigned in lines[one.line].active
        assert may_negate or left[one.line] * lines[one.line].amount >= 0, "nothing changes its sign"
    for before, after in zip(sorted(plans, key=lambda each: each.plan.code), found.used, strict=True):
        taken = -sum(one.amount for one in found.lines if one.assigned == before.name)
        assert after.amount == before.amount + taken
        limit = before.plan.limits.amount
        assert limit is None or from_scaled(after.amount, 9) <= limit
    places = chance.sample(range(len(lines)), len(lines))
    shuffled = discount([lines[place] for place in places], chance.sample(plans, len(plans)), rounding)
    moved = [(one.assigned, one.item, places[one.line], one.amount) for one in shuffled.lines]
    assert moved == [(one.assigned, one.item, one.line, one.amount) for one in found.lines], "order is nothing"
