"""Values read from text like their twin: numbers, dates, digits and instants; what cannot be read refuses its record."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mediation_mapping import read_time
from mediation_world import CDR_HEADER, blocks_of, context, delimited

from pipelines.mediation.decode import make_decoder
from pipelines.mediation.failures import UnableToCompileSource
from pipelines.mediation.kernels import values as kernels
from pipelines.mediation.times import compile_time
from pipelines.mediation.values import read_column
from schemas.price_plan import ValueType
from schemas.rejection import Reason
from schemas.source import EventTime
from schemas.values import (
    BASE,
    DIGITS_MAX,
    VALUE_ABSENT,
    VALUE_SLOTS,
    digits_text,
    pack_digits,
    prefix_range,
    value_text,
)

TIME = EventTime(field="at", zone="Europe/Paris")
TEXTS = st.one_of(
    st.from_regex(r"[+-]{0,2}[0-9]{0,20}(\.[0-9]{0,14})?", fullmatch=True),
    st.from_regex(r"\+?[0-9]{1,22}", fullmatch=True),
    st.from_regex(r"[0-9]{4}-?[0-1][0-9]-?[0-3][0-9]", fullmatch=True),
    st.dates().map(str),
    st.dates().map(lambda day: f"{day:%Y-%m-%d}".replace("-", "")),
    st.datetimes().map(lambda moment: f"{moment:%Y-%m-%d %H:%M:%S}"),
    st.sampled_from(["", "+", "-", "1900-02-29", "2000-02-29", "2023-02-29", "20240230", "0000-01-01", "2024-1-01", "é", "1e3"]),
    st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=12),
)  # fmt: skip


def expected(kind: ValueType, text: str) -> int | None:
    """Return what a text says, None when it cannot be read."""
    if kind.type == "number":
        if re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", text, re.ASCII) is None:
            return None
        scaled = Decimal(text).scaleb(kind.decimals)
        return int(scaled) if scaled == scaled.to_integral_value() and abs(scaled) <= 2**62 else None
    if kind.type == "digits":
        return pack_digits(text.removeprefix("+")) if re.fullmatch(r"\+?[0-9]+", text, re.ASCII) else None
    if kind.type == "date":
        parts = re.fullmatch(r"(\d{4})-(\d\d)-(\d\d)|(\d{4})(\d\d)(\d\d)", text, re.ASCII)
        if parts is None:
            return None
        try:
            day = date(*(int(part) for part in parts.groups() if part is not None))
        except ValueError:
            return None
        return (day - date(1970, 1, 1)).days
    moment, reason = read_time(TIME, [text.encode()])
    return None if reason else moment


@given(texts=st.lists(TEXTS, min_size=1, max_size=12), kind=st.sampled_from(["number", "digits", "date", "instant"]),
       decimals=st.integers(0, 12))  # fmt: skip
def test_values_read_like_their_twin(texts: list[str], kind: str, decimals: int) -> None:
    type_ = ValueType.model_validate({"type": kind, "decimals": decimals if kind == "number" else 0})
    encoded = [text.encode() for text in texts]
    ends = np.cumsum([len(text) for text in encoded]).astype(np.int32)
    starts = (ends - [len(text) for text in encoded]).astype(np.int32)
    buffer = np.frombuffer(b"".join(encoded) + bytes(64), np.uint8).copy()
    out, reason = np.zeros(len(texts), np.int64), np.zeros(len(texts), np.uint16)
    read_column(type_, compile_time(TIME, (0,)), buffer, starts, ends, starts < ends, out, reason)
    for row, text in enumerate(texts):
        value = expected(type_, text) if text else VALUE_ABSENT
        assert reason[row] == (Reason.INVALID_VALUE if value is None else 0), text
        if value is not None:
            assert out[row] == value, text


digits = st.text("0123456789", min_size=0, max_size=DIGITS_MAX)


@given(number=digits, prefix=digits)
def test_digits_lie_in_the_range_of_their_prefixes(number: str, prefix: str) -> None:
    value = pack_digits(number)
    assert digits_text(value) == number
    first, end = prefix_range(prefix)
    if number.startswith(prefix):
        assert first <= value < end
    else:
        assert not first <= value < end


def test_values_are_told_as_people_write_them() -> None:
    assert value_text(VALUE_ABSENT, "number") is None
    assert value_text(-12_345, "number", 3) == "-12.345"
    assert value_text(20_454, "date") == "2026-01-01"
    assert value_text(1_767_225_600_500_000, "instant") == "2026-01-01T00:00:00.500000Z"
    assert value_text(pack_digits("0033"), "digits") == "0033"


def test_kernels_repeat_the_layout_of_values() -> None:
    assert (kernels.VALUE_ABSENT, kernels.DIGITS_MAX, kernels.BASE) == (VALUE_ABSENT, DIGITS_MAX, BASE)


MAPPING = {"event_type": {"field": "switch", "values": {"sale": "sale", "call": "call"}}, "attributes": {},
           "values": {"to": "zone", "price": "id"}}  # fmt: skip


def test_each_event_type_has_its_values_in_its_own_slots() -> None:
    lines = b"1.25,sale,33611,2026-05-01 10:00:00,61.5,+4420\n7,call,33611,2026-05-01 10:00:00,61.5,x\n,sale,a,2026-05-01 10:00:00,1,\n"
    [block] = blocks_of(make_decoder(context(delimited(mapping=MAPPING))), CDR_HEADER + lines)
    assert block.values is not None
    assert block.values.shape == (3, VALUE_SLOTS)
    assert block.values.tolist() == [
        [125, pack_digits("4420"), VALUE_ABSENT, VALUE_ABSENT],
        [VALUE_ABSENT] * VALUE_SLOTS,  # a call has no values: nothing is read, nothing refused
        [VALUE_ABSENT] * VALUE_SLOTS,
    ]
    assert not block.reason.any()


def test_a_source_without_values_has_no_column() -> None:
    [block] = blocks_of(make_decoder(context(delimited())), CDR_HEADER + b"1,a,33611,2026-05-01 10:00:00,61.5,EU\n")
    assert block.values is None


def test_another_value_is_another_content() -> None:
    line = b"1,sale,33611,2026-05-01 10:00:00,61.5,%s\n"
    mapping = MAPPING | {"values": {"to": "zone"}, "identity": ["id"]}
    decoder = make_decoder(context(delimited(mapping=mapping)))
    [block] = blocks_of(decoder, CDR_HEADER + line % b"33" + line % b"34")
    assert block.key_lo[0] == block.key_lo[1]
    assert block.content[0] != block.content[1]


def test_a_value_that_no_event_type_has_is_refused() -> None:
    with pytest.raises(UnableToCompileSource, match="no event type of this source declares the value 'colour'"):
        make_decoder(context(delimited(mapping=MAPPING | {"values": {"colour": "zone"}})))
