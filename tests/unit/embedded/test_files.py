"""Claimed files are verified whole before their first record."""

from __future__ import annotations

import errno
import gzip
import hashlib
import os
from pathlib import Path
from typing import Any

import pytest
from catalog_texts import CATALOG, write_catalog

from apps.embedded import files
from apps.embedded.files import (
    QuarantinedFile,
    ReadableFile,
    UnableToReadArchive,
    inspect_file,
    sha256_of,
    unknown_source,
)
from apps.embedded.images import ActiveImage, activate, archive_catalog
from apps.embedded.layout import DataDirectory
from billing.catalog.store import load_catalog
from pipelines.mediation.context import DecodeContext
from pipelines.snapshot import StageState
from pipelines.spool.journal import ImageClaim

ROW = b"1;33600000001;2026-04-01T10:00:00;V;2;FR\n"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> tuple[ActiveImage, StageState]:
    directory = DataDirectory(tmp_path_factory.mktemp("data"))
    directory.prepare()
    catalog = load_catalog(write_catalog(directory.catalog, CATALOG))
    archive_catalog(directory, catalog)
    state = StageState.empty()
    return activate(
        directory, ImageClaim(claim=1, received_at=1, content_hash=catalog.content_hash), state
    ).active, state


@pytest.fixture
def context(world: tuple[ActiveImage, StageState]) -> DecodeContext:
    active, state = world
    return active.decode_context("cdr", state, tenant="main", secret=bytes(16))


def inspect(path: Path, context: DecodeContext, **bounds: int) -> ReadableFile | QuarantinedFile:
    return inspect_file(
        path,
        context,
        **{"size": path.stat().st_size if path.exists() else 1, "bytes_max": 1 << 30, "ratio_max": 100} | bounds,
    )


@pytest.mark.parametrize("compress", [bytes, gzip.compress])
def test_a_readable_file_gives_the_same_blocks_at_every_call(
    tmp_path: Path, context: DecodeContext, compress: Any
) -> None:
    path = tmp_path / "usage"
    path.write_bytes(compress(ROW * 5000))
    file = inspect(path, context)
    assert isinstance(file, ReadableFile)
    assert file.container.decoded_bytes == len(ROW) * 5000
    first, second = (list(file.blocks(claim=7, block_bytes=4096)) for _ in range(2))
    assert len(first) > 1
    assert sum(len(block) for block in first) == 5000
    assert [(block.position, block.key_lo.tolist()) for block in first] == [
        (block.position, block.key_lo.tolist()) for block in second
    ]
    assert {block.position.claim for block in first} == {7}


@pytest.mark.parametrize(
    ("content", "bounds"),
    [
        (gzip.compress(ROW * 500, mtime=0)[:-9], {}),
        (gzip.compress(bytes(200_000), mtime=0), {"ratio_max": 10}),
        (ROW * 500, {"bytes_max": 100}),
    ],
    ids=["truncated", "bomb", "too large"],
)
def test_a_bad_file_is_quarantined_with_a_code_and_a_reason(
    tmp_path: Path, context: DecodeContext, content: bytes, bounds: dict[str, int]
) -> None:
    path = tmp_path / "usage"
    path.write_bytes(content)
    found = inspect(path, context, **bounds)
    assert isinstance(found, QuarantinedFile)
    assert found.code.isupper()
    assert found.message


def test_a_file_that_is_gone_stops_the_log(tmp_path: Path, context: DecodeContext) -> None:
    """Quarantining it would be another answer than the first time."""
    with pytest.raises(UnableToReadArchive, match="missing"):
        inspect(tmp_path / "missing", context)


@pytest.mark.parametrize("lost", [1, len(ROW), 10 * len(ROW)])
def test_a_file_that_lost_bytes_since_it_was_claimed_stops_the_log(
    tmp_path: Path, context: DecodeContext, lost: int
) -> None:
    """Fewer records than the first time: what was stored of the others would stay, and the state would forget them."""
    path = tmp_path / "usage"
    path.write_bytes((ROW * 10)[:-lost])
    with pytest.raises(UnableToReadArchive, match="usage lost bytes"):
        inspect(path, context, size=len(ROW) * 10)


@pytest.mark.parametrize("step", ["check_container", "open_container", "check_file"])
def test_a_file_whose_bytes_cannot_be_read_stops_the_log(
    tmp_path: Path, context: DecodeContext, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    path = tmp_path / "usage.csv"
    path.write_bytes(ROW)

    def broken(*args: Any, **kwargs: Any) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(files, step, broken)
    with pytest.raises(UnableToReadArchive, match=r"cannot read usage\.csv: Input/output error"):
        inspect(path, context)


def test_a_source_that_the_catalog_does_not_define_is_told_with_those_it_has(
    world: tuple[ActiveImage, StageState],
) -> None:
    found = unknown_source("cdrs", world[0])
    assert (found.code, found.message) == (
        "UNKNOWN_SOURCE",
        "the catalog defines no source 'cdrs'; it has cdr, events, r151, usage",
    )


@pytest.mark.parametrize("content", [b"", b"x", bytes(3_000_000)])
def test_the_hash_of_a_file_is_its_sha256(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "f").write_bytes(content)
    assert sha256_of(tmp_path / "f", len(content)) == hashlib.sha256(content).hexdigest()


def test_bytes_that_came_after_the_claim_are_not_read(tmp_path: Path, context: DecodeContext) -> None:
    """A replay reads what the first run read, however long the sender went on writing."""
    path = tmp_path / "usage"
    path.write_bytes(ROW * 5 + ROW[:7])
    size = len(ROW) * 3
    file = inspect(path, context, size=size)
    assert isinstance(file, ReadableFile)
    assert sum(len(block) for block in file.blocks(claim=1, block_bytes=1 << 20)) == 3
    assert sha256_of(path, size) == hashlib.sha256(ROW * 3).hexdigest()


@pytest.mark.parametrize("change", [b"", b"\xff\xfe" + ROW])
def test_a_file_that_changes_after_it_was_verified_stops_the_log(
    tmp_path: Path, context: DecodeContext, change: bytes
) -> None:
    path = tmp_path / "usage"
    path.write_bytes(gzip.compress(ROW * 5000, mtime=0))
    file = inspect(path, context)
    assert isinstance(file, ReadableFile)
    path.write_bytes(change)
    with pytest.raises(UnableToReadArchive, match="usage changed after it was verified"):
        list(file.blocks(claim=1, block_bytes=1 << 20))
