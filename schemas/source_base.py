"""What the source definitions of all formats share: the mapping from fields to CDRs, and what every source has."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from schemas.price_plan import Code, Document

FieldName = Annotated[str, StringConstraints(min_length=1, max_length=128)]
"""Delimited: a column name of the header, or of `columns`. CloudEvents: a dotted path such as `data.bytes`."""


class Filter(Document):
    """Records whose `field` is not one of `keep` (or is one of `drop`) are filtered, not rejected."""

    field: FieldName
    keep: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()


class EventTime(Document):
    """The event time.

    `iso` reads ISO 8601 / RFC 3339 (`T` or blank between date and time, optional fraction, optional offset or Z);
    `compact` reads the same as `YYYYMMDDhhmmss`, optional fraction, optional offset or Z;
    `epoch_s`, `epoch_ms` and `epoch_us` are counts since 1970-01-01T00:00:00Z. `zone` (an IANA name) is for times without
    an offset; without it such a record is rejected (TIMESTAMP_WITHOUT_ZONE). In the doubled hour of autumn the first is
    taken; in the missing hour of spring the clock is read with the offset before the change.
    """

    field: FieldName
    format: Literal["iso", "compact", "epoch_s", "epoch_ms", "epoch_us"] = "iso"
    zone: str | None = None


class Quantity(Document):
    """The quantity field, its unit (of the same dimension as the event type's), and what excess decimals mean."""

    field: FieldName | None = None
    constant: Annotated[int, Field(ge=0)] | None = None
    unit: str | None = None
    excess_decimals: Literal["reject", "half_up"] = "reject"


class EventTypeRule(Document):
    """The event type: always `constant`, or the entry of `values` for the value of `field`."""

    constant: Code | None = None
    field: FieldName | None = None
    values: dict[str, Code] = {}


class EventMapping(Document):
    """Which fields mean what. `identity` fields together name a record within the source."""

    identity: Annotated[tuple[FieldName, ...], Field(min_length=1, max_length=8)]
    access_point: FieldName
    time: EventTime
    quantity: Quantity
    event_type: EventTypeRule
    attributes: dict[Code, FieldName] = {}
    filters: tuple[Filter, ...] = ()


class SourceBase(Document):
    """What all sources have.

    `on_same_key` says what another content under a known identity means: `conflict` rejects it
    (SAME_KEY_OTHER_CONTENT), `duplicate` drops it.
    """

    kind: Literal["source"]
    code: Code
    format: str
    on_same_key: Literal["duplicate", "conflict"] = "conflict"
    record_bytes_max: Annotated[int, Field(ge=256, le=4_194_304)] = 1_048_576
