"""Movements of wallets that no usage causes: opening balances, top-ups, adjustments, transfers, and credit that expires."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class MovementKind(IntEnum):
    """Why a wallet moved. Numbers are stored: none is used for something else."""

    USAGE = 0
    OPENING = 1
    REVERSAL = 2
    """A payment of usage that was given back."""
    TOP_UP = 3
    ADJUSTMENT = 4
    TRANSFER = 5
    EXPIRY = 6


OF_BLOCKS = (MovementKind.USAGE, MovementKind.REVERSAL)
"""What belongs to blocks, whose headers count it; the others belong to entries of the log."""
PREFIXES = {
    MovementKind.OPENING: "oc",
    MovementKind.TOP_UP: "tu",
    MovementKind.ADJUSTMENT: "ad",
    MovementKind.TRANSFER: "tr",
    MovementKind.EXPIRY: "ex",
}
"""What the ids of movements begin with; those of usage with "wo"."""


@dataclass(frozen=True, slots=True)
class WalletMovement:
    """One movement of a wallet by entry `claim` of the log.

    Attributes:
        row: number within the movements of this kind of the entry. part: of a transfer, 0 what left and 1 what came; else 0.
        account: id of whose the wallet is. amount: billionths, debits negative. balance_after: open, billionths.
        at: microseconds UTC, stage time.
    """

    claim: int
    row: int
    account: int
    wallet: int
    amount: int
    balance_after: int
    at: int
    kind: MovementKind = MovementKind.OPENING
    part: int = 0
