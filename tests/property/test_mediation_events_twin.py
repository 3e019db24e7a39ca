"""The CloudEvents decoder and json.loads read the same, line by line, wherever the file is cut into blocks."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from mediation_events import decode_twin, parse
from mediation_world import cloudevents, decode

SOURCES = [
    cloudevents(layout="lines"),
    cloudevents(
        layout="lines",
        mapping={
            "identity": ["id", "source"],
            "access_point": "data.who.é\U0001f4b6.longer than eight bytes",
            "time": {"field": "data.at", "format": "epoch_ms"},
            "quantity": {"field": "data.n", "excess_decimals": "half_up"},
            "event_type": {"constant": "ticket"},
            "attributes": {},
            "filters": [{"field": "data.keep", "keep": ["yes", "1", "true", ""]}],
        },
    ),
]

scalars = st.one_of(
    st.text(max_size=12),
    st.text(st.characters(max_codepoint=0x7F), max_size=12),
    st.integers(-(10**25), 10**25),
    st.floats(allow_nan=False, allow_infinity=False),
    st.booleans(),
    st.none(),
)
NAMES = [
    "id",
    "source",
    "data",
    "who",
    "where",
    "zone",
    "bytes",
    "é\U0001f4b6",
    "longer than eight bytes",
    "longer than",
    "n",
    "",
]
keys = st.one_of(st.sampled_from(NAMES), st.text(max_size=6))
anything = st.recursive(
    scalars,
    lambda inside: st.one_of(st.lists(inside, max_size=4), st.dictionaries(keys, inside, max_size=4)),
    max_leaves=8,
)


def now_and_then(odd: st.SearchStrategy[Any], *usual: Any) -> st.SearchStrategy[Any]:
    """Return a strategy of usual values, and of odd ones: most events must be good."""
    return st.integers(0, 9).flatmap(lambda n: odd if n == 0 else st.sampled_from(usual))


@st.composite
def events(draw: Any) -> list[tuple[str, Any]]:
    """Return the keys and values of an event, in any order, with strangers among them."""
    data = {
        "bytes": draw(now_and_then(anything, 1000, "1000", "1e3", 10**30, "0", 2.5, -3000)),
        "where": draw(now_and_then(anything, {"zone": "EU"}, {"zone": "US", "x": [1, {"zone": "no"}]}, {})),
        "who": {"é\U0001f4b6": {"longer than eight bytes": draw(now_and_then(anything, "33611", 33611))}},
        "at": draw(now_and_then(scalars, 1_777_622_400_000, "1777622400000.5")),
        "n": draw(now_and_then(scalars, 1, "2", 0.5, "1e-15")),
        "keep": draw(now_and_then(scalars, "yes", 1, True, "no", None)),
    }
    items = [
        ("specversion", draw(now_and_then(scalars, "1.0"))),
        ("id", draw(now_and_then(scalars, "e-1", "e-2"))),
        ("source", draw(now_and_then(scalars, "/net/1"))),
        ("type", draw(now_and_then(scalars, "com.acme.data"))),
        ("subject", draw(now_and_then(anything, "33611", "\u20ac"))),
        ("time", draw(now_and_then(scalars, "2026-05-01T08:00:00Z", "2026-05-01T10:00:00.5+02:00"))),
        ("data", draw(now_and_then(anything, data))),
        *draw(st.lists(st.tuples(keys, anything), max_size=2)),
    ]
    return draw(st.permutations(items))


BLANKS = ("", "", " ", "\t", "\r", "  \t ")
ODDITIES = [
    "\\u0000",
    "\\ud800",
    "\\udc00\\ud800",
    "\\ud83d\\ude00",
    "\\ud83d\\u0041",
    "\\/",
    "\\q",
    "\\u12g4",
    "\x01",
    "\x7f",
    "\\",
]
MISHAPS = [
    "",
    ",",
    "}",
    "{",
    "[",
    "]",
    ":",
    '"',
    "01",
    "1.",
    ".5",
    "-",
    "+1",
    "1e",
    "1E+",
    "NaN",
    "nul",
    "true",
    "tru",
    "'a'",
    "//",
    "\ufeff",
    "\u00a0",
]


@st.composite
def lines(draw: Any) -> bytes:
    """Return an event as JSON in one of its spellings, damaged now and then."""
    ascii_only, blank = draw(st.booleans()), draw(st.sampled_from(BLANKS))
    pairs = [json.dumps(k, ensure_ascii=ascii_only) + blank + ":" + blank + json.dumps(v, ensure_ascii=ascii_only)
             for k, v in draw(events())]  # fmt: skip
    text = blank + "{" + blank + (blank + "," + blank).join(pairs) + blank + "}" + blank
    damage = draw(st.integers(0, 7))
    if damage == 0:  # cut, or something put in
        at = draw(st.integers(0, len(text)))
        text = text[:at] + draw(st.sampled_from(MISHAPS)) + text[at + draw(st.integers(0, 2)) :]
    elif damage == 1:  # an escape or a control character inside some string
        where = draw(st.sampled_from(['"e-1', '"33611', '"com', '"data', '"/net', '"EU', '"1']))
        text = text.replace(where, where + draw(st.sampled_from(ODDITIES)), 1)
    elif damage == 2:  # the same letters, escaped
        where = draw(st.sampled_from(["1.0", "e-1", "data", "subject", "zone", "bytes"]))
        text = text.replace(where, "".join(f"\\u{ord(letter):04X}" for letter in where))
    elif damage == 3:
        depth = draw(st.integers(58, 70))
        text = text.replace("{", '{"deep":' + "[" * depth + "]" * depth + ",", 1)
    encoded = text.encode("utf-8", "surrogatepass")
    if draw(st.integers(0, 19)) == 0:
        at = draw(st.integers(0, len(encoded)))
        encoded = encoded[:at] + draw(st.sampled_from([b"\x00", b"\xff", b"\xc3", b"\xed\xa0\x80"])) + encoded[at:]
    return encoded + draw(st.sampled_from([b"\n", b"\n", b"\r\n", b"\n\n"]))


@given(body=st.lists(lines(), max_size=6).map(b"".join), source=st.sampled_from(SOURCES), step=st.sampled_from([0, 0, 5]),
       block_bytes=st.one_of(st.integers(1, 900), st.just(1 << 20)), end=st.sampled_from([b"", b"{", b"{}", b" "]))  # fmt: skip
def test_decoder_and_twin_agree(body: bytes, source: Any, step: int, block_bytes: int, end: bytes) -> None:
    data = body + end
    assert decode(source, data, block_bytes=block_bytes, head_bytes=16, step=step) == decode_twin(source, data)


@given(value=anything)
def test_the_twin_reads_what_json_wrote(value: Any) -> None:
    assert parse(json.dumps({"a": value})) is not None
