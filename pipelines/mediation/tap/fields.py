"""How the fields of a TAP source come about: elements by name, computed ones, the file's."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches

import numpy as np

from pipelines.mediation.failures import UnableToCompileSource
from pipelines.mediation.kernels.tap import (
    CHARGE_REFUNDS,
    CHARGES,
    DISCOUNT_REFUNDS,
    DISCOUNTS,
    TAX_REFUNDS,
    TAXES,
    TIME,
)
from pipelines.mediation.kernels.tap_text import AMOUNT, CONSTANT, EVENT, FIRST, LOOKED_UP
from pipelines.mediation.tap.head import FILE_FIELDS
from pipelines.mediation.tap.tags import TAG_COUNT, TIMES, VALUES, kind_of
from schemas.arrays import Int32Array, Int64Array

AMOUNT_FIELDS = {
    "charge": CHARGES, "tax": TAXES, "discount": DISCOUNTS, "chargeRefund": CHARGE_REFUNDS, "taxRefund": TAX_REFUNDS,
    "discountRefund": DISCOUNT_REFUNDS,
}  # fmt: skip
START = (
    "callEventStartTimeStamp", "serviceStartTimestamp", "depositTimeStamp", "orderPlacedTimeStamp", "chargingTimeStamp",
    "lCSRequestTimestamp", "completionTimeStamp", "actualDeliveryTimeStamp",
)  # fmt: skip
"""What says when an event started, in order of preference."""
CHOICES = {
    "startTime": START,
    "subscriber": ("imsi", "min", "chargedPartyIdentifier", "customerIdentifier", "publicUserId"),
    "otherParty": (
        "calledNumber", "dialledDigits", "sMSDestinationNumber", "callingNumber", "sMSOriginator", "nonChargedNumber",
        "nonChargedPartyNumber", "nonChargedPublicUserId", "requestedNumber", "requestedPublicUserId",
    ),
    "duration": ("totalCallEventDuration", "totalTransactionDuration"),
    "reference": ("callReference", "eventReference", "chargingId", "transactionIdentifier"),
}  # fmt: skip
"""Fields that are the first of some elements that the event has."""
RATES, ENTITY_IDS, ENTITY_TYPES = range(3)
LOOK_UPS = {
    "exchangeRate": ("exchangeRateCode", RATES),
    "recEntity": ("recEntityCode", ENTITY_IDS),
    "recEntityType": ("recEntityCode", ENTITY_TYPES),
}
"""Fields that a code of the event stands for."""
EVENT_NAME = "event"
_CHOICE_MAX = max(map(len, CHOICES.values()))


@dataclass(frozen=True, slots=True)
class FieldTable:
    """The fields of a source as arrays for `kernels.tap_text.render_events`.

    Attributes:
        names: of each field; how: (f,); choices: (f, c + 1).
        cells: (TAG_COUNT,) cell of each tag that is needed, -1 for others; cell_kind: (k,) how its value reads.
        start: (s,) the cells that say when an event started, in order of preference.
    """

    names: tuple[str, ...]
    how: Int64Array
    choices: Int64Array
    cells: Int32Array
    cell_kind: Int64Array
    start: Int64Array


def compile_fields(fields: tuple[str, ...]) -> FieldTable:
    """Return how the fields of a source come about.

    Raises:
        UnableToCompileSource: when one is none of TAP.
    """
    cells = np.full(TAG_COUNT, -1, np.int32)
    kinds: list[int] = []

    def cell(name: str) -> int:
        number, kind = TIMES.get(name), TIME
        if number is None:
            number, kind = VALUES[name]
        if cells[number] < 0:
            cells[number] = len(kinds)
            kinds.append(kind)
        return int(cells[number])

    how = np.empty(len(fields), np.int64)
    choices = np.full((len(fields), _CHOICE_MAX + 1), -1, np.int64)
    for place, name in enumerate(fields):
        if name in AMOUNT_FIELDS:
            how[place], choices[place, 0] = AMOUNT, AMOUNT_FIELDS[name]
        elif name == EVENT_NAME:
            how[place] = EVENT
        elif name in FILE_FIELDS:
            how[place] = CONSTANT
        elif name in LOOK_UPS:
            element, table = LOOK_UPS[name]
            how[place], choices[place, 0], choices[place, -1] = LOOKED_UP, cell(element), table
        elif name in CHOICES or kind_of(name):
            how[place] = FIRST
            for rank, element in enumerate(CHOICES.get(name, (name,))):
                choices[place, rank] = cell(element)
        else:
            raise UnableToCompileSource(f"mapping: TAP has no element or computed field {name!r}{_hint(name)}")
    start = np.array([cell(name) for name in START], np.int64)
    return FieldTable(fields, how, choices, cells, np.array(kinds, np.int64), start)


def _hint(name: str) -> str:
    known = [*AMOUNT_FIELDS, EVENT_NAME, *FILE_FIELDS, *LOOK_UPS, *CHOICES, *TIMES, *VALUES]
    near = get_close_matches(name, known, 1)
    return f" (do you mean {near[0]!r}?)" if near else ""
