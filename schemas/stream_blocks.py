"""What goes through the logs of the streaming mode: raw blocks, blocks of CDRs, blocks of EDRs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from schemas.arrays import Int64Array, UInt8Array
from schemas.cdr import CdrBlock
from schemas.edr import EdrBlock

MESSAGES_MAX = 1 << 20
"""Most messages of a raw block."""


@dataclass(frozen=True, slots=True)
class RawBlock:
    """Records as they came, n messages of one partition of one topic.

    Attributes:
        source: code of the source. origin: topic and partition, "usage.calls.raw.v1/3".
        payload: (b,) the messages' bytes, one after the other. end: (n,) where each ends in it.
        offset: (n,) offset of each, ascending. received_at: (n,) microseconds UTC when each was appended there.
    """

    source: str
    origin: str
    payload: UInt8Array
    end: Int64Array
    offset: Int64Array
    received_at: Int64Array

    def __post_init__(self) -> None:
        """Refuse what does not fit together: whoever sends blocks may be somebody else.

        Raises:
            ValueError: when they are too many, ends do not lie in the payload one after the other, or an offset or time lacks.
        """
        if len(self.end) > MESSAGES_MAX:
            raise ValueError(f"{len(self.end)} messages are more than {MESSAGES_MAX}")
        if len(self.end) and (self.end[-1] != len(self.payload) or np.any(np.diff(self.end, prepend=0) < 0)):
            raise ValueError("the ends of messages do not lie in the payload, one after the other")
        if self.origin and not len(self.end) == len(self.offset) == len(self.received_at):
            raise ValueError(f"{len(self.end)} messages have {len(self.offset)} offsets, {len(self.received_at)} times")

    def __len__(self) -> int:
        """Return the number of messages."""
        return len(self.end)


@dataclass(frozen=True, slots=True)
class CdrMessage:
    """CDRs of one raw block that belong to one partition of log 1.

    Attributes:
        source, origin: as of the raw block. offset: (n,) that of each record's message.
        image: number of the tariff image it was read under. window_days: of deduplication, 0 for unlimited.
        received_at: microseconds UTC when the oldest of its messages was appended to the raw topic.
        words: what the decoder says against the first of the refused rows, in order.
    """

    source: str
    origin: str
    image: int
    window_days: int
    received_at: int
    offset: Int64Array
    cdrs: CdrBlock
    words: list[str]


SEQUENCE_STEP = 1024
"""More messages than one block of log 1 has for one partition of log 2."""


@dataclass(frozen=True, slots=True)
class EdrMessage:
    """EDRs of one block of log 1 that belong to one partition of log 2.

    Attributes:
        source: code of the source. image: number of the tariff image they were attributed under.
        partition: of log 1. sequence: offset of the block there * SEQUENCE_STEP, plus which part of its EDRs this is.
        previous: the sequence of the message before it for the same partition of log 2, -1 for none.
        received_at: as of the CDRs.
    """

    source: str
    image: int
    partition: int
    sequence: int
    previous: int
    received_at: int
    edrs: EdrBlock
