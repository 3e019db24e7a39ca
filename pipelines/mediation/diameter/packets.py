"""Packets of a capture: files in pcap and pcapng, link layers, IPv4 and IPv6, down to segments of TCP and SCTP."""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

PACKET_BYTES_MAX = 1 << 20
TCP, SCTP = 6, 132
_PCAP = {
    b"\xd4\xc3\xb2\xa1": ("<", 1_000_000), b"\xa1\xb2\xc3\xd4": (">", 1_000_000),
    b"\x4d\x3c\xb2\xa1": ("<", 1_000_000_000), b"\xa1\xb2\x3c\x4d": (">", 1_000_000_000),
}  # fmt: skip
_PCAPNG = b"\n\r\r\n"
_SECTION, _INTERFACE, _SIMPLE, _ENHANCED = 0x0A0D0D0A, 1, 3, 6
_TSRESOL = 9
_ETHERNET, _COOKED, _COOKED_2, _NULL, _LOOP = 1, 113, 276, 0, 108
_RAW = (12, 14, 101, 228, 229)
_VLANS = (0x8100, 0x88A8, 0x9100)
_IPV4, _IPV6 = 0x0800, 0x86DD
_EXTENSIONS = (0, 43, 60)
"""IPv6 headers that are passed over: hop by hop, routing, destination options."""


class UnableToReadCapture(Exception):
    """A file is no capture, or is damaged; what it has before that was read."""


class Segment(NamedTuple):
    """What one packet carries. `at`: microseconds UTC; `protocol`: TCP or SCTP; `data`: from that header on."""

    at: int
    source: str
    destination: str
    protocol: int
    data: bytes


def read_segments(stream: BinaryIO) -> Iterator[Segment | None]:
    """Yield what each packet of a capture carries; None for one that carries neither TCP nor SCTP whole.

    Raises:
        UnableToReadCapture: when it is no capture, or ends within a packet.
    """
    for at, link, data in read_packets(stream):
        yield segment_of(at, link, data)


def read_packets(stream: BinaryIO) -> Iterator[tuple[int, int, bytes]]:
    """Yield time (microseconds UTC), link type and bytes of each packet of a capture.

    Raises:
        UnableToReadCapture: when it is no capture, or ends within a packet.
    """
    magic = stream.read(4)
    if magic in _PCAP:
        yield from _read_pcap(stream, *_PCAP[magic])
    elif magic == _PCAPNG:
        yield from _read_pcapng(stream)
    else:
        raise UnableToReadCapture(f"it begins with {magic.hex(' ') or 'nothing'}: neither pcap nor pcapng")


def _exactly(stream: BinaryIO, size: int) -> bytes:
    data = stream.read(size)
    if len(data) < size:
        raise UnableToReadCapture("it ends within a packet")
    return data


def _read_pcap(stream: BinaryIO, order: str, ticks: int) -> Iterator[tuple[int, int, bytes]]:
    link = struct.unpack(order + "I", _exactly(stream, 20)[16:])[0] & 0xFFFF
    head = struct.Struct(order + "IIII")
    while first := stream.read(head.size):
        if len(first) < head.size:
            raise UnableToReadCapture("it ends within a packet")
        seconds, fraction, size, _ = head.unpack(first)
        if size > PACKET_BYTES_MAX:
            raise UnableToReadCapture(f"a packet of {size} bytes; at most {PACKET_BYTES_MAX} are read")
        yield seconds * 1_000_000 + fraction * 1_000_000 // ticks, link, _exactly(stream, size)


def _read_pcapng(stream: BinaryIO) -> Iterator[tuple[int, int, bytes]]:
    order, kind = "<", _SECTION
    interfaces: list[tuple[int, int]] = []
    first = _PCAPNG
    while True:
        size_bytes = _exactly(stream, 4)
        if kind == _SECTION:
            magic = _exactly(stream, 4)
            order = "<" if magic == b"\x4d\x3c\x2b\x1a" else ">"
            if magic not in (b"\x4d\x3c\x2b\x1a", b"\x1a\x2b\x3c\x4d"):
                raise UnableToReadCapture("a section says no byte order")
        (size,) = struct.unpack(order + "I", size_bytes)
        passed = 12 if kind == _SECTION else 8
        if size < passed + 4 or size % 4 or size > 2 * PACKET_BYTES_MAX:
            raise UnableToReadCapture(f"a block of {size} bytes")
        body = _exactly(stream, size - passed)[:-4]
        if kind == _SECTION:
            interfaces = []
        elif kind == _INTERFACE and len(body) >= 8:
            interfaces.append((struct.unpack_from(order + "H", body)[0], _ticks(body[8:], order)))
        elif kind == _ENHANCED and len(body) >= 20:
            number, high, low, held, _ = struct.unpack_from(order + "IIIII", body)
            if number >= len(interfaces) or held > len(body) - 20:
                raise UnableToReadCapture("a packet of an interface that nothing says, or longer than its block")
            link, ticks = interfaces[number]
            yield (high << 32 | low) * 1_000_000 // ticks, link, body[20 : 20 + held]
        elif kind == _SIMPLE and len(body) >= 4 and interfaces:
            held = min(struct.unpack_from(order + "I", body)[0], len(body) - 4)
            yield 0, interfaces[0][0], body[4 : 4 + held]
        first = stream.read(4)
        if not first:
            return
        if len(first) < 4:
            raise UnableToReadCapture("it ends within a block")
        (kind,) = struct.unpack(order + "I", first)


def _ticks(options: bytes, order: str) -> int:
    """Return how many ticks a second has: option if_tsresol, else microseconds."""
    at = 0
    while at + 4 <= len(options):
        code, size = struct.unpack_from(order + "HH", options, at)
        if code == 0:
            break
        if code == _TSRESOL and size == 1 and at + 4 < len(options):
            said = options[at + 4]
            return int(2 ** (said & 0x7F) if said & 0x80 else 10 ** min(said, 18))
        at += 4 + size + (-size & 3)
    return 1_000_000


def segment_of(at: int, link: int, data: bytes) -> Segment | None:
    """Return what a packet carries, None when that is neither TCP nor SCTP, or a fragment."""
    start = _network_start(link, data)
    if start < 0 or start >= len(data):
        return None
    version = data[start] >> 4
    if version == 4:
        return _ipv4(at, data[start:])
    return _ipv6(at, data[start:]) if version == 6 else None


def _network_start(link: int, data: bytes) -> int:
    """Return where the IP header begins, -1 when there is none."""
    if link in _RAW:
        return 0
    if link in (_NULL, _LOOP):
        return 4
    if link == _COOKED:
        return _behind_type(data, 14)
    if link == _COOKED_2:
        return 20 if data[:2] in (b"\x08\x00", b"\x86\xdd") else -1
    return _behind_type(data, 12) if link == _ETHERNET else -1


def _behind_type(data: bytes, at: int) -> int:
    for _ in range(4):
        if at + 2 > len(data):
            return -1
        kind = int.from_bytes(data[at : at + 2])
        if kind in (_IPV4, _IPV6):
            return at + 2
        if kind not in _VLANS:
            return -1
        at += 4
    return -1


def _ipv4(at: int, data: bytes) -> Segment | None:
    if len(data) < 20:
        return None
    head, total = (data[0] & 15) * 4, int.from_bytes(data[2:4])
    if head < 20 or int.from_bytes(data[6:8]) & 0x3FFF:  # a fragment
        return None
    total = total or len(data)  # segments that a network card cuts have none
    if total > len(data) or total < head or data[9] not in (TCP, SCTP):
        return None
    source, destination = (str(ipaddress.IPv4Address(data[place : place + 4])) for place in (12, 16))
    return Segment(at, source, destination, data[9], data[head:total])


def _ipv6(at: int, data: bytes) -> Segment | None:
    if len(data) < 40:
        return None
    end, follows, place = 40 + int.from_bytes(data[4:6]), data[6], 40
    end = len(data) if end == 40 else end
    while follows in _EXTENSIONS and place + 8 <= len(data):
        follows, place = data[place], place + 8 + 8 * data[place + 1]
    if follows not in (TCP, SCTP) or end > len(data) or place > end:
        return None
    source, destination = (str(ipaddress.IPv6Address(data[where : where + 16])) for where in (8, 24))
    return Segment(at, source, destination, follows, data[place:end])
