"""What discounts take off a bill, as tables: percentages and fixed amounts, order, limits, and never below zero."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from billing.invoicing.rules_discounts import Assigned, BillLine, Discounted, discount
from schemas.discount import DiscountPlan
from schemas.money import AMOUNT_DECIMALS, from_scaled, to_scaled
from schemas.price_plan import Rounding

CENTS = Rounding(decimals=2)


def _plan(code: str = "plan", *items: dict[str, Any], **more: Any) -> DiscountPlan:
    named = [{"code": f"i{place}", "type": "percentage", **item} for place, item in enumerate(items)]
    return DiscountPlan.model_validate(
        {"kind": "discount_plan", "code": code, "currency": "EUR", "items": named, **more}
    )


def _off(percent: str, **more: Any) -> dict[str, Any]:
    return {"value": percent, **more}


def _fixed(value: str, **more: Any) -> dict[str, Any]:
    return {"type": "fixed", "value": value, **more}


def _lines(*told: str) -> list[BillLine]:
    """Return lines "CHARGE AMOUNT", which have every plan."""
    rows = [each.split() for each in told]
    return [
        BillLine(
            "ana",
            "line",
            "offer",
            charge,
            "voice",
            place,
            ("plan", "other"),
            to_scaled(Decimal(amount), AMOUNT_DECIMALS),
        )
        for place, (charge, amount) in enumerate(rows)
    ]


def _take(lines: list[BillLine], *plans: DiscountPlan | Assigned) -> Discounted:
    return discount(lines, [each if isinstance(each, Assigned) else Assigned(each.code, each) for each in plans], CENTS)


def _told(found: Discounted) -> str:
    return " ".join(
        f"{one.item}:{one.line}:{from_scaled(one.amount, AMOUNT_DECIMALS).normalize():f}" for one in found.lines
    )


# (what it shows, plan, lines, what is taken off: item:line:amount)
BILLS: list[tuple[str, DiscountPlan, list[str], str]] = [
    ("a percentage is of the sum, and its shares add up", _plan("plan", _off("10")), ["a 0.33"] * 3, "i0:0:-0.033333334 i0:1:-0.033333333 i0:2:-0.033333333"),
    ("one line has it all", _plan("plan", _off("12.5")), ["a 8.02"], "i0:0:-1"),
    ("not cascading: each of what the price was", _plan("plan", _off("10"), _off("10")), ["a 100"], "i0:0:-10 i1:0:-10"),
    ("cascading: each of what is left", _plan("plan", _off("10"), _off("10"), cascading=True), ["a 100"], "i0:0:-10 i1:0:-9"),
    ("sequence decides, then the order", _plan("plan", _off("10", sequence=2), _off("50", sequence=1), cascading=True), ["a 100"], "i1:0:-50 i0:0:-5"),
    ("only the lowest priority that matches applies", _plan("plan", _off("10"), _off("20", priority=5, charges=["b"]), _off("1", priority=5, charges=["b"])), ["a 100", "b 100"], "i0:0:-10 i1:1:-20 i2:1:-1"),
    ("the last one ends what it applied to", _plan("plan", _off("10", last=True, charges=["a"]), _off("20")), ["a 100", "b 100"], "i0:0:-10 i1:1:-20"),
    ("never below zero", _plan("plan", _off("60"), _off("60")), ["a 100"], "i0:0:-60 i1:0:-40"),
    ("unless it may", _plan("plan", _off("60"), _off("60", allow_to_negate=True)), ["a 100"], "i0:0:-60 i1:0:-60"),
    ("a fixed amount is shared by what is left", _plan("plan", _off("50", charges=["a"], priority=100), _fixed("3")), ["a 10", "b 10"], "i0:0:-5 i1:0:-1 i1:1:-2"),
    ("a fixed amount takes at most everything", _plan("plan", _fixed("30")), ["a 10", "b 5"], "i0:0:-10 i0:1:-5"),
    ("unless it may negate", _plan("plan", _fixed("30", allow_to_negate=True)), ["a 10", "b 5"], "i0:0:-20 i0:1:-10"),
    ("a fixed amount of nothing", _plan("plan", _fixed("30", charges=["c"])), ["a 10"], ""),
    ("what is taken back mirrors what was billed", _plan("plan", _off("10")), ["a 100", "b -40"], "i0:0:-10 i0:1:4"),
    ("a fixed amount is not taken off what is taken back", _plan("plan", _fixed("5")), ["a -10"], ""),
    ("a limit cuts down in proportion", _plan("plan", _off("10"), limits={"amount": "6"}), ["a 60", "b 30"], "i0:0:-4 i0:1:-2"),
    ("a third of a cent is rounded once", _plan("plan", _off("33.333333")), ["a 0.01", "a 0.01", "a 0.01"], "i0:0:-0.003333334 i0:1:-0.003333333 i0:2:-0.003333333"),
]  # fmt: skip


@pytest.mark.parametrize("case", BILLS, ids=[case[0] for case in BILLS])
def test_what_is_taken_off(case: tuple[str, DiscountPlan, list[str], str]) -> None:
    _, plan, lines, expected = case
    assert _told(_take(_lines(*lines), plan)) == expected


def test_plans_take_off_by_sequence_then_code() -> None:
    one, other = _plan("plan", _off("50"), cascading=True), _plan("other", _off("10"), cascading=True)
    lines = _lines("a 100")
    assert _told(_take(lines, one, other)) == "i0:0:-10 i0:0:-45"
    assert _told(_take(lines, one.model_copy(update={"sequence": 1}), other)) == "i0:0:-50 i0:0:-5"


def test_the_last_item_of_a_plan_ends_the_line_for_other_plans() -> None:
    one, other = _plan("plan", _off("10"), sequence=200), _plan("other", _off("10", last=True))
    assert _told(_take(_lines("a 100"), one, other)) == "i0:0:-10"


def test_only_what_is_assigned_when_it_is_used_is_taken_off() -> None:
    lines = [
        replace(line, active=active) for line, active in zip(_lines("a 100", "a 10"), ((), ("plan",)), strict=True)
    ]
    assert _told(_take(lines, _plan("plan", _off("10")))) == "i0:1:-1"


def test_use_is_counted_and_ends_a_plan() -> None:
    plan = _plan("plan", _off("10"), limits={"applications": 2, "amount": "15"})
    first = _take(_lines("a 100"), plan)
    assert (first.used[0].applications, first.used[0].amount) == (1, 10 * 10**9)
    second = _take(_lines("a 100"), *first.used)
    assert (_told(second), second.used[0].applications, second.used[0].amount) == ("i0:0:-5", 2, 15 * 10**9)
    third = _take(_lines("a -100"), *second.used)
    assert (_told(third), third.used) == ("", second.used)


def test_what_is_given_back_makes_room_again() -> None:
    plan = _plan("plan", _off("10"), limits={"amount": "10"})
    used = _take(_lines("a 200"), plan).used
    assert used[0].amount == 10 * 10**9
    again = _take(_lines("a 100", "b -60"), *used)
    assert _told(again) == "i0:0:-6 i0:1:6"
    assert again.used[0].amount == 10 * 10**9


def test_a_bill_in_which_nothing_is_taken_off_uses_nothing() -> None:
    plan = _plan("plan", _off("10", charges=["c"]), limits={"applications": 1})
    assert _take(_lines("a 100"), plan).used[0].applications == 0


def test_conditions_are_asked_for() -> None:
    plan = _plan("plan", _off("10", condition="charge == 'b'"))
    found = discount(_lines("a 100", "b 100"), [Assigned("plan", plan)], CENTS, lambda item, line: line.charge == "b")
    assert _told(found) == "i0:1:-10"
