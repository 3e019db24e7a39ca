"""Containers: plain, gzip, zstandard, zip or tar files, verified to their last byte before anything inside is processed."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Literal, Protocol, cast

from pipelines.mediation.sealed import FlowKey, SealedFile, unseal
from pipelines.mediation.unpack import READ_BYTES, Prefix, UnableToReadFile, gzip_chunks, unsupported, zstd_chunks
from pipelines.mediation.untar import TAR_MAGIC_AT, TAR_MAGICS, Member, TarStream
from pipelines.mediation.unzip import ZipFiles, zip_chunks

if TYPE_CHECKING:
    from typing_extensions import Buffer

Kind = Literal["plain", "gzip", "zstandard", "zip"]

MAGICS: dict[bytes, Kind] = {
    b"\x1f\x8b": "gzip",
    b"\x28\xb5\x2f\xfd": "zstandard",
    **{bytes([low]) + b"\x2a\x4d\x18": "zstandard" for low in range(0x50, 0x60)},  # skippable frames
    b"PK\x03\x04": "zip",
    b"PK\x05\x06": "zip",
}
UNSUPPORTED: dict[bytes, str] = {
    b"BZh": "bzip2",
    b"\xfd7zXZ\x00": "xz",
    b"7z\xbc\xaf\x27\x1c": "7z",
    b"PK\x07\x08": "split zip",
}
HEAD_BYTES = 512
RATIO_FREE_BYTES = 1 << 20
"""Below this decoded size the expansion ratio does not matter: a small file of zeros is no attack."""


class Archive(Protocol):
    """Several files, one after another; between two members, `chunks` yields what the first one holds."""

    left_out: list[str]
    """Paths that were passed over, because file managers put them there."""

    def members(self) -> Iterator[Member]:
        """Yield the files in order; raise UnableToReadFile."""

    def chunks(self) -> Iterator[bytes]:
        """Yield what is left of the member at hand; raise UnableToReadFile."""


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


class Unpacked(io.RawIOBase):
    """Chunks of bytes as a stream."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        """Read the chunks, none of which is empty, one after the other."""
        super().__init__()
        self._chunks = chunks
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Buffer) -> int:
        """Read into `buffer`; return how many bytes, 0 at the end.

        Raises:
            UnableToReadFile: when the container is not what was verified.
        """
        if not self._rest:
            self._rest = memoryview(next(self._chunks, b""))
        wanted = memoryview(buffer)
        count = min(len(wanted), len(self._rest))
        wanted[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count


def check_container(path: str | Path, *, size: int, bytes_max: int, ratio_max: int) -> ContainerInfo:
    """Verify a file's container: what is packed is expanded once, in bounded memory, to its end and checksum.

    Args:
        path: the file.
        size: how many of its bytes count.
        bytes_max: largest decoded size accepted.
        ratio_max: largest expansion (decoded / stored) accepted beyond the first MiB.

    Raises:
        UnableToReadFile: when it cannot be read, is truncated or corrupt, exceeds a bound, or is of a kind that is not read.
    """
    path = Path(path)
    try:
        with path.open("rb", buffering=0) as file:
            head = file.read(min(size, HEAD_BYTES))
            kind = _kind_of(head)
            if _is_tar(head):
                raise _refused_tar(cast(BinaryIO, _from_start(file, size)), bytes_max)
            if kind == "zip":
                files = _zip_files(file, size, bytes_max, ratio_max)
                if len(files) != 1:
                    raise _refused_archive(files, "zip")
            if kind != "plain":
                return ContainerInfo(kind, size, _expanded_size(file, kind, size, bytes_max, ratio_max))
    except OSError as error:
        raise UnableToReadFile("UNREADABLE", f"{path.name} cannot be read: {error.strerror or error}") from error
    if size > bytes_max:
        raise UnableToReadFile("FILE_TOO_LARGE", f"the file has {size} bytes, more than the {bytes_max} accepted")
    return ContainerInfo("plain", size, size)


def _kind_of(head: bytes) -> Kind:
    if (name := _unsupported_name(head)) and name != "tar":
        raise unsupported(f"{name} archives are not read: unpack it, or use gzip, zstandard or zip")
    return next((kind for magic, kind in MAGICS.items() if head.startswith(magic)), "plain")


def _is_tar(head: bytes) -> bool:
    return head.startswith(TAR_MAGICS, TAR_MAGIC_AT)


def _refused_tar(stream: BinaryIO, bytes_max: int) -> UnableToReadFile:
    """Return why a tar archive is refused as one file: what is wrong with it, or else that it was not unpacked."""
    return _refused_archive(TarStream(stream, bytes_max=bytes_max), "tar")


def _refused_archive(archive: Archive, name: str) -> UnableToReadFile:
    try:
        count = sum(1 for _ in archive.members())
    except UnableToReadFile as error:
        return error
    if not count:
        return unsupported(f"the {name} archive holds no file")
    return unsupported(f"a {name} archive is several files: drop it into the spool, or name it to `octroi ingest`")


def _from_start(file: FileIO, size: int) -> Prefix:
    file.seek(0)
    return Prefix(file, size)


@contextmanager
def open_archive(
    path: str | Path, *, size: int, bytes_max: int, ratio_max: int, keys: Sequence[FlowKey] = ()
) -> Iterator[Archive | None]:
    """Open an archive of several files: tar, packed by gzip or zstandard or not at all, or a good zip that
    holds more than one, or others than those that count; or a file that one of the keys decrypts; None for any other file.

    Args:
        path: the file. size: how many of its bytes count.
        bytes_max: most bytes of all its files together. ratio_max: largest expansion of a packed one.
        keys: those with which it may be encrypted.

    Raises:
        UnableToReadFile: when it cannot be read.
    """
    try:
        file = open(path, "rb", buffering=0)  # noqa: SIM115 - closed below, whatever it yields
    except OSError as error:
        raise UnableToReadFile("UNREADABLE", f"{Path(path).name} cannot be read: {error.strerror or error}") from error
    with file:
        if keys and (sealed := unseal(file, size, keys)) is not None:
            yield SealedFile(sealed[0], Path(path).name)
            return
        file.seek(0)
        head = file.read(min(size, HEAD_BYTES))
        kind: Kind = next((kind for magic, kind in MAGICS.items() if head.startswith(magic)), "plain")
        if kind == "plain":
            stream = cast(BinaryIO, _from_start(file, size))
        elif kind == "zip":
            yield _several(file, size, bytes_max, ratio_max)
            return
        else:
            chunks = _bounded(_chunks(file, kind, size), size, bytes_max, ratio_max)
            buffered = io.BufferedReader(Unpacked(chunks), READ_BYTES)
            head, stream = buffered.peek(HEAD_BYTES)[:HEAD_BYTES], cast(BinaryIO, buffered)
        yield TarStream(stream, bytes_max=bytes_max) if _is_tar(head) else None


def _bounded(chunks: Iterator[bytes], stored: int, bytes_max: int, ratio_max: int) -> Iterator[bytes]:
    total = 0
    for chunk in chunks:
        total += len(chunk)
        _check_bounds(total, stored, 2 * bytes_max, ratio_max)  # headers and padding come on top of the files
        yield chunk


def _several(file: FileIO, size: int, bytes_max: int, ratio_max: int) -> ZipFiles | None:
    """Return the files in a zip archive; None when it is not a good one of several."""
    with suppress(UnableToReadFile):  # it is one file, and is refused with the reason
        files = _zip_files(file, size, bytes_max, ratio_max)
        return files if len(files) > 1 or (len(files) and files.left_out) else None
    return None


def _zip_files(file: FileIO, size: int, bytes_max: int, ratio_max: int) -> ZipFiles:
    files = ZipFiles(file, size, bytes_max=bytes_max)
    if len(files) > 1:  # what the one file really has is counted as it is read
        _check_bounds(files.decoded_bytes, size, bytes_max, ratio_max)
    return files


def _unsupported_name(head: bytes) -> str | None:
    if _is_tar(head):
        return "tar"
    return next((name for magic, name in UNSUPPORTED.items() if head.startswith(magic)), None)


def _chunks(file: FileIO, kind: Kind, size: int) -> Iterator[bytes]:
    file.seek(0)
    if kind == "zip":
        return zip_chunks(file, size)
    stored = cast(BinaryIO, Prefix(file, size))
    return gzip_chunks(stored) if kind == "gzip" else zstd_chunks(stored)


def _expanded_size(file: FileIO, kind: Kind, stored: int, bytes_max: int, ratio_max: int) -> int:
    total, head = 0, b""
    for chunk in _chunks(file, kind, stored):
        total += len(chunk)
        _check_bounds(total, stored, bytes_max, ratio_max)
        head += chunk[: HEAD_BYTES - len(head)]
    if _is_tar(head) and kind != "zip":
        raise _refused_tar(cast(BinaryIO, io.BufferedReader(Unpacked(_chunks(file, kind, stored)))), bytes_max)
    _refuse_packed_twice(head, kind)
    return total


def _refuse_packed_twice(head: bytes, kind: Kind) -> None:
    inner = _unsupported_name(head) or next((name for magic, name in MAGICS.items() if head.startswith(magic)), None)
    if inner:
        raise unsupported(f"the {kind} file holds a {inner} archive: unpack it once")


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
        if kind == "plain":
            yield cast(BinaryIO, Prefix(file, size))
        else:
            yield cast(BinaryIO, Unpacked(_chunks(file, kind, size)))
