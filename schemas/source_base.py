"""What the source definitions of all formats share: the mapping from fields to CDRs, and what every source has."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, StringConstraints

from schemas.converters import Converter
from schemas.price_plan import Code, Document, ExactDecimal
from schemas.source_files import FileNames
from schemas.source_flow import Assembly, Cumulative, Sequence
from schemas.source_transform import Transform

FieldName = Annotated[str, StringConstraints(min_length=1, max_length=128)]
"""Delimited: a column name of the header, or of `columns`. JSON: a dotted path such as `data.bytes` or `items.0.id`."""
Bound = Annotated[ExactDecimal, Field(max_digits=36, decimal_places=18)]
Prefix = Annotated[str, StringConstraints(min_length=1, max_length=32)]
Pattern = Annotated[str, StringConstraints(min_length=1, max_length=64)]
Patterns = Annotated[
    tuple[Pattern, ...],
    BeforeValidator(
        lambda value: (value,) if isinstance(value, str) else value, json_schema_input_type=str | tuple[str, ...]
    ),
    Field(min_length=1, max_length=4),
]
"""One pattern, or a list of them."""


TOLERANCE_MAX = timedelta(hours=12)


class Filter(Document):
    """Which records stay; the others are filtered, not rejected.

    One condition on the field's text: one of `keep`; none of `drop`; a number from `min` to `max` (a text that is no
    number stays: whatever reads it will say so); beginning with one of `prefix`; `present` or not.
    """

    field: FieldName
    keep: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    min: Bound | None = None
    max: Bound | None = None
    prefix: Annotated[tuple[Prefix, ...], Field(max_length=64)] = ()
    present: bool | None = None

    @property
    def conditions(self) -> tuple[str, ...]:
        """The names of the conditions that are given: more or less than one is an error."""
        given = {
            "keep": bool(self.keep),
            "drop": bool(self.drop),
            "min/max": self.min is not None or self.max is not None,
            "prefix": bool(self.prefix),
            "present": self.present is not None,
        }
        return tuple(name for name, is_given in given.items() if is_given)


class EventTime(Document):
    """The event time.

    `iso` reads ISO 8601 / RFC 3339 (`T` or blank between date and time, optional fraction, optional offset or Z);
    `compact` reads the same as `YYYYMMDDhhmmss`, optional fraction, optional offset or Z; `pattern` reads the forms of
    `pattern`, tried in order (see `schemas.time_pattern`);
    `epoch_s`, `epoch_ms`, `epoch_us` and `epoch_ns` are counts since 1970-01-01T00:00:00Z. `zone` (an IANA name) is for
    times without an offset; without it such a record is rejected (TIMESTAMP_WITHOUT_ZONE). In the doubled hour of autumn
    the first is taken; in the missing hour of spring the clock is read with the offset before the change. `fields` are
    date and time in two fields, read as one text: joined by a blank, or directly for `compact`.
    """

    field: FieldName | None = None
    fields: Annotated[tuple[FieldName, ...], Field(min_length=2, max_length=2)] | None = None
    format: Literal["iso", "compact", "pattern", "epoch_s", "epoch_ms", "epoch_us", "epoch_ns"] = "iso"
    pattern: Patterns | None = None
    zone: str | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The fields that are read, one or two."""
        return self.fields or (() if self.field is None else (self.field,))


class Quantity(Document):
    """The quantity field, its unit (of the same dimension as the event type's), and what excess decimals mean.

    `format`: `decimal`, with `decimal` as the mark before the decimals and `thousands` between groups of three digits;
    `hms`, a duration `hh:mm:ss` or `mm:ss` in seconds; `hex`, a whole number in hexadecimal. `between` are two fields
    that read as the event time does: the quantity is the time from the first to the second. `fields` are added up; of
    them at least one must not be empty, and the empty ones count nothing. `negative` says what a number below zero is:
    refused, or usage that is taken back.
    """

    field: FieldName | None = None
    fields: Annotated[tuple[FieldName, ...], Field(min_length=2, max_length=8)] | None = None
    constant: Annotated[int, Field(ge=0)] | None = None
    between: Annotated[tuple[FieldName, ...], Field(min_length=2, max_length=2)] | None = None
    format: Literal["decimal", "hms", "hex"] = "decimal"
    decimal: Literal[".", ","] = "."
    thousands: Literal[",", ".", " ", "'"] | None = None
    unit: str | None = None
    excess_decimals: Literal["reject", "half_up"] = "reject"
    negative: Literal["reject", "take_back"] = "reject"
    cumulative: Cumulative | None = None


class EventTypeRule(Document):
    """The event type: always `constant`, or the entry of `values` for the value of `field`."""

    constant: Code | None = None
    field: FieldName | None = None
    values: dict[str, Code] = {}


class EventMapping(Document):
    """Which fields mean what. `identity` fields together name a record within the source.

    `attributes` and `values` are those of the event types; an instant among the values reads as the event time does.

    `converters` change the text of fields before anything else reads it; `required` are more fields that must not be empty.
    `version`, a whole number, says which of several records with one identity is the newest; without it the latest to come is.
    """

    identity: Annotated[tuple[FieldName, ...], Field(min_length=1, max_length=32)]
    access_point: FieldName
    time: EventTime
    quantity: Quantity
    event_type: EventTypeRule
    attributes: dict[Code, FieldName] = {}
    values: dict[Code, FieldName] = {}
    filters: tuple[Filter, ...] = ()
    required: Annotated[tuple[FieldName, ...], Field(max_length=32)] = ()
    version: FieldName | None = None
    converters: dict[FieldName, Annotated[tuple[Converter, ...], Field(min_length=1, max_length=8)]] = {}
    assembly: Assembly | None = None
    sequence: Sequence | None = None


CutMinutes = Literal[1, 5, 10, 15, 30, 60]
"""Grains into which the steps of a load curve may be cut: those that divide an hour, and steps that are usual."""


def expect_cuttable(records: str, mapping: EventMapping) -> None:
    """Check that what a source cuts has an identity for each grain.

    Raises:
        ValueError: when it reads no intervals, or does not tell them apart by when they start.
    """
    if records != "intervals":
        raise ValueError("only intervals are cut into grains: leave `cut_minutes` out")
    if "start" not in mapping.identity or {"end", "step_s"} & set(mapping.identity):
        raise ValueError(
            "grains of steps of any length have one identity: with `cut_minutes` it has `start`, and neither `end` nor `step_s`"
        )


class SourceBase(Document):
    """What all sources have.

    `on_same_key` says what another content under a known identity means: `conflict` rejects it
    (SAME_KEY_OTHER_CONTENT), `duplicate` drops it, `supersede` puts it in the place of the earlier record, whose EDRs are
    withdrawn, and leaves it parked when that one is billed, `reverse` does so even then. Sources
    with the same `identity_space` know each other's identities; by default each has a space of its own, named by its code.
    An identity is known by its event day (UTC); with `identity_tolerance` also across a midnight that is at most so far from
    both event times.

    `trusted` false: whoever fills in identities may choose them so that records of others look known. They are then hashed
    with a keyed function that takes about twice as long. Changed, the source forgets which records it knows.

    `encryption`: files come encrypted with AES in cipher block chaining, by one of the keys of the setting `file_keys`.

    `file_names`: what the names of files say, so that missing ones are known.

    `hold`: records wait (AWAITS_EXECUTION) until somebody has them executed.
    """

    kind: Literal["source"]
    code: Code
    format: str
    on_same_key: Literal["duplicate", "conflict", "supersede", "reverse"] = "conflict"
    identity_space: Code | None = None
    identity_tolerance: Annotated[timedelta, Field(ge=timedelta(seconds=1), le=TOLERANCE_MAX)] | None = None
    record_bytes_max: Annotated[int, Field(ge=256, le=4_194_304)] = 1_048_576
    trusted: bool = True
    encryption: Literal["aes_cbc"] | None = None
    file_names: FileNames | None = None
    transform: Transform | None = None
    hold: bool = False

    @property
    def tolerance_us(self) -> int:
        """The tolerance of identities in microseconds, 0 without one."""
        return 0 if self.identity_tolerance is None else round(self.identity_tolerance.total_seconds()) * 1_000_000
