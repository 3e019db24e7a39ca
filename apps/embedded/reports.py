"""What the engine says of its work."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from apps.embedded.files import QuarantinedFile
from pipelines.spool.journal import JournalEntry
from rating.vocabulary import NameTable
from schemas.output import BlockHeader


@dataclass(slots=True)
class StageTimes:
    """Seconds of wall time spent in each stage's own code (the stages overlap)."""

    decode: float = 0.0
    resource: float = 0.0
    account: float = 0.0
    store: float = 0.0
    verify: float = 0.0
    snapshot: float = 0.0


@dataclass(frozen=True, slots=True)
class ClaimReport:
    """What became of one journal entry in this run."""

    entry: JournalEntry
    headers: tuple[BlockHeader, ...] = ()
    quarantine: QuarantinedFile | None = None
    sha256: str = ""
    duplicate_of: int = 0

    def total(self, column: str) -> int:
        """Return the sum of one header column."""
        return sum(int(getattr(header, column)) for header in self.headers)

    def amounts(self, currencies: NameTable) -> Counter[str]:
        """Return what its items come to, in billionths, by currency."""
        found: Counter[str] = Counter()
        for header in self.headers:
            found.update({currencies.name(currency): amount for currency, amount in header.amounts.items()})
        return found
