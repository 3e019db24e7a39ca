"""What the engine needs of a store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import pyarrow as pa

from schemas.output import OutputBlock
from schemas.wallets import WalletMovement
from sinks.clickhouse.store import (
    AccessTransfers,
    BilledItems,
    ClaimEvent,
    Completeness,
    FinishedClaim,
    IssuedInvoices,
    RejectionEvent,
    StoredRequest,
)


class FactStore(Protocol):
    """The writing and reading side of `sinks.clickhouse.store.Store` that the engine uses."""

    def write(self, blocks: Sequence[OutputBlock]) -> None:
        """Store the facts of blocks, then their headers."""

    def completeness(self, from_claim: int, from_block: int, also: tuple[int, int] = (0, 0)) -> Completeness:
        """Return which blocks are stored from some point of the log on, and of another claim from one of its blocks on."""

    def write_names(self, names: Mapping[str, pa.Table]) -> None:
        """Store what ids stand for."""

    def write_movements(self, movements: Sequence[WalletMovement], *, tenant: str) -> None:
        """Store movements of wallets."""

    def write_notices(self, found: pa.RecordBatch, claim: int, at: int, image: int, *, tenant: str) -> None:
        """Store the notifications of movements of one claim."""

    def write_wallet_requests(self, requests: Sequence[StoredRequest], *, tenant: str) -> None:
        """Store the top-ups, adjustments and transfers of one claim."""

    def write_transfers(self, transfers: AccessTransfers) -> None:
        """Store the transfers of access points that one activation brought."""

    def write_billed(self, billed: BilledItems) -> None:
        """Store the billed marks of one entry."""

    def write_invoices(self, issued: IssuedInvoices) -> None:
        """Store the invoices of one entry."""

    def write_claims(self, claims: Sequence[FinishedClaim]) -> None:
        """Store the ends of claims."""

    def write_rejection_events(self, events: Sequence[RejectionEvent]) -> None:
        """Store what happened to rejections."""

    def write_claim_events(self, events: Sequence[ClaimEvent]) -> None:
        """Store what happened to whole claims."""

    def keep_usage(self, before: int) -> bool:
        """Sum up usage of entries before one, of which all is stored; return whether there was enough to do."""

    def query(self, sql: str, parameters: Mapping[str, Any] | None = None) -> pa.Table:
        """Return the result of one reading statement."""

    def close(self) -> None:
        """Close the store."""


class NoStore:
    """Keeps nothing: the store of a dry run."""

    def write(self, blocks: Sequence[OutputBlock]) -> None:
        """Drop the blocks."""

    def completeness(self, from_claim: int, from_block: int, also: tuple[int, int] = (0, 0)) -> Completeness:
        """Return that nothing is stored."""
        return Completeness({})

    def write_names(self, names: Mapping[str, pa.Table]) -> None:
        """Drop the names."""

    def write_movements(self, movements: Sequence[WalletMovement], *, tenant: str) -> None:
        """Drop the movements."""

    def write_notices(self, found: pa.RecordBatch, claim: int, at: int, image: int, *, tenant: str) -> None:
        """Drop the notifications."""

    def write_wallet_requests(self, requests: Sequence[StoredRequest], *, tenant: str) -> None:
        """Drop the requests."""

    def write_transfers(self, transfers: AccessTransfers) -> None:
        """Drop the transfers."""

    def write_billed(self, billed: BilledItems) -> None:
        """Drop the marks."""

    def write_invoices(self, issued: IssuedInvoices) -> None:
        """Drop the invoices."""

    def write_claims(self, claims: Sequence[FinishedClaim]) -> None:
        """Drop the claims."""

    def write_rejection_events(self, events: Sequence[RejectionEvent]) -> None:
        """Drop the events."""

    def write_claim_events(self, events: Sequence[ClaimEvent]) -> None:
        """Drop the events."""

    def keep_usage(self, before: int) -> bool:
        """Return that nothing was done."""
        return False

    def query(self, sql: str, parameters: Mapping[str, Any] | None = None) -> pa.Table:
        """Return an empty table."""
        return pa.table({})

    def close(self) -> None:
        """Close nothing."""
