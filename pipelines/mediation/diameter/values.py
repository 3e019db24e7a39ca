"""Values of AVPs: what their bytes say, by kind, and back (RFC 6733 §4.2, §4.3)."""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Callable
from typing import Any, NamedTuple

NTP_UNIX_S = 2_208_988_800
"""Seconds from 1900 to 1970."""
ERA_S = 2**32
IPV4, IPV6, E164 = 1, 2, 8
"""Families of addresses (IANA address family numbers)."""


class Wrong(ValueError):
    """A value has a length or content that its kind cannot have. `is_length`: it is the length."""

    def __init__(self, words: str, *, is_length: bool) -> None:
        """Keep what is wrong."""
        super().__init__(words)
        self.is_length = is_length


class Kind(NamedTuple):
    """How values of a kind read. `bytes_min`: the shortest that one can be."""

    read: Callable[[bytes], Any]
    write: Callable[[Any], bytes]
    bytes_min: int


def _number(form: str) -> Kind:
    packed = struct.Struct(form)

    def read(data: bytes) -> int:
        if len(data) != packed.size:
            raise Wrong(f"{len(data)} bytes where {packed.size} are a number", is_length=True)
        found: int = packed.unpack(data)[0]
        return found

    def write(value: int) -> bytes:
        try:
            return packed.pack(value)
        except struct.error as error:
            raise Wrong(f"{value} does not fit", is_length=False) from error

    return Kind(read, write, packed.size)


_NTP = _number(">I")


def _read_text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise Wrong("it is not UTF-8", is_length=False) from error


def _read_ascii(data: bytes) -> str:
    try:
        return data.decode("ascii")
    except UnicodeDecodeError as error:
        raise Wrong("it is not ASCII", is_length=False) from error


def _read_identity(data: bytes) -> str:
    if not data:
        raise Wrong("it is empty", is_length=True)
    return _read_ascii(data)


def _read_time(data: bytes) -> int:
    """Return seconds since 1970, UTC; numbers whose first bit is 0 are after 2036-02-07T06:28:16Z (RFC 6733 §4.3.1)."""
    since_1900: int = _NTP.read(data)
    return since_1900 - NTP_UNIX_S + (ERA_S if since_1900 < 2**31 else 0)


def _write_time(seconds: int) -> bytes:
    since_1900 = seconds + NTP_UNIX_S
    if not 2**31 <= since_1900 < 2**31 + ERA_S:
        raise Wrong(f"{seconds} s is out of range", is_length=False)
    return _NTP.write(since_1900 % ERA_S)


def _read_address(data: bytes) -> str:
    """Return an address as people write it; one of telephony as `+` and digits; others as `FAMILY:hexadecimal`."""
    if len(data) < 2:
        raise Wrong(f"{len(data)} bytes are no address", is_length=True)
    family, value = int.from_bytes(data[:2]), data[2:]
    if family in (IPV4, IPV6):
        if len(value) != (4 if family == IPV4 else 16):
            raise Wrong(f"{len(value)} bytes are no address of family {family}", is_length=True)
        return str(ipaddress.ip_address(value))
    if family == E164 and value.isdigit():
        return "+" + value.decode("ascii")
    return f"{family}:{value.hex()}"


def _write_address(text: str) -> bytes:
    if text.startswith("+") and text[1:].isascii() and text[1:].isdigit():
        return E164.to_bytes(2) + text[1:].encode()
    family, colon, value = text.partition(":")
    try:
        if colon and family.isascii() and family.isdigit() and len(value) % 2 == 0 and ":" not in value:
            number = int(family)
            if number not in (IPV4, IPV6):
                return number.to_bytes(2) + bytes.fromhex(value)
        found = ipaddress.ip_address(text)
    except (ValueError, OverflowError) as error:
        raise Wrong(f"{text!r} is no address", is_length=False) from error
    return (IPV4 if found.version == 4 else IPV6).to_bytes(2) + found.packed


def _write_ascii(text: str) -> bytes:
    try:
        return text.encode("ascii")
    except UnicodeEncodeError as error:
        raise Wrong("it is not ASCII", is_length=False) from error


def _write_text(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise Wrong("it is no text", is_length=False) from error


KINDS: dict[str, Kind] = {
    "octets": Kind(bytes, bytes, 0),
    "text": Kind(_read_text, _write_text, 0),
    "identity": Kind(_read_identity, _write_ascii, 1),
    "uri": Kind(_read_ascii, _write_ascii, 0),
    "rule": Kind(_read_ascii, _write_ascii, 0),
    "address": Kind(_read_address, _write_address, 2),
    "time": Kind(_read_time, _write_time, 4),
    "u32": _number(">I"),
    "u64": _number(">Q"),
    "i32": _number(">i"),
    "i64": _number(">q"),
    "enumerated": _number(">i"),
}
"""How every kind reads but `grouped`, which is AVPs again."""
