"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from apps.cli.failures import say

if TYPE_CHECKING:
    from apps.embedded.layout import DataDirectory
    from apps.settings import Settings

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]
Data = Annotated[
    Path | None,
    typer.Option("--data", "-d", metavar="DIR", help="Data directory (default: setting data_dir, octroi-data)."),
]


def read_settings(data: Path | None) -> Settings:
    """Return the settings, the command line's `data` first.

    Raises:
        UnableToReadSettings: when one is wrong.
    """
    from apps.settings import load_settings

    return load_settings({} if data is None else {"data_dir": data})


def open_settings(data: Path | None) -> tuple[Settings, DataDirectory]:
    """Return the settings and the data directory. Call it before importing what may load kernels: it says where they
    are cached.

    Raises:
        UnableToReadSettings: when a setting is wrong.
    """
    from apps.jit import prepare_cache

    prepare_cache()
    from apps.embedded.layout import DataDirectory

    settings = read_settings(data)
    return settings, DataDirectory(settings.data_dir)


class NoCatalog(Exception):
    """The data directory has no catalog yet, so nothing can be rated."""


def require_catalog(directory: DataDirectory) -> None:
    """Check that a data directory has a catalog.

    Raises:
        NoCatalog: when it has none.
    """
    if not directory.catalog.is_dir():
        raise NoCatalog(
            f"{directory.root} has no directory catalog/: put the documents there that say what is sold and which sources "
            "exist (`octroi demo` makes an example)"
        )


def say_when_cold(*, quiet: bool) -> None:
    """Tell people why the first run on a machine takes longer. It loads kernels: call `open_settings` before."""
    from apps.jit import is_cold

    if is_cold() and not quiet:
        say("compiling kernels: their first use on a machine takes up to half a minute")
