"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

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

Tenant = Annotated[
    str | None, typer.Option("--tenant", "-t", metavar="CODE", help="Whose it is (default: setting tenant, main).")
]
By = Annotated[
    str | None, typer.Option("--by", metavar="NAME", help="Who does it, for the audit log (default: who is logged in).")
]
Limit = Annotated[int, typer.Option(min=1, max=1000, help="At most so many.")]


def read_settings(data: Path | None) -> Settings:
    """Return the settings, the command line's `data` first.

    Raises:
        UnableToReadSettings: when one is wrong.
    """
    from apps.settings import load_settings

    given: dict[str, Any] = {} if data is None else {"data_dir": data}
    settings = load_settings(given)
    held = settings.data_dir / "tenant"
    if "tenant" not in settings.model_fields_set and settings.data_dir.parent.name == "tenants" and held.is_file():
        # a tenant's own directory, as `octroi tenant add` makes it, says whose it is unless a setting says otherwise
        return load_settings(given | {"tenant": held.read_text(errors="replace").strip()})
    return settings


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
