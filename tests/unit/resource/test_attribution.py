"""Attribution: who owned the access point at the instant of the usage, to the microsecond."""

from __future__ import annotations

import pytest
from resource_world import DAY_US, START_US, Row, Stage, held_keys, held_registers, openings

from schemas.rejection import Reason

CHANGE_US = START_US + 7_200_000_000  # 02:00
END_US = START_US + DAY_US
TRANSFERRED = {1: [(START_US, CHANGE_US, 10, 100), (CHANGE_US, END_US, 11, 100)]}


@pytest.mark.parametrize(
    ("at", "subscription"),
    [
        (START_US - 1, None),
        (START_US, 10),
        (CHANGE_US - 1, 10),
        (CHANGE_US, 11),
        (END_US - 1, 11),
        (END_US, None),
    ],
)
def test_a_period_starts_at_its_instant_and_ends_before_the_next(at: int, subscription: int | None) -> None:
    (answer,) = Stage(TRANSFERRED).answers([Row(key=1, at=at)])
    if subscription is None:
        assert answer == (Reason.ACCESS_POINT_NOT_VALID_AT, None)
    else:
        assert answer == (Reason.NONE, (at, 0, 1, subscription, 100))


@pytest.mark.parametrize(
    ("at", "subscription"),
    [(START_US + 1, 10), (CHANGE_US, 10), (CHANGE_US + 1, 11), (END_US, 11)],
)
def test_a_reading_belongs_to_who_owned_the_instant_before_it(at: int, subscription: int) -> None:
    """A reading closes the period that ends at its instant: on the day of a transfer it is the old owner's."""
    stage = Stage(TRANSFERRED)
    stage.state.registers.open(*openings((5, START_US - DAY_US, 40)))
    ((reason, edr),) = stage.answers([Row(key=1, at=at, series=5, quantity=100)])
    assert reason is Reason.NONE
    assert edr is not None
    assert edr[2:] == (60, subscription, 100)


@pytest.mark.parametrize("at", [START_US, END_US + 1])
def test_a_reading_outside_of_every_ownership_is_refused_and_moves_no_register(at: int) -> None:
    stage = Stage(TRANSFERRED)
    assert stage.take([Row(key=1, at=at, series=5)]) == [Reason.ACCESS_POINT_NOT_VALID_AT]
    assert held_registers(stage.state) == {}


def test_a_gap_between_two_owners_belongs_to_nobody() -> None:
    stage = Stage({1: [(START_US, CHANGE_US, 10, 100), (CHANGE_US + 10, END_US, 11, 100)]})
    rows = [Row(key=key, at=CHANGE_US + off) for key, off in ((1, -1), (2, 0), (3, 9), (4, 10))]
    refused = Reason.ACCESS_POINT_NOT_VALID_AT
    assert stage.take(rows) == [Reason.NONE, refused, refused, Reason.NONE]


def test_identifiers_that_share_a_slot_are_told_apart() -> None:
    near = {number: [(0, END_US, index, index)] for index, number in enumerate([1, 1 << 64 | 1, 1 << 20 | 1, 2])}
    answers = Stage(near).answers([Row(key=index + 1, access=number) for index, number in enumerate(near)])
    assert [edr[3] for _, edr in answers if edr] == [0, 1, 2, 3]
    assert Stage(near).take([Row(key=1, access=1 << 65 | 1)]) == [Reason.UNKNOWN_ACCESS_POINT]


@pytest.mark.parametrize(
    ("before", "reason"),
    [
        ({}, Reason.UNKNOWN_ACCESS_POINT),
        ({1: [(0, START_US, 10, 100)]}, Reason.ACCESS_POINT_NOT_VALID_AT),
    ],
)
def test_a_record_that_nobody_owns_takes_no_key_and_is_accepted_once_somebody_does(
    before: dict[int, list[tuple[int, int, int, int]]], reason: Reason
) -> None:
    stage = Stage(before)
    assert stage.take([Row(key=1), Row(key=1)]) == [reason, reason]
    assert held_keys(stage.state) == {}
    stage.windows = TRANSFERRED
    assert stage.take([Row(key=1), Row(key=1)]) == [Reason.NONE, Reason.DUPLICATE]


def test_a_record_sent_again_keeps_its_first_answer_when_the_access_point_is_gone() -> None:
    stage = Stage(TRANSFERRED)
    assert stage.take([Row(key=1)]) == [Reason.NONE]
    stage.windows = {}
    assert stage.take([Row(key=1), Row(key=1, content=2)]) == [Reason.DUPLICATE, Reason.SAME_KEY_OTHER_CONTENT]


def test_a_record_refused_by_the_decoder_touches_nothing() -> None:
    stage = Stage(TRANSFERRED)
    rows = [Row(key=1, reason=Reason.FIELD_COUNT), Row(key=2, reason=Reason.FILTERED_BY_SOURCE, series=5)]
    assert stage.take(rows) == [Reason.FIELD_COUNT, Reason.FILTERED_BY_SOURCE]
    assert (held_keys(stage.state), held_registers(stage.state)) == ({}, {})


def test_an_empty_block_is_answered() -> None:
    assert Stage().answers([]) == []


def test_access_points_are_told_apart_by_either_half_of_their_names() -> None:
    names = [1 << 64, 2 << 64, 1, 2 << 64 | 1]
    windows = {name: [(START_US, END_US, place, 100 + place)] for place, name in enumerate(names)}
    rows = [Row(key=place + 1, access=name) for place, name in enumerate([*names, 3 << 64])]
    answers = Stage(windows).answers(rows)
    assert [edr[3:] for _, edr in answers if edr] == [(place, 100 + place) for place in range(4)]
    assert answers[-1] == (Reason.UNKNOWN_ACCESS_POINT, None)
