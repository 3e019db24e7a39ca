"""JSON files: how their layout is seen, where records are, what refuses a file whole, and paths into arrays."""

from __future__ import annotations

import json
from typing import Any

import pytest
from mediation_world import EVENT_MAPPING, context, decode

from pipelines.mediation.decode import make_decoder
from pipelines.mediation.events.layout import detect_layout
from pipelines.mediation.failures import UnableToCompileSource, UnableToDecodeFile
from schemas.rejection import Reason
from schemas.source import JsonSource

CALL = {"id": "1", "who": "33611", "at": 1_777_622_400, "n": 61, "legs": [{"to": "EU"}, {"to": "US", "hops": [["x"]]}]}
MAPPING = EVENT_MAPPING | {
    "identity": ["id"],
    "access_point": "who",
    "time": {"field": "at", "format": "epoch_s"},
    "quantity": {"field": "n", "unit": "B"},
    "event_type": {"constant": "data"},
    "attributes": {"zone": "legs.1.to"},
}


def source(mapping: dict[str, Any] | None = None, **changes: Any) -> JsonSource:
    """Return a JSON source of calls, changed; `mapping` is changed key by key."""
    return JsonSource.model_validate(
        {"kind": "source", "code": "calls", "format": "json", "mapping": MAPPING | (mapping or {})} | changes
    )


def zones(data: bytes, **changes: Any) -> list[int]:
    """Return the code of each record's zone."""
    return [record.rest[-1][0] for record in decode(source(**changes), data)]


@pytest.mark.parametrize(
    ("head", "layout"),
    [
        (b"", "lines"),
        (b" \r\n\t", "lines"),
        (b'{"a":1}', "lines"),
        (b'{"a":1}\n{"a":2}', "lines"),
        (b'{"a":1,\n{"a":2}', "lines"),
        (b'{"a":1,\n', "lines"),
        (b'{"a"\n"b"', "lines"),
        (b"nonsense\n", "lines"),
        (b'\n [{"a":1}]', "array"),
        (b"[", "array"),
        (b'{\n  "a": 1\n}', "document"),
        (b'{"a": 1,\r\n "b": 2}', "document"),
        (b'{"items": [\n{"a":1}', "document"),
    ],
)
def test_the_layout_is_seen_from_the_first_lines(head: bytes, layout: str) -> None:
    assert detect_layout(head) == layout


def test_every_layout_gives_the_same_records() -> None:
    calls = [CALL | {"id": str(number), "n": number} for number in range(5)]
    lines = "\n".join(map(json.dumps, calls)).encode()
    array = json.dumps(calls).encode()
    pretty = json.dumps(calls, indent=2).encode()
    documents = "\n".join(json.dumps(call, indent=2) for call in calls).encode()
    paged = json.dumps({"page": {"items": [0]}, "data": {"n": 5, "items": calls}}, indent=1).encode()
    expected = [record.rest for record in decode(source(), lines)]
    assert [rest[4] for rest in expected] == [0, 1, 2, 3, 4]
    for data, changes in ((array, {}), (pretty, {}), (documents, {}), (paged * 2, {"records": "data.items"})):
        found = [record.rest for record in decode(source(**changes), b"\xef\xbb\xbf" + data)]
        assert found == expected * (2 if changes else 1)


def test_a_document_may_be_one_line() -> None:
    assert len(decode(source(layout="document"), json.dumps(CALL).encode())) == 1
    assert len(decode(source(layout="document"), json.dumps(CALL).encode() * 3)) == 3


@pytest.mark.parametrize(
    ("path", "zone"),
    [
        ("legs.1.to", 2),
        ("legs.0.to", 1),
        ("legs.2.to", 0),
        ("legs.to", 0),
        ("legs.01.to", 0),
        ("legs.1", 0),
        ("legs.1.hops.0.0", 0),
    ],
)
def test_a_number_in_a_path_is_an_item(path: str, zone: int) -> None:
    assert zones(json.dumps(CALL).encode(), mapping={"attributes": {"zone": path}}) == [zone]


def test_a_number_in_a_path_is_a_key_too_and_the_last_of_doubled_keys_holds() -> None:
    assert zones(b'{"id":"1","who":"1","at":1777622400,"n":1,"legs":{"1":{"to":"EU"}}}') == [1]
    twice = b'{"id":"1","who":"1","at":1777622400,"n":1,"legs":[0,{"to":"EU"}],"legs":[{"to":"US"}]}'
    assert zones(twice) == [0]


def test_a_broken_element_is_one_rejection() -> None:
    good = json.dumps(CALL).encode()
    data = (
        b"["
        + b",".join([good, b'{"id":nothing}', b'"text"', b"17", good.replace(b'"1"', b'"2"'), b"", b"{} {}"])
        + b"]"
    )
    assert [record.reason for record in decode(source(), data)] == [
        0, Reason.MALFORMED_RECORD, Reason.MALFORMED_RECORD, Reason.MALFORMED_RECORD, 0, Reason.MALFORMED_RECORD,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("data", "changes", "says"),
    [
        (b'[{"a":1},{"b":[1}]', {}, "byte 17: a bracket closes that does not belong"),
        (b'[{"a":1}', {}, "ends after 8 bytes, inside the document"),
        (b'[{"a":"1}]', {}, "inside the document"),
        (b'[{"a":1}}', {}, "byte 9: a bracket closes"),
        (b'[{"a":1}] x', {}, "byte 11: this is no array of records"),
        (b'{"data":{"items":{}}}', {"records": "data.items"}, "byte 18: this is no array of records (data.items)"),
        (
            b'{"data":{"item":[]}}',
            {"records": "data.items"},
            "byte 19: the path to the records is not there (data.items)",
        ),
        (b'{"data":[]}', {"records": "data.items"}, "byte 9: the path to the records is not there"),
        (b'{"items":[],"items":[]}', {"records": "items"}, "byte 21: the records are there a second time"),
        (b'{"items":[] "x":1}', {"records": "items"}, "byte 13: this is no JSON"),
        (b'{"a":1}}', {"layout": "document"}, "byte 8: a bracket closes"),
    ],
)
def test_a_file_broken_outside_its_records_is_refused_whole(data: bytes, changes: dict[str, Any], says: str) -> None:
    with pytest.raises(UnableToDecodeFile) as refused:
        decode(source(**changes), data)
    assert refused.value.code == "MALFORMED_JSON"
    assert says in refused.value.message


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"records": "a..b"}, "is no path"),
        ({"records": ".".join("a" * 17)}, "at most 16 names"),
        ({"records": "a", "layout": "lines"}, "remove `layout: lines`"),
        ({"records": "a", "layout": "array"}, "remove `layout: array`"),
    ],
)
def test_a_source_that_contradicts_itself_is_refused(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(UnableToCompileSource, match=says):
        make_decoder(context(source(**changes)))


def test_keys_that_change_places_are_found_all_the_same() -> None:
    calls = [dict(list(CALL.items())[turn:] + list(CALL.items())[:turn]) | {"id": str(turn)} for turn in range(5)]
    calls.insert(2, {"legs": {"who": "x"}, "who": "33612", "id": "9", "at": 1_777_622_400, "n": 5})
    records = decode(source(), "\n".join(map(json.dumps, calls)).encode())
    assert [record.access_point for record in records] == [call["who"].encode() for call in calls]  # type: ignore[attr-defined]
    assert [record.rest[4] for record in records] == [call["n"] for call in calls]
