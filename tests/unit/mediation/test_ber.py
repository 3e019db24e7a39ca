"""BER records one by one: lengths, nesting, bounds, padding, paths that do not exist."""

from __future__ import annotations

import io

import numpy as np
import pytest
from mediation_ber import constructed, integer, length_of, primitive, split_file
from mediation_world import TrickleStream

from pipelines.mediation.ber.splitter import BerSplitter, check_records
from pipelines.mediation.ber.tags import (
    Kind,
    ListOf,
    RecordKind,
    Structure,
    Type,
    application,
    choice,
    context,
    private,
    sequence_of,
    structure,
    universal,
)
from pipelines.mediation.ber.tree import compile_tags
from pipelines.mediation.failures import UnableToCompileSource, UnableToDecodeFile
from pipelines.mediation.kernels.ber import DEPTH_MAX, ELEMENTS_MAX
from schemas.arrays import UInt8Array
from schemas.rejection import Reason

PART = structure({"size": (1, Kind.INTEGER), "cuts": (2, ListOf(universal(2), Kind.INTEGER))})
TABLE = Structure(
    {
        "id": (context(0), Kind.INTEGER),
        "name": (context(1), Kind.STRING),
        "parts": (context(2), sequence_of(PART)),
        "notes": (context(3), ListOf(None, choice({"text": (0, Kind.STRING), "code": (1, Kind.INTEGER)}))),
        "far": (private(70_000), Kind.INTEGER),
        "box": (context(4), structure({"id": (0, Kind.INTEGER)})),
    }
)
KINDS = {"a": RecordKind(application(1), TABLE), "b": RecordKind(context(40), Structure({}))}
FIELDS = ("id", "name", "parts.size", "parts.cuts", "notes", "far", "box.id")


def splitter(*each: str, bytes_max: int = 1 << 20, fields: tuple[str, ...] = FIELDS) -> BerSplitter:
    return BerSplitter(compile_tags(KINDS, fields, wanted=("a",), each=each), bytes_max)


def read(data: bytes, *each: str, bytes_max: int = 1 << 20, block_bytes: int = 1 << 20) -> list[tuple[str, list[str]]]:
    rows = split_file(splitter(*each, bytes_max=bytes_max), data, block_bytes=block_bytes)
    return [(reason.name, texts) for reason, _, texts in rows]


def record(*parts: bytes, octets: int = 0, indefinite: bool = False) -> bytes:
    return constructed(application(1), *parts, octets=octets, indefinite=indefinite)


def identity(value: int) -> bytes:
    return primitive(context(0), integer(value))


def part(size: int, *cuts: int) -> bytes:
    below = [constructed(context(2), *(primitive(universal(2), integer(cut)) for cut in cuts))] if cuts else []
    return constructed(universal(16), primitive(context(1), integer(size)), *below)


NOTHING = [""] * len(FIELDS)


# ---- values and rows


def test_of_lists_that_open_no_rows_the_first_element_counts() -> None:
    data = record(identity(7), constructed(context(2), part(1, 10, 11), part(2, 20)))
    assert read(data) == [("NONE", ["7", "", "1", "10", "", "", ""])]


def test_each_element_is_a_row_with_what_is_around_it_wherever_it_stands() -> None:
    data = record(constructed(context(2), part(1, 10, 11), part(2)), identity(7), primitive(context(1), b"n"))
    assert [row[:4] for _, row in read(data, "parts")] == [["7", "n", "1", "10"], ["7", "n", "2", ""]]


def test_elements_of_lists_within_lists_share_what_is_around_them() -> None:
    data = record(constructed(context(2), part(1, 10, 11), part(2), part(3, 30)), identity(7))
    rows = [row[:4] for _, row in read(data + data, "parts.cuts")]
    assert rows == 2 * [["7", "", "1", "10"], ["7", "", "1", "11"], ["7", "", "2", ""], ["7", "", "3", "30"]]


def test_elements_that_are_choices_open_rows_by_any_alternative() -> None:
    notes = constructed(
        context(3), primitive(context(0), b"x"), primitive(context(1), integer(5)), primitive(context(0), b"y")
    )
    assert [row[4] for _, row in read(record(notes), "notes")] == ["x", "5", "y"]


def test_rows_open_even_where_no_field_lies_in_the_list() -> None:
    tree = compile_tags(KINDS, ("id",), wanted=("a",), each=("parts",))
    data = record(identity(7), constructed(context(2), part(1), part(2)))
    assert [texts for _, _, texts in split_file(BerSplitter(tree, 1 << 20), data)] == [["7"], ["7"]]


def test_of_a_value_that_occurs_twice_the_first_counts() -> None:
    assert read(record(identity(7), identity(8)))[0][1][0] == "7"


def test_tags_of_any_number_and_class() -> None:
    assert read(record(primitive(private(70_000), integer(-5))))[0][1][5] == "-5"


@pytest.mark.parametrize("octets", [0, 1, 2, 4, 8])
@pytest.mark.parametrize("indefinite", [False, True])
def test_lengths_in_every_form(octets: int, indefinite: bool) -> None:
    value = primitive(context(0), integer(7), octets=octets)
    inner = constructed(context(2), part(3), octets=octets, indefinite=indefinite)
    assert read(record(value, inner, octets=octets, indefinite=indefinite)) == [
        ("NONE", ["7", "", "3", "", "", "", ""])
    ]


def test_a_name_may_be_a_value_in_one_kind_of_record_and_a_structure_in_another() -> None:
    inner = structure({"deep": (1, Kind.INTEGER)})
    kinds = {
        "flat": RecordKind(application(1), structure({"x": (1, Kind.INTEGER), "y": (2, Kind.INTEGER)})),
        "deep": RecordKind(application(2), structure({"x": (1, inner), "y": (2, Kind.INTEGER)})),
    }
    tree = compile_tags(kinds, ("recordType", "x.deep", "y"), wanted=tuple(kinds))
    value, tail = primitive(context(1), integer(5)), primitive(context(2), integer(6))
    data = constructed(application(1), value, tail) + constructed(application(2), constructed(context(1), value), tail)
    assert [(reason.name, texts) for reason, _, texts in split_file(BerSplitter(tree, 256), data)] == [
        ("NONE", ["flat", "", "6"]), ("NONE", ["deep", "5", "6"]),
    ]  # fmt: skip


# ---- malformed records: one rejection each, and the stream goes on


@pytest.mark.parametrize(
    "contents",
    [
        b"\x80",  # no length
        b"\x80\x05\x01",  # longer than the record
        b"\xa2\x03\x30\x05\x81",  # an element longer than its list
        b"\x80\x80\x01\x00\x00",  # a primitive of indefinite length
        b"\xa0\x03\x02\x01\x05",  # a value that is constructed
        b"\x82\x01\x05",  # a structure that is none
        b"\x00\x00",  # end-of-contents in a definite length
        b"\xa2\x80\x30\x00",  # an indefinite length without end
        b"\x80\x89" + bytes(8) + b"\x01\x05",  # a length of nine octets
        b"\xdf\x81\x82\x83\x84\x05\x01\x05",  # a tag of more than 28 bits
    ],
)
def test_broken_contents_are_one_rejection(contents: bytes) -> None:
    data = record(identity(1)) + record(contents) + record(identity(2))
    rows = split_file(splitter("parts"), data)
    assert [(reason.name, texts[0]) for reason, _, texts in rows] == [
        ("NONE", "1"),
        ("MALFORMED_RECORD", ""),
        ("NONE", "2"),
    ]
    assert rows[1][1] == record(contents)


def test_rows_of_a_record_that_breaks_later_are_taken_back() -> None:
    data = record(identity(1), constructed(context(2), part(1), part(2)), b"\x80\x7f") + record(identity(2))
    assert read(data, "parts") == [("MALFORMED_RECORD", NOTHING), ("NONE", ["2", *NOTHING[1:]])]


def test_what_no_field_lies_in_is_not_looked_at() -> None:
    assert read(record(constructed(context(99), b"\x80\x7f"), identity(1)))[0] == ("NONE", ["1", *NOTHING[1:]])


def test_kinds_of_records() -> None:
    data = (
        constructed(context(40), identity(1)) + constructed(context(41), identity(1)) + primitive(application(1), b"")
    )
    assert [reason for reason, _ in read(data)] == ["FILTERED_BY_SOURCE", "MALFORMED_RECORD", "MALFORMED_RECORD"]


@pytest.mark.parametrize(("depth", "reason"), [(DEPTH_MAX, "NONE"), (DEPTH_MAX + 1, "MALFORMED_RECORD")])
def test_nesting_is_bounded_in_definite_records(depth: int, reason: str) -> None:
    inner = b""
    for _ in range(depth):
        inner = constructed(context(98), inner, indefinite=True)
    assert read(record(inner))[0][0] == reason


@pytest.mark.parametrize(("elements", "reason"), [(ELEMENTS_MAX, "NONE"), (ELEMENTS_MAX + 1, "MALFORMED_RECORD")])
@pytest.mark.parametrize("block_bytes", [1, 1 << 20])
def test_rows_of_one_record_are_bounded(elements: int, reason: str, block_bytes: int) -> None:
    data = record(identity(1), constructed(context(2), *[b"\x30\x00"] * elements)) + record(identity(2))
    rows = read(data, "parts", block_bytes=block_bytes)
    assert [name for name, _ in rows] == [reason] * (elements if reason == "NONE" else 1) + ["NONE"]
    assert rows[-1][1][0] == "2"


def test_a_value_that_many_rows_share_is_written_once() -> None:
    data = record(primitive(context(1), b"n" * 50_000), constructed(context(2), *[b"\x30\x00"] * 4_000))
    (matrix, consumed) = splitter("parts").split(_buffer(data), len(data), final=True)
    assert (len(matrix), consumed) == (4_000, len(data))
    assert len(matrix.text) < 5 * len(data)


def _buffer(data: bytes) -> UInt8Array:
    return np.frombuffer(bytearray(data + bytes(64)), np.uint8)


# ---- records that are too long, padding, blocks


@pytest.mark.parametrize("block_bytes", [1, 300, 1 << 20])
def test_a_long_record_is_one_rejection_and_the_stream_goes_on(block_bytes: int) -> None:
    long = record(primitive(context(1), b"x" * 200_000))
    data = record(identity(1)) + long + record(identity(2))
    rows = split_file(splitter(bytes_max=256), data, block_bytes=block_bytes)
    assert [(reason, texts[0]) for reason, _, texts in rows] == [
        (Reason.NONE, "1"), (Reason.RECORD_TOO_LONG, ""), (Reason.NONE, "2"),
    ]  # fmt: skip
    assert rows[1][1] == long[: len(rows[1][1])]
    assert len(rows[1][1]) == 65_537


def test_padding_between_records_is_none() -> None:
    data = b"\x00\xff" * 40 + record(identity(1)) + bytes(100) + record(identity(2)) + b"\xff"
    for block_bytes in (1, 16, 1 << 20):
        assert [row[0] for _, row in read(data, block_bytes=block_bytes)] == ["1", "2"]
    assert check_records(io.BytesIO(data), 256) == 2
    assert read(b"") == read(b"\x00\xff") == []


# ---- checking a file beforehand


@pytest.mark.parametrize("step", [1, 1 << 20])
@pytest.mark.parametrize("size", [10, 2_000_000])
def test_records_are_counted_whatever_their_size(step: int, size: int) -> None:
    if step == 1 and size > 10:
        step = 65_521
    one = record(primitive(context(1), b"x" * size))
    assert check_records(TrickleStream(one * 3 + b"\x00", step), 256) == 3


@pytest.mark.parametrize(
    "data",
    [
        record(identity(1)) + b"\x61\x05\x80\x01",  # the file ends within a record
        record(primitive(context(1), b"x" * 2_000_000))[:-1],
        record(identity(1)) + b"\x61",
        b"\x61\x80\x80\x01\x05",  # no end of contents
        b"\x61\x80" * (DEPTH_MAX + 1) + b"\x00\x00" * (DEPTH_MAX + 1),  # nested too deeply to follow
        record(identity(1)) + b"\x61\x89" + bytes(200),  # a length of nine octets
        record(identity(1)) + b"\x41\x80\x00\x00",  # a primitive record of indefinite length
        b"id,caller,seconds\n1,33600000001,60\n",
    ],
)
def test_a_file_with_a_record_that_has_no_end_is_refused(data: bytes) -> None:
    with pytest.raises(UnableToDecodeFile) as refused:
        check_records(io.BytesIO(data), 256)
    assert refused.value.code == "MALFORMED_BER"
    with pytest.raises(UnableToDecodeFile):
        split_file(splitter(bytes_max=4 << 20), data)


def test_nesting_that_can_be_followed_is_a_record() -> None:
    assert check_records(io.BytesIO(b"\x61\x80" * DEPTH_MAX + b"\x00\x00" * DEPTH_MAX), 256) == 1


@pytest.mark.parametrize("size", [300, 2_000_000])
def test_an_indefinite_length_beyond_the_longest_record_refuses_the_file(size: int) -> None:
    data = record(identity(1)) + record(primitive(context(1), b"x" * size), indefinite=True)
    with pytest.raises(UnableToDecodeFile) as refused:
        check_records(io.BytesIO(data), 256)
    assert refused.value.code == "RECORD_TOO_LONG"
    assert "byte 5" in refused.value.message


def test_a_refusal_says_where() -> None:
    data = record(primitive(context(1), b"x" * 2_000_000)) + record(identity(1)) + b"\x61\x02\x00"
    with pytest.raises(UnableToDecodeFile, match=f"at byte {len(data) - 3}"):
        check_records(io.BytesIO(data), 256)


# ---- paths


@pytest.mark.parametrize(
    ("fields", "each", "told"),
    [
        (("ids",), (), "there is no 'ids' (do you mean 'id'?)"),
        (("parts",), (), "'parts' is a structure: write one of its fields after it (size, cuts …)"),
        (("parts.sizes",), (), "there is no 'parts.sizes' (do you mean 'size'?)"),
        (("id.more",), (), "'id' is a value: nothing is below it"),
        (("id.international",), (), "'id' is a value: nothing is below it"),
        (("id",), ("part",), "each: no record of this source has a list 'part'"),
        (("id",), ("id",), "each: no record of this source has a list 'id'"),
    ],
)
def test_paths_that_do_not_exist_are_refused(fields: tuple[str, ...], each: tuple[str, ...], told: str) -> None:
    with pytest.raises(UnableToCompileSource) as refused:
        compile_tags(KINDS, fields, wanted=("a",), each=each)
    assert told in str(refused.value)


def test_kinds_that_do_not_exist_are_refused() -> None:
    with pytest.raises(UnableToCompileSource, match="there is no 'c'"):
        compile_tags(KINDS, ("id",), wanted=("a", "c"))


def test_lists_within_lists_are_bounded() -> None:
    deep: Type = Kind.INTEGER
    for _ in range(5):
        deep = sequence_of(structure({"x": (1, deep)}))
    kinds = {"a": RecordKind(application(1), Structure({"x": (context(1), deep)}))}
    compile_tags(kinds, ("x.x.x.x.x.x",), wanted=("a",), each=("x.x.x",))
    with pytest.raises(UnableToCompileSource, match="nests more than 3 lists"):
        compile_tags(kinds, ("x.x.x.x.x.x",), wanted=("a",), each=("x.x.x.x",))


def test_lengths_are_written_as_the_twin_reads_them() -> None:
    assert [length_of(127), length_of(128), length_of(1, 2)] == [b"\x7f", b"\x81\x80", b"\x82\x00\x01"]
