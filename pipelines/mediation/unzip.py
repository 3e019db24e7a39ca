"""The files in a zip archive, as PKWARE's APPNOTE.TXT 6.3.10 lays it out; its sections are cited as §.

An archive is read only if each of its bytes is accounted for: its entries follow each other from the first byte to
the central directory, and that to the end. So nothing can hide in an archive that was appended to another one.
"""

from __future__ import annotations

import stat
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from io import FileIO
from typing import BinaryIO, cast

from pipelines.mediation.unpack import EXPAND_BYTES, READ_BYTES, Prefix, UnableToReadFile, corrupt, unsupported
from pipelines.mediation.untar import MEMBERS_MAX, Member, is_clutter

LOCAL = struct.Struct("<4sHHHHHIIIHH")  # §4.3.7
CENTRAL = struct.Struct("<4sHHHHHHIIIHHHHHII")  # §4.3.12
END64 = struct.Struct("<4sQHHIIQQQQ")  # §4.3.14
LOCATOR64 = struct.Struct("<4sIQI")  # §4.3.15
END = struct.Struct("<4sHHHHIIH")  # §4.3.16
LOCAL_MAGIC, CENTRAL_MAGIC, DESCRIPTOR_MAGIC = b"PK\x03\x04", b"PK\x01\x02", b"PK\x07\x08"
END64_MAGIC, LOCATOR64_MAGIC, END_MAGIC = b"PK\x06\x06", b"PK\x06\x07", b"PK\x05\x06"
COMMENT_MAX = 0xFFFF
SEE_16, SEE_32 = 0xFFFF, 0xFFFF_FFFF
"""The number is in the zip64 record instead (§4.4.1.4)."""
ZIP64_EXTRA = 0x0001  # §4.5.3
STORED, DEFLATED = 0, 8
OTHER_METHODS = {9: "deflate64", 12: "bzip2", 14: "LZMA", 93: "zstandard", 95: "xz", 98: "PPMd"}  # §4.4.5
AES_METHOD = 99
ENCRYPTED_FLAGS = 1 << 0 | 1 << 6 | 1 << 13  # §4.4.4
HARMLESS_FLAGS = 1 << 1 | 1 << 2 | 1 << 3 | 1 << 11
"""Compression effort, a data descriptor, a name in UTF-8."""
DIRECTORY_BYTES_MAX = 4 << 20
"""Largest central directory that is looked at."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of the central directory (§4.3.12)."""

    name: bytes
    flags: int
    method: int
    crc: int
    stored_bytes: int
    decoded_bytes: int
    offset: int
    mode: int

    @property
    def text(self) -> str:
        """The path as text: UTF-8 whether the entry says so or not, or else the characters of old PCs (§4.4.4, D.1)."""
        try:
            name = self.name.decode()
        except UnicodeDecodeError:
            name = self.name.decode("cp437")
        return name.replace("\\", "/")

    @property
    def is_directory(self) -> bool:
        """Say whether it only names a directory."""
        return self.name.endswith((b"/", b"\\")) and self.decoded_bytes == 0


class ZipFiles:
    """Walks an archive; between two members, `chunks` yields what the first one holds.

    Attributes:
        decoded_bytes: how many the files have in all. None has more than its directory entry says.
        left_out: the paths of those that are passed over, because file managers put them there.
    """

    def __init__(self, file: FileIO, size: int, *, bytes_max: int) -> None:
        """Find the files in the first `size` bytes of an archive, which have at most `bytes_max` bytes in all.

        Raises:
            UnableToReadFile: CORRUPT_ARCHIVE, UNSUPPORTED_ARCHIVE or ARCHIVE_BOMB.
        """
        self._file = file
        found = _find_files(file, size)
        self._found = _wanted(found)
        self.left_out = [entry.text for entry, _ in found if is_clutter(entry.name)]
        self._chunks: Iterator[bytes] = iter(())
        names = [entry.text for entry, _ in self._found]
        if len(set(names)) < len(names):
            raise unsupported("two files in the zip archive have one name: pack them under different ones")
        self.decoded_bytes = sum(entry.decoded_bytes for entry, _ in self._found)
        if len(self._found) > 1 and self.decoded_bytes > bytes_max:
            told = f"the files in the zip archive have more than the {bytes_max} bytes accepted"
            raise UnableToReadFile("ARCHIVE_BOMB", told)

    def __len__(self) -> int:
        """Return how many files there are."""
        return len(self._found)

    def members(self) -> Iterator[Member]:
        """Yield the files in the archive, in order.

        Raises:
            UnableToReadFile: CORRUPT_ARCHIVE.
        """
        for entry, start in self._found:
            self._chunks = _file_chunks(self._file, entry, start)
            yield Member(entry.text, entry.decoded_bytes)
            for _ in self._chunks:
                pass

    def chunks(self) -> Iterator[bytes]:
        """Yield what is left of the member at hand, at most `EXPAND_BYTES` at a time; its CRC is verified at the end.

        Raises:
            UnableToReadFile: CORRUPT_ARCHIVE.
        """
        return self._chunks


def zip_chunks(file: FileIO, size: int) -> Iterator[bytes]:
    """Yield what the one file in a zip archive holds, at most `EXPAND_BYTES` at a time; its CRC is verified at the end.

    Args:
        file: the archive.
        size: how many of its bytes count.

    Raises:
        UnableToReadFile: CORRUPT_ARCHIVE, or UNSUPPORTED_ARCHIVE for what else a zip archive may be.
    """
    files = _wanted(_find_files(file, size))
    if len(files) != 1:
        raise unsupported(f"the zip archive holds {len(files)} files: as one file, only one is read")
    yield from _file_chunks(file, *files[0])


def _wanted(found: list[tuple[Entry, int]]) -> list[tuple[Entry, int]]:
    return [(entry, start) for entry, start in found if not is_clutter(entry.name)]


def _file_chunks(file: FileIO, entry: Entry, start: int) -> Iterator[bytes]:
    """Yield what one file holds; it has no byte more than the directory says."""
    file.seek(start)
    stored = cast(BinaryIO, Prefix(file, entry.stored_bytes))
    total = crc = 0
    for chunk in _inflated(stored) if entry.method == DEFLATED else iter(lambda: stored.read(READ_BYTES), b""):
        total += len(chunk)
        if total > entry.decoded_bytes:
            break
        crc = zlib.crc32(chunk, crc)
        yield chunk
    if total != entry.decoded_bytes:
        raise corrupt(f"the file in the zip archive has not the {entry.decoded_bytes} bytes that it should have")
    if crc != entry.crc:
        raise corrupt("the file in the zip archive is damaged: its checksum differs")


def _inflated(stored: BinaryIO) -> Iterator[bytes]:
    total = 0
    stream = zlib.decompressobj(wbits=-15)
    pending = stored.read(READ_BYTES)
    try:
        while pending and not stream.eof:
            if chunk := stream.decompress(pending, EXPAND_BYTES):
                total += len(chunk)
                yield chunk
            pending = stream.unconsumed_tail or stored.read(READ_BYTES)
    except zlib.error as error:
        raise corrupt(f"the file in the zip archive is damaged after {total} bytes") from error
    if not stream.eof and (chunk := stream.flush()):  # zlib may hold the last bits while its output is full
        total += len(chunk)
        yield chunk
    if not stream.eof or stream.unused_data or pending:
        raise corrupt(f"the file in the zip archive does not end where it should, after {total} bytes")


def _find_files(file: FileIO, size: int) -> list[tuple[Entry, int]]:
    """Return the files, at least one, in the order in which they lie in the archive, and where the bytes of each begin."""
    at, length, count = _find_directory(file, size)
    if count > MEMBERS_MAX:
        raise UnableToReadFile("ARCHIVE_BOMB", f"the zip archive holds more than {MEMBERS_MAX} files")
    if length > DIRECTORY_BYTES_MAX:
        raise unsupported(f"the zip archive lists {count} files: send fewer at once")
    entries = sorted(_entries(_read(file, at, length), count), key=lambda entry: entry.offset)
    files = [entry for entry in entries if not entry.is_directory]
    if not files:
        raise unsupported("the zip archive holds no file")
    for entry in files:
        _refuse_oddities(entry)
    offsets = [*(entry.offset for entry in entries), at]
    if offsets[0] != 0 or entries[-1].offset > at:
        raise corrupt("bytes of the zip archive belong to no file in it: pack the file again")
    starts = [_check_entry(file, entry, end) for entry, end in zip(entries, offsets[1:], strict=True)]
    return [(entry, start) for entry, start in zip(entries, starts, strict=True) if not entry.is_directory]


def _find_directory(file: FileIO, size: int) -> tuple[int, int, int]:
    """Return where the central directory begins, its length and how many entries it has (§4.3.14 to §4.3.16)."""
    tail_at = max(0, size - END.size - COMMENT_MAX)
    tail = _read(file, tail_at, size - tail_at)
    ends = [at for at in _found(tail, END_MAGIC) if at + END.size + END.unpack_from(tail, at)[-1] == len(tail)]
    if len(ends) != 1:
        raise corrupt("the zip archive is truncated: its directory is not at its end")
    end_at = tail_at + ends[0]
    _, disk, directory_disk, here, count, length, at, _ = END.unpack_from(tail, ends[0])
    locator_at = end_at - LOCATOR64.size
    if locator_at >= 0 and (locator := _read(file, locator_at, LOCATOR64.size)).startswith(LOCATOR64_MAGIC):
        end_at = LOCATOR64.unpack(locator)[2]
        if end_at + END64.size > locator_at:
            raise corrupt("the directory of the zip archive is damaged")
        magic, rest, _, _, disk, directory_disk, here, count, length, at = END64.unpack(_read(file, end_at, END64.size))
        if magic != END64_MAGIC or end_at + 12 + rest != locator_at:
            raise corrupt("the directory of the zip archive is damaged")
    if (disk, directory_disk, here) != (0, 0, count):
        raise unsupported("the zip archive is a part of one that was split: join it, or send the parts by themselves")
    if at + length != end_at:
        raise corrupt("the directory of the zip archive is not where it should be: pack the file again")
    return at, length, count


def _found(text: bytes, word: bytes) -> Iterator[int]:
    at = text.find(word)
    while 0 <= at <= len(text) - END.size:
        yield at
        at = text.find(word, at + 1)


def _entries(directory: bytes, count: int) -> Iterator[Entry]:
    at = 0
    for _ in range(count):
        if len(directory) - at < CENTRAL.size:
            raise corrupt("the directory of the zip archive is truncated")
        (magic, _, _, flags, method, _, _, crc, stored, decoded, name_bytes, extra_bytes, comment_bytes, disk, _, mode,
         offset) = CENTRAL.unpack_from(directory, at)  # fmt: skip
        name_at = at + CENTRAL.size
        extra_at = name_at + name_bytes
        at = extra_at + extra_bytes + comment_bytes
        if magic != CENTRAL_MAGIC or at > len(directory):
            raise corrupt("the directory of the zip archive is damaged")
        extra = directory[extra_at : extra_at + extra_bytes]
        decoded, stored, offset = _in_64_bits(extra, (decoded, stored, offset))
        if disk not in (0, SEE_16):
            raise unsupported("the zip archive is a part of one that was split: join it")
        yield Entry(directory[name_at:extra_at], flags, method, crc, stored, decoded, offset, mode >> 16)
    if at != len(directory):
        raise corrupt("the directory of the zip archive lists more than it says")


def _in_64_bits(extra: bytes, numbers: tuple[int, ...]) -> list[int]:
    """Take from the zip64 extra field (§4.5.3) the numbers that had no place in 32 bits."""
    wide = b""
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<HH", extra, at)
        if kind == ZIP64_EXTRA:
            wide = extra[at + 4 : at + 4 + length]
        at += 4 + length
    taken = []
    for number in numbers:
        if number == SEE_32:
            if len(wide) < 8:
                raise corrupt("the directory of the zip archive is damaged")
            number, wide = int.from_bytes(wide[:8], "little"), wide[8:]
        taken.append(number)
    return taken


def _refuse_oddities(entry: Entry) -> None:
    if entry.flags & ENCRYPTED_FLAGS or entry.method == AES_METHOD:
        raise unsupported("the zip archive is encrypted: send it without a password")
    if entry.method not in (STORED, DEFLATED):
        name = OTHER_METHODS.get(entry.method, "a rare method")
        raise unsupported(f"the zip archive is compressed by {name} (method {entry.method}): use deflate")
    if entry.flags & ~HARMLESS_FLAGS:
        raise unsupported("the zip archive needs a feature that is not read: pack the file with another program")
    parts = entry.name.replace(b"\\", b"/").split(b"/")
    if b".." in parts or parts[0] == b"" or b":" in parts[0] or b"\x00" in entry.name:
        raise unsupported("the path of the file in the zip archive leaves its directory: pack the file under its name")
    if parts[-1] == b"":
        raise corrupt("a directory in the zip archive has content")
    if stat.S_ISLNK(entry.mode):
        raise unsupported("the zip archive holds a link: pack the file that it stands for")


def _check_entry(file: FileIO, entry: Entry, end: int) -> int:
    """Return where an entry's bytes begin, after it was seen to fill its place up to `end`."""
    damaged = corrupt("a file in the zip archive is not where its directory says: pack the file again")
    if entry.offset + LOCAL.size > end:
        raise damaged
    header = LOCAL.unpack(_read(file, entry.offset, LOCAL.size))
    magic, method = header[0], header[3]
    name_bytes, extra_bytes = map(int, header[-2:])
    name_at = entry.offset + LOCAL.size
    start = name_at + name_bytes + extra_bytes
    after = start + entry.stored_bytes
    if magic != LOCAL_MAGIC or method != entry.method or after > end:
        raise damaged
    if _read(file, name_at, name_bytes) != entry.name:
        raise damaged
    if after < end and (end - after > 24 or _read(file, after, end - after) not in _descriptors(entry)):
        raise damaged
    return start


def _descriptors(entry: Entry) -> Iterator[bytes]:
    """Yield the data descriptors (§4.3.9) that may follow an entry: sizes of 4 or 8 bytes, with a signature or without."""
    for number in ("<II", "<QQ"):
        if number == "<II" and max(entry.stored_bytes, entry.decoded_bytes) > SEE_32:
            continue
        body = entry.crc.to_bytes(4, "little") + struct.pack(number, entry.stored_bytes, entry.decoded_bytes)
        yield from (body, DESCRIPTOR_MAGIC + body)


def _read(file: FileIO, at: int, count: int) -> bytes:
    file.seek(at)
    return Prefix(file, count).readall()
