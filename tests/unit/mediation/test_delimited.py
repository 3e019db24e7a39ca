"""Delimited files: headers, quotes, line ends, encodings, records too long to hold."""

from __future__ import annotations

import pytest
from mediation_delimited import decode_twin
from mediation_world import (
    CDR_AT_US,
    CDR_COLUMNS,
    CDR_HEADER,
    CDR_LINE,
    blocks_of,
    decode,
    delimited,
    event_at,
    key,
    quantity,
    raws,
    reasons,
)

from pipelines.mediation.failures import UnableToDecodeFile
from schemas.rejection import RAW_BYTES_MAX, Reason

SOURCE = delimited()
GOOD = decode(SOURCE, CDR_HEADER + CDR_LINE)[0]
NO_HEADER = delimited(header=False, columns=CDR_COLUMNS)
LATIN = delimited(encoding="latin-1")


def test_a_good_record_says_what_its_line_says() -> None:
    assert GOOD.reason == Reason.NONE
    assert GOOD.raw == CDR_LINE.rstrip(b"\n")
    assert (GOOD.access_point, event_at(GOOD), quantity(GOOD)) == (b"33611", CDR_AT_US, 61_500)
    assert GOOD.rest[5:] == (3, (0, 1, 0, 0))  # the event type "call"; its second attribute is the zone "EU"


@pytest.mark.parametrize(
    "data",
    [
        CDR_HEADER + CDR_LINE,
        CDR_HEADER + CDR_LINE.rstrip(b"\n"),
        CDR_HEADER + CDR_LINE.replace(b"\n", b"\r\n"),
        (CDR_HEADER + CDR_LINE).replace(b"\n", b"\r\n\r\n"),
        CDR_HEADER.replace(b"\n", b"\r\n") + CDR_LINE,
        b"\xef\xbb\xbf" + CDR_HEADER + CDR_LINE,
        b"\n\r\n" + CDR_HEADER + b"\n\n" + CDR_LINE + b"\n",
        b"zone,seconds,at,caller,switch,id\nEU,61.5,2026-05-01 10:00:00,33611,a,1\n",
        b"new,id,,switch,caller,at,,seconds,zone,last\nx,1,x,a,33611,2026-05-01 10:00:00,,61.5,EU,x\n",
        b'"id","switch","caller","at","seconds","zone"\n"1","a","33611","2026-05-01 10:00:00","61.5","EU"\n',
        b'"id",switch,"caller",at,seconds,zone\r\n1,"a",33611,"2026-05-01 10:00:00",61.5,"EU"\r\n',
        b'id,switch,caller,at,seconds,zone,"a ""note""\r\nof two lines, with a comma"\n'
        + CDR_LINE.rstrip()
        + b',","\n',
    ],
)
def test_the_same_record_in_other_files(data: bytes) -> None:
    found = decode(SOURCE, data)
    assert [record.rest for record in found] == [GOOD.rest]
    assert found == decode_twin(SOURCE, data)


def test_without_a_header_columns_are_in_the_sources_order() -> None:
    assert [record.rest for record in decode(NO_HEADER, CDR_LINE)] == [GOOD.rest]
    assert reasons(NO_HEADER, CDR_HEADER + CDR_LINE) == ["INVALID_TIMESTAMP", "NONE"]


@pytest.mark.parametrize(
    "data", [b"", b"\n", b"\r\n\n", b"\xef\xbb\xbf", CDR_HEADER, CDR_HEADER.rstrip(), CDR_HEADER + b"\n\n"]
)
def test_a_file_may_hold_no_record(data: bytes) -> None:
    assert blocks_of(SOURCE, data) == []


@pytest.mark.parametrize(
    ("source", "data", "code", "says"),
    [
        (SOURCE, CDR_LINE, "MISSING_COLUMN", "the first line names none of the columns 'id'"),
        (SOURCE, b"id,switch,caller,seconds,zone\n", "MISSING_COLUMN", "no column 'at'; it has 'id'"),
        (SOURCE, b"ID,switch,caller,at,seconds,zone\n", "MISSING_COLUMN", "'id'"),
        (SOURCE, b"id;switch;caller;at;seconds;zone\n", "MISSING_COLUMN", "another delimiter? It has 1 fields"),
        (SOURCE, b"id,switch,caller,at,seconds,zone,at\n", "DUPLICATE_COLUMN", "'at'"),
        (SOURCE, b"id,switch,caller,at,seconds,zone,x,x\n", "DUPLICATE_COLUMN", "'x'"),
        (SOURCE, CDR_HEADER.replace(b"zone\n", b'"zone\n') + CDR_LINE, "MALFORMED_HEADER", "columns"),
        (SOURCE, b'id,"sw"itch,caller,at,seconds,zone\n', "MALFORMED_HEADER", "columns"),
        (SOURCE, (CDR_HEADER + CDR_LINE).replace(b"\n", b"\r"), "MALFORMED_HEADER", "carriage return"),
        (SOURCE, CDR_HEADER.replace(b"\n", b"\r") + CDR_LINE, "MALFORMED_HEADER", "carriage return"),
        (SOURCE, b"x" * 1_100_000, "MALFORMED_HEADER", "longer than 1048576 bytes"),
        (SOURCE, b'"' + CDR_LINE * 60_000, "MALFORMED_HEADER", "longer than 1048576 bytes"),
        (SOURCE, CDR_HEADER.replace(b"zone", b"z\x00ne"), "WRONG_ENCODING", "NUL"),
        (SOURCE, CDR_HEADER.replace(b"zone", b"zone,\xe9t\xe9"), "WRONG_ENCODING", "byte 33 of the header"),
        (SOURCE, (CDR_HEADER + CDR_LINE).decode().encode("utf-16"), "WRONG_ENCODING", "UTF-16"),
        (SOURCE, (CDR_HEADER + CDR_LINE).decode().encode("utf-16-be"), "WRONG_ENCODING", "NUL"),
        (SOURCE, (CDR_HEADER + CDR_LINE).decode().encode("utf-32"), "WRONG_ENCODING", "UTF-32"),
        (SOURCE, b"\x00\x00\xfe\xff", "WRONG_ENCODING", "UTF-32"),
        (SOURCE, bytes(1000), "WRONG_ENCODING", "NUL"),
        (NO_HEADER, CDR_LINE.decode().encode("utf-16-le"), "WRONG_ENCODING", "NUL"),
        (LATIN, b"\xef\xbb\xbf" + CDR_HEADER + CDR_LINE, "WRONG_ENCODING", "marked as UTF-8"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("step", [0, 1000])
def test_a_file_whose_head_is_wrong_is_refused_whole(source, data: bytes, code: str, says: str, step: int) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(UnableToDecodeFile) as failure:
        blocks_of(source, data, step=step)
    assert failure.value.code == code
    assert says in failure.value.message
    assert len(failure.value.message) <= 1000


def test_a_header_may_be_longer_than_what_is_read_at_once() -> None:
    stranger = b'"' + b"x" * 70_000 + b'"'
    data = stranger + b"," + CDR_HEADER + b"," + CDR_LINE
    assert [record.rest for record in decode(SOURCE, data)] == [GOOD.rest]
    assert [record.rest for record in decode(SOURCE, data, head_bytes=100)] == [GOOD.rest]


@pytest.mark.parametrize("count", [1, 255, 70_000, 200_000])
def test_blank_lines_before_the_header_hide_nothing(count: int) -> None:
    assert [record.rest for record in decode(SOURCE, b"\n" * count + CDR_HEADER + CDR_LINE)] == [GOOD.rest]


QUOTING: list[tuple[bytes, str, bytes | None]] = [
    (b'"336""11"', "NONE", b'336"11'),
    (b'""""', "NONE", b'"'),
    (b'"33,611"', "NONE", b"33,611"),
    (b'"33\n611"', "NONE", b"33\n611"),
    (b'"33\r\n611"', "NONE", b"33\r\n611"),
    (b'33"611', "NONE", b'33"611'),
    (b' "33611"', "NONE", b' "33611"'),
    (b'33611""', "NONE", b'33611""'),
    (b'""', "FIELD_MISSING", None),
    (b'"33"611', "MALFORMED_RECORD", None),
    (b'"33" ', "MALFORMED_RECORD", None),
    (b'"33\r",', "FIELD_COUNT", None),
]


@pytest.mark.parametrize(("caller", "reason", "access_point"), QUOTING)
def test_quotes(caller: bytes, reason: str, access_point: bytes | None) -> None:
    line = CDR_LINE.replace(b"33611", caller)
    data = CDR_HEADER + CDR_LINE + line + CDR_LINE
    found = decode(SOURCE, data)
    assert [record.reason.name for record in found] == ["NONE", reason, "NONE"]
    assert found[1].access_point == access_point
    assert found[1].raw == line.removesuffix(b"\n")
    assert found == decode_twin(SOURCE, data)


@pytest.mark.parametrize("tail", [b"", b"\n", b"\r\n", b'""', b'"",'])
def test_a_quote_left_open_makes_one_malformed_record_of_what_follows(tail: bytes) -> None:
    open_record = b'2,a,"33611,2026-05-01 10:00:00,61.5,EU\n' + CDR_LINE * 2 + b"3" + tail
    data = CDR_HEADER + CDR_LINE + open_record
    found = decode(SOURCE, data, block_bytes=50, head_bytes=40)
    assert [record.reason.name for record in found] == ["NONE", "MALFORMED_RECORD"]
    assert found[1].raw == open_record.removesuffix(b"\n").removesuffix(b"\r")


def test_a_file_cut_in_mid_record_ends_in_a_rejection_of_what_is_there() -> None:
    data = CDR_HEADER + CDR_LINE * 2
    for cut in range(len(CDR_HEADER) + len(CDR_LINE) + 1, len(data) - 2):
        found = decode(SOURCE, data[:cut])
        assert found == decode_twin(SOURCE, data[:cut])
        assert found[0].rest == GOOD.rest
        assert raws(found)[1] == data[len(CDR_HEADER) + len(CDR_LINE) : cut]
    assert reasons(SOURCE, data[:-20]) == ["NONE", "FIELD_COUNT"]


LONG: list[tuple[bytes, str]] = [
    (b"x" * 10_000_000, "RECORD_TOO_LONG"),
    (CDR_LINE.rstrip().replace(b"EU", b"E" * 10_000_000), "RECORD_TOO_LONG"),
    (b'2,a,"' + b"x,\n" * 3_000_000 + b'",2026-05-01 10:00:00,1,EU', "RECORD_TOO_LONG"),
    (b'2,a,"' + b'""\r\n' * 1_500_000 + b'"junk"\r', "RECORD_TOO_LONG"),
    (CDR_LINE.rstrip().replace(b"EU", b"E" * (1_048_576 - len(CDR_LINE) + 3)), "NONE"),
    (CDR_LINE.rstrip().replace(b"EU", b"E" * (1_048_576 - len(CDR_LINE) + 4)), "RECORD_TOO_LONG"),
    (b"x" * 300 + b"\x00" * 2_000_000, "RECORD_TOO_LONG"),
]


@pytest.mark.parametrize("number", range(len(LONG)))
@pytest.mark.parametrize("block_bytes", [1, 1 << 20, 32 << 20])
def test_a_record_too_long_is_refused_and_its_neighbours_survive(number: int, block_bytes: int) -> None:
    line, reason = LONG[number]
    found = decode(SOURCE, CDR_HEADER + CDR_LINE + line + b"\n" + CDR_LINE, block_bytes=block_bytes)
    assert [record.reason.name for record in found] == ["NONE", reason, "NONE"]
    assert found[0].rest == found[2].rest == GOOD.rest
    if reason == "RECORD_TOO_LONG":
        assert found[1].raw == line[: RAW_BYTES_MAX + 1]  # one byte more than is kept, so that a rejection says so


@pytest.mark.parametrize("end", [b"", b"\n"])
def test_a_record_too_long_may_be_the_last(end: bytes) -> None:
    for length in (RAW_BYTES_MAX - 1, RAW_BYTES_MAX + 3, 200_000):
        source = delimited(record_bytes_max=256)
        found = decode(source, CDR_HEADER + CDR_LINE + b"x" * length + end, block_bytes=100, head_bytes=64)
        assert [record.reason.name for record in found] == ["NONE", "RECORD_TOO_LONG"]


def test_bytes_refuse_only_their_record() -> None:
    lines = [b"1,a,336\x0011,2026-05-01 10:00:00,1,EU\n", b"1,a,336\xff11,2026-05-01 10:00:00,1,EU\n",
             b"1,a,336\xed\xa0\x8011,2026-05-01 10:00:00,1,EU\n", b"1,a,\x00\xff\n"]  # fmt: skip
    data = CDR_HEADER + CDR_LINE.join([b"", *lines, b""])
    expected = ["NUL_BYTE", "INVALID_ENCODING", "INVALID_ENCODING", "NUL_BYTE"]
    assert [r for r in reasons(SOURCE, data) if r != "NONE"] == expected
    assert decode(SOURCE, data) == decode_twin(SOURCE, data)


def test_latin_1_text_is_the_same_as_its_utf_8_form() -> None:
    text = (CDR_HEADER + CDR_LINE).decode().replace("33611", "é\xa0ÿ").replace("a,", "ü,")
    utf8, latin1 = decode(SOURCE, text.encode()), decode(LATIN, text.encode("latin-1"))
    assert utf8[0].rest == latin1[0].rest
    assert latin1[0].access_point == "é\xa0ÿ".encode()
    assert latin1[0].raw == text.splitlines()[1].encode("latin-1")


def test_null_is_read_as_empty() -> None:
    source = delimited(null="\\N")
    line = CDR_LINE.replace(b"33611", b"\\N")
    assert reasons(source, CDR_HEADER + line + line.replace(b"\\N", b'"\\N"') + line.replace(b"\\N", b"\\n")) == [
        "FIELD_MISSING", "FIELD_MISSING", "NONE"]  # fmt: skip
    assert key(decode(source, CDR_HEADER + CDR_LINE.replace(b",a,", b",\\N,"))[0]) == key(
        decode(SOURCE, CDR_HEADER + CDR_LINE.replace(b",a,", b",,"))[0]
    )


def test_very_short_records_fill_more_than_one_block() -> None:
    source = delimited(header=False, columns=("id",), mapping={"identity": ["id"], "access_point": "id",
        "time": {"field": "id"}, "quantity": {"constant": 1}, "attributes": {}})  # fmt: skip
    blocks = blocks_of(source, b"1\n" * 300_000)
    assert [len(block) for block in blocks] == [131_072, 131_072, 37_856]
