"""Which sources this process runs: another process, begun later from the same place, may have found others there."""

from __future__ import annotations

import hashlib
from pathlib import Path

_ROOT = Path(__file__).resolve().parent.parent.parent
_PACKAGES = ("apps/embedded", "billing", "pipelines", "rating", "schemas")


class OtherRelease(Exception):
    """octroi was replaced while it runs: what the new one makes is not for the old one."""


def _fingerprint() -> str:
    digest = hashlib.sha256()
    for package in _PACKAGES:
        for path in sorted((_ROOT / package).rglob("*.py")):
            held = path.stat()  # reading them all would take a tenth of a second of each start
            digest.update(f"{path.relative_to(_ROOT).as_posix()}\0{held.st_size}\0{held.st_mtime_ns}\0".encode())
    return digest.hexdigest()


RELEASE = _fingerprint()
"""A hash over names, sizes and times of the sources as they were when this process began."""
