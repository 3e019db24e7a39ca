"""Unrated EDRs that are tried again: they come from the archive, whole, and go through the account stage."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from apps.embedded.files import UnableToReadArchive
from apps.embedded.images import ActiveImage
from pipelines.account.stage import ClaimContext, finish_edrs
from pipelines.snapshot import StageState
from pipelines.spool.journal import EdrRetry
from schemas.cdr import BlockPosition
from schemas.edr import PACKED_WORDS, PACKED_WORDS_VALUED, unpack
from schemas.output import OutputBlock

EDRS_PER_BLOCK = 50_000


def retried_blocks(
    archive: Path, entry: EdrRetry, state: StageState, active: ActiveImage, context: ClaimContext, resume: int
) -> Iterator[OutputBlock]:
    """Rate the EDRs of a retry again and yield what comes of them, from block `resume` on.

    Raises:
        UnableToReadArchive: when their file is gone or damaged.
    """
    path = archive / entry.stored
    try:
        words = np.fromfile(path, np.int64)
    except OSError as error:
        raise UnableToReadArchive(f"cannot read {path.name}: {error.strerror}") from error
    width = PACKED_WORDS if len(words) == len(entry.refused) * PACKED_WORDS else PACKED_WORDS_VALUED
    if len(words) != len(entry.refused) * width:
        raise UnableToReadArchive(f"{path.name} is damaged; the log needs it: restore it from a backup")
    packed = words.reshape(-1, width)
    for block, first in enumerate(range(0, len(packed), EDRS_PER_BLOCK)):
        if block >= resume:
            edrs = unpack(packed[first : first + EDRS_PER_BLOCK], BlockPosition(entry.claim, block, first))
            yield finish_edrs(edrs, active.image, state.account, state.vocabulary, context)
