"""Claimed files: verified whole before the first record is processed, so that a bad file changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import file_digest
from itertools import islice
from pathlib import Path

from apps.embedded.images import ActiveImage
from pipelines.mediation.container import ContainerInfo, check_container, open_container
from pipelines.mediation.context import DecodeContext
from pipelines.mediation.decode import BLOCK_BYTES, Decoder, check_file, check_records, decode_blocks, make_decoder
from pipelines.mediation.failures import UnableToCompileSource, UnableToDecodeFile
from pipelines.mediation.plugins import UnableToUsePlugin
from pipelines.mediation.unpack import Prefix, UnableToReadFile
from schemas.cdr import CdrBlock


class UnableToReadArchive(Exception):
    """A claimed file is gone or cannot be read: the log is incomplete, nothing can be decided."""


@dataclass(frozen=True, slots=True)
class QuarantinedFile:
    """A file refused as a whole, with a stable code and the reason in words."""

    code: str
    message: str


NO_KEY = QuarantinedFile(
    "NO_KEY",
    "the file is encrypted, and no key of the setting file_keys fitted it: add its key, and drop the file again",
)


@dataclass(frozen=True, slots=True)
class ReadableFile:
    """A verified file and its decoder."""

    path: Path
    container: ContainerInfo
    decoder: Decoder
    blocks_max: int | None = None
    """How many blocks are read of it; None: all."""

    def blocks(self, *, claim: int, block_bytes: int) -> Iterator[CdrBlock]:
        """Yield the file's blocks, the same at every call.

        Raises:
            UnableToReadArchive: when its bytes are no longer those that were verified.
        """
        try:
            with open_container(self.path, self.container.kind, size=self.container.stored_bytes) as stream:
                blocks = decode_blocks(self.decoder, stream, claim=claim, block_bytes=block_bytes)
                yield from islice(blocks, self.blocks_max)
        except (UnableToReadFile, UnableToDecodeFile, OSError) as error:
            told = f"{self.path.name} changed after it was verified; the log needs it: restore it from a backup"
            raise UnableToReadArchive(told) from error
        except UnableToUsePlugin as error:
            raise UnableToReadArchive(f"{self.path.name} cannot be decoded now ({error})") from error


def inspect_file(
    path: Path,
    context: DecodeContext,
    *,
    size: int,
    bytes_max: int,
    ratio_max: int,
    block_bytes: int = BLOCK_BYTES,
    blocks_max: int | None = None,
    sealed: bool = False,
) -> ReadableFile | QuarantinedFile:
    """Verify a file from its container to its header; `size` is how many bytes it had when it was claimed: only they count.

    It is refused when it is `sealed`: encrypted, and no key fitted when it came.

    Raises:
        UnableToReadArchive: when the bytes cannot be read at all, or some are gone, or a plug-in is: a replay would say
            something else.
    """
    try:
        if path.stat().st_size < size:
            raise UnableToReadArchive(f"{path.name} lost bytes; the log needs it: restore it from a backup")
        if sealed:
            return NO_KEY
        container = check_container(path, size=size, bytes_max=bytes_max, ratio_max=ratio_max)
        decoder = make_decoder(context)
        with open_container(path, container.kind, size=size) as stream:
            check_file(decoder, stream)
        with open_container(path, container.kind, size=size) as stream:
            check_records(decoder, stream, block_bytes=block_bytes)
    except UnableToReadFile as error:
        if error.code == "UNREADABLE":
            raise UnableToReadArchive(f"{error.message}; the log needs it: restore it from a backup") from error
        return QuarantinedFile(error.code, error.message)
    except UnableToDecodeFile as error:
        return QuarantinedFile(error.code, error.message)
    except UnableToUsePlugin as error:
        raise UnableToReadArchive(f"{path.name} cannot be decoded as the log needs it ({error})") from error
    except UnableToCompileSource as error:
        return QuarantinedFile("SOURCE_DEFINITION", str(error))
    except OSError as error:
        told = f"cannot read {path.name}: {error.strerror}; the log needs it: restore it from a backup"
        raise UnableToReadArchive(told) from error
    return ReadableFile(path, container, decoder, blocks_max)


def sha256_of(path: Path, size: int) -> str:
    """Return the SHA-256 of a file's first `size` bytes, in hexadecimal."""
    with path.open("rb", buffering=0) as handle:
        return file_digest(Prefix(handle, size), "sha256").hexdigest()


def unknown_source(source: str, active: ActiveImage) -> QuarantinedFile:
    """Return the refusal of a file whose source the catalog does not define."""
    known = ", ".join(sorted(active.catalog.sources)) or "none"
    return QuarantinedFile("UNKNOWN_SOURCE", f"the catalog defines no source {source!r}; it has {known}")
