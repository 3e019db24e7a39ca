"""A small installation that decodes: event types, contexts, sources, and decoded records as plain Python values."""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, cast
from unittest import mock

import numpy as np

from pipelines.mediation import text as text_bytes
from pipelines.mediation.context import DecodeContext
from pipelines.mediation.decode import Decoder, check_file, decode_blocks, make_decoder
from pipelines.mediation.delimited import header
from pipelines.mediation.enedis import r151 as r151_decoder
from pipelines.mediation.events import layout as events_layout
from schemas.cdr import CdrBlock
from schemas.price_plan import EventType
from schemas.quantity import BUILT_IN_UNITS, Unit
from schemas.rejection import Reason
from schemas.source import CloudEventsSource, DelimitedSource, FixedWidthSource, JsonSource, R151Source, SourceBase

Source = DelimitedSource | FixedWidthSource | JsonSource | CloudEventsSource | R151Source

SECRET = bytes(range(16))
EVENT_TYPES = {
    "call": EventType(kind="event_type", code="call", unit="s", attributes=("way", "zone")),
    "data": EventType(kind="event_type", code="data", unit="kB", attributes=("zone",)),
    "power": EventType(kind="event_type", code="power", unit="Wh", attributes=("class",)),
    "ticket": EventType(kind="event_type", code="ticket", unit="token"),
    "sale": EventType.model_validate(
        {
            "kind": "event_type",
            "code": "sale",
            "unit": "s",
            "values": {"price": {"type": "number", "decimals": 2}, "to": "digits", "day": "date", "until": "instant"},
        }
    ),
}
EVENT_TYPE_CODES = {"call": 3, "data": 5, "power": 7, "ticket": 11, "sale": 13}
UNITS = BUILT_IN_UNITS | {"token": Unit("token", "token", 10**15)}
ATTRIBUTE_CODES = {"": 0, "EU": 1, "US": 2, "in": 3, "out": 4, "HP": 5, "HC": 6, "zone with a long name €": 7}

CDR_MAPPING: dict[str, Any] = {
    "identity": ["id", "switch"],
    "access_point": "caller",
    "time": {"field": "at", "zone": "Europe/Paris"},
    "quantity": {"field": "seconds", "unit": "s"},
    "event_type": {"constant": "call"},
    "attributes": {"zone": "zone"},
}
CDR_COLUMNS = ("id", "switch", "caller", "at", "seconds", "zone")
CDR_HEADER = b"id,switch,caller,at,seconds,zone\n"
CDR_LINE = b"1,a,33611,2026-05-01 10:00:00,61.5,EU\n"
CDR_AT_US = 1_777_622_400_000_000  # 2026-05-01T08:00:00Z


def context(source: Source, **changes: Any) -> DecodeContext:
    """Return the context of a source in this installation."""
    parts: dict[str, Any] = {
        "tenant": "acme",
        "source": source,
        "event_types": EVENT_TYPES,
        "event_type_codes": EVENT_TYPE_CODES,
        "units": UNITS,
        "attribute_codes": ATTRIBUTE_CODES,
        "secret": SECRET,
    }
    return DecodeContext(**(parts | changes))


def _with(mapping: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    return mapping | changes.pop("mapping", {})


def delimited(**changes: Any) -> DelimitedSource:
    """Return the delimited source `cdr`, changed; `mapping` is changed key by key."""
    mapping = _with(CDR_MAPPING, changes)
    return DelimitedSource.model_validate(
        {"kind": "source", "code": "cdr", "format": "delimited", "mapping": mapping} | changes
    )


EVENT_MAPPING: dict[str, Any] = {
    "identity": ["source", "id"],
    "access_point": "subject",
    "time": {"field": "time"},
    "quantity": {"field": "data.bytes", "unit": "B"},
    "event_type": {"field": "type", "values": {"com.acme.data": "data"}},
    "attributes": {"zone": "data.where.zone"},
}


def cloudevents(**changes: Any) -> CloudEventsSource:
    """Return the CloudEvents source `events`, changed; `mapping` is changed key by key."""
    mapping = _with(EVENT_MAPPING, changes)
    return CloudEventsSource.model_validate(
        {"kind": "source", "code": "events", "format": "cloudevents", "mapping": mapping} | changes
    )


def r151(**changes: Any) -> R151Source:
    """Return the R151 source `linky`, changed."""
    return R151Source.model_validate(
        {"kind": "source", "code": "linky", "format": "r151", "event_type": "power"} | changes
    )


@dataclass(frozen=True)
class Record:
    """One decoded record. Where `reason` refuses it, only what a rejection shows is kept.

    Attributes:
        raw: the bytes that a rejection keeps.
        access_point: the identifier's text; None where the reason leaves it undefined.
        rest: (key, content, access hash, series, event_at, quantity, event type, attributes), without objection only.
    """

    reason: Reason
    raw: bytes
    access_point: bytes | None = None
    event_at: int | None = None
    rest: tuple[Any, ...] = field(default=())


def shown(reason: int, raw: bytes, access_point: bytes, event_at: int, rest: tuple[Any, ...]) -> Record:
    """Return a record with what its reason leaves defined (see `pipelines.refusals`)."""
    return Record(
        Reason(reason),
        raw,
        access_point if reason == 0 or reason >= Reason.UNKNOWN_EVENT_TYPE else None,
        event_at if reason == 0 or reason >= Reason.INVALID_QUANTITY else None,
        rest if reason == 0 else (),
    )


def records_of(block: CdrBlock) -> list[Record]:
    """Return the records of a block."""
    found = []
    for row in range(len(block)):
        rest = (
            (int(block.key_hi[row]), int(block.key_lo[row])),
            int(block.content[row]),
            (int(block.access_hi[row]), int(block.access_lo[row])),
            (int(block.series_hi[row]), int(block.series_lo[row])),
            int(block.quantity[row]),
            int(block.event_type[row]),
            tuple(block.attributes[row].tolist()),
        )
        access = block.text[block.access_start[row] : block.access_end[row]].tobytes()
        raw = block.raw[block.raw_start[row] : block.raw_end[row]].tobytes()
        found.append(shown(int(block.reason[row]), raw, access, int(block.event_at[row]), rest))
    return found


_DECODERS: dict[str, Decoder] = {}


def _decoder(source: Source) -> Decoder:
    """Return the decoder of a source in this installation, compiled once."""
    text = source.model_dump_json()
    if text not in _DECODERS:
        _DECODERS[text] = make_decoder(context(source))
    return _DECODERS[text]


class TrickleStream(io.BytesIO):
    """A stream that gives a few bytes at a time, as a pipe or a slow disk may."""

    def __init__(self, data: bytes, step: int) -> None:
        super().__init__(data)
        self._step = step

    def readinto(self, buffer: Any) -> int:
        """Read at most `step` bytes."""
        return super().readinto(memoryview(buffer)[: self._step])

    def read(self, size: int | None = -1) -> bytes:
        """Read at most `step` bytes."""
        return super().read(self._step if size is None or size < 0 else min(size, self._step))


def blocks_of(
    source: Source | Decoder, data: bytes, *, block_bytes: int = 1 << 20, head_bytes: int | None = None, step: int = 0
) -> list[CdrBlock]:
    """Check and decode a whole file, as the engine does, and check what every block promises.

    Args:
        source: a source of this installation, or its decoder.
        data: the file.
        block_bytes: preferred size of a block.
        head_bytes: how much is read ahead for the header or marks; smaller than usual to cut small files into blocks.
        step: how many bytes the stream gives at once; 0: all that are asked for.
    """
    if isinstance(source, SourceBase):
        source = _decoder(source)

    def stream() -> Any:
        return TrickleStream(data, step) if step else io.BytesIO(data)

    with (
        mock.patch.object(header, "HEAD_BYTES", head_bytes or header.HEAD_BYTES),
        mock.patch.object(text_bytes, "HEAD_BYTES", head_bytes or text_bytes.HEAD_BYTES),
        mock.patch.object(events_layout, "HEAD_BYTES", head_bytes or events_layout.HEAD_BYTES),
        mock.patch.object(r151_decoder, "HEAD_BYTES", head_bytes or r151_decoder.HEAD_BYTES),
    ):
        check_file(source, stream())
        blocks = list(decode_blocks(source, stream(), claim=7, block_bytes=block_bytes))
    expect_sound(blocks)
    return blocks


def expect_sound(blocks: Iterable[CdrBlock]) -> None:
    """Check numbering, and that every offset stays inside its buffer."""
    record = 0
    for number, block in enumerate(blocks):
        assert (block.position.claim, block.position.block, block.position.first_record) == (7, number, record)
        assert len(block) > 0
        assert block.record.tolist() == list(range(record, record + len(block)))
        record += len(block)
        for start, end, size in (
            (block.raw_start, block.raw_end, len(block.raw)),
            (block.access_start, block.access_end, len(block.text)),
        ):
            assert bool(np.all((start >= 0) & (start <= end) & (end <= size)))
        assert bool(np.all((block.key_hi != 0) | (block.key_lo != 0)))
        assert bool(np.all(block.content != 0))


def decode(source: Source | Decoder, data: bytes, **options: Any) -> list[Record]:
    """Return the records of a whole file (see `blocks_of`)."""
    return [record for block in blocks_of(source, data, **options) for record in records_of(block)]


def reasons(source: Source | Decoder, data: bytes, **options: Any) -> list[str]:
    """Return the reason of every record of a file; NONE where there is no objection."""
    return [record.reason.name for record in decode(source, data, **options)]


def raws(records: Iterable[Record]) -> list[bytes]:
    """Return what a rejection would keep of each record."""
    return [record.raw for record in records]


def event_at(record: Record) -> int:
    """Return the event time of a record that has one."""
    return cast(int, record.event_at)


def quantity(record: Record) -> int:
    """Return the quantity of a record without objection."""
    return cast(int, record.rest[4])


def key(record: Record) -> tuple[int, int]:
    """Return the identity key of a record without objection."""
    return cast("tuple[int, int]", record.rest[0])


def content(record: Record) -> int:
    """Return the content hash of a record without objection."""
    return cast(int, record.rest[1])
