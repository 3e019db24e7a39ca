"""Applying reratings: what is taken back and what takes its place come from the archive, checked, and go through the stage."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from apps.embedded.cancelled import FIRST_BESIDE_RECORDS, open_checked
from apps.embedded.images import ActiveImage, recompile
from apps.embedded.layout import DataDirectory
from pipelines.account.before import before_rerating
from pipelines.account.cancel import cancel_block
from pipelines.account.stage import ClaimContext, finish_rerated
from pipelines.snapshot import StageState
from pipelines.spool.journal import Rerate
from rating.history import begin, settle
from rating.periods import rolling_slots
from schemas.arrays import Int64Array
from schemas.cancellation import CANCELLATION_SCHEMAS
from schemas.cdr import BlockPosition
from schemas.edr import PACKED_WORDS_VALUED, unpack
from schemas.output import OutputBlock
from schemas.rerating import NOT_REVERSED, RERATING_SCHEMA

FILES_KEPT = 8
"""Reratings whose places are kept in memory: looking a place up asks for the latest ones first."""


def rerated_blocks(
    directory: DataDirectory, entry: Rerate, state: StageState, active: ActiveImage, tenant: str
) -> Iterator[OutputBlock]:
    """Yield what taking back and rating again make, block by block; updates `state`.

    No snapshot is taken between them, because nothing is received: an entry is applied from its beginning, or not at all.

    Raises:
        UnableToReadArchive: when the commands are gone, or not those that were journaled.
    """
    archive = directory.spool.archive
    if entry.image != state.image:
        active = recompile(directory, entry.image, state)
    withdrawals = open_checked(archive / entry.stored, entry.sha256, *CANCELLATION_SCHEMAS)
    before = before_rerating(active.image, state.vocabulary.counters)
    edrs = open_checked(archive / entry.edrs, entry.edrs_sha256, RERATING_SCHEMA)
    reversals = np.concatenate([np.zeros(0, np.int64), *(_column(edrs, block, "reversal") for block in _blocks(edrs))])
    withdrawn = sum(withdrawals.get_batch(block).num_rows for block in _blocks(withdrawals))
    replaced_by = np.full(withdrawn, -1, np.int64)
    known = np.flatnonzero(reversals != NOT_REVERSED)
    replaced_by[reversals[known]] = known
    state.charging.kept.withdraw(
        *(
            np.concatenate(
                [np.zeros(0, np.int64), *(_column(withdrawals, block, name) for block in _blocks(withdrawals))]
            )
            for name in ("claim", "record")
        )
    )
    item = np.concatenate(
        [np.zeros(0, np.int64), *(_column(withdrawals, block, "item") for block in _blocks(withdrawals))]
    )
    for row in np.flatnonzero(item).tolist():
        replaced_by[row] = replaced_by[row - 1]
    record = 0
    sources = state.vocabulary.sources
    for block in _blocks(withdrawals):
        batch = withdrawals.get_batch(block)
        position = BlockPosition(entry.claim, block, FIRST_BESIDE_RECORDS + record)
        context = ClaimContext(tenant, sources.id(entry.sources[block]), entry.received_at, 1, before)
        replacing = replaced_by[record : record + batch.num_rows]
        yield cancel_block(batch, position, state.account, context, cause="rerated", replaced_by=replacing)
        record += batch.num_rows
    past, first = begin(state.account), 0
    context = ClaimContext(tenant, 0, entry.received_at, 1, before)
    for block in _blocks(edrs):
        batch = edrs.get_batch(block)
        position = BlockPosition(entry.claim, withdrawals.num_record_batches + block, first)
        usage = unpack(packed_in(batch), position)
        of = np.array(batch.column("source").to_numpy(), np.int32)
        yield finish_rerated(usage, of, active.image, past, state.vocabulary, context)
        first += batch.num_rows
    settle(state.account, past, rolling_slots(state.vocabulary.counters))


def packed_in(batch: pa.RecordBatch) -> Int64Array:
    """Return (n, PACKED_WORDS_VALUED) the EDRs of some rows of RERATING_SCHEMA."""
    column: Any = batch.column("edr")
    data = column.buffers()[1]
    words: Int64Array = np.frombuffer(data, np.int64).reshape(-1, PACKED_WORDS_VALUED)
    return words[column.offset : column.offset + len(column)]


def replaced_places(archive: Path, entry: Rerate) -> tuple[Int64Array, Int64Array]:
    """Return (place, branch), each (n,): where record i of a rerating stood before, claim and record in one number.

    Raises:
        UnableToReadArchive: when the commands are gone, or not those that were journaled.
    """
    return _places(archive / entry.edrs, entry.edrs_sha256)


@lru_cache(FILES_KEPT)
def _places(path: Path, sha256: str) -> tuple[Int64Array, Int64Array]:
    reader = open_checked(path, sha256, RERATING_SCHEMA)
    column = {
        name: np.concatenate([np.zeros(0, np.int64), *(_column(reader, block, name) for block in _blocks(reader))])
        for name in ("claim", "record", "branch")
    }
    return column["claim"].astype(np.int64) << np.int64(32) | column["record"].astype(np.int64), column["branch"]


def _blocks(reader: pa.ipc.RecordBatchFileReader) -> range:
    return range(reader.num_record_batches)


def _column(reader: pa.ipc.RecordBatchFileReader, block: int, name: str) -> Int64Array:
    batch = reader.get_batch(block)
    if name not in batch.schema.names:  # an earlier release wrote it
        return np.zeros(len(batch), np.int64)
    return np.array(batch.column(name).to_numpy(), np.int64)
