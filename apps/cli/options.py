"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from apps.embedded.layout import DataDirectory
    from apps.settings import Settings

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]
Data = Annotated[
    Path | None,
    typer.Option("--data", "-d", metavar="DIR", help="Data directory (default: setting data_dir, octroi-data)."),
]


def read_settings(data: Path | None) -> Settings:
    """Return the settings, the command line's `data` first."""
    from apps.settings import Settings

    chosen: dict[str, Any] = {} if data is None else {"data_dir": data}
    return Settings(**chosen)


def data_directory(settings: Settings) -> DataDirectory:
    """Return the data directory of the settings."""
    from apps.embedded.layout import DataDirectory

    return DataDirectory(settings.data_dir)
