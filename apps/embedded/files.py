"""Claimed files: verified whole before the first record is processed, so that a bad file changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import file_digest
from pathlib import Path

from apps.embedded.images import ActiveImage
from pipelines.mediation.container import UnableToReadFile, check_container, open_container
from pipelines.mediation.context import DecodeContext
from pipelines.mediation.decode import Decoder, check_file, decode_blocks, make_decoder
from pipelines.mediation.failures import UnableToCompileSource, UnableToDecodeFile
from schemas.cdr import CdrBlock


class UnableToReadArchive(Exception):
    """A claimed file is gone or cannot be read: the log is incomplete, nothing can be decided."""


@dataclass(frozen=True, slots=True)
class QuarantinedFile:
    """A file refused as a whole, with a stable code and the reason in words."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class ReadableFile:
    """A verified file and its decoder."""

    path: Path
    kind: str
    decoder: Decoder
    decoded_bytes: int

    def blocks(self, *, claim: int, block_bytes: int) -> Iterator[CdrBlock]:
        """Yield the file's blocks, the same at every call."""
        with open_container(self.path, self.kind) as stream:  # type: ignore[arg-type]
            yield from decode_blocks(self.decoder, stream, claim=claim, block_bytes=block_bytes)


def inspect_file(
    path: Path, context: DecodeContext, *, size: int, bytes_max: int, ratio_max: int
) -> ReadableFile | QuarantinedFile:
    """Verify a file from its container to its header; `size` is how many bytes it had when it was claimed.

    Raises:
        UnableToReadArchive: when the bytes cannot be read at all, or some are gone: a replay would say something else.
    """
    try:
        if path.stat().st_size < size:
            raise UnableToReadArchive(f"{path.name} lost bytes; the log needs it: restore it from a backup")
        container = check_container(path, bytes_max=bytes_max, ratio_max=ratio_max)
        decoder = make_decoder(context)
        with open_container(path, container.kind) as stream:
            check_file(decoder, stream)
    except UnableToReadFile as error:
        if error.code == "UNREADABLE":
            raise UnableToReadArchive(f"{error.message}; the log needs it: restore it from a backup") from error
        return QuarantinedFile(error.code, error.message)
    except UnableToDecodeFile as error:
        return QuarantinedFile(error.code, error.message)
    except UnableToCompileSource as error:
        return QuarantinedFile("SOURCE_DEFINITION", str(error))
    except OSError as error:
        told = f"cannot read {path.name}: {error.strerror}; the log needs it: restore it from a backup"
        raise UnableToReadArchive(told) from error
    return ReadableFile(path, container.kind, decoder, container.decoded_bytes)


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as handle:
        return file_digest(handle, "sha256").hexdigest()


def unknown_source(source: str, active: ActiveImage) -> QuarantinedFile:
    """Return the refusal of a file whose source the catalog does not define."""
    known = ", ".join(sorted(active.catalog.sources)) or "none"
    return QuarantinedFile("UNKNOWN_SOURCE", f"the catalog defines no source {source!r}; it has {known}")
