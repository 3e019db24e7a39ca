"""TAP sources, and a plain-Python twin of their decoder: the file as nested lists, then one dictionary per event."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from typing import Any

from mediation_world import context, expect_sound

from pipelines.mediation.decode import check_file, decode_blocks, make_decoder
from pipelines.mediation.extract import DecodedBlock
from pipelines.mediation.failures import UnableToDecodeFile
from pipelines.mediation.kernels.ber_text import BCD, INTEGER, OCTETS
from pipelines.mediation.tap.decoder import TapDecoder
from pipelines.mediation.tap.fields import AMOUNT_FIELDS, CHOICES, LOOK_UPS
from pipelines.mediation.tap.head import FILE_FIELDS
from pipelines.mediation.tap.tags import EVENTS, STRUCTURE, TIMES, VALUE, VALUES, tag_shapes
from schemas.source import TapSource

MAPPING: dict[str, Any] = {
    "identity": ["event", "subscriber", "startTime", "otherParty", "reference", "recEntity"],
    "access_point": "subscriber",
    "time": {"field": "startTime"},
    "quantity": {"field": "duration", "unit": "s"},
    "event_type": {"field": "event", "values": dict.fromkeys(EVENTS, "call")},
}
FILE_ONLY = {"localTimeStamp", "utcTimeOffset", "utcTimeOffsetCode", "recEntityId"}
EVENT_FIELDS = (*VALUES, *TIMES, *AMOUNT_FIELDS, *CHOICES, *LOOK_UPS, "event", *FILE_FIELDS)
ALL = tuple(dict.fromkeys(name for name in EVENT_FIELDS if name not in FILE_ONLY))
"""Every field that a source of TAP may map."""
FEW = ("charge", "tax", "discount", "chargeRefund", "chargeableUnits", "exchangeRate", "recEntityType", "imsi", "msisdn", "cellId",
       "dataVolumeIncoming", "callReference", "chargedItem", "chargingTimeStamp", "sender", "fileSequenceNumber")  # fmt: skip

SHAPES = tag_shapes().tolist()
Node = tuple[int, int, Any]
"""Class, number, and octets or a list of nodes."""
Fields = list[dict[str, str]]


def tap(*fields: str, **changes: Any) -> TapSource:
    """Return a source that maps `fields`, too; `mapping` is changed key by key."""
    mapping = MAPPING | changes.pop("mapping", {})
    mapping["filters"] = [{"field": name, "drop": ["nowhere"]} for name in fields]
    return TapSource.model_validate({"kind": "source", "code": "roam", "format": "tap", "mapping": mapping} | changes)


def decoder(source: TapSource) -> TapDecoder:
    """Return its decoder."""
    found = make_decoder(context(source))
    assert isinstance(found, TapDecoder)
    return found


def fields_of(block: DecodedBlock, names: tuple[str, ...]) -> Fields:
    """Return the fields of a block's records."""
    matrix = block.matrix
    texts = matrix.text.tobytes()
    return [
        {
            name: texts[matrix.start[slot, row] : matrix.end[slot, row]].decode()
            for slot, name in enumerate(names)
            if matrix.end[slot, row] > matrix.start[slot, row]
        }
        for row in range(len(block))
    ]


def found(compiled: TapDecoder, data: bytes, *, block_bytes: int = 1 << 20) -> Fields | str:
    """Return the fields of a file's events, or the code with which it is refused."""
    try:
        check_file(compiled, io.BytesIO(data))
        blocks = list(decode_blocks(compiled, io.BytesIO(data), claim=7, block_bytes=block_bytes))
    except UnableToDecodeFile as failure:
        return failure.code
    expect_sound(blocks)
    rows = []
    for block in blocks:
        assert isinstance(block, DecodedBlock)
        rows += fields_of(block, compiled.field_names)
    return rows


class Broken(Exception):
    """The file is refused; its argument is the code."""


def header(data: bytes, at: int, end: int) -> tuple[int, int, bool, int, int]:
    """Return (class, number, constructed, start, length or -1) of the element at `at`."""

    def octet(place: int) -> int:
        if place >= end:
            raise Broken("MALFORMED_BER")
        return data[place]

    first, number, at = octet(at), octet(at) & 31, at + 1
    if number == 31:
        number = 0
        for count in range(5):
            if count == 4:
                raise Broken("MALFORMED_BER")
            byte, at = octet(at), at + 1
            number = number << 7 | byte & 127
            if byte < 128:
                break
    length, at = octet(at), at + 1
    constructed = bool(first & 32)
    if length == 128:
        if not constructed:
            raise Broken("MALFORMED_BER")
        return first >> 6, number, constructed, at, -1
    if length > 128:
        size = length & 127
        if size > 8 or at + size > end:
            raise Broken("MALFORMED_BER")
        length, at = int.from_bytes(data[at : at + size], "big"), at + size
    return first >> 6, number, constructed, at, length


def element(data: bytes, at: int, end: int, depth: int, *, shapes: bool) -> tuple[Node, int]:
    """Return the element at `at`, and the offset after it; `shapes`: known tags must have their form."""
    group, number, constructed, start, length = header(data, at, end)
    stop = start + length
    if (group, number) == (0, 0) or (length >= 0 and stop > end):
        raise Broken("MALFORMED_BER")
    if shapes and group == 1 and number < 512:
        known = SHAPES[number]
        if (known == VALUE and constructed) or (known == STRUCTURE and not constructed):
            raise Broken("MALFORMED_BER")
    if not constructed:
        return (group, number, data[start:stop]), stop
    if depth == 0:
        raise Broken("MALFORMED_BER")
    children, place = [], start
    while True:
        if length >= 0:
            if place == stop:
                return (group, number, children), stop
        elif data[place : place + 2] == b"\0\0" and place + 2 <= end:
            return (group, number, children), place + 2
        child, place = element(data, place, stop if length >= 0 else end, depth - 1, shapes=shapes)
        children.append(child)


def child(node: Node | None, *path: int) -> Any:
    """Return the first node, or the octets of one that holds a value, along a path of application tags."""
    for number in path:
        held = node[2] if node is not None and isinstance(node[2], list) else []
        node = next((item for item in held if item[:2] == (1, number)), None)
    return node[2] if node is not None and isinstance(node[2], bytes) else node


def signed(octets: bytes) -> int:
    """Return an INTEGER."""
    return int.from_bytes(octets, "big", signed=True)


def value_text(kind: int, octets: bytes) -> str:
    """Return the text of a value."""
    unreadable = "0x" + octets.hex()
    if not octets or kind == OCTETS:
        return octets.hex()
    if kind == INTEGER:
        return str(signed(octets)) if -(1 << 64) < signed(octets) < 1 << 64 else unreadable
    if kind == BCD:
        digits = octets.hex().rstrip("f")
        return unreadable if "f" in digits else digits.translate(str.maketrans("abcde", "*#abc"))
    try:
        text = octets.decode()
    except UnicodeDecodeError:
        return unreadable
    return unreadable if any(byte < 32 or byte == 127 for byte in octets) else text


def time_parts(node: Node) -> tuple[str, int | None]:
    """Return the fourteen digits of a time, "" without them, and its offset's code."""
    digits, code = "", None
    for group, number, held in node[2]:
        if not isinstance(held, bytes):
            break
        if (group, number) == (1, 16) and len(held) == 14:
            digits = held.decode() if held.isdigit() else ""
        elif (group, number) == (1, 232) and 1 <= len(held) <= 8:
            code = signed(held)
    return digits, code


def offset_text(seconds: int) -> str:
    """Return ±hh:mm."""
    minutes = abs(seconds) // 60
    return f"{'-' if seconds < 0 else '+'}{minutes // 60:02d}:{minutes % 60:02d}"


def iso(digits: str) -> str:
    """Return fourteen digits as `YYYY-MM-DDThh:mm:ss`."""
    d = digits
    return f"{d[:4]}-{d[4:6]}-{d[6:8]}T{d[8:10]}:{d[10:12]}:{d[12:]}"


def instant(digits: str, seconds: int) -> int | None:
    """Return seconds since 1970 UTC; years before 1 are not tried."""
    try:
        return int(datetime.strptime(digits, "%Y%m%d%H%M%S").replace(tzinfo=UTC).timestamp()) - seconds
    except ValueError:
        return None


def scaled(value: int, places: int) -> str:
    """Return an amount with its decimals."""
    digits = str(abs(value)).rjust(places + 1, "0")
    return ("-" if value < 0 else "") + (f"{digits[:-places]}.{digits[-places:]}" if places else digits)
