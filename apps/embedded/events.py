"""What entries of the log say about rejections, claims and rated items that are stored already."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from apps.embedded.cancelled import open_checked
from apps.embedded.ports import FactStore
from apps.embedded.reports import ClaimReport
from pipelines.spool.journal import (
    Abandon,
    Bill,
    Cancel,
    Discard,
    EdrRetry,
    FileClaim,
    Invoices,
    JournalEntry,
    Mark,
    RecordRetry,
    Refusal,
    Reopen,
    Rerate,
    with_branch,
)
from rating.vocabulary import NameTable
from schemas.billed import BILLED_LINES_SCHEMA, BILLED_SCHEMA
from schemas.invoicing import INVOICE_SCHEMA, LINE_SCHEMA, TAX_SCHEMA
from sinks.clickhouse.store import BilledItems, ClaimEvent, FinishedClaim, IssuedInvoices, RejectionEvent
from sinks.clickhouse.tables.rejection_event import corrected_as

What = Literal["discarded", "replayed", "marked", "reopened", "cancelled"]


def store_events(store: FactStore, entry: JournalEntry, archive: Path) -> None:
    """Store what an entry does to what is stored already.

    Raises:
        UnableToReadArchive: when what it says is gone, or not what was journaled.
    """
    store.write_rejection_events(rejection_events(entry))
    store.write_claim_events(claim_events(entry))
    if isinstance(entry, Bill):
        marks = open_checked(archive / entry.stored, entry.sha256, BILLED_SCHEMA, BILLED_LINES_SCHEMA).read_all()
        store.write_billed(BilledItems(marks, entry.received_at, entry.claim))
    if isinstance(entry, Invoices):
        named = (
            (entry.stored, entry.sha256, INVOICE_SCHEMA),
            (entry.lines, entry.lines_sha256, LINE_SCHEMA),
            (entry.taxes, entry.taxes_sha256, TAX_SCHEMA),
        )
        invoices, lines, taxes = (
            open_checked(archive / stored, sha256, schema).read_all() for stored, sha256, schema in named
        )
        store.write_invoices(IssuedInvoices(invoices, lines, taxes, entry.received_at, entry.claim))


def rejection_events(entry: JournalEntry) -> list[RejectionEvent]:
    """Return what an entry does to rejections that it names."""

    def of(places: Sequence[Refusal], what: What, reason: str = "") -> list[RejectionEvent]:
        return [
            RejectionEvent(claim, record, what, reason, entry.received_at, entry.claim, branch)
            for claim, record, branch in map(with_branch, places)
        ]

    match entry:
        case FileClaim():
            return [
                RejectionEvent(
                    claim, record, "replayed", corrected_as(entry.claim, place), entry.received_at, entry.claim, branch
                )
                for place, (claim, record, branch) in enumerate(map(with_branch, entry.refused))
            ]
        case RecordRetry() | EdrRetry() | Rerate():
            return of(entry.refused, "replayed")
        case Discard():
            return of(entry.refused, "discarded", entry.reason)
        case Mark():
            return of(entry.refused, "marked", entry.reason)
        case Reopen():
            return of(entry.refused, "reopened", entry.reason)
        case Cancel():
            again = of(entry.reopened, "reopened", f"its correction was backed out: {entry.reason}")
            return of(entry.refused, "cancelled", entry.reason) + of(entry.replayed, "replayed") + again
        case Abandon():
            return of(entry.reopened, "reopened", f"its correction was abandoned: {entry.reason}")
        case _:
            return []


def claim_events(entry: JournalEntry) -> list[ClaimEvent]:
    """Return what an entry does to whole claims."""
    if not isinstance(entry, Cancel):
        return []
    return [
        ClaimEvent(claim, "backed_out", entry.reason, entry.received_at, entry.claim) for claim in sorted(entry.claims)
    ]


def finished_claim(report: ClaimReport, sources: NameTable, tenant: str) -> FinishedClaim:
    """Return what is stored of an entry that is done."""
    entry, refusal = report.entry, report.quarantine
    file = entry if isinstance(entry, FileClaim) else None
    return FinishedClaim(
        claim=entry.claim,
        tenant=tenant,
        kind=entry.kind,
        received_at=entry.received_at,
        source=sources.id(file.source) if file else -1,
        name=file.name if file else "",
        sha256=report.sha256,
        size=file.size if file else 0,
        status="quarantined" if refusal else "done",
        code=refusal.code if refusal else "",
        message=refusal.message if refusal else "",
        duplicate_of=report.duplicate_of,
    )
