"""Containers: plain or gzip files, verified to their last byte before anything inside is processed."""

from __future__ import annotations

import errno
import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Literal, cast

if TYPE_CHECKING:
    from typing_extensions import Buffer

Kind = Literal["plain", "gzip"]

GZIP_MAGIC = b"\x1f\x8b"
UNSUPPORTED: dict[bytes, str] = {
    b"PK\x03\x04": "zip",
    b"PK\x05\x06": "zip",
    b"BZh": "bzip2",
    b"\xfd7zXZ\x00": "xz",
    b"\x28\xb5\x2f\xfd": "zstandard",
    b"7z\xbc\xaf\x27\x1c": "7z",
}
READ_BYTES = 1 << 16
EXPAND_BYTES = 1 << 20
RATIO_FREE_BYTES = 1 << 20
"""Below this decoded size the expansion ratio does not matter: a small file of zeros is no attack."""


class UnableToReadFile(Exception):
    """The file cannot be read as bytes.

    Attributes:
        code: stable: UNREADABLE, FILE_TOO_LARGE, UNSUPPORTED_ARCHIVE, CORRUPT_ARCHIVE or ARCHIVE_BOMB.
        message: what is wrong, in words.
    """

    def __init__(self, code: str, message: str) -> None:
        """Keep the code beside the message."""
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class ContainerInfo:
    """What a verified container holds.

    Attributes:
        kind: how to open it.
        stored_bytes: its size on disk.
        decoded_bytes: the size of what is inside.
    """

    kind: Kind
    stored_bytes: int
    decoded_bytes: int


class Prefix(io.RawIOBase):
    """The first bytes of a file: what a careless sender appends after the claim would change every replay."""

    def __init__(self, file: FileIO, size: int) -> None:
        """Read at most `size` bytes of `file`, which stays the caller's to close."""
        super().__init__()
        self._file = file
        self._left = size

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Buffer) -> int:
        """Read into `buffer`; return how many bytes, 0 at the end.

        Raises:
            OSError: when the file ends before the prefix does.
        """
        wanted = memoryview(buffer)[: self._left]
        count = self._file.readinto(wanted) or 0
        if count == 0 and len(wanted):
            raise OSError(errno.ENODATA, "the file lost bytes")
        self._left -= count
        return count


def check_container(path: str | Path, *, size: int, bytes_max: int, ratio_max: int) -> ContainerInfo:
    """Verify a file's container: a gzip stream is expanded once, in bounded memory, to its end and checksum.

    Args:
        path: the file.
        size: how many of its bytes count.
        bytes_max: largest decoded size accepted.
        ratio_max: largest expansion (decoded / stored) accepted beyond the first MiB.

    Raises:
        UnableToReadFile: when it cannot be read, is truncated or corrupt, or exceeds a bound.
    """
    path = Path(path)
    try:
        with path.open("rb", buffering=0) as file:
            head = file.read(min(size, 8))
            _refuse_other_archives(head)
            file.seek(0)
            if head.startswith(GZIP_MAGIC):
                stored = cast(BinaryIO, Prefix(file, size))
                return ContainerInfo("gzip", size, _expanded_size(stored, size, bytes_max, ratio_max))
    except OSError as error:
        raise UnableToReadFile("UNREADABLE", f"{path.name} cannot be read: {error.strerror or error}") from error
    if size > bytes_max:
        raise UnableToReadFile("FILE_TOO_LARGE", f"the file has {size} bytes, more than the {bytes_max} accepted")
    return ContainerInfo("plain", size, size)


def _refuse_other_archives(head: bytes) -> None:
    for magic, name in UNSUPPORTED.items():
        if head.startswith(magic):
            raise UnableToReadFile("UNSUPPORTED_ARCHIVE", f"{name} archives are not read; unpack it or use gzip")


def _expanded_size(file: BinaryIO, stored: int, bytes_max: int, ratio_max: int) -> int:
    total = 0
    member = zlib.decompressobj(wbits=31)
    pending = file.read(READ_BYTES)
    try:
        while pending:
            total += len(member.decompress(pending, EXPAND_BYTES))
            _check_bounds(total, stored, bytes_max, ratio_max)
            if not member.eof:
                pending = member.unconsumed_tail or file.read(READ_BYTES)
                continue
            pending = _next_member(member.unused_data, file)
            if pending:
                member = zlib.decompressobj(wbits=31)
    except zlib.error as error:
        raise UnableToReadFile("CORRUPT_ARCHIVE", f"the gzip stream is damaged after {total} bytes") from error
    if not member.eof:
        raise UnableToReadFile("CORRUPT_ARCHIVE", f"the gzip stream is truncated after {total} bytes")
    return total


def _next_member(rest: bytes, file: BinaryIO) -> bytes:
    """Return the bytes from the next member on; zero padding after the last member is legal."""
    while True:
        rest = rest.lstrip(b"\x00")
        if rest:
            return rest
        rest = file.read(READ_BYTES)
        if not rest:
            return b""


def _check_bounds(total: int, stored: int, bytes_max: int, ratio_max: int) -> None:
    if total > bytes_max:
        raise UnableToReadFile("ARCHIVE_BOMB", f"the archive expands to more than the {bytes_max} bytes accepted")
    if total > RATIO_FREE_BYTES and total > stored * ratio_max:
        raise UnableToReadFile("ARCHIVE_BOMB", f"the archive expands to more than {ratio_max} times its size")


@contextmanager
def open_container(path: str | Path, kind: Kind, *, size: int) -> Iterator[BinaryIO]:
    """Open a verified container as a stream of decoded bytes that supports `readinto`; `size` of its bytes count.

    Raises:
        UnableToReadFile: when the file cannot be opened.
    """
    try:
        file = open(path, "rb", buffering=0)  # noqa: SIM115 - closed below, whatever it yields
    except OSError as error:
        raise UnableToReadFile("UNREADABLE", f"{Path(path).name} cannot be read: {error.strerror or error}") from error
    with file:
        stored = Prefix(file, size)
        if kind == "plain":
            yield cast(BinaryIO, stored)
            return
        with gzip.GzipFile(fileobj=cast(BinaryIO, stored)) as expanded:
            yield cast(BinaryIO, io.BufferedReader(cast(io.RawIOBase, expanded), EXPAND_BYTES))
