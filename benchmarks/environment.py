"""Where a measurement was made: what it takes to judge a number, and nothing that names the machine."""

from __future__ import annotations

import os
import platform
from importlib import metadata
from pathlib import Path
from typing import Any

LIBRARIES = ("numpy", "numba", "pyarrow", "polars", "clickhouse-connect", "chdb", "pydantic")


def describe_environment() -> dict[str, Any]:
    """Return processor, cores, memory, load, kernel, Python and library versions; None for what this system does not tell.

    The load is how many threads ran, or waited for a core, on average of 1, 5 and 15 minutes: this measurement's, too.
    """
    return {
        "cpu": _value_of(Path("/proc/cpuinfo"), "model name") or platform.processor() or None,
        "cores": _cores(),
        "memory_mib": _memory_mib(),
        "load": [round(load, 1) for load in os.getloadavg()] if hasattr(os, "getloadavg") else None,
        "kernel": f"{platform.system()} {platform.release()}",
        "machine": platform.machine(),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "libraries": {name: _version(name) for name in LIBRARIES},
    }


def _cores() -> int | None:
    allowed = getattr(os, "sched_getaffinity", None)
    return len(allowed(0)) if allowed is not None else os.cpu_count()


def _memory_mib() -> int | None:
    text = _value_of(Path("/proc/meminfo"), "MemTotal")
    return int(text.split()[0]) // 1024 if text else None


def _value_of(path: Path, name: str) -> str | None:
    """Return the first value of `name` in a file of "name : value" lines."""
    if not path.exists():
        return None
    for line in path.read_text("utf-8").splitlines():
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return None


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
