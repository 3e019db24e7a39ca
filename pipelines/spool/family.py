"""What came of a file, read from the log alone: retries of its records, retries of its EDRs, corrections, and theirs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from pipelines.spool.journal import Cancel, EdrRetry, FileClaim, JournalEntry, RecordRetry, with_branch


@dataclass(slots=True)
class Family:
    """The claims in which usage of a file may stand.

    Attributes:
        files: the file's claim, and those of corrections of its records.
        records: claims of which every record is one of `files`': they themselves, and retries of their records.
        edrs: claim of a retry of EDRs -> those of its records that were EDRs of this family.
    """

    files: set[int]
    records: set[int]
    edrs: dict[int, set[int]] = field(default_factory=dict)

    def holds(self, claim: int, record: int) -> bool:
        """Return whether a record of a claim belongs to the family."""
        return claim in self.records or record in self.edrs.get(claim, ())


def family_of(entries: Sequence[JournalEntry], file_claim: int) -> Family:
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
    return family


def retried_as(entries: Sequence[JournalEntry]) -> dict[tuple[int, int, int], tuple[int, int]]:
    """Return, of every unrated EDR that was tried again, the claim and the record under which it stands since."""
    return {
        with_branch(named): (entry.claim, index)
        for entry in entries
        if isinstance(entry, EdrRetry)
        for index, named in enumerate(entry.refused)
    }


def image_before(entries: Sequence[JournalEntry], claim: int) -> str:
    """Return the content hash of the image in force when a claim was processed, "" when there was none."""
    for entry in reversed(entries[: claim - 1]):
        if entry.kind == "image":
            return entry.content_hash
    return ""
