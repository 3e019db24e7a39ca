"""Encrypted files: which keys may fit the files of a source."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from apps.embedded.archive_files import ArchiveFiles
from apps.settings import SealKey
from pipelines.mediation.sealed import FlowKey

if TYPE_CHECKING:
    from apps.embedded.engine import Engine


def archive_files(engine: Engine) -> ArchiveFiles:
    """Return what claims the files in archives, with the keys of the sources whose files are encrypted."""
    sources = {} if engine.active is None else engine.active.catalog.sources
    keys = {
        code: keys_of(engine.settings.file_keys, code)
        for code, source in sources.items()
        if source.encryption is not None
    }
    return ArchiveFiles(engine.directory.spool, engine.journal, engine.report, keys)


def keys_of(keys: Mapping[str, SealKey], source: str) -> Sequence[FlowKey]:
    """Return the keys that may fit the files of a source, in the order of their names."""
    return tuple(
        FlowKey(
            name,
            bytes.fromhex(key.key.get_secret_value()),
            b"" if key.iv is None else bytes.fromhex(key.iv.get_secret_value()),
        )
        for name, key in sorted(keys.items())
        if key.sources is None or source in key.sources
    )
