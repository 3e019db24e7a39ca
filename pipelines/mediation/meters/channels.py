"""The channel of a meter point: an OBIS code `A-B:C.D.E` (IEC 62056-61), whatever its flow calls it.

C is 1 for active energy that the customer takes from the network, 2 for what the customer gives, 3 and 4 the same of reactive,
9 of apparent energy; D is 29 for intervals shorter than a day, 30 for longer ones, 8 for an index, 6 for a maximum;
E is the tariff.
"""

from __future__ import annotations

INTERVAL, LONG_INTERVAL, INDEX = 29, 30, 8
DAY_S = 86_400
CONSUMPTION, PRODUCTION = "consumption", "production"
_QUANTITIES = {
    ("EA", CONSUMPTION): 1, ("EA", PRODUCTION): 2,
    ("ER", CONSUMPTION): 3, ("ER", PRODUCTION): 4,
    ("ES", CONSUMPTION): 9, ("ES", PRODUCTION): 10,
}  # fmt: skip
VOLUMES = {"volume": "7-0:3", "heat": "7-0:33", "water": "8-0:1"}
"""Of gas, its volume and its energy; and cold water."""


def interval_channel(measure: str, direction: str, step_s: int, *, number: int = 0) -> str:
    """Return the code of a series of intervals, by what it measures; `number`: which of several meters of a point."""
    kind = INTERVAL if step_s < DAY_S else LONG_INTERVAL
    if measure in VOLUMES:
        return f"{VOLUMES[measure]}.{kind}.0"
    return f"1-{number}:{_QUANTITIES.get((measure, direction), 0)}.{kind}.0"


def index_channel(measure: str, direction: str, *, number: int = 0, tariff: int = 0) -> str:
    """Return the code of a register."""
    if measure in VOLUMES:
        return f"{VOLUMES[measure]}.0.{tariff}"
    return f"1-{number}:{_QUANTITIES.get((measure, direction), 0)}.{INDEX}.{tariff}"


def direction_of(code: str) -> str:
    """Return the direction that an OBIS code tells, "" for none."""
    quantity = code.partition(":")[2].partition(".")[0]
    return {
        "1": CONSUMPTION,
        "3": CONSUMPTION,
        "9": CONSUMPTION,
        "2": PRODUCTION,
        "4": PRODUCTION,
        "10": PRODUCTION,
    }.get(quantity, "")


def measure_of(code: str) -> str:
    """Return what an OBIS code measures, "" where that is not known here."""
    medium, _, rest = code.partition("-")
    quantity = rest.partition(":")[2].partition(".")[0]
    if medium == "7":
        return "heat" if quantity in ("33", "52") else "volume"
    if medium in ("8", "9"):
        return "water"
    return {
        "1": "EA",
        "2": "EA",
        "3": "ER",
        "4": "ER",
        "5": "ER",
        "6": "ER",
        "7": "ER",
        "8": "ER",
        "9": "ES",
        "10": "ES",
    }.get(quantity, "")
