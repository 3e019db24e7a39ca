"""What names of files say about those that did not come."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from pipelines.spool.completeness import ArrivedFile, Finding, find_gaps

NAME = re.compile(r"(?i)F_(?P<contract>[^_]+)_(?P<sequence>\d+)(?:_(?P<part>\d+)_(?P<parts>\d+))?_(?P<date>\d*)\.zip")


def gaps(*names: str, unusable: tuple[int, ...] = ()) -> list[Finding]:
    files = [ArrivedFile(claim, name, claim not in unusable) for claim, name in enumerate(names, 1)]
    return find_gaps(NAME, ("contract",), files)


def test_numbers_and_parts_that_did_not_come() -> None:
    found = gaps("F_a_00001_.zip", "F_a_5_.zip", "f_A_1_.ZIP", "F_a_6_2_4_.zip", "F_a_6_4_4_.zip", "F_a_10_1_1_.zip")
    assert found == [
        Finding("a", "missing", 2, 4, missing=3, claims=(1, 2)),
        Finding("a", "missing_parts", 6, 6, 1, 1, 4, 1, (4, 5)),
        Finding("a", "missing_parts", 6, 6, 3, 3, 4, 1, (4, 5)),
        Finding("a", "missing", 7, 9, missing=3, claims=(4, 5, 6)),
    ]


def test_the_last_parts_may_be_missing() -> None:
    assert gaps("F_a_6_1_4_.zip") == [Finding("a", "missing_parts", 6, 6, 2, 4, 4, 3, (1,))]


def test_what_came_twice_and_what_does_not_agree() -> None:
    found = gaps("F_a_1_1_2_.zip", "F_a_1_2_3_.zip", "F_a_1_3_3_.zip", "F_a_2_.zip", "F_a_2_9.zip")
    assert found == [
        Finding("a", "parts_differ", 1, 1, parts=3, claims=(1, 2, 3), name="F_a_1_1_2_.zip"),
        Finding("a", "duplicate", 2, 2, claims=(4, 5), name="F_a_2_.zip"),
    ]


def test_an_unusable_file_has_no_place_until_another_comes() -> None:
    names = ("F_a_1_.zip", "F_a_2_.zip", "F_a_3_.zip")
    assert gaps(*names, unusable=(2,)) == [Finding("a", "unusable", 2, 2, claims=(2,), name="F_a_2_.zip")]
    assert gaps(*names, "F_a_2_.zip", unusable=(2,)) == []


def test_names_that_cannot_be_read() -> None:
    names = ("other.zip", "F_a_1_3_2_.zip", "F_a_1_0_2_.zip", f"F_a_{'9' * 19}_.zip")
    assert [(item.problem, item.claims) for item in gaps(*names)] == [
        ("unreadable_name", (claim,)) for claim in (1, 2, 3, 4)
    ]


def test_a_stream_begins_again_at_one() -> None:
    last_year = [f"F_a_{number}_2025.zip" for number in (1, 2, 3)]
    this_year = [f"F_a_{number}_2026.zip" for number in (1, 3)]
    assert gaps(*this_year, *last_year) == [Finding("a", "missing", 2, 2, missing=1, claims=(1, 2))]
    # without dates the second 1 tells; a late 1 does not
    assert gaps("F_a_2_.zip", "F_a_1_.zip", "F_a_3_.zip") == []
    assert gaps("F_a_1_.zip", "F_a_2_.zip", "F_a_1_.zip", "F_a_2_.zip") == []
    # the first file, sent again
    again = gaps("F_a_1_1.zip", "F_a_2_2.zip", "F_a_1_3.zip", "F_a_3_4.zip")
    assert again == [Finding("a", "duplicate", 1, 1, claims=(1, 3), name="F_a_1_1.zip")]


def test_without_numbers_a_date_is_one_delivery() -> None:
    pattern = re.compile(r"(?P<part>\d)of(?P<parts>\d)-(?P<date>\d+)")
    files = [ArrivedFile(claim, name) for claim, name in enumerate(("1of2-1", "2of2-1", "2of2-2"), 1)]
    assert find_gaps(pattern, (), files) == [Finding("", "missing_parts", None, None, 1, 1, 2, 1, (3,))]


@given(st.data())
def test_every_number_and_part_that_was_taken_away_is_told(data: st.DataObject) -> None:
    """Whatever comes, in whatever order: what is told as missing is what was taken away, between lowest and highest."""
    parts = data.draw(st.dictionaries(st.integers(1, 40), st.integers(1, 4), min_size=1, max_size=12))
    whole = [(number, part, of) for number, of in parts.items() for part in range(1, of + 1)]
    kept = data.draw(st.lists(st.sampled_from(whole), min_size=1, unique=True))
    files = [ArrivedFile(claim, f"F_a_{n}_{p}_{of}_.zip") for claim, (n, p, of) in enumerate(kept, 1)]
    seen = {number for number, _, _ in kept}
    missing = {(number, 0) for number in range(min(seen), max(seen)) if number not in seen}
    missing |= {(number, part) for number, part, _ in whole if number in seen} - {(n, p) for n, p, _ in kept}
    told = set()
    for item in find_gaps(NAME, ("contract",), files):
        assert item.number_from is not None
        assert item.number_to is not None
        for number in range(item.number_from, item.number_to + 1):
            told |= {(number, part) for part in range(item.part_from or 0, (item.part_to or 0) + 1)}
        assert item.missing == (item.number_to - item.number_from + 1 if item.problem == "missing" else
                                (item.part_to or 0) - (item.part_from or 0) + 1)  # fmt: skip
    assert told == missing
