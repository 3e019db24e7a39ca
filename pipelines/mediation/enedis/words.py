"""Texts of flows as records have them: instants in UTC, energy in Wh, statuses by one letter.

What cannot be read stays as it is, so that the record is refused with it.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import ROUND_FLOOR, ROUND_HALF_UP, Context, Decimal
from functools import lru_cache
from zoneinfo import ZoneInfo

PARIS = ZoneInfo("Europe/Paris")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NUMBER = re.compile(r"[+-]?\d{1,30}(\.\d{0,20})?", re.ASCII)
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_INSTANT = re.compile(rf"{_DAY.pattern}([T ]\d\d:\d\d(:\d\d([.]\d+)?)?(Z|[+-]\d\d:?\d\d)?)?", re.ASCII)
_EXACT = Context(prec=80)
UNSYNCHRONISED = "8"
UNDATED = "1"
"""Version of what does not say when it was made: above what is estimated, below all that is dated."""
TIE_STEPS, TIE_MAX = 1000, 9 * 10**12
"""Of undated statements the one of the larger value counts, in thousandths, so that no order of arrival decides."""
NAIVE_LENGTH_MAX = 19
"""Characters of an instant without an offset."""
UNITS = {"Wh": Decimal(1), "kWh": Decimal(1000), "MWh": Decimal(1_000_000)}
STATUS = {"INITIAL": "I", "ANNULE": "A", "RECTIFICATIF": "R"}
NATURE = {"REEL": "R", "ESTIME": "E", "AUTO-RELEVE": "S", "REGULARISE": "G"}
DIRECTION = {"0": "consumption", "1": "production", "CONS": "consumption", "PROD": "production"}
MEASURE = {
    "2": "consumption", "3": "auto_produced", "4": "allo_produced", "5": "self_consumed", "6": "surplus",
}  # fmt: skip
SUMMER = {"HPE": "HPB", "HCE": "HCB"}
"""Time classes of large points whose names are those of summer, as flows of small points call the low season."""
POWERS = {
    "W": (Decimal(1), "Wh"), "kW": (Decimal(1000), "Wh"), "VAr": (Decimal(1), "VArh"), "kVAr": (Decimal(1000), "VArh"),
    "kWr": (Decimal(1000), "VArh"),
}  # fmt: skip
"""Units of curves: how many W or var they are, and what they count in."""
POINT_NATURES = {**dict.fromkeys("BRD", "R"), **dict.fromkeys("EK", "E"), **dict.fromkeys("CHPSTFG", "C")}
"""What the status of a point of a curve says of its nature: rebuilt ones count as corrected."""
CURVES = {"PA": "EA", "PRI": "ERI", "PRC": "ERC"}
"""Powers of curves in words of the energies that they come to."""
STAGES = {"BEST": 1, "CORRIGEE": 1, "CORRIGÉE": 1}
"""How far a curve is worked on: what is completed stands in the place of what is raw, whenever it was made."""
STAGE_STEP = 10**15
"""Above every version that comes of a time."""
UNKNOWN_CALENDARS = ("INCONNU", "DN999999")
DATED_FROM = 10**13
"""Versions that come of a time are above."""
RANK = {"I": 0, "A": 1, "R": 2}
CENT = Decimal("0.01")
"""What a printed amount may be off by: the distributor rounds the unit price that it prints."""
VALUE_DECIMALS = Decimal("0.000001")


def after(text: str, before: datetime | None) -> datetime | None:
    """Return an instant that stands behind another one: of the hour that comes twice in Paris, the second where it must."""
    found = parsed(text)
    if found is None or before is None or found > before or len(text) > NAIVE_LENGTH_MAX:
        return found
    again = found.astimezone(PARIS).replace(tzinfo=None)
    try:
        later = again.replace(tzinfo=PARIS, fold=1).astimezone(UTC)
    except OverflowError:
        return found
    return later if later > before else found


@lru_cache(4096)
def parsed(text: str) -> datetime | None:
    """Return an instant that a flow writes, None when it is none; without an offset it is of Europe/Paris.

    Of the hour that comes twice in autumn the first is meant.
    """
    if _INSTANT.fullmatch(text) is None:
        return None
    try:
        found = datetime.fromisoformat(text)
        return (found if found.tzinfo is not None else found.replace(tzinfo=PARIS)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def written(at: datetime) -> str:
    """Return an instant in UTC as text."""
    return at.isoformat().replace("+00:00", "Z")


def instant(text: str) -> str:
    """Return an instant in UTC, or the text itself when it is none."""
    found = parsed(text)
    return text if found is None else written(found)


def step_of(stamp: str, step: timedelta) -> tuple[str, str]:
    """Return (start, end) of the step that ends at an instant, or the text itself twice when it is none."""
    end = parsed(stamp)
    try:
        return (stamp, stamp) if end is None else (written(end - step), written(end))
    except OverflowError:
        return stamp, stamp


def day_end(text: str) -> str:
    """Return the instant at which a day ends in Europe/Paris, or the text itself when it is none."""
    try:
        next_day = datetime.fromisoformat(text) + timedelta(days=1)
    except (ValueError, OverflowError):
        return text
    return instant(next_day.date().isoformat()) if _DAY.fullmatch(text) else text


def version(created: str, status: str = "I") -> str:
    """Return the version of a statement that was made then: the later the higher, and what annuls is above what it annuls."""
    found = parsed(created)
    made = 0 if found is None else (found - EPOCH) // timedelta(milliseconds=1)
    return str(10 * made + RANK.get(status, 0))


def annuls(version: str) -> bool:
    """Return whether a statement of that version, of a time that is known, annuls what it names."""
    return version.isdecimal() and int(version) % STAGE_STEP > DATED_FROM and int(version) % 10 == RANK["A"]


def told_apart(version: str, value: str) -> str:
    """Return the version of a statement, above those of the same time, if it has none, that say less."""
    found = number(value)
    if found is None or found <= 0 or int(version) % STAGE_STEP != int(UNDATED):
        return version
    return str(int(version) + min(int(found * TIE_STEPS), TIE_MAX))


def staged(version: str, stage: str) -> str:
    """Return a version that is above all those of stages before."""
    return str(int(version) + STAGE_STEP * STAGES.get(stage.upper(), 0))


def day_start(text: str) -> str:
    """Return the instant at which a day begins in Europe/Paris, or the text itself when it is none; without its offset."""
    day = text[:10]
    return instant(day) if _DAY.fullmatch(day) and len(text) in (10, 11, 16) else text


def time_class(name: str) -> str:
    """Return a time class as flows of small points call it."""
    return SUMMER.get(name, name)


def curve_doubt(doubtful: str, more: str) -> str:
    """Return why a point of R63 is doubted, by its `iv` and `ec`."""
    if doubtful == "1":
        return "iv is 1"
    return "ec is 8: the meter's clock is not synchronised" if more == UNSYNCHRONISED else ""


def step_from(stamp: str, step: timedelta) -> tuple[str, str]:
    """Return (start, end) of the step that starts at an instant, or the text itself twice when it is none."""
    start = parsed(stamp)
    try:
        return (stamp, stamp) if start is None else (written(start), written(start + step))
    except OverflowError:
        return stamp, stamp


def product(quantity: str, price: str, amount: str) -> str:
    """Return what is odd about an amount: "" when it is quantity times price to its cents, half up, or one is no number."""
    q, p, a = number(quantity), number(price), number(amount)
    if q is None or p is None or a is None:
        return ""
    found = _EXACT.multiply(q, p).quantize(Decimal("0.01"), ROUND_HALF_UP, _EXACT)
    return "" if abs(found - a) <= CENT else f"the amount is {amount}, but {quantity} times {price} are {plain(found)}"


def number(text: str) -> Decimal | None:
    """Return a decimal number, None when the text is none."""
    return Decimal(text) if _NUMBER.fullmatch(text) else None


def mended(text: str) -> str:
    """Return a label that was encoded twice as it was meant (`diffÃ©renciation` is `différenciation`), any other as it is."""
    if text.isascii():
        return text
    for codec in ("cp1252", "latin-1"):
        try:
            return text.encode(codec).decode("utf-8")
        except UnicodeError:
            continue
    return text


def is_count(text: str) -> bool:
    """Return whether a text is a whole number of one or two digits."""
    return len(text) <= 2 and text.isascii() and text.isdecimal()


def plain(value: Decimal) -> str:
    """Return a number without an exponent and without zeros at its end."""
    return f"{_EXACT.create_decimal(value).normalize(_EXACT):f}"


def scaled(text: str, unit: str, coefficient: str = "") -> tuple[str, str]:
    """Return (value, unit): energy in Wh, times the coefficient of its meter; what is no energy in its own unit."""
    value, times = number(text), number(coefficient or "1")
    if value is None or times is None or times <= 0:
        return text if value is None else f"{text} times {coefficient}", unit
    factor = UNITS.get(unit)
    value = _EXACT.multiply(value, times)
    return (plain(value), unit) if factor is None else (plain(_EXACT.multiply(value, factor)), "Wh")


def energy(text: str, unit: str) -> tuple[str, str]:
    """Return (value, unit) of what is energy by its nature: in Wh; with another unit, or none, it is no number."""
    value, read = scaled(text, unit)
    return (value, read) if read == "Wh" or number(value) is None else (f"{value} {unit or 'without a unit'}", read)


def truncated(value: str, unit: str) -> str:
    """Return an index in Wh rounded down to whole kWh, in Wh; "" for what is no energy."""
    found = number(value)
    if found is None or unit != "Wh":
        return value if unit == "Wh" else ""
    return plain(_EXACT.divide(found, 1000).to_integral_value(ROUND_FLOOR) * 1000)


def doubt_of(calendar: str) -> str:
    """Return why a calendar is doubtful, "" when it is known."""
    return f"the calendar is {calendar}" if calendar in UNKNOWN_CALENDARS else ""


def counted(said: str, unit: str, step_s: int) -> dict[str, str]:
    """Return (power, value, unit) of a step of a curve: in W and Wh, or of reactive power var and VArh; a voltage as it is."""
    factor, counted_in = POWERS.get(unit, (None, unit))
    if factor is None:
        return {"value": said, "unit": counted_in}
    found = number(said)
    power = said if found is None else plain(_EXACT.multiply(found, factor))
    return {"power": power, "value": energy_of(power, step_s), "unit": counted_in}


def energy_of(power: str, step_s: int) -> str:
    """Return what a mean power in W comes to in a step, in Wh with at most six decimals; "" for no power."""
    found = number(power)
    if found is None:
        return power
    value = _EXACT.divide(_EXACT.multiply(found, step_s), Decimal(3600))
    return plain(value if value == (rounded := value.quantize(VALUE_DECIMALS, context=_EXACT)) else rounded)
