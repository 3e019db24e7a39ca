"""Where the records are in a file that is one JSON document, or several: states of `kernels.json_frame`."""

from __future__ import annotations

from typing import BinaryIO

import numpy as np

from pipelines.mediation.blocks import read_into
from pipelines.mediation.failures import UnableToDecodeFile
from pipelines.mediation.kernels import json_frame as kernel
from pipelines.mediation.kernels.json_frame import scan_frame
from pipelines.mediation.times import PADDING
from schemas.arrays import Int64Array, UInt8Array

CHUNK_BYTES = 1 << 20
ROWS = 4096
PROBLEMS = {
    kernel.UNBALANCED: "a bracket closes that does not belong to the last one opened",
    kernel.NOT_JSON: "this is no JSON",
    kernel.TWICE: "the records are there a second time",
    kernel.NO_RECORDS: "the path to the records is not there",
    kernel.NO_ARRAY: "this is no array of records",
}


class Frame:
    """Reads the frame around records, from a file's first byte on.

    Attributes:
        array: records are elements of arrays at `path`; else documents are records.
        path: names that lead from a document to its array.
        passed: bytes read so far.
        skipping: an element is being read that is too long to hold.
    """

    def __init__(self, *, array: bool, path: tuple[str, ...] = ()) -> None:
        """Begin at the start of a file."""
        names = [name.encode() for name in path]
        self.array = array
        self.path = path
        self.passed = 0
        self._names = np.frombuffer(bytearray(b"".join(names) or b"\0"), np.uint8)
        self._ends = np.cumsum([0, *map(len, names)]).astype(np.int32)
        self._state = np.zeros(kernel.WORDS, np.int64)

    @property
    def phase(self) -> int:
        """Where the file stands, one of the phases of `kernels.json_frame`."""
        return int(self._state[kernel.PHASE])

    def find(
        self, buffer: UInt8Array, size: int, raw_start: Int64Array, raw_end: Int64Array, *, hold: bool
    ) -> tuple[int, int]:
        """Return (rows, consumed) of the records in the first `size` bytes of a padded buffer.

        Raises:
            UnableToDecodeFile: MALFORMED_JSON when nobody can say where the next record is.
        """
        rows, consumed, problem = self._scan(buffer, size, raw_start, raw_end, hold=hold)
        if problem:
            raise self._broken(consumed, problem)
        self.passed += consumed
        return rows, consumed

    def feed(self, data: bytes) -> int:
        """Read bytes whose records do not matter; return the problem found, 0 for none."""
        buffer = np.frombuffer(bytearray(data + bytes(PADDING)), np.uint8)
        edges = np.empty(ROWS, np.int64)
        at = 0
        while at < len(data):
            _, consumed, problem = self._scan(buffer[at:], len(data) - at, edges, edges.copy(), hold=False)
            if problem:
                return problem
            at += consumed
        return 0

    def check(self, stream: BinaryIO, head: bytes) -> None:
        """Read a file to its end.

        Raises:
            UnableToDecodeFile: MALFORMED_JSON when it is broken outside of its records.
        """
        buffer = np.zeros(max(CHUNK_BYTES, len(head)) + PADDING, np.uint8)
        buffer[: len(head)] = np.frombuffer(head, np.uint8)
        size = len(head)
        starts, ends = np.empty(ROWS, np.int64), np.empty(ROWS, np.int64)
        while size:
            at = 0
            while at < size:
                _, consumed = self.find(buffer[at:], size - at, starts, ends, hold=False)
                at += consumed
            size = read_into(stream, buffer, 0, CHUNK_BYTES)
        self.finish()

    def finish(self) -> None:
        """Check that the file may end here.

        Raises:
            UnableToDecodeFile: MALFORMED_JSON when it may not.
        """
        if self.phase == kernel.ELEMENT and not self.array and not self._state[kernel.DEPTH]:
            self.feed(b"\n")  # a value outside brackets ends with the file
        if self.phase != kernel.TOP:
            raise UnableToDecodeFile("MALFORMED_JSON", f"the file ends after {self.passed} bytes, inside the document")

    def _scan(
        self, buffer: UInt8Array, size: int, raw_start: Int64Array, raw_end: Int64Array, *, hold: bool
    ) -> tuple[int, int, int]:
        return scan_frame(  # type: ignore[no-any-return]
            buffer, size, self.array, self._names, self._ends, hold, self._state, raw_start, raw_end
        )

    def _broken(self, offset: int, problem: int) -> UnableToDecodeFile:
        where = f" ({'.'.join(self.path)})" if self.path else ""
        return UnableToDecodeFile("MALFORMED_JSON", f"byte {self.passed + offset + 1}: {PROBLEMS[problem]}{where}")
