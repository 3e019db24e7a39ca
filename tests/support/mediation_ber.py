"""BER written and read slowly: an encoder, and twins of the walker and of the text of values."""

from __future__ import annotations

import io
import ipaddress
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from pipelines.mediation.ber.splitter import BerSplitter
from pipelines.mediation.ber.tags import Choice, Kind, ListOf, RecordKind, Structure, Type
from pipelines.mediation.blocks import split_blocks
from pipelines.mediation.extract import FieldMatrix
from pipelines.mediation.kernels.ber import DEPTH_MAX, ELEMENTS_MAX
from schemas.rejection import Reason

# ---- writing


def identifier(key: int, *, constructed: bool) -> bytes:
    """Return the identifier octets of a tag."""
    number, group = key >> 2, key & 3
    first = group << 6 | (0x20 if constructed else 0)
    if number < 31:
        return bytes([first | number])
    octets = [number & 127]
    while number := number >> 7:
        octets.append(128 | number & 127)
    return bytes([first | 31, *reversed(octets)])


def length_of(size: int, octets: int = 0) -> bytes:
    """Return length octets: the shortest form, or the long one with so many octets."""
    if octets == 0 and size < 128:
        return bytes([size])
    octets = octets or (size.bit_length() + 7) // 8
    return bytes([128 | octets]) + size.to_bytes(octets, "big")


def primitive(key: int, contents: bytes, *, octets: int = 0) -> bytes:
    """Return a primitive value."""
    return identifier(key, constructed=False) + length_of(len(contents), octets) + contents


def constructed(key: int, *parts: bytes, octets: int = 0, indefinite: bool = False) -> bytes:
    """Return a constructed value, of definite or indefinite length."""
    contents = b"".join(parts)
    if indefinite:
        return identifier(key, constructed=True) + b"\x80" + contents + b"\x00\x00"
    return identifier(key, constructed=True) + length_of(len(contents), octets) + contents


def integer(value: int) -> bytes:
    """Return the contents of an INTEGER."""
    return value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True)


def swapped(digits: str) -> bytes:
    """Return TBCD: two digits an octet, the low nibble first, a filler at an odd end."""
    padded = digits + "f" * (len(digits) % 2)
    return bytes(int(padded[i + 1] + padded[i], 16) for i in range(0, len(padded), 2))


# ---- reading


class Malformed(Exception):
    """The record is not BER, or not what its table says."""


class Endless(Exception):
    """No record begins here, or it has no end."""


def read_tag(data: bytes, at: int, stop: int) -> tuple[int, bool, int, int | None]:
    """Return (key, constructed, start of contents, length or None); IndexError when octets are missing before `stop`."""

    def octet() -> int:
        nonlocal at
        if at >= stop:
            raise IndexError
        at += 1
        return data[at - 1]

    first = octet()
    number = first & 31
    if number == 31:
        number = 0
        for _ in range(4):
            following = octet()
            number = number << 7 | following & 127
            if following < 128:
                break
        else:
            if at >= stop:
                raise IndexError
            raise Malformed
    length: int | None = octet()
    if length == 128:
        if not first & 32:
            raise Malformed
        length = None
    elif length is not None and length > 128:
        if length > 128 + 8:
            raise Malformed
        if at + length - 128 > stop:
            raise IndexError
        length = int.from_bytes(bytes(octet() for _ in range(length - 128)), "big")
        if length > 1 << 48:
            raise Malformed
    return number << 2 | first >> 6, bool(first & 32), at, length


def end_of(data: bytes, at: int) -> int:
    """Return where the record at `at` ends.

    Raises:
        Endless: when it does not.
    """
    try:
        key, _, at, length = read_tag(data, at, len(data))
        if key == 0:
            raise Endless
        depth = 0 if length is not None else 1
        at += length or 0
        while depth:
            if data[at : at + 2] == b"\0\0":
                depth, at = depth - 1, at + 2
                continue
            key, _, at, length = read_tag(data, at, len(data))
            if key == 0 or (length is None and depth == DEPTH_MAX):
                raise Endless
            depth += length is None
            at += length or 0
    except (IndexError, Malformed):
        raise Endless from None
    if at > len(data):
        raise Endless
    return at


State = tuple[Type, tuple[str, ...], tuple[str, ...], int]
EACH = -1
"""The state that follows the lists which open rows."""


@dataclass
class Instance:
    """One record or list element: its own values, and the elements of the list below it."""

    values: dict[int, str] = field(default_factory=dict)
    below: list[Instance] = field(default_factory=list)

    def rows(self) -> list[dict[int, str]]:
        """Return a row for each innermost element, with what is around it."""
        if not self.below:
            return [self.values]
        return [self.values | row for element in self.below for row in element.rows()]


@dataclass(frozen=True)
class Reader:
    """Reads records by their tables, path by path."""

    kinds: dict[str, RecordKind]
    fields: tuple[str, ...]
    wanted: tuple[str, ...]
    each: tuple[str, ...] = ()
    bytes_max: int = 1 << 20
    choice_field: str = "recordType"

    def rows(self, raw: bytes) -> tuple[Reason, list[list[str]]]:
        """Return the reason and the rows of one whole record."""
        none = [[""] * len(self.fields)]
        key, is_constructed, start, length = read_tag(raw, 0, len(raw))
        found = [name for name, kind in self.kinds.items() if kind.tag == key]
        name = found[0] if found else ""
        if self.choice_field in self.fields:
            none[0][self.fields.index(self.choice_field)] = name
        if len(raw) > self.bytes_max:
            return Reason.RECORD_TOO_LONG, none
        if not name or not is_constructed:
            return Reason.MALFORMED_RECORD, none
        if name not in self.wanted:
            return Reason.FILTERED_BY_SOURCE, none
        top = Instance()
        states: list[State] = [
            (self.kinds[name].members, tuple(path.split(".")), (), slot)
            for slot, path in enumerate(self.fields)
            if path != self.choice_field and self._exists(name, path)
        ]
        active = next((path for path in self.each if self._is_list(self.kinds[name].members, path)), "")
        if active:
            states.append((self.kinds[name].members, tuple(active.split(".")), (), EACH))
        try:
            end = self._walk(raw, start, len(raw) if length is not None else None, len(raw), states, [top], active, 0)
        except (Malformed, IndexError):
            return Reason.MALFORMED_RECORD, none
        rows = [[row.get(slot, "") for slot in range(len(self.fields))] for row in top.rows()]
        if end != len(raw) or len(rows) > ELEMENTS_MAX:
            return Reason.MALFORMED_RECORD, none
        for row in rows:
            if self.choice_field in self.fields:
                row[self.fields.index(self.choice_field)] = name
        return Reason.NONE, rows

    def _walk(
        self,
        data: bytes,
        at: int,
        end: int | None,
        bound: int,
        states: list[State],
        instances: list[Instance],
        active: str,
        depth: int,
    ) -> int:
        if depth > DEPTH_MAX:
            raise Malformed
        while at != end:
            if end is None and data[at : min(at + 2, bound)] == b"\0\0":
                return at + 2
            key, is_constructed, at, length = read_tag(data, at, bound)
            if key == 0 or at + (length or 0) > bound:
                raise Malformed
            opens, following = False, []
            for kind, rest, done, slot in states:
                for below, left, gone in self._advance(kind, rest, done, key, active):
                    element = isinstance(kind, ListOf)
                    opens = opens or (slot == EACH and element)
                    if slot != EACH or left or not element:
                        following.append((below, left, gone, slot))
                    elif element:
                        following.append((below, ("",), gone, slot))  # leads nowhere, but must be what it is
            if not following:
                if length is None:
                    at = self._walk(data, at, None, bound, [], instances, active, depth + 1)
                else:
                    at += length
                continue
            is_value = any(isinstance(below, Kind) for below, _, _, _ in following)
            if is_value == is_constructed:
                raise Malformed
            inside = instances
            if opens:
                inside = [*instances, Instance()]
                instances[-1].below.append(inside[-1])
            if not is_value:
                stop = None if length is None else at + length
                at = self._walk(data, at, stop, bound if stop is None else stop, following, inside, active, depth + 1)
                continue
            assert length is not None
            for below, left, _, slot in following:
                assert isinstance(below, Kind)
                if slot != EACH:
                    plus = left == ("international",)
                    inside[-1].values.setdefault(slot, text_of(data[at : at + length], below, plus=plus))
            at += length
        return at

    def _advance(
        self, kind: Type, rest: tuple[str, ...], done: tuple[str, ...], key: int, active: str
    ) -> Iterator[tuple[Type, tuple[str, ...], tuple[str, ...]]]:
        if isinstance(kind, ListOf):
            path = ".".join(done)
            if path in self.each and not f"{active}.".startswith(f"{path}."):
                return
            if kind.tag is None:
                yield from self._advance(kind.element, rest, done, key, active)
            elif kind.tag == key:
                yield kind.element, rest, done
        elif isinstance(kind, Structure):
            names = rest[:1] or ((kind.main,) if kind.main else ())
            if not names and isinstance(kind, Choice):
                names = tuple(name for name, (_, below) in kind.members.items() if ends(below))
            for name in names:
                if name in kind.members:
                    tag, below = kind.members[name]
                    if tag is None:
                        yield from self._advance(below, rest[1:], (*done, name), key, active)
                    elif tag == key:
                        yield below, rest[1:], (*done, name)

    def _exists(self, name: str, path: str) -> bool:
        kind: Type = self.kinds[name].members
        for part in path.split("."):
            while isinstance(kind, ListOf):
                kind = kind.element
            if isinstance(kind, Kind):
                return part == "international" and kind in (Kind.ADDRESS, Kind.SMS_ADDRESS)
            if part not in kind.members:
                return False
            kind = kind.members[part][1]
        while isinstance(kind, ListOf):
            kind = kind.element
        return ends(kind)

    def _is_list(self, kind: Type, path: str) -> bool:
        for part in path.split("."):
            while isinstance(kind, ListOf):
                kind = kind.element
            if isinstance(kind, Kind) or part not in kind.members:
                return False
            kind = kind.members[part][1]
        return isinstance(kind, ListOf)


def ends(kind: Type) -> bool:
    """Return whether a path may end here."""
    if isinstance(kind, Kind):
        return True
    if isinstance(kind, ListOf):
        return False
    return kind.main is not None or (
        isinstance(kind, Choice) and any(ends(below) for _, below in kind.members.values())
    )


Row = tuple[Reason, bytes, list[str]]


def read_file(reader: Reader, data: bytes) -> list[Row]:
    """Return the rows of a whole file.

    Raises:
        Endless: when a record has no end.
    """
    found: list[Row] = []
    at = 0
    while at < len(data):
        if data[at] in (0, 255):
            at += 1
            continue
        stop = end_of(data, at)
        raw = data[at:stop]
        reason, rows = reader.rows(raw)
        found += [(reason, raw, row) for row in rows]
        at = stop
    return found


def rows_of(matrix: FieldMatrix) -> Iterator[Row]:
    """Return the rows of a matrix."""
    for row in range(len(matrix)):
        raw = matrix.raw[matrix.raw_start[row] : matrix.raw_end[row]].tobytes()
        texts = [
            matrix.text[matrix.start[slot, row] : matrix.end[slot, row]].tobytes().decode()
            for slot in range(len(matrix.start))
        ]
        yield Reason(int(matrix.reason[row])), raw, texts


def split_file(splitter: BerSplitter, data: bytes, *, block_bytes: int = 1 << 20) -> list[Row]:
    """Return the rows of a whole file as the kernels see them."""
    blocks = split_blocks(
        io.BytesIO(data),
        splitter,
        carried=b"",
        block_bytes=block_bytes,
        record_bytes_max=splitter.record_bytes_max,
    )
    return [row for matrix in blocks for row in rows_of(matrix)]


# ---- values


def _nibbles(raw: bytes, *, low_first: bool) -> str:
    pairs = [(octet & 15, octet >> 4) if low_first else (octet >> 4, octet & 15) for octet in raw]
    digits = "".join("0123456789*#abcF"[nibble] for pair in pairs for nibble in pair).rstrip("F")
    if "F" in digits:
        raise ValueError
    return digits


def _address(raw: bytes, *, plus: bool) -> str:
    first = raw[0]
    while raw[0] < 128:
        raw = raw[1:]
    sign = "+" if plus and first >> 4 & 7 == 1 and len(raw) > 1 else ""
    return sign + _nibbles(raw[1:], low_first=True)


def _sms_address(raw: bytes, *, plus: bool) -> str:
    if raw[0] < 128:
        if (raw[0] + 1) // 2 != len(raw) - 2:
            raise ValueError
        raw = raw[1:]
    if raw[0] < 128 or raw[0] >> 4 & 7 == 5:
        raise ValueError
    return _address(raw, plus=plus)


def _timestamp(raw: bytes) -> str:
    digits = (raw[:6] + raw[7:]).hex()
    if len(raw) != 9 or not digits.isdecimal() or raw[6:7] not in (b"+", b"-"):
        raise ValueError
    year, month, day, hour, minute, second, zone_hour, zone_minute = (digits[i : i + 2] for i in range(0, 16, 2))
    return f"20{year}-{month}-{day}T{hour}:{minute}:{second}{chr(raw[6])}{zone_hour}:{zone_minute}"


def _time_zone(raw: bytes) -> str:
    octet, _ = raw
    if octet >> 4 > 9:
        raise ValueError
    minutes = 15 * (10 * (octet & 7) + (octet >> 4))
    return f"{'-' if octet & 8 else '+'}{minutes // 60:02}:{minutes % 60:02}"


def _plmn(raw: bytes) -> str:
    if len(raw) != 3:
        raise ValueError
    one, two, three, last, four, five = (nibble for octet in raw for nibble in (octet & 15, octet >> 4))
    digits = [one, two, three, four, five] + ([] if last == 15 else [last])
    if max(digits) > 9:
        raise ValueError
    return "".join(map(str, digits))


def _ip(raw: bytes) -> str:
    if len(raw) == 16:
        return str(ipaddress.IPv6Address(raw)) if raw[:12] != b"\0" * 10 + b"\xff\xff" else _mapped(raw)
    return str(ipaddress.IPv4Address(raw))


def _mapped(raw: bytes) -> str:
    return f"::ffff:{int.from_bytes(raw[12:14], 'big'):x}:{int.from_bytes(raw[14:], 'big'):x}"


def _string(raw: bytes) -> str:
    if any(octet < 32 or octet == 127 for octet in raw):
        raise ValueError
    return raw.decode()


def _integer(raw: bytes) -> str:
    value = int.from_bytes(raw, "big", signed=True)
    if not -(1 << 63) <= value < 1 << 64:
        raise ValueError
    return str(value)


def _bits(raw: bytes) -> str:
    if raw[0] > 7:
        raise ValueError
    return raw[1:].hex()


def _boolean(raw: bytes) -> str:
    (octet,) = raw
    return "true" if octet else "false"


def _null(raw: bytes) -> str:
    if raw:
        raise ValueError
    return "true"


READERS: dict[Kind, Callable[..., str]] = {
    Kind.INTEGER: _integer,
    Kind.BOOLEAN: _boolean,
    Kind.NULL: _null,
    Kind.STRING: _string,
    Kind.OCTETS: bytes.hex,
    Kind.BITS: _bits,
    Kind.TBCD: lambda raw: _nibbles(raw, low_first=True),
    Kind.BCD: lambda raw: _nibbles(raw, low_first=False),
    Kind.ADDRESS: lambda raw: _address(raw, plus=False),
    Kind.ADDRESS_INTERNATIONAL: lambda raw: _address(raw, plus=True),
    Kind.SMS_ADDRESS: lambda raw: _sms_address(raw, plus=False),
    Kind.SMS_ADDRESS_INTERNATIONAL: lambda raw: _sms_address(raw, plus=True),
    Kind.TIMESTAMP: _timestamp,
    Kind.TIME_ZONE: _time_zone,
    Kind.PLMN: _plmn,
    Kind.IP: _ip,
}
WITH_PLUS = {Kind.ADDRESS: Kind.ADDRESS_INTERNATIONAL, Kind.SMS_ADDRESS: Kind.SMS_ADDRESS_INTERNATIONAL}


def text_of(raw: bytes, kind: Kind, *, plus: bool = False) -> str:
    """Return the text of a value."""
    if not raw and kind not in (Kind.NULL, Kind.BOOLEAN):
        return ""
    reader: Any = READERS[WITH_PLUS[kind] if plus else kind]
    try:
        return str(reader(raw))
    except (ValueError, IndexError, TypeError):
        return "0x" + raw.hex()
