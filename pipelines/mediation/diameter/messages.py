"""Messages of Diameter: bytes to a header with AVPs, and back (RFC 6733 §3, §4)."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from pipelines.mediation.diameter.codes import ERROR, REQUEST, VENDOR, VERSION, Result

HEADER_BYTES = 20
AVP_BYTES = 8
VENDOR_AVP_BYTES = 12
MESSAGE_BYTES_MAX = 1 << 20
"""Longer messages are refused; the field itself could say 16 MiB."""
AVPS_MAX = 4096
"""How many AVPs one level may have."""
DEPTH_MAX = 12
"""How deep groups may lie in groups; those of TS 32.299 reach 6."""
_HEADER = struct.Struct(">IIIII")
_AVP = struct.Struct(">II")
_NUMBER = struct.Struct(">I")
LENGTH_MASK = 0xFFFFFF


class Header(NamedTuple):
    """The first 20 bytes, without version and length."""

    flags: int
    command: int
    application: int
    hop_by_hop: int
    end_to_end: int

    @property
    def is_request(self) -> bool:
        """Whether it asks."""
        return bool(self.flags & REQUEST)


class Avp(NamedTuple):
    """One attribute with its value as it is sent. `vendor`: 0 for those of the RFCs."""

    code: int
    vendor: int
    flags: int
    data: bytes


class Message(NamedTuple):
    """One message."""

    header: Header
    avps: tuple[Avp, ...]


class UnableToReadMessage(Exception):
    """A message is not what the protocol says.

    Attributes:
        result: what it is answered with. header: None where not even that can be read: the connection is lost.
        failed: the AVPs that are to blame, as Failed-AVP has them.
    """

    def __init__(self, result: Result, words: str, header: Header | None = None, failed: Sequence[Avp] = ()) -> None:
        """Keep what an answer needs."""
        super().__init__(words)
        self.result = result
        self.header = header
        self.failed = tuple(failed)


def message_length(data: bytes | bytearray | memoryview, bytes_max: int = MESSAGE_BYTES_MAX) -> int:
    """Return how long a message is whose first 4 bytes are given.

    Raises:
        UnableToReadMessage: when it cannot be: nothing behind it can be found, either.
    """
    word: int = _NUMBER.unpack_from(data)[0]
    length = word & LENGTH_MASK
    if word >> 24 != VERSION:
        raise UnableToReadMessage(Result.UNSUPPORTED_VERSION, f"the version is {word >> 24}, not {VERSION}")
    if length < HEADER_BYTES or length % 4 or length > bytes_max:
        raise UnableToReadMessage(
            Result.INVALID_MESSAGE_LENGTH,
            f"a message of {length} bytes: it has {HEADER_BYTES} to {bytes_max}, a multiple of 4",
        )
    return length


def decode_message(data: bytes, bytes_max: int = MESSAGE_BYTES_MAX) -> Message:
    """Return the message that some bytes are; groups in it are not opened.

    Raises:
        UnableToReadMessage: when its header or an AVP of its first level says what cannot be.
    """
    if len(data) < HEADER_BYTES:
        raise UnableToReadMessage(Result.INVALID_MESSAGE_LENGTH, f"{len(data)} bytes are no message")
    length = message_length(data, bytes_max)
    _, word, application, hop_by_hop, end_to_end = _HEADER.unpack_from(data)
    header = Header(word >> 24, word & LENGTH_MASK, application, hop_by_hop, end_to_end)
    if length != len(data):
        raise UnableToReadMessage(Result.INVALID_MESSAGE_LENGTH, f"it says {length} bytes, and has {len(data)}", header)
    if header.flags & REQUEST and header.flags & ERROR:
        raise UnableToReadMessage(Result.INVALID_HDR_BITS, "a request has the E bit", header)
    try:
        return Message(header, split_avps(data, HEADER_BYTES))
    except UnableToReadMessage as error:
        error.header = header
        raise


def split_avps(data: bytes, start: int = 0) -> tuple[Avp, ...]:
    """Return the AVPs of one level, from a byte on.

    Raises:
        UnableToReadMessage: INVALID_AVP_LENGTH when a length cannot be; AVP_OCCURS_TOO_MANY_TIMES when there are too many.
    """
    found: list[Avp] = []
    at, end = start, len(data)
    unpack = _AVP.unpack_from
    while at < end:
        if end - at < AVP_BYTES:
            raise UnableToReadMessage(Result.INVALID_AVP_LENGTH, f"{end - at} bytes are left, too few for an AVP")
        code, word = unpack(data, at)
        flags, length = word >> 24, word & LENGTH_MASK
        head = VENDOR_AVP_BYTES if flags & VENDOR else AVP_BYTES
        if length < head or length > end - at:
            raise UnableToReadMessage(
                Result.INVALID_AVP_LENGTH,
                f"AVP {code} says {length} bytes; at least {head}, and {end - at} are left",
                failed=[Avp(code, _vendor_of(data, at, flags), flags, b"")],
            )
        vendor = _NUMBER.unpack_from(data, at + AVP_BYTES)[0] if flags & VENDOR else 0
        if len(found) == AVPS_MAX:
            raise UnableToReadMessage(Result.AVP_OCCURS_TOO_MANY_TIMES, f"more than {AVPS_MAX} AVPs")
        found.append(Avp(code, vendor, flags, bytes(data[at + head : at + length])))
        at += length + (-length & 3)
    return tuple(found)


def _vendor_of(data: bytes, at: int, flags: int) -> int:
    there = flags & VENDOR and len(data) - at >= VENDOR_AVP_BYTES
    return int(_NUMBER.unpack_from(data, at + AVP_BYTES)[0]) if there else 0


def join_avps(avps: Iterable[Avp]) -> bytes:
    """Return AVPs as they are sent, each padded to 4 bytes.

    Raises:
        ValueError: when one is too long, or has a vendor without the V bit.
    """
    parts: list[bytes] = []
    for code, vendor, flags, data in avps:
        if bool(flags & VENDOR) != bool(vendor) and not flags & VENDOR:
            raise ValueError(f"AVP {code} of vendor {vendor} needs the V bit")
        length = (VENDOR_AVP_BYTES if flags & VENDOR else AVP_BYTES) + len(data)
        if length > LENGTH_MASK:
            raise ValueError(f"AVP {code} has {len(data)} bytes")
        parts.append(_AVP.pack(code, flags << 24 | length))
        if flags & VENDOR:
            parts.append(_NUMBER.pack(vendor))
        parts.append(data)
        parts.append(bytes(-length & 3))
    return b"".join(parts)


def encode_message(message: Message) -> bytes:
    """Return a message as it is sent.

    Raises:
        ValueError: when it is too long.
    """
    body = join_avps(message.avps)
    return encode_header(message.header, HEADER_BYTES + len(body)) + body


def encode_header(header: Header, length: int) -> bytes:
    """Return the first 20 bytes of a message that is so long with them.

    Raises:
        ValueError: when it is too long.
    """
    flags, command, application, hop_by_hop, end_to_end = header
    if length > LENGTH_MASK:
        raise ValueError(f"a message of {length} bytes")
    return _HEADER.pack(VERSION << 24 | length, flags << 24 | command, application, hop_by_hop, end_to_end)


def with_hop_by_hop(encoded: bytes, hop_by_hop: int) -> bytes:
    """Return an encoded message under another hop-by-hop id."""
    return encoded[:12] + _NUMBER.pack(hop_by_hop) + encoded[16:]
