"""Transfers: at every instant, the owners of the first catalog less those that leave plus those that come are the second's."""

from __future__ import annotations

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from pipelines.resource.transfers import TRANSFER_FRAME, access_transfers
from schemas.catalog import ACCESS_POINT_FRAME, TIME_MAX, TIME_MIN

Window = tuple[str, str, int, int]
Transfer = tuple[str, str | None, str | None, int, int]


def _frame(windows: list[Window]) -> pl.DataFrame:
    return pl.DataFrame(windows, schema=ACCESS_POINT_FRAME, orient="row")


def _transfers(before: list[Window], after: list[Window]) -> list[Transfer]:
    found = access_transfers(_frame(before), _frame(after))
    assert found.schema == TRANSFER_FRAME
    return found.rows()


def test_a_number_that_is_given_to_somebody_else_changes_hands_from_then_on() -> None:
    before = [("1", "ana", TIME_MIN, TIME_MAX)]
    after = [("1", "ana", TIME_MIN, 50), ("1", "ben", 50, TIME_MAX)]
    assert _transfers(before, after) == [("1", "ana", "ben", 50, TIME_MAX)]
    assert _transfers(after, before) == [("1", "ben", "ana", 50, TIME_MAX)]


def test_what_comes_what_goes_and_what_stays() -> None:
    before = [("gone", "ana", 5, 9), ("kept", "ana", 0, 10), ("late", "ana", 10, 20)]
    after = [("kept", "ana", 0, 10), ("late", "ana", 0, 20), ("new", "ben", TIME_MIN, TIME_MAX)]
    assert _transfers(before, after) == [
        ("gone", "ana", None, 5, 9),
        ("late", None, "ana", 0, 10),
        ("new", None, "ben", TIME_MIN, TIME_MAX),
    ]


def test_cutting_a_window_in_two_moves_nothing() -> None:
    assert _transfers([("1", "ana", 0, 10)], [("1", "ana", 0, 4), ("1", "ana", 4, 10)]) == []


def test_of_those_who_share_only_who_changes_is_told() -> None:
    before = [("1", "ana", 0, 10), ("1", "ben", 0, 10)]
    after = [("1", "ana", 0, 10), ("1", "cleo", 0, 10), ("1", "dan", 5, 10)]
    assert _transfers(before, after) == [("1", "ben", "cleo", 0, 10), ("1", None, "dan", 5, 10)]


windows = st.lists(
    st.builds(
        lambda point, owner, start, length: (point, owner, start, start + length),
        st.sampled_from("12"),
        st.sampled_from("abc"),
        st.integers(0, 8),
        st.integers(1, 5),
    ),
    max_size=7,
)


def _owners(found: list[Window], point: str, at: int) -> set[str]:
    return {owner for identifier, owner, start, end in found if identifier == point and start <= at < end}


@given(before=windows, after=windows)
def test_transfers_turn_one_catalog_into_the_other(before: list[Window], after: list[Window]) -> None:
    transfers = _transfers(before, after)
    for point in "12":
        for at in range(-1, 15):
            here = [row for row in transfers if row[0] == point and row[3] <= at < row[4]]
            leave, come = {row[1] for row in here if row[1]}, {row[2] for row in here if row[2]}
            then, now = _owners(before, point, at), _owners(after, point, at)
            assert (leave, come) == (then - now, now - then)
            assert len(here) == max(len(leave), len(come))
    for one in transfers:  # as few rows as can say it
        assert not any(other[:3] == one[:3] and other[3] == one[4] for other in transfers)
    assert _transfers(before, before) == []
