"""What a recount finds: the record sheet, the EDR sheet, quantities and money, to the last unit."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Recount:
    """Totals of one feed, or of several added together.

    Attributes:
        records: everything that entered; the sum of the six outcomes below.
        accepted, duplicates, filtered, absorbed: records by outcome.
        rejected_by_reason, parked_by_reason: records by the name of their reason (`schemas.rejection.Reason`).
        rated: EDRs with an amount; accepted = rated + all of unrated_by_reason.
        unrated_by_reason: EDRs without, by the name of their reason.
        rated_by_charge: EDRs by charge.
        quantity_by_charge: sum of metered quantities of rated EDRs, in base steps.
        rated_quantity_by_charge: the same after increments.
        amount_by_charge: billionths of the currency unit.
        amount_by_currency: the same by currency.
    """

    records: int = 0
    accepted: int = 0
    duplicates: int = 0
    filtered: int = 0
    absorbed: int = 0
    rejected_by_reason: dict[str, int] = field(default_factory=dict)
    parked_by_reason: dict[str, int] = field(default_factory=dict)
    rated: int = 0
    unrated_by_reason: dict[str, int] = field(default_factory=dict)
    rated_by_charge: dict[str, int] = field(default_factory=dict)
    quantity_by_charge: dict[str, int] = field(default_factory=dict)
    rated_quantity_by_charge: dict[str, int] = field(default_factory=dict)
    amount_by_charge: dict[str, int] = field(default_factory=dict)
    amount_by_currency: dict[str, int] = field(default_factory=dict)

    @property
    def rejected(self) -> int:
        """Rejected records."""
        return sum(self.rejected_by_reason.values())

    @property
    def parked(self) -> int:
        """Parked records."""
        return sum(self.parked_by_reason.values())

    @property
    def unrated(self) -> int:
        """EDRs without an amount."""
        return sum(self.unrated_by_reason.values())

    @property
    def amount_total(self) -> int:
        """Billionths of all items together; only of meaning where there is one currency."""
        return sum(self.amount_by_currency.values())

    def __add__(self, other: Recount) -> Recount:
        """Return both feeds together."""
        sums: dict[str, Any] = {}
        for name in self.__dataclass_fields__:
            mine, theirs = getattr(self, name), getattr(other, name)
            sums[name] = mine + theirs if isinstance(mine, int) else _added(mine, theirs)
        return Recount(**sums)

    def balanced(self) -> bool:
        """Return whether both sheets add up."""
        outcomes = self.accepted + self.duplicates + self.filtered + self.absorbed + self.rejected + self.parked
        return self.records == outcomes and self.accepted == self.rated + self.unrated

    def differences(self, other: Recount) -> dict[str, tuple[Any, Any]]:
        """Return (mine, theirs) of every figure that is not the same, by its name; nothing when all agree."""
        mine, theirs = self.as_dict(), other.as_dict()
        return {name: (mine[name], theirs[name]) for name in mine if mine[name] != theirs[name]}

    def as_dict(self) -> dict[str, Any]:
        """Return every figure under its name, ready for JSON."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


def _added(mine: dict[str, int], theirs: dict[str, int]) -> dict[str, int]:
    total = Counter(mine)
    total.update(theirs)
    return dict(sorted(total.items()))
