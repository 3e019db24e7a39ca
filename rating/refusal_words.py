"""Why an EDR stays unrated, with what made it so, as far as an image and the EDR tell."""

from __future__ import annotations

from dataclasses import dataclass

from rating.explanation import plain_quantity
from rating.image_conditions import Asked
from rating.tariff_image import ChargeVersion, TariffImage
from rating.vocabulary import Vocabulary
from schemas.edr import EdrBlock
from schemas.quantity import Unit
from schemas.rated_item import RatedBlock
from schemas.rejection import EXPLANATIONS, Reason
from schemas.values import VALUE_ABSENT, VALUE_SLOTS, value_text

UNDECIDED = frozenset({Reason.CONDITION_UNDECIDED, Reason.FORMULA_UNUSABLE})
"""Reasons that an expression led to: what usage does not say may be why."""
OF_ATTRIBUTES = frozenset({Reason.NO_MATCHING_CHARGE, Reason.NO_MATRIX_PRICE})
"""Reasons that an attribute may have led to by being absent, or none that anything names."""
OF_VALUES = UNDECIDED | {Reason.NO_DESTINATION_PRICE, Reason.NO_MATRIX_PRICE, Reason.VALUE_UNUSABLE}
"""Reasons that a value may have led to by being absent."""
UNNAMED = "(none that a charge or a price names)"


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


def usage_words(edrs: EdrBlock, row: int, asked: Asked, reason: Reason, vocabulary: Vocabulary) -> list[str]:
    """Return whose usage an EDR is, how much of what it says and when, and its attributes and values.

    Those that it does not have are named where they may be why it stays unrated.
    """
    event_type, subscription = asked.event_type, int(edrs.subscription[row])
    words = [f"subscription {vocabulary.subscriptions.name(subscription)}"] if subscription >= 0 else []
    quantity = plain_quantity(int(edrs.quantity[row]), asked.unit)
    at = value_text(int(edrs.event_at[row]), "instant")
    values = [VALUE_ABSENT] * VALUE_SLOTS if edrs.values is None else edrs.values[row].tolist()
    words.append(f"{quantity} {asked.unit.code} of {event_type.code} at {at}")
    words += [
        f"{name} {vocabulary.attribute_values.name(int(code)) or UNNAMED}"
        for name, code in zip(event_type.attributes, edrs.attributes[row], strict=False)
        if code or reason in OF_ATTRIBUTES
    ]
    words += [
        f"{name} {value_text(value, kind.type, kind.decimals) or '(none)'}"
        for (name, kind), value in zip(event_type.values.items(), values, strict=False)
        if value != VALUE_ABSENT or reason in OF_VALUES
    ]
    return words


@dataclass(frozen=True, slots=True)
class RefusalWords:
    """The words for one block."""

    image: TariffImage
    edrs: EdrBlock
    rated: RatedBlock
    vocabulary: Vocabulary

    def __call__(self, row: int) -> str:
        """Return why an EDR of the block stays unrated."""
        reason, version = Reason(int(self.rated.reason[row])), int(self.rated.charge_version[row])
        told = [EXPLANATIONS[reason], *self._charge(row, version)]
        fault = triggered_fault(self.rated, row, self.vocabulary)
        if fault is not None:
            return f"{fault}: {'; '.join(told)}"
        asked = self.image.asked.get(int(self.edrs.event_type[row]))
        if asked is None:  # an earlier catalog named it
            return "; ".join(told)
        if version < 0 and reason in UNDECIDED:
            told += [f"charge {code}: {text}" for code, text in asked.conditions]
        told.append(", ".join(usage_words(self.edrs, row, asked, reason, self.vocabulary)))
        return "; ".join(told)

    def _charge(self, row: int, version: int) -> list[str]:
        if version < 0:
            return []
        return [used_up(self.image.describe_charge_version(version), int(self.rated.counter_before[row]))]
