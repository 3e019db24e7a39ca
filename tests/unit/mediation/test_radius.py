"""RADIUS accounting: the public session as pyrad reads it, layouts, gigawords, times, names, refusals."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from mediation_radius import attribute, decoder, found, packet, radius
from mediation_world import context, decode, event_at, quantity
from pyrad.dictionary import Dictionary
from pyrad.packet import AcctPacket

from pipelines.mediation.decode import check_file, decode_blocks, describe, make_decoder
from pipelines.mediation.failures import UnableToCompileSource, UnableToDecodeFile
from pipelines.mediation.radius.attributes import NAMED, find_attribute
from pipelines.mediation.radius.decoder import RadiusDecoder
from schemas.rejection import Reason

DICTIONARY = """
ATTRIBUTE User-Name 1 string
ATTRIBUTE NAS-IP-Address 4 ipaddr
ATTRIBUTE Framed-IP-Address 8 ipaddr
ATTRIBUTE Called-Station-Id 30 string
ATTRIBUTE Calling-Station-Id 31 string
ATTRIBUTE NAS-Identifier 32 string
ATTRIBUTE Acct-Status-Type 40 integer
ATTRIBUTE Acct-Delay-Time 41 integer
ATTRIBUTE Acct-Input-Octets 42 integer
ATTRIBUTE Acct-Output-Octets 43 integer
ATTRIBUTE Acct-Session-Id 44 string
ATTRIBUTE Acct-Session-Time 46 integer
ATTRIBUTE Acct-Terminate-Cause 49 integer
ATTRIBUTE Acct-Multi-Session-Id 50 string
ATTRIBUTE Acct-Input-Gigawords 52 integer
ATTRIBUTE Acct-Output-Gigawords 53 integer
ATTRIBUTE Event-Timestamp 55 integer
VALUE Acct-Status-Type Start 1
VALUE Acct-Status-Type Stop 2
VALUE Acct-Status-Type Interim-Update 3
VALUE Acct-Terminate-Cause User-Request 1
"""
SECRET = b"testing123"
DETAIL = """Thu Jan 15 20:00:00 2026
\tAcct-Status-Type = Interim-Update
\tNAS-IP-Address = 192.0.2.50
\tAcct-Session-Id = "0000A1B2"
\tCalling-Station-Id = "33612345678"
\tAcct-Output-Octets = 3000
\tAcct-Output-Gigawords = 2
\tAcct-Delay-Time = 10
"""


@pytest.fixture
def session(samples: Path) -> list[bytes]:
    """The packets of the public sample: start, two interims with a wrap between them, stop."""
    return [bytes.fromhex(line) for line in (samples / "telco/radius/own_acct_session.hex").read_text().split()]


def test_the_format_chooses_the_decoder() -> None:
    assert isinstance(make_decoder(context(radius())), RadiusDecoder)


def test_the_public_session_reads_as_pyrad_reads_it(session: list[bytes], samples: Path) -> None:
    names = Dictionary(io.StringIO(DICTIONARY))
    fields = [name for name in names.attributes if name in NAMED]
    source = radius("hex", mapping={"filters": []}).model_copy()
    filters = [{"field": name, "drop": ["nowhere"]} for name in fields]
    source = source.model_validate(
        source.model_dump() | {"mapping": source.mapping.model_dump() | {"filters": filters}}
    )
    records = found(decoder(source), (samples / "telco/radius/own_acct_session.hex").read_bytes())
    assert len(records) == len(session) == 4
    for data, (_, reason, texts) in zip(session, records, strict=True):
        expected = AcctPacket(packet=data, dict=names, secret=SECRET)
        assert expected.VerifyAcctRequest()
        assert reason == 0
        for name in fields:
            if name == "Event-Timestamp":
                assert texts[name].endswith(b"Z")
                continue
            values = [str(value).encode() for value in expected.get(name, [])]
            assert ([texts[name]] if name in texts else []) == values, name
    octets = [int(texts["Output-Octets-64"]) for _, _, texts in records]
    inputs = [raw for raw, _, _ in records]
    assert octets == [0, 1_000, 3_000, 4_000]
    assert [bytes.fromhex(raw.decode()) for raw in inputs] == session


def test_gigawords_carry_the_octets_over_four_gibibytes(session: list[bytes]) -> None:
    source = radius(mapping={"quantity": {"field": "Input-Octets-64", "unit": "B"}})
    records = decode(decoder(source), b"".join(session))
    assert [quantity(record) for record in records] == [
        0,
        4_294_960_000,
        4_294_967_296 + 5_000,
        4_294_967_296 + 9_000,
    ]
    assert event_at(records[1]) - event_at(records[0]) == 900_000_000


def test_packets_lines_and_detail_files_read_alike() -> None:
    parts = [
        attribute(40, b"\0\0\0\3"), attribute(4, bytes([192, 0, 2, 50])), attribute(44, b"0000A1B2"),
        attribute(31, b"33612345678"), attribute(43, (3000).to_bytes(4, "big")), attribute(53, b"\0\0\0\2"),
        attribute(55, (1_768_503_600 - 10).to_bytes(4, "big")),
    ]  # fmt: skip
    whole = packet(*parts)
    event = "\tEvent-Timestamp = 1768503590\n"
    files = {"packets": whole, "hex": whole.hex().encode(), "detail": (DETAIL + event).encode()}
    records = [found(decoder(radius(layout)), data) for layout, data in files.items()]
    ((_, reason, texts),) = records[0]
    assert reason == 0
    assert texts["Output-Octets-64"] == b"8589937592"
    assert [[rest for _, *rest in some] for some in records] == [[[0, texts]]] * 3


@pytest.mark.parametrize(
    ("lines", "at"),
    [
        ("", b"2026-01-15T19:59:50"),
        ("\tTimestamp = 1768503600\n", b"2026-01-15T18:59:50Z"),
        ('\tEvent-Timestamp = "Jan 15 2026 20:00:00 CET"\n', b"2026-01-15T20:00:00"),
        ('\tEvent-Timestamp = "Jan 15 2026 19:00:00 UTC"\n\tTimestamp = 1\n', b"2026-01-15T19:00:00Z"),
        ('\tEvent-Timestamp = "Jan 15 2026 20:00:00 +0100"\n', b"2026-01-15T20:00:00+0100"),
        ("\tTimestamp = junk\n", b"2026-01-15T19:59:50"),
    ],
)
def test_when_it_happened(lines: str, at: bytes) -> None:
    (record,) = found(decoder(radius("detail")), (DETAIL + lines).encode())
    assert record[2]["Event-Time"] == at


def test_a_delay_belongs_to_the_time_of_reception_alone() -> None:
    delayed = packet(attribute(41, b"\0\0\0\x0a"), attribute(55, (1_768_503_600).to_bytes(4, "big")))
    ((_, _, texts),) = found(decoder(radius()), delayed)
    assert texts["Event-Time"] == b"2026-01-15T19:00:00Z"
    ((_, _, texts),) = found(decoder(radius()), packet(attribute(41, b"\0\0\0\x0a")))
    assert "Event-Time" not in texts


@pytest.mark.parametrize(
    ("layout", "data", "words"),
    [
        ("packets", packet(code=5), "code is 5"),
        ("packets", packet(b"\x01\x01"), "does not fit"),
        ("hex", b"040", "hexadecimal"),
        ("hex", packet().hex()[:-2].encode(), "has 20 bytes, and has 19"),
        ("detail", b"Thu Jan 15 20:00:00 2026\n\tAcct-Status-Type Stop\n", "name = value"),
        ("detail", b"Thu Jan 15 20:00:00 2026\n\n", "no attributes"),
    ],
)
def test_what_is_no_accounting_request_is_rejected(layout: str, data: bytes, words: str) -> None:
    compiled = decoder(radius(layout))
    (block,) = decode_blocks(compiled, io.BytesIO(data), claim=1)
    assert block.reason.tolist() == [Reason.MALFORMED_RECORD]
    assert words in describe(compiled, block, 0)


def test_text_that_is_not_utf8_is_rejected_in_words() -> None:
    compiled = decoder(radius())
    (block,) = decode_blocks(compiled, io.BytesIO(packet(attribute(44, b"\xff"))), claim=1)
    assert block.reason.tolist() == [Reason.INVALID_ENCODING]
    assert "UTF-8" in describe(compiled, block, 0)
    (block,) = decode_blocks(compiled, io.BytesIO(packet(attribute(77, b"\xff"), attribute(31, b"1"))), claim=1)
    assert block.reason.tolist() == [Reason.FIELD_MISSING]  # what is not mapped is not read


@pytest.mark.parametrize(
    ("layout", "data", "code"),
    [
        ("packets", packet() + b"\x04\x00\x00\x13", "MALFORMED_PACKET"),
        ("packets", packet() + packet()[:-1], "MALFORMED_PACKET"),
        ("packets", b"id,seconds\n1,2\n", "MALFORMED_PACKET"),
        ("hex", packet(), "WRONG_ENCODING"),
        ("detail", "Thu Jan 15".encode("utf-16"), "WRONG_ENCODING"),
    ],
)
def test_a_file_of_another_layout_is_refused_whole(layout: str, data: bytes, code: str) -> None:
    with pytest.raises(UnableToDecodeFile) as failure:
        check_file(decoder(radius(layout)), io.BytesIO(data))
    assert failure.value.code == code


def test_the_place_of_damage_is_told_beyond_the_first_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.mediation.radius.decoder.PIECE_BYTES", 5_000)
    data = packet(attribute(1, b"x" * 200)) * 60
    check_file(decoder(radius()), io.BytesIO(data))
    with pytest.raises(UnableToDecodeFile, match=f"byte {len(data)}: "):
        check_file(decoder(radius()), io.BytesIO(data + bytes(30)))
    with pytest.raises(UnableToDecodeFile, match=f"byte {len(data)}: the file ends"):
        check_file(decoder(radius()), io.BytesIO(data + packet()[:12]))


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"access_point": "Calling-Station"}, "no attribute 'Calling-Station'"),
        ({"access_point": "Attr-0"}, "1 to 255"),
        ({"access_point": "Attr-26"}, "Vendor-V-T"),
        ({"access_point": "Vendor-0-1"}, "1 to 255"),
        ({"access_point": "Vendor-9-1:float"}, "octets, text, integer"),
        ({"access_point": "Attr-44"}, "are the same attribute"),
    ],
)
def test_fields_that_name_no_attribute_are_refused(fields: dict[str, Any], words: str) -> None:
    source = radius()
    mapping = source.mapping.model_dump() | fields | {"filters": []}
    with pytest.raises(UnableToCompileSource, match=words):
        decoder(source.model_validate(source.model_dump() | {"mapping": mapping}))


def test_detail_files_may_have_attributes_of_any_name() -> None:
    source = radius("detail", mapping={"access_point": "Alc-Subsc-ID-Str"})
    ((_, _, texts),) = found(decoder(source), (DETAIL + '\tAlc-Subsc-ID-Str = "x"\n').encode())
    assert texts["Alc-Subsc-ID-Str"] == b"x"


def test_no_two_names_are_one_attribute() -> None:
    places = [(item.vendor, item.number) for item in NAMED.values()]
    assert len(set(places)) == len(places)
    assert find_attribute("Vendor-10415-1:text") == NAMED["3GPP-IMSI"]
