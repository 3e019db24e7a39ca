"""Sources of Diameter messages, and a plain-Python twin of their decoder."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from mediation_world import context

from pipelines.mediation.decode import make_decoder
from pipelines.mediation.diameter.codes import REQUEST
from pipelines.mediation.diameter.decoder import DiameterDecoder
from pipelines.mediation.diameter.dictionary import NAMED
from pipelines.mediation.diameter.fields import EPOCH, write_all
from pipelines.mediation.diameter.messages import (
    HEADER_BYTES,
    Avp,
    Header,
    Message,
    UnableToReadMessage,
    encode_message,
    split_avps,
)
from pipelines.mediation.diameter.values import KINDS, Wrong
from pipelines.mediation.failures import UnableToDecodeFile
from schemas.rejection import Reason
from schemas.source import DiameterSource

PS = "Service-Information.PS-Information"
CONTAINER = f"{PS}.Service-Data-Container"
MAPPING: dict[str, Any] = {
    "identity": ["Session-Id", "Accounting-Record-Number", f"{CONTAINER}.Rating-Group", f"{CONTAINER}.Local-Sequence-Number"],
    "access_point": "Service-Information.Subscription-Id.E164",
    "time": {"field": f"{CONTAINER}.Time-First-Usage"},
    "quantity": {"fields": [f"{CONTAINER}.Accounting-Input-Octets", f"{CONTAINER}.Accounting-Output-Octets"], "unit": "B"},
    "event_type": {"constant": "data"},
    "attributes": {"zone": f"{PS}.3GPP-SGSN-MCC-MNC"},
}  # fmt: skip
SPARE = (
    "message", "Origin-Host", "Accounting-Record-Type", "Event-Timestamp", "AVP-9000:text", "AVP-9001:integer", "Vendor-9-1",
    "Vendor-9-2:ipv4", "Vendor-9-3:ipv6", "Service-Information.Subscription-Id.IMSI", f"{PS}.GGSN-Address",
    f"{PS}.3GPP-Charging-Id:integer", f"{PS}.3GPP-User-Location-Info", f"{PS}.PDN-Connection-Charging-ID",
    "Service-Information.Subscription-Id.Subscription-Id-Data", "CC-Request-Type", "Exponent",
    "AVP-9002.AVP-9003.Session-Id", "Unit-Value.Value-Digits",
)  # fmt: skip
TYPES = {"E164": 0, "IMSI": 1, "SIP-URI": 2, "NAI": 3, "PRIVATE": 4}

Found = list[tuple[bytes, int, dict[str, bytes]]]
"""Of each record: raw, reason for its bytes (0: none), text of each field that is there."""


def diameter(**changes: Any) -> DiameterSource:
    """Return a source of accounting that also reads `SPARE`; `mapping` is changed key by key."""
    mapping = MAPPING | changes.pop("mapping", {})
    mapping["filters"] = [{"field": name, "drop": ["nowhere"]} for name in SPARE]
    document = {"kind": "source", "code": "rf", "format": "diameter", "messages": ["ACR"], "each": CONTAINER}
    return DiameterSource.model_validate(document | {"mapping": mapping} | changes)


def decoder(source: DiameterSource) -> DiameterDecoder:
    """Return its decoder."""
    found = make_decoder(context(source))
    assert isinstance(found, DiameterDecoder)
    return found


def acr(content: Any, *, command: int = 271, flags: int = REQUEST) -> bytes:
    """Return a message that holds some content, by name, or AVPs."""
    avps = content if isinstance(content, tuple) else tuple(write_all(content))
    return encode_message(Message(Header(flags, command, 3, 1, 2), avps))


def twin(source: DiameterSource, fields: tuple[str, ...], data: bytes) -> Found:
    """Return what a file holds.

    Raises:
        UnableToDecodeFile: when messages do not fill it.
    """
    records: Found = []
    while data:
        length = int.from_bytes(data[1:4])
        if len(data) < 4 or data[0] != 1 or length < HEADER_BYTES or length % 4 or length > len(data):
            raise UnableToDecodeFile("MALFORMED_PACKET", "somewhere")
        records += _message(source, fields, data[:length])
        data = data[length:]
    return records


def _message(source: DiameterSource, fields: tuple[str, ...], raw: bytes) -> Found:
    command, is_request = int.from_bytes(raw[5:8]), raw[4] >= REQUEST
    name = {271: "ACR", 272: "CCR"}.get(command) if is_request else None
    if len(raw) > source.record_bytes_max:
        return [(raw, Reason.RECORD_TOO_LONG, {})]
    if name not in source.messages:
        return [(raw, 0, {})]  # filtered, which is not about its bytes
    paths = {path: _numbers(path) for path in fields if path != "message"}
    way = () if source.each is None else _numbers(source.each)
    wanted = {steps[: depth + 1] for steps in paths.values() for depth in range(len(steps))}
    wanted |= {way[: depth + 1] for depth in range(len(way))}
    groups = {steps[:depth] for steps in wanted for depth in range(1, len(steps))} | ({way} if way else set())
    rows: list[dict[tuple[Any, ...], list[Avp]]] = [{}]
    current = [rows[0]] * 4  # the row that holds the values of each level
    used = [False] * 4

    def walk(avps: tuple[Avp, ...], place: tuple[Any, ...]) -> None:
        for avp in avps:
            here = (*place, (avp.vendor, avp.code))
            if here not in wanted and here not in groups:
                continue
            rank = len(here) if way[: len(here)] == here else 0
            if rank:
                if used[rank - 1]:
                    rows.append({"above": list(current[:rank])})  # type: ignore[dict-item]
                used[rank - 1] = True
                for k in range(rank, 4):
                    current[k], used[k] = rows[-1], False
            current[_level(here, way)].setdefault(here, []).append(avp)
            if here in groups:
                walk(split_avps(avp.data), here)

    try:
        walk(split_avps(raw, HEADER_BYTES), ())
    except UnableToReadMessage:
        return [(raw, Reason.MALFORMED_RECORD, {})]
    found = []
    for row in rows:
        holders = [*row.get("above", []), row, row, row, row]  # type: ignore[arg-type]
        texts: dict[str, bytes] = {"message": name.encode()} if name and "message" in fields else {}
        for path, steps in paths.items():
            avps = holders[_level(steps, way)].get(steps, [])
            value = _value(path, avps)
            texts |= {path: value} if value else {}
        found.append((raw, 0, texts))
    return found


def _level(steps: tuple[Any, ...], way: tuple[Any, ...]) -> int:
    return max(depth for depth in range(len(steps) + 1) if steps[:depth] == way[:depth])


def _numbers(path: str) -> tuple[tuple[int, int], ...]:
    """Return the AVPs of a path; of one that ends with a type of Subscription-Id those before it."""
    found = []
    for part in path.split("."):
        name = part.partition(":")[0]
        if name in TYPES:
            break
        if name in NAMED:
            found.append((NAMED[name].vendor, NAMED[name].code))
        else:
            numbers = [int(each) for each in name.split("-")[1:]]
            found.append((numbers[0] if len(numbers) > 1 else 0, numbers[-1]))
    return tuple(found)


def _value(path: str, avps: list[Avp]) -> bytes:
    name, _, suffix = path.rpartition(".")[2].partition(":")
    if name in TYPES:
        for avp in avps:
            kind, data = _subscription(avp.data)
            if kind == TYPES[name]:
                return _text("text", data)
        return b""
    if not avps:
        return b""
    kind = suffix or (NAMED[name].kind if name in NAMED else "octets")
    return _text(kind, avps[0].data)


def _subscription(data: bytes) -> tuple[int, bytes]:
    kinds = [avp for avp in split_avps(data) if (avp.vendor, avp.code) == (0, 450) and not avp.flags & 0x80]
    datas = [avp for avp in split_avps(data) if (avp.vendor, avp.code) == (0, 444) and not avp.flags & 0x80]
    kind = next((int.from_bytes(avp.data) for avp in kinds if len(avp.data) == 4), -1)
    return (kind, datas[0].data) if datas else (-1, b"")


def _text(kind: str, data: bytes) -> bytes:
    unread = f"0x{data.hex()}".encode()
    if kind == "integer":
        return str(int.from_bytes(data)).encode() if 1 <= len(data) <= 8 else unread
    if kind in ("ipv4", "ipv6"):
        family = {"ipv4": 1, "ipv6": 2}[kind]
        text = _text("address", family.to_bytes(2) + data)
        return unread if text.startswith(b"0x") else text
    if kind == "octets":
        return unread
    if kind in ("text", "identity", "uri", "rule"):
        try:
            data.decode()
        except UnicodeDecodeError:
            return unread
        return unread if b"\0" in data else data
    try:
        value = KINDS[kind].read(data)
    except Wrong:
        return unread
    if kind == "time":
        return (EPOCH + timedelta(seconds=value)).strftime("%Y-%m-%dT%H:%M:%SZ").encode()
    text = str(value)
    if kind == "address" and int.from_bytes(data[:2]) not in (1, 2) and not text.startswith("+"):
        return unread
    return text.encode()
