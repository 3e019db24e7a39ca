"""The header of a file of charging data records (3GPP TS 32.297 §6.1.1).

Its times have no year, and none is made up for them: they are shown, nothing is computed from them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

from pipelines.mediation.blocks import read_into
from pipelines.mediation.failures import UnableToDecodeFile

LENGTHS_BYTES = 8
FIXED_BYTES = 48
"""Octets up to and with the lost-CDR indicator, which every release has."""
HEADER_BYTES_MAX = FIXED_BYTES + 2 * (2 + 0xFFFF) + 2
ALL_ONES = 0xFFFF_FFFF
"""A length or number that does not fit."""
RELEASES = (99, 4, 5, 6, 7, 8, 9, 10)
CLOSURE_REASONS = {
    0: "normal",
    1: "file size",
    2: "open time",
    3: "number of CDRs",
    4: "manual intervention",
    5: "change of release or version",
    128: "abnormal",
    129: "file system error",
    130: "no space",
    131: "integrity error",
}


@dataclass(frozen=True, slots=True)
class FileHeader:
    """What a file says of itself.

    Attributes:
        file_bytes, header_bytes: lengths of the file with its header, and of the header.
        high, low: highest and lowest (release, version) of its CDRs.
        opened, appended: local times of opening and of the last CDR, without a year: `--05-01T10:00+02:00`.
        cdrs: how many CDRs it holds; None where the number does not fit. sequence: its running number.
        closure: why it was closed. node: address of the node, 20 octets in hexadecimal.
        lost: what the node knows of CDRs that it lost. private: the private extension, in hexadecimal.
    """

    file_bytes: int
    header_bytes: int
    high: tuple[int, int]
    low: tuple[int, int]
    opened: str
    appended: str
    cdrs: int | None
    sequence: int
    closure: str
    node: str
    lost: str
    routing_filter: str
    private: str


def read_file_header(stream: BinaryIO) -> FileHeader | None:
    """Read the header of a file from its first byte on; None for an empty file.

    Raises:
        UnableToDecodeFile: MALFORMED_HEADER when there is none.
    """
    head = _read(stream, LENGTHS_BYTES)
    if not head:
        return None
    if len(head) < LENGTHS_BYTES:
        raise _malformed("the file is shorter than a header")
    header_bytes = int.from_bytes(head[4:8], "big")
    if not FIXED_BYTES <= header_bytes <= HEADER_BYTES_MAX:
        raise _malformed(f"a header cannot have {header_bytes} bytes")
    head += _read(stream, header_bytes - LENGTHS_BYTES)
    if len(head) < header_bytes:
        raise _malformed("the file ends within its header")
    return parse_file_header(head)


def parse_file_header(head: bytes) -> FileHeader:
    """Return what a header says, given all of it.

    Raises:
        UnableToDecodeFile: MALFORMED_HEADER when a length in it exceeds it.
    """
    filter_bytes, rest = _counted(head[FIXED_BYTES:], "routing filter")
    private, rest = _counted(rest, "private extension")
    high, rest = _release(head[8], rest)
    low, _ = _release(head[9], rest)
    cdrs = int.from_bytes(head[18:22], "big")
    return FileHeader(
        file_bytes=int.from_bytes(head[0:4], "big"),
        header_bytes=int.from_bytes(head[4:8], "big"),
        high=high,
        low=low,
        opened=_clock(head[10:14]),
        appended=_clock(head[14:18]),
        cdrs=None if cdrs == ALL_ONES else cdrs,
        sequence=int.from_bytes(head[22:26], "big"),
        closure=CLOSURE_REASONS.get(head[26], f"reason {head[26]}"),
        node=head[27:47].hex(),
        lost=_lost(head[47]),
        routing_filter=filter_bytes.hex(),
        private=private.hex(),
    )


def _read(stream: BinaryIO, size: int) -> bytes:
    buffer = np.empty(size, np.uint8)
    return buffer[: read_into(stream, buffer, 0, size)].tobytes()


def _malformed(why: str) -> UnableToDecodeFile:
    return UnableToDecodeFile("MALFORMED_HEADER", f"{why} (3GPP TS 32.297 §6.1.1)")


def _counted(rest: bytes, name: str) -> tuple[bytes, bytes]:
    """Return a part that two octets of length precede, empty where releases before it end, and what follows it."""
    if not rest:
        return b"", b""
    size = int.from_bytes(rest[:2], "big")
    if len(rest) < 2 + size:
        raise _malformed(f"the {name} is longer than the header")
    return rest[2 : 2 + size], rest[2 + size :]


def _release(octet: int, rest: bytes) -> tuple[tuple[int, int], bytes]:
    """Return (release, version) of three and five bits; release 10 and later are told by one more octet."""
    release, version = RELEASES[octet >> 5], octet & 31
    if octet >> 5 == 7 and rest:
        return (release + rest[0], version), rest[1:]
    return (release, version), rest


def _clock(octets: bytes) -> str:
    """Return month, day, hour, minute, sign and offset of 4, 5, 5, 6, 1, 5 and 6 bits in the form of ISO 8601."""
    bits = int.from_bytes(octets, "big")
    month, day, hour, minute = bits >> 28, bits >> 23 & 31, bits >> 18 & 31, bits >> 12 & 63
    sign, offset_hours, offset_minutes = "+" if bits >> 11 & 1 else "-", bits >> 6 & 31, bits & 63
    return f"--{month:02}-{day:02}T{hour:02}:{minute:02}{sign}{offset_hours:02}:{offset_minutes:02}"


def _lost(octet: int) -> str:
    """Return the lost-CDR indicator in words: the top bit says that the number below it is exact."""
    count, exact = octet & 127, octet >= 128
    if octet == 0:
        return "none"
    if count == 0:
        return "at least 1"
    return str(count) if exact and count < 127 else f"at least {count}"
