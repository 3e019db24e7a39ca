"""Notifications in words, for whoever watches the owner follow its spool."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from rating.vocabulary import Vocabulary
from schemas.account import wallet_parts
from schemas.output import OutputBlock

SAID_MAX = 20
"""Of one block: a file may bring any number."""


Write = Callable[[list[OutputBlock]], None]


def telling(write: Write, vocabulary: Callable[[], Vocabulary], say: Callable[[str], None]) -> Write:
    """Return what stores blocks as `write` does, and then says the first notifications of each in sentences.

    Args:
        vocabulary: returns the names of now.
    """

    def write_and_tell(blocks: list[OutputBlock]) -> None:
        write(blocks)
        for notified in (block.notifications for block in blocks if block.notifications is not None):
            names = vocabulary()
            for row in notified.slice(0, SAID_MAX).to_pylist():
                say(sentence(row, names))
            more = notified.num_rows - SAID_MAX
            if more > 0:
                say(f"… and {more:,} more notifications: `octroi notifications list` shows them")

    return write_and_tell


def sentence(row: dict[str, Any], names: Vocabulary) -> str:
    """Return one row of NOTIFICATION_SCHEMA in words."""
    unit = row["unit"]
    level, after = (f"{_number(row[name], row['unit_steps'])} {unit}" for name in ("level", "after"))
    if row["wallet"] >= 0:
        account, wallet, _ = wallet_parts(names.wallets.name(row["wallet"]))
        return f"wallet {account}/{wallet} fell to {after}, past {level}"
    period = f" ({row['period']})" if row["period"] else ""
    written = level if row["written"] == level else f"{row['written']}, {level}"
    return f"counter {row['holder']}/{row['counter']}{period} rose to {after}, past {written}"


def _number(steps: Decimal, unit_steps: int) -> str:
    text = f"{steps / unit_steps:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
