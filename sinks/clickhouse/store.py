"""The store of facts: what the pipeline writes into and analysts read from.

Exactly once: the facts of a block are inserted first, one part per table, its header last. A block whose header is
stored is complete; of another one, `completeness` says which tables hold it already, and `write` leaves those out.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from schemas.notification import NO_BLOCK
from schemas.output import OutputBlock
from schemas.wallets import WalletMovement
from sinks.clickhouse.balance import Difference, find_differences
from sinks.clickhouse.blocks import by_day, by_size, check_blocks, key_of, missing
from sinks.clickhouse.client import (
    READER_SETTINGS,
    WRITER_SETTINGS,
    Connection,
    UnableToOpenStore,
    UnableToQuery,
    UnableToStore,
)
from sinks.clickhouse.completeness import BlockKey, Completeness, read_completeness
from sinks.clickhouse.layout import apply_migrations, create_database
from sinks.clickhouse.long_work import LongWork
from sinks.clickhouse.native import UnableToEncode, native_block
from sinks.clickhouse.table import DATABASE, Table
from sinks.clickhouse.tables.access_transfer import FACT_ACCESS_TRANSFER, AccessTransfers, transfer_table
from sinks.clickhouse.tables.assembled_part import FACT_ASSEMBLED_PART, part_columns
from sinks.clickhouse.tables.billed import FACT_BILLED, BilledItems, billed_table
from sinks.clickhouse.tables.block import FACT_BLOCK, block_table
from sinks.clickhouse.tables.claim import FACT_CLAIM, FinishedClaim, claim_table
from sinks.clickhouse.tables.claim_event import FACT_CLAIM_EVENT, ClaimEvent, claim_event_table
from sinks.clickhouse.tables.dimensions import DIM_TENANT, DIMENSIONS, dictionary_name
from sinks.clickhouse.tables.invoice import INVOICE_FACTS, IssuedInvoices
from sinks.clickhouse.tables.notification import FACT_NOTIFICATION, notice_table, notification_table
from sinks.clickhouse.tables.place import ingest_day
from sinks.clickhouse.tables.rejection import FACT_REJECTION, rejection_table
from sinks.clickhouse.tables.rejection_event import FACT_REJECTION_EVENT, RejectionEvent, rejection_event_table
from sinks.clickhouse.tables.reversal import FACT_REVERSAL, reversal_table
from sinks.clickhouse.tables.sequence_run import FACT_SEQUENCE_RUN, run_table
from sinks.clickhouse.tables.usage import FACT_USAGE, usage_columns
from sinks.clickhouse.tables.wallet_operation import (
    FACT_WALLET_OPERATION,
    movement_columns,
    operation_columns,
)
from sinks.clickhouse.tables.wallet_request import FACT_WALLET_REQUEST, StoredRequest, request_table

TOKENS = 10_000
"""Inserts whose tokens a table remembers: hours of them, far more than come between two looks at what is stored."""
WRITTEN_IN_BLOCKS = (
    FACT_USAGE,
    FACT_WALLET_OPERATION,
    FACT_REJECTION,
    FACT_REVERSAL,
    FACT_ASSEMBLED_PART,
    FACT_SEQUENCE_RUN,
    FACT_NOTIFICATION,
    FACT_BLOCK,
)
"""In the order in which a block's rows are inserted."""
Event = TypeVar("Event", RejectionEvent, ClaimEvent)

__all__ = [
    "AccessTransfers",
    "BilledItems",
    "ClaimEvent",
    "Completeness",
    "Difference",
    "FinishedClaim",
    "IssuedInvoices",
    "RejectionEvent",
    "Store",
    "StoredRequest",
    "UnableToOpenStore",
    "UnableToQuery",
    "UnableToStore",
]

_NATIVE: Sequence[tuple[Table, Callable[[Sequence[OutputBlock], Mapping[str, int]], Mapping[str, Any]]]] = (
    (FACT_USAGE, usage_columns),
    (FACT_WALLET_OPERATION, operation_columns),
    (FACT_ASSEMBLED_PART, part_columns),
)
_ARROW: Sequence[tuple[Table, Callable[[Sequence[OutputBlock], Mapping[str, int]], pa.Table]]] = (
    (FACT_REJECTION, rejection_table),
    (FACT_REVERSAL, reversal_table),
    (FACT_SEQUENCE_RUN, run_table),
    (FACT_NOTIFICATION, notification_table),
)


def _pending(blocks: Sequence[OutputBlock], known: Mapping[str, Mapping[BlockKey, int]]) -> Sequence[OutputBlock]:
    complete = known.get(FACT_BLOCK.name, {})
    return [block for block in blocks if key_of(block) not in complete]


def _named(table: Table, group: Sequence[OutputBlock], *, tokens: bool) -> str | None:
    claim, block = key_of(group[0])
    return f"{table.name}/{claim}/{block}" if tokens else None


class Store:
    """An open store. One thread writes while others query; writes follow one another under a lock."""

    def __init__(self, writer: Connection, reader: Connection, long: LongWork) -> None:
        """Take two connections to the same store, of which `reader` only reads, and what opens others for what takes long."""
        self.long = long
        self._writer = writer
        self._reader = reader
        self._lock = threading.Lock()
        self._tenants: dict[str, int] | None = None
        self._known: Mapping[str, Mapping[BlockKey, int]] | None = None
        self._known_from: BlockKey = (0, 0)

    @classmethod
    def open(cls, path: Path) -> Store:
        """Open or create the embedded store in the directory `path`.

        Raises:
            UnableToOpenStore: when another process has it open, this process has another one open, or it is damaged.
        """
        writer = Connection.embedded(path, WRITER_SETTINGS)
        try:
            create_database(writer)
            reader = Connection.embedded(path, READER_SETTINGS, database=DATABASE)
        except (UnableToStore, UnableToQuery) as error:
            writer.close()
            raise UnableToOpenStore(f"cannot open the store {path}: {error}") from error
        except UnableToOpenStore:
            writer.close()
            raise
        return cls(writer, reader, LongWork(partial(Connection.embedded, path, database=DATABASE)))

    @classmethod
    def connect(cls, address: str) -> Store:
        """Open the store on a server, which others may write to as well; what is inserted under a token is remembered there.

        Raises:
            UnableToOpenStore: when the server does not answer, or refuses.
        """
        writer = Connection.server(address, WRITER_SETTINGS)
        try:
            create_database(writer)
            reader = Connection.server(address, READER_SETTINGS, database=DATABASE)
            return cls(writer, reader, LongWork(partial(Connection.server, address, database=DATABASE)))
        except (UnableToStore, UnableToQuery) as error:
            raise UnableToOpenStore(f"cannot open the store: {error}") from error

    def remember_tokens(self) -> None:
        """Have every fact table remember the tokens of its latest inserts. Views read tables, so there is nothing else to tell.

        Raises:
            UnableToStore: when the database refuses.
        """
        with self._lock:
            for table in WRITTEN_IN_BLOCKS:
                self._writer.execute(
                    f"ALTER TABLE {table.qualified} MODIFY SETTING non_replicated_deduplication_window = {TOKENS}"
                )

    def close(self) -> None:
        """Close the store."""
        self.long.close()
        self._reader.close()
        self._writer.close()

    def migrate(self) -> None:
        """Bring the layout to this release's: missing steps are applied, views that changed are replaced.

        Raises:
            UnableToOpenStore: when the layout is a newer release's, or not what its steps made.
        """
        with self._lock:
            apply_migrations(self._writer)

    # ---- blocks

    def write(
        self,
        blocks: Sequence[OutputBlock],
        present: Mapping[str, Mapping[BlockKey, int]] | None = None,
        *,
        tokens: bool = False,
        verify: bool = False,
    ) -> None:
        """Store the facts of `blocks`, then their headers; leave out what is stored already.

        What is stored is looked up at the first write, at the first one after a failure, and where a block lies before those
        looked up so far: from the smallest block of the write on, so that a retry of it is exact. `present`
        (`Completeness.present`) adds to that.

        With `tokens` each insert is named by its first block, where others may write too: of two that begin with the same
        block the second is dropped, whatever else it holds. To `verify` is to look at what is there before the headers are
        written, and again after it, and to store the rest.

        Raises:
            UnableToStore: when the database refuses (transient or not), or a block contradicts its own header.
            UnableToQuery: when it cannot be looked up what is stored.
        """
        with self._lock:
            check_blocks(blocks)
            if not blocks:
                return
            if self._known is None or min(key_of(block) for block in blocks) < self._known_from:
                self._known = self._look(blocks)
            known: Mapping[str, Mapping[BlockKey, int]] = {
                name: {**self._known.get(name, {}), **(present or {}).get(name, {})}
                for name in (*self._known, *(present or {}))
            }
            try:
                self._write_facts(blocks, known, tokens=tokens)
                if verify:
                    known = self._look(blocks)
                    self._write_facts(blocks, known, tokens=False)
                self._write_headers(blocks, known, tokens=tokens)
                if verify:
                    known = self._known = self._look(blocks)
                    self._write_headers(blocks, known, tokens=False)
            except BaseException:
                self._known = None
                raise

    def forget(self) -> None:
        """Look up again what is stored before the next write: somebody else may have written."""
        with self._lock:
            self._known = None

    def _look(self, blocks: Sequence[OutputBlock]) -> Mapping[str, Mapping[BlockKey, int]]:
        self._known_from = min(key_of(block) for block in blocks)
        return read_completeness(self._writer, self._known_from).present

    def _write_facts(
        self, blocks: Sequence[OutputBlock], known: Mapping[str, Mapping[BlockKey, int]], *, tokens: bool
    ) -> None:
        tenants = self._tenant_ids({block.header.tenant for block in blocks})
        pending = _pending(blocks, known)
        for table, columns in _NATIVE:
            for same_day in by_day(missing(table, pending, known)):
                self._insert_native(table, columns(same_day, tenants), _named(table, same_day, tokens=tokens))
        for table, rows in _ARROW:
            for same_day in by_day(missing(table, pending, known)):
                for group in by_size(same_day) if table is FACT_REJECTION else [same_day]:
                    name = _named(table, group, tokens=tokens)
                    self._writer.insert_arrow(table.qualified, rows(group, tenants), name)

    def _write_headers(
        self, blocks: Sequence[OutputBlock], known: Mapping[str, Mapping[BlockKey, int]], *, tokens: bool
    ) -> None:
        tenants = self._tenant_ids({block.header.tenant for block in blocks})
        for same_day in by_day(_pending(blocks, known)):
            headers = block_table([block.header for block in same_day], tenants)
            name = _named(FACT_BLOCK, same_day, tokens=tokens)
            self._writer.insert_arrow(FACT_BLOCK.qualified, headers, name)

    def _insert_native(self, table: Table, columns: Mapping[str, Any], token: str | None = None) -> None:
        try:
            self._writer.insert_native(table.qualified, table.names, native_block(table, columns), token)
        except UnableToEncode as error:
            raise UnableToStore(str(error), transient=False) from error

    def completeness(self, from_claim: int, from_block: int, also: BlockKey = (0, 0)) -> Completeness:
        """Return what is stored of the blocks from (from_claim, from_block) on, and of the claim of `also` from its block on.

        Writes from now on take it for what is stored: they need not come in the order of claims.

        Raises:
            UnableToStore: when a table holds another number of a block's rows than its header says.
            UnableToQuery: when the tables cannot be read.
        """
        with self._lock:
            found = read_completeness(self._writer, (from_claim, from_block), also)
            self._known, self._known_from = found.present, (0, 0)
            return found

    # ---- everything else that is stored

    def write_movements(self, movements: Sequence[WalletMovement], *, tenant: str) -> None:
        """Store movements that no usage causes, of one kind; those of a claim that has any of it stored already are left out.

        All movements of a claim of that kind come in one call.

        Raises:
            UnableToStore: when the database refuses.
        """
        if not movements:
            return  # as of most claims, which do not wait for the insert in hand
        with self._lock:
            (kind,) = {int(movement.kind) for movement in movements}
            where = f"kind = {kind} AND claim >= {min(movement.claim for movement in movements)}"
            stored = self._stored_ids(FACT_WALLET_OPERATION, "claim", where)
            fresh = [movement for movement in movements if movement.claim not in stored]
            tenant_id = self._tenant_ids({tenant})[tenant]
            for day in sorted({ingest_day(movement.at) for movement in fresh}):
                same_day = [movement for movement in fresh if ingest_day(movement.at) == day]
                self._insert_native(FACT_WALLET_OPERATION, movement_columns(same_day, tenant_id))

    def write_notices(self, found: pa.RecordBatch, claim: int, at: int, image: int, *, tenant: str) -> None:
        """Store notifications of movements that no usage causes, all of one claim and branch, unless any is stored already.

        Args:
            found: of NOTIFICATION_SCHEMA. at: microseconds UTC, when the claim was journaled. image: whose levels they are.

        Raises:
            UnableToStore: when the database refuses.
        """
        with self._lock:
            (branch,) = pc.unique(found["branch"]).to_pylist()
            where = f"claim = {claim} AND block = {NO_BLOCK} AND branch = {branch}"
            if not self._stored_ids(FACT_NOTIFICATION, "claim", where):
                rows = notice_table(found, claim, at, image, self._tenant_ids({tenant})[tenant])
                self._writer.insert_arrow(FACT_NOTIFICATION.qualified, rows)

    def write_wallet_requests(self, requests: Sequence[StoredRequest], *, tenant: str) -> None:
        """Store the requests of one claim, unless any of them is stored already.

        Raises:
            UnableToStore: when the database refuses.
        """
        with self._lock:
            if not requests:
                return
            (claim,) = {asked.claim for asked in requests}
            if not self._stored_ids(FACT_WALLET_REQUEST, "claim", f"claim = {claim}"):
                rows = request_table(requests, self._tenant_ids({tenant}), tenant)
                self._writer.insert_arrow(FACT_WALLET_REQUEST.qualified, rows)

    def write_transfers(self, transfers: AccessTransfers) -> None:
        """Store the transfers of one activation, unless any of them is stored already.

        Raises:
            UnableToStore: when the database refuses.
        """
        with self._lock:
            if not len(transfers):
                return
            if not self._stored_ids(FACT_ACCESS_TRANSFER, "claim", f"claim = {transfers.claim}"):
                tenants = self._tenant_ids({transfers.tenant})
                self._writer.insert_arrow(FACT_ACCESS_TRANSFER.qualified, transfer_table(transfers, tenants))

    def write_billed(self, billed: BilledItems) -> None:
        """Store the billed marks of one entry, unless any of them is stored already.

        Raises:
            UnableToStore: when the database refuses.
        """
        with self._lock:
            if billed.items.num_rows and not self._stored_ids(FACT_BILLED, "by_claim", f"by_claim = {billed.by_claim}"):
                self._writer.insert_arrow(FACT_BILLED.qualified, billed_table(billed))

    def write_invoices(self, issued: IssuedInvoices) -> None:
        """Store the invoices of one entry, lines and taxes first; of each table only unless rows of that entry are stored.

        Raises:
            UnableToStore: when the database refuses.
        """
        with self._lock:
            for table in INVOICE_FACTS:
                rows = issued.of(table)
                if rows.num_rows and not self._stored_ids(table, "by_claim", f"by_claim = {issued.by_claim}"):
                    self._writer.insert_arrow(table.qualified, rows)

    def write_claims(self, claims: Sequence[FinishedClaim]) -> None:
        """Store the ends of claims; those stored already are left out.

        Raises:
            UnableToStore: when the database refuses.
        """
        with self._lock:
            if not claims:
                return
            tenants = self._tenant_ids({claim.tenant for claim in claims})
            stored = self._stored_ids(FACT_CLAIM, "claim", f"claim >= {min(claim.claim for claim in claims)}")
            fresh = [claim for claim in claims if claim.claim not in stored]
            for day in sorted({ingest_day(claim.received_at) for claim in fresh}):
                same_day = [claim for claim in fresh if ingest_day(claim.received_at) == day]
                self._writer.insert_arrow(FACT_CLAIM.qualified, claim_table(same_day, tenants))

    def write_rejection_events(self, events: Sequence[RejectionEvent]) -> None:
        """Store what happened to rejections; events of a `by_claim` that has any stored already are left out.

        All events of a `by_claim` come in one call.

        Raises:
            UnableToStore: when the database refuses.
        """
        if not events:
            return  # as of most claims, which do not wait for the insert in hand
        with self._lock:
            self._write_events(FACT_REJECTION_EVENT, events, rejection_event_table)

    def write_claim_events(self, events: Sequence[ClaimEvent]) -> None:
        """Store what happened to whole claims; events of a `by_claim` that has any stored already are left out.

        All events of a `by_claim` come in one call.

        Raises:
            UnableToStore: when the database refuses.
        """
        if not events:
            return  # as of most claims, which do not wait for the insert in hand
        with self._lock:
            self._write_events(FACT_CLAIM_EVENT, events, claim_event_table)

    def _write_events(self, table: Table, events: Sequence[Event], rows: Callable[[list[Event]], pa.Table]) -> None:
        stored = self._stored_ids(table, "by_claim", f"by_claim >= {min(event.by_claim for event in events)}")
        fresh = [event for event in events if event.by_claim not in stored]
        for day in sorted({ingest_day(event.at) for event in fresh}):
            same_day = [event for event in fresh if ingest_day(event.at) == day]
            self._writer.insert_arrow(table.qualified, rows(same_day))

    def write_names(self, names: Mapping[str, pa.Table]) -> None:
        """Store what ids stand for: per dimension table a table of its schema; ids stored already are left out.

        Raises:
            KeyError: when no dimension has that name, or one of its columns is absent.
            UnableToStore: when the database refuses.
        """
        with self._lock:
            for name, rows in names.items():
                self._write_names(DIMENSIONS[name], rows)

    def _write_names(self, table: Table, rows: pa.Table) -> None:
        stored = self._one(f"SELECT count() = 0 ? -1 : toInt64(max(id)) AS id FROM {table.qualified}")
        complete = rows.select(table.names).cast(table.schema)
        fresh = complete.filter(pc.greater(complete["id"].cast(pa.int64()), pa.scalar(stored, pa.int64())))
        if fresh.num_rows == 0:
            return
        self._writer.insert_arrow(table.qualified, fresh)
        name = dictionary_name(table)
        loaded = self._one(
            "SELECT count() AS n FROM system.dictionaries "
            f"WHERE concat(database, '.', name) = '{name}' AND status = 'LOADED'"
        )
        if loaded:
            self._writer.execute(f"SYSTEM RELOAD DICTIONARY {name}")

    # ---- reading

    def query(self, sql: str, parameters: Mapping[str, Any] | None = None) -> pa.Table:
        """Return the result of one reading statement; `{name:Type}` in it stands for `parameters[name]`.

        Raises:
            UnableToQuery: when it does not only read, is wrong, or its result exceeds a million rows or 256 MiB.
        """
        return self._reader.select(sql, parameters)

    def keep_usage(self, before: int) -> bool:
        """Sum up usage as `LongWork.keep_usage` does, when there is enough.

        Raises:
            UnableToStore, UnableToQuery: as that does.
        """
        return self.long.keep_usage(before)

    def balance_check(self) -> list[Difference]:
        """Return where the facts, counted again, differ from the headers, and balances from their operations.

        Raises:
            UnableToQuery: when the tables cannot be read.
        """
        return find_differences(self._reader)

    def _one(self, sql: str) -> int:
        (row,) = self._writer.rows(sql)
        return int(next(iter(row.values())))

    def _stored_ids(self, table: Table, column: str, where: str) -> set[int]:
        found = self._writer.rows(f"SELECT DISTINCT {column} FROM {table.qualified} WHERE {where}")
        return {int(row[column]) for row in found}

    def _tenant_ids(self, names: set[str]) -> Mapping[str, int]:
        if self._tenants is None:
            found = self._writer.rows(f"SELECT id, code FROM {DIM_TENANT.qualified}")
            self._tenants = {row["code"]: row["id"] for row in found}
        unknown = sorted(names - self._tenants.keys())
        if unknown:
            first = len(self._tenants)
            added = {name: first + index for index, name in enumerate(unknown)}
            rows = pa.table({"id": pa.array(added.values(), pa.uint32()), "code": pa.array(added.keys(), pa.string())})
            self._write_names(DIM_TENANT, rows)
            self._tenants |= added
        return self._tenants
