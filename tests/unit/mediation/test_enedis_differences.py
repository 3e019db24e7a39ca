"""What indexes differ by: by a twin, in any order, and what cannot be true; what has to be stated again."""

from __future__ import annotations

import random
from collections.abc import Iterable
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.mediation.columns.rows import Row
from pipelines.mediation.enedis.differences import as_asked, differences, key_of, restated
from schemas.energy import RECORDS
from schemas.source_energy import EnedisSource

POINT = "09111642617347"
DAYS = [f"2026-01-{day:02}T23:00:00Z" for day in range(1, 9)]


def reading(at: str, kwh: int, **more: str) -> Row:
    known = {
        "flow": "R151", "point": POINT, "at": at, "grid": "supplier", "calendar": "FC1", "time_class": "BASE", "measure": "EA",
        "direction": "consumption", "unit": "Wh", "value": f"{kwh}999", "truncated": f"{kwh}000", "nature": "R", "status": "I", "version": "10",
        "created_at": "2026-02-01T00:00:00Z",
    }  # fmt: skip
    return known | more


def told(rows: Iterable[Row], *names: str) -> list[tuple[str, ...]]:
    found = list(rows)
    for row in found:
        RECORDS["quantities"].model_validate(row | {"version": "1"})
    return [tuple(row.get(name, "") for name in names) for row in found]


def spans(rows: Iterable[Row]) -> list[tuple[str, ...]]:
    return told(rows, "start", "end", "value", "doubt")


def source(**more: Any) -> EnedisSource:
    mapping = {
        "identity": ["point", "start"], "access_point": "point", "time": {"field": "start"}, "quantity": {"field": "net", "unit": "Wh"},
        "event_type": {"constant": "electricity"},
    }  # fmt: skip
    document = {"kind": "source", "code": "d", "format": "enedis", "records": "quantities", "mapping": mapping, **more}
    return EnedisSource.model_validate(document)


def test_neighbours_are_subtracted_and_nothing_is_stated_where_nothing_was_used() -> None:
    rows = [reading(DAYS[2], 120), reading(DAYS[0], 100), reading(DAYS[1], 100)]
    assert spans(differences(rows)) == [(DAYS[1], DAYS[2], "20000", "")]
    # each grid, class and direction is a register of its own
    other = [row | {"grid": "distributor", "time_class": "HPH"} for row in rows]
    assert told(differences([*rows, *other]), "grid", "time_class", "measure", "net") == [
        ("distributor", "HPH", "consumption", "20000"), ("supplier", "BASE", "consumption", "20000"),
    ]  # fmt: skip
    assert spans(differences([reading(DAYS[0], 7)])) == []
    assert told(differences([reading(DAYS[0], 1), reading(DAYS[1], 2, nature="E"), reading(DAYS[2], 3, nature="S"), reading(DAYS[3], 4)]), "nature") == [
        ("E",), ("E",), ("R",),
    ]  # fmt: skip


def test_a_change_is_no_consumption_and_a_dial_may_go_through_zero() -> None:
    around = [
        reading(DAYS[1], 4, role="before", rolls_over_at="100000000", flow="C15"), reading(DAYS[1], 40, role="after", flow="C15"),
    ]  # fmt: skip
    rows = [reading(DAYS[0], 99_990), *around, reading(DAYS[2], 43)]
    assert spans(differences(rows)) == [(DAYS[0], DAYS[1], "14000", ""), (DAYS[1], DAYS[2], "3000", "")]
    # only the new meter is known: nothing says what the old one had counted
    assert spans(differences([rows[0], around[1], rows[3]])) == [(DAYS[1], DAYS[2], "3000", "")]


@pytest.mark.parametrize(
    ("second", "doubt"),
    [
        (reading(DAYS[1], 99), "the index goes from 100000 to 99000"),
        (reading(DAYS[1], 101, calendar="FC2"), "the calendar changes from FC1 to FC2, and no index says where"),
        (reading(DAYS[1], 101, meter="B"), "the meter changes from A to B, and no index says where"),
    ],
)
def test_what_cannot_be_true_is_doubted(second: Row, doubt: str) -> None:
    (row,) = differences([reading(DAYS[0], 100, meter="A"), second])
    assert row["doubt"] == doubt


def test_too_much_between_two_indexes_waits() -> None:
    rows = [reading(DAYS[0], 100), reading(DAYS[1], 44_100), reading(DAYS[2], 44_110)]
    bounded = source(bounds={"power_w": 9000, "margin": "1.3", "points": {POINT: 3000}})
    assert told(as_asked(differences(rows), bounded), "value", "doubt") == [
        ("44000000", f"44000000 Wh are more than 3900 W can be from {DAYS[0]}"), ("10000", ""),
    ]  # fmt: skip


def test_an_index_is_stated_by_the_best_the_newest_or_the_larger_text() -> None:
    first = reading(DAYS[0], 100)
    assert told(differences([first, reading(DAYS[1], 110), reading(DAYS[1], 105, version="11")]), "value") == [
        ("5000",)
    ]
    assert told(differences([first, reading(DAYS[1], 110, flow="R64"), reading(DAYS[1], 105)]), "value") == [("10000",)]
    annulled = [reading(DAYS[1], 110, id="i", status="I"), reading(DAYS[1], 110, id="i", status="A", version="11")]
    assert spans(differences([first, *annulled, reading(DAYS[2], 120)])) == [(DAYS[0], DAYS[2], "20000", "")]
    rectified = reading(DAYS[1], 90, id="j", status="R", version="9")
    assert told(differences([first, *annulled, rectified, reading(DAYS[2], 120)]), "value", "doubt")[0] == (
        "-10000", "the index goes from 100000 to 90000",
    )  # fmt: skip
    doubted = reading(DAYS[1], 999, doubt="Indice_Vraisemblance is 1")
    assert spans(differences([first, doubted, reading(DAYS[2], 120)])) == [(DAYS[0], DAYS[2], "20000", "")]
    power = reading(DAYS[1], 9, measure="PMA1")
    unread = reading("x", 9) | {"truncated": "", "value": "?"}
    assert list(differences([power, unread, power | {"at": DAYS[2]}])) == []


def twin(readings: list[Row]) -> list[tuple[str, str, int]]:
    """Return (start, end, Wh) of a register without changes, roll-overs and annulments: the long way."""
    counted: dict[str, Row] = {}
    for row in readings:
        known = counted.get(row["at"])
        better = known is None or (int(row["version"]), tuple(row.values())) > (
            int(known["version"]),
            tuple(known.values()),
        )
        if better:
            counted[row["at"]] = row
    times = sorted(counted)
    spans = [(a, b, int(counted[b]["truncated"]) - int(counted[a]["truncated"])) for a, b in pairwise(times)]
    return [span for span in spans if span[2]]


statements = st.lists(
    st.builds(
        lambda day, kwh, version: reading(DAYS[day], kwh, version=str(version)),
        st.integers(0, 7), st.integers(0, 30), st.integers(1, 3),
    ),
    max_size=12,
)  # fmt: skip


@given(statements, st.randoms(use_true_random=False))
def test_differences_are_those_of_the_twin_in_any_order_and_however_often(
    rows: list[Row], chance: random.Random
) -> None:
    found = [(row["start"], row["end"], int(row["value"])) for row in differences(rows)]
    assert found == twin(rows)
    again = [*rows, *(row for row in rows if chance.randint(0, 1))]
    chance.shuffle(again)
    assert list(differences(again)) == list(differences(rows))


@given(statements, statements)
def test_what_is_stated_again_is_what_is_wanted_and_sums_to_it(first: list[Row], more: list[Row]) -> None:
    """After any two settlements the latest statements of all keys are the differences of all readings; nothing else counts."""
    asked = source(
        cut="month", mapping=source().mapping.model_copy(update={"identity": ("point", "start")}).model_dump()
    )
    stated: dict[tuple[str, ...], Row] = {}
    for version, readings in enumerate((first, [*first, *more], [*first, *more]), 1):
        said = list(restated(as_asked(differences(readings), asked), stated, version))
        stated |= {key_of(row): row for row in said}
        wanted = list(as_asked(differences(readings), asked))
        assert all(row["version"] in (str(2 * version), str(2 * version + 1)) for row in said)
        assert {key: row["net"] for key, row in stated.items() if row["net"] != "0"} == {
            key_of(row): row["net"] for row in wanted if row["net"] != "0"
        }
    assert said == []
    whole = sum((Decimal(row["value"]) for row in differences([*first, *more])), Decimal(0))
    assert sum((Decimal(row["net"]) for row in stated.values()), Decimal(0)) == whole


def test_what_stood_is_taken_back_where_what_takes_its_place_is_doubted() -> None:
    """A statement that is parked replaces nothing: whatever order indexes come in, the same stands."""
    days = ("2026-01-31T23:00:00Z", "2026-02-09T23:00:00Z", "2026-02-19T23:00:00Z")
    first, fallen, last = (reading(day, kwh) for day, kwh in zip(days, (1000, 900, 1100), strict=True))
    asked = source()

    def standing(*settlements: list[Row]) -> dict[tuple[str, ...], str]:
        """Return what counts after settlements: what is doubted is parked, and changes nothing."""
        stated: dict[tuple[str, ...], Row] = {}
        counted: dict[tuple[str, ...], tuple[int, str]] = {}
        for version, readings in enumerate(settlements, 1):
            for row in restated(as_asked(differences(readings), asked), stated, version):
                stated[key_of(row)] = row
                number = int(row["version"])
                if not row.get("doubt") and number > counted.get(key_of(row), (0, ""))[0]:
                    counted[key_of(row)] = number, row["net"]
        return {key: net for key, (_, net) in counted.items() if net != "0"}

    at_once = standing([first, fallen, last])
    assert sum(map(int, at_once.values())) == 200_000
    assert standing([first, last], [first, fallen, last]) == at_once
    assert standing([first, last], [first, fallen, last], [first, last]) == standing([first, last])


def test_a_difference_over_a_first_of_a_month_is_shared_by_days_and_says_so() -> None:
    rows = [reading("2026-01-21T23:00:00Z", 0), reading("2026-02-10T23:00:00Z", 101)]
    asked = source(cut="month", mapping=source().mapping.model_dump())
    # 22 to 31 January are 10 of 20 days
    assert told(as_asked(differences(rows), asked), "start", "end", "value", "estimated_by") == [
        ("2026-01-21T23:00:00Z", "2026-01-31T23:00:00Z", "50500", "days"),
        ("2026-01-31T23:00:00Z", "2026-02-10T23:00:00Z", "50500", "days"),
    ]  # fmt: skip
    # an index on the first of the month takes the place of the estimate
    exact = [*rows, reading("2026-01-31T23:00:00Z", 70)]
    stated = {key_of(row): row for row in as_asked(differences(rows), asked)}
    said = list(restated(as_asked(differences(exact), asked), stated, 2))
    assert told(said, "value", "estimated_by") == [("70000", ""), ("31000", "")]
    # and goes again with it
    back = list(restated(as_asked(differences(rows), asked), stated | {key_of(row): row for row in said}, 3))
    assert told(back, "value", "estimated_by") == [("50500", "days"), ("50500", "days")]
