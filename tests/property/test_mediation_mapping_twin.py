"""What a mapping can say of fields: kernels over columns and plain Python over single texts agree."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mediation_mapping import convert, lets_pass, plain_decimal, read_time

from pipelines.mediation.converters import compile_converters
from pipelines.mediation.converters import convert as convert_columns
from pipelines.mediation.failures import UnableToCompileSource
from pipelines.mediation.filters import compile_filter
from pipelines.mediation.quantity_text import compile_quantity_text
from pipelines.mediation.times import compile_time, join_columns, read_times
from schemas.converters import Converter
from schemas.source import EventTime, Filter, Quantity
from schemas.time_pattern import WrongPattern, pattern_tokens


def column(texts: list[bytes]) -> tuple[Any, Any, Any]:
    """Return (text, start, end) of texts with a byte between them."""
    data, start, end = bytearray(b"#"), [], []
    for text in texts:
        start.append(len(data))
        data += text
        end.append(len(data))
        data += b"9"  # what follows must not be read
    buffer = np.frombuffer(bytearray(bytes(data) + bytes(64)), np.uint8)[: len(data)]
    return buffer, np.array(start, np.int32), np.array(end, np.int32)


def texts_of(text: Any, start: Any, end: Any) -> list[bytes]:
    """Return the texts of a column."""
    return [text[a:b].tobytes() for a, b in zip(start, end, strict=True)]


# ---- times

PATTERNS = [
    "DD.MM.YYYY hh:mm:ss", "M/D/YY h:mm", "YYYYMMDD", "YYYY-MM-DD'T'hh:mm:ss.fffZ", "YYYY-MM-DD hh:mm:ss.fZ", "hh'h'mm DD/MM/YY",
    "ssmmhhDDMMYYYYZ", "D''M''YYYY",
]  # fmt: skip


@st.composite
def written_times(draw: Any) -> bytes:
    """Return a text that looks like one of the patterns: right but for one part, or right."""
    odd = draw(st.sampled_from(["", "year", "month", "day", "hour", "minute", "second", "offset"]))

    def part(name: str, usual: list[int], *wrong: int) -> int:
        return draw(st.sampled_from(wrong if name == odd else usual))

    year = part("year", [2000, 2024, 2026, 2099], 0, 1999, 2100)
    month, day = part("month", [1, 2, 4, 12], 0, 13), part("day", [1, 9, 28], 0, 29, 30, 31, 32)
    hour, minute = part("hour", [0, 7, 23], 24, 25), part("minute", [0, 59], 60, 99)
    second = part("second", [0, 59], 60)
    values = {
        "YYYY": f"{year:04d}", "YY": f"{year % 100:02d}", "MM": f"{month:02d}", "M": str(month), "DD": f"{day:02d}",
        "D": str(day), "hh": f"{hour:02d}", "h": str(hour), "mm": f"{minute:02d}", "ss": f"{second:02d}",
        "Z": draw(st.sampled_from(["+24", "+1", "+02:", "+02:60", ""] if odd == "offset" else ["Z", "+02", "-0330", "+05:45"])),
    }  # fmt: skip
    tokens = pattern_tokens(draw(st.sampled_from(PATTERNS)))
    digits = draw(st.sampled_from(["0", "123", "123456789", "1234567890"]))
    text = "".join(values.get(token, digits) if token else literal for token, literal in tokens)
    if draw(st.integers(0, 9)) == 0:
        at = draw(st.integers(0, len(text)))
        text = text[:at] + draw(st.sampled_from(["", "x", "0", " ", "é"])) + text[at + draw(st.integers(0, 1)) :]
    return text.encode()


ZONES = [None, "Europe/Paris", "UTC"]


@given(
    texts=st.lists(written_times(), min_size=5, max_size=12),
    patterns=st.lists(st.sampled_from(PATTERNS), min_size=2, max_size=4),
    zone=st.sampled_from(ZONES),
)
def test_patterns_read_like_their_twin(texts: list[bytes], patterns: list[str], zone: str | None) -> None:
    time = EventTime(field="t", format="pattern", pattern=tuple(patterns), zone=zone)
    reason = np.zeros(len(texts), np.uint16)
    found = read_times(compile_time(time, (0,)), *column(texts), reason)
    assert list(zip(found.tolist(), reason.tolist(), strict=True)) == [read_time(time, [text]) for text in texts]


@given(
    dates=st.lists(st.sampled_from([b"2026-05-01", b"20260501", b"01.05.2026", b""]), min_size=1, max_size=5),
    clocks=st.lists(st.sampled_from([b"10:00:00", b"100000", b"25:00:00", b"10:00:00Z", b""]), min_size=5, max_size=5),
    form=st.sampled_from(["iso", "compact", "pattern"]),
)
def test_two_fields_read_as_one(dates: list[bytes], clocks: list[bytes], form: Any) -> None:
    pattern = ("DD.MM.YYYY hh:mm:ss",) if form == "pattern" else None
    time = EventTime(fields=("d", "c"), format=form, pattern=pattern, zone="Europe/Paris")
    plan, clocks = compile_time(time, (0, 1)), clocks[: len(dates)]
    text, start, end = column(dates + clocks)
    n = len(dates)
    reason = np.zeros(n, np.uint16)
    joined = join_columns(plan, text, (start[:n], end[:n]), (start[n:], end[n:]))
    found = read_times(plan, *joined, reason)
    twin = [read_time(time, list(pair)) for pair in zip(dates, clocks, strict=True)]
    assert list(zip(found.tolist(), reason.tolist(), strict=True)) == twin


@given(texts=st.lists(st.one_of(
    st.integers(-1, 2**63).map(str), st.integers(946_684_799 * 10**9, 4_102_444_801 * 10**9).map(str),
    st.text("0123456789.-", max_size=22)), min_size=1, max_size=6))  # fmt: skip
def test_nanoseconds_read_like_their_twin(texts: list[str]) -> None:
    time, encoded = EventTime(field="t", format="epoch_ns"), [text.encode() for text in texts]
    reason = np.zeros(len(texts), np.uint16)
    found = read_times(compile_time(time, (0,)), *column(encoded), reason)
    assert list(zip(found.tolist(), reason.tolist(), strict=True)) == [read_time(time, [text]) for text in encoded]


@pytest.mark.parametrize(
    ("pattern", "says"),
    [
        ("YYYY-MM", "lacks DD"),
        ("DD.MM.YYYY mm:ss", "lacks hh"),
        ("DD.MM.YYYY hh:mm f", "lacks ss"),
        ("YYYY YY MM DD", "YYYY twice"),
        ("YYYY-MM-DD hh:mmss s", "'s' in"),
        ("YYYY-MM-DD'T", "apostrophes"),
        ("YYY-MM-DD", "'Y-MM-DD' in"),
    ],
)
def test_what_is_no_pattern_is_refused(pattern: str, says: str) -> None:
    with pytest.raises(WrongPattern, match=says):
        pattern_tokens(pattern)
    with pytest.raises(UnableToCompileSource, match=says):
        compile_time(EventTime(field="t", format="pattern", pattern=(pattern,)), (0,))


# ---- quantities

QUANTITIES = [
    Quantity(field="q", decimal=","), Quantity(field="q", decimal=",", thousands="."), Quantity(field="q", thousands=","),
    Quantity(field="q", thousands="'", decimal=","), Quantity(field="q", format="hms"), Quantity(field="q", format="hex"),
]  # fmt: skip


@given(
    texts=st.lists(
        st.one_of(
            st.text("0123456789.,':-+", max_size=16),
            st.text("0123456789abcdefABCDEFxX", max_size=20),
            st.from_regex(r"\A[+-]?[0-9]{1,3}([.,'][0-9]{3}){0,3}([.,][0-9]{1,4})?\Z"),
            st.from_regex(r"\A([0-9]{1,10}:)?[0-9]{1,2}:[0-6][0-9]([.,][0-9]{0,4})?\Z"),
            st.from_regex(r"\A(0[xX])?[0-9a-fA-F]{1,18}\Z"),
        ),
        min_size=1,
        max_size=8,
    ),
    quantity=st.sampled_from(QUANTITIES),
)
def test_quantities_are_rewritten_like_their_twin(texts: list[str], quantity: Quantity) -> None:
    rule, encoded = compile_quantity_text(quantity), [text.encode() for text in texts]
    assert rule is not None
    assert texts_of(*rule.rewrite(*column(encoded))) == [plain_decimal(quantity, text) for text in encoded]


# ---- converters

STEPS: list[dict[str, Any]] = [
    {"strip_prefix": ["+", "00", "é"]}, {"add_prefix": "x€"},
    {"split": {"separator": "0", "part": 1}},
    {"split": {"separator": " ", "part": 2}},
    {"split": {"separator": "/", "part": 3}}, {"case": "upper"}, {"case": "lower"}, {"substring": {"start": 2}},
    {"substring": {"start": 1, "width": 3}}, {"substring": {"start": 3, "width": 1}}, {"pad_left": {"width": 6}},
    {"pad_left": {"width": 3, "fill": " "}}, {"map": {"a": "b", "0": ""}}, {"map": {"": "none", "é": "e"}, "default": "other"},
    {"e164": {"country": "33"}}, {"e164": {"country": "1", "trunk": "", "bare": "national", "short_max": 0}},
    {"e164": {"country": "49", "international": ["+", "00", "810"], "trunk": "0", "bare": "national", "short_max": 3}},
]  # fmt: skip
words = st.one_of(
    st.text(st.sampled_from("+0123456789 -./()"), max_size=16),
    st.text(st.sampled_from("aZé€0+x"), max_size=8),
    st.from_regex(r"\A(\+|00|0|810)?[1-9][0-9]{0,12}\Z"),
    st.sampled_from(
        [
            "",
            "a",
            "0",
            "+",
            "00",
            "sip:anna",
            "0 6 12 34 56 78",
            "+33 (0)6",
            "012345",
            "0123456",
            "123456",
            "1234567",
            "0123",
            "123",
        ]
    ),
)


@given(
    rows=st.lists(st.tuples(words, words), min_size=1, max_size=6),
    first=st.lists(st.sampled_from(STEPS), min_size=1, max_size=4),
    second=st.lists(st.sampled_from(STEPS), min_size=0, max_size=3),
)
def test_converters_change_texts_like_their_twin(
    rows: list[tuple[str, str]], first: list[dict[str, Any]], second: list[dict[str, Any]]
) -> None:
    steps = [tuple(Converter.model_validate(step) for step in chain) for chain in (first, second)]
    columns = [[row[place].encode() for row in rows] for place in (0, 1)]
    n = len(rows)
    text, start, end = column(columns[0] + columns[1])
    before = text.tobytes()
    starts, ends = np.zeros((2, n + 5), np.int32), np.zeros((2, n + 5), np.int32)
    starts[:, :n], ends[:, :n] = start.reshape(2, n), end.reshape(2, n)
    definitions = {name: chain for name, chain in zip("ab", steps, strict=True) if chain}
    compiled = compile_converters(definitions, {"a": 0, "b": 1})
    changed = convert_columns(compiled, text, starts, ends, n)
    assert text.tobytes() == before
    for place in (0, 1):
        twin = [convert(steps[place], item) for item in columns[place]]
        assert texts_of(changed, starts[place, :n], ends[place, :n]) == twin
    assert (starts[:, n:] == 0).all() and (ends[:, n:] == 0).all()  # noqa: PT018


@pytest.mark.parametrize(
    ("step", "says"),
    [
        ({}, "exactly one thing, not 0"),
        ({"case": "upper", "add_prefix": "x"}, "not 2"),
        ({"case": "upper", "default": "x"}, "belongs to a `map`"),
        ({"map": {}}, "is empty"),
        ({"map": {"a": "b" * 513}}, "longer than 512"),
        ({"map": {"a\0": "b"}}, "NUL"),
    ],
)
def test_a_step_that_contradicts_itself_is_refused(step: dict[str, Any], says: str) -> None:
    with pytest.raises(UnableToCompileSource, match=says):
        compile_converters({"a": (Converter.model_validate(step),)}, {"a": 0})
    with pytest.raises(UnableToCompileSource, match="nothing in the mapping reads 'b'"):
        compile_converters({"b": (Converter(case="upper"),)}, {"a": 0})


# ---- filters

FILTERS: list[dict[str, Any]] = [
    {"min": 1}, {"max": "2.50"}, {"min": "-0.5", "max": "0.05"}, {"min": "100000000000000000"}, {"max": 0}, {"min": "0.001"},
    {"prefix": ["33", "é"]}, {"present": True}, {"present": False}, {"keep": ["1", ""]}, {"drop": ["1", "é"]},
]  # fmt: skip
numbers = st.one_of(
    st.from_regex(r"\A[+-]?[0-9]{0,22}\.?[0-9]{0,22}([eE][+-]?[0-9]{1,3})?\Z"),
    st.sampled_from(
        [
            "",
            "1",
            "33",
            "é",
            "2.5",
            "2.50000",
            "2.500001",
            "0.05",
            "-0.5",
            "-0",
            "0e5",
            ".",
            "-",
            "1e",
            "5e-2",
            "0.5e-1",
        ]
    ),
    st.decimals(allow_nan=False, allow_infinity=False, places=4).map(str),
)


@given(texts=st.lists(numbers, min_size=1, max_size=8), rule=st.sampled_from(FILTERS))
def test_filters_decide_like_their_twin(texts: list[str], rule: dict[str, Any]) -> None:
    item, encoded = Filter.model_validate({"field": "f"} | rule), [text.encode() for text in texts]
    left_out = compile_filter(item, 0).condition.leaves_out(*column(encoded))
    assert left_out.tolist() == [0 if lets_pass(item, text) else 1 for text in encoded]
