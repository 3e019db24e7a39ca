"""Plain-Python twins of how values read: event times with datetime and zoneinfo, quantities with Decimal, hashes."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_DOWN, ROUND_HALF_UP, Context, Decimal, localcontext
from typing import Any
from zoneinfo import ZoneInfo

from pipelines.mediation.context import DecodeContext
from pipelines.mediation.kernels.contents import content_bytes
from rating.kernels.hashing import hash128_bytes
from schemas.cdr import ATTRIBUTE_SLOTS, EVENT_TYPE_NONE, TIMESTAMP_MAX_US, TIMESTAMP_MIN_US
from schemas.price_plan import EventType
from schemas.quantity import QUANTITY_MAX
from schemas.rejection import Reason
from schemas.source import EventMapping

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
UNIT_US = {"epoch_s": 10**6, "epoch_ms": 10**3, "epoch_us": 1}

_ISO = re.compile(
    rb"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:[.,](\d{1,9}))?([Zz]|[+-]\d\d(?::?\d\d)?)?", re.ASCII
)
_COUNT = re.compile(rb"(-?)(\d+)(?:\.(\d+))?", re.ASCII)
_NUMBER = re.compile(rb"([+-]?)(\d+\.?\d*|\.\d+)(?:[eE]([+-]?\d+))?", re.ASCII)


def _in_range(instant_us: int) -> tuple[int, Reason]:
    if TIMESTAMP_MIN_US <= instant_us < TIMESTAMP_MAX_US:
        return instant_us, Reason.NONE
    return 0, Reason.TIMESTAMP_OUT_OF_RANGE


def read_iso(text: bytes, zone: str | None) -> tuple[int, Reason]:
    """Return (microseconds UTC, reason) of an ISO 8601 time."""
    match = _ISO.fullmatch(text)
    if match is None:
        return 0, Reason.INVALID_TIMESTAMP
    fraction, offset = (match[7] or b"").decode(), (match[8] or b"").decode()
    year = int(match[1])
    try:  # datetime knows no year 0, whose calendar is that of 2000; both are far out of range
        local = datetime(year or 2000, *(int(match[group]) for group in range(2, 7)))  # type: ignore[arg-type]
    except ValueError:
        return 0, Reason.INVALID_TIMESTAMP
    east = timedelta(0)
    if offset and offset not in "Zz":
        hours, minutes = int(offset[1:3]), int(offset[-2:]) if len(offset) > 3 else 0
        if hours > 23 or minutes > 59:
            return 0, Reason.INVALID_TIMESTAMP
        east = timedelta(hours=hours, minutes=minutes) * (-1 if offset[0] == "-" else 1)
    elif not offset and zone is None:
        return 0, Reason.TIMESTAMP_WITHOUT_ZONE
    elif not offset:  # fold 0: the first of two passes, and the offset before a gap
        if not 1990 < year < 2110:
            return 0, Reason.TIMESTAMP_OUT_OF_RANGE
        east = local.replace(tzinfo=ZoneInfo(zone or ""), fold=0).utcoffset() or timedelta(0)
    if year == 0:
        return 0, Reason.TIMESTAMP_OUT_OF_RANGE
    instant = (local.replace(tzinfo=UTC) - EPOCH) // MICROSECOND - east // MICROSECOND
    return _in_range(instant + int(fraction[:6].ljust(6, "0")))


def read_compact(text: bytes, zone: str | None) -> tuple[int, Reason]:
    """Return (microseconds UTC, reason) of a time whose date and clock are fourteen digits."""
    match = re.fullmatch(rb"(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(.*)", text, re.DOTALL)
    if match is None:
        return 0, Reason.INVALID_TIMESTAMP
    return read_iso(b"%b-%b-%bT%b:%b:%b%b" % match.groups(), zone)


def read_day_end(text: bytes, zone: str) -> tuple[int, Reason]:
    """Return (microseconds UTC, reason) of the end of a civil day."""
    if not re.fullmatch(rb"\d{4}-\d\d-\d\d", text, re.ASCII):
        return 0, Reason.INVALID_TIMESTAMP
    year, month, day = (int(part) for part in text.split(b"-"))
    try:
        found = date(year or 2000, month, day)
    except ValueError:
        return 0, Reason.INVALID_TIMESTAMP
    if not 1990 < year < 2110:
        return 0, Reason.TIMESTAMP_OUT_OF_RANGE
    midnight = datetime(found.year, found.month, found.day, tzinfo=ZoneInfo(zone)) + timedelta(days=1)
    return _in_range((midnight - EPOCH) // MICROSECOND)


def read_epoch(text: bytes, unit_us: int) -> tuple[int, Reason]:
    """Return (microseconds UTC, reason) of a count since 1970; finer than a microsecond is cut off."""
    match = _COUNT.fullmatch(text)
    if match is None:
        return 0, Reason.INVALID_TIMESTAMP
    fraction = (match[3] or b"").decode()
    instant = int(match[2]) * unit_us + int("0" + fraction) * unit_us // 10 ** len(fraction)
    return _in_range(-instant - 1 if match[1] else instant)


def read_quantity(text: bytes, factor: int, *, half_up: bool, signed: bool = False) -> tuple[int, Reason]:
    """Return (base steps, reason) of decimal text times `factor`; the smallest of several reasons."""
    match = _NUMBER.fullmatch(text)
    if match is None:
        return 0, Reason.INVALID_QUANTITY
    mantissa, exponent = match[2].decode(), int(match[3] or b"0")
    whole, _, decimals = mantissa.partition(".")
    digits, shift = int(whole + decimals), exponent - len(decimals)
    if digits == 0:
        return 0, Reason.NONE
    bound = len(text) + 200  # beyond it any number is far too large, or far below one step
    shift = max(-bound, min(shift, bound))
    with localcontext(Context(prec=3 * bound)):
        exact = Decimal(digits).scaleb(shift) * factor
        steps = int(exact.to_integral_value(ROUND_HALF_UP if half_up else ROUND_DOWN))
        if steps != exact and not half_up:
            return 0, Reason.QUANTITY_PRECISION
    if steps > QUANTITY_MAX:
        return 0, Reason.QUANTITY_OVERFLOW
    if match[1] == b"-":
        return (-steps, Reason.NONE) if signed else (0, Reason.NEGATIVE_QUANTITY)
    return steps, Reason.NONE


def nonzero(pair: tuple[int, int]) -> tuple[int, int]:
    """Return a hash, never (0, 0)."""
    return pair if pair != (0, 0) else (0, 1)


def key_of(context: DecodeContext, identity: list[bytes], *more: bytes) -> tuple[int, int]:
    """Return the identity key: the secret chained with tenant, source, `more` and the identity's fields."""
    state = int.from_bytes(context.secret[:8], "little"), int.from_bytes(context.secret[8:], "little")
    for part in (context.tenant.encode(), context.source.code.encode(), *more, *identity):
        state = hash128_bytes(part, *state)
    return nonzero(state)


def map_record(
    context: DecodeContext, mapping: EventMapping, texts: dict[str, bytes], reason: int, envelope: tuple[str, ...] = ()
) -> dict[str, Any]:
    """Return what a record's mapped fields mean.

    Args:
        context: names and units.
        mapping: the source's.
        texts: the text of each mapped field, empty where it is absent.
        reason: what was found before (1..5), or 0.
        envelope: fields that the format itself requires.

    Returns:
        reason, access_point, event_at and rest as `mediation_world.shown` takes them.
    """
    from mediation_mapping import convert, lets_pass, read_time  # which builds on this module

    found = [reason] if reason else []
    texts = texts | {name: convert(steps, texts[name]) for name, steps in mapping.converters.items() if not reason}
    found += [Reason.FILTERED_BY_SOURCE for item in mapping.filters if not lets_pass(item, texts[item.field])]
    needed = [
        *envelope,
        mapping.access_point,
        *mapping.time.names,
        *mapping.required,
        *(mapping.quantity.between or ()),
    ]
    if mapping.quantity.field:
        needed.append(mapping.quantity.field)
    if mapping.event_type.field and "" not in mapping.event_type.values:
        needed.append(mapping.event_type.field)
    found += [Reason.FIELD_MISSING for name in needed if not texts[name]]
    if not any(texts[name] for name in mapping.identity):
        found.append(Reason.IDENTITY_MISSING)
    kind = mapping.event_type.constant
    if mapping.event_type.field:
        kind = mapping.event_type.values.get(texts[mapping.event_type.field].decode("utf-8", "surrogateescape"))
        found += [Reason.UNKNOWN_EVENT_TYPE] if kind is None else []
    event_at, wrong = read_time(mapping.time, [texts[name] for name in mapping.time.names])
    found += [wrong] if wrong else []
    steps = 0
    if kind is not None:
        steps, wrong = _quantity_of(context, mapping, texts, context.event_types[kind])
        found += [wrong] if wrong else []
    return {
        "reason": first_reason(found),
        "access_point": texts[mapping.access_point],
        "event_at": event_at,
        "rest": _rest(context, mapping, texts, kind, steps),
    }


def first_reason(found: list[int]) -> int:
    """Return the reason that is reported: unreadable bytes, then the source's filters, then the smallest code."""
    unreadable = [reason for reason in found if reason < Reason.FIELD_MISSING]
    if unreadable:
        return min(unreadable)
    if Reason.FILTERED_BY_SOURCE in found:
        return Reason.FILTERED_BY_SOURCE
    return min(found, default=0)


def _quantity_of(
    context: DecodeContext, mapping: EventMapping, texts: dict[str, bytes], event_type: EventType
) -> tuple[int, Reason]:
    from mediation_mapping import plain_decimal, read_time

    quantity, half_up = mapping.quantity, mapping.quantity.excess_decimals == "half_up"
    if quantity.between is not None:
        return _between(*(read_time(mapping.time, [texts[name]]) for name in quantity.between), half_up=half_up)
    factor = context.units["s" if quantity.format == "hms" else quantity.unit or event_type.unit].step_count
    if quantity.field is None:
        return factor * (quantity.constant or 0), Reason.NONE
    signed = quantity.negative == "take_back"
    return read_quantity(plain_decimal(quantity, texts[quantity.field]), factor, half_up=half_up, signed=signed)


def _between(start: tuple[int, Reason], end: tuple[int, Reason], *, half_up: bool) -> tuple[int, Reason]:
    """Return (milliseconds, reason) of the time from one instant to another."""
    wrong = [reason for _, reason in (start, end) if reason]
    if wrong:
        return 0, min(wrong)
    if end[0] < start[0]:
        return 0, Reason.NEGATIVE_QUANTITY
    return read_quantity(str(end[0] - start[0]).encode() + b"e-6", 1000, half_up=half_up)


def _rest(
    context: DecodeContext, mapping: EventMapping, texts: dict[str, bytes], kind: str | None, steps: int
) -> tuple[Any, ...]:
    identity = list(dict.fromkeys(mapping.identity))
    others = [mapping.access_point, *mapping.time.names, mapping.quantity.field, *(mapping.quantity.between or ())]
    others.append(mapping.event_type.field)
    others += [mapping.attributes[name] for name in sorted(mapping.attributes)]
    content = [texts[name] for name in dict.fromkeys(others) if name and name not in identity]
    key = key_of(context, [texts[name] for name in identity])
    attributes = [0] * ATTRIBUTE_SLOTS
    if kind is not None:
        for place, name in enumerate(context.event_types[kind].attributes):
            if name in mapping.attributes:
                value = texts[mapping.attributes[name]].decode("utf-8", "surrogateescape")
                attributes[place] = context.attribute_codes.get(value, 0)
    return (
        key,
        content_bytes(content, *key),
        nonzero(hash128_bytes(texts[mapping.access_point])),
        (0, 0),
        steps,
        EVENT_TYPE_NONE if kind is None else context.event_type_codes[kind],
        tuple(attributes),
    )
