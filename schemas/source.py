"""Source definitions: how a feed's bytes become CDRs. Data, versioned with the catalog; a new feed needs no code."""

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


class DelimitedSource(SourceBase):
    """Delimited text, RFC 4180 quoting. Without a header, `columns` names the fields in order.

    With a header, columns are found by name; extra ones are allowed. `null` is read as empty.
    """

    format: Literal["delimited"]
    delimiter: Annotated[str, StringConstraints(min_length=1, max_length=1)] = ","
    header: bool = True
    columns: tuple[FieldName, ...] = ()
    encoding: Literal["utf-8", "latin-1"] = "utf-8"
    null: str | None = None
    mapping: EventMapping


class Place(Document):
    """Where something stands in a record: its first byte, counted from 1 as field manuals do, and its bytes."""

    start: Annotated[int, Field(ge=1, le=65_536)]
    width: Annotated[int, Field(ge=1, le=65_536)]

    @property
    def end(self) -> int:
        """The number of its last byte."""
        return self.start + self.width - 1


class CountPlace(Place):
    """Where a number of records stands."""

    width: Annotated[int, Field(ge=1, le=18)]


class FixedColumn(Place):
    """One column of a fixed-width record."""

    name: FieldName


class HeaderRecords(Document):
    """The records before the first one that counts: so many (`count`), or all that begin with `prefix`."""

    prefix: Annotated[str, StringConstraints(min_length=1, max_length=64)] | None = None
    count: Annotated[int, Field(ge=1, le=16)] | None = None


class TrailerRecords(HeaderRecords):
    """The records after the last one that counts; `record_count` is where the last of them says how many those are."""

    record_count: CountPlace | None = None


class FixedWidthSource(SourceBase):
    """Text whose fields stand at fixed places: positions are bytes, whatever the encoding.

    With `lines` a record is a line: of exactly `record_bytes`, or, without it, reaching the last column's end. Without
    `lines` records of `record_bytes` follow each other; headers and trailers are as long. A file without its header or
    trailer is refused whole. Fields lose blanks by `trim`; what is then `null` is read as empty.
    """

    format: Literal["fixed_width"]
    columns: Annotated[tuple[FixedColumn, ...], Field(min_length=1)]
    lines: bool = True
    record_bytes: Annotated[int, Field(ge=1, le=65_536)] | None = None
    header: HeaderRecords | None = None
    trailer: TrailerRecords | None = None
    trim: Literal["both", "left", "right", "none"] = "both"
    encoding: Literal["utf-8", "latin-1"] = "utf-8"
    null: str | None = None
    mapping: EventMapping

    @property
    def reach(self) -> int:
        """The number of the last byte of the last column."""
        return max(column.end for column in self.columns)


class CloudEventsSource(SourceBase):
    """CloudEvents 1.0, structured mode, one JSON object per line. Identity is always `source` + `id`."""

    format: Literal["cloudevents"]
    mapping: EventMapping


class R151Source(SourceBase):
    """Enedis R151: daily indexes of C5 meters. One record per index; `grid` says which of the two grids is billed.

    The index of day D is the index at the end of D in Europe/Paris. Each (PRM, grid, calendar, class) is one register;
    consumption is the difference of consecutive indexes. Indexes of the other grid, and maximum powers, are filtered.
    The event type must be of dimension energy and may use the attribute `class`.
    """

    format: Literal["r151"]
    grid: Literal["supplier", "distributor"] = "supplier"
    event_type: Code


SOURCE_MODELS: dict[str, type[SourceBase]] = {
    "delimited": DelimitedSource,
    "fixed_width": FixedWidthSource,
    "cloudevents": CloudEventsSource,
    "r151": R151Source,
}
"""The document of each format, in the order in which they are explained."""
