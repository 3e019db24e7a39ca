"""Texts of GRDF as records have them. What cannot be read stays as it is, so that the record is refused with it."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any

from pipelines.mediation.enedis import words

GAS_DAY_HOUR = 6
KWH = 1000
TOLERANCE_KWH = 1
_EXACT = Context(prec=80)
_NATURES = {
    "mesure": "R",
    "mesuré": "R",
    "estime": "E",
    "estimé": "E",
    "corrige": "C",
    "corrigé": "C",
    "auto-releve": "S",
}
_DIRECTIONS = {"": "consumption", "consommation": "consumption", "injection": "production", "production": "production"}
PUBLISHED, INFORMATIVE = "published", "informative"


def text(value: Any) -> str:
    """Return a member as text, "" where it is null, an object or an array; numbers as they are written."""
    return "" if value is None or isinstance(value, dict | list) else words.mended(str(value))


def publication(said: str) -> str:
    """Return `published` or `informative`, or the text itself when it says neither. "" is published by nobody."""
    lowered = said.casefold()
    if lowered.startswith(("publiée", "publiee")):
        return PUBLISHED
    return INFORMATIVE if not said or lowered.startswith("informative") else said


def nature(said: str) -> str:
    """Return the letter of how a consumption was found, or the text itself."""
    return _NATURES.get(said.casefold(), said)


def direction(said: str) -> str:
    """Return the direction of the flow of gas, or the text itself."""
    return _DIRECTIONS.get(said.casefold(), said)


def gas_day_clock(stamp: str) -> str:
    """Return an instant whose clock is that of Paris, whatever its offset: the portal writes 06:00+00:00 all year."""
    return words.instant(stamp[:19])


def watt_hours(kwh: str) -> str:
    """Return kWh in Wh, or the text itself."""
    found = words.number(kwh)
    return kwh if found is None else words.plain(_EXACT.multiply(found, KWH))


def conversion(volume: str, coefficient: str, energy: str) -> tuple[str, str]:
    """Return (volume times coefficient in Wh, to whole kWh half up; what is odd when `energy` in kWh is another one).

    Two times "" where one of them is no number. The distributor rounds each part of a period that it cut, so that one kWh more
    or less is nothing odd.
    """
    v, k, e = words.number(volume), words.number(coefficient), words.number(energy)
    if v is None or k is None:
        return "", ""
    kwh = _EXACT.multiply(v, k).quantize(Decimal(1), ROUND_HALF_UP, _EXACT)
    odd = e is not None and abs(e - kwh) > TOLERANCE_KWH
    told = f"energy is {energy} kWh, but {volume} m3 times {coefficient} are {words.plain(kwh)} kWh" if odd else ""
    return watt_hours(str(kwh)), told


def off_the_gas_day(instant: str) -> bool:
    """Return whether an instant in UTC is not 06:00 in Paris."""
    at = words.parsed(instant)
    if at is None:
        return False
    local = at.astimezone(words.PARIS)
    return (local.hour, local.minute, local.second) != (GAS_DAY_HOUR, 0, 0)


def gas_day_start(day: str) -> str:
    """Return the instant at which a gas day begins, or the text itself when it is no day."""
    try:
        begun = datetime.fromisoformat(f"{day}T{GAS_DAY_HOUR:02}:00:00").replace(tzinfo=words.PARIS).astimezone(UTC)
    except (ValueError, OverflowError):
        return day
    return words.written(begun)
