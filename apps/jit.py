"""Where compiled kernels are cached.

Numba notices a change in a cached function's own file but not in the functions it calls from other files, so the cache
directory is named by a hash over every kernel source: another kernel anywhere is another cache.
"""

from __future__ import annotations

import atexit
import hashlib
import os
import shutil
import tempfile
from pathlib import Path

_ROOT = Path(__file__).resolve().parent.parent
_KEPT = 3


def kernel_fingerprint() -> str:
    """Return a hash over the sources of all kernels (16 hex digits)."""
    digest = hashlib.sha256()
    for package in ("rating", "pipelines"):
        for path in sorted((_ROOT / package).rglob("kernels/*.py")):
            digest.update(path.relative_to(_ROOT).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def _cache_base() -> Path:
    given = os.environ.get("OCTROI_CACHE_DIR")
    if given:
        return Path(given)
    home = os.environ.get("XDG_CACHE_HOME") or (Path(os.environ["HOME"]) / ".cache" if os.environ.get("HOME") else None)
    return Path(home) / "octroi" if home else Path(tempfile.gettempdir()) / f"octroi-{os.getuid()}"


def prepare_cache() -> Path:
    """Point numba at this version's cache directory; call it before the first import of numba.

    A directory that cannot be written, or is somebody else's (numba loads what it finds there as code), falls back to a
    temporary one: slower starts, same answers.
    """
    base = _cache_base() / "kernels"
    chosen = base / kernel_fingerprint()
    try:
        chosen.mkdir(mode=0o700, parents=True, exist_ok=True)
        _require_own(chosen)
        _prune(base, chosen)
    except OSError:
        chosen = Path(tempfile.mkdtemp(prefix="octroi-kernels-"))
        atexit.register(shutil.rmtree, chosen, ignore_errors=True)
    os.environ["NUMBA_CACHE_DIR"] = str(chosen)
    return chosen


def is_cold() -> bool:
    """Return whether no kernel is cached yet, so that the first use of each takes its compilation."""
    return not any(Path(os.environ["NUMBA_CACHE_DIR"]).rglob("*.nbi"))


def _require_own(directory: Path) -> None:
    status = directory.stat()
    if status.st_uid != os.getuid() or status.st_mode & 0o002:
        raise PermissionError(f"{directory} is somebody else's")


def _prune(base: Path, chosen: Path) -> None:
    os.utime(chosen)
    others = sorted((p for p in base.iterdir() if p != chosen), key=lambda p: p.stat().st_mtime, reverse=True)
    for stale in others[_KEPT:]:
        shutil.rmtree(stale, ignore_errors=True)
