r"""Decode JSON: records in lines, arrays or documents; fields by dotted path; CDRs. CloudEvents are JSON with an envelope.

Values of mapped paths may be strings, numbers, true or false; null, objects and arrays count as absent. Of duplicate keys
the last wins. A NUL (even as `\u0000`) and an unpaired surrogate anywhere in a record refuse it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import BinaryIO

import numpy as np

from pipelines.mediation.blocks import split_blocks
from pipelines.mediation.context import DecodeContext
from pipelines.mediation.events.frame import Frame
from pipelines.mediation.events.layout import detect_layout, read_head
from pipelines.mediation.events.paths import PathTree, compile_paths
from pipelines.mediation.events.splitter import Envelope, JsonSplitter
from pipelines.mediation.explain import describe_record
from pipelines.mediation.extract import DecodedBlock, extract
from pipelines.mediation.failures import UnableToCompileSource
from pipelines.mediation.plan import MappingPlan, compile_mapping
from schemas.cdr import BlockPosition
from schemas.source import CloudEventsSource, JsonSource

VERSION = "specversion"
REQUIRED = (VERSION, "id", "source", "type")
IDENTITY = ("source", "id")
STEPS_MAX = 16
"""Names on the way to the records of a document."""


@dataclass(frozen=True, slots=True)
class JsonDecoder:
    """A compiled source of JSON.

    Attributes:
        envelope: what every record must have, of CloudEvents.
        records: names that lead from a document to its array of records.
    """

    source: JsonSource | CloudEventsSource
    plan: MappingPlan
    paths: PathTree
    envelope: Envelope | None
    records: tuple[str, ...]

    @property
    def field_names(self) -> tuple[str, ...]:
        """The name of each field of a matrix."""
        return self.plan.fields

    def check(self, stream: BinaryIO) -> None:
        """Check that a file, given from its first byte, is not in another encoding, and the frame around its records."""
        head = read_head(stream)
        frame = self._frame(head)
        if frame is not None:
            frame.check(stream, head)

    def decode(self, stream: BinaryIO, *, claim: int, block_bytes: int) -> Iterator[DecodedBlock]:
        """Yield the CDRs of a file, given from its first byte."""
        head = read_head(stream)
        bytes_max = self.source.record_bytes_max
        splitter = JsonSplitter(len(self.plan.fields), self.paths, self.envelope, bytes_max, self._frame(head))
        blocks = split_blocks(stream, splitter, carried=head, block_bytes=block_bytes, record_bytes_max=bytes_max)
        record = 0
        for number, matrix in enumerate(blocks):
            yield extract(self.plan, matrix, BlockPosition(claim, number, record))
            record += len(matrix)

    def describe(self, block: DecodedBlock, row: int) -> str:
        """Return what is wrong with one record."""
        return describe_record(self.source, self.plan, block, row)

    def _frame(self, head: bytes) -> Frame | None:
        """Return what finds the records of a file that begins with `head`; None when they are lines."""
        if self.records:
            return Frame(array=True, path=self.records)
        layout = detect_layout(head) if self.source.layout == "auto" else self.source.layout
        return None if layout == "lines" else Frame(array=layout == "array")


def make_json(context: DecodeContext, source: JsonSource) -> JsonDecoder:
    """Return the decoder of a source of JSON objects.

    Raises:
        UnableToCompileSource: when the definition contradicts itself or the catalog.
    """
    records = () if source.records is None else tuple(source.records.split("."))
    if not all(records) or len(records) > STEPS_MAX:
        raise UnableToCompileSource(f"records: {source.records!r} is no path of at most {STEPS_MAX} names")
    if records and source.layout in ("lines", "array"):
        raise UnableToCompileSource(f"records: a path goes through documents; remove `layout: {source.layout}`")
    plan = compile_mapping(context, source.mapping)
    return JsonDecoder(source, plan, compile_paths(plan.fields), None, records)


def make_cloudevents(context: DecodeContext, source: CloudEventsSource) -> JsonDecoder:
    """Return the decoder of a CloudEvents source.

    Raises:
        UnableToCompileSource: when the definition contradicts itself or the catalog.
    """
    if set(source.mapping.identity) != set(IDENTITY):
        raise UnableToCompileSource("identity: a CloudEvent is always identified by `source` and `id`; write both")
    mapping = source.mapping.model_copy(update={"identity": IDENTITY})
    plan = compile_mapping(context, mapping, extra_fields=REQUIRED)
    required = [plan.fields.index(name) for name in REQUIRED]
    plan = replace(plan, required=tuple(dict.fromkeys((*required, *plan.required))))
    envelope = Envelope(plan.fields.index(VERSION), np.array(required, np.int32))
    return JsonDecoder(source, plan, compile_paths(plan.fields), envelope, ())
