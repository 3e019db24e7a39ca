"""The claim journal: an append-only file of checksummed JSON lines, the one input log of embedded mode.

A line is `CRC32 JSON`, numbered by `claim` from 1 without a gap. A torn last line is what a crash leaves: it was never
acknowledged, so it is cut off when the journal is opened. Damage anywhere else is refused.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from pipelines.spool.files import sync_directory


class UnableToReadJournal(Exception):
    """The journal is damaged, or was written by a newer release."""


class UnableToWriteJournal(Exception):
    """An entry failed, and it is not known whether it is in the file: only opening the journal again tells."""


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    claim: Annotated[int, Field(ge=1, lt=2**32)]
    received_at: int
    """Microseconds UTC at which the entry was appended: stage time. Never decreases."""


Refusal = tuple[int, int] | tuple[int, int, int]
"""A rejection, by claim and record, and by branch where that is not 0."""


def refusal(claim: int, record: int, branch: int) -> Refusal:
    """Return how an entry names a rejection."""
    return (claim, record, branch) if branch else (claim, record)


def with_branch(named: Refusal) -> tuple[int, int, int]:
    """Return claim, record and branch of a rejection that an entry names."""
    return (*named[:2], named[2] if len(named) == 3 else 0)


class FileClaim(_Entry):
    """A usage file was claimed; `stored` is its name in the archive, `name` what its sender called it.

    The bounds are those in force when it was claimed, so that a replay cuts the same blocks and quarantines the same
    files whatever the settings are by then. `corrects` is the claim of the file whose refused records this one holds in a
    corrected form, 0 for a file as its sender made it; `refused` are the rejections that it answers, one by each of its
    records in order, and `retry_count` is how often they were tried before. A file that is `sealed` is encrypted, and no key
    fitted when it came: it is quarantined, whatever keys there are by then.
    """

    kind: Literal["file"] = "file"
    source: str
    name: str
    stored: str
    size: int
    block_bytes: int
    window_days: int | None
    bytes_max: int
    expansion_max: int
    corrects: int = 0
    refused: tuple[Refusal, ...] = ()
    retry_count: int = 0
    sealed: bool = False


class ImageClaim(_Entry):
    """A tariff image takes effect for everything after this entry."""

    kind: Literal["image"] = "image"
    content_hash: str


class RecordRetry(_Entry):
    """Refused records of an earlier claim are decoded again: `records` of the file of claim `file_claim`.

    `refused` lists the rejections that this retry answers.
    """

    kind: Literal["retry_records"] = "retry_records"
    file_claim: int
    records: tuple[int, ...]
    refused: tuple[Refusal, ...]
    retry_count: int


class EdrRetry(_Entry):
    """Unrated EDRs are rated again; `stored` is the archive file of packed EDRs (`schemas.edr.pack`)."""

    kind: Literal["retry_edrs"] = "retry_edrs"
    source: str
    stored: str
    refused: tuple[Refusal, ...]
    retry_count: int


class Discard(_Entry):
    """Rejections are set aside for good, with the reason somebody gave.

    Newer records among them that are parked count as never seen: `unseen` are their identities, high and low, and event times.
    """

    kind: Literal["discard"] = "discard"
    refused: tuple[Refusal, ...]
    reason: str
    unseen: tuple[tuple[int, int, int], ...] = ()


class Mark(_Entry):
    """Rejections are to be tried again: somebody corrected what was wrong, and leaves the retry to somebody else."""

    kind: Literal["mark"] = "mark"
    refused: tuple[Refusal, ...]
    reason: str = ""


class Reopen(_Entry):
    """Rejections that were marked or discarded are open again."""

    kind: Literal["reopen"] = "reopen"
    refused: tuple[Refusal, ...]
    reason: str = ""


class Cancel(_Entry):
    """EDRs are withdrawn, and perhaps the records that replace them are tried again after that.

    `stored` is the archive file of commands (`schemas.cancellation`) and `sha256` its hash. A back-out withdraws all that
    came of `claims` (a file and the retries of its records), so all their rejections are closed; `refused` lists those that
    are closed besides. Then the newer `records` of `file_claim` are tried again, which answers the rejections `replayed`.
    Rejections that are `reopened` had been answered by corrections that are withdrawn: they are open again.
    `reopening` is the archive file that says what becomes of sessions before that (`schemas.reopening`), with its hash; "":
    nothing.
    """

    kind: Literal["cancel"] = "cancel"
    cause: Literal["back_out", "superseded", "reopened"]
    reason: str
    source: str
    stored: str
    sha256: str
    claims: tuple[int, ...] = ()
    refused: tuple[Refusal, ...] = ()
    replayed: tuple[Refusal, ...] = ()
    reopened: tuple[Refusal, ...] = ()
    file_claim: int = 0
    records: tuple[int, ...] = ()
    retry_count: int = 0
    reopening: str = ""
    reopening_sha256: str = ""

    def retried(self) -> RecordRetry | None:
        """Return the retry that follows the withdrawal, None when there is none."""
        if not self.file_claim:
            return None
        return RecordRetry(
            claim=self.claim,
            received_at=self.received_at,
            file_claim=self.file_claim,
            records=self.records,
            refused=self.replayed,
            retry_count=self.retry_count,
        )


class Rerate(_Entry):
    """EDRs are priced again by the image `image`: their rated items are taken back and replaced, all in the order of events.

    `stored` is the archive file of the withdrawals (`schemas.cancellation`) with one batch for each of `sources`, `edrs` that
    of the EDRs (`schemas.rerating`), each with its hash. `refused` are the rejections of unrated EDRs among them. It was
    prepared when entry `after` was the latest one, and holds only then.
    """

    kind: Literal["rerate"] = "rerate"
    after: int
    image: str
    reason: str
    sources: tuple[str, ...]
    stored: str
    sha256: str
    edrs: str
    edrs_sha256: str
    refused: tuple[Refusal, ...] = ()


class Bill(_Entry):
    """Rated items are on validated invoices from here on.

    `stored` is the archive file that says which (`schemas.billed`), and `sha256` its hash.
    """

    kind: Literal["bill"] = "bill"
    stored: str
    sha256: str


class Invoices(_Entry):
    """Invoices of part `part` of a billing run are issued, or a credit note (`run` is empty): they never change any more.

    `numbers` are the blocks that they take: series, first number, how many; so the log decides what number is next. `plan` is
    the hash of the plan of the run. `stored`, `lines` and `taxes` are archive files (`schemas.invoicing`), each with its hash.
    `marks` are the files of the entries `bill` that follow, which say which items they hold: after a crash between them, the
    next step of any run appends the rest.
    """

    kind: Literal["invoices"] = "invoices"
    run: str
    plan: str
    part: int
    numbers: tuple[tuple[str, int, int], ...]
    stored: str
    sha256: str
    lines: str
    lines_sha256: str
    taxes: str
    taxes_sha256: str
    marks: tuple[tuple[str, str], ...] = ()


class Renewal(_Entry):
    """What parts of sessions that wait say was read again, under the image that is active by now.

    `stored` is the archive file that has it (`schemas.reopening.RENEWAL_SCHEMA`) and `sha256` its hash.
    """

    kind: Literal["renewal"] = "renewal"
    stored: str
    sha256: str


class Abandon(_Entry):
    """The file of claim `file_claim` is not read from block `block` on: it stops the log wherever it is read.

    The entry follows that of the file, and holds for it: a replay knows all entries before it begins. Rejections that records
    from there on would have answered are `reopened`.
    """

    kind: Literal["abandon"] = "abandon"
    file_claim: int
    block: int
    reason: str
    reopened: tuple[Refusal, ...] = ()


class Tick(_Entry):
    """Stage time passed: sessions of which nothing came for long enough end, and credit expires."""

    kind: Literal["tick"] = "tick"


class Charging(_Entry):
    """A segment of the charging log begins: its frames are in the file of this entry's number (`pipelines.spool.charging_log`).

    Requests in it are remembered, and may stay open, for `keep_s` seconds.
    """

    kind: Literal["charging"] = "charging"
    keep_s: int


class WalletRequest(BaseModel):
    """A top-up, an adjustment or a transfer that somebody asked for under an id of his own, which no other one may have.

    `amount` is in billionths of `currency`, of an adjustment with its sign. `expires_at`: microseconds UTC, when a top-up
    expires, 0 for never. A transfer goes to `to_wallet` of `to_account`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    kind: Literal["top_up", "adjustment", "transfer"]
    account: str
    wallet: str
    amount: int
    currency: str
    expires_at: int = 0
    reason: str = ""
    to_account: str = ""
    to_wallet: str = ""


class WalletChange(_Entry):
    """Wallets are topped up, adjusted or transferred from; each request was checked to be possible, one after another."""

    kind: Literal["wallets"] = "wallets"
    requests: tuple[WalletRequest, ...]


JournalEntry = Annotated[
    FileClaim
    | ImageClaim
    | RecordRetry
    | EdrRetry
    | Discard
    | Mark
    | Reopen
    | Cancel
    | Rerate
    | Bill
    | Invoices
    | Renewal
    | Abandon
    | Tick
    | Charging
    | WalletChange,
    Field(discriminator="kind"),
]
_ADAPTER: TypeAdapter[JournalEntry] = TypeAdapter(JournalEntry)


def _line(entry: JournalEntry) -> bytes:
    body = entry.model_dump_json().encode()
    return b"%08x %s\n" % (zlib.crc32(body), body)


def _parse(line: bytes) -> JournalEntry | None:
    if len(line) < 10 or line[8:9] != b" ":
        return None
    body = line[9:]
    try:
        if zlib.crc32(body) != int(line[:8], 16):
            return None
    except ValueError:
        return None
    return _ADAPTER.validate_json(body)


def _told(error: ValidationError) -> str:
    return "; ".join(f"{'.'.join(str(part) for part in item['loc'])}: {item['msg']}" for item in error.errors())


def read_entries(path: Path) -> list[JournalEntry]:
    """Return the whole entries of a journal, without opening it: also while its owner appends."""
    parsed = (_parse(line) for line in path.read_bytes().splitlines())
    return [entry for entry in parsed if entry is not None]


def count_entries(path: Path) -> int:
    """Return how many entries a journal holds, without opening it: also while its owner appends."""
    return path.read_bytes().count(b"\n")


class Journal:
    """The open journal. One process appends; entries are durable when `append` returns."""

    def __init__(self, path: Path) -> None:
        """Open or create the journal at `path`, cutting off a torn last line.

        Raises:
            UnableToReadJournal: when a line before the last is damaged or numbers do not follow.
        """
        self._path = path
        self._entries: list[JournalEntry] = []
        content = path.read_bytes() if path.exists() else b""
        good = self._read(content)
        self._handle = path.open("ab")
        if good < len(content):
            self._handle.truncate(good)
            os.fsync(self._handle.fileno())
        sync_directory(path.parent)  # an entry is only as durable as the name of the file that it is in

    def _read(self, content: bytes) -> int:
        good = 0
        while good < len(content):
            end = content.find(b"\n", good)
            try:
                entry = _parse(content[good:end]) if end >= 0 else None
            except ValidationError as error:
                raise UnableToReadJournal(
                    f"{self._path}: entry {len(self._entries) + 1} is whole but unknown to this release: {_told(error)}"
                ) from error
            if entry is None:
                if end >= 0 and end + 1 < len(content):
                    raise UnableToReadJournal(f"{self._path}: entry {len(self._entries) + 1} is damaged")
                return good
            if entry.claim != len(self._entries) + 1:
                raise UnableToReadJournal(f"{self._path}: entry {len(self._entries) + 1} is numbered {entry.claim}")
            self._entries.append(entry)
            good = end + 1
        return good

    @property
    def entries(self) -> Sequence[JournalEntry]:
        """All entries so far, in order; entry i has claim number i + 1."""
        return self._entries

    @property
    def next_claim(self) -> int:
        """Number of the next entry."""
        return len(self._entries) + 1

    def stage_time(self, now: int) -> int:
        """Return `now` (microseconds UTC), or the latest entry's time when the clock went backwards."""
        return max(now, self._entries[-1].received_at) if self._entries else now

    def append(self, entry: JournalEntry) -> None:
        """Append one entry durably.

        Raises:
            OSError: when it cannot be written; the journal is then as it was before.
            UnableToWriteJournal: when it cannot even be taken back; the process must end.
            ValueError: when its number or time does not follow the latest entry's.
        """
        self.append_all([entry])

    def append_all(self, entries: Sequence[JournalEntry]) -> None:
        """Append entries durably, with one sync for all of them; raises as `append` does, and then has none of them.

        A crash on the way may leave the first ones: nobody was told of any.
        """
        latest = self._entries[-1] if self._entries else None
        for place, entry in enumerate(entries):
            if entry.claim != self.next_claim + place:
                raise ValueError(f"entry {entry.claim} cannot follow entry {self.next_claim + place - 1}")
            if latest is not None and entry.received_at < latest.received_at:
                raise ValueError(f"entry {entry.claim} would be received before entry {entry.claim - 1}")
            latest = entry
        position = self._handle.seek(0, os.SEEK_END)
        try:
            self._handle.write(b"".join(map(_line, entries)))
            self._handle.flush()
            os.fsync(self._handle.fileno())
        except OSError as error:
            self._take_back(position, error)
            raise
        self._entries.extend(entries)

    def _take_back(self, position: int, failure: OSError) -> None:
        """Drop whatever part of a failed entry reached the file or the buffer."""
        with suppress(OSError):  # the buffered part cannot be flushed either
            self._handle.close()
        try:
            os.truncate(self._path, position)
            self._handle = self._path.open("ab")
        except OSError as error:
            raise UnableToWriteJournal(
                f"{self._path}: entry {self.next_claim} failed ({failure.strerror}) and cannot be taken back "
                f"({error.strerror}); start again when the disk is well"
            ) from error
        with suppress(OSError):  # the caller raises already; this keeps the entry from coming back after a crash
            os.fsync(self._handle.fileno())

    def close(self) -> None:
        """Close the file."""
        self._handle.close()
