"""The public captures: every message, as an independent decoder reads it, and the totals that were counted of them."""

from __future__ import annotations

import io
import struct
from functools import cache
from pathlib import Path

import pytest
from diameter.message import Message as OracleMessage
from diameter.message.avp.avp import AvpAddress, AvpGrouped, AvpTime
from diameter.message.avp.dictionary import AVP_DICTIONARY, AVP_VENDOR_DICTIONARY

from pipelines.mediation.diameter.captures import Captured, CaptureSheet, read_capture
from pipelines.mediation.diameter.codes import Command
from pipelines.mediation.diameter.dictionary import NAMED
from pipelines.mediation.diameter.fields import Group, fields_of
from pipelines.mediation.diameter.messages import AVPS_MAX, decode_message, encode_message
from pipelines.mediation.diameter.packets import UnableToReadCapture

CAPTURES = {
    "gx_gy_combined_03_210505_132953-1.pcapng": 124,
    "gx_gy_combined_05_210505_133111-1.pcapng": 70,
    "own_freediameter_relay_interop.pcap": 46,
}
"""How many messages tshark counts in each."""
MAGMA_03, MAGMA_05, RELAY = CAPTURES


@cache
def _messages(path: Path) -> tuple[Captured, ...]:
    sheet = CaptureSheet()
    found = tuple(read_capture(io.BytesIO(path.read_bytes()), sheet))
    assert sheet.lost == 0
    return found


@pytest.fixture(scope="module")
def captures(samples: Path) -> Path:
    """Where the captures are."""
    return samples / "telco" / "diameter"


def _by_oracle(avps: list[object], depth: int = 0) -> list[object]:
    told: list[object] = []
    for avp in avps:
        if isinstance(avp, AvpGrouped):
            value: object = _by_oracle(avp.value, depth + 1)
        elif isinstance(avp, AvpTime):
            value = avp.value.timestamp()
        elif isinstance(avp, AvpAddress):
            value = avp.value[1]
        else:
            value = avp.value
        told.append((avp.code, avp.vendor_id, avp.is_mandatory, value))
    return told


def _by_us(avps: object) -> list[object]:
    told: list[object] = []
    for field in fields_of(avps):
        assert not field.problem, field
        known = NAMED.get(field.name)
        value: object = field.value
        if isinstance(value, tuple):
            value = _by_us(tuple(each.avp for each in value))
        elif known is not None and known.kind == "time":
            value = Group([field.avp]).get(field.name)
        elif known is not None and known.kind in ("identity", "uri", "rule"):
            value = value.encode() if known.kind != "uri" else value
        elif known is not None and known.kind == "address":
            value = value.removeprefix("+")
        told.append((field.avp.code, field.avp.vendor, bool(field.avp.flags & 0x40), value))
    return told


@pytest.mark.parametrize("name", CAPTURES)
def test_every_message_reads_as_an_independent_decoder_reads_it(name: str, captures: Path) -> None:
    messages = _messages(captures / name)
    assert len(messages) == CAPTURES[name]
    for captured in messages:
        header, avps = ours = decode_message(captured.data)
        oracle = OracleMessage.from_bytes(captured.data, plain_msg=True)
        assert (header.command, header.application) == (oracle.header.command_code, oracle.header.application_id)
        assert (header.hop_by_hop, header.end_to_end) == (
            oracle.header.hop_by_hop_identifier,
            oracle.header.end_to_end_identifier,
        )
        assert header.flags == oracle.header.command_flags
        if header.command in (Command.CREDIT_CONTROL, Command.ACCOUNTING) and header.application in (3, 4):
            assert _by_us(avps) == _by_oracle(oracle.avps)
        assert encode_message(ours) == captured.data


def _credit(captures: Path, name: str) -> list[tuple[int, Group]]:
    decoded = (decode_message(captured.data) for captured in _messages(captures / name))
    return [(header.flags & 0x80, Group(avps)) for header, avps in decoded if header[1:3] == (272, 4)]


def _octets(group: Group, name: str) -> int:
    units = [unit for service in group.all("Multiple-Services-Credit-Control") for unit in service.all(name)]
    return sum(unit.get("CC-Total-Octets", 0) for unit in units)


@pytest.mark.parametrize(
    ("name", "count", "used", "granted"), [(MAGMA_03, 14, 27_500, 32_000), (MAGMA_05, 5, 7_500, 7_500)]
)
def test_totals_of_the_public_captures(name: str, count: int, used: int, granted: int, captures: Path) -> None:
    messages = _credit(captures, name)
    requests = [group for flag, group in messages if flag]
    answers = [group for flag, group in messages if not flag]
    assert (len(requests), len(answers)) == (count, count)
    assert sum(_octets(group, "Used-Service-Unit") for group in requests) == used
    assert sum(_octets(group, "Granted-Service-Unit") for group in answers) == granted


def test_every_definition_has_the_number_and_form_that_an_independent_dictionary_has() -> None:
    kinds = {
        "octets": ("OctetString", "Utf8String"), "text": ("Utf8String",), "identity": ("OctetString",), "uri": ("Utf8String",),
        "address": ("Address",), "time": ("Time",), "u32": ("Unsigned32", "Integer32"), "u64": ("Unsigned64",),
        "i32": ("Integer32", "Enumerated"), "i64": ("Integer64",), "enumerated": ("Integer32", "Enumerated", "Unsigned32"),
        "grouped": ("Grouped",), "rule": ("OctetString",),
    }  # fmt: skip
    other_forms = {"Number-Of-Participants", "3GPP-Session-Stop-Indicator", "3GPP-NSAPI"}  # as TS 29.061 has them
    since_rfc_8506 = set()
    for definition in NAMED.values():
        table = AVP_VENDOR_DICTIONARY[definition.vendor] if definition.vendor else AVP_DICTIONARY
        there = table.get(definition.code)
        if there is None:
            since_rfc_8506.add(definition.code)
            continue
        assert there["name"].lower().removeprefix("3gpp-") == definition.name.lower().removeprefix("3gpp-")
        form = there["type"].__name__.removeprefix("Avp")
        assert form in kinds[definition.kind] or definition.name in other_forms, (definition.name, form)
    assert since_rfc_8506 <= set(range(653, 670))


# ---- files and streams that are made here


def _pcap(segments: list[bytes], order: str = "<", link: int = 101) -> bytes:
    head = struct.pack(order + "IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, link)
    return head + b"".join(
        struct.pack(order + "IIII", 100 + number, 5, len(packet), len(packet)) + packet
        for number, packet in enumerate(segments)
    )


def _ipv4(payload: bytes, protocol: int = 6) -> bytes:
    head = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 0, 0, 64, protocol, 0, b"\x0a\0\0\1", b"\x0a\0\0\2")
    return head + payload


def _ipv6(payload: bytes) -> bytes:
    return struct.pack(">IHBB16s16s", 6 << 28, len(payload), 6, 64, b"\xfe" * 16, b"\xfd" * 16) + payload


def _tcp(sequence: int, payload: bytes, flags: int = 0x10) -> bytes:
    return struct.pack(">HHIIBBHHH", 3868, 40000, sequence % 2**32, 0, 5 << 4, flags, 100, 0, 0) + payload


def _sctp(*chunks: tuple[int, int, bytes]) -> bytes:
    body = b"".join(
        struct.pack(">BBHIHHI", 0, flags, 16 + len(data), number, 0, 0, 46) + data + bytes(-len(data) & 3)
        for number, flags, data in chunks
    )
    return struct.pack(">HHII", 3868, 40000, 1, 0) + body


def _read(file: bytes) -> tuple[list[bytes], CaptureSheet]:
    sheet = CaptureSheet()
    return [captured.data for captured in read_capture(io.BytesIO(file), sheet)], sheet


ONE = bytes.fromhex("01000014 80000118 00000000 00000001 00000002")
TWO = bytes.fromhex("01000020 80000101 00000000 00000003 00000004 00000108 4000000a 61620000".replace(" ", ""))


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 1, 0], [1, 0, 2], [0, 0, 2, 1, 1]])
def test_segments_come_in_any_order_and_again(order: list[int]) -> None:
    start, joined = 2**32 - 6, ONE + TWO
    cuts = [joined[:7], joined[7:30], joined[30:]]
    at = [start, start + 7, start + 30]
    packets = [_ipv4(_tcp(start - 1, b"", 0x02))] + [_ipv4(_tcp(at[part], cuts[part])) for part in order]
    assert _read(_pcap(packets)) == ([ONE, TWO], CaptureSheet(packets=len(packets)))
    assert _read(_pcap(packets, order=">"))[0] == [ONE, TWO]


def test_a_stream_that_was_open_before_begins_with_a_message() -> None:
    packets = [_ipv6(_tcp(50, TWO[9:])), _ipv6(_tcp(500, ONE + TWO[:3])), _ipv6(_tcp(523, TWO[3:]))]
    assert _read(_pcap(packets))[0] == [ONE, TWO]


def test_overlapping_segments_are_taken_once() -> None:
    packets = [_ipv4(_tcp(1, ONE[:15])), _ipv4(_tcp(1, ONE + TWO[:1])), _ipv4(_tcp(16, ONE[15:] + TWO))]
    assert _read(_pcap(packets))[0] == [ONE, TWO]


def test_what_is_no_message_ends_a_stream_until_one_begins() -> None:
    packets = [_ipv4(_tcp(1, ONE)), _ipv4(_tcp(21, b"GET / HTTP/1.1\r\n\r\n....")), _ipv4(_tcp(99, TWO))]
    messages, sheet = _read(_pcap(packets))
    assert messages == [ONE, TWO]
    assert sheet.lost == 1


def test_chunks_of_sctp_are_joined_and_taken_once() -> None:
    whole, first, last, again = (7, 3, ONE), (8, 2, TWO[:9]), (9, 1, TWO[9:]), (7, 3, ONE)
    packets = [_ipv4(_sctp(whole, first), 132), _ipv4(_sctp(again, last), 132), _ipv4(_sctp((20, 1, TWO[9:])), 132)]
    assert _read(_pcap(packets))[0] == [ONE, TWO]


def test_packets_without_a_segment_are_counted() -> None:
    fragment = bytearray(_ipv4(_tcp(1, ONE)))
    fragment[6] = 0x20
    cut = _ipv4(_tcp(1, ONE))[:-4]
    packets = [bytes(fragment), cut, b"", b"\x45", _ipv4(b"\0" * 40, protocol=17), _ipv4(_tcp(1, ONE))]
    assert _read(_pcap(packets)) == ([ONE], CaptureSheet(packets=6, passed_over=5))


@pytest.mark.parametrize(
    ("link", "head"),
    [
        (1, bytes(12) + b"\x08\x00"), (1, bytes(12) + b"\x81\x00\x00\x05\x08\x00"), (113, bytes(14) + b"\x08\x00"),
        (276, b"\x08\x00" + bytes(18)), (0, b"\x02\0\0\0"),
    ],
)  # fmt: skip
def test_link_layers(link: int, head: bytes) -> None:
    assert _read(_pcap([head + _ipv4(_tcp(1, ONE))], link=link))[0] == [ONE]


def test_what_is_no_capture_is_refused() -> None:
    for file in (b"", b"abc", b"\x01\x00\x00\x14" + bytes(100)):
        with pytest.raises(UnableToReadCapture, match="neither pcap nor pcapng"):
            _read(file)


@pytest.mark.parametrize("name", [RELAY, MAGMA_05])
def test_a_capture_that_was_cut_is_read_up_to_there(name: str, captures: Path) -> None:
    file = (captures / name).read_bytes()
    sheet, found = CaptureSheet(), []
    with pytest.raises(UnableToReadCapture, match="ends within"):
        found.extend(found.append(each) or () for each in read_capture(io.BytesIO(file[: len(file) // 2 + 3]), sheet))
    assert 0 < len(found) < CAPTURES[name]


def test_a_message_has_bounded_avps() -> None:
    assert AVPS_MAX * 8 < 1 << 20
