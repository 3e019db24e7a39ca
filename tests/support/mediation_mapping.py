"""Plain-Python twins of what a mapping can say: patterns, joined fields, converters, quantity formats, filters."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation

from mediation_values import read_compact, read_epoch, read_iso

from schemas.converters import E164, Converter
from schemas.rejection import Reason
from schemas.source import EventTime, Filter, Quantity
from schemas.time_pattern import pattern_tokens

UNITS = {"epoch_s": (10**6, 1), "epoch_ms": (10**3, 1), "epoch_us": (1, 1), "epoch_ns": (1, 10**3)}
_REGEX = {
    "YYYY": r"(?P<Y>\d{4})", "YY": r"(?P<y>\d{2})", "MM": r"(?P<M>\d{2})", "M": r"(?P<M>\d{1,2})", "DD": r"(?P<D>\d{2})",
    "D": r"(?P<D>\d{1,2})", "hh": r"(?P<h>\d{2})", "h": r"(?P<h>\d{1,2})", "mm": r"(?P<m>\d{2})", "ss": r"(?P<s>\d{2})",
    "Z": r"(?P<Z>[Zz]|[+-]\d\d(?::\d\d|\d\d)?)",
}  # fmt: skip


def read_pattern(text: bytes, patterns: tuple[str, ...], zone: str | None) -> tuple[int, Reason]:
    """Return (microseconds UTC, reason) of a time by the first pattern that fits."""
    for pattern in patterns:
        iso = _as_iso(text, pattern)
        if iso is None:
            continue
        found = read_iso(iso, zone)
        if found[1] != Reason.INVALID_TIMESTAMP:
            return found
    return 0, Reason.INVALID_TIMESTAMP


def _as_iso(text: bytes, pattern: str) -> bytes | None:
    """Return the text in ISO 8601's form, None when the pattern does not fit. Digits are taken as long as there are any."""
    regex = ""
    for token, literal in pattern_tokens(pattern):
        if literal:
            regex += re.escape(literal)
        elif token[0] == "f":
            regex += r"(?P<f>\d{1,9}+)" if token == "f" else rf"(?P<f>\d{{{len(token)}}})"
        else:
            regex += _REGEX[token].replace("{1,2}", "{1,2}+")
    match = re.fullmatch(regex.encode(), text, re.ASCII)
    if match is None:
        return None
    parts = {name: value.decode() for name, value in match.groupdict().items() if value is not None}
    year = parts.get("Y") or "20" + parts["y"]
    clock = ":".join(parts.get(name, "00").rjust(2, "0") for name in "hms")
    fraction = "." + parts["f"] if "f" in parts else ""
    return f"{year}-{parts['M']:0>2}-{parts['D']:0>2}T{clock}{fraction}{parts.get('Z', '')}".encode()


def read_time(time: EventTime, texts: list[bytes]) -> tuple[int, Reason]:
    """Return (microseconds UTC, reason) of a time in one field, or in two."""
    text = texts[0]
    if len(texts) == 2:
        glue = b"" if time.format == "compact" else b" "
        text = glue.join(texts) if all(texts) else b""
    if time.format in UNITS:
        unit_us, per_us = UNITS[time.format]
        if per_us == 1:
            return read_epoch(text, unit_us)
        whole = re.fullmatch(rb"(-?)(\d+)(?:\.\d+)?", text, re.ASCII)
        if whole is None:
            return 0, Reason.INVALID_TIMESTAMP
        return read_epoch(whole[1] + b"%d" % (int(whole[2]) // per_us), unit_us)
    if time.pattern is not None:
        return read_pattern(text, time.pattern, time.zone)
    return (read_iso if time.format == "iso" else read_compact)(text, time.zone)


def plain_decimal(quantity: Quantity, text: bytes) -> bytes:
    """Return a quantity's text as a plain decimal, empty when it is not well formed."""
    written = text.decode("latin-1")
    if quantity.format == "hms":
        match = re.fullmatch(r"(?:(\d{1,9}):)?(\d{1,9}):(\d\d)(?:[.,](\d+))?", written, re.ASCII)
        if match is None or int(match[3]) > 59 or (match[1] and (len(match[2]) != 2 or int(match[2]) > 59)):
            return b""
        seconds = int(match[1] or 0) * 3600 + int(match[2]) * 60 + int(match[3])
        return f"{seconds}{'.' + match[4] if match[4] else ''}".encode()
    if quantity.format == "hex":
        match = re.fullmatch(r"(?:0[xX](?=.))?([0-9a-fA-F]+)", written)
        if match is None:
            return b""
        value = int(match[1], 16)
        return str(value).encode() if value < 2**64 else b"1e99"
    if quantity.decimal == "." and quantity.thousands is None:
        return text
    whole = r"\d*"
    if quantity.thousands:
        whole = rf"(?:\d*|\d{{1,3}}(?:{re.escape(quantity.thousands)}\d{{3}})+)"
    match = re.fullmatch(rf"([+-]?)({whole})(?:{re.escape(quantity.decimal)}(\d+))?", written, re.ASCII)
    if match is None or not (match[2] or match[3]):
        return b""
    digits = match[2].replace(quantity.thousands, "") if quantity.thousands else match[2]
    return f"{match[1]}{digits}{'.' + match[3] if match[3] else ''}".encode()


def convert(steps: tuple[Converter, ...], text: bytes) -> bytes:
    """Return a field's text after all steps."""
    for step in steps:
        text = _convert_once(step, text)
    return text


def _convert_once(step: Converter, text: bytes) -> bytes:
    if step.map is not None:
        known = {key.encode(): value.encode() for key, value in step.map.items()}
        other = text if step.default is None or not text else step.default.encode()
        return known.get(text, other)
    if not text:
        return text
    if step.strip_prefix is not None:
        return next((text.removeprefix(p.encode()) for p in step.strip_prefix if text.startswith(p.encode())), text)
    if step.add_prefix is not None:
        return step.add_prefix.encode() + text
    if step.case is not None:
        return text.upper() if step.case == "upper" else text.lower()
    if step.substring is not None:
        first = step.substring.start - 1
        last = None if step.substring.width is None else first + step.substring.width
        return text.decode()[first:last].encode()
    if step.split is not None:
        parts = text.split(step.split.separator.encode())
        return parts[step.split.part - 1] if len(parts) >= step.split.part else b""
    if step.pad_left is not None:
        return text.decode().rjust(step.pad_left.width, step.pad_left.fill).encode()
    assert step.e164 is not None
    return normalise(step.e164, text)


def normalise(rule: E164, text: bytes) -> bytes:
    """Return a telephone number as the digits of E.164, or what is none as it is."""
    number = re.sub(r"[ \-./()]", "", text.decode("latin-1"))
    if not re.fullmatch(r"\+?\d+", number, re.ASCII):
        return text
    for prefix in rule.international:
        if number.startswith(prefix):
            rest = number.removeprefix(prefix)
            return rest.encode() if rest and rest[0] != "+" else text
    if number.startswith("+"):
        return text
    if len(number) > rule.short_max:
        if rule.trunk and number.startswith(rule.trunk):
            return (rule.country + number.removeprefix(rule.trunk)).encode() if number != rule.trunk else text
        if rule.bare == "national":
            return (rule.country + number).encode()
    return number.encode()


def lets_pass(item: Filter, text: bytes) -> bool:
    """Return whether a filter lets a record with this text pass."""
    value = text.decode("utf-8", "surrogateescape")
    if item.present is not None:
        return bool(text) == item.present
    if item.prefix:
        return value.startswith(item.prefix)
    if item.keep or item.drop:
        return value in item.keep if item.keep else value not in item.drop
    if not re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", value, re.ASCII):
        return True
    try:
        number = Decimal(value)
    except InvalidOperation:  # an exponent that Decimal cannot hold
        number = (
            Decimal("0")
            if "e-" in value.lower()
            else Decimal("Infinity").copy_sign(Decimal(value.lower().split("e")[0]))
        )
    return (item.min is None or number >= item.min) and (item.max is None or number <= item.max)
