"""RADIUS sources, packets and `detail` files, and a plain-Python twin of their decoder."""

from __future__ import annotations

import ipaddress
import re
import struct
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from mediation_world import blocks_of, context

from pipelines.mediation.decode import Decoder, make_decoder
from pipelines.mediation.extract import DecodedBlock
from pipelines.mediation.failures import UnableToDecodeFile
from pipelines.mediation.radius.decoder import RadiusDecoder
from schemas.rejection import Reason
from schemas.source import RadiusSource

MAPPING: dict[str, Any] = {
    "identity": ["NAS-IP-Address", "NAS-Identifier", "Acct-Session-Id", "Acct-Status-Type", "Acct-Session-Time"],
    "access_point": "Calling-Station-Id",
    "time": {"field": "Event-Time", "zone": "Europe/Paris"},
    "quantity": {"field": "Output-Octets-64", "unit": "B"},
    "event_type": {"constant": "data"},
    "attributes": {"zone": "3GPP-SGSN-MCC-MNC"},
}
FIELDS = {
    "User-Name": (0, 1, "text"), "NAS-IP-Address": (0, 4, "ipv4"), "Class": (0, 25, "octets"),
    "Calling-Station-Id": (0, 31, "text"), "NAS-Identifier": (0, 32, "text"), "Acct-Status-Type": (0, 40, "status"),
    "Acct-Output-Octets": (0, 43, "integer"), "Acct-Session-Id": (0, 44, "text"), "Acct-Session-Time": (0, 46, "integer"),
    "Acct-Terminate-Cause": (0, 49, "cause"), "Event-Timestamp": (0, 55, "time"), "NAS-IPv6-Address": (0, 95, "ipv6"),
    "Delegated-IPv6-Prefix": (0, 123, "prefix"), "Attr-200:integer": (0, 200, "integer"),
    "3GPP-SGSN-MCC-MNC": (10415, 18, "text"), "Vendor-10415-22": (10415, 22, "octets"), "Vendor-9-1:text": (9, 1, "text"),
}  # fmt: skip
"""The fields of `radius` that packets carry, as the RFCs number and type them."""
STATUS = {1: "Start", 2: "Stop", 3: "Interim-Update", 7: "Accounting-On", 8: "Accounting-Off"}
CAUSES = dict(enumerate((
    "User-Request", "Lost-Carrier", "Lost-Service", "Idle-Timeout", "Session-Timeout", "Admin-Reset", "Admin-Reboot",
    "Port-Error", "NAS-Error", "NAS-Request", "NAS-Reboot", "Port-Unneeded", "Port-Preempted", "Port-Suspended",
    "Service-Unavailable", "Callback", "User-Error", "Host-Request",
), start=1))  # fmt: skip
VIRTUAL = ("Input-Octets-64", "Output-Octets-64", "Event-Time", "Total-Octets-64")

Found = list[tuple[bytes, int, dict[str, bytes]]]
"""Of each record: raw, reason for its bytes (0: none), text of each field that is there."""


def radius(layout: str = "packets", **changes: Any) -> RadiusSource:
    """Return a source that maps all of `FIELDS` and the computed fields; `mapping` is changed key by key."""
    mapping = MAPPING | changes.pop("mapping", {})
    used = {*mapping["identity"], mapping["access_point"], mapping["time"]["field"], mapping["quantity"].get("field")}
    spare = [name for name in (*FIELDS, *VIRTUAL) if name not in used | set(mapping["attributes"].values())]
    mapping["filters"] = [{"field": name, "drop": ["nowhere"]} for name in spare]
    return RadiusSource.model_validate(
        {"kind": "source", "code": "aaa", "format": "radius", "layout": layout, "mapping": mapping} | changes
    )


def decoder(source: RadiusSource) -> RadiusDecoder:
    """Return its decoder."""
    found = make_decoder(context(source))
    assert isinstance(found, RadiusDecoder)
    return found


def found(compiled: Decoder, data: bytes, **options: Any) -> Found:
    """Return what the decoder finds in a file.

    Raises:
        UnableToDecodeFile: as the decoder does.
    """
    records = []
    for block in blocks_of(compiled, data, **options):
        assert isinstance(block, DecodedBlock)
        matrix = block.matrix
        for row in range(len(block)):
            texts = {}
            for slot, name in enumerate(compiled.field_names):
                text = matrix.text[matrix.start[slot, row] : matrix.end[slot, row]].tobytes()
                texts |= {name: text} if text else {}
            reason = int(block.reason[row])
            raw = block.raw[block.raw_start[row] : block.raw_end[row]].tobytes()
            records.append((raw, reason if reason < Reason.FIELD_MISSING else 0, texts))
    return records


def found_or_code(read: Callable[[], Found]) -> Found | str:
    """Return what is found, or the code with which the file is refused whole."""
    try:
        return read()
    except UnableToDecodeFile as failure:
        return failure.code


def attribute(number: int, value: bytes, vendor: int = 0) -> bytes:
    """Return one attribute."""
    inner = bytes([number, len(value) + 2]) + value
    return inner if not vendor else bytes([26, len(inner) + 6]) + struct.pack(">I", vendor) + inner


def packet(*attributes: bytes, code: int = 4) -> bytes:
    """Return a packet; its authenticator is nobody's."""
    body = b"".join(attributes)
    return struct.pack(">BBH", code, 7, 20 + len(body)) + bytes(range(16)) + body


def iso(seconds: int) -> str:
    """Return seconds since 1970 as `YYYY-MM-DDThh:mm:ss`."""
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S")


def value_text(kind: str, value: bytes) -> str:
    """Return the text of one attribute's value."""
    number = int.from_bytes(value, "big")
    if kind == "text":
        return value.decode()
    if kind == "integer" and 1 <= len(value) <= 8:
        return str(number)
    if kind == "ipv4" and len(value) == 4:
        return str(ipaddress.IPv4Address(value))
    if kind == "ipv6" and len(value) == 16:
        return str(ipaddress.IPv6Address(value))
    if kind == "prefix" and 2 <= len(value) <= 18 and value[1] <= 128:
        return f"{ipaddress.IPv6Address(value[2:].ljust(16, bytes(1)))}/{value[1]}"
    if kind == "time" and len(value) == 4:
        return iso(number) + "Z"
    if kind == "status" and len(value) == 4:
        return STATUS.get(number, str(number))
    if kind == "cause" and len(value) == 4:
        return CAUSES.get(number, str(number))
    return "0x" + value.hex()


def packet_twin(data: bytes) -> tuple[int, dict[str, bytes]]:
    """Return (reason, fields) of a packet and the padding after it."""
    length = int.from_bytes(data[2:4], "big")
    if data[:1] != b"\x04" or not 20 <= length <= min(len(data), 4096):
        return Reason.MALFORMED_RECORD, {}
    first: dict[tuple[int, int], bytes] = {}
    rest = data[20:length]
    numbers: dict[int, int] = {}
    reasons: list[int] = []
    while rest:
        if len(rest) < 2 or not 2 <= rest[1] <= len(rest):
            reasons.append(Reason.MALFORMED_RECORD)
            break
        number, value, rest = rest[0], rest[2 : rest[1]], rest[rest[1] :]
        inner = {(0, number): value}
        if number == 26:
            inner, vendor, nested = {}, int.from_bytes(value[:4], "big"), value[4:]
            while len(value) >= 4 and vendor and len(nested) >= 2 and 2 <= nested[1] <= len(nested):
                inner.setdefault((vendor, nested[0]), nested[2 : nested[1]])
                nested = nested[nested[1] :]
        elif len(value) == 4:
            numbers.setdefault(number, int.from_bytes(value, "big"))
        for place, text in inner.items():
            if place in first:
                continue
            first[place] = text
            if any(kind == "text" and (vendor, number) == place for vendor, number, kind in FIELDS.values()):
                reasons += _text_reasons(text)
        if reasons:
            break
    if reasons:
        return min(reasons), {}
    texts = {name: value_text(kind, first[v, n]) for name, (v, n, kind) in FIELDS.items() if (v, n) in first}
    for name, octets, gigawords in (("Input-Octets-64", 42, 52), ("Output-Octets-64", 43, 53)):
        if octets in numbers:
            texts[name] = str(numbers[octets] + (numbers.get(gigawords, 0) << 32))
    counts = [int(texts[name]) for name in ("Input-Octets-64", "Output-Octets-64") if name in texts]
    if counts:
        texts["Total-Octets-64"] = str(min(sum(counts), 2**64 - 1))
    if 55 in numbers:
        texts["Event-Time"] = iso(numbers[55]) + "Z"
    return 0, {name: text.encode() for name, text in texts.items() if text}


def _text_reasons(text: bytes) -> list[int]:
    if b"\0" in text:
        return [Reason.NUL_BYTE]
    try:
        text.decode()
    except UnicodeDecodeError:
        return [Reason.INVALID_ENCODING]
    return []


def packets_twin(data: bytes) -> Found:
    """Return what a file of packets holds.

    Raises:
        UnableToDecodeFile: when the packets do not fill it.
    """
    records = []
    while data:
        length = int.from_bytes(data[2:4], "big")
        if len(data) < 4 or not 20 <= length <= 4096 or length > len(data):
            raise UnableToDecodeFile("MALFORMED_PACKET", "somewhere")
        records.append((data[:length], *packet_twin(data[:length])))
        data = data[length:]
    return records


def hex_twin(data: bytes) -> Found:
    """Return what a file of hexadecimal lines holds."""
    records: list[tuple[bytes, int, dict[str, bytes]]] = []
    for text in data.split(b"\n"):
        line = text.removesuffix(b"\r")
        if not line:
            continue
        reasons = _text_reasons(line)
        digits = line.strip(b" \t")
        if not reasons and not re.fullmatch(rb"([0-9a-fA-F]{2})+", digits):
            reasons = [Reason.MALFORMED_RECORD]
        records.append((line, reasons[0], {}) if reasons else (line, *packet_twin(bytes.fromhex(digits.decode()))))
    return records
