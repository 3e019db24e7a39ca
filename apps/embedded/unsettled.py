"""What the store has not been told of entries that are finished: their ends, and the files of what they refused."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from pathlib import Path

from apps.embedded.companion import write_companion
from apps.embedded.ports import FactStore
from pipelines.spool.journal import FileClaim
from sinks.clickhouse.store import FinishedClaim

Refusals = tuple[FileClaim, str]
"""A file with something that was refused, and the format of its source."""


@dataclass(slots=True)
class Unsettled:
    """Finished entries in their order. The main loop adds to them; they are settled there, or for a snapshot in its thread."""

    store: FactStore
    out: Path
    ends: list[FinishedClaim] = field(default_factory=list)
    refusals: list[Refusals] = field(default_factory=list)
    _one_at_a_time: threading.Lock = field(default_factory=threading.Lock)

    def __bool__(self) -> bool:
        """Return whether anything is left."""
        return bool(self.ends or self.refusals)

    def settle(self, before: int) -> None:
        """Write the companions, then the ends, of the entries before one, whose blocks the store holds; each once."""
        with self._one_at_a_time:
            refusals = [told for told in self.refusals if told[0].claim < before]
            for entry, source_format in refusals:
                write_companion(self.store, self.out / f"{entry.stored}.rejected", entry.claim, source_format)
            ends = [end for end in self.ends if end.claim < before]
            self.store.write_claims(ends)
            del self.refusals[: len(refusals)], self.ends[: len(ends)]  # more may have come meanwhile, behind them
