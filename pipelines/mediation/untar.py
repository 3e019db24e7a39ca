"""The files in a tar archive, one after another: POSIX.1-2017 pax interchange format ("pax", EXTENDED DESCRIPTION), and GNU's.

Read as a stream and strictly: headers have the right sum, only regular files and directories are in it, no path leaves
the directory, and nothing follows the end but zeros.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from pipelines.mediation.unpack import READ_BYTES, UnableToReadFile, corrupt, unsupported

BLOCK = 512
MEMBERS_MAX = 10_000
HEADER_MAX = 1 << 20
"""Bytes of one extended header or long name."""
TAR_MAGICS = (b"ustar\x00", b"ustar  \x00")
TAR_MAGIC_AT = 257
_REGULAR, _DIRECTORY = (b"0", b"\x00", b"7"), b"5"
_PAX, _PAX_GLOBAL, _LONG_NAME = b"x", b"g", b"L"
_OTHER = {
    b"1": "a hard link", b"2": "a symbolic link", b"3": "a device", b"4": "a device", b"6": "a pipe", b"S": "a sparse file",
    b"M": "a part of a file", b"K": "a link",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Member:
    """A file in an archive: its path, and its size in bytes."""

    name: str
    size: int


_CLUTTER = frozenset({b".DS_Store", b"Thumbs.db", b"desktop.ini"})


def is_clutter(name: bytes) -> bool:
    """Return whether a path in an archive is what file managers put there by themselves, and nobody's usage."""
    *directories, last = name.replace(b"\\", b"/").split(b"/")
    return b"__MACOSX" in directories or last in _CLUTTER or last.startswith(b"._")


class TarStream:
    """Walks an archive; between two members, `chunks` yields what the first one holds.

    Attributes:
        left_out: the paths passed over so far, because file managers put them there.
    """

    def __init__(self, stream: BinaryIO, *, bytes_max: int) -> None:
        """Read an archive whose files have at most `bytes_max` bytes in all."""
        self.left_out: list[str] = []
        self._stream = stream
        self._bytes_left = bytes_max
        self._bytes_max = bytes_max
        self._data_left = 0
        self._padding = 0

    def members(self) -> Iterator[Member]:
        """Yield the files in the archive, in order.

        Raises:
            UnableToReadFile: CORRUPT_ARCHIVE, UNSUPPORTED_ARCHIVE or ARCHIVE_BOMB, or what the stream raises.
        """
        count = 0
        common: dict[bytes, bytes] = {}
        given: dict[bytes, bytes] = {}
        while (header := self._header()) is not None:
            kind = header[156:157]
            size = _number(header[124:136])
            if kind in (_PAX, _PAX_GLOBAL, _LONG_NAME):
                content = self._content(size)
                if kind == _LONG_NAME:
                    given[b"path"] = content.rstrip(b"\x00")
                elif kind == _PAX_GLOBAL:
                    common |= _records(content)
                else:
                    given |= _records(content)
                continue
            given, attributes = {}, common | given
            if any(name.startswith(b"GNU.sparse") for name in attributes):
                raise unsupported("the tar archive holds a sparse file: pack it without --sparse")
            name = attributes.get(b"path", _name(header))
            if b"size" in attributes:
                size = _decimal(attributes[b"size"])
            if kind not in _REGULAR and kind != _DIRECTORY:
                what = _OTHER.get(kind, "something that is no file")
                raise unsupported(f"the tar archive holds {what}: pack only files")
            is_directory = kind == _DIRECTORY or (kind in _REGULAR and name.endswith(b"/"))
            _check_name(name)
            count += 1
            if count > MEMBERS_MAX:
                raise UnableToReadFile("ARCHIVE_BOMB", f"the tar archive holds more than {MEMBERS_MAX} files")
            if size > self._bytes_left:
                told = f"the files in the tar archive have more than the {self._bytes_max} bytes accepted"
                raise UnableToReadFile("ARCHIVE_BOMB", told)
            if is_directory and size:
                raise corrupt("a directory in the tar archive has content")
            self._bytes_left -= size
            self._data_left, self._padding = size, -size % BLOCK
            text = name.decode("utf-8", "replace")
            if not is_directory and is_clutter(name):
                self.left_out.append(text)
            elif not is_directory:
                yield Member(text, size)
            for _ in self.chunks():
                pass
            self._exactly(self._padding)
        self._end()

    def chunks(self) -> Iterator[bytes]:
        """Yield what is left of the member at hand.

        Raises:
            UnableToReadFile: as `members` does.
        """
        while self._data_left:
            chunk = self._exactly(min(self._data_left, READ_BYTES))
            self._data_left -= len(chunk)
            yield chunk

    def _exactly(self, count: int) -> bytes:
        found = b""
        while len(found) < count:
            chunk = self._stream.read(count - len(found))
            if not chunk:
                raise corrupt("the tar archive is truncated")
            found += chunk
        return found

    def _header(self) -> bytes | None:
        header = self._exactly(BLOCK)
        if header == bytes(BLOCK):
            return None
        total = sum(header) - sum(header[148:156]) + 8 * ord(" ")
        if not header.startswith(TAR_MAGICS, TAR_MAGIC_AT) or _number(header[148:156]) != total:
            raise corrupt("a header in the tar archive is damaged")
        return header

    def _content(self, size: int) -> bytes:
        if size > HEADER_MAX:
            raise corrupt(f"a header in the tar archive has {size} bytes")
        content = self._exactly(size)
        self._exactly(-size % BLOCK)
        return content

    def _end(self) -> None:
        while chunk := self._stream.read(READ_BYTES):
            if chunk.count(0) != len(chunk):
                raise corrupt("bytes of the tar archive belong to no file in it: pack the files again")


def _number(text: bytes) -> int:
    """Return a number of a header: octal digits, or from GNU, with the first bit set, the bytes themselves."""
    if text[:1] == b"\x80":
        return int.from_bytes(text[1:], "big")
    digits = text.strip(b" \x00")
    if not re.fullmatch(rb"[0-7]{0,12}", digits):
        raise corrupt("a number in the tar archive is damaged")
    return int(digits or b"0", 8)


def _decimal(text: bytes) -> int:
    if not re.fullmatch(rb"[0-9]{1,18}", text):
        raise corrupt("a size in the tar archive is damaged")
    return int(text)


def _name(header: bytes) -> bytes:
    name = header[:100].split(b"\x00")[0]
    prefix = header[345:500].split(b"\x00")[0] if header.startswith(TAR_MAGICS[0], TAR_MAGIC_AT) else b""
    return prefix + b"/" + name if prefix else name


def _records(content: bytes) -> dict[bytes, bytes]:
    """Return the records of an extended header: `LENGTH KEY=VALUE` and a line end each, its own length included."""
    found = {}
    at = 0
    while at < len(content):
        blank = content.find(b" ", at, at + 12)
        length = _decimal(content[at:blank]) if blank > at else 0
        record = content[blank + 1 : at + length]
        key, equals, value = record.partition(b"=")
        if at + length > len(content) or not equals or not value.endswith(b"\n"):
            raise corrupt("an extended header in the tar archive is damaged")
        found[key] = value[:-1]
        at += length
    return found


def _check_name(name: bytes) -> None:
    parts = name.split(b"/")
    if not name or b".." in parts or parts[0] == b"" or b"\x00" in name:
        raise unsupported(
            "the path of a file in the tar archive leaves its directory: pack the files under their names"
        )
