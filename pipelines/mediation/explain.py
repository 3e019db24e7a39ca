"""Say in words what is wrong with one record: its reason's parameters, at most 200 characters."""

from __future__ import annotations

import csv
import io
from typing import Literal

from pipelines.mediation.extract import DecodedBlock
from pipelines.mediation.plan import MappingPlan
from schemas.cdr import CdrBlock
from schemas.rejection import EXPLANATIONS, Reason
from schemas.source import DelimitedSource, FixedWidthSource, SourceBase

DETAIL_MAX = 200
VALUE_MAX = 60
TIME_REASONS = (Reason.INVALID_TIMESTAMP, Reason.TIMESTAMP_WITHOUT_ZONE, Reason.TIMESTAMP_OUT_OF_RANGE)
QUANTITY_REASONS = (
    Reason.INVALID_QUANTITY,
    Reason.QUANTITY_PRECISION,
    Reason.QUANTITY_OVERFLOW,
    Reason.NEGATIVE_QUANTITY,
)


def quote_value(value: bytes) -> str:
    """Return a field's text as people can read it, shortened."""
    text = repr(value.decode("utf-8", "replace"))
    return text if len(text) <= VALUE_MAX else text[: VALUE_MAX - 2] + "…'"


def field_value(block: DecodedBlock, slot: int, row: int) -> bytes:
    """Return the text of one field of one record."""
    matrix = block.matrix
    return matrix.text[matrix.start[slot, row] : matrix.end[slot, row]].tobytes()


def raw_record(block: CdrBlock, row: int) -> bytes:
    """Return the bytes of one record."""
    return block.raw[block.raw_start[row] : block.raw_end[row]].tobytes()


def describe_record(
    source: SourceBase, plan: MappingPlan, block: DecodedBlock, row: int, *, encoding: str = "utf-8"
) -> str:
    """Return what is wrong with a record of text whose fields a mapping names."""
    if block.reason[row] < Reason.FIELD_MISSING:
        return describe_bytes(source, encoding, block, row)
    return describe_fields(plan, block, row)


def describe_bytes(
    source: SourceBase,
    encoding: str,
    block: DecodedBlock,
    row: int,
) -> str:
    """Return what is wrong with a record that has no fields (reasons below 6)."""
    reason = Reason(int(block.reason[row]))
    if reason == Reason.RECORD_TOO_LONG:
        return f"longer than {source.record_bytes_max} bytes"
    raw = raw_record(block, row)
    if reason == Reason.NUL_BYTE and b"\x00" in raw:
        return f"byte {raw.index(0)} of the record is NUL"
    if reason == Reason.INVALID_ENCODING:
        try:
            raw.decode(encoding)
        except UnicodeDecodeError as error:
            return f"byte {error.start} of the record (0x{raw[error.start]:02x}) is not valid {encoding}"
        if isinstance(source, FixedWidthSource):
            return "a character of several bytes lies across the edge of a column"
    if reason == Reason.FIELD_COUNT and isinstance(source, FixedWidthSource):
        if source.record_bytes is not None:
            return f"{len(raw)} bytes instead of {source.record_bytes}"
        return f"{len(raw)} bytes; the last column ends at byte {source.reach}"
    if reason == Reason.FIELD_COUNT and isinstance(source, DelimitedSource):
        text = io.StringIO(raw.decode(encoding, "replace"), newline="")
        try:
            quoting: Literal[0, 3] = csv.QUOTE_NONE if source.quoting == "none" else csv.QUOTE_MINIMAL
            count = len(next(csv.reader(text, delimiter=source.delimiter, quoting=quoting)))
        except csv.Error:
            return f"not {block.matrix.columns} fields"
        least = "" if source.columns_min is None else f"{source.columns_min} to "
        return f"{count} fields instead of {least}{block.matrix.columns}"
    return EXPLANATIONS[reason]


def describe_fields(plan: MappingPlan, block: DecodedBlock, row: int) -> str:
    """Return which mapped fields of a record made its reason, and their values."""
    reason = Reason(int(block.reason[row]))
    if reason == Reason.FIELD_MISSING:
        slots = [slot for slot in plan.required if not field_value(block, slot, row)]
        addends = plan.quantity.addends
        if not any(field_value(block, slot, row) for slot in addends):
            slots += addends
        return "empty: " + ", ".join(plan.fields[slot] for slot in slots)
    if reason == Reason.IDENTITY_MISSING:
        return "all empty: " + ", ".join(plan.fields[slot] for slot in plan.identity)
    if reason == Reason.FILTERED_BY_SOURCE:
        slots = [item.slot for item in plan.filters]
    elif reason == Reason.UNKNOWN_EVENT_TYPE:
        slots = [plan.event_type.slot]
    elif reason in TIME_REASONS:
        slots = [*plan.time.slots, *plan.quantity.between]
    elif reason in QUANTITY_REASONS:
        slots = [*plan.quantity.between, *plan.quantity.addends] or [plan.quantity.slot]
    elif reason == Reason.UNKNOWN_PART and plan.sessions is not None:
        slots = [plan.sessions.part, *plan.sessions.key.tolist()]
    elif reason == Reason.INVALID_SEQUENCE and plan.sessions is not None:
        slots = [plan.sessions.sequence]
    elif reason == Reason.INVALID_VERSION:
        slots = [plan.version]
    elif reason == Reason.INVALID_VALUE and plan.values is not None:
        slots = list(plan.values.slots)
    else:
        return EXPLANATIONS[reason]
    return ", ".join(f"{plan.fields[slot]} is {quote_value(field_value(block, slot, row))}" for slot in slots)
