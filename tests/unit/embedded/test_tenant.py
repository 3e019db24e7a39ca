"""A data directory is one tenant's, whatever the settings say later."""

from __future__ import annotations

from pathlib import Path

import pytest
from catalog_texts import CATALOG, write_catalog

from apps.cli.failures import CONFIGURATION, exit_code_of
from apps.embedded.engine import open_engine
from apps.embedded.layout import DataDirectory, TenantDiffers, UnableToUseDataDirectory
from apps.embedded.ports import NoStore
from apps.embedded.rehearse import rehearse
from apps.settings import Settings


def opened(directory: DataDirectory, tenant: str) -> None:
    engine = open_engine(directory, Settings(tenant=tenant), NoStore(), now=lambda: 1, report=print)
    engine.close()


def test_the_tenant_cannot_change_once_the_directory_was_used(tmp_path: Path) -> None:
    directory = DataDirectory(tmp_path)
    opened(directory, "acme")
    opened(directory, "acme")
    before = {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    with pytest.raises(TenantDiffers) as caught:
        opened(directory, "other")
    assert exit_code_of(caught.value) == CONFIGURATION
    assert {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == before


def test_a_dry_run_for_another_tenant_is_refused(tmp_path: Path) -> None:
    """It would call every record new."""
    directory = DataDirectory(tmp_path)
    opened(directory, "acme")
    write_catalog(directory.catalog, CATALOG)
    assert not rehearse(directory, Settings(tenant="acme"), [], say=print).claims
    with pytest.raises(TenantDiffers):
        rehearse(directory, Settings(tenant="other"), [], say=print)


def test_a_lost_secret_is_noticed_before_anything_is_opened(tmp_path: Path) -> None:
    directory = DataDirectory(tmp_path)
    opened(directory, "acme")
    directory.journal.write_bytes(b"00000000 {}\n")
    (tmp_path / "secret").unlink()
    with pytest.raises(UnableToUseDataDirectory, match="secret is gone"):
        opened(directory, "acme")
    assert directory.journal.read_bytes() == b"00000000 {}\n"
