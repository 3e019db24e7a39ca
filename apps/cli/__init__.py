"""The command line: `octroi`. Modules that load numba, polars or the store are imported inside commands."""

from __future__ import annotations

from apps.cli.main import main

__all__ = ["main"]
