"""The resource stage on one partition of log 1: CDRs in; EDRs by charge group, and the sheet of their records, out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from pipelines.account.stage import ClaimContext, finish_records
from pipelines.partitions.images import ImageInForce, Shelf, in_force, restored
from pipelines.partitions.keys import partitions_of_accounts
from pipelines.refusals import refused_rows
from pipelines.resource.stage import process
from pipelines.snapshot import StageState
from rating.rate import account_of
from schemas.arrays import Int32Array
from schemas.cdr import CdrBlock, select_records
from schemas.edr import EdrBlock, select_edrs
from schemas.log_place import Log, LogPlace
from schemas.output import OutputBlock
from schemas.rejection import EXPLANATIONS, Reason
from schemas.stream_blocks import SEQUENCE_STEP, CdrMessage, EdrMessage

EDRS_MAX = 32_768
"""EDRs of one message: an access point that is shared makes several of one record."""


@dataclass(frozen=True, slots=True)
class ResourceOutput:
    """What came of one block of log 1: EDRs by partition of log 2, and the sheet of its records with what was refused."""

    edrs: list[tuple[int, EdrMessage]]
    sheet: OutputBlock


@dataclass(slots=True)
class ResourcePartition:
    """One partition of log 1 and its state, which is a function of that log alone.

    Attributes:
        partition: its number. account_partitions: how many log 2 has; it may not change.
        tenant: whose usage it is. shelf: has the catalogs. image: the one in force.
        offset: of the block that comes next. stage_time: the latest append time so far, microseconds UTC.
        seen: origin -> highest raw offset that was taken: what is not above it came before, and is dropped silently.
        sent: partition of log 2 -> sequence of the latest message for it.
    """

    partition: int
    account_partitions: int
    tenant: str
    shelf: Shelf
    state: StageState = field(default_factory=StageState.empty)
    image: ImageInForce | None = None
    offset: int = 0
    stage_time: int = 0
    seen: dict[str, int] = field(default_factory=dict)
    sent: dict[int, int] = field(default_factory=dict)
    _targets: tuple[int, Int32Array] | None = None

    def take(self, offset: int, appended_at: int, message: CdrMessage) -> ResourceOutput | None:
        """Take the block at `offset` of the log, appended at `appended_at` (microseconds UTC); None when it all came before.

        Raises:
            UnableToReadShelf: when it was read under a catalog that is not there; nothing changed.
        """
        self.image = in_force(self.image, message.image, self.state, self.shelf)
        self.stage_time = max(self.stage_time, appended_at)
        self.offset = offset + 1
        fresh = np.flatnonzero(message.offset > self.seen.get(message.origin, -1))
        if not len(fresh):
            return None
        self.seen[message.origin] = int(message.offset[-1])
        place = LogPlace(Log.RESOURCE, self.partition, offset)
        words = dict(zip(refused_rows(message.cdrs.reason).tolist(), message.words, strict=False))
        position = place.position
        record = position.first_record + np.arange(len(message.cdrs), dtype=np.int64)
        cdrs = replace(message.cdrs, position=position, record=record)
        return self._process(select_records(cdrs, fresh) if len(fresh) < len(cdrs) else cdrs, message, words)

    def _process(self, cdrs: CdrBlock, message: CdrMessage, words: dict[int, str]) -> ResourceOutput:
        assert self.image is not None
        found, first = self.image, cdrs.position.first_record
        # a source that is gone since: what was read of it before is taken by its own terms
        catalog = found.catalog if message.source in found.catalog.sources else self.shelf(message.image)
        source = catalog.sources[message.source]
        state, source_id = self.state, self.state.vocabulary.sources.id(message.source)
        state.resource.dedup.take_terms(message.window_days or None, again=False)
        result = process(
            cdrs,
            found.image.access,
            state.resource,
            stage_time=self.stage_time,
            conflict_is_duplicate=source.on_same_key == "duplicate",
            source=source_id,
            tolerance_us=source.tolerance_us,
        )

        def describe(block: CdrBlock, row: int) -> str:
            known = words.get(int(block.record[row]) - first)
            return EXPLANATIONS[Reason(int(block.reason[row]))] if known is None else known

        context = ClaimContext(self.tenant, source_id, self.stage_time)
        none = select_edrs(result.edrs, np.zeros(0, np.int64))
        sheet = finish_records(
            cdrs, result.reason, none, found.image, state.account, state.vocabulary, context, describe
        )
        return ResourceOutput(list(self._by_group(result.edrs, message)), sheet)

    def _by_group(self, edrs: EdrBlock, message: CdrMessage) -> Iterator[tuple[int, EdrMessage]]:
        assert self.image is not None
        offset = self.offset - 1
        if self._targets is None or self._targets[0] != self.image.number:
            targets = partitions_of_accounts(
                self.state.vocabulary.accounts.names,
                self.image.image.charge_group,
                self.tenant,
                self.account_partitions,
            )
            self._targets = (self.image.number, np.append(targets, np.int32(0)))  # the last is that of no account
        target = self._targets[1][account_of(edrs, self.image.image)]
        for partition in np.unique(target).tolist():
            rows = np.flatnonzero(target == partition)
            for part, first in enumerate(range(0, len(rows), EDRS_MAX)):
                sequence = offset * SEQUENCE_STEP + part
                previous, self.sent[partition] = self.sent.get(partition, -1), sequence
                some = select_edrs(edrs, rows[first : first + EDRS_MAX])
                head = (message.source, self.image.number, self.partition, sequence, previous, message.received_at)
                yield partition, EdrMessage(*head, some)

    # ---- what a snapshot holds beside the state

    def facts(self) -> dict[str, Any]:
        """Return everything but the state, as JSON has it."""
        return {
            "image": 0 if self.image is None else self.image.number,
            "offset": self.offset,
            "stage_time": self.stage_time,
            "account_partitions": self.account_partitions,
            "seen": self.seen,
            "sent": {str(partition): offset for partition, offset in self.sent.items()},
        }

    def restore(self, state: StageState, facts: dict[str, Any]) -> None:
        """Take what a snapshot holds.

        Raises:
            UnableToRepartition: when log 2 had another number of partitions.
        """
        if facts["account_partitions"] != self.account_partitions:
            raise UnableToRepartition("log 2", facts["account_partitions"], self.account_partitions)
        self.state, self.offset, self.stage_time = state, facts["offset"], facts["stage_time"]
        self.seen = dict(facts["seen"])
        self.sent = {int(partition): offset for partition, offset in facts["sent"].items()}
        self.image = restored(facts["image"], state, self.shelf)


class UnableToRepartition(Exception):
    """A log has another number of partitions than the state was built with: its keys would lie elsewhere."""

    def __init__(self, log: str, before: int, now: int) -> None:
        """Say which and how many."""
        super().__init__(
            f"{log} has {now} partitions, the snapshots were made with {before}: accounts would be found on other partitions "
            "than their balances; put the number back, or start with new topics and no snapshots"
        )
