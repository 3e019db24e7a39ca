"""Quantities that are the sum of several fields."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mediation_world import CDR_COLUMNS, blocks_of, context, delimited, quantity, records_of

from pipelines.mediation.decode import describe, make_decoder
from pipelines.mediation.failures import UnableToCompileSource
from schemas.quantity import QUANTITY_MAX
from schemas.rejection import Reason
from schemas.source import DelimitedSource

COLUMNS = (*CDR_COLUMNS, "more", "most")


def sums(**changes: Any) -> DelimitedSource:
    return delimited(
        header=False,
        columns=COLUMNS,
        mapping={"quantity": {"fields": ["seconds", "more", "most"], "unit": "s"} | changes},
    )


def line(*amounts: str) -> bytes:
    first, more, most = amounts
    return f"1,a,33611,2026-05-01 10:00:00,{first},EU,{more},{most}\n".encode()


def one(*amounts: str, **changes: Any) -> int | str:
    """Return the quantity of one record in ms, or the name of its reason."""
    ((block,), source) = (blocks_of(sums(**changes), line(*amounts)), sums(**changes))
    (record,) = records_of(block)
    if record.reason:
        return f"{record.reason.name}: {describe(make_decoder(context(source)), block, 0)}"
    return quantity(record)


@pytest.mark.parametrize(
    ("amounts", "expected"),
    [
        (("1", "2", "3"), 6_000),
        (("1.5", "", "0.25"), 1_750),
        (("", "", "7"), 7_000),
        (("0", "", ""), 0),
        (("4611686018427387", "0.9", "0.004"), QUANTITY_MAX),
        (
            ("4611686018427387", "0.9", "0.005"),
            "QUANTITY_OVERFLOW: seconds is '4611686018427387', more is '0.9', most is '0.005'",
        ),
        (("4611686018427387", "4611686018427387", "4611686018427387"), "QUANTITY_OVERFLOW"),
        (("", "", ""), "FIELD_MISSING: empty: seconds, more, most"),
        (("1", "x", ""), "INVALID_QUANTITY: seconds is '1', more is 'x', most is ''"),
        (("1", "-1", ""), "NEGATIVE_QUANTITY"),
        (("1", "0.0001", ""), "QUANTITY_PRECISION"),
    ],
)
def test_sums(amounts: tuple[str, ...], expected: int | str) -> None:
    found = one(*amounts)
    assert found == expected if isinstance(expected, int) or ":" in expected else str(found).startswith(expected)


def test_decimals_are_rounded_field_by_field() -> None:
    assert one("0.0005", "0.0005", "", excess_decimals="half_up") == 2


def test_sums_of_durations_and_hexadecimal() -> None:
    assert one("00:01:00", "", "0:30", format="hms") == 90_000
    assert one("ff", "1", "", format="hex") == 256_000


amount = st.one_of(st.just(""), st.decimals(0, QUANTITY_MAX // 2000, places=3).map(str))


@given(st.lists(st.tuples(amount, amount, amount), min_size=1, max_size=5))
def test_sums_and_decimals_agree(rows: list[tuple[str, str, str]]) -> None:
    (block,) = blocks_of(sums(), b"".join(line(*row) for row in rows))
    for row, record in zip(rows, records_of(block), strict=True):
        total = sum((1000 * Decimal(text) for text in row if text), Decimal(0))
        if not any(row):
            assert record.reason == Reason.FIELD_MISSING
        elif total > QUANTITY_MAX:
            assert record.reason == Reason.QUANTITY_OVERFLOW
        else:
            assert quantity(record) == total


def test_every_addend_is_content() -> None:
    records = [records_of(blocks_of(sums(), line(*amounts))[0])[0] for amounts in (("1", "2", ""), ("2", "1", ""))]
    assert quantity(records[0]) == quantity(records[1])
    assert records[0].rest[1] != records[1].rest[1]


@pytest.mark.parametrize(
    "changes", [{"field": "seconds"}, {"constant": 1}, {"between": ["at", "at"]}, {"fields": None}], ids=str
)
def test_a_quantity_is_read_in_one_way(changes: dict[str, Any]) -> None:
    with pytest.raises(UnableToCompileSource, match="give one of"):
        make_decoder(context(sums(**changes)))
