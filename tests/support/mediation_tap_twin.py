"""A plain-Python twin of the TAP decoder."""

from __future__ import annotations

import re
from typing import Any

from mediation_tap import (
    Broken,
    Fields,
    Node,
    child,
    element,
    header,
    instant,
    iso,
    offset_text,
    scaled,
    signed,
    time_parts,
    value_text,
)

from pipelines.mediation.tap.fields import AMOUNT_FIELDS, CHOICES, LOOK_UPS, START
from pipelines.mediation.tap.tags import EVENTS, TIMES, VALUES
from schemas.source import TapSource

TOTALS = (415, 226, 225, 355, 353, 354)
EVENT_NAMES = {number: name for name, number in EVENTS.items()}


def tap_twin(source: TapSource, data: bytes, names: tuple[str, ...]) -> Fields | str:
    """Return the fields of a file's events, or the code with which it is refused."""
    try:
        return _read(source, data, names)
    except Broken as broken:
        return str(broken)


def _read(source: TapSource, data: bytes, names: tuple[str, ...]) -> Fields:
    if not data:
        return []
    group, number, constructed, start, length = header(data, 0, len(data))
    if group != 1 or number not in (1, 2) or not constructed:
        raise Broken("WRONG_FLOW")
    end = start + length if length >= 0 else len(data)
    if number == 2:
        whole, after = element(data, 0, len(data), 16, shapes=False)
        _expect_zeros(data, after)
        _read_head(whole, whole, source)
        return []
    if header(data, start, len(data))[:2] != (1, 4):
        raise Broken("WRONG_FLOW")
    if end > len(data):
        raise Broken("MALFORMED_BER")
    before: list[Node] = []
    at, events, listed = start, [], False
    while at < end:
        group, number, constructed, inner, size = header(data, at, end)
        if (group, number) in ((1, 15), (0, 0)):
            break
        if (group, number) == (1, 3):
            if not constructed or (length >= 0 and size > end - inner):
                raise Broken("MALFORMED_BER")
            listed = True
            break
        node, at = element(data, at, end, 16, shapes=False)
        before.append(node)
    head = _read_head((1, 1, before), child((1, 1, before), 4), source)
    if listed:
        events, at = _events(data, inner, size, source)
    audit = None
    while length < 0 or at < end:
        if length < 0 and header(data, at, end)[:2] == (0, 0):
            at += 2
            break
        node, at = element(data, at, end, 16, shapes=False)
        audit = node if audit is None and node[:2] == (1, 15) else audit
    _expect_zeros(data, at)
    rows = [_event(node, head, names) for node in events]
    if head["places"] is None and any(sum(sums[column] for _, sums, _ in rows) for column in range(6)):
        raise Broken("MALFORMED_HEADER")
    if source.audit:
        _audit(audit, rows)
    return [fields for fields, _, _ in rows]


def _expect_zeros(data: bytes, at: int) -> None:
    if data[at:].strip(b"\0"):
        raise Broken("MALFORMED_BER")


def _events(data: bytes, at: int, size: int, source: TapSource) -> tuple[list[Node], int]:
    events = []
    end = at + size if size >= 0 else len(data)
    while size < 0 or at < end:
        if at >= end:
            raise Broken("MALFORMED_BER")
        if size < 0 and data[at] == 0:
            if data[at : at + 2] != b"\0\0":
                raise Broken("MALFORMED_BER")
            return events, at + 2
        node, after = element(data, at, end, 32, shapes=True)
        if node[0] != 1 or not isinstance(node[2], list):
            raise Broken("MALFORMED_BER")
        if after - at > source.record_bytes_max:
            raise Broken("RECORD_TOO_LONG")
        events.append(node)
        at = after
    return events, at


def _whole(octets: bytes | None) -> int | None:
    return signed(octets) if isinstance(octets, bytes) and octets else None


def _shown(octets: bytes | None) -> str:
    found = octets if isinstance(octets, bytes) else b""
    return "".join(chr(byte) if 32 <= byte < 127 else f"\\x{byte:02x}" for byte in found)


def _offset(octets: bytes | None) -> int | None:
    match = re.fullmatch(r"([+-])(\d\d)([0-5]\d)", _shown(octets), re.ASCII)
    seconds = int(match[2]) * 3600 + int(match[3]) * 60 if match else 1 << 30
    return None if match is None or seconds > 15 * 3600 else -seconds if match[1] == "-" else seconds


def _entries(node: Any, number: int) -> list[Node]:
    held = node[2] if isinstance(node, tuple) and isinstance(node[2], list) else []
    return [item for item in held if item[:2] == (1, number)]


def _read_head(batch: Node, control: Any, source: TapSource) -> dict[str, Any]:
    if any(not _shown(child(control, number)) for number in (196, 182, 109)):
        raise Broken("MALFORMED_HEADER")
    places = _whole(child(batch, 5, 244))
    tables: dict[str, dict[int, Any]] = {"rates": {}, "offsets": {}, "entities": {}}
    for name, path, entry, code_tag in (
        ("rates", (5, 80), 106, 105),
        ("offsets", (6, 234), 233, 232),
        ("entities", (6, 188), 183, 184),
    ):
        for node in _entries(child(batch, *path), entry):
            code = _whole(child(node, code_tag))
            if code is None or not 0 <= code < 1 << 31 or code in tables[name]:
                raise Broken("MALFORMED_HEADER")
            if name == "rates":
                rate, decimals = _whole(child(node, 104)), _whole(child(node, 159))
                if rate is None or decimals is None or not 0 < rate < 1 << 62 or not 0 <= decimals <= 12:
                    raise Broken("MALFORMED_HEADER")
                tables[name][code] = scaled(rate, decimals)
            elif name == "offsets":
                tables[name][code] = _offset(child(node, 231))
                if tables[name][code] is None:
                    raise Broken("MALFORMED_HEADER")
            else:
                kind = _whole(child(node, 186))
                tables[name][code] = "" if kind is None else str(kind), _shown(child(node, 400))
    if places is not None and not 0 <= places <= 12:
        raise Broken("MALFORMED_HEADER")
    release = _whole(child(control, 189))
    if _whole(child(control, 201)) != 3 or release is None or not 1 <= release <= 12:
        raise Broken("UNSUPPORTED_VERSION")
    if _shown(child(control, 110)) == "T" and not source.accept_test_files:
        raise Broken("TEST_FILE")
    return tables | {
        "places": places,
        "sender": _shown(child(control, 196)),
        "recipient": _shown(child(control, 182)),
        "fileSequenceNumber": _shown(child(control, 109)),
        "specificationVersionNumber": "3",
        "releaseVersionNumber": str(release),
        "localCurrency": _shown(child(batch, 5, 135)),
        "tapCurrency": _shown(child(batch, 5, 210)),
        "tapDecimalPlaces": "" if places is None else str(places),
    }


class _Event:
    """What is found in one event: the first node of each tag, and its money."""

    def __init__(self, node: Node) -> None:
        self.first: dict[int, Node] = {}
        self.sums: list[int | None] = [None] * 6
        self._walk(node, detail=None, refund=[0])

    def _walk(self, node: Node, detail: list[bytes] | None, refund: list[int]) -> None:
        group, number, held = node
        number = number if group == 1 and number < 512 else 0
        if number not in (65, 68) or detail == [b"00"]:
            self.first.setdefault(number, node)
        if isinstance(held, list):
            inner = [b""] if number == 63 else detail
            back = [0] if number == 352 else refund
            for item in held:
                self._walk(item, inner, back)
            if number == 63 and detail is not None:  # a detail in a detail: what follows is in none
                detail[:] = [b"left"]
            if number == 352:
                refund[:] = [0]
            return
        if number == 71 and detail is not None and detail != [b"left"]:
            detail[:] = [held]
        elif number == 344:
            if not 1 <= len(held) <= 8:
                raise Broken("MALFORMED_BER")
            refund[:] = [3 if signed(held) == 1 else 0]
        else:
            total = detail is None or detail in ([b"00"], [b"left"])
            column = {62: 0 if total else -1, 422: 0, 397: 1, 412: 2}.get(number, -1)
            if column >= 0:
                self._add(column + refund[0], held)

    def _add(self, column: int, held: bytes) -> None:
        if not held:
            raise Broken("MALFORMED_BER")
        total = (self.sums[column] or 0) + signed(held)
        if len(held) > 8 or abs(signed(held)) > 1 << 62 or abs(total) > 1 << 62:
            raise Broken("AMOUNT_OVERFLOW")
        self.sums[column] = total


def _event(node: Node, head: dict[str, Any], names: tuple[str, ...]) -> tuple[dict[str, str], list[int], int | None]:
    found = _Event(node)
    fields = {name: _field(name, node, found, head) for name in names}
    started = None
    for name in START:
        if TIMES[name] in found.first:
            digits, code = time_parts(found.first[TIMES[name]])
            if digits and code in head["offsets"]:
                started = instant(digits, head["offsets"][code])
            break
    return {name: text for name, text in fields.items() if text}, [total or 0 for total in found.sums], started


def _field(name: str, node: Node, event: _Event, head: dict[str, Any]) -> str:
    if name == "event":
        return EVENT_NAMES.get(node[1], "unknown")
    if name in AMOUNT_FIELDS:
        total = event.sums[AMOUNT_FIELDS[name]]
        return "" if total is None else scaled(total, head["places"] or 0)
    if name in LOOK_UPS:
        code = event.first.get(VALUES[LOOK_UPS[name][0]][0])
        place = signed(code[2]) if code and 1 <= len(code[2]) <= 8 else None
        if name == "exchangeRate":
            return str(head["rates"].get(place, ""))
        return str(head["entities"].get(place, ("", ""))[0 if name == "recEntityType" else 1])
    if name in head:
        return str(head[name])
    for choice in CHOICES.get(name, (name,)):
        number, kind = (TIMES[choice], None) if choice in TIMES else VALUES[choice]
        if number not in event.first:
            continue
        if kind is not None:
            return value_text(kind, event.first[number][2])
        digits, code = time_parts(event.first[number])
        offset = head["offsets"].get(code)
        return "" if not digits else iso(digits) + ("" if offset is None else offset_text(offset))
    return ""


def _audit(audit: Node | None, rows: list[tuple[dict[str, str], list[int], int | None]]) -> None:
    said = [_whole(child(audit, number)) for number in TOTALS]
    wrong = _whole(child(audit, 43)) != len(rows) or said[0] is None
    for column in range(6):
        wrong |= (said[column] or 0) != sum(sums[column] for _, sums, _ in rows)
    times = [at for _, _, at in rows if at is not None]
    bounds: dict[int, int] = {}
    for number in (101, 133):
        node = child(audit, number)
        if node is not None:
            digits, offset = _shown(child(node, 16) if isinstance(node, tuple) else None), None
            if isinstance(node, tuple):
                offset = _offset(child(node, 231))
            at = instant(digits, offset or 0) if re.fullmatch(r"\d{14}", digits, re.ASCII) else None
            if at is None or offset is None:
                raise Broken("AUDIT_MISMATCH")
            bounds[number] = at
    wrong |= len(bounds) == 2 and bounds[101] > bounds[133]
    wrong |= bool(times) and 101 in bounds and min(times) < bounds[101]
    wrong |= bool(times) and 133 in bounds and max(times) > bounds[133]
    if wrong:
        raise Broken("AUDIT_MISMATCH")
