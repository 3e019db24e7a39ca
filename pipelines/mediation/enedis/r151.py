"""Decode R151: daily indexes of C5 meters, one record per index (Enedis.SGE.XSD.0315 v1.2.0).

The index of day D is the index when D ends in Europe/Paris. Maximum powers and the indexes of the grid that is not
billed are filtered; a day without classes (a missing day) yields no record. What the distributor doubts, and what has a
calendar that it does not know, is parked.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import BinaryIO, Self, cast

import numpy as np

from pipelines.mediation.blocks import read_into, split_blocks
from pipelines.mediation.context import DecodeContext
from pipelines.mediation.enedis import words
from pipelines.mediation.enedis.r151_xml import PRM_BYTES_MAX, CheckedXml, PrmReader, declared_encoding
from pipelines.mediation.explain import describe_bytes, field_value, quote_value
from pipelines.mediation.extract import DecodedBlock, FieldMatrix, access_hashes, copy_padded, offsets, survey
from pipelines.mediation.failures import UnableToDecodeFile
from pipelines.mediation.kernels import contents, fields, identities, quantities, r151, siphash, timestamps
from pipelines.mediation.plan import identity_seed, known_event_type, unit_factor
from pipelines.mediation.tables import ValueTable, value_table
from pipelines.mediation.text import refuse_bytes
from pipelines.mediation.zones import ZoneTable, zone_table
from rating.kernels.hashing import hash128_bytes
from schemas.arrays import Int32Array, Int64Array, UInt8Array, UInt64Array
from schemas.cdr import ATTRIBUTE_SLOTS, BlockPosition
from schemas.rejection import EXPLANATIONS, Reason
from schemas.source import R151Source

HEAD_BYTES = 4096
CHECK_BYTES = 1 << 20
CLASS_ATTRIBUTE = "class"
ZONE = "Europe/Paris"
INDEX_UNIT = "Wh"
FIELD_NAMES = ("Id_PRM", "Date_Releve", "calendar", "Id_Classe_Temporelle", "Valeur", "Indice_Vraisemblance")
IDENTITY = np.array([r151.PRM_SLOT, r151.DATE_SLOT, r151.CALENDAR_SLOT, r151.CLASS_SLOT], np.int32)
CONTENT = np.array([r151.VALUE_SLOT], np.int32)
REQUIRED = (r151.PRM_SLOT, r151.DATE_SLOT, r151.CALENDAR_SLOT, r151.CLASS_SLOT, r151.VALUE_SLOT)
CERTAIN = {"": 1, "0": 1}
UNKNOWN_CALENDARS = dict.fromkeys(words.UNKNOWN_CALENDARS, 1)


@dataclass(slots=True)
class ReadingMatrix(FieldMatrix):
    """A field matrix with `kind`: (n,) which element each record is."""

    kind: Int32Array

    def __getitem__(self, rows: Int64Array) -> Self:
        """Return the records at `rows`; buffers are shared."""
        return replace(FieldMatrix.__getitem__(self, rows), kind=self.kind[rows])


@dataclass(frozen=True, slots=True)
class R151Decoder:
    """A compiled R151 source.

    Attributes:
        kind: the element that is billed: SUPPLIER_INDEX or DISTRIBUTOR_INDEX.
        event_type: vocabulary id; class_slot: attribute slot of `class`, -1 when the event type has none.
        factor: base steps of one Wh.
        seed: of identity keys: installation, tenant, source and grid.
    """

    source: R151Source
    kind: int
    event_type: int
    class_slot: int
    factor: int
    seed: tuple[int, int]
    classes: ValueTable
    certain: ValueTable
    unknown_calendars: ValueTable
    zone: ZoneTable

    @property
    def field_names(self) -> tuple[str, ...]:
        """The name of each field of a matrix."""
        return FIELD_NAMES

    def check(self, stream: BinaryIO) -> None:
        """Check a file, given from its first byte, to its end: it is parsed, and split as it will be decoded."""
        head = read_head(stream)
        encoding = declared_encoding(head)
        for _ in self._split(cast(BinaryIO, CheckedXml(stream, head)), b"", encoding, CHECK_BYTES):
            pass

    def decode(self, stream: BinaryIO, *, claim: int, block_bytes: int) -> Iterator[DecodedBlock]:
        """Yield the CDRs of a file, given from its first byte."""
        head = read_head(stream)
        record = 0
        for number, matrix in enumerate(self._split(stream, head, declared_encoding(head), block_bytes)):
            assert isinstance(matrix, ReadingMatrix)
            yield self._extract(matrix, BlockPosition(claim, number, record))
            record += len(matrix)

    def _split(self, stream: BinaryIO, head: bytes, encoding: str, block_bytes: int) -> Iterator[FieldMatrix]:
        splitter = R151Splitter(self.source.record_bytes_max, encoding)
        return split_blocks(stream, splitter, carried=head, block_bytes=block_bytes, record_bytes_max=PRM_BYTES_MAX)

    def _extract(self, matrix: ReadingMatrix, position: BlockPosition) -> DecodedBlock:
        n, reason = len(matrix), matrix.reason
        reason[(reason == 0) & (matrix.kind != self.kind)] = Reason.FILTERED_BY_SOURCE
        for slot in REQUIRED:
            fields.require(*matrix.column(slot), reason)
        event_at, quantity = self._read(matrix)
        certain = self.certain.look_up(matrix.text, *matrix.column(r151.DOUBT_SLOT))
        unknown = self.unknown_calendars.look_up(matrix.text, *matrix.column(r151.CALENDAR_SLOT))
        reason[(reason == 0) & ((certain == 0) | (unknown != 0))] = Reason.DOUBTFUL_READING
        attributes = np.zeros((n, ATTRIBUTE_SLOTS), np.int32)
        if self.class_slot >= 0:
            attributes[:, self.class_slot] = self.classes.look_up(matrix.text, *matrix.column(r151.CLASS_SLOT))
        key_hi, key_lo, content = self._keys(matrix)
        access_hi, access_lo = access_hashes(matrix, r151.PRM_SLOT)
        series_hi, series_lo = self._series(matrix, access_hi, access_lo)
        access_start, access_end = matrix.column(r151.PRM_SLOT)
        return DecodedBlock(
            position=position,
            record=np.arange(position.first_record, position.first_record + n, dtype=np.int64),
            raw=matrix.raw,
            raw_start=matrix.raw_start,
            raw_end=matrix.raw_end,
            reason=reason,
            key_hi=key_hi,
            key_lo=key_lo,
            content=content,
            access_hi=access_hi,
            access_lo=access_lo,
            access_start=access_start.astype(np.int64),
            access_end=access_end.astype(np.int64),
            text=matrix.text,
            event_at=event_at,
            quantity=quantity,
            event_type=np.full(n, self.event_type, np.uint16),
            attributes=attributes,
            series_hi=series_hi,
            series_lo=series_lo,
            matrix=matrix,
        )

    def _read(self, matrix: FieldMatrix) -> tuple[Int64Array, Int64Array]:
        n = len(matrix)
        event_at, quantity = np.empty(n, np.int64), np.empty(n, np.int64)
        thresholds, offsets = self.zone.thresholds, self.zone.offsets
        date, value = matrix.column(r151.DATE_SLOT), matrix.column(r151.VALUE_SLOT)
        timestamps.read_day_end(matrix.text, *date, thresholds, offsets, event_at, matrix.reason)
        kind, factors = np.zeros(n, np.int32), np.full(1, self.factor, np.int64)
        quantities.read_quantities(matrix.text, *value, kind, factors, False, False, quantity, matrix.reason)
        return event_at, quantity

    def _keys(self, matrix: FieldMatrix) -> tuple[UInt64Array, UInt64Array, UInt64Array]:
        n, text, start, end = len(matrix), matrix.text, matrix.start, matrix.end
        hi, lo, content = np.empty(n, np.uint64), np.empty(n, np.uint64), np.empty(n, np.uint64)
        identify = identities.identify if self.source.trusted else siphash.identify_keyed
        identify(text, start, end, IDENTITY.copy(), np.uint64(self.seed[0]), np.uint64(self.seed[1]), hi, lo)
        contents.summarise(text, start, end, CONTENT.copy(), hi, lo, content)
        return hi, lo, content

    def _series(
        self, matrix: FieldMatrix, access_hi: UInt64Array, access_lo: UInt64Array
    ) -> tuple[UInt64Array, UInt64Array]:
        """Return the register of each reading: its access point chained with "grid/class"."""
        n = len(matrix)
        hi, lo = np.empty(n, np.uint64), np.empty(n, np.uint64)
        start, end = matrix.column(r151.CLASS_SLOT)
        prefix = np.frombuffer(bytearray(f"{self.source.grid}/".encode()), np.uint8)
        scratch = np.zeros(len(prefix) + int((end - start).max(initial=0)) + 32, np.uint8)
        identities.name_series(matrix.text, start, end, prefix, scratch, access_hi, access_lo, hi, lo)
        return hi, lo

    def describe(self, block: DecodedBlock, row: int) -> str:
        """Return which element of a reading made its reason, and its value."""
        reason = Reason(int(block.reason[row]))
        if reason < Reason.FIELD_MISSING:
            return describe_bytes(self.source, "utf-8", block, row)
        if reason == Reason.FIELD_MISSING:
            empty = [FIELD_NAMES[slot] for slot in REQUIRED if not field_value(block, slot, row)]
            return "empty: " + ", ".join(empty)
        if reason == Reason.FILTERED_BY_SOURCE:
            kind = block.matrix.kind[row] if isinstance(block.matrix, ReadingMatrix) else r151.UNKNOWN
            return f"{r151.NAMES[kind].decode()} is not billed: the source bills the {self.source.grid} grid"
        if reason in (Reason.INVALID_TIMESTAMP, Reason.TIMESTAMP_OUT_OF_RANGE):
            slot = r151.DATE_SLOT
        elif Reason.INVALID_QUANTITY <= reason <= Reason.NEGATIVE_QUANTITY:
            slot = r151.VALUE_SLOT
        elif reason == Reason.DOUBTFUL_READING:
            calendar = field_value(block, r151.CALENDAR_SLOT, row)
            slot = r151.CALENDAR_SLOT if calendar.decode("utf-8", "replace") in UNKNOWN_CALENDARS else r151.DOUBT_SLOT
        else:
            return EXPLANATIONS[reason]
        return f"{FIELD_NAMES[slot]} is {quote_value(field_value(block, slot, row))}"


def read_head(stream: BinaryIO) -> bytes:
    """Return the first bytes of a file, where its encoding is declared."""
    buffer = np.empty(HEAD_BYTES, np.uint8)
    return buffer[: read_into(stream, buffer, 0, HEAD_BYTES)].tobytes()


@dataclass(slots=True)
class R151Splitter:
    """Splits one document at the ends of its PRM elements.

    Attributes:
        element_bytes_max: longest record accepted.
        encoding: the document's.
        started: the head of the document is behind.
    """

    element_bytes_max: int
    encoding: str
    started: bool = False

    @property
    def fields(self) -> int:
        """How many fields a matrix has."""
        return r151.SLOTS

    def split(self, buffer: UInt8Array, size: int, *, final: bool) -> tuple[FieldMatrix, int]:
        """Return the records of the complete PRM elements of a buffer, and how many bytes they take."""
        seen = survey(buffer, size)
        buffer[size : size + 16] = 0
        simple = self.encoding == "utf-8" or not seen.high
        consumed = 0
        if simple:
            matrix, consumed, simple = self._scan(buffer, size)
        if not simple:
            consumed = int(r151.last_prm_end(buffer, size))
            matrix = self._parse(buffer[:size], consumed)
        self.started = self.started or consumed > 0
        refuse_bytes(matrix, bytes_max=self.element_bytes_max, seen=None)
        return matrix, size if final else consumed

    def skip(self, buffer: UInt8Array, size: int, state: int) -> tuple[int, int]:
        """Refuse the file: a PRM cannot be skipped like a line.

        Raises:
            UnableToDecodeFile: always.
        """
        raise UnableToDecodeFile("RECORD_TOO_LONG", f"a PRM is longer than {PRM_BYTES_MAX} bytes")

    def _scan(self, buffer: UInt8Array, size: int) -> tuple[ReadingMatrix, int, bool]:
        room = size // r151.RECORD_BYTES_MIN + 1
        start, end = offsets(r151.SLOTS, room), offsets(r151.SLOTS, room)
        raw_start, raw_end = np.empty(room, np.int64), np.empty(room, np.int64)
        kind = np.empty(room, np.int32)
        bounds = np.cumsum([0, *map(len, r151.NAMES)]).astype(np.int64)
        names = np.frombuffer(bytearray(b"".join(r151.NAMES) + bytes(16)), np.uint8)
        held = np.zeros((len(r151.NAMES), 2), np.int32)
        holders = np.array([r151.PRM, r151.PRM, r151.DAY, r151.UNKNOWN], np.int64)
        rows, consumed, simple = r151.scan_prms(
            buffer, size, int(self.started), names, bounds, held, holders, start, end, raw_start, raw_end, kind
        )
        reason = np.zeros(rows, np.uint16)
        raw = buffer[:size]
        matrix = ReadingMatrix(raw, raw_start[:rows], raw_end[:rows], raw, start, end, reason, r151.SLOTS, kind[:rows])
        return matrix, consumed, simple

    def _parse(self, raw: UInt8Array, consumed: int) -> ReadingMatrix:
        """Return the same matrix through the full parser; the fields' text is appended to the block's bytes."""
        reader = PrmReader()
        if consumed:
            reader.read(raw[:consumed].tobytes(), self.encoding, has_root=not self.started)
        values = [[text.encode() for text in record] for record in reader.values]
        lengths = np.array([[len(text) for text in record] for record in values], np.int64).reshape(-1, r151.SLOTS)
        joined = b"".join(text for record in values for text in record)
        text = copy_padded(raw, len(joined))
        text[len(raw) :] = np.frombuffer(joined, np.uint8)
        ends = len(raw) + np.cumsum(lengths).reshape(-1, r151.SLOTS)
        spans = np.array(reader.spans, np.int64).reshape(-1, 2)
        return ReadingMatrix(
            raw=raw,
            raw_start=np.ascontiguousarray(spans[:, 0]),
            raw_end=np.ascontiguousarray(spans[:, 1]),
            text=text,
            start=np.ascontiguousarray((ends - lengths).T.astype(np.int32)),
            end=np.ascontiguousarray(ends.T.astype(np.int32)),
            reason=np.zeros(len(spans), np.uint16),
            columns=r151.SLOTS,
            kind=np.array(reader.kinds, np.int32),
        )


def make_r151(context: DecodeContext, source: R151Source) -> R151Decoder:
    """Return the decoder of an R151 source.

    Raises:
        UnableToCompileSource: when the event type is unknown or does not measure energy.
    """
    event_type = known_event_type(context, source.event_type)
    grid_seed = hash128_bytes(source.grid.encode(), *identity_seed(context))
    attributes = event_type.attributes
    return R151Decoder(
        source=source,
        kind=r151.SUPPLIER_INDEX if source.grid == "supplier" else r151.DISTRIBUTOR_INDEX,
        event_type=context.event_type_codes[source.event_type],
        class_slot=attributes.index(CLASS_ATTRIBUTE) if CLASS_ATTRIBUTE in attributes else -1,
        factor=unit_factor(context, INDEX_UNIT, event_type),
        seed=grid_seed,
        classes=value_table(context.attribute_codes, missing=0),
        certain=value_table(CERTAIN, missing=0),
        unknown_calendars=value_table(UNKNOWN_CALENDARS, missing=0),
        zone=zone_table(ZONE),
    )
