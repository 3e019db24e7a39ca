"""Bodies that were posted: claimed together, processed one after another, stored once; and what is told of each.

A receipt is a function of the claim: the one made on the way and the one read from the store are the same.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.compute as pc

from apps.embedded.commands import SUMMED
from apps.embedded.engine import Engine
from apps.embedded.files import QuarantinedFile
from apps.embedded.reports import ClaimReport
from pipelines.mediation.decode import Decoder
from pipelines.spool.claims import Arrival
from pipelines.spool.journal import FileClaim
from schemas.arrays import UInt16Array
from schemas.cdr import CdrBlock
from schemas.output import OutputBlock
from schemas.rejection import Outcome, Reason, Stage

LISTED_MAX = 10_000
"""Refused records of one body that are told one by one; the store has them all."""
DIGEST_CHARACTERS = 24
"""96 bits: enough to tell apart what one installation is sent in a day, short enough for a column of names."""
_NAME = re.compile(r"http-([0-9a-f]{24})-([0-9a-f]{24})\.[a-z0-9]+")
_COLUMNS = ("record", "branch", "stage", "reason", "outcome", "detail")
_ORDER = ("record", "branch", "stage")


@dataclass(frozen=True, slots=True)
class Refused:
    """One refused record of a body, or one of its EDRs (`branch`) that the account stage refused; both count from 0."""

    record: int
    branch: int
    stage: Stage
    reason: Reason
    outcome: Outcome
    detail: str


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of one body.

    Attributes:
        sums: header columns (`apps.embedded.commands.SUMMED`) over the body.
        refused: the first `LISTED_MAX` refused records, in order. refused_count: how many there are.
        quarantine: why the body could not be decoded; nothing of it was processed then.
    """

    claim: int
    source: str
    sums: Mapping[str, int]
    refused: tuple[Refused, ...] = ()
    refused_count: int = 0
    quarantine: QuarantinedFile | None = None


def digest(secret: bytes, *parts: bytes) -> str:
    """Return a keyed digest of some parts: 96 bits, in hexadecimal."""
    found = hmac.new(secret, digestmod="sha256")
    for part in parts:
        found.update(len(part).to_bytes(8, "big"))
        found.update(part)
    return found.hexdigest()[:DIGEST_CHARACTERS]


def body_name(content: str, ending: str, key: str | None = None) -> str:
    """Return the name of a body's file: its content's digest and, where its sender gave an idempotency key, the key's.

    The journal keeps the name, so a restart knows the keys of the bodies that were claimed.
    """
    return f"http-{content}.{ending}" if key is None else f"http-{key}-{content}.{ending}"


def key_of(entry: FileClaim) -> tuple[str, str] | None:
    """Return the digests (key, content) that the name of a claimed body holds, if it is one that has a key."""
    found = _NAME.fullmatch(entry.name)
    return (found[1], found[2]) if found else None


def take_posted(engine: Engine, arrivals: Sequence[Arrival], claimed: Callable[[ClaimReport], None]) -> list[Receipt]:
    """Claim bodies, take them through the stages and wait until everything is stored; return what became of each.

    Raises:
        UnableToClaim: when there is no room; nothing happened.
        Exception: whatever the engine raises after that: the next start finishes what is in the journal.
    """
    entries = engine.directory.spool.claim_all(engine.journal, arrivals, now=engine.now(), terms=engine.terms)
    receipts = []
    shown = engine.watch
    for entry in entries:
        listing = _Listing()
        engine.watch = listing.watch
        try:
            report = engine.process(entry)
        finally:
            engine.watch = shown
        claimed(report)
        receipts.append(_receipt(entry, report, listing))
    engine.flush()
    return receipts


@dataclass(slots=True)
class _Listing:
    """Gathers the refused records of a claim, block by block."""

    refused: list[Refused] = field(default_factory=list)
    count: int = 0

    def watch(self, decoder: Decoder, cdrs: CdrBlock, reason: UInt16Array, output: OutputBlock) -> None:
        """See one block; called by the engine."""
        self.count += output.rejections.num_rows
        room = LISTED_MAX - len(self.refused)
        if room > 0 and output.rejections.num_rows:
            ordered = pc.sort_indices(output.rejections, sort_keys=[(name, "ascending") for name in _ORDER])
            self.refused += _refused(output.rejections.take(ordered[:room]))


def _refused(rows: pa.RecordBatch | pa.Table) -> list[Refused]:
    columns = (rows.column(name).to_pylist() for name in _COLUMNS)
    return [
        Refused(record, branch, Stage(stage), Reason(reason), Outcome(outcome), detail)
        for record, branch, stage, reason, outcome, detail in zip(*columns, strict=True)
    ]


def _receipt(entry: FileClaim, report: ClaimReport, listing: _Listing) -> Receipt:
    sums = {column: report.total(column) for column in SUMMED}
    return Receipt(entry.claim, entry.source, sums, tuple(listing.refused), listing.count, report.quarantine)


class Queries(Protocol):
    """What reading a receipt needs of a store."""

    def query(self, sql: str, parameters: Mapping[str, Any] | None = None) -> pa.Table:
        """Return the result of one reading statement."""


def stored_receipt(store: Queries, entry: FileClaim) -> Receipt:
    """Return what the store says about a claimed body.

    Raises:
        UnableToQuery: when the store cannot be read.
    """
    where = {"claim": entry.claim}
    columns = ", ".join(f"toInt64(sum({column})) AS {column}" for column in SUMMED)
    (sums,) = store.query(f"SELECT {columns} FROM fact_block WHERE claim = {{claim:UInt32}}", where).to_pylist()
    refused = store.query(
        f"SELECT {', '.join(_COLUMNS)} FROM fact_rejection WHERE claim = {{claim:UInt32}} "
        f"ORDER BY {', '.join(_ORDER)} LIMIT {LISTED_MAX}",
        where,
    )
    (counted,) = store.query("SELECT count() AS n FROM fact_rejection WHERE claim = {claim:UInt32}", where).to_pylist()
    end = store.query("SELECT status, code, message FROM fact_claim WHERE claim = {claim:UInt32}", where).to_pylist()
    quarantine = [QuarantinedFile(row["code"], row["message"]) for row in end if row["status"] == "quarantined"]
    return Receipt(
        entry.claim,
        entry.source,
        sums,
        tuple(_refused(refused)),
        counted["n"],
        quarantine[0] if quarantine else None,
    )
