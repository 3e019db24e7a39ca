"""Files that are encrypted as a whole: AES in cipher block chaining (NIST SP 800-38A §6.2), padded as PKCS #7 (RFC 5652 §6.3).

Nothing in such a file says which key it needs, so several are tried. A key fits when the padding is right and what comes out
begins as text or an archive does: a wrong key passes the first test once in 256 times, both never in practice.
"""

from __future__ import annotations

import errno
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from io import FileIO
from typing import TYPE_CHECKING, cast

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from pipelines.mediation.unpack import EXPAND_BYTES
from pipelines.mediation.untar import TAR_MAGIC_AT, TAR_MAGICS, Member

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers import CipherContext

BLOCK = 16
"""Bytes of a block of AES (FIPS 197 §5)."""
KEY_BYTES = (16, 24, 32)
PACKED = (b"PK\x03\x04", b"\x1f\x8b\x08", b"\x28\xb5\x2f\xfd")
"""How zip, gzip and zstandard begin. What begins otherwise is text, or a tar archive."""
CLEAR_BYTES = 512
"""Of the head of a file: what tells whether it is encrypted, the magic of a tar archive included."""
SURE_BYTES = 128
"""So many bytes without control characters are text of any encoding; fewer may be chance, unless they are UTF-8."""


@dataclass(frozen=True, slots=True)
class FlowKey:
    """A key with which files are encrypted.

    Attributes:
        name: what people call it. key: 16, 24 or 32 bytes.
        iv: 16 bytes that all files share; b"": each file begins with its own.
    """

    name: str
    key: bytes = field(repr=False)
    iv: bytes = field(default=b"", repr=False)


class Unsealed(io.RawIOBase):
    """What an encrypted file holds, as a stream that may be read from any place."""

    def __init__(self, file: FileIO, size: int, key: FlowKey) -> None:
        """Decrypt the first `size` bytes of `file`, which stays the caller's to close.

        Raises:
            ValueError: when that many bytes cannot be encrypted, or their padding says that another key was used.
        """
        super().__init__()
        self._file, self._key = file, key
        self._lead = 0 if key.iv else BLOCK
        self._sealed = size - self._lead
        if self._sealed < BLOCK or self._sealed % BLOCK:
            raise ValueError("a file that is encrypted in blocks has whole blocks")
        self._at = 0
        self._stage: CipherContext | None = None
        self.size = self._sealed
        padding = self._block(self._sealed - BLOCK)
        count = padding[-1]
        if not 1 <= count <= BLOCK or padding[-count:] != bytes([count]) * count:
            raise ValueError("the padding is not that of this key")
        self.size -= count

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place in what the file holds; return it."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self.size}[whence]
        place = min(max(base + offset, 0), self.size)
        if place != self._at:
            self._at, self._stage = place, None
        return place

    def tell(self) -> int:
        """Return the place of the next byte."""
        return self._at

    def readinto(self, buffer: object) -> int:
        """Read into `buffer`; return how many bytes, 0 at the end.

        Raises:
            OSError: when the file ends before its claimed size.
        """
        wanted = memoryview(cast("bytearray", buffer)).cast("B")[: self.size - self._at]
        if not len(wanted):
            return 0
        within = self._at % BLOCK
        blocks = -(-(within + min(len(wanted), EXPAND_BYTES)) // BLOCK)
        first = self._at - within
        if self._stage is None or within:
            self._stage = self._start(first)
        plain = self._stage.update(self._read(blocks * BLOCK))
        count = min(len(plain) - within, len(wanted))
        wanted[:count] = plain[within : within + count]
        self._at += count
        if self._at % BLOCK:  # the last block is decrypted again
            self._stage = None
        return count

    def _block(self, place: int) -> bytes:
        stage = self._start(place)
        return stage.update(self._read(BLOCK))

    def _start(self, place: int) -> CipherContext:
        """Return what decrypts from a block on, with the file at it: in this mode each block needs the one before only."""
        before = self._lead + place - BLOCK
        if before < 0:
            self._file.seek(0)
            chained = self._key.iv
        else:
            self._file.seek(before)
            chained = self._read(BLOCK)
        return Cipher(algorithms.AES(self._key.key), modes.CBC(chained)).decryptor()

    def _read(self, count: int) -> bytes:
        found = bytearray()
        while len(found) < count:
            chunk = self._file.read(count - len(found))
            if not chunk:
                raise OSError(errno.ENODATA, "the file lost bytes")
            found += chunk
        return bytes(found)


def unseal(file: FileIO, size: int, keys: Sequence[FlowKey]) -> tuple[Unsealed, FlowKey] | None:
    """Return what an encrypted file holds and the key that fits, the first of them; None when none does."""
    for key in keys:
        try:
            found = Unsealed(file, size, key)
        except ValueError:
            continue
        head = found.read(CLEAR_BYTES)
        if is_clear(head) and (_is_packed(head) or len(head) >= SURE_BYTES or _is_utf8(head)):
            found.seek(0)
            return found, key
    return None


def is_clear(head: bytes) -> bool:
    """Return whether a file that begins so is not encrypted: it is packed, or text."""
    control = bytes(range(32)).translate(None, b"\t\n\r\f\x1a") + b"\x7f"
    return _is_packed(head) or not head.translate(None, head.translate(None, control))


def _is_packed(head: bytes) -> bool:
    return head.startswith(PACKED) or head.startswith(TAR_MAGICS, TAR_MAGIC_AT)


def _is_utf8(head: bytes) -> bool:
    try:
        head.decode()
    except UnicodeDecodeError:
        return False
    return True


class SealedFile:
    """An encrypted file as an archive of one file, `pipelines.mediation.container.Archive`."""

    def __init__(self, file: Unsealed, name: str) -> None:
        """Take what is in it, which has its name."""
        self.left_out: list[str] = []
        self._file, self._name = file, name

    def members(self) -> Iterator[Member]:
        """Yield the one file."""
        yield Member(self._name, self._file.size)

    def chunks(self) -> Iterator[bytes]:
        """Yield what it holds."""
        while chunk := self._file.read(EXPAND_BYTES):
            yield chunk
