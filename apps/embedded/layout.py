"""Where things are in a data directory."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from pipelines.spool.claims import Spool
from pipelines.spool.files import write_durably


class UnableToUseDataDirectory(Exception):
    """The data directory cannot be read or written."""


@dataclass(frozen=True, slots=True)
class DataDirectory:
    """A data directory.

    catalog/ what is sold and which sources exist · spool/SOURCE/ files to process · archive/ claimed files ·
    journal.log the claim journal · images/ catalogs that were active · state/ snapshots · store/ facts (ClickHouse) ·
    secret seeds identity hashes · owner.lock and owner.sock of the process that owns the directory.
    """

    root: Path

    @property
    def catalog(self) -> Path:
        """The catalog that takes effect at the next start."""
        return self.root / "catalog"

    @property
    def journal(self) -> Path:
        """The claim journal."""
        return self.root / "journal.log"

    @property
    def images(self) -> Path:
        """Catalogs that were active, by content hash."""
        return self.root / "images"

    @property
    def snapshots(self) -> Path:
        """Snapshots of stage state."""
        return self.root / "state"

    @property
    def store(self) -> Path:
        """The embedded ClickHouse directory."""
        return self.root / "store"

    @property
    def lock(self) -> Path:
        """Lock file held by the owner."""
        return self.root / "owner.lock"

    @property
    def socket(self) -> Path:
        """Socket on which the owner answers."""
        return self.root / "owner.sock"

    @property
    def spool(self) -> Spool:
        """The spool's directories."""
        return Spool(incoming=self.root / "spool", archive=self.root / "archive")

    def prepare(self) -> None:
        """Create what is missing.

        Raises:
            UnableToUseDataDirectory: when the directory cannot be created, listed or written.
        """
        try:
            for path in (self.root, self.images, self.snapshots, self.root / "spool", self.root / "archive"):
                path.mkdir(parents=True, exist_ok=True)
            os.listdir(self.root)
        except OSError as error:
            raise UnableToUseDataDirectory(f"cannot use {self.root}: {error.strerror}") from error

    def secret(self) -> bytes:
        """Return the installation's 16 secret bytes, made at first use; identities are hashed with them."""
        path = self.root / "secret"
        if not path.exists():
            write_durably(path, secrets.token_bytes(16).hex().encode())
            path.chmod(0o600)
        return bytes.fromhex(path.read_text().strip())
