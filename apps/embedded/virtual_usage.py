"""Usage for virtual rating: a CSV file with columns of known names, read into EDRs by the decoder of all sources.

Each record may have a unit and an event type of its own. What the two of them make is told to the decoder as one field that
the file does not have: every event type in every unit that measures it is a kind of usage, and the field names the kind.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import BinaryIO

import numpy as np
import polars as pl

from pipelines.mediation.blocks import split_blocks
from pipelines.mediation.context import SECRET_BYTES, DecodeContext
from pipelines.mediation.decode import BLOCK_BYTES
from pipelines.mediation.delimited.decoder import DelimitedSplitter
from pipelines.mediation.delimited.header import column_slots, split_header
from pipelines.mediation.explain import describe_record, quote_value
from pipelines.mediation.extract import DecodedBlock, FieldMatrix, copy_padded, extract, offsets
from pipelines.mediation.failures import UnableToDecodeFile
from pipelines.mediation.plan import MappingPlan, compile_mapping
from pipelines.mediation.tables import ValueTable, value_table
from pipelines.mediation.text import read_head
from pipelines.resource.attribution import attribute, owners_of
from pipelines.resource.kernels.attribute import NOT_VALID_AT, UNKNOWN
from rating.image_access import AccessIndex, compile_access
from rating.vocabulary import Vocabulary
from schemas.arrays import Int32Array, Int64Array, UInt16Array
from schemas.catalog import TIME_MAX, TIME_MIN, Catalog
from schemas.cdr import BlockPosition
from schemas.edr import EdrBlock
from schemas.price_plan import EventType
from schemas.rejection import EXPLANATIONS, Reason
from schemas.source import DelimitedSource

TIME, ACCESS, SUBSCRIPTION = "timestamp", "access_point", "subscription"
QUANTITY, UNIT, EVENT_TYPE = "quantity", "unit", "event_type"
KNOWN = (TIME, ACCESS, SUBSCRIPTION, QUANTITY, UNIT, EVENT_TYPE)
KIND, AT = "(kind)", "--at"
"""Fields that no file has."""
BLANK, STRANGE = -2, -1
"""Places of an empty text, and of one that nothing is called, in tables of event types and units."""
DESCRIBED_MAX = 1000
"""Refusals of one block with words of their own; the others have their code's."""


class UnableToReadUsage(Exception):
    """The file is no usage file, whatever its records are."""


class UsageReason(IntEnum):
    """Why a record of a usage file is refused, besides `schemas.rejection.Reason`; only the names are shown."""

    UNKNOWN_UNIT = 901
    WRONG_UNIT = 902
    UNKNOWN_SUBSCRIPTION = 903


WORDS = {
    UsageReason.UNKNOWN_UNIT: "there is no such unit",
    UsageReason.WRONG_UNIT: "the unit does not measure the event type",
    UsageReason.UNKNOWN_SUBSCRIPTION: "no subscription has this code",
}


_REASONS: dict[int, tuple[IntEnum, str]] = {
    **{int(reason): (reason, words) for reason, words in EXPLANATIONS.items()},
    **{int(reason): (reason, words) for reason, words in WORDS.items()},
}


@dataclass(frozen=True, slots=True)
class Refusal:
    """A record that was not rated: its number, the name of its reason, a sentence, and whose it is as far as it says so."""

    record: int
    reason: str
    detail: str
    subscription: str = ""
    access_point: str = ""
    event_at: int = 0


@dataclass(frozen=True, slots=True)
class UsageBlock:
    """The records of one block: how many they are, the EDRs that they make, and those that make none."""

    records: int
    edrs: EdrBlock
    refusals: list[Refusal]


class UsageReader:
    """Reads one file of usage."""

    def __init__(
        self,
        catalog: Catalog,
        vocabulary: Vocabulary,
        access: AccessIndex,
        stream: BinaryIO,
        *,
        at: str | None = None,
        zone: str | None = None,
        delimiter: str = ",",
    ) -> None:
        """Read the header of a file.

        Args:
            catalog: a checked one. vocabulary: with its names. access: its access points.
            at: ISO 8601 with zone: when all usage starts, instead of what the file says.
            zone: of times without one.

        Raises:
            UnableToReadUsage: when a column is missing, or the file is not delimited text.
            UnableToCompileSource: when zone or delimiter do not exist, or the event types differ about a value.
        """
        if not catalog.event_types:
            raise UnableToReadUsage("the catalog has no event type, so there is no usage")
        self._catalog, self._at, self._stream = catalog, at, stream
        self._header = _source(delimiter, TIME, ACCESS, zone)
        try:
            self.columns, self._rest = split_header(stream, read_head(stream, self._header), self._header)
        except UnableToDecodeFile as error:
            raise UnableToReadUsage(str(error)) from error
        self.by_subscription = SUBSCRIPTION in self.columns
        self._check_columns()
        self._types, self._units = list(catalog.event_types), list(catalog.units)
        self._kinds, self._grid = _kinds(catalog, self._types, self._units)
        self._type_table = value_table({"": BLANK} | _places(self._types), missing=STRANGE)
        self._unit_table = value_table({"": BLANK} | _places(self._units), missing=STRANGE)
        self._access = compile_access(_by_code(catalog), vocabulary) if self.by_subscription else access
        self._compile(vocabulary, delimiter, zone)

    @property
    def ignored(self) -> list[str]:
        """The columns that nothing in the catalog reads."""
        return [name for name in self.columns if name and name not in KNOWN and name not in self._named]

    def blocks(self) -> Iterator[UsageBlock]:
        """Yield the records of the file block by block."""
        splitter = DelimitedSplitter(
            self._source, replace(self._plan, fields=self._read), column_slots(self.columns, self._read)
        )
        matrices = split_blocks(
            self._stream,
            splitter,
            carried=self._rest,
            block_bytes=BLOCK_BYTES,
            record_bytes_max=self._source.record_bytes_max,
        )
        record = 0
        for number, found in enumerate(matrices):
            kind_of, unit_of = self._kind_columns(found)
            block = extract(self._plan, self._with_made(found, kind_of, unit_of), BlockPosition(0, number, record))
            yield self._block(block, kind_of, unit_of)
            record += len(found)

    # ---- the header

    def _check_columns(self) -> None:
        wanted = [QUANTITY] if self._at is not None else [TIME, QUANTITY]
        missing = [repr(name) for name in wanted if name not in self.columns]
        if ACCESS not in self.columns and not self.by_subscription:
            missing.insert(0, f"'{SUBSCRIPTION}' or '{ACCESS}'")
        if missing:
            has = ", ".join(map(repr, filter(None, self.columns))) or "nothing"
            raise UnableToReadUsage(f"the usage file has no column {', '.join(missing)}; its first line names {has}")

    def _compile(self, vocabulary: Vocabulary, delimiter: str, zone: str | None) -> None:
        types = self._catalog.event_types.values()
        attributes = sorted({name for each in types for name in each.attributes if name in self.columns})
        values = sorted({name for each in types for name in each.values if name in self.columns})
        self._named = {*attributes, *values}
        time = TIME if self._at is None else AT
        party = SUBSCRIPTION if self.by_subscription else ACCESS
        kinds = {str(place): str(place) for place in range(len(self._kinds))}
        self._source = _source(delimiter, time, party, zone, attributes, values, kinds)
        event_types = {str(place): kind for place, kind in enumerate(self._kinds)}
        context = DecodeContext(
            tenant="",
            source=self._source,
            event_types=event_types,
            event_type_codes={place: vocabulary.event_types.id(kind.code) for place, kind in event_types.items()},
            units=self._catalog.units,
            attribute_codes={name: code for code, name in enumerate(vocabulary.attribute_values.names.to_list())},
            secret=bytes(SECRET_BYTES),
        )
        said = [name for name in (UNIT, EVENT_TYPE) if name in self.columns]
        self._plan: MappingPlan = compile_mapping(context, self._source.mapping, said)
        self._read = tuple(name for name in self._plan.fields if name in self.columns)
        made = [*map(str, range(len(self._kinds))), "?", self._at or ""]
        ends = np.cumsum([len(text) for text in made])
        self._made = np.frombuffer("".join(made).encode(), np.uint8)
        self._made_start, self._made_end = (ends - [len(text) for text in made]).astype(np.int32), ends.astype(np.int32)

    # ---- records

    def _kind_columns(self, found: FieldMatrix) -> tuple[Int32Array, Int32Array]:
        """Return (place of the event type, place of the unit), each (n,)."""
        return self._look_up(found, EVENT_TYPE, self._type_table), self._look_up(found, UNIT, self._unit_table)

    def _look_up(self, found: FieldMatrix, name: str, table: ValueTable) -> Int32Array:
        if name not in self._read:
            return np.full(len(found), BLANK, np.int32)
        readable = found.reason == 0
        start, end = found.column(self._read.index(name))
        return table.look_up(found.text, np.where(readable, start, 0), np.where(readable, end, 0))

    def _with_made(self, found: FieldMatrix, kind_of: Int32Array, unit_of: Int32Array) -> FieldMatrix:
        """Return the records with the fields of the plan: those of the file, and those that are made here."""
        n, base = len(found), len(found.text)
        text = copy_padded(found.text, len(self._made))
        text[base:] = self._made
        start, end = offsets(len(self._plan.fields), n), offsets(len(self._plan.fields), n)
        kind = self._grid[kind_of, unit_of]
        made = {KIND: np.where(kind < 0, len(self._kinds), kind), AT: np.full(n, len(self._kinds) + 1)}
        unreadable = found.reason != 0
        for slot, name in enumerate(self._plan.fields):
            if name in made:
                start[slot, :n] = np.where(unreadable, 0, base + self._made_start[made[name]])
                end[slot, :n] = np.where(unreadable, 0, base + self._made_end[made[name]])
            else:
                start[slot, :n], end[slot, :n] = found.column(self._read.index(name))
        return replace(found, text=text, start=start, end=end)

    def _block(self, block: DecodedBlock, kind_of: Int32Array, unit_of: Int32Array) -> UsageBlock:
        reason = block.reason
        untyped = reason == Reason.UNKNOWN_EVENT_TYPE
        reason[untyped & (kind_of != STRANGE) & (unit_of == STRANGE)] = UsageReason.UNKNOWN_UNIT
        reason[untyped & (kind_of >= 0) & (unit_of >= 0)] = UsageReason.WRONG_UNIT
        candidate = reason == 0
        found = attribute(self._access, block.access_hi, block.access_lo, block.event_at, candidate)
        unknown = UsageReason.UNKNOWN_SUBSCRIPTION if self.by_subscription else Reason.UNKNOWN_ACCESS_POINT
        reason[candidate & (found.answer == UNKNOWN)] = unknown
        reason[candidate & (found.answer == NOT_VALID_AT)] = Reason.ACCESS_POINT_NOT_VALID_AT
        rows = np.flatnonzero(reason == 0).astype(np.int64)
        owners = owners_of(self._access, block.access_hi, block.access_lo, block.event_at, rows, found)
        edrs = EdrBlock(
            position=block.position,
            record=block.record[owners.row],
            branch=owners.branch,
            event_at=block.event_at[owners.row],
            span_s=np.zeros(len(owners.row), np.int64),
            quantity=block.quantity[owners.row],
            event_type=block.event_type[owners.row],
            attributes=block.attributes[owners.row],
            access_point=owners.access_point,
            subscription=owners.subscription,
            values=None if block.values is None else block.values[owners.row],
        )
        return UsageBlock(len(block), edrs, self._refusals(block, reason))

    def _refusals(self, block: DecodedBlock, reason: UInt16Array) -> list[Refusal]:
        refusals = []
        for place, row in enumerate(np.flatnonzero(reason).tolist()):
            code = int(reason[row])
            known, detail = _REASONS[code]
            if place < DESCRIBED_MAX:
                detail = self._describe(block, row, known)
            named = code >= Reason.FIELD_MISSING
            party = block.text[block.access_start[row] : block.access_end[row]].tobytes() if named else b""
            whose = party.decode("utf-8", "replace")
            refusals.append(
                Refusal(
                    int(block.record[row]),
                    known.name,
                    detail,
                    subscription=whose if self.by_subscription else "",
                    access_point="" if self.by_subscription else whose,
                )
            )
        return refusals

    def _describe(self, block: DecodedBlock, row: int, reason: IntEnum) -> str:
        quoted = {name: self._quoted(block, row, name) for name in (EVENT_TYPE, UNIT, SUBSCRIPTION, ACCESS)}
        if reason is Reason.UNKNOWN_EVENT_TYPE:
            if quoted[EVENT_TYPE]:
                return f"the catalog has no event type {quoted[EVENT_TYPE]}"
            measured = f" measured in {quoted[UNIT]}" if quoted[UNIT] else ""
            return f"the record names no event type, and the catalog has not exactly one{measured}"
        if reason is UsageReason.UNKNOWN_UNIT:
            return f"there is no unit {quoted[UNIT]}"
        if reason is UsageReason.WRONG_UNIT:
            event_type = self._catalog.event_types[self._text(block, row, EVENT_TYPE)]
            return f"unit {quoted[UNIT]} does not measure {event_type.code}, which is measured in {event_type.unit}"
        if reason is UsageReason.UNKNOWN_SUBSCRIPTION:
            return f"no subscription has the code {quoted[SUBSCRIPTION]}"
        if reason is Reason.UNKNOWN_ACCESS_POINT:
            return f"no access point has the identifier {quoted[ACCESS]}"
        if reason is Reason.ACCESS_POINT_NOT_VALID_AT:
            moment = np.datetime64(int(block.event_at[row]), "us").astype("datetime64[s]")
            return f"access point {quoted[ACCESS]} belongs to no subscription at {moment}Z"
        return describe_record(self._source, self._plan, block, row)

    def _text(self, block: DecodedBlock, row: int, name: str) -> str:
        """Return a field as it is written; empty where the file has no such column."""
        return self._bytes(block, row, name).decode("utf-8", "replace")

    def _quoted(self, block: DecodedBlock, row: int, name: str) -> str:
        value = self._bytes(block, row, name)
        return quote_value(value) if value else ""

    def _bytes(self, block: DecodedBlock, row: int, name: str) -> bytes:
        if name not in self._plan.fields:
            return b""
        slot = self._plan.fields.index(name)
        return block.text[block.matrix.start[slot, row] : block.matrix.end[slot, row]].tobytes()


def _source(
    delimiter: str,
    time: str,
    party: str,
    zone: str | None,
    attributes: list[str] | None = None,
    values: list[str] | None = None,
    kinds: dict[str, str] | None = None,
) -> DelimitedSource:
    """Return the source that a usage file is."""
    return DelimitedSource.model_validate(
        {
            "kind": "source",
            "code": "usage",
            "format": "delimited",
            "delimiter": delimiter,
            "mapping": {
                "identity": [QUANTITY],
                "access_point": party,
                "time": {"field": time, "zone": zone},
                "quantity": {"field": QUANTITY, "negative": "take_back"},
                "event_type": {"field": KIND, "values": kinds or {"": "x"}},
                "attributes": {name: name for name in attributes or []},
                "values": {name: name for name in values or []},
            },
        }
    )


def _places(names: list[str]) -> dict[str, int]:
    return {name: place for place, name in enumerate(names)}


def _kinds(catalog: Catalog, types: list[str], units: list[str]) -> tuple[list[EventType], Int64Array]:
    """Return every event type in every unit that measures it, and (types + 2, units + 2) which of them is meant, -1 none.

    The last two rows and columns are for what is left empty, and for what nothing is called.
    """
    kinds: list[EventType] = []
    grid = np.full((len(types) + 2, len(units) + 2), -1, np.int64)
    for row, code in enumerate(types):
        event_type = catalog.event_types[code]
        dimension = catalog.units[event_type.unit].dimension
        for column, unit in enumerate(units):
            if catalog.units[unit].dimension == dimension:
                grid[row, column] = len(kinds)
                kinds.append(event_type.model_copy(update={"unit": unit}))
        grid[row, BLANK] = grid[row, units.index(event_type.unit)]
    for column in (*range(len(units)), BLANK):
        meant = grid[: len(types), column]
        only = meant[meant >= 0]
        if len(only) == 1:
            grid[BLANK, column] = only[0]
    return kinds, grid


def _by_code(catalog: Catalog) -> Catalog:
    """Return a catalog in which each subscription has its code as its only access point, always."""
    codes = catalog.subscriptions["subscription"]
    always = pl.DataFrame(
        {"access_point": codes, "subscription": codes},
    ).with_columns(start_at=pl.lit(TIME_MIN, pl.Int64), end_at=pl.lit(TIME_MAX, pl.Int64))
    return replace(catalog, access_points=always.sort("access_point"))
