"""Numbers that a stream counts its records with: which were seen in a block, as runs without a gap."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pipelines.mediation.kernels import identities, quantities
from schemas.arrays import Int32Array, Int64Array, UInt8Array, UInt16Array
from schemas.cdr import SequenceRuns
from schemas.quantity import QUANTITY_MAX
from schemas.rejection import Reason
from schemas.source_flow import Sequence

STREAM_BYTES_MAX = 255
"""Longest name of a stream; longer ones are cut."""


@dataclass(frozen=True, slots=True)
class SequencePlan:
    """How records are counted: field `slot` counts within the stream that the texts of `per` ((k,) slots) name."""

    slot: int
    per: Int32Array

    def read(self, text: UInt8Array, start: Int32Array, end: Int32Array, reason: UInt16Array) -> SequenceRuns:
        """Return the numbers of all records whose fields could be told apart, whatever else is wrong with them.

        Args:
            text: padded buffer; start, end: (f, m >= n) offsets of fields. reason: (n,) so far.
        """
        n = len(reason)
        number, wrong = np.empty(n, np.int64), np.zeros(n, np.uint16)
        quantities.read_counters(text, start[self.slot, :n], end[self.slot, :n], np.zeros(n, np.int32), number, wrong)
        told = (reason == 0) | (reason >= Reason.FIELD_MISSING)
        rows = np.flatnonzero(told & (wrong == 0) & (number >= 0) & (number <= QUANTITY_MAX))
        hi, lo = np.empty(n, np.uint64), np.empty(n, np.uint64)
        identities.identify(text, start, end, self.per, np.uint64(0), np.uint64(0), hi, lo)
        rows = rows[np.lexsort((number[rows], lo[rows], hi[rows]))]
        other = (hi[rows[1:]] != hi[rows[:-1]]) | (lo[rows[1:]] != lo[rows[:-1]])
        breaks = np.flatnonzero(other | (number[rows[1:]] > number[rows[:-1]] + 1)) + 1
        first = np.concatenate([np.zeros(min(1, len(rows)), np.int64), breaks])
        last = np.append(first[1:], len(rows)) - 1 if len(rows) else first
        return SequenceRuns(self._names(text, start, end, rows[first]), number[rows[first]], number[rows[last]])

    def _names(self, text: UInt8Array, start: Int32Array, end: Int32Array, rows: Int64Array) -> list[str]:
        data = text.data
        return [
            b"/".join(bytes(data[start[slot, row] : end[slot, row]]) for slot in self.per.tolist())[
                :STREAM_BYTES_MAX
            ].decode("utf-8", "replace")
            for row in rows.tolist()
        ]


def compile_sequence(sequence: Sequence | None, slot: Callable[[str], int]) -> SequencePlan | None:
    """Return the plan of a source that counts its records, None for others."""
    if sequence is None:
        return None
    return SequencePlan(slot(sequence.field), np.array([slot(name) for name in dict.fromkeys(sequence.per)], np.int32))
