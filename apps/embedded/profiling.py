"""The profile of a file of any flow of energy, and of each file of an archive."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, BinaryIO

from pipelines.mediation.container import check_container, open_container
from pipelines.mediation.failures import UnableToDecodeFile
from pipelines.mediation.intervals.profiled import profile_file
from pipelines.mediation.unpack import UnableToReadFile
from schemas.source_base import SourceBase

BYTES_MAX, RATIO_MAX = 1 << 34, 500
"""Of a file, unpacked."""


class UnableToProfile(Exception):
    """A file cannot be read, or is of no flow that is known."""


def profile(path: Path, source: SourceBase | None, zone: str | None) -> dict[str, Any]:
    """Return what is in a file, channel by channel.

    Raises:
        UnableToProfile: with the line and the reason, where there is one.
    """
    try:
        size = path.stat().st_size
        found = check_container(path, size=size, bytes_max=BYTES_MAX, ratio_max=RATIO_MAX)

        def opened() -> AbstractContextManager[BinaryIO]:
            return open_container(path, found.kind, size=size)

        return {"file": path.name, **profile_file(opened, source, zone)}
    except (UnableToReadFile, UnableToDecodeFile) as error:
        raise UnableToProfile(f"{path.name}: {error}") from error
    except OSError as error:
        raise UnableToProfile(f"{path.name} cannot be read: {error.strerror or error}") from error
