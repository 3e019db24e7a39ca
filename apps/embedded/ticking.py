"""Ticks: entries of the log that say how late it is, so that sessions of which nothing more came can end."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from apps.embedded.images import ActiveImage
from pipelines.account.stage import ClaimContext, finish_sessions
from pipelines.snapshot import StageState
from pipelines.spool.journal import Tick
from schemas.cdr import BlockPosition
from schemas.output import OutputBlock

SESSIONS_PER_BLOCK = 50_000


def timed_out_blocks(
    entry: Tick, state: StageState, active: ActiveImage, tenant: str, resume: int
) -> Iterator[OutputBlock]:
    """End the sessions that are due at a tick and yield their EDRs, a block of one source at a time.

    Session i of block b is record b * SESSIONS_PER_BLOCK + i, so that a tick that goes on in its middle numbers the rest as it
    would have: what is due then is what the earlier blocks left.

    Args:
        resume: the first block that the state does not include yet.
    """
    assembly = state.resource.assembly
    slots = assembly.due(entry.received_at)
    sources = assembly.sessions.source[slots]
    block = resume
    for source in np.unique(sources).tolist():
        of_source = slots[sources == source]
        for first in range(0, len(of_source), SESSIONS_PER_BLOCK):
            part = of_source[first : first + SESSIONS_PER_BLOCK]
            position = BlockPosition(entry.claim, block, block * SESSIONS_PER_BLOCK)
            record = np.arange(position.first_record, position.first_record + len(part), dtype=np.int64)
            ended = assembly.end(part, entry.claim, record)
            yield finish_sessions(
                ended.edrs(position, record),
                ended.incomplete,
                ended.parts(record),
                active.image,
                state.account,
                state.vocabulary,
                ClaimContext(tenant, source, entry.received_at),
            )
            block += 1
