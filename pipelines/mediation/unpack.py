"""Expand gzip and zstandard streams in bounded memory, every checksum verified; and what all containers share."""

from __future__ import annotations

import errno
import io
import sys
import zlib
from collections.abc import Iterator
from io import FileIO
from typing import TYPE_CHECKING, BinaryIO

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

if TYPE_CHECKING:
    from typing_extensions import Buffer

READ_BYTES = 1 << 16
EXPAND_BYTES = 1 << 20
WINDOW_BYTES_LOG2 = 27
"""RFC 8878 §3.1.1.1.2 lets a frame ask for a window of terabytes; 128 MiB is what `zstd` itself allows, `--long` included."""


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


class Prefix(io.RawIOBase):
    """The first bytes of a file: what a careless sender appends after the claim would change every replay."""

    def __init__(self, file: FileIO, size: int) -> None:
        """Read at most `size` bytes of `file`, which stays the caller's to close."""
        super().__init__()
        self._file = file
        self._left = self._size = size

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

    def seekable(self) -> bool:
        """Return True."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place within the prefix; return it."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self.tell(), io.SEEK_END: self._size}[whence]
        place = min(max(base + offset, 0), self._size)
        self._file.seek(place - self.tell(), io.SEEK_CUR)
        self._left = self._size - place
        return place

    def tell(self) -> int:
        """Return how far into the prefix the next byte is."""
        return self._size - self._left


def corrupt(message: str) -> UnableToReadFile:
    """Return the refusal of a truncated or damaged archive."""
    return UnableToReadFile("CORRUPT_ARCHIVE", message)


def unsupported(message: str) -> UnableToReadFile:
    """Return the refusal of a sound archive that is not read; the message says what to do."""
    return UnableToReadFile("UNSUPPORTED_ARCHIVE", message)


def gzip_chunks(file: BinaryIO) -> Iterator[bytes]:
    """Yield what the members of a gzip file (RFC 1952) hold, at most `EXPAND_BYTES` at a time.

    Raises:
        UnableToReadFile: CORRUPT_ARCHIVE.
    """
    total = 0
    member = zlib.decompressobj(wbits=31)
    pending = file.read(READ_BYTES)
    try:
        while pending:
            if chunk := member.decompress(pending, EXPAND_BYTES):
                total += len(chunk)
                yield chunk
            if not member.eof:
                pending = member.unconsumed_tail or file.read(READ_BYTES)
                continue
            pending = _next_member(member.unused_data, file)
            if pending:
                member = zlib.decompressobj(wbits=31)
    except zlib.error as error:
        raise corrupt(f"the gzip stream is damaged after {total} bytes") from error
    if not member.eof:
        raise corrupt(f"the gzip stream is truncated after {total} bytes")


def _next_member(rest: bytes, file: BinaryIO) -> bytes:
    """Return the bytes from the next member on; zero padding after the last member is legal."""
    while True:
        rest = rest.lstrip(b"\x00")
        if rest:
            return rest
        rest = file.read(READ_BYTES)
        if not rest:
            return b""


def zstd_chunks(file: BinaryIO) -> Iterator[bytes]:
    """Yield what the frames of a zstandard file (RFC 8878 §3) hold, at most `EXPAND_BYTES` at a time.

    Frames follow each other; skippable ones (§3.1.2) hold nothing. The checksum of the content (§3.1.1) is verified where the
    sender wrote one.

    Raises:
        UnableToReadFile: CORRUPT_ARCHIVE, or UNSUPPORTED_ARCHIVE for a frame that needs a dictionary, or ARCHIVE_BOMB
            for one that needs too large a window.
    """
    total = 0
    frame = _frame()
    pending = file.read(READ_BYTES)
    while True:
        try:
            chunk = frame.decompress(pending, EXPAND_BYTES)
        except zstd.ZstdError as error:
            raise _refused_frame(error, total) from error
        if chunk:
            total += len(chunk)
            yield chunk
        if frame.eof:
            pending = frame.unused_data or file.read(READ_BYTES)
            if not pending:
                return
            frame = _frame()
        elif frame.needs_input:
            pending = file.read(READ_BYTES)
            if not pending:
                raise corrupt(f"the zstandard stream is truncated after {total} bytes")
        else:
            pending = b""


def _frame() -> zstd.ZstdDecompressor:
    return zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: WINDOW_BYTES_LOG2})


def _refused_frame(error: zstd.ZstdError, total: int) -> UnableToReadFile:
    told = str(error)
    if "too much memory" in told:
        return UnableToReadFile(
            "ARCHIVE_BOMB",
            f"a zstandard frame needs a window of more than {1 << (WINDOW_BYTES_LOG2 - 20)} MiB: "
            f"compress with --long={WINDOW_BYTES_LOG2} at most",
        )
    if "Dictionary" in told:
        return unsupported("the zstandard stream needs a dictionary: compress without one")
    return corrupt(f"the zstandard stream is damaged after {total} bytes")
