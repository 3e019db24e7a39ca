"""Records that wait until somebody has them executed: those of sources with `hold`, when their file comes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from pipelines.spool.journal import FileClaim, JournalEntry
from schemas.cdr import CdrBlock
from schemas.rejection import Reason
from schemas.source import SourceBase


def held(blocks: Iterator[CdrBlock], source: SourceBase, entry: JournalEntry) -> Iterator[CdrBlock]:
    """Yield decoded blocks, of a source that holds those of a new file with all that is fine parked (AWAITS_EXECUTION).

    A retry executes them, and what somebody corrected by hand needs nobody else.
    """
    if not source.hold or not isinstance(entry, FileClaim) or entry.corrects:
        yield from blocks
        return
    for cdrs in blocks:
        reason = np.where(cdrs.reason == Reason.NONE, Reason.AWAITS_EXECUTION, cdrs.reason).astype(np.uint16)
        yield replace(cdrs, reason=reason)
