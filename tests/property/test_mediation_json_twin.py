"""Records are found in JSON documents as a plain scanner finds them, and read as json.loads reads them, however they are cut."""

from __future__ import annotations

import json
import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mediation_events import record_twin
from mediation_frame import Broken, elements
from mediation_world import Record, cloudevents, decode

from pipelines.mediation.events.frame import Frame
from pipelines.mediation.failures import UnableToDecodeFile
from pipelines.mediation.kernels.json_frame import TOP

EVENT: dict[str, Any] = {
    "specversion": "1.0", "id": "1", "source": "/n", "type": "com.acme.data", "subject": "33611",
    "time": "2026-05-01T08:00:00Z", "data": {"bytes": 12, "where": {"zone": "E\"[{,\\"}},
}  # fmt: skip
ARRAY = cloudevents(layout="array")
DOCUMENT = cloudevents(layout="document")
PIECES = [
    b"{", b"}", b"[", b"]", b",", b":", b'"', b'""', b'"a"', b'"items"', b'"data"', b"1", b"nul", b"null", b" ", b"\n", b"\\", b'\\"',
    b"\x00", b"\xff", b'"}', b"{}", b"[]", b'{"a":[1,{"b":"]"}]}', b'{"items":[{"id":1},{"id":2}]}', b"\xc3\xa9",
]  # fmt: skip
PATHS: list[tuple[str, ...]] = [(), ("items",), ("data", "items")]


def found_in_pieces(data: bytes, *, array: bool, path: tuple[str, ...], cut: int) -> list[bytes] | str:
    """Return the records that a frame finds when it is fed `cut` bytes at once and holds what is not complete."""
    frame, found, rest, at = Frame(array=array, path=path), [], b"", 0
    starts, ends = np.empty(3, np.int64), np.empty(3, np.int64)
    try:
        while at < len(data) or rest:
            more = data[at : at + cut]
            at += len(more)
            rest += more or (b"" if rest.endswith(b"\n") else b"\n")
            buffer = np.frombuffer(bytearray(rest + b"\n" * 64), np.uint8)
            rows, consumed = frame.find(buffer, len(rest), starts, ends, hold=True)
            found += [rest[s:e] for s, e in zip(starts[:rows], ends[:rows], strict=True)]
            rest = rest[consumed:]
            if not more and not rows and not consumed:
                break
        if rest:
            return "MALFORMED_JSON"
        frame.finish()
    except UnableToDecodeFile as failure:
        return failure.code
    return found


def expected(data: bytes, *, array: bool, path: tuple[str, ...]) -> list[bytes] | str:
    """Return what the twin finds."""
    try:
        return elements(data, array=array, path=path)
    except Broken:
        return "MALFORMED_JSON"


@given(
    pieces=st.lists(st.sampled_from(PIECES), max_size=24),
    inside=st.booleans(),
    path=st.sampled_from(PATHS),
    array=st.booleans(),
    cut=st.integers(1, 70),
)
def test_frame_and_twin_find_the_same_records(
    pieces: list[bytes], inside: bool, path: tuple[str, ...], array: bool, cut: int
) -> None:
    path = path if array else ()
    data = b"".join(pieces)
    if inside and array:
        data = b"[" + data + b"]"
        for name in reversed(path):
            data = b'{"x": [1, "]"], "' + name.encode() + b'":' + data + b', "y":2}'
    assert found_in_pieces(data, array=array, path=path, cut=cut) == expected(data, array=array, path=path)


def test_brackets_deeper_than_their_kinds_are_known_are_counted() -> None:
    deep = b'{"a":' + b"[" * 100 + b"]" * 100 + b"}"
    for cut in (1, 7, 1000):
        assert found_in_pieces(b"[" + deep + b"]", array=True, path=(), cut=cut) == [deep]


def _spelling(chance: random.Random) -> Any:
    return chance.choice(({}, {"indent": 1}, {"separators": (",", ":")}, {"ensure_ascii": False, "indent": "\t"}))


def _events(chance: random.Random) -> list[bytes]:
    """Return events in some spelling, some of them wrong inside."""
    found = []
    for number in range(chance.randrange(6)):
        event = {
            **EVENT,
            "id": str(number),
            "data": {**EVENT["data"], "bytes": chance.choice((1, 2.5, "x", None, 10**30))},
        }
        if chance.random() < 0.3:
            event["more"] = {"list": [number, {"deep": ["}"]}], "é": None}
        text = json.dumps(event, **_spelling(chance)).encode()
        if chance.random() < 0.3:
            text = chance.choice(
                (text.replace(b":", b"=", 1), text.replace(b"1.0", b"1.1"), b"17", b'"x"', text + b" 1", b"null")
            )
        found.append(text)
    return found


def _decoded(source: Any, data: bytes, **options: int) -> list[Record] | str:
    try:
        return decode(source, data, **options)
    except UnableToDecodeFile as failure:
        return failure.code


@pytest.mark.parametrize("seed", range(60))
def test_arrays_and_documents_hold_what_lines_would(seed: int) -> None:
    chance = random.Random(f"arrays {seed}")
    events = _events(chance)
    blank = chance.choice((b"", b"\n", b"  \r\n"))
    array = b"[" + blank + (blank + b"," + blank).join(events) + blank + b"]" + blank
    documents = b"\n".join(events)
    for source, data in ((ARRAY, array), (DOCUMENT, documents), (cloudevents(), array)):
        raws = expected(data, array=source is not DOCUMENT, path=())
        twin = raws if isinstance(raws, str) else [record_twin(source, raw) for raw in raws]
        for size in (1, chance.randrange(2, 400), 1 << 20):
            assert _decoded(source, data, block_bytes=size, step=chance.choice((0, 5))) == twin


@pytest.mark.parametrize("seed", range(40))
def test_an_element_too_long_to_hold_is_one_rejection(seed: int) -> None:
    chance = random.Random(f"long {seed}")
    events = [
        json.dumps({**EVENT, "id": str(n), "pad": "x" * chance.choice((0, 0, 90_000))}).encode() for n in range(4)
    ]
    data = b"[" + b",".join(events) + b"]"
    source = cloudevents(layout="array", record_bytes_max=1024)
    assert _decoded(source, data, block_bytes=chance.choice((1, 3000, 1 << 20))) == [
        record_twin(source, e) for e in events
    ]


def test_a_frame_fed_all_at_once_ends_at_the_top() -> None:
    frame = Frame(array=True, path=("data", "items"))
    assert frame.feed(b'{"data":{"items":[{"a":1}],"n":{}},"x":[]} {"data":{"items":[]}}') == 0
    assert frame.phase == TOP
