"""Words of the meter data files of the Australian market (AEMO, Meter Data File Format Specification NEM12 & NEM13)."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache

from pipelines.mediation.columns.rows import Row
from pipelines.mediation.enedis import words as common
from pipelines.mediation.failures import UnableToDecodeFile
from pipelines.mediation.meters.channels import CONSUMPTION, PRODUCTION, index_channel, interval_channel
from pipelines.mediation.meters.units import MEASURES, unit_of

MARKET = timezone(timedelta(hours=10))
"""All times are of Brisbane's offset, the year round: no file knows summer time."""
MALFORMED = "MALFORMED_METER_DATA"
NATURES = {"A": "R", "E": "E", "S": "E", "F": "E", "N": ""}
"""Actual is real; estimated, and substituted until or for good, are estimates; N is no value."""
QUALITY = re.compile(r"[AEFNSV](\d\d)?", re.ASCII)
NULL, VARIES = "N", "V"
_STREAMS = {
    **dict.fromkeys("DEF", ("EA", CONSUMPTION)),
    **dict.fromkeys("ABC", ("EA", PRODUCTION)),
    **dict.fromkeys("PQR", ("ER", CONSUMPTION)),
    **dict.fromkeys("JKL", ("ER", PRODUCTION)),
    **dict.fromkeys("STU", ("ES", CONSUMPTION)),
}
"""Letter of a data stream -> what the customer takes from the network, or gives. Of three the middle one is the master."""
CHECK_METERS = {**dict.fromkeys("CFLRU", 64), **dict.fromkeys("ADJPS", 96)}
"""What is added to the number of a meter that checks another one, or of an average: neither is energy of its own."""
REGISTER_NUMBERS = {str(n): n for n in range(1, 10)}
_REGISTER = re.compile(r"[1-9A-Z][0-9A-Z]?", re.ASCII)
"""Of an accumulating meter: which meter of the point, and which of its registers (AEMO, NMI Procedure)."""


def malformed(line: int, told: str) -> UnableToDecodeFile:
    """Return the refusal of a file, with its line."""
    return UnableToDecodeFile(MALFORMED, f"line {line}: {told}"[:500])


def instant(text: str) -> str:
    """Return `YYYYMMDDhhmmss`, or the same without seconds, in UTC; another text stays."""
    pattern = {14: "%Y%m%d%H%M%S", 12: "%Y%m%d%H%M"}.get(len(text))
    if pattern is None or not (text.isascii() and text.isdigit()):
        return text
    try:
        return common.written(datetime.strptime(text, pattern).replace(tzinfo=MARKET).astimezone(UTC))
    except (ValueError, OverflowError):
        return text


def is_instant(text: str) -> bool:
    """Return whether a text is such an instant."""
    return instant(text) != text


def leading(value: str) -> str:
    """Return a value that begins with its decimal point, as some files write them, with a zero before it."""
    return f"0{value}" if value.startswith(".") else value


def day_start(text: str) -> datetime | None:
    """Return the instant at which a day of `YYYYMMDD` begins, None where it is none."""
    if len(text) != 8 or not (text.isascii() and text.isdigit()):
        return None
    try:
        return datetime.strptime(text, "%Y%m%d").replace(tzinfo=MARKET).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


@lru_cache(4096)
def _stream(suffix: str, unit: str) -> tuple[str, str, int, str]:
    """Return (measure, direction, number of the meter, why it is doubted) of a data stream."""
    measure, direction = _STREAMS.get(suffix[:1].upper(), ("", ""))
    number = REGISTER_NUMBERS.get(suffix[1:], 0)
    if not measure or not number or len(suffix) != 2:
        return "", "", 0, f"the data stream {suffix or 'without a suffix'} is not known"
    base = unit_of(unit)[1]
    if MEASURES.get(base) != measure:
        return measure, direction, number, f"the data stream {suffix} is in {unit or 'no unit'}"
    checked = CHECK_METERS.get(suffix[0].upper(), 0)
    if checked:
        measure = f"{measure}_check" if checked == 64 else f"{measure}_average"
    return measure, direction, number + checked, ""


def stream(suffix: str, unit: str, step_s: int) -> Row:
    """Return what a data stream of intervals is."""
    measure, direction, number, doubt = _stream(suffix, unit)
    plain = measure.partition("_")[0]
    return {
        "measure": measure,
        "direction": direction,
        "channel": interval_channel(plain, direction, step_s, number=number) if plain else suffix,
        "doubt": doubt,
    }


def register(suffix: str, unit: str, sense: str) -> Row:
    """Return what a register of an accumulating meter is; `sense`: E for what the network delivers, I for what it is given."""
    direction = {"E": CONSUMPTION, "I": PRODUCTION}.get(sense, "")
    base = unit_of(unit)[1]
    measure, doubt, number, tariff = MEASURES.get(base, ""), "", 0, 0
    if not direction or not measure:
        doubt = f"the register {suffix} counts {unit or 'no unit'} in the direction {sense or 'of none'}"
    elif not _REGISTER.fullmatch(suffix.upper()):
        doubt = f"the register {suffix[:20] or 'without a suffix'} is not known"
    else:
        number, tariff = int(suffix[0], 36), int(suffix[1:] or "0", 36)
    return {
        "measure": measure,
        "direction": direction,
        "dial": suffix,
        "channel": index_channel(measure, direction, number=number, tariff=tariff) if not doubt else suffix,
        "doubt": doubt,
    }
