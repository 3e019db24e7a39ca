"""Fixed-width files: places, blanks, line ends, lengths, headers, trailers that count, encodings."""

from __future__ import annotations

import io
from typing import Any

import pytest
from mediation_fixed_width import RECORD_BYTES, columns, decode_twin, fixed_width, record
from mediation_values import read_compact
from mediation_world import CDR_AT_US, blocks_of, context, decode, event_at, quantity, raws, reasons, records_of

from pipelines.mediation.decode import check_file, decode_blocks, describe, make_decoder
from pipelines.mediation.failures import UnableToCompileSource, UnableToDecodeFile
from pipelines.mediation.fixed_width import body
from pipelines.mediation.fixed_width.decoder import FixedWidthDecoder
from schemas.rejection import EXPLANATIONS, RAW_BYTES_MAX, Reason
from schemas.source import FixedWidthSource

SOURCE = fixed_width()
EXACT = fixed_width(record_bytes=RECORD_BYTES)
JOINED = fixed_width(lines=False, record_bytes=RECORD_BYTES)
LATIN = fixed_width(encoding="latin-1")
R = record()
GOOD = decode(SOURCE, R)[0]
COUNTED = {"prefix": "TRL", "record_count": {"start": 4, "width": 5}}
EDGED = fixed_width(header={"prefix": "HDR"}, trailer=COUNTED)
JOINED_EDGED = fixed_width(lines=False, record_bytes=RECORD_BYTES, header={"count": 1}, trailer={"count": 1})


def test_the_format_chooses_the_decoder() -> None:
    assert isinstance(make_decoder(context(SOURCE)), FixedWidthDecoder)


def test_a_good_record_says_what_its_bytes_say() -> None:
    assert R == b"1  a |33611 2026-05-01 10:00:00 61.5  EU  "
    assert GOOD.reason == Reason.NONE
    assert GOOD.raw == R
    assert (GOOD.access_point, event_at(GOOD), quantity(GOOD)) == (b"33611", CDR_AT_US, 61_500)
    assert GOOD.rest[5:] == (3, (0, 1, 0, 0))  # the event type "call"; its second attribute is the zone "EU"


@pytest.mark.parametrize(
    ("source", "data"),
    [
        (SOURCE, R + b"\n"),
        (SOURCE, R + b"\r\n"),
        (SOURCE, b"\n\r\n" + R + b"\n\n"),
        (SOURCE, b"\xef\xbb\xbf" + R),
        (SOURCE, R + b"and what no column reads\n"),
        (EXACT, R + b"\n"),
        (JOINED, R),
        (JOINED, R + b"\n"),
        (JOINED, R + b"\r\n\r\n"),
        (JOINED, b"\xef\xbb\xbf" + R),
        (SOURCE, record(id=b"  1", caller=b" 33611", at=b" 2026-05-01 10:00:00", seconds=b"  61.5", zone=b" EU ")),
        (fixed_width(trim="right"), R),
        (LATIN, R),
        (EDGED, b"HDR of May\n" + R + b"\nTRL    1\n"),
        (EDGED, b"\nHDR\nHDR\r\n\n" + R + b"\r\n\nTRL 9999\nTRL00001 of May"),
        (fixed_width(header={"count": 2}, trailer={"count": 1}), R + b"\n\nx\n" + R + b"\n" + R),
        (JOINED_EDGED, R + R + b"x" * RECORD_BYTES + b"\n"),
        (JOINED_EDGED, R + R + b"x"),
    ],
)
def test_the_same_record_in_other_files(source: FixedWidthSource, data: bytes) -> None:
    found = decode(source, data)
    assert [(r.reason, r.rest) for r in found] == [(Reason.NONE, GOOD.rest)]
    assert found == decode_twin(source, data)


@pytest.mark.parametrize(
    ("trim", "caller", "expected"),
    [
        ("both", b" 33 61 ", b"33 61"),
        ("left", b" 33 61 ", b"33 61 "),
        ("right", b" 33 61 ", b" 33 61"),
        ("none", b" 33 61 ", b" 33 61 "),
        ("both", b"\t33611\t", b"\t33611\t"),
        ("none", b"       ", b"       "),
        ("both", b"       ", None),
        ("left", b"       ", None),
        ("right", b"       ", None),
    ],
)
def test_fields_lose_the_blanks_that_the_source_names(trim: str, caller: bytes, expected: bytes | None) -> None:
    places = {"id": (1, 1), "caller": (2, 7), "at": (9, 19), "seconds": (28, 2), "zone": (30, 2)}
    narrow = [{"name": name, "start": start, "width": width} for name, (start, width) in places.items()]
    source = fixed_width(columns=narrow, trim=trim, mapping={"identity": ["id"]})
    [found] = decode(source, b"1" + caller + b"2026-05-01 10:00:0060EU")
    assert found.reason == (Reason.FIELD_MISSING if expected is None else Reason.NONE)
    assert found.access_point == expected


@pytest.mark.parametrize("source", [SOURCE, EDGED, JOINED, JOINED_EDGED])
@pytest.mark.parametrize("data", [b"", b"\n", b"\r\n\n", b"\xef\xbb\xbf"])
def test_a_file_may_hold_no_record(source: FixedWidthSource, data: bytes) -> None:
    assert blocks_of(source, data) == []


def test_header_and_trailer_alone_hold_no_record() -> None:
    assert blocks_of(EDGED, b"HDR\nTRL00000\n") == []
    assert blocks_of(JOINED_EDGED, R + R) == []


LINE = R + b"\n"
REFUSED_FILES: list[tuple[FixedWidthSource, bytes, str, str]] = [
    (EDGED, LINE + b"TRL00001", "MALFORMED_HEADER", 'does not begin with a record that begins with "HDR"'),
    (fixed_width(header={"count": 3}), LINE * 2, "MALFORMED_HEADER", "3 records that are no usage"),
    (fixed_width(header={"prefix": "H"}), b"H" * (body.EDGE_BYTES + 70_000), "MALFORMED_HEADER", "no end of the header"),
    (EDGED, b"HDR\n" + LINE * 2, "TRAILER_MISMATCH", 'does not end with a record that begins with "TRL"'),
    (EDGED, b"HDR\n" + LINE * 2 + b"TRL00003", "TRAILER_MISMATCH", "counts 3 records, the file has 2"),
    (EDGED, b"HDR\n" + LINE * 2 + b"TRL00001", "TRAILER_MISMATCH", "counts 1 records, the file has 2"),
    (EDGED, b"HDR\n" + LINE + b"TRL00001\n" + LINE, "TRAILER_MISMATCH", "does not end with"),
    (EDGED, b"HDR\n" + LINE + b"TRL   1", "TRAILER_MISMATCH", "bytes 4 to 8 of the trailer are not a number"),
    (EDGED, b"HDR\n" + LINE + b"TRL-0001", "TRAILER_MISMATCH", "not a number"),
    (EDGED, b"HDR\n" + LINE + b"TRL     ", "TRAILER_MISMATCH", "not a number"),
    (EDGED, b"HDR\n", "TRAILER_MISMATCH", "does not end with"),
    (EDGED, b"HDR\n" + LINE + b"x" * (body.EDGE_BYTES + 9_000_000), "TRAILER_MISMATCH", "no beginning of the trailer"),
    (fixed_width(trailer={"count": 2}), LINE, "TRAILER_MISMATCH", "2 records that are no usage"),
    (SOURCE, LINE.decode().encode("utf-16"), "WRONG_ENCODING", "UTF-16"),
    (SOURCE, bytes(300), "WRONG_ENCODING", "NUL"),
    (LATIN, b"\xef\xbb\xbf" + LINE, "WRONG_ENCODING", "marked as UTF-8"),
]  # fmt: skip


@pytest.mark.parametrize(("source", "data", "code", "says"), REFUSED_FILES)
def test_a_file_with_wrong_ends_is_refused_whole(source: FixedWidthSource, data: bytes, code: str, says: str) -> None:
    decoder = make_decoder(context(source))
    with pytest.raises(UnableToDecodeFile) as failure:
        check_file(decoder, io.BytesIO(data))
    assert failure.value.code == code
    assert says in failure.value.message
    assert len(failure.value.message) < 200
    with pytest.raises(UnableToDecodeFile, match=code):  # and so it is when nobody checked
        list(decode_blocks(decoder, io.BytesIO(data), claim=1))


def test_a_trailer_counts_the_records_of_a_file_of_many_pieces() -> None:
    lines = body.PIECE_BYTES // len(LINE) + 40_000
    for told in (lines, lines - 1):
        data = b"HDR\n" + LINE * lines + b"TRL%6d\n" % told
        source = fixed_width(header={"count": 1}, trailer={"count": 1, "record_count": {"start": 4, "width": 6}})
        decoder = make_decoder(context(source))
        if told == lines:
            check_file(decoder, io.BytesIO(data))
            assert sum(len(block) for block in decode_blocks(decoder, io.BytesIO(data), claim=1)) == lines
        else:
            with pytest.raises(UnableToDecodeFile, match=f"counts {told} records, the file has {lines}"):
                check_file(decoder, io.BytesIO(data))


SAID: list[tuple[FixedWidthSource, bytes, Reason, str]] = [
    (SOURCE, R[:-1], Reason.FIELD_COUNT, "41 bytes; the last column ends at byte 42"),
    (EXACT, R + b"x", Reason.FIELD_COUNT, "43 bytes instead of 42"),
    (EXACT, R + b" ", Reason.FIELD_COUNT, "43 bytes instead of 42"),
    (JOINED, R[:7], Reason.FIELD_COUNT, "7 bytes instead of 42"),
    (SOURCE, record(caller=b"3\x0011"), Reason.NUL_BYTE, "byte 7 of the record is NUL"),
    (SOURCE, R + b"\x00", Reason.NUL_BYTE, "byte 42 of the record is NUL"),
    (SOURCE, record(zone=b"\xe9"), Reason.INVALID_ENCODING, "byte 38 of the record (0xe9) is not valid utf-8"),
    (SOURCE, R.replace(b"10:00:00 61.5  ", b"10:00:00\xc3\xa961.5 "), Reason.INVALID_ENCODING,
     "a character of several bytes lies across the edge of a column"),
    (fixed_width(record_bytes_max=256), R + b"x" * 215, Reason.RECORD_TOO_LONG, "longer than 256 bytes"),
    (SOURCE, record(seconds=b"1 1"), Reason.INVALID_QUANTITY, "seconds is '1 1'"),
    (SOURCE, record(caller=b""), Reason.FIELD_MISSING, "empty: caller"),
]  # fmt: skip


@pytest.mark.parametrize(("source", "raw", "reason", "said"), SAID)
def test_a_refused_record_keeps_its_bytes_and_says_why(
    source: FixedWidthSource, raw: bytes, reason: Reason, said: str
) -> None:
    decoder = make_decoder(context(source))
    data = LINE + raw if source.lines else R + raw
    [block] = blocks_of(decoder, data)
    first, found = records_of(block)
    assert first.rest == GOOD.rest
    assert (found.reason, found.raw) == (reason, raw)
    assert describe(decoder, block, 1) == said
    assert said != EXPLANATIONS[reason]


def test_a_character_may_fill_a_column_or_lie_between_columns() -> None:
    for raw in (record(switch="é".encode()), R.replace(b"|", b"x"), record(zone="€".encode())):
        assert reasons(SOURCE, raw) == ["NONE"]
    across = columns()
    across[2]["start"] = 8
    across[2]["width"] = 5
    between = R[:5] + "é".encode() + R[7:]
    assert reasons(fixed_width(columns=across), between) == ["NONE"]
    assert reasons(SOURCE, between) == ["INVALID_ENCODING"]  # the caller begins inside it
    assert reasons(SOURCE, R[:4] + "é".encode() + R[6:]) == ["INVALID_ENCODING"]  # the switch ends inside it
    torn = R[:-1] + "é".encode() + R[1:]
    assert reasons(JOINED, torn) == ["INVALID_ENCODING"] * 2
    assert reasons(JOINED, R + b"\xa9" + R[1:]) == ["NONE", "INVALID_ENCODING"]


def test_latin_1_text_is_the_same_as_its_utf_8_form() -> None:
    latin1 = decode(LATIN, record(caller=b"\xe9\xa0\xff", switch=b"\xfc"))[0]
    utf8 = decode(SOURCE, record(caller="é\xa0ÿ".encode(), switch="ü".encode()))[0]
    assert latin1.access_point == utf8.access_point == "é\xa0ÿ".encode()
    assert latin1.rest == utf8.rest


def test_null_is_what_means_empty_after_trimming() -> None:
    source = fixed_width(null="0000")
    data = [record(caller=b" 0000"), record(caller=b"00000"), record(zone=b"0000")]
    found = decode(source, b"\n".join(data))
    assert [r.reason.name for r in found] == ["FIELD_MISSING", "NONE", "NONE"]
    assert found[2].rest[6] == (0, 0, 0, 0)


@pytest.mark.parametrize("length", [257, RAW_BYTES_MAX - 1, RAW_BYTES_MAX + 3, 200_000])
@pytest.mark.parametrize("end", [b"", b"\n"])
def test_a_line_too_long_is_refused_and_its_neighbours_survive(length: int, end: bytes) -> None:
    source = fixed_width(record_bytes_max=256)
    found = decode(source, LINE + b"x" * length + b"\n" + LINE + b"y" * length + end, block_bytes=100)
    assert [r.reason.name for r in found] == ["NONE", "RECORD_TOO_LONG", "NONE", "RECORD_TOO_LONG"]
    assert raws(found)[1] == b"x" * min(length, RAW_BYTES_MAX + 1)


def test_very_short_records_fill_more_than_one_block() -> None:
    one = {"columns": [{"name": "id", "start": 1, "width": 1}], "mapping": {"identity": ["id"], "access_point": "id",
           "time": {"field": "id"}, "quantity": {"constant": 1}, "attributes": {}}}  # fmt: skip
    assert [len(block) for block in blocks_of(fixed_width(**one), b"1\n" * 200_000)] == [131_072, 68_928]
    joined = fixed_width(lines=False, record_bytes=1, **one)
    assert [len(block) for block in blocks_of(joined, b"1" * 200_000)] == [131_072, 68_928]


COMPACT: list[tuple[str, str | None, int | Reason]] = [
    ("20260501080000Z", None, CDR_AT_US),
    ("20260501100000", "Europe/Paris", CDR_AT_US),
    ("20260501100000.25", "Europe/Paris", CDR_AT_US + 250_000),
    ("20260501100000+0200", None, CDR_AT_US),
    ("20260501080000", None, Reason.TIMESTAMP_WITHOUT_ZONE),
    ("20260230080000Z", None, Reason.INVALID_TIMESTAMP),
    ("20260501240000Z", None, Reason.INVALID_TIMESTAMP),
    ("2026050108000", "Europe/Paris", Reason.INVALID_TIMESTAMP),
    ("202605010800000", "Europe/Paris", Reason.INVALID_TIMESTAMP),
    ("2026-05-01 10:00:00", "Europe/Paris", Reason.INVALID_TIMESTAMP),
    ("20260501T080000Z", None, Reason.INVALID_TIMESTAMP),
    ("19991231235959Z", None, Reason.TIMESTAMP_OUT_OF_RANGE),
]


@pytest.mark.parametrize(("text", "zone", "expected"), COMPACT)
def test_compact_times(text: str, zone: str | None, expected: int | Reason) -> None:
    source = fixed_width(mapping={"time": {"field": "at", "format": "compact", "zone": zone}})
    [found] = decode(source, record(at=text.encode()))
    assert (found.reason if isinstance(expected, Reason) else event_at(found)) == expected
    assert read_compact(text.encode(), zone) == (
        (0, expected) if isinstance(expected, Reason) else (expected, Reason.NONE)
    )


def _moved(place: int, **changes: Any) -> FixedWidthSource:
    moved = columns()
    moved[place] |= changes
    return fixed_width(columns=moved)


REFUSED: list[tuple[FixedWidthSource, str]] = [
    (fixed_width(lines=False), "without line ends a record needs a length"),
    (fixed_width(record_bytes=41), "the last ends at byte 42 of 41"),
    (fixed_width(record_bytes=300, record_bytes_max=256), "less than a record has"),
    (_moved(0, width=4), "'id' and 'switch' overlap"),
    (_moved(1, name="id"), "more than once"),
    (_moved(5, name="area"), "'zone' not among `columns`"),
    (fixed_width(header={}), "header: give either"),
    (fixed_width(trailer={"prefix": "T", "count": 1}), "trailer: give either"),
    (fixed_width(encoding="latin-1", header={"prefix": "€"}), "cannot be written in latin-1"),
]


@pytest.mark.parametrize(("source", "says"), REFUSED, ids=lambda value: value if isinstance(value, str) else "")
def test_a_source_that_contradicts_itself_is_refused(source: FixedWidthSource, says: str) -> None:
    with pytest.raises(UnableToCompileSource) as failure:
        make_decoder(context(source))
    assert says in str(failure.value)
