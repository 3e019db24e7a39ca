"""Catalogs as people name them: in force, kept from before, or in a directory."""

from __future__ import annotations

from pathlib import Path


class UnableToFindCatalog(Exception):
    """Nothing, or more than one catalog, is called so."""


def find_catalog(images: Path, wanted: str, current: str) -> Path:
    """Return the directory of a catalog: `current`, the beginning of a kept image's hash, or a path.

    Args:
        images: where catalogs that were in force are kept. current: the hash of the one in force, "" for none.

    Raises:
        UnableToFindCatalog: when there is none, or several.
    """
    if wanted == "current":
        if not current:
            raise UnableToFindCatalog("no catalog was ever in force here")
        return images / current
    kept = sorted(path for path in images.glob(f"{wanted}*") if path.is_dir()) if wanted.isalnum() else []
    if len(kept) > 1:
        raise UnableToFindCatalog(f"several kept images begin with {wanted}")
    if kept:
        return kept[0]
    if not Path(wanted).is_dir():
        raise UnableToFindCatalog(
            f"{wanted} is neither a kept image (`octroi catalog list` shows them) nor a directory"
        )
    return Path(wanted)
