"""Units of meters abroad: energy in Wh, VArh or VAh, volumes in m3, powers in W; what is neither stays in its own unit."""

from __future__ import annotations

from decimal import Context, Decimal

from pipelines.mediation.enedis.words import number, plain

_EXACT = Context(prec=80)
HOUR_S = 3600
VALUE_DECIMALS = Decimal(10) ** -6
_BASES = {"wh": "Wh", "varh": "VArh", "vah": "VAh", "w": "W", "var": "VAr", "va": "VA"}
_PREFIXES = {"": 0, "k": 3, "m": 6, "g": 9}
CUBIC_FOOT = Decimal("0.028316846592")
"""In m3, exactly: the foot is 0.3048 m."""
_OTHERS = {
    "m3": (Decimal(1), "m3"),
    "mtq": (Decimal(1), "m3"),
    "nm3": (Decimal(1), "m3"),
    "dm3": (Decimal("0.001"), "m3"),
    "l": (Decimal("0.001"), "m3"),
    "ft3": (CUBIC_FOOT, "m3"),
    "ccf": (100 * CUBIC_FOOT, "m3"),
    "gj": (Decimal(10) ** 9, "J"),
    "mj": (Decimal(10) ** 6, "J"),
}
ENERGY_OF = {"W": "Wh", "VAr": "VArh", "VA": "VAh"}
MEASURES = {"Wh": "EA", "VArh": "ER", "VAh": "ES", "W": "EA", "VAr": "ER", "VA": "ES", "m3": "volume", "J": "heat"}
"""What a unit measures: active, reactive or apparent energy, as flows of Enedis call them, a volume, or heat."""


def unit_of(name: str) -> tuple[Decimal, str]:
    """Return (factor, base unit) of a unit in any case; factor 1 and the name itself for one that is not known."""
    low = name.strip().lower().replace("³", "3")
    if low in _OTHERS:
        return _OTHERS[low]
    for prefix, exponent in _PREFIXES.items():
        base = _BASES.get(low.removeprefix(prefix)) if low.startswith(prefix) else None
        if base is not None:
            return Decimal(10) ** exponent, base
    return Decimal(1), name.strip()


def scaled(text: str, factor: Decimal) -> str:
    """Return a number times a factor, exactly; a text that is no number stays."""
    found = number(text)
    return text if found is None else plain(_EXACT.multiply(found, factor))


def energy_of(power: str, step_s: int) -> str:
    """Return what a mean power comes to in a step, with at most six decimals, half to even; a text that is no number stays."""
    found = number(power)
    if found is None:
        return power
    value = _EXACT.divide(_EXACT.multiply(found, Decimal(step_s)), Decimal(HOUR_S))
    rounded = value.quantize(VALUE_DECIMALS, context=_EXACT)
    return plain(value if value == rounded else rounded)


def power_of(energy: Decimal, step_s: int) -> str:
    """Return the mean power of energy that a time of so many seconds had, with at most six decimals, half to even."""
    value = _EXACT.divide(_EXACT.multiply(energy, Decimal(HOUR_S)), Decimal(step_s))
    rounded = value.quantize(VALUE_DECIMALS, context=_EXACT)
    return plain(value if value == rounded else rounded)


def counted(text: str, unit: str, step_s: int) -> tuple[str, str]:
    """Return (value, unit) of a step: in the base unit; of a power, what it comes to in the step."""
    factor, base = unit_of(unit)
    value = scaled(text, factor)
    return (energy_of(value, step_s), ENERGY_OF[base]) if base in ENERGY_OF else (value, base)
