"""Source definitions: how a feed's bytes become CDRs. Data, versioned with the catalog; a new feed needs no code."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from schemas.price_plan import Code, Document
from schemas.source_base import (
    EventMapping,
    EventTime,
    EventTypeRule,
    FieldName,
    Filter,
    Quantity,
    SourceBase,
)
from schemas.source_binary import Ts32298Source
from schemas.source_columns import ArrowSource, ParquetSource
from schemas.source_diameter import DiameterSource
from schemas.source_energy import EnedisSource, GrdfSource
from schemas.source_meters import MeterDataSource
from schemas.source_plugin import PluginSource
from schemas.source_radius import RadiusSource
from schemas.source_roaming import TapSource

__all__ = [
    "SOURCE_MODELS",
    "CloudEventsSource",
    "CountPlace",
    "DelimitedSource",
    "DiameterSource",
    "EnedisSource",
    "EventMapping",
    "EventTime",
    "EventTypeRule",
    "FieldName",
    "Filter",
    "FixedColumn",
    "FixedWidthSource",
    "GrdfSource",
    "HeaderRecords",
    "JsonSource",
    "MeterDataSource",
    "Place",
    "Quantity",
    "R151Source",
    "RadiusSource",
    "SourceBase",
    "TapSource",
    "TrailerRecords",
    "Ts32298Source",
]


class DelimitedSource(SourceBase):
    """Delimited text. Without a header, `columns` names the fields in order.

    With a header, columns are found by name; extra ones are allowed. `null` is read as empty. `quoting` is RFC 4180's, or
    `none`: quotes are text. A record has all columns, or with `columns_min` at least so many. With `rest` the last column
    takes the rest of the record, delimiters included.
    """

    format: Literal["delimited"]
    delimiter: Annotated[str, StringConstraints(min_length=1, max_length=1)] = ","
    header: bool = True
    columns: tuple[FieldName, ...] = ()
    columns_min: Annotated[int, Field(ge=1)] | None = None
    quoting: Literal["rfc4180", "none"] = "rfc4180"
    rest: bool = False
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


class JsonSource(SourceBase):
    """JSON objects; fields are dotted paths, a number among them is an index of an array.

    `layout`: `lines` is one object per line; `array` is one array of objects; `document` is one object after the other,
    each over any number of lines. `auto` looks at the head of the file. `records` is the path to the array of records
    within the document (or each of them).
    """

    format: Literal["json"]
    layout: Literal["auto", "lines", "array", "document"] = "auto"
    records: FieldName | None = None
    mapping: EventMapping


class CloudEventsSource(SourceBase):
    """CloudEvents 1.0, structured mode: one JSON object per line, or batches of them. Identity is always `source` + `id`."""

    format: Literal["cloudevents"]
    layout: Literal["auto", "lines", "array", "document"] = "auto"
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
    "json": JsonSource,
    "cloudevents": CloudEventsSource,
    "arrow": ArrowSource,
    "parquet": ParquetSource,
    "plugin": PluginSource,
    "r151": R151Source,
    "enedis": EnedisSource,
    "grdf": GrdfSource,
    "meter_data": MeterDataSource,
    "ts32298": Ts32298Source,
    "tap": TapSource,
    "radius": RadiusSource,
    "diameter": DiameterSource,
}
"""The document of each format, in the order in which they are explained."""
