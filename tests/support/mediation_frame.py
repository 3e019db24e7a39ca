"""A plain-Python twin of how records are found in JSON documents: one character at a time, recursively."""

from __future__ import annotations

BLANK = b" \t\r\n"
KINDS_KEPT = 62
CLOSING = {ord("{"): ord("}"), ord("["): ord("]")}


class Broken(Exception):
    """Nobody can say where the next record begins."""


def elements(data: bytes, *, array: bool, path: tuple[str, ...] = ()) -> list[bytes]:
    """Return the records of a file.

    Raises:
        Broken: when it is broken outside of them.
    """
    found: list[bytes] = []
    at = _blank(data, 0)
    while at < len(data):
        if not array:
            end, record = _document(data, at)
            found.append(record)
        else:
            end = _on_the_way(data, at, [name.encode() for name in path], found)
        at = _blank(data, end)
    return found


def _blank(data: bytes, at: int) -> int:
    while at < len(data) and data[at] in BLANK:
        at += 1
    return at


def _string_end(data: bytes, at: int) -> int:
    """Return the offset after the string that begins at `at`."""
    at += 1
    while at < len(data) and data[at] != ord('"'):
        at += 2 if data[at] == ord("\\") else 1
    if at >= len(data):
        raise Broken
    return at + 1


def _bracket_end(data: bytes, at: int) -> int:
    """Return the offset after the bracket that closes the one at `at`."""
    stack = []
    while True:
        if at >= len(data):
            raise Broken
        byte = data[at]
        if byte == ord('"'):
            at = _string_end(data, at)
            continue
        if byte in CLOSING:
            stack.append(CLOSING[byte])
        elif byte in b"}]":
            if len(stack) <= KINDS_KEPT and stack[-1] != byte:
                raise Broken
            stack.pop()
        at += 1
        if not stack:
            return at


def _document(data: bytes, at: int) -> tuple[int, bytes]:
    begin = at
    while at < len(data):
        byte = data[at]
        if byte in b"}]":
            raise Broken
        if byte == ord('"') or byte in CLOSING:
            at = _string_end(data, at) if byte == ord('"') else _bracket_end(data, at)
            return at, data[begin:at]
        if byte in BLANK:
            break
        at += 1
    return at, data[begin:at]


def _value_end(data: bytes, at: int, ends: bytes) -> int:
    """Return where a value ends that is followed by one of `ends` outside of brackets and strings."""
    while at < len(data) and data[at] not in ends:
        byte = data[at]
        if byte == ord('"'):
            at = _string_end(data, at)
        elif byte in CLOSING:
            at = _bracket_end(data, at)
        else:
            at += 1
    if at >= len(data):
        raise Broken
    return at


def _items(data: bytes, at: int, found: list[bytes]) -> int:
    """Collect the elements of the array at `at`; return the offset after it."""
    if at >= len(data) or data[at] != ord("["):
        raise Broken
    at += 1
    while True:
        end = _value_end(data, at, b",]}")
        if data[end] == ord("}"):
            raise Broken
        element = data[at:end].strip(BLANK)
        if element:
            found.append(element)
        at = end + 1
        if data[end] == ord("]"):
            return at


def _on_the_way(data: bytes, at: int, path: list[bytes], found: list[bytes]) -> int:
    if not path:
        return _items(data, at, found)
    if at >= len(data) or data[at] != ord("{"):
        raise Broken
    at, met, first = _blank(data, at + 1), False, True
    while True:
        if at >= len(data):
            raise Broken
        if data[at] == ord("}") and first:
            break
        if data[at] != ord('"'):
            raise Broken
        end = _string_end(data, at)
        name = data[at + 1 : end - 1]
        at = _blank(data, end)
        if at >= len(data) or data[at] != ord(":"):
            raise Broken
        at = _blank(data, at + 1)
        if name == path[0]:
            if met:
                raise Broken
            met = True
            at = _on_the_way(data, at, path[1:], found)
        else:
            at = _other_value(data, at)
        at, first = _blank(data, at), False
        if at >= len(data):
            raise Broken
        if data[at] == ord("}"):
            break
        if data[at] != ord(","):
            raise Broken
        at = _blank(data, at + 1)
    if not met:
        raise Broken
    return at + 1


def _other_value(data: bytes, at: int) -> int:
    """Return where a value ends that nobody reads; a bracket or a string ends it, too."""
    scalar = False
    while True:
        if at >= len(data):
            raise Broken
        byte = data[at]
        if byte == ord('"'):
            return _string_end(data, at)
        if byte in CLOSING:
            return _bracket_end(data, at)
        if byte in b",}]":
            if not scalar:
                raise Broken
            return at
        scalar |= byte not in BLANK
        at += 1
