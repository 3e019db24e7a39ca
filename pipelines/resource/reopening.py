"""Commands that open sessions again: which parts leave theirs, and which parts come back into a session that had ended.

They are prepared outside the stage, at a cut, and applied here as a pure function of them and of the state.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from pipelines.resource.assembly import AssemblyTable
from pipelines.resource.kernels import reopening as kernels
from schemas.arrays import Int32Array, Int64Array, UInt8Array, UInt16Array, UInt64Array
from schemas.cdr import ATTRIBUTE_SLOTS
from schemas.reopening import REOPENING_SCHEMA
from schemas.values import VALUE_ABSENT, VALUE_SLOTS


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


def open_parts(table: AssemblyTable) -> tuple[Int64Array, Int64Array, Int64Array]:
    """Return (slot, claim, record), each (k,), of all parts of sessions that wait."""
    place = np.empty((int(table.heap[1]), 3), np.int64)
    found = int(kernels.list_parts(table.sessions, table.parts, place))
    return place[:found, 0].copy(), place[:found, 1].copy(), place[:found, 2].copy()


def reopen(table: AssemblyTable, commands: pa.RecordBatch, *, stage_time: int, window_start: int) -> None:
    """Take parts out of sessions, then open sessions again with what was left of them; each waits from now on.

    Args:
        commands: rows of REOPENING_SCHEMA. window_start: as for `AssemblyTable.absorb`.
    """
    leaves = commands.column("leaves").to_numpy(zero_copy_only=False)
    deadline = commands.column("time_out_us").to_numpy() + stage_time
    gone = np.flatnonzero(leaves)
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
    table.used += int(kernels.put_back(table.sessions, table.parts, table.heap, given, deadline[~leaves]))
    table.waiting = -1
    table.next_deadline = min(table.next_deadline, int(deadline.min(initial=table.next_deadline)))


def _returned(commands: pa.RecordBatch, rows: Int64Array) -> Returned:
    def column(name: str) -> Any:
        return np.ascontiguousarray(commands.column(name).to_numpy()[rows])

    def matrix(name: str, slots: int) -> Any:
        values: Any = commands.column(name)
        return np.ascontiguousarray(values.flatten().to_numpy().reshape(-1, slots)[rows])

    attributes, values = matrix("attributes", ATTRIBUTE_SLOTS), matrix("values", VALUE_SLOTS)
    wide = {name: column(name).astype(np.int64) for name in ("claim", "record")}
    given = {name: column(name) for name in Returned._fields if name not in (*wide, "attributes", "values")}
    return Returned(**wide, **given, attributes=attributes, values=values)


def batch_of(returned: Returned, time_out_us: Int64Array, *, leaves: bool) -> pa.RecordBatch:
    """Return rows of REOPENING_SCHEMA; `time_out_us`: (k,)."""
    k = len(returned.claim)
    columns: dict[str, Any] = {**returned._asdict(), "time_out_us": time_out_us, "leaves": np.full(k, leaves)}
    arrays: list[Any] = []
    for item in REOPENING_SCHEMA:
        values = columns[item.name]
        if pa.types.is_fixed_size_list(item.type):
            flat = pa.array(values.reshape(-1)).cast(item.type.value_type)
            arrays.append(pa.FixedSizeListArray.from_arrays(flat, item.type.list_size).cast(item.type))
        else:
            arrays.append(pa.array(values).cast(item.type))
    return pa.RecordBatch.from_arrays(arrays, schema=REOPENING_SCHEMA)
