"""Containers written byte by byte, and read as octroi reads them."""

from __future__ import annotations

import io
import struct
import warnings
import zipfile
import zlib
from pathlib import Path
from unittest import mock

import pytest

from pipelines.mediation.container import ContainerInfo, check_container, open_container
from pipelines.mediation.unpack import UnableToReadFile, zstd

TEXT = b"id,at\n" + b"".join(b"%d,2026-05-01 10:00:00\n" % n for n in range(5_000))
BYTES_MAX = 1 << 30
RATIO_MAX = 1000


def flip(data: bytes, at: int, bits: int = 0x10) -> bytes:
    """Return the bytes with one of them damaged."""
    changed = bytearray(data)
    changed[at] ^= bits
    return bytes(changed)


def places(data: bytes, near: int = 100) -> list[int]:
    """Return offsets: all of them near both ends, and some between."""
    size = len(data)
    return sorted({*range(min(near, size)), *range(0, size, max(1, size // 100)), *range(max(0, size - near), size)})


def write(directory: Path, data: bytes) -> Path:
    """Write a file and return where it is."""
    path = directory / "usage.csv"
    path.write_bytes(data)
    return path


def check(path: Path, *, bytes_max: int = BYTES_MAX, ratio_max: int = RATIO_MAX) -> ContainerInfo:
    """Verify all bytes of a container."""
    size = path.stat().st_size if path.is_file() else 1
    return check_container(path, size=size, bytes_max=bytes_max, ratio_max=ratio_max)


def refusal(path: Path, *, bytes_max: int = BYTES_MAX, ratio_max: int = RATIO_MAX) -> UnableToReadFile:
    """Return why a file is refused."""
    with pytest.raises(UnableToReadFile) as failure:
        check(path, bytes_max=bytes_max, ratio_max=ratio_max)
    assert failure.value.message
    return failure.value


def code_of(path: Path, *, bytes_max: int = BYTES_MAX, ratio_max: int = RATIO_MAX) -> str:
    """Return the code with which a file is refused."""
    return refusal(path, bytes_max=bytes_max, ratio_max=ratio_max).code


def unpacked(path: Path, info: ContainerInfo) -> bytes:
    """Return all that a verified container holds."""
    with open_container(path, info.kind, size=info.stored_bytes) as stream:
        data = bytes(stream.read())
    assert len(data) == info.decoded_bytes
    return data


def read_all(path: Path) -> bytes:
    """Verify a container and return all that it holds."""
    return unpacked(path, check(path))


def text_or_refusal(path: Path) -> bytes | str:
    """Return what a file holds, or the code of its refusal."""
    try:
        info = check(path)
    except UnableToReadFile as refused:
        return refused.code
    return unpacked(path, info)


def zstd_frame(data: bytes, *, checksum: bool = True, **parameters: int) -> bytes:
    """Return one frame; `parameters` are those of zstandard."""
    options = {zstd.CompressionParameter.checksum_flag: int(checksum)}
    options |= {zstd.CompressionParameter[name]: value for name, value in parameters.items()}
    return zstd.compress(data, options=options)


def zstd_skippable(data: bytes, low: int = 0) -> bytes:
    """Return a frame that holds nothing (RFC 8878 §3.1.2)."""
    return struct.pack("<II", 0x184D2A50 + low, len(data)) + data


class _Pipe(io.RawIOBase):
    """What zip archives are written to by a sender that cannot seek."""

    def __init__(self) -> None:
        super().__init__()
        self.data = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        self.data += data
        return len(data)


def _entry(name: str, method: int = zipfile.ZIP_DEFLATED) -> zipfile.ZipInfo:
    """Return the head of an entry, of always the same time."""
    entry = zipfile.ZipInfo(name)
    entry.compress_type = method
    return entry


def zipped(data: bytes, *, name: str = "usage.csv", method: int = zipfile.ZIP_DEFLATED, comment: bytes = b"") -> bytes:
    """Return a zip archive as Python writes it."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        archive.writestr(_entry(name, method), data)
        archive.comment = comment
    return out.getvalue()


def zip_of(*files: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Return a zip archive of several entries; names that end with / are directories."""
    out = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(out, "w", method) as archive:
        warnings.simplefilter("ignore")  # of names that are there twice
        for name, data in files:
            archive.writestr(_entry(name), data, method)
    return out.getvalue()


def zip_streamed(data: bytes, *, wide: bool = False) -> bytes:
    """Return a zip archive whose sizes follow the data, in 64 bits when `wide`."""
    out = _Pipe()
    with (
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive,  # type: ignore[call-overload]
        archive.open(_entry("usage.csv"), "w", force_zip64=wide) as entry,
    ):
        entry.write(data)
    return bytes(out.data)


def zip_wide(data: bytes) -> bytes:
    """Return a zip archive all of whose numbers are in 64 bits, as of one that is larger than 4 GiB."""
    with mock.patch.object(zipfile, "ZIP64_LIMIT", 0):
        wide = zipped(data)
    assert b"PK\x06\x07" in wide
    return wide


def zip_repeated(data: bytes, times: int, *, head: bytes = b"") -> bytes:
    """Return a zip archive of one file that repeats `data` after `head`, without holding it."""
    out = io.BytesIO()
    with (
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open(_entry("usage.csv"), "w") as entry,
    ):
        entry.write(head)
        for _ in range(times):
            entry.write(data)
    return out.getvalue()


def zip_by_hand(
    data: bytes = TEXT,
    *,
    name: bytes = b"usage.csv",
    local_name: bytes | None = None,
    flags: int = 0,
    method: int = 8,
    mode: int = 0o100644,
    stored: bytes | None = None,
    crc: int | None = None,
    decoded_bytes: int | None = None,
    local_method: int | None = None,
    before: bytes = b"",
    descriptor: bytes = b"",
    offset: int = 0,
    disk: int = 0,
    entry_disk: int = 0,
    count: int = 1,
) -> bytes:
    """Return a zip archive of one file, with whatever is wrong with it."""
    local_name = name if local_name is None else local_name
    local_method = method if local_method is None else local_method
    if stored is None:
        packer = zlib.compressobj(9, zlib.DEFLATED, -15)
        stored = packer.compress(data) + packer.flush()
    crc = zlib.crc32(data) if crc is None else crc
    decoded = len(data) if decoded_bytes is None else decoded_bytes
    local = struct.pack(
        "<4sHHHHHIIIHH", b"PK\x03\x04", 20, flags, local_method, 0, 33, crc, len(stored), decoded, len(local_name), 0
    )
    body = before + local + local_name + stored + descriptor
    central = struct.pack("<4sHHHHHHIIIHHHHHII", b"PK\x01\x02", 3 << 8 | 20, 20, flags, method, 0, 33, crc, len(stored), decoded,
                          len(name), 0, 0, entry_disk, 0, mode << 16, len(before) + offset) + name  # fmt: skip
    end = struct.pack("<4sHHHHIIH", b"PK\x05\x06", disk, disk, count, count, len(central), len(body), 0)
    return body + central + end
