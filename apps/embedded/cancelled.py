"""Applying cancellations: the commands come from the archive, checked, and go through the stages as a pure function."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from apps.embedded.files import UnableToReadArchive, sha256_of
from pipelines.account.cancel import cancel_block, keys_of
from pipelines.account.stage import ClaimContext
from pipelines.resource.release import release_keys
from pipelines.snapshot import StageState
from pipelines.spool.journal import Cancel
from schemas.cancellation import CANCELLATION_SCHEMA, CancelledKind
from schemas.cdr import BlockPosition
from schemas.output import OutputBlock

FIRST_BESIDE_RECORDS = 2**31
"""Where reversals are numbered from when records are tried again under the same claim: no file has as many records."""


def open_commands(path: Path, sha256: str) -> pa.ipc.RecordBatchFileReader:
    """Return the commands of a cancellation, one batch per block.

    Raises:
        UnableToReadArchive: when the file is gone, or not the one that was journaled.
    """
    try:
        found = sha256_of(path, path.stat().st_size)
    except OSError as error:
        raise UnableToReadArchive(f"cannot read {path.name}: {error.strerror}") from error
    if found != sha256:
        raise UnableToReadArchive(f"{path.name} is damaged; the log needs it: restore it from a backup")
    reader = pa.ipc.open_file(pa.memory_map(str(path)))
    if reader.schema != CANCELLATION_SCHEMA:
        raise UnableToReadArchive(f"{path.name} was written by another release: use that one to finish the log")
    return reader


def cancelled_blocks(
    commands: pa.ipc.RecordBatchFileReader, entry: Cancel, state: StageState, context: ClaimContext, *, resume: int
) -> Iterator[OutputBlock]:
    """Yield what withdrawing each batch of commands from block `resume` on makes; updates `state`."""
    if resume == 0:
        batches = (commands.get_batch(block) for block in range(commands.num_record_batches))
        keys = keys_of(batches)
        release_keys(state.resource.dedup, *keys)
        state.resource.versions.vacate(*keys, forget=entry.cause == "back_out")
    record = FIRST_BESIDE_RECORDS if entry.file_claim else 0
    for block in range(commands.num_record_batches):
        batch = commands.get_batch(block)
        if block >= resume:
            position = BlockPosition(entry.claim, block, record)
            yield cancel_block(batch, position, state.account, context, cause=entry.cause)
        record += int(np.count_nonzero(batch.column("kind").to_numpy() == CancelledKind.RATED))
