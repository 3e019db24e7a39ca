"""A data directory: made once, one tenant's, with one secret."""

from __future__ import annotations

from pathlib import Path

import pytest
from resource_journal import file_claim, journal_of

from apps.embedded.layout import DataDirectory, TenantDiffers, UnableToUseDataDirectory


@pytest.fixture
def directory(tmp_path: Path) -> DataDirectory:
    made = DataDirectory(tmp_path / "deep" / "data")
    made.prepare()
    return made


def test_preparing_makes_what_is_missing_and_may_be_repeated(directory: DataDirectory) -> None:
    (directory.images / "x").mkdir()
    directory.prepare()
    names = sorted(path.name for path in directory.root.iterdir())
    assert names == ["archive", "images", "out", "spool", "state"]
    assert (directory.images / "x").exists()
    assert directory.spool.incoming == directory.root / "spool"
    assert directory.spool.archive == directory.root / "archive"


def test_everything_lies_inside_of_the_directory(directory: DataDirectory) -> None:
    parts = ("catalog", "journal", "images", "snapshots", "store", "lock", "socket", "out")
    assert {getattr(directory, part).parent for part in parts} == {directory.root}
    assert len({getattr(directory, part) for part in parts}) == len(parts)


@pytest.mark.parametrize("blocked", [".", "state", "archive"])
def test_a_file_in_the_way_is_named(tmp_path: Path, blocked: str) -> None:
    root = tmp_path / "data"
    way = root if blocked == "." else root / blocked
    way.parent.mkdir(exist_ok=True)
    way.touch()
    with pytest.raises(UnableToUseDataDirectory, match=f"cannot use {root}"):
        DataDirectory(root).prepare()


def test_the_secret_is_made_once_and_kept_to_its_owner(directory: DataDirectory) -> None:
    secret = directory.secret()
    assert len(secret) == 16
    assert directory.secret() == secret
    path = directory.root / "secret"
    assert path.stat().st_mode & 0o777 == 0o600
    assert secret not in path.read_bytes()  # written in hexadecimal, so that a person can copy it
    assert bytes.fromhex(path.read_text()) == secret


def test_two_installations_have_two_secrets(directory: DataDirectory, tmp_path: Path) -> None:
    other = DataDirectory(tmp_path / "other")
    other.prepare()
    assert other.secret() != directory.secret()


@pytest.mark.parametrize("content", [b"", b"00" * 15, b"00" * 17, b"zz" * 16, b"\xff\xfe" * 16])
def test_a_damaged_secret_is_refused_and_not_shown(directory: DataDirectory, content: bytes) -> None:
    directory.secret()
    (directory.root / "secret").write_bytes(content)
    with pytest.raises(UnableToUseDataDirectory, match="secret is damaged; restore it") as caught:
        directory.secret()
    assert "zz" not in str(caught.value)


def test_a_secret_that_is_gone_is_not_made_again_once_there_are_claims(directory: DataDirectory) -> None:
    """Under another secret every record that is sent again would be new, and paid again."""
    directory.secret()
    journal_of(directory.journal, [file_claim(1)]).close()
    (directory.root / "secret").unlink()
    with pytest.raises(UnableToUseDataDirectory, match="secret is gone; restore it"):
        directory.secret()
    assert not (directory.root / "secret").exists()


def test_a_crash_before_the_first_claim_needs_no_secret_back(directory: DataDirectory) -> None:
    directory.journal.touch()
    assert len(directory.secret()) == 16


def test_a_directory_belongs_to_the_tenant_that_used_it_first(directory: DataDirectory) -> None:
    directory.bind("acme")
    directory.bind("acme")
    with pytest.raises(TenantDiffers, match=r"data belongs to tenant 'acme', but the setting `tenant` is 'other'"):
        directory.bind("other")
    directory.bind("acme")
    assert (directory.root / "tenant").read_text() == "acme\n"


@pytest.mark.parametrize("content", [b"", b"\xff\n", b"acme2\n", b"acme\nother\n"])
def test_a_damaged_tenant_is_nobodys(directory: DataDirectory, content: bytes) -> None:
    (directory.root / "tenant").write_bytes(content)
    with pytest.raises(TenantDiffers, match="set it back"):
        directory.bind("acme")
