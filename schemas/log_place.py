"""Where rows of the streaming mode lie: (log, partition, offset, row) as the claim, block and record that facts are named by.

A claim is 32,768 offsets in a row of one partition of one log, so that claims grow with the logs, and all three fit 32 bits.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from schemas.cdr import BlockPosition
from schemas.topics import PARTITIONS_MAX

ROWS_MAX = 131_072
"""Most rows of a block."""
OFFSETS = 32_768
"""Offsets of one claim: OFFSETS * ROWS_MAX is 2**32, the number of records of a claim."""
LOGS = 2
STRIDE = PARTITIONS_MAX * LOGS
SEGMENTS = (1 << 32) // STRIDE - 1
"""Claims of one partition: the first STRIDE claims are those of activations."""
ACTIVATIONS_MAX = STRIDE - 1


class Log(IntEnum):
    """Which log a block belongs to."""

    RESOURCE = 0
    ACCOUNT = 1


@dataclass(frozen=True, slots=True, order=True)
class LogPlace:
    """One block of a log."""

    log: Log
    partition: int
    offset: int

    def __post_init__(self) -> None:
        """Refuse what has no claim.

        Raises:
            ValueError: when partition or offset is out of range.
        """
        if not 0 <= self.partition < PARTITIONS_MAX or not 0 <= self.offset < SEGMENTS * OFFSETS:
            raise ValueError(f"offset {self.offset} of partition {self.partition} is beyond what claims can number")

    @property
    def position(self) -> BlockPosition:
        """The claim, the block in it and the number of its first record."""
        segment, block = divmod(self.offset, OFFSETS)
        claim = (1 + segment) * STRIDE + self.partition * LOGS + self.log
        return BlockPosition(claim, block, block * ROWS_MAX)

    @classmethod
    def of(cls, claim: int, block: int) -> LogPlace:
        """Return the place of a block.

        Raises:
            ValueError: when the claim is that of an activation.
        """
        if claim < STRIDE:
            raise ValueError(f"claim {claim} is an activation, no block of a log")
        segment, rest = divmod(claim - STRIDE, STRIDE)
        return cls(Log(rest % LOGS), rest // LOGS, segment * OFFSETS + block)

    def __str__(self) -> str:
        """Return the block's name."""
        return f"{self.log.name.lower()}/{self.partition}/{self.offset}"


def activation_claim(number: int) -> int:
    """Return the claim of the activation of image `number`, 1 and up.

    Raises:
        ValueError: when there have been as many as can be numbered.
    """
    if not 1 <= number <= ACTIVATIONS_MAX:
        raise ValueError(f"images are numbered 1 .. {ACTIVATIONS_MAX}, not {number}")
    return number
