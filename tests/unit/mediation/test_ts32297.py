"""Files of charging data records (3GPP TS 32.297) and sources of TS 32.298 as a whole: headers, counts, blocks, words.

Verified against generated data only: no public file exists.
"""

from __future__ import annotations

import io
from typing import Any

import pytest
from mediation_ber import constructed, integer, primitive
from mediation_world import Record, blocks_of, context, decode, quantity, raws

from pipelines.mediation.ber.tags import context as in_context
from pipelines.mediation.ber.tags import universal
from pipelines.mediation.ber.ts32298.file_header import parse_file_header, read_file_header
from pipelines.mediation.decode import Decoder, check_file, describe, make_decoder
from pipelines.mediation.failures import UnableToCompileSource, UnableToDecodeFile
from schemas.quantity import BUILT_IN_UNITS
from schemas.rejection import Reason
from schemas.source import SOURCE_MODELS, Ts32298Source

SERVICE = "listOfServiceData."
MAPPING: dict[str, Any] = {
    "identity": ["nodeID", "localSequenceNumber", SERVICE + "ratingGroup"],
    "access_point": "servedMSISDN",
    "time": {"field": SERVICE + "timeOfFirstUsage"},
    "quantity": {"fields": [SERVICE + "datavolumeFBCUplink", SERVICE + "datavolumeFBCDownlink"], "unit": "B"},
    "event_type": {"constant": "data"},
}
STAMP = bytes.fromhex("2605011000002b0200")


def source(**changes: Any) -> Ts32298Source:
    definition = {
        "kind": "source", "code": "pgw", "format": "ts32298", "records": ["pGWRecord"], "each": ["listOfServiceData"],
        "mapping": MAPPING | changes.pop("mapping", {}),
    }  # fmt: skip
    return Ts32298Source.model_validate(definition | changes)


def decoder(**changes: Any) -> Decoder:
    return make_decoder(context(source(**changes), units=BUILT_IN_UNITS))


def service(group: int, up: int | None, down: int | None) -> bytes:
    volumes = [primitive(in_context(n), integer(size)) for n, size in ((12, up), (13, down)) if size is not None]
    return constructed(
        universal(16), primitive(in_context(1), integer(group)), primitive(in_context(5), STAMP), *volumes
    )


def cdr(sequence: int, *services: bytes, key: int = in_context(79)) -> bytes:
    return constructed(
        key,
        primitive(in_context(18), b"pgw1"),
        primitive(in_context(20), integer(sequence)),
        primitive(in_context(22), bytes.fromhex("91336103214365f7")),
        constructed(in_context(34), *services),
    )


ONE = cdr(1, service(10, 1_000, 2_000), service(20, 5, None))
TWO = cdr(2, service(10, None, 7))


def frame(record: bytes, *, release: int = 6, form: int = 1) -> bytes:
    """Return a CDR with its header."""
    extension = bytes([3]) if release == 7 else b""
    return len(record).to_bytes(2, "big") + bytes([release << 5 | 2, form << 5 | 7]) + extension + record


def file(
    *frames: bytes,
    cdrs: int | None = None,
    file_bytes: int | None = None,
    tail: bytes = b"\x00\x02\xab\xcd\x00\x01\xef",
    releases: tuple[int, int] = (6 << 5 | 11, 4 << 5 | 1),
    lost: int = 0,
) -> bytes:
    """Return a file with its header; `tail` is what follows the lost-CDR indicator."""
    opened = 5 << 28 | 1 << 23 | 10 << 18 | 30 << 12 | 1 << 11 | 2 << 6
    appended = 12 << 28 | 31 << 23 | 23 << 18 | 59 << 12 | 3 << 6 | 30
    body = bytes(releases) + opened.to_bytes(4, "big") + appended.to_bytes(4, "big")
    body += (len(frames) if cdrs is None else cdrs).to_bytes(4, "big") + (77).to_bytes(4, "big")
    body += b"\x01" + b"\xff" * 4 + bytes(12) + b"\xff\xff\x0a\x00"[:2] + b"\x0a\x01" + bytes([lost]) + tail
    size = 8 + len(body)
    total = size + sum(map(len, frames)) if file_bytes is None else file_bytes
    return total.to_bytes(4, "big") + size.to_bytes(4, "big") + body + b"".join(frames)


def shown(records: list[Record]) -> list[tuple[str, int]]:
    return [(record.reason.name, quantity(record) if record.reason == 0 else -1) for record in records]


PLAIN = decoder()
HEADED = decoder(file_header=True)


# ---- records back to back


def test_a_record_for_each_service_and_the_same_wherever_blocks_are_cut() -> None:
    data = ONE + b"\xff\xff" + TWO
    for block_bytes, step in ((1, 0), (100, 3), (1 << 20, 0)):
        records = decode(PLAIN, data, block_bytes=block_bytes, step=step)
        assert shown(records) == [("NONE", 3_000), ("NONE", 5), ("NONE", 7)]
        assert raws(records) == [ONE, ONE, TWO]
        assert [record.access_point for record in records] == [b"3316301234567"] * 3
        assert len({record.rest[0] for record in records}) == 3


def test_what_is_left_out_broken_or_incomplete_keeps_its_bytes() -> None:
    data = cdr(3, key=in_context(78)) + cdr(4, key=in_context(200)) + ONE[:-2] + b"\x7f" + ONE[-1:] + cdr(5)
    records = decode(PLAIN, data)
    assert [record.reason.name for record in records] == [
        "FILTERED_BY_SOURCE", "MALFORMED_RECORD", "MALFORMED_RECORD", "FIELD_MISSING",
    ]  # fmt: skip
    assert b"".join(raws(records)) == data
    (block,) = blocks_of(PLAIN, data)
    assert describe(PLAIN, block, 1) == "the record begins with the tag [200], which no record of TS 32.298 has"
    assert (
        describe(PLAIN, block, 2)
        == "the contents are not those of a pGWRecord, or are no BER, or have more than 4096 elements"
    )
    assert describe(PLAIN, block, 0) == "the record is a sGWRecord, which the source does not read"
    empty = [SERVICE + name for name in ("timeOfFirstUsage", "datavolumeFBCUplink", "datavolumeFBCDownlink")]
    assert describe(PLAIN, block, 3) == "empty: " + ", ".join(empty)


def test_the_kind_of_a_record_can_be_filtered_and_decide_the_event_type() -> None:
    mapping = {
        "event_type": {"field": "recordType", "values": {"pGWRecord": "data"}},
        "filters": [{"field": "recordType", "drop": ["sGWRecord"]}],
        "time": {"field": "recordOpeningTime"},
        "quantity": {"constant": 1},
    }
    both = decoder(records=["pGWRecord", "sGWRecord", "ePDGRecord"], each=[], mapping=mapping)
    records = [
        constructed(
            in_context(tag), *(primitive(in_context(n), v) for n, v in ((18, b"n"), (22, b"\x91\x33"), (13, STAMP)))
        )
        for tag in (79, 78, 96)
    ]
    assert [record.reason.name for record in decode(both, b"".join(records))] == [
        "NONE", "FILTERED_BY_SOURCE", "UNKNOWN_EVENT_TYPE",
    ]  # fmt: skip


@pytest.mark.parametrize("data", [ONE + b"\xbf\x4f\x05", ONE[:-1], b"\x00\x00\x01\x02garbage"])
def test_a_file_that_cannot_be_told_apart_is_refused_whole(data: bytes) -> None:
    with pytest.raises(UnableToDecodeFile) as refused:
        check_file(PLAIN, io.BytesIO(data))
    assert refused.value.code == "MALFORMED_BER"


def test_fields_that_the_specification_does_not_have_are_refused() -> None:
    with pytest.raises(UnableToCompileSource, match=r"there is no 'servedMSIDN' \(do you mean 'servedMSISDN'\?\)"):
        decoder(mapping={"access_point": "servedMSIDN"})
    with pytest.raises(UnableToCompileSource, match="no record of this source has a list 'changeOfService'"):
        decoder(each=["changeOfService"])
    assert SOURCE_MODELS["ts32298"] is Ts32298Source


# ---- files with a header


def test_a_headed_file_reads_as_its_records() -> None:
    data = file(frame(ONE), frame(TWO, release=7))
    for block_bytes, step in ((1, 0), (100, 3), (1 << 20, 0)):
        records = decode(HEADED, data, block_bytes=block_bytes, step=step)
        assert records == [
            Record(record.reason, record.raw, record.access_point, record.event_at, record.rest)
            for record in decode(PLAIN, ONE + TWO)
        ]


def test_an_empty_file_is_fine() -> None:
    assert decode(HEADED, b"") == decode(PLAIN, b"") == decode(HEADED, file()) == []


def test_records_that_break_the_frame_are_one_rejection_each() -> None:
    broken = [ONE + b"\x00", ONE[:-1], b"", b"\xbf", b"\xff" * 9, ONE + b"\x05\x00", ONE]
    records = decode(HEADED, file(*map(frame, broken)))
    assert [record.reason for record in records] == [Reason.MALFORMED_RECORD] * 6 + [Reason.NONE] * 2
    assert raws(records)[:6] == broken[:6]


def test_the_longest_framed_record_is_read_whatever_the_limit() -> None:
    long = constructed(in_context(79), primitive(in_context(90), bytes(65_000)))
    for record_bytes_max, reason in ((65_009, Reason.RECORD_TOO_LONG), (65_010, Reason.FIELD_MISSING)):
        tight = decoder(file_header=True, record_bytes_max=record_bytes_max)
        assert len(long) == 65_010
        for block_bytes in (1, 1 << 20):
            records = decode(tight, file(frame(long), frame(ONE)), block_bytes=block_bytes)
            assert [record.reason for record in records] == [reason, Reason.NONE, Reason.NONE]


@pytest.mark.parametrize(
    ("data", "code", "told"),
    [
        (file(frame(ONE), cdrs=2), "HEADER_MISMATCH", "the header says that there are 2 CDRs, there are 1"),
        (file(frame(ONE), cdrs=0), "HEADER_MISMATCH", "there are 0 CDRs, there are 1"),
        (file(frame(ONE), file_bytes=5), "HEADER_MISMATCH", "has 5 bytes, it has"),
        (file(frame(ONE)) + frame(TWO), "HEADER_MISMATCH", "bytes, it has"),
        (file(frame(ONE))[:-1], "MALFORMED_BER", "the file ends within the record"),
        (file(frame(ONE)) + b"\x00", "MALFORMED_BER", "the file ends within the record"),
        (file(frame(ONE), frame(TWO, form=3)), "WRONG_ENCODING", "is not in BER"),
        (b"\x00\x00", "MALFORMED_HEADER", "shorter than a header"),
        (file()[:20], "MALFORMED_HEADER", "the file ends within its header"),
        (bytes(8) + ONE, "MALFORMED_HEADER", "cannot have 0 bytes"),
        (b"\xff" * 300, "MALFORMED_HEADER", "cannot have 4294967295 bytes"),
        (file(tail=b"\x00\x09\xab"), "MALFORMED_HEADER", "routing filter is longer than the header"),
        (file(tail=b"\x00\x00\x00\x09\xab"), "MALFORMED_HEADER", "private extension is longer than the header"),
    ],
)
def test_a_file_whose_header_is_wrong_is_refused_whole(data: bytes, code: str, told: str) -> None:
    with pytest.raises(UnableToDecodeFile) as refused:
        check_file(HEADED, io.BytesIO(data))
    assert refused.value.code == code
    assert told in refused.value.message


def test_numbers_that_do_not_fit_are_not_checked() -> None:
    data = file(frame(ONE), cdrs=0xFFFF_FFFF, file_bytes=0xFFFF_FFFF)
    assert shown(decode(HEADED, data)) == [("NONE", 3_000), ("NONE", 5)]


def test_what_a_header_says() -> None:
    header = read_file_header(io.BytesIO(file(frame(ONE), frame(TWO))))
    assert header is not None
    assert (header.header_bytes, header.cdrs, header.sequence) == (55, 2, 77)
    assert (header.high, header.low) == ((9, 11), (7, 1))
    assert (header.opened, header.appended) == ("--05-01T10:30+02:00", "--12-31T23:59-03:30")
    assert (header.closure, header.lost) == ("file size", "none")
    assert (header.routing_filter, header.private) == ("abcd", "ef")
    assert header.node == "ffffffff" + "00" * 12 + "ffff0a01"


@pytest.mark.parametrize(
    ("tail", "releases", "high", "low"),
    [
        (b"", (6 << 5, 6 << 5), (9, 0), (9, 0)),
        (b"\x00\x00", (7 << 5, 7 << 5), (10, 0), (10, 0)),
        (b"\x00\x00\x00\x00\x06\x05", (7 << 5 | 3, 7 << 5 | 4), (16, 3), (15, 4)),
        (b"\x00\x00\x00\x00\x05", (0, 7 << 5), (99, 0), (15, 0)),
    ],
)
def test_releases(tail: bytes, releases: tuple[int, int], high: tuple[int, int], low: tuple[int, int]) -> None:
    header = parse_file_header(file(tail=tail, releases=releases))
    assert (header.high, header.low) == (high, low)


@pytest.mark.parametrize(
    ("octet", "told"),
    [(0, "none"), (1, "at least 1"), (127, "at least 127"), (128, "at least 1"), (130, "2"), (255, "at least 127")],
)
def test_lost_records(octet: int, told: str) -> None:
    assert parse_file_header(file(lost=octet)).lost == told
