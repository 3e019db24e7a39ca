"""What a source asks of records besides its mapping: which flow counts where several say the same, and what is too much."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from pipelines.mediation.columns.rows import Row
from pipelines.mediation.enedis import words
from schemas.energy import RecordKind
from schemas.source_energy import Bounds

RANK_STEP = 10**16
"""Above every version that comes of a time and of a stage."""
LARGEST_POWERS = "PMA"
POWER_UNITS = {"W": 1, "VA": 1, "kW": 1000, "kVA": 1000}
NONE = 0


@dataclass(frozen=True, slots=True)
class Policy:
    """Compiled from a source.

    Attributes:
        kind: of records. ranks: flow -> how far it stands above those that are not named. bounds: None for no bounds.
    """

    kind: RecordKind
    ranks: Mapping[str, int] = field(default_factory=dict)
    bounds: Bounds | None = None

    def ranked(self, row: Row) -> Row:
        """Return a record, or columns of several, with the version that the rank of its flow gives it."""
        rank = self.ranks.get(row["flow"], 0)
        return row | {"version": str(int(row["version"]) + rank * RANK_STEP)} if rank else row

    def limit(self, point: str) -> int:
        """Return the largest mean power of a point that may be true, in W; NONE without bounds."""
        if self.bounds is None:
            return NONE
        return int(self.bounds.points.get(point, self.bounds.power_w) * self.bounds.margin)

    def judged(self, row: Row) -> Row:
        """Return a record as it is to be read: ranked, and doubted when it is beyond its bounds."""
        row = self.ranked(row) if self.ranks else row
        version = row.get("version", "0")
        if row.get("status") != "A":  # what annuls ranks above what it annuls, and below what comes instead
            version = words.told_apart(version, row.get("power") or row.get("value", ""))
        row = row if version == row.get("version", "0") else row | {"version": version}
        if self.bounds is None or row.get("doubt"):
            return row
        found = self._excess(row, self.limit(row.get("point", "")))
        return row | {"doubt": found} if found else row

    def _excess(self, row: Row, limit: int) -> str:
        if self.kind == "intervals":
            return excess(row.get("power", ""), limit)
        value = words.number(row.get("value", ""))
        if self.kind == "quantities" and value is not None and row.get("unit") == "Wh":
            start, end = words.parsed(row.get("start", "")), words.parsed(row.get("end", ""))
            if start is None or end is None or end <= start:
                return ""
            most = Decimal(limit) * int((end - start).total_seconds()) / 3600
            return f"{row['value']} Wh are more than {limit} W can be from {row['start']}" if abs(value) > most else ""
        if self.kind == "readings" and row.get("measure", "").startswith(LARGEST_POWERS) and value is not None:
            factor = POWER_UNITS.get(row.get("unit", ""), 0)
            return excess(words.plain(value * factor), limit) if factor else ""
        return ""


def excess(power: str, limit: int) -> str:
    """Return what is doubtful about a power in W, "" when it may be true."""
    found = words.number(power)
    return f"{power} W are above the bound of {limit} W" if found is not None and limit and abs(found) > limit else ""
