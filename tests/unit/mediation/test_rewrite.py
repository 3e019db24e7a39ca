"""Records with some fields replaced: their decoder reads the new values, and every other byte stays."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mediation_fixed_width import fixed_width
from mediation_world import CDR_HEADER, CDR_LINE, CDR_MAPPING, context, decode, delimited, quantity

from pipelines.mediation.decode import make_decoder
from pipelines.mediation.rewrite.delimited import delimited_rewriter
from pipelines.mediation.rewrite.failures import UnableToRewrite, UnableToRewriteRecord
from pipelines.mediation.rewrite.json_object import JsonRewriter
from pipelines.mediation.rewrite.rewriter import Rewriter, make_rewriter
from schemas.quantity import BUILT_IN_UNITS
from schemas.source import JsonSource, R151Source

SECOND = BUILT_IN_UNITS["s"].step_count
COLUMNS = ("id", "switch", "caller", "at", "seconds", "zone")


def _json(**changes: Any) -> JsonSource:
    return JsonSource.model_validate(
        {"kind": "source", "code": "j", "format": "json", "mapping": CDR_MAPPING | {"access_point": "who.0.number"}}
        | changes
    )


def _rewriter(source: Any, head: bytes = b"", **values: str) -> Rewriter:
    return make_rewriter(make_decoder(context(source)), values, io.BytesIO(head))


# ---- delimited


@pytest.mark.parametrize(
    ("changes", "raw", "values", "expected"),
    [
        ({}, b'1,a,"33,6",x, 5 ,EU', {"seconds": "61"}, b'1,a,"33,6",x,61,EU'),
        ({}, b'1,a,33,x,5,"E""U"\r', {"switch": 'b"c', "id": "4,2"}, b'"4,2","b""c",33,x,5,"E""U"'),
        ({}, b"1,a,33,x,5,", {"zone": "two\nlines"}, b'1,a,33,x,5,"two\nlines"'),
        ({}, b'1,a,3"3,x,5,EU', {"seconds": ""}, b'1,a,3"3,x,,EU'),
        ({"columns_min": 4}, b"1,a,33,x", {"zone": "EU"}, b"1,a,33,x,,EU"),
        ({"columns_min": 4}, b"1,a,33,x", {"id": "2"}, b"2,a,33,x"),
        ({"quoting": "none", "delimiter": "|"}, b'1|"a|33|x|5|EU', {"switch": '"'}, b'1|"|33|x|5|EU'),
        ({"quoting": "none", "rest": True}, b"1,a,33,x,5,E,U,V", {"seconds": "6"}, b"1,a,33,x,6,E,U,V"),
        ({"quoting": "none", "rest": True}, b"1,a,33,x,5,E,U", {"zone": "A,B"}, b"1,a,33,x,5,A,B"),
        ({"encoding": "latin-1"}, b"1,\xe9,33,x,5,EU", {"zone": "\xfc"}, b"1,\xe9,33,x,5,\xfc"),
    ],
)
def test_a_delimited_record_keeps_what_is_not_replaced(
    changes: dict[str, Any], raw: bytes, values: dict[str, str], expected: bytes
) -> None:
    source = delimited(header=False, columns=COLUMNS, **changes)
    assert _rewriter(source, **values).record(raw) == expected


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"1,a,33,x,5", "it has 5 fields instead of 6"),
        (b"1,a,33,x,5,EU,more", "it has 7 fields instead of 6"),
        (b'1,a,33,x,5,"EU', "a quoted field does not end"),
        (b'1,"a"b,33,x,5,EU', "something follows the closing quote of its field 2"),
    ],
)
def test_a_delimited_record_whose_fields_are_unclear_is_left(raw: bytes, words: str) -> None:
    with pytest.raises(UnableToRewriteRecord, match=words):
        _rewriter(delimited(header=False, columns=COLUMNS), seconds="1").record(raw)


@pytest.mark.parametrize(
    ("changes", "value", "words"),
    [
        ({"quoting": "none"}, "a,b", "holds the delimiter ','"),
        ({"quoting": "none"}, "a\nb", "holds a line end"),
        ({"quoting": "none", "rest": True}, "a,b", "holds the delimiter"),  # it is not the last column
        ({}, "a\0b", "NUL byte"),
        ({"encoding": "latin-1"}, "€", "cannot be written in latin-1"),
    ],
)
def test_a_value_that_fits_in_no_record_is_refused(changes: dict[str, Any], value: str, words: str) -> None:
    with pytest.raises(UnableToRewrite, match=words):
        _rewriter(delimited(header=False, columns=COLUMNS, **changes), switch=value)


def test_the_header_is_that_of_the_file_they_came_in() -> None:
    head = b'\xef\xbb\xbfzone,"se,en",at,caller,switch,seconds,id\n'
    rewriter = _rewriter(delimited(), head, seconds="7")
    content = rewriter.file([rewriter.record(b"EU,x,2026-05-01 10:00:00,33611,a,oops,1")])
    assert content == b'zone,"se,en",at,caller,switch,seconds,id\nEU,x,2026-05-01 10:00:00,33611,a,7,1\n'
    (record,) = decode(delimited(), content)
    assert (record.reason, quantity(record)) == (0, 7 * SECOND)


TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=6)


@given(st.lists(TEXTS, min_size=6, max_size=6), st.dictionaries(st.sampled_from(COLUMNS), TEXTS, min_size=1))
@settings(max_examples=150)
def test_a_csv_reader_finds_the_new_values_in_their_places(fields: list[str], values: dict[str, str]) -> None:
    """The twin: Python's own csv writes the record and reads what became of it."""
    line = io.StringIO()
    csv.writer(line, lineterminator="\r\n").writerow(fields)
    rewriter = delimited_rewriter(delimited(header=False, columns=COLUMNS), COLUMNS, values)
    (found,) = csv.reader(io.StringIO(rewriter.record(line.getvalue().encode()).decode(), newline=""))
    assert found == [values.get(name, text) for name, text in zip(COLUMNS, fields, strict=True)]


# ---- fixed width


def _fixed(**changes: Any) -> Any:
    columns = [{"name": name, "start": 1 + 4 * at, "width": 4} for at, name in enumerate(COLUMNS)]
    return fixed_width(columns=columns, mapping=CDR_MAPPING, **changes)


RAW = b"1   a   33611000610 EU  "


@pytest.mark.parametrize(
    ("changes", "values", "expected"),
    [
        ({"record_bytes": None}, {"seconds": "9"}, RAW[:16] + b"9   " + RAW[20:] + b"tail"),
        ({"record_bytes": None, "trim": "left"}, {"seconds": "9"}, RAW[:16] + b"   9" + RAW[20:] + b"tail"),
        ({"record_bytes": None}, {"id": "", "zone": "é"}, b"    " + RAW[4:20] + "é  ".encode() + b"tail"),
        ({"record_bytes": None, "trim": "none"}, {"zone": "FRFR"}, RAW[:20] + b"FRFRtail"),
    ],
)
def test_a_fixed_record_keeps_what_is_not_replaced(
    changes: dict[str, Any], values: dict[str, str], expected: bytes
) -> None:
    assert _rewriter(_fixed(**changes), **values).record(RAW + b"tail\r\n") == expected


@pytest.mark.parametrize(
    ("changes", "value", "words"),
    [
        ({}, "12345", "has 5 bytes, the column 4"),
        ({}, "é€", "has 5 bytes, the column 4"),
        ({"trim": "none"}, "1", "blanks count"),
        ({}, "1\n", "line end"),
        ({"encoding": "latin-1"}, "€", "cannot be written"),
    ],
)
def test_a_value_that_fits_in_no_column_is_refused(changes: dict[str, Any], value: str, words: str) -> None:
    with pytest.raises(UnableToRewrite, match=words):
        _rewriter(_fixed(record_bytes=None, **changes), seconds=value)


def test_a_fixed_record_of_another_length_is_left() -> None:
    with pytest.raises(UnableToRewriteRecord, match="23 bytes instead of at least 24"):
        _rewriter(_fixed(record_bytes=None), zone="EU").record(RAW[:23])
    with pytest.raises(UnableToRewriteRecord, match="25 bytes instead of 24"):
        _rewriter(_fixed(record_bytes=24), zone="EU").record(RAW + b"x")


@pytest.mark.parametrize(
    "changes",
    [
        {"record_bytes": None, "header": {"prefix": "HDR"}, "trailer": {"prefix": "T"}},
        {
            "record_bytes": 24,
            "header": {"count": 2},
            "trailer": {"count": 1, "record_count": {"start": 20, "width": 5}},
        },
        {
            "record_bytes": 24,
            "lines": False,
            "header": {"prefix": "HDR"},
            "trailer": {"prefix": "T", "record_count": {"start": 3, "width": 2}},
        },
    ],
)
def test_a_fixed_file_has_the_header_and_trailer_that_its_source_demands(changes: dict[str, Any]) -> None:
    source = _fixed(**changes)
    rewriter = _rewriter(source, zone="US")
    decoder = make_decoder(context(source))
    content = rewriter.file([rewriter.record(RAW)] * 3)
    decoder.check(io.BytesIO(content))
    assert len(decode(source, content)) == 3


def test_a_trailer_counts_no_more_than_it_can() -> None:
    trailer = {"count": 1, "record_count": {"start": 1, "width": 1}}
    rewriter = _rewriter(_fixed(record_bytes=None, trailer=trailer), zone="US")
    rewriter.file([RAW] * 9)
    with pytest.raises(UnableToRewrite, match="select at most 9"):
        rewriter.file([RAW] * 10)


# ---- JSON

OBJECT = '{ "id" : 1, "who":[{"number":"33"}, null], "at":"x","seconds":5.50, "zone": null, "no": {}, "id": 2 }'


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("id", "7", OBJECT.replace('"id": 2', '"id": 7')),  # of equal keys the last one counts
        ("id", "x", OBJECT.replace('"id": 2', '"id": "x"')),
        ("id", "07", OBJECT.replace('"id": 2', '"id": "07"')),
        ("seconds", "1e3", OBJECT.replace("5.50", "1e3")),
        ("at", "12", OBJECT.replace('"at":"x"', '"at":"12"')),
        ("zone", 'E"\nU', OBJECT.replace('"zone": null', r'"zone": "E\"\nU"')),
        ("who.0.number", "44", OBJECT.replace('"33"', '"44"')),
        ("who.1.number", "44", OBJECT.replace("}, null]", '}, {"number":"44"}]')),
        ("no.such.key", "1", OBJECT.replace("{}", '{"such":{"key":"1"}}')),
        ("new", "é", OBJECT.replace('"id": 2', '"id": 2,"new":"é"')),
    ],
)
def test_an_object_keeps_what_is_not_replaced(path: str, value: str, expected: str) -> None:
    assert JsonRewriter(_json(), {path: value}).record(OBJECT.encode()).decode() == expected


@pytest.mark.parametrize(
    ("raw", "path", "words"),
    [
        (OBJECT, "id.part", "there is 2 where an object is needed"),
        (OBJECT, "who.2.number", "an array of 2 items"),
        (OBJECT, "who.first", "an array of 2 items"),
        ("[1]", "id", "no JSON object"),
        ('{"id":1', "id", "no JSON object"),
        ('{"id":1} x', "id", "no JSON object"),
        ('{"a":' * 100_000, "id", "no JSON object"),
    ],
    ids=range(7),
)
def test_an_object_that_cannot_have_a_path_is_left(raw: str, path: str, words: str) -> None:
    with pytest.raises(UnableToRewriteRecord, match=words):
        JsonRewriter(_json(), {path: "1"}).record(raw.encode())
    with pytest.raises(UnableToRewriteRecord):
        JsonRewriter(_json(), {"id": "1"}).record(b'{"id":"\xff"}')


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=12,
)


@given(
    st.dictionaries(st.sampled_from("abc"), VALUES, max_size=3),
    st.lists(st.sampled_from("abc"), min_size=1, max_size=3),
    st.text(max_size=4),
    st.sampled_from([None, 1]),
)
@settings(max_examples=200)
def test_a_json_parser_finds_the_new_value_and_all_others(
    value: dict[str, Any], parts: list[str], text: str, indent: int | None
) -> None:
    """The twin: the same change to the parsed object."""
    target: Any = value
    expected: Any = json.loads(json.dumps(value))
    found = expected
    for part in parts[:-1]:
        if not isinstance(found.get(part, {}), dict | None):
            return
        if found.get(part) is None:
            found[part] = {}
        found = found[part]
    before, found[parts[-1]] = found.get(parts[-1]), text
    changed = JsonRewriter(_json(), {".".join(parts): text}).record(json.dumps(target, indent=indent).encode())
    if isinstance(before, bool | int) and text.isdigit():
        found[parts[-1]] = json.loads(changed)
        return
    assert json.loads(changed) == expected


@pytest.mark.parametrize(
    "changes", [{}, {"layout": "lines"}, {"layout": "array"}, {"layout": "document"}, {"records": "a.b"}], ids=str
)
@pytest.mark.parametrize("indent", [None, 1])
def test_a_json_file_has_the_layout_that_its_source_reads(changes: dict[str, Any], indent: int | None) -> None:
    if indent and changes.get("layout") == "lines":
        return
    source = _json(**changes)
    record = {
        "id": 1,
        "switch": "a",
        "who": [{"number": "33"}],
        "at": "2026-05-01 10:00:00",
        "seconds": "?",
        "zone": "EU",
    }
    rewriter = _rewriter(source, seconds="12")
    content = rewriter.file([rewriter.record(json.dumps(record | {"id": i}, indent=indent).encode()) for i in range(3)])
    assert [(found.reason, quantity(found)) for found in decode(source, content)] == [(0, 12 * SECOND)] * 3


# ---- which sources and fields


def test_a_field_that_the_source_does_not_read_is_told_with_those_nearby() -> None:
    with pytest.raises(UnableToRewrite, match="reads no field 'second'; did you mean seconds"):
        _rewriter(delimited(), CDR_HEADER + CDR_LINE, second="1")
    with pytest.raises(UnableToRewrite, match="reads no field 'q'; it reads id, switch, caller, at, seconds, zone"):
        _rewriter(delimited(), CDR_HEADER + CDR_LINE, q="1")


def test_records_that_are_no_text_of_ours_are_not_written_anew() -> None:
    source = R151Source.model_validate({"kind": "source", "code": "m", "format": "r151", "event_type": "power"})
    with pytest.raises(UnableToRewrite, match="source 'm' is of format r151, whose records cannot be written anew"):
        _rewriter(source, value="1")
