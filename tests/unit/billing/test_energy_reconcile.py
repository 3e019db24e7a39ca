"""The distributor's invoices beside what we billed: by point, component and day."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.energy.rules_reconcile import COMPONENTS, Billed, component_of, reconcile

FIRST, AFTER = date(2025, 2, 1), date(2025, 4, 1)


def _billed(element: str, first: str, after: str, amount: str, point: str = "1") -> Billed:
    return Billed(point, element, date.fromisoformat(first), date.fromisoformat(after), Decimal(amount))


def test_advance_by_other_months_agrees_when_days_cost_the_same() -> None:
    """The distributor bills 15 February to 15 March in advance, we bill civil months: each day costs 0.10."""
    theirs = [
        _billed("ASGA-E", "2025-02-01", "2025-02-15", "1.40"),
        _billed("ASGA-E", "2025-02-15", "2025-04-01", "4.50"),
    ]
    ours = [
        _billed("turpe-cg", "2025-02-01", "2025-03-01", "2.80"),
        _billed("turpe-cg", "2025-03-01", "2025-04-01", "3.10"),
    ]
    assert reconcile(theirs, ours, first=FIRST, after=AFTER) == []


def test_what_is_missing_on_either_side_or_costs_otherwise_is_told_with_its_days() -> None:
    theirs = [
        _billed("ASCL-0018-E", "2025-02-01", "2025-03-01", "28"),
        _billed("ASSFCU4-0009-E", "2025-02-01", "2025-02-11", "10"),
        _billed("F120B", "2025-02-05", "2025-02-05", "30.08"),
    ]
    ours = [
        _billed("turpe-cc", "2025-02-15", "2025-03-11", "24"),
        _billed("turpe-cs-cu4", "2025-02-01", "2025-02-11", "12"),
    ]
    found = reconcile(theirs, ours, first=FIRST, after=AFTER)
    told = [
        (row["component"], str(row["first"]), str(row["after"]), str(row["difference"]), row["why"]) for row in found
    ]
    assert told == [
        ("F120B", "2025-02-05", "2025-02-06", "-30.08", "not billed by us"),
        ("fixed withdrawal", "2025-02-01", "2025-02-11", "2.00", "another amount"),
        ("metering", "2025-02-01", "2025-02-15", "-14.00", "not billed by us"),
        ("metering", "2025-03-01", "2025-03-11", "10.00", "not invoiced by the distributor"),
    ]


def test_what_is_annulled_is_as_if_it_had_not_been() -> None:
    theirs = [_billed("ASGA-E", "2025-02-01", "2025-03-01", "28"), _billed("ASGA-R", "2025-02-01", "2025-03-01", "-28")]
    assert reconcile(theirs, [], first=FIRST, after=AFTER) == []


@pytest.mark.parametrize(
    ("element", "component"),
    [("ASG", "management"), ("turpe-cg-acc", "management"), ("ASCEL-0036", "metering"), ("turpe-cs-mudt", "fixed withdrawal"),
     ("turpe-sup-cu-cs-hph", "fixed withdrawal"), ("turpe-sup-cu-cv", "variable withdrawal"), ("ASSVCU4-1", "variable withdrawal"),
     ("turpe-hta-lu-cmdps", "overrun"), ("DCOUP_PEN", "DCOUP_PEN")],
)  # fmt: skip
def test_elements_and_charges_have_one_component(element: str, component: str) -> None:
    assert component_of(element) == component
    starts = [start for each in COMPONENTS.values() for start in each]
    assert len(set(starts)) == len(starts)


_SIDE = st.lists(
    st.builds(
        lambda day, days, cents: Billed("1", "ASG", FIRST + timedelta(days=day), FIRST + timedelta(days=day + days), Decimal(cents) * days),
        st.integers(0, 40), st.integers(1, 20), st.integers(-5, 5),
    ),
    max_size=5,
)  # fmt: skip


@settings(max_examples=60)
@given(theirs=_SIDE, ours=_SIDE)
def test_differences_add_up_to_the_whole_difference(theirs: list[Billed], ours: list[Billed]) -> None:
    found = reconcile(theirs, ours, first=FIRST, after=FIRST + timedelta(days=100))
    whole = sum(each.amount for each in ours) - sum(each.amount for each in theirs)
    assert sum((row["difference"] for row in found), Decimal(0)) == whole
    assert reconcile(theirs, theirs, first=FIRST, after=AFTER) == []
