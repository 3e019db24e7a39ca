"""The account stage on one partition of log 2: EDRs in; rated items and wallet operations out."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from pipelines.account.stage import ClaimContext, finish_attributed
from pipelines.partitions.images import ImageInForce, Shelf, in_force, restored
from pipelines.snapshot import StageState
from schemas.log_place import Log, LogPlace
from schemas.output import OutputBlock
from schemas.stream_blocks import EdrMessage


class LogHasGap(Exception):
    """A block of log 1 had EDRs for this partition that never came: going on would lose them."""


@dataclass(slots=True)
class AccountPartition:
    """One partition of log 2 and its state, which is a function of that log alone.

    Attributes:
        partition: its number. tenant: whose usage it is. shelf: has the catalogs. image: the one in force.
        offset: of the block that comes next. stage_time: the latest append time so far, microseconds UTC.
        seen: partition of log 1 -> (epoch, sequence) of the latest message taken from it: what is not above it came before, and
            what has a lower epoch comes from a worker that lost the partition.
    """

    partition: int
    tenant: str
    shelf: Shelf
    state: StageState = field(default_factory=StageState.empty)
    image: ImageInForce | None = None
    offset: int = 0
    stage_time: int = 0
    seen: dict[int, tuple[int, int]] = field(default_factory=dict)

    def take(self, offset: int, appended_at: int, epoch: int, message: EdrMessage) -> OutputBlock | None:
        """Take the block at `offset` of the log, written under `epoch`; None when it does not count.

        Raises:
            LogHasGap: when a block before it is missing; nothing changed.
            UnableToReadShelf: when it was attributed under a catalog that is not there; nothing changed.
        """
        known_epoch, known = self.seen.get(message.partition, (0, -1))
        counts = epoch >= known_epoch and message.sequence > known
        if counts and message.previous > known:
            raise LogHasGap(
                f"message {message.sequence} of partition {message.partition} of log 1 follows {message.previous}, of which "
                f"partition {self.partition} of log 2 has nothing: the latest it has is {known}"
            )
        if counts:
            self.image = in_force(self.image, message.image, self.state, self.shelf)
        self.stage_time = max(self.stage_time, appended_at)
        self.offset = offset + 1
        if epoch >= known_epoch:
            self.seen[message.partition] = (epoch, max(known, message.sequence))
        if not counts:
            return None
        assert self.image is not None
        position = LogPlace(Log.ACCOUNT, self.partition, offset).position
        record = position.first_record + np.arange(len(message.edrs), dtype=np.int64)
        edrs = replace(message.edrs, position=position, record=record)
        context = ClaimContext(self.tenant, self.state.vocabulary.sources.id(message.source), self.stage_time)
        return finish_attributed(edrs, self.image.image, self.state.account, self.state.vocabulary, context)

    # ---- what a snapshot holds beside the state

    def facts(self) -> dict[str, Any]:
        """Return everything but the state, as JSON has it."""
        return {
            "image": 0 if self.image is None else self.image.number,
            "offset": self.offset,
            "stage_time": self.stage_time,
            "seen": {str(partition): list(seen) for partition, seen in self.seen.items()},
        }

    def restore(self, state: StageState, facts: dict[str, Any]) -> None:
        """Take what a snapshot holds."""
        self.state, self.offset, self.stage_time = state, facts["offset"], facts["stage_time"]
        self.seen = {int(partition): (epoch, offset) for partition, (epoch, offset) in facts["seen"].items()}
        self.image = restored(facts["image"], state, self.shelf)
