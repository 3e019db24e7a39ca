"""What came of a file, read from the log: retries of its records and EDRs, reratings, corrections, and theirs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from pipelines.spool.journal import Cancel, EdrRetry, FileClaim, JournalEntry, RecordRetry, Rerate, with_branch
from schemas.arrays import Int64Array


@dataclass(slots=True)
class Family:
    """The claims in which usage of a file may stand.

    Attributes:
        files: the file's claim, and those of corrections of its records.
        records: claims of which every record is one of `files`': they themselves, and retries of their records.
        edrs: claim of a retry or a rerating of EDRs -> those of its records that were EDRs of this family.
    """

    files: set[int]
    records: set[int]
    edrs: dict[int, set[int]] = field(default_factory=dict)

    def holds(self, claim: int, record: int) -> bool:
        """Return whether a record of a claim belongs to the family."""
        return claim in self.records or record in self.edrs.get(claim, ())


Replaced = Callable[[Rerate], tuple[Int64Array, Int64Array]]
"""Returns (place, branch) of what a rerating replaced, each (n,): claim and record in one number; row i became its record i."""
RECORD = 0xFFFFFFFF


def family_of(entries: Sequence[JournalEntry], file_claim: int, replaced: Replaced) -> Family:
    """Return the family of the file of claim `file_claim`; entry i of the log has claim i + 1."""
    family = Family({file_claim}, {file_claim})
    for entry in entries[file_claim:]:
        if isinstance(entry, FileClaim):
            if entry.corrects in family.files:
                family.files.add(entry.claim)
                family.records.add(entry.claim)
        elif isinstance(entry, RecordRetry | Cancel):
            if entry.file_claim in family.files:
                family.records.add(entry.claim)
        elif isinstance(entry, EdrRetry):
            places = map(with_branch, entry.refused)
            found = {index for index, (claim, record, _) in enumerate(places) if family.holds(claim, record)}
            if found:
                family.edrs[entry.claim] = found
        elif isinstance(entry, Rerate):
            rows = _rows_of(family, replaced(entry)[0])
            if len(rows):
                family.edrs[entry.claim] = set(rows.tolist())
    return family


def _rows_of(family: Family, place: Int64Array) -> Int64Array:
    """Return which of n places, claim and record in one number, belong to a family."""
    claim, record = place >> 32, place & RECORD
    belongs = np.isin(claim, list(family.records))
    for of, records in family.edrs.items():
        belongs |= (claim == of) & np.isin(record, list(records))
    return np.flatnonzero(belongs)


def moves_of(
    entries: Sequence[JournalEntry], replaced: Replaced, places: Collection[tuple[int, int]]
) -> Iterator[tuple[tuple[int, int, int], tuple[int, int]]]:
    """Yield, in the order of the log, where EDRs stood and where they stand since, when they were tried or rated again.

    `places`: claim and record of those that are meant; where they went is meant as well.
    """
    wanted = set(places)
    for entry in entries[min((claim for claim, _ in wanted), default=len(entries)) :]:
        if isinstance(entry, EdrRetry):
            moved = [(index, with_branch(named)) for index, named in enumerate(entry.refused)]
        elif isinstance(entry, Rerate):
            place, branch = replaced(entry)
            rows = np.flatnonzero(np.isin(place, [claim << 32 | record for claim, record in wanted]))
            moved = [
                (row, (int(place[row] >> 32), int(place[row] & RECORD), int(branch[row]))) for row in rows.tolist()
            ]
        else:
            continue
        for index, at in moved:
            if at[:2] in wanted:
                yield at, (entry.claim, index)
                wanted.add((entry.claim, index))


def root_of(entries: Sequence[JournalEntry], claim: int) -> FileClaim:
    """Return the file whose records a claim is about.

    Raises:
        LookupError: when it is about none.
    """
    entry = entries[claim - 1]
    if isinstance(entry, RecordRetry | Cancel) and entry.file_claim:
        entry = entries[entry.file_claim - 1]
    if not isinstance(entry, FileClaim):
        raise LookupError(f"entry {claim} of the log brought no file")
    return entry


def image_before(entries: Sequence[JournalEntry], claim: int) -> str:
    """Return the content hash of the image in force when a claim was processed, "" when there was none."""
    for entry in reversed(entries[: claim - 1]):
        if entry.kind == "image":
            return entry.content_hash
    return ""
