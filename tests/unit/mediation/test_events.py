"""CloudEvents lines one by one: envelope, paths, doubled keys, escapes, depth, lines too long to hold."""

from __future__ import annotations

import json
from typing import Any

import pytest
from mediation_events import decode_twin
from mediation_world import blocks_of, cloudevents, decode, event_at, quantity, raws, reasons

from schemas.rejection import RAW_BYTES_MAX, Reason

SOURCE = cloudevents()
EVENT: dict[str, Any] = {
    "specversion": "1.0",
    "id": "e-1",
    "source": "/net/1",
    "type": "com.acme.data",
    "subject": "33611",
    "time": "2026-05-01T08:00:00Z",
    "data": {"bytes": 1000, "where": {"zone": "EU"}},
}
LINE = json.dumps(EVENT).encode() + b"\n"
[GOOD] = decode(SOURCE, LINE)


def line(**changes: Any) -> bytes:
    """Return the usual event, changed; ... leaves an attribute out."""
    return json.dumps({name: value for name, value in (EVENT | changes).items() if value is not ...}).encode()


def test_a_good_event_says_what_its_line_says() -> None:
    assert GOOD.reason == Reason.NONE
    assert GOOD.raw == LINE.rstrip()
    assert (GOOD.access_point, event_at(GOOD), quantity(GOOD)) == (b"33611", 1_777_622_400_000_000, 1000)
    assert GOOD.rest[5:] == (5, (1, 0, 0, 0))  # the event type "data"; its first attribute is the zone "EU"
    assert decode_twin(SOURCE, LINE) == [GOOD]


SAME = [
    LINE.rstrip(),
    LINE.replace(b"\n", b"\r\n"),
    b"\n\r\n" + LINE + b"\n",
    b"\xef\xbb\xbf" + LINE,
    json.dumps(dict(reversed(EVENT.items())), indent=None, separators=(" ,\t", " : ")).encode(),
    LINE.replace(b"e-1", b"\\u0065\\u002d1").replace(b"33611", b"3\\u0033611").replace(b'"bytes"', b'"\\u0062ytes"'),
    LINE.replace(b"/net/1", b"\\/net\\/1"),
    LINE.replace(b'"1.0"', b'"\\u0031.0"'),
    LINE.replace(b"1000", b'"1000"'),
    LINE.replace(b"{", b'{"id": "other", "specversion": "0.3", ', 1),  # of doubled keys the last counts
    LINE.replace(b'"bytes"', b'"bytes": 7, "bytes"'),
    LINE.replace(b'"data"', b'"data": {"bytes": 1, "where": {"zone": "US", "x": 1}}, "data"'),
    LINE.replace(b'"data"', b'"data.bytes": 5, "dataa": {"bytes": 6}, "dat": {"bytes": 7}, "data"'),
    LINE.replace(b'"data"', b'"list": [{"bytes": 1}, [["data"]]], "nest": {"data": {"bytes": 8}}, "data"'),
    LINE.replace(b"{", b'{"deep": ' + b"[" * 63 + b"]" * 63 + b", ", 1),
    LINE.replace(b"{", b'{"numbers": [0, -0, 1.5, -1.5e-300, 1E+400, 123456789012345678901234567890], ', 1),
    LINE.replace(b"{", b'{"text": "\\ud83d\\ude00 \\b\\f\\n\\r\\t\\"\\\\ \xf0\x9f\x98\x80 \x7f", ', 1),
    LINE.replace(b"{", b'{"": {"": ""}, "' + b"k" * 5000 + b'": true, "f": false, "n": null, ', 1),
]


@pytest.mark.parametrize("data", SAME)
def test_the_same_event_in_other_words(data: bytes) -> None:
    [record] = decode(SOURCE, data)
    assert (record.reason, record.rest) == (Reason.NONE, GOOD.rest)
    assert decode_twin(SOURCE, data) == [record]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        *[(line(**{name: absent}), "FIELD_MISSING")
          for name in ("specversion", "id", "source", "type", "subject", "time", "data")
          for absent in (..., None, "", {}, [1])],
        *[(line(**{name: wrong}), "MALFORMED_RECORD") for name in ("specversion", "id", "source", "type") for wrong in (1, 1.0, True)],
        *[(line(specversion=version), "MALFORMED_RECORD") for version in ("0.3", "1", "1.0 ", "1.00", "2.0")],
        (line(subject=33611), "NONE"),
        (line(subject=True), "NONE"),
        (line(type="com.acme.other"), "UNKNOWN_EVENT_TYPE"),
        (line(time=1_777_622_400), "INVALID_TIMESTAMP"),
        (line(time="2026-05-01T08:00:00"), "TIMESTAMP_WITHOUT_ZONE"),
        (line(data={"bytes": True}), "INVALID_QUANTITY"),
        (line(data={"bytes": 0.5}), "QUANTITY_PRECISION"),
        (line(data={"bytes": 10**30}), "QUANTITY_OVERFLOW"),
        (line(data=7), "FIELD_MISSING"),
        (LINE.replace(b'"data"', b'"data": {"bytes": 1}, "data"').replace(b'"bytes": 1000, ', b""), "FIELD_MISSING"),
        (LINE.replace(b'"id"', b'"id": "x", "id": null, "x"'), "FIELD_MISSING"),
    ],
)  # fmt: skip
def test_what_an_event_must_have(data: bytes, reason: str) -> None:
    assert reasons(SOURCE, LINE + data.rstrip() + b"\n" + LINE) == ["NONE", reason, "NONE"]
    assert decode(SOURCE, data) == decode_twin(SOURCE, data)


@pytest.mark.parametrize(
    "data",
    [
        b" ", b"{}}", b"{", b"}", b"[]", b"1", b'"x"', b"null", b"{} {}", b"{},", b"{'a':1}", b'{"a"}', b'{"a":}', b'{"a":1,}', b'{,}',
        b'{"a":[1,]}', b'{"a":[}', b'{"a":{]}', b'{"a":1 "b":2}', b'{"a" 1}', b'{"a"::1}', b'{1:1}', b'{"a":01}', b'{"a":1.}', b'{"a":.5}',
        b'{"a":+1}', b'{"a":1e}', b'{"a":-}', b'{"a":0x1}', b'{"a":NaN}', b'{"a":Infinity}', b'{"a":-Infinity}', b'{"a":True}', b'{"a":nul}',
        b'{"a":truee}', b'{"a":"\t"}', b'{"a":"\x1f"}', b'{"a":"\\x"}', b'{"a":"\\u12"}', b'{"a":"\\u12G4"}', b'{"a":"\\ud800"}',
        b'{"a":"\\udc00"}', b'{"a":"\\ud800\\ud800"}', b'{"a":"\\ud800x"}', b'{"\\ud800":1}', b'{"a":"b', b'{"a":"b\\', b'{"a":"b\\"}',
        b'{"a":' + b"[" * 64 + b"]" * 64 + b"}", b'{"a":1}//', b'\x0b{}', b'\xc2\xa0{}', b'{"a":"\\u0000"',
    ],
)  # fmt: skip
def test_what_is_no_json_object_is_malformed_and_alone(data: bytes) -> None:
    found = decode(SOURCE, LINE + data + b"\n" + LINE)
    assert [record.reason.name for record in found] == ["NONE", "MALFORMED_RECORD", "NONE"]
    assert raws(found)[1] == data
    assert decode_twin(SOURCE, data + b"\n")[0] == found[1]


@pytest.mark.parametrize(
    "where", [b'"\\u0000": 1, ', b'"x": "a\\u0000", ', b'"x": [["\\u0000"]], ', b'"x": "\x00", ', b"\x00"]
)
def test_a_nul_anywhere_refuses_the_event(where: bytes) -> None:
    assert reasons(SOURCE, LINE.replace(b"{", b"{" + where, 1)) == ["NUL_BYTE"]


@pytest.mark.parametrize("length", [1_048_576, 1_048_577, 10_000_000])
@pytest.mark.parametrize("block_bytes", [1, 1 << 20])
def test_a_line_too_long_is_refused_and_its_neighbours_survive(length: int, block_bytes: int) -> None:
    long = LINE.rstrip().replace(b"{", b'{"x": "' + b"y" * (length - len(LINE) - 8) + b'", ', 1)
    assert len(long) == length
    found = decode(SOURCE, LINE + long + b"\r\n" + LINE, block_bytes=block_bytes)
    fits = length <= 1_048_576
    assert [record.reason.name for record in found] == ["NONE", "NONE" if fits else "RECORD_TOO_LONG", "NONE"]
    assert found[1].raw == (long if fits else long[: RAW_BYTES_MAX + 1])


def test_escapes_in_one_event_do_not_touch_its_neighbours() -> None:
    escaped = LINE.replace(b"33611", b"a\\nb\\u20acc")
    found = decode(SOURCE, LINE + escaped + LINE)
    assert [record.access_point for record in found] == [b"33611", "a\nb€c".encode(), b"33611"]
    assert raws(found)[1] == escaped.rstrip()


@pytest.mark.parametrize("data", [b"", b"\n\n", b"\r\n", b"\xef\xbb\xbf\n"])
def test_a_file_may_hold_no_event(data: bytes) -> None:
    assert blocks_of(SOURCE, data) == []
