"""A plain-Python twin of how `detail` files of FreeRADIUS are read."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from mediation_radius import CAUSES, FIELDS, STATUS, Found, iso

from schemas.rejection import Reason

_INPUTS = {
    "Acct-Input-Octets", "Acct-Output-Octets", "Acct-Input-Gigawords", "Acct-Output-Gigawords", "Acct-Delay-Time",
    "Event-Timestamp", "Timestamp",
}  # fmt: skip
YEAR_10000 = 253_402_300_800
MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
_HEADER = re.compile(r"[^ ]* [ \t]*(\w{3}) [ \t]*(\d+) [ \t]*(\d\d:\d\d:\d\d) [ \t]*(\d+)(?=[ \r]|$)", re.ASCII)
_ESCAPES = {b"n": b"\n", b"r": b"\r", b"t": b"\t"}
_NAMES = {
    "Vendor-10415-22": {"3GPP-User-Location-Info", "Attr-26.10415.22", "Vendor-10415-22"},
    "3GPP-SGSN-MCC-MNC": {"3GPP-SGSN-MCC-MNC", "Attr-26.10415.18", "Vendor-10415-18"},
    "Vendor-9-1:text": {"Vendor-9-1", "Attr-26.9.1"},
    "Attr-200:integer": {"Attr-200"},
}
_BY_NAME = {
    alias: name
    for name, (_, number, _) in FIELDS.items()
    for alias in _NAMES.get(name, {name, f"Attr-{number}"})
}  # fmt: skip


def detail_twin(data: bytes) -> Found:
    """Return what a `detail` file holds."""
    return [(raw, *_record(raw)) for raw in split(data)]


def split(data: bytes) -> list[bytes]:
    """Return the records of a file."""
    records: list[list[bytes]] = []
    opened = False
    for line in data.split(b"\n"):
        text = line.rstrip(b" \t\r")
        if not text:
            opened = False
            continue
        if not opened or not line.startswith((b" ", b"\t")):
            records.append([])
            opened = True
        records[-1].append(line)
    return [b"\n".join(lines).rstrip(b" \t\r") for lines in records]


def unescape(text: bytes) -> bytes:
    """Return a quoted text without its backslashes."""

    def one(match: re.Match[bytes]) -> bytes:
        found = match[1]
        return bytes([int(found, 8)]) if len(found) == 3 else _ESCAPES.get(found, found)

    return re.sub(rb"\\([0-3][0-7]{2}|.)", one, text, flags=re.DOTALL)


def _civil(month: str, day: str, year: str, clock: str) -> int | None:
    try:
        hour, minute, second = (int(part) for part in clock.split(":"))
        found = datetime(int(year), 1 + MONTHS.index(month), int(day), hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None
    return int(found.timestamp()) if found.year >= 1970 else None


def time_text(text: str) -> str:
    """Return a time of a `detail` file as ISO 8601, or as it stands."""
    if text.isdigit() and text.isascii():
        return iso(int(text)) + "Z" if int(text) < YEAR_10000 else text
    match = re.fullmatch(
        r"(\w{3})[ \t]+(\d+)[ \t]+(\d+)[ \t]+(\d\d:\d\d:\d\d)(?: [ \t]*(.*))?", text, re.ASCII | re.DOTALL
    )
    seconds = _civil(match[1], match[2], match[3], match[4]) if match else None
    if match is None or seconds is None or len((match[5] or "").encode()) > 6:
        return text
    zone = match[5] or ""
    offset = "Z" if zone in ("UTC", "GMT") else zone if len(zone) == 5 and zone[0] in "+-" else ""
    return iso(seconds) + offset


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isascii() and text.isdigit() else None


def _record(raw: bytes) -> tuple[int, dict[str, bytes]]:
    for reason, wrong in ((Reason.NUL_BYTE, b"\0" in raw), (Reason.INVALID_ENCODING, not _is_utf8(raw))):
        if wrong:
            return reason, {}
    lines = raw.split(b"\n")
    header = None
    if not lines[0].startswith((b" ", b"\t")):
        match = _HEADER.match(lines.pop(0).decode())
        header = _civil(match[1], match[2], match[4], match[3]) if match else None
    if not lines:
        return Reason.MALFORMED_RECORD, {}
    texts: dict[str, str] = {}
    inputs: dict[str, str] = {}
    for line in lines:
        name, wrong_line, value = _attribute(line.strip(b" \t\r"))
        if wrong_line:
            return wrong_line, {}
        if name in _INPUTS:
            inputs.setdefault(name, value)
        if name in _BY_NAME and _BY_NAME[name] not in texts:
            texts[_BY_NAME[name]] = _value(FIELDS[_BY_NAME[name]][2], value)
    counts: list[tuple[int, str]] = []
    for way in ("Input", "Output"):
        octets, gigawords = inputs.get(f"Acct-{way}-Octets"), inputs.get(f"Acct-{way}-Gigawords", "0")
        if octets is not None:
            numbers = [_number(octets), _number(gigawords)]
            odd = [
                text
                for text, number in zip((octets, gigawords), numbers, strict=True)
                if number is None or number >> 32
            ]
            total = odd[0] if odd else str(int(octets) + (int(gigawords) << 32))
            texts[f"{way}-Octets-64"] = total
            rank = 0 if not odd else 1 + (way == "Output") + 2 * (odd[0] is not octets)
            counts.append((rank, total))
    if counts:
        rank, wrong = max(counts, key=lambda item: item[0])
        texts["Total-Octets-64"] = wrong if rank else str(min(sum(int(total) for _, total in counts), 2**64 - 1))
    texts["Event-Time"] = _event_time(inputs, header)
    return 0, {name: text.encode() for name, text in texts.items() if text}


def _event_time(inputs: dict[str, str], header: int | None) -> str:
    if "Event-Timestamp" in inputs:
        return time_text(inputs["Event-Timestamp"])
    received, delay = _number(inputs.get("Timestamp")), _number(inputs.get("Acct-Delay-Time", "0"))
    received = None if received is None or received >= YEAR_10000 else received
    seconds = header if received is None else received
    if seconds is None or delay is None or seconds < delay:
        return ""
    return iso(seconds - delay) + ("" if received is None else "Z")


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def _attribute(line: bytes) -> tuple[str, int, str]:
    left, equals, value = line.partition(b"=")
    name = re.sub(rb"[ \t\r]*[:+]$", b"", left.rstrip(b" \t\r")).rstrip(b" \t\r")
    value = value.lstrip(b" \t")
    if not equals or not name or b" " in name:
        return "", Reason.MALFORMED_RECORD, ""
    if value.startswith(b'"'):
        if len(value) < 2 or not value.endswith(b'"'):
            return "", Reason.MALFORMED_RECORD, ""
        value = unescape(value[1:-1])
        if b"\0" in value:
            return "", Reason.NUL_BYTE, ""
        if not _is_utf8(value):
            return "", Reason.INVALID_ENCODING, ""
    return name.decode(), 0, value.decode()


def _value(kind: str, text: str) -> str:
    if kind == "time":
        return time_text(text)
    if kind == "status" and text == "Alive":
        return "Interim-Update"
    number = _number(text)
    if number is None or kind not in ("status", "cause"):
        return text
    return (STATUS if kind == "status" else CAUSES).get(number, str(number))
