"""Commands that open sessions again: which parts leave theirs, and which parts come back into a session that had ended.

They are prepared outside the stage, at a cut, and applied here as a pure function of them and of the state.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from pipelines.resource.assembly import AssemblyTable
from pipelines.resource.kernels import reopening as kernels
from pipelines.resource.kernels.assembly import CLOSED, OPEN
from schemas.arrays import BoolArray, Int32Array, Int64Array, UInt8Array, UInt16Array, UInt64Array
from schemas.cdr import ATTRIBUTE_SLOTS
from schemas.reopening import RENEWAL_SCHEMA, REOPENING_SCHEMA
from schemas.values import VALUE_ABSENT, VALUE_SLOTS

CLAIM_END = 2**32
"""What a session that ended has in the place of its deadline is the claim of its EDR: below this."""


class Returned(NamedTuple):
    """Parts that come back into their sessions, k rows: one per part and owner, those of a part next to each other.

    Attributes (all (k,), attributes (k, ATTRIBUTE_SLOTS), values (k, VALUE_SLOTS)):
        key_hi, key_lo: the session. source, event_type, mode: its own, if it is not known any more.
        claim .. values: the part. subscription, access_point: its owner, -1 for nobody.
    """

    key_hi: UInt64Array
    key_lo: UInt64Array
    source: Int32Array
    event_type: UInt16Array
    mode: UInt8Array
    claim: Int64Array
    record: Int64Array
    sequence: Int64Array
    part: UInt8Array
    event_at: Int64Array
    quantity: Int64Array
    attributes: Int32Array
    values: Int64Array
    subscription: Int32Array
    access_point: Int32Array


class OpenParts(NamedTuple):
    """All parts of sessions that wait, each (k,): the session's slot, where the part came from, its row of the table."""

    slot: Int64Array
    claim: Int64Array
    record: Int64Array
    row: Int64Array


def open_parts(table: AssemblyTable) -> OpenParts:
    """Return all parts of sessions that wait."""
    table.settle()
    place = np.empty((int(table.heap[1]), 4), np.int64)
    found = int(kernels.list_parts(table.sessions, table.parts, place))
    return OpenParts(*(np.ascontiguousarray(column) for column in place[:found].T))


def begun_anew(table: AssemblyTable, key_hi: UInt64Array, key_lo: UInt64Array, edr: Int64Array) -> BoolArray:
    """Return (k,) whether the key of a session that ended is another session's by now: the first one was forgotten.

    Args:
        key_hi, key_lo: (k,). edr: (k,) claim and record, as one number, of the EDR that was made of it; claims below 2**31.
    """
    table.bring(key_hi, key_lo)
    slot = np.empty(len(key_hi), np.int64)
    kernels.find_sessions(table.sessions, key_hi, key_lo, slot)
    status, claim, record = table.sessions.status[slot], table.sessions.deadline[slot], table.sessions.quantity[slot]
    known = claim < CLAIM_END  # an end of before releases that remember the EDR
    anew: BoolArray = (status == OPEN) | ((status == CLOSED) & known & ((claim << 32 | record) != edr))
    return anew


def reopen(table: AssemblyTable, commands: pa.RecordBatch, *, stage_time: int, window_start: int) -> None:
    """Take parts out of sessions, then open sessions again with what was left of them; each waits from now on.

    Args:
        commands: rows of REOPENING_SCHEMA. window_start: as for `AssemblyTable.absorb`.
    """
    leaves = commands.column("leaves").to_numpy(zero_copy_only=False)
    deadline = commands.column("time_out_us").to_numpy() + stage_time
    gone = np.flatnonzero(leaves)
    table.bring(*(np.ascontiguousarray(commands.column(name).to_numpy()) for name in ("key_hi", "key_lo")))
    take_away: Any = kernels.take_away
    take_away(
        table.sessions,
        table.parts,
        table.heap,
        *(np.ascontiguousarray(commands.column(name).to_numpy()[gone]) for name in ("key_hi", "key_lo")),
        *(commands.column(name).to_numpy()[gone].astype(np.int64) for name in ("claim", "record")),
        deadline[gone],
    )
    given = _returned(commands, np.flatnonzero(~leaves))
    valued = VALUE_SLOTS if (given.values != VALUE_ABSENT).any() else 0
    table.make_room(len(given.claim), len(given.claim), window_start, valued)
    table.bring(given.key_hi, given.key_lo)
    table.used += int(kernels.put_back(table.sessions, table.parts, table.heap, given, deadline[~leaves]))
    table.waiting = -1
    table.next_deadline = min(table.next_deadline, int(deadline.min(initial=table.next_deadline)))


def revise(table: AssemblyTable, commands: pa.RecordBatch) -> None:
    """Let parts of sessions that wait say what their records say now; parts that are there no more are passed over.

    Args:
        commands: rows of RENEWAL_SCHEMA, each part once.
    """
    rows = np.arange(commands.num_rows)
    place = _place(*(commands.column(name).to_numpy() for name in ("claim", "record")))
    attributes, values = (
        _matrix(commands, name, slots, rows)
        for name, slots in (("attributes", ATTRIBUTE_SLOTS), ("values", VALUE_SLOTS))
    )
    table.make_room(0, 0, 0, VALUE_SLOTS if (values != VALUE_ABSENT).any() else 0)
    parts = open_parts(table)
    _, given, known = np.intersect1d(place, _place(parts.claim, parts.record), assume_unique=True, return_indices=True)
    table.parts.attributes[parts.row[known]] = attributes[given]
    if table.parts.values.shape[1]:
        table.parts.values[parts.row[known]] = values[given]


def _place(claim: Any, record: Any) -> Int64Array:
    """Return (k,) claim and record in one number."""
    place: Int64Array = claim.astype(np.int64) << np.int64(32) | record.astype(np.int64)
    return place


def _matrix(commands: pa.RecordBatch, name: str, slots: int, rows: Int64Array) -> Any:
    values: Any = commands.column(name)
    return np.ascontiguousarray(values.flatten().to_numpy().reshape(-1, slots)[rows])


def _returned(commands: pa.RecordBatch, rows: Int64Array) -> Returned:
    def column(name: str) -> Any:
        return np.ascontiguousarray(commands.column(name).to_numpy()[rows])

    attributes = _matrix(commands, "attributes", ATTRIBUTE_SLOTS, rows)
    values = _matrix(commands, "values", VALUE_SLOTS, rows)
    wide = {name: column(name).astype(np.int64) for name in ("claim", "record")}
    given = {name: column(name) for name in Returned._fields if name not in (*wide, "attributes", "values")}
    return Returned(**wide, **given, attributes=attributes, values=values)


def batch_of(returned: Returned, time_out_us: Int64Array, *, leaves: bool) -> pa.RecordBatch:
    """Return rows of REOPENING_SCHEMA; `time_out_us`: (k,)."""
    k = len(returned.claim)
    return _batch({**returned._asdict(), "time_out_us": time_out_us, "leaves": np.full(k, leaves)}, REOPENING_SCHEMA)


def revision_of(claim: Int64Array, record: Int64Array, attributes: Int32Array, values: Int64Array) -> pa.RecordBatch:
    """Return rows of RENEWAL_SCHEMA; claim, record: (k,), attributes: (k, ATTRIBUTE_SLOTS), values: (k, VALUE_SLOTS)."""
    return _batch({"claim": claim, "record": record, "attributes": attributes, "values": values}, RENEWAL_SCHEMA)


def saying(commands: pa.RecordBatch, record: Int64Array, attributes: Int32Array, values: Int64Array) -> pa.RecordBatch:
    """Return rows of REOPENING_SCHEMA in which records say something else.

    Args:
        record: (k,) ascending, among them all of `commands`. attributes, values: (k, slots).
    """
    place = np.searchsorted(record, commands.column("record").to_numpy())
    for name, said in (("attributes", attributes), ("values", values)):
        index = commands.schema.get_field_index(name)
        commands = commands.set_column(
            index, REOPENING_SCHEMA.field(name), _slots(said[place], REOPENING_SCHEMA.field(name))
        )
    return commands


def _slots(values: Any, item: pa.Field[Any]) -> Any:
    flat = pa.array(np.ascontiguousarray(values).reshape(-1)).cast(item.type.value_type)
    return pa.FixedSizeListArray.from_arrays(flat, item.type.list_size).cast(item.type)


def _batch(columns: dict[str, Any], schema: pa.Schema) -> pa.RecordBatch:
    arrays: list[Any] = []
    for item in schema:
        values = columns[item.name]
        if pa.types.is_fixed_size_list(item.type):
            arrays.append(_slots(values, item))
        else:
            arrays.append(pa.array(values).cast(item.type))
    return pa.RecordBatch.from_arrays(arrays, schema=schema)
