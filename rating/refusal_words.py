"""Why an EDR stays unrated, with what made it so, as far as an image and the EDR tell."""

from __future__ import annotations

from dataclasses import dataclass

from rating.explanation import plain_quantity
from rating.tariff_image import ChargeVersion, TariffImage
from rating.vocabulary import Vocabulary
from schemas.edr import EdrBlock
from schemas.quantity import Unit
from schemas.rated_item import RatedBlock
from schemas.rejection import EXPLANATIONS, Reason
from schemas.values import VALUE_ABSENT, VALUE_SLOTS

TOLD = frozenset({Reason.CONDITION_UNDECIDED, Reason.FORMULA_UNUSABLE})
"""Reasons that tell more than their code."""


USED_UP = frozenset({Reason.COUNTER_USED_UP, Reason.NO_MATCHING_CHARGE})
"""Reasons that a counter's ceiling may have led to."""


def used_up(version: ChargeVersion, counted: int) -> str:
    """Return what a charge version had to do with a refusal: how much its counter has counted, in base steps."""
    charge = f"charge {version.charge}, price plan {version.price_plan}"
    if not version.ceiling:
        return charge
    stands = plain_quantity(counted, Unit(version.unit, "", version.unit_steps))
    return f"{charge}: counter {version.counter} has counted {stands} {version.unit} of {version.ceiling}"


def triggered_fault(rated: RatedBlock, row: int, vocabulary: Vocabulary) -> str | None:
    """Return which usage that it triggers makes an EDR stay unrated, None where it is the EDR itself."""
    triggered = None if rated.items is None else rated.items.triggered
    if triggered is None or triggered.fault[row, 0] < 0:
        return None
    event_type, subscription = triggered.fault[row].tolist()
    whose = vocabulary.subscriptions.name(subscription) if subscription >= 0 else "nobody"
    return f"{vocabulary.event_types.name(event_type)} of {whose}, which it triggers"


@dataclass(frozen=True, slots=True)
class RefusalWords:
    """The words for one block."""

    image: TariffImage
    edrs: EdrBlock
    rated: RatedBlock
    vocabulary: Vocabulary

    def __call__(self, row: int) -> str:
        """Return why an EDR of the block stays unrated."""
        fault = triggered_fault(self.rated, row, self.vocabulary)
        return self._of_itself(row) if fault is None else f"{fault}: {self._of_triggered(row)}"

    def _of_triggered(self, row: int) -> str:
        reason, version = Reason(int(self.rated.reason[row])), int(self.rated.charge_version[row])
        if version < 0:
            return EXPLANATIONS[reason]
        found = self.image.describe_charge_version(version)
        return f"{EXPLANATIONS[reason]}; {used_up(found, int(self.rated.counter_before[row]))}"

    def _of_itself(self, row: int) -> str:
        reason = Reason(int(self.rated.reason[row]))
        if reason in USED_UP and self.rated.charge_version[row] >= 0:
            found = self.image.describe_charge_version(int(self.rated.charge_version[row]))
            return f"{EXPLANATIONS[reason]}; {used_up(found, int(self.rated.counter_before[row]))}"
        if reason not in TOLD:
            return EXPLANATIONS[reason]
        asked = self.image.asked.get(int(self.edrs.event_type[row]))
        names = asked.values if asked is not None else ()
        values = [VALUE_ABSENT] * VALUE_SLOTS if self.edrs.values is None else self.edrs.values[row].tolist()
        absent = [name for name, value in zip(names, values, strict=False) if value == VALUE_ABSENT]
        version = int(self.rated.charge_version[row])
        if version >= 0:
            found = self.image.describe_charge_version(version)
            told = [f"charge {found.charge}, price plan {found.price_plan}"]
        else:
            told = [f"charge {code}: {text}" for code, text in asked.conditions] if asked is not None else []
        told.append(f"absent: {', '.join(absent) or 'nothing'}")
        return f"{EXPLANATIONS[reason]}; {'; '.join(told)}"
