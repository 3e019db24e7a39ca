"""Where things are in a data directory."""

from __future__ import annotations

import os
import re
import secrets
from dataclasses import dataclass
from pathlib import Path

from pipelines.mediation.context import SECRET_BYTES
from pipelines.spool.claims import Spool
from pipelines.spool.files import write_durably


class UnableToUseDataDirectory(Exception):
    """The data directory cannot be read or written."""


class TenantDiffers(Exception):
    """The data directory holds the usage of another tenant than the settings name."""


@dataclass(frozen=True, slots=True)
class DataDirectory:
    """A data directory.

    catalog/ what is sold and which sources exist · spool/SOURCE/ files to process · archive/ claimed files ·
    billing/ plans and drafts of billing runs · control.db the tenant's business · tenants/ data directories of other tenants ·
    journal.log the claim journal · charging/ the charging log · images/ catalogs that were active · state/ snapshots ·
    store/ facts (ClickHouse) · secret seeds identity hashes · tenant whose usage is in here · owner.lock and owner.sock of the
    process that owns the directory.
    """

    root: Path

    @property
    def catalog(self) -> Path:
        """The catalog that takes effect at the next start."""
        return self.root / "catalog"

    @property
    def business(self) -> Path:
        """The tenant's business in SQLite, unless it is in PostgreSQL."""
        return self.root / "control.db"

    @property
    def journal(self) -> Path:
        """The claim journal."""
        return self.root / "journal.log"

    @property
    def charging(self) -> Path:
        """The charging log: requests of online charging."""
        return self.root / "charging"

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
    def out(self) -> Path:
        """What was refused of each file, for its sender."""
        return self.root / "out"

    @property
    def billing(self) -> Path:
        """Billing runs: their plans and drafts, by run key."""
        return self.root / "billing"

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
            for path in (self.root, self.images, self.snapshots, self.root / "spool", self.root / "archive", self.out):
                path.mkdir(parents=True, exist_ok=True)
            os.listdir(self.root)
        except OSError as error:
            place = error.filename or self.root
            why = "it is no directory" if isinstance(error, FileExistsError) else error.strerror
            raise UnableToUseDataDirectory(f"cannot use {place}: {why}") from error

    def bind(self, tenant: str) -> None:
        """Make the directory `tenant`'s at first use: every identity in it is hashed with the tenant.

        Raises:
            TenantDiffers: when it is another tenant's.
        """
        path = self.root / "tenant"
        if not path.exists():
            write_durably(path, f"{tenant}\n".encode())
        held = path.read_text(errors="replace").strip()
        if held != tenant:
            raise TenantDiffers(
                f"{self.root} belongs to tenant {held!r}, but the setting `tenant` is {tenant!r}; "
                "set it back, or take another data directory"
            )

    def check_tenant(self, tenant: str) -> None:
        """Check that what is there, if anything, is `tenant`'s: queries that have a name would find nothing of another one.

        Raises:
            TenantDiffers: when it is another tenant's.
        """
        if (self.root / "tenant").exists():
            self.bind(tenant)

    def secret(self) -> bytes:
        """Return the installation's 16 secret bytes, made before the first claim; identities are hashed with them.

        Raises:
            UnableToUseDataDirectory: when it is gone or damaged although there are claims: with another one, a record
                that is sent again would not be recognised.
        """
        path = self.root / "secret"
        if not path.exists():
            if self.journal.is_file() and self.journal.stat().st_size:
                raise UnableToUseDataDirectory(f"{path} is gone; restore it: records sent again are recognised by it")
            write_durably(path, secrets.token_bytes(SECRET_BYTES).hex().encode(), mode=0o600)
        text = path.read_bytes().strip()
        if not re.fullmatch(rb"[0-9a-f]{%d}" % (2 * SECRET_BYTES), text):
            raise UnableToUseDataDirectory(f"{path} is damaged; restore it: records sent again are recognised by it")
        return bytes.fromhex(text.decode())
