"""Applying cancellations: the commands come from the archive, checked, and go through the stages as a pure function."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from apps.embedded.files import UnableToReadArchive, sha256_of
from pipelines.account.cancel import cancel_block, keys_of, unseen_of
from pipelines.account.stage import ClaimContext
from pipelines.resource.dedup import DAY_US
from pipelines.resource.release import release_keys
from pipelines.resource.reopening import reopen
from pipelines.snapshot import StageState
from pipelines.spool.journal import Cancel, Renewal
from schemas.cancellation import CANCELLATION_SCHEMAS, CancelledKind
from schemas.cdr import BlockPosition
from schemas.output import OutputBlock
from schemas.reopening import RENEWAL_SCHEMA, REOPENING_SCHEMA

FIRST_BESIDE_RECORDS = 2**31
"""Where reversals are numbered from when records are tried again under the same claim: no file has as many records."""


@dataclass(frozen=True, slots=True)
class Commands:
    """What a cancellation does: `withdrawals`, one batch per block, and first what becomes of sessions."""

    withdrawals: pa.ipc.RecordBatchFileReader
    reopening: pa.RecordBatch | None

    @property
    def blocks(self) -> int:
        """How many blocks it makes."""
        return self.withdrawals.num_record_batches

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield them, block by block."""
        return (self.withdrawals.get_batch(block) for block in range(self.blocks))


def open_commands(archive: Path, entry: Cancel) -> Commands:
    """Return the commands of a cancellation.

    Raises:
        UnableToReadArchive: when a file of them is gone, or not the one that was journaled.
    """
    reopening = None
    if entry.reopening:
        reader = open_checked(archive / entry.reopening, entry.reopening_sha256, REOPENING_SCHEMA)
        reopening = reader.get_batch(0)
    return Commands(open_checked(archive / entry.stored, entry.sha256, *CANCELLATION_SCHEMAS), reopening)


def open_renewal(archive: Path, entry: Renewal) -> pa.RecordBatch:
    """Return what parts of sessions say now.

    Raises:
        UnableToReadArchive: when its file is gone, or not the one that was journaled.
    """
    return open_checked(archive / entry.stored, entry.sha256, RENEWAL_SCHEMA).get_batch(0)


def open_checked(path: Path, sha256: str, *schemas: pa.Schema) -> pa.ipc.RecordBatchFileReader:
    """Return a file of commands in one of some schemas.

    Raises:
        UnableToReadArchive: when it is gone, or not the one that was journaled.
    """
    try:
        found = sha256_of(path, path.stat().st_size)
    except OSError as error:
        raise UnableToReadArchive(f"cannot read {path.name}: {error.strerror}") from error
    if found != sha256:
        raise UnableToReadArchive(f"{path.name} is damaged; the log needs it: restore it from a backup")
    reader = pa.ipc.open_file(pa.memory_map(str(path)))
    if reader.schema not in schemas:
        raise UnableToReadArchive(f"{path.name} was written by another release: use that one to finish the log")
    return reader


def read_commands(path: Path) -> Iterator[pa.RecordBatch]:
    """Yield commands of which no entry of the log knows yet."""
    reader = pa.ipc.open_file(pa.memory_map(str(path)))
    return (reader.get_batch(block) for block in range(reader.num_record_batches))


def cancelled_blocks(
    commands: Commands, entry: Cancel, state: StageState, context: ClaimContext, *, resume: int
) -> Iterator[OutputBlock]:
    """Yield what withdrawing each batch of commands from block `resume` on makes; updates `state`."""
    reader = commands.withdrawals
    if resume == 0:
        unseen = (column.tolist() for column in unseen_of(commands.batches()))
        state.resource.versions.unsee(zip(*unseen, strict=True))
        keys = keys_of(commands.batches())
        release_keys(state.resource.dedup, *keys)
        state.resource.versions.vacate(*keys, forget=entry.cause == "back_out")
        if commands.reopening is not None:
            start = state.resource.dedup.first_day * DAY_US
            reopen(state.resource.assembly, commands.reopening, stage_time=entry.received_at, window_start=start)
    record = FIRST_BESIDE_RECORDS if entry.file_claim else 0
    for block in range(commands.blocks):
        batch = reader.get_batch(block)
        if block >= resume:
            position = BlockPosition(entry.claim, block, record)
            yield cancel_block(batch, position, state.account, context, cause=entry.cause)
        record += int(np.count_nonzero(batch.column("kind").to_numpy() == CancelledKind.RATED))
