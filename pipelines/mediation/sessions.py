"""Records that are parts of sessions: which session, which part, which number."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pipelines.mediation.failures import UnableToCompileSource
from pipelines.mediation.kernels import identities, quantities, siphash
from pipelines.mediation.tables import ValueTable, value_table
from rating.kernels.hashing import hash128_bytes
from schemas.arrays import Int32Array, UInt8Array, UInt16Array
from schemas.cdr import ELAPSED, OPEN_MAX, STRICT, Late, Part, PartColumns
from schemas.quantity import QUANTITY_MAX
from schemas.rejection import Reason
from schemas.source_flow import Assembly

MICROSECOND = 1_000_000


@dataclass(frozen=True, slots=True)
class SessionPlan:
    """How parts are told.

    Attributes:
        key: (k,) slots of the session's fields. part: slot that says which part; table: its value -> `Part`, -1.
        sequence: slot of the part's number, -1 without. time_out_us: microseconds. seed: of session keys.
        keyed: they are hashed with SipHash, because the source is not trusted.
        mode, late, open_max: as in `schemas.cdr.PartColumns`.
    """

    key: Int32Array
    part: int
    table: ValueTable
    sequence: int
    time_out_us: int
    seed: tuple[int, int]
    keyed: bool
    mode: int = 0
    late: Late = Late.REJECT
    open_max: int = OPEN_MAX

    @property
    def slots(self) -> list[int]:
        """All slots that are read."""
        return [*self.key.tolist(), self.part, *([self.sequence] if self.sequence >= 0 else [])]

    def read(self, text: UInt8Array, start: Int32Array, end: Int32Array, reason: UInt16Array) -> PartColumns:
        """Return the session columns of n records, refusing parts that cannot be told (UNKNOWN_PART, INVALID_SEQUENCE).

        Args:
            text: padded buffer; start, end: (f, m >= n) offsets of fields. reason: (n,) uint16, changed where it was 0.
        """
        n = len(reason)
        found = self.table.look_up(text, start[self.part, :n], end[self.part, :n])
        length = (end[self.key, :n].astype(np.int64) - start[self.key, :n]).sum(axis=0)
        reason[(reason == 0) & ((found < 0) | ((found > 0) & (length == 0)))] = Reason.UNKNOWN_PART
        part = np.maximum(found, 0).astype(np.uint8)
        sequence = np.full(n, -1, np.int64)
        if self.sequence >= 0:
            wrong, kind = np.zeros(n, np.uint16), np.zeros(n, np.int32)
            quantities.read_counters(text, start[self.sequence, :n], end[self.sequence, :n], kind, sequence, wrong)
            outside = (wrong != 0) | (sequence < 0) | (sequence > QUANTITY_MAX)
            reason[(reason == 0) & (part != Part.SINGLE) & outside] = Reason.INVALID_SEQUENCE
            sequence[outside] = 0
        hi, lo = np.empty(n, np.uint64), np.empty(n, np.uint64)
        seed_hi, seed_lo = np.uint64(self.seed[0]), np.uint64(self.seed[1])
        identify = siphash.identify_keyed if self.keyed else identities.identify
        identify(text, start, end, self.key, seed_hi, seed_lo, hi, lo)
        return PartColumns(hi, lo, part, sequence, self.time_out_us, self.mode, self.late, self.open_max)


def compile_sessions(
    assembly: Assembly | None, slot: Callable[[str], int], seed: tuple[int, int], *, keyed: bool
) -> SessionPlan | None:
    """Return the plan of a source whose records may be parts, None for others.

    Raises:
        UnableToCompileSource: when the definition contradicts itself.
    """
    if assembly is None:
        return None
    table: dict[str, int] = {}
    for name, values in assembly.part.values.items():
        for value in values:
            if table.setdefault(value, int(Part[name.upper()])) != Part[name.upper()]:
                raise UnableToCompileSource(f"assembly: {value!r} cannot be two parts")
    if not assembly.part.first or not assembly.part.last:
        raise UnableToCompileSource("assembly: say which values are the `first` and the `last` part")
    if assembly.quantity == "elapsed" and (assembly.sequence is not None or assembly.part.single):
        raise UnableToCompileSource(
            "assembly: elapsed time needs a first and a last part, no `sequence` and no `single`"
        )
    return SessionPlan(
        key=np.array([slot(name) for name in dict.fromkeys(assembly.key)], np.int32),
        part=slot(assembly.part.field),
        table=value_table(table, missing=-1),
        sequence=-1 if assembly.sequence is None else slot(assembly.sequence),
        time_out_us=round(assembly.time_out.total_seconds()) * MICROSECOND,
        seed=(siphash.siphash128_bytes if keyed else hash128_bytes)(b"session", *seed),
        keyed=keyed,
        mode=(ELAPSED if assembly.quantity == "elapsed" else 0) | (STRICT if assembly.is_strict else 0),
        late=Late[assembly.late.upper()],
        open_max=assembly.open_max,
    )
