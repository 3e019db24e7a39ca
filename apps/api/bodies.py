"""From the bytes of a request to a durable file: expanded in bounded memory, hashed, synced."""

from __future__ import annotations

import hmac
import io
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from apps.api.media import Media
from apps.api.problems import Problem
from apps.embedded.posted import DIGEST_CHARACTERS
from pipelines.mediation.unpack import EXPAND_BYTES, UnableToReadFile, gzip_chunks, zstd_chunks


@dataclass(frozen=True, slots=True)
class Body:
    """A request's body.

    Attributes:
        raw: as it was sent. encoding: how it is compressed, None when it is not.
        source: the source it is for. media: what kind of body it is.
    """

    raw: bytes | bytearray
    encoding: str | None
    source: str
    media: Media


def write_body(body: Body, path: Path, *, secret: bytes, bytes_max: int, grow: Callable[[int], None]) -> str:
    """Write what a body holds to a new file, durably; return a digest of the source, the kind of body and its content.

    Args:
        secret: keys the digest. bytes_max: largest size of the expanded body.
        grow: told the bytes expanded so far; it may refuse more by raising.

    Raises:
        Problem: body-too-large or undecodable-body, or what `grow` raises; there is no file then.
        OSError: when there is no room; there is no file then.
    """
    found = hmac.new(secret, f"{body.source}\0{body.media.ending}\0".encode(), "sha256")
    try:
        with path.open("xb") as file:
            for piece in _pieces(body, bytes_max, grow):
                found.update(piece)
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())
    except UnableToReadFile as error:
        path.unlink(missing_ok=True)
        if error.code == "ARCHIVE_BOMB":
            raise Problem("body-too-large", error.message) from error
        raise Problem("undecodable-body", error.message, code=error.code) from error
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return found.hexdigest()[:DIGEST_CHARACTERS]


def _pieces(body: Body, bytes_max: int, grow: Callable[[int], None]) -> Iterator[bytes]:
    total = 0
    for piece in _expanded(body):
        total += len(piece)
        if total > bytes_max:
            raise Problem("body-too-large", f"the body expands to more than {bytes_max} bytes", bytes_max=bytes_max)
        grow(total)
        yield piece


def _expanded(body: Body) -> Iterator[bytes]:
    stored = io.BytesIO(body.raw)
    if body.encoding == "gzip":
        return gzip_chunks(stored)
    if body.encoding == "zstd":
        return zstd_chunks(stored)
    return iter(lambda: stored.read(EXPAND_BYTES), b"")
