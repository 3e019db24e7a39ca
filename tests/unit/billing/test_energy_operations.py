"""Operations: what decisions about records are called, followed back through every retry; points without a real index."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from billing.energy.rules_operations import (
    ERRORS,
    ITEM_FRAME,
    MOVE_FRAME,
    REFUSAL_FRAME,
    UNKNOWN_ERROR,
    Kind,
    Status,
    operations,
)
from billing.energy.rules_yearly import STATED_FRAME, without_real_index
from pipelines.mediation.enedis import words
from schemas.rejection import Reason

KINDS = {"r15": Kind.CONSO, "f15": Kind.FRAIS, "fees": Kind.ABO}


def _item(claim: int, record: int, amount: str, status: str = "rated", source: str = "r15") -> tuple[Any, ...]:
    return claim, record, source, "1", "s", "2025-01-01T00:00:00Z", Decimal(amount), "EUR", status


def _refusal(
    claim: int, record: int, reason: str, status: str = "OPEN", retries: int = 0, why: str = ""
) -> tuple[Any, ...]:
    return claim, record, 0, "r15", "1", "2025-01-01T00:00:00Z", reason, "detail", retries, status, why


def _told(items: list[Any], refusals: list[Any], moves: tuple[tuple[Any, ...], ...] = ()) -> list[dict[str, Any]]:
    return operations(
        pl.DataFrame(items, schema=ITEM_FRAME, orient="row"),
        pl.DataFrame(refusals, schema=REFUSAL_FRAME, orient="row"),
        pl.DataFrame(list(moves), schema=MOVE_FRAME, orient="row"),
        KINDS,
    )


@pytest.mark.parametrize(
    ("refusal", "status", "code"),
    [
        (_refusal(3, 1, "AWAITS_EXECUTION"), Status.TO_DO, ""),
        (_refusal(3, 1, "UNKNOWN_ACCESS_POINT"), Status.REFUSED, "ERR_ORD_001"),
        (_refusal(3, 1, "UNKNOWN_ACCESS_POINT", "TO_REPROCESS"), Status.REFUSED, "ERR_ORD_001"),
        (_refusal(3, 1, "ACCESS_POINT_NOT_VALID_AT", "DISCARDED", why="gone"), Status.ABANDONED, "ERR_ORD_002"),
        (_refusal(3, 1, "AWAITS_EXECUTION", "DISCARDED", why="by hand"), Status.ABANDONED, ""),
        (_refusal(3, 1, "USAGE_TOO_LONG"), Status.REFUSED, UNKNOWN_ERROR.code),
    ],
)
def test_a_refusal_is_an_operation_with_a_status_and_a_code(
    refusal: tuple[Any, ...], status: Status, code: str
) -> None:
    (one,) = _told([], [refusal])
    assert (one["id"], one["status"], one["code"]) == ("op-3-1", status, code)
    assert one["refusals"] == [(3, 1, 0)]
    assert one["why"] == refusal[-1]


def test_what_was_executed_is_known_by_the_record_that_brought_it() -> None:
    """It waited (claim 3), was refused when it was executed (5), unrated when tried again (7), and rated at last (9)."""
    moves = ((5, None, 3, None), (7, None, 3, None), (9, 0, 7, 1))
    history = [
        _refusal(3, 1, "AWAITS_EXECUTION", "REPLAYED"),
        _refusal(5, 1, "UNKNOWN_ACCESS_POINT", "REPLAYED", 1),
        _refusal(7, 1, "NO_PRICE_VERSION", "REPLAYED", 2),
    ]
    (one,) = _told([_item(9, 0, "1.5"), _item(9, 0, "2")], history, moves)
    assert (one["id"], one["status"], one["amount"], one["retries"], one["code"]) == (
        "op-3-1",
        Status.DONE,
        Decimal("3.5"),
        2,
        "",
    )
    (one,) = _told([], [history[0], _refusal(5, 1, "UNKNOWN_ACCESS_POINT", retries=1)], moves)
    assert (one["status"], one["refusals"]) == (Status.REFUSED, [(5, 1, 0)])


def test_what_was_taken_back_is_annulled_and_comes_to_nothing() -> None:
    found = _told([_item(3, 1, "5", "reversed"), _item(8, 0, "-5", "reversal"), _item(4, 0, "2", "billed", "f15")], [])
    assert [(one["id"], one["kind"], one["amount"], one["annulled"]) for one in found] == [
        ("op-3-1", "conso", 0, True), ("op-4-0", "frais", Decimal(2), False),
    ]  # fmt: skip
    assert _told([], [_refusal(3, 1, "UNKNOWN_ACCESS_POINT", "CANCELLED")]) == []


def test_codes_are_stable_and_say_the_same_twice() -> None:
    codes = [one.code for one in (*ERRORS.values(), UNKNOWN_ERROR)]
    assert len(set(codes)) == len(codes)
    assert all(re.fullmatch(r"ERR_(ORD|REL|POD|FRS|FMT)_\d{3}", code) for code in codes)
    assert {"ERR_ORD_001", "ERR_ORD_002"} < set(codes)
    assert set(ERRORS) <= set(Reason.__members__)
    assert all(one.french.endswith(".") and one.english.endswith(".") for one in ERRORS.values())


def test_points_without_a_real_index_for_a_year_are_told() -> None:
    first, march, day = date(2024, 1, 1), date(2024, 3, 1), date(2025, 3, 1)
    stated = pl.DataFrame(
        [
            ("estimated", first, march, "R", "1", 1, False),
            ("estimated", march, day, "E", "2", 1, False),
            ("never", date(2024, 2, 1), date(2025, 2, 1), "E", "1", 1, False),
            ("read", first, date(2024, 3, 2), "S", "1", 1, False),
            ("later", first, date(2025, 6, 1), "R", "1", 1, False),
            ("corrected", first, date(2024, 9, 1), "G", "1", 1, False),
            # what was annulled rests on no index, in whatever order it came; another statement of it may
            ("annulled", date(2024, 1, 2), march, "R", "1", 10, False),
            ("annulled", march, day, "R", "2", 11, True),
            ("annulled", march, day, "R", "2", 10, False),
            ("all annulled", date(2024, 1, 3), day, "R", "1", 11, True),
            ("rectified", march, day, "R", "1", 11, True),
            ("rectified", march, day, "R", "1", 12, False),
        ],
        schema=STATED_FRAME, orient="row",
    )  # fmt: skip
    found = without_real_index(stated, date(2025, 3, 2))
    assert found.rows() == [
        ("all annulled", date(2024, 1, 3), 424), ("never", date(2024, 2, 1), 395), ("annulled", march, 366), ("estimated", march, 366),
    ]  # fmt: skip


def test_a_version_says_whether_it_annuls() -> None:
    made = "2025-09-11T05:00:00Z"
    assert [words.annuls(words.version(made, status)) for status in "IAR"] == [False, True, False]
    assert not words.annuls(words.UNDATED)
    assert not words.annuls(words.told_apart(words.UNDATED, "123456.01"))
