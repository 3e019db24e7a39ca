"""The embedded engine: the log is replayed from the latest snapshot, then every new entry goes through all the stages.

Exactly once: state and output are functions of the journal. The store says which blocks it holds completely; a block
that it misses is emitted again, the same, after a crash.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np

from apps.embedded.abandon import abandoned, naming, refusal_of
from apps.embedded.agreement import agreed_state
from apps.embedded.cancelled import cancelled_blocks, open_commands, open_renewal
from apps.embedded.charging import ChargingDesk
from apps.embedded.digest import SMALL_BYTES, FileDigest
from apps.embedded.events import finished_claim, store_events
from apps.embedded.files import (
    QuarantinedFile,
    ReadableFile,
    UnableToReadArchive,
    inspect_file,
    unknown_source,
)
from apps.embedded.holding import held
from apps.embedded.images import ActiveImage, PreparedActivation, activate, recompile
from apps.embedded.layout import DataDirectory
from apps.embedded.ports import FactStore
from apps.embedded.reports import ClaimReport, StageTimes
from apps.embedded.rerated import replaced_places, rerated_blocks
from apps.embedded.retried import retried_blocks
from apps.embedded.snapshots import Snapshots
from apps.embedded.threads import Ahead, Writer, start_writer
from apps.embedded.ticking import timed_out_blocks
from apps.embedded.unsettled import Unsettled
from apps.embedded.wallet_desk import WalletDesk
from apps.embedded.wallet_entries import change_wallets, expire_credit
from apps.settings import Settings
from billing.catalog.fees import FEE_SOURCE
from pipelines.account.stage import ClaimContext, finish_records
from pipelines.mediation.decode import Decoder, describe
from pipelines.resource.dedup import open_period_days
from pipelines.resource.reopening import revise
from pipelines.resource.stage import process
from pipelines.snapshot import StageState, read_latest_snapshot
from pipelines.spool.claims import Terms
from pipelines.spool.journal import (
    Abandon,
    Cancel,
    Charging,
    Discard,
    EdrRetry,
    FileClaim,
    ImageClaim,
    Journal,
    JournalEntry,
    RecordRetry,
    Renewal,
    Rerate,
    Tick,
    WalletChange,
)
from schemas.arrays import Int64Array, UInt16Array
from schemas.cdr import CdrBlock, select_records
from schemas.output import BlockHeader, OutputBlock

DECODE_AHEAD = 2
CLAIMS_PER_WRITE = 200


def _nothing(records: int) -> None:
    """Report progress to nobody."""


Watch = Callable[[Decoder, CdrBlock, UInt16Array, OutputBlock], None]
"""Told the decoder, a decoded block, the final reason of each of its records, and what came of it."""


def _unwatched(decoder: Decoder, cdrs: CdrBlock, reason: UInt16Array, output: OutputBlock) -> None:
    """Show a block to nobody."""


@dataclass(slots=True)
class Engine:
    """Everything that one owner of a data directory has open. Use `open_engine`.

    Attributes:
        report: told sentences that an operator must see. progress: told the records of every block that passed.
        watch: shown every block of records before it is stored; it may read, not change.
        abandoned: by claim, the files that are not to be read on.
        charging: takes requests of online charging between two blocks. wallets: takes top-ups and the like between two entries.
        beside: by operation, who answers others for whoever attends the session, in the thread that asks.
        snapshots: the one that is made beside all this.
        newer_came: whether records may have been parked that replace earlier ones (`apps.embedded.supersede`).
    """

    directory: DataDirectory
    settings: Settings
    journal: Journal
    state: StageState
    store: FactStore
    writer: Writer
    secret: bytes
    now: Callable[[], int]
    report: Callable[[str], None]
    progress: Callable[[int], None] = _nothing
    watch: Watch = _unwatched
    active: ActiveImage | None = None
    times: StageTimes = field(default_factory=StageTimes)
    complete: frozenset[tuple[int, int]] = frozenset()
    abandoned: Mapping[int, Abandon] = field(default_factory=dict)
    newer_came: bool = True
    charging: ChargingDesk = field(default_factory=ChargingDesk)
    wallets: WalletDesk = field(default_factory=WalletDesk)
    snapshots: Snapshots = field(default_factory=Snapshots)
    beside: dict[str, Callable[[dict[str, Any]], Any]] = field(default_factory=dict)
    _hashes: dict[str, int] = field(default_factory=dict)
    _unsettled: Unsettled = field(init=False)
    _prepared: PreparedActivation | None = None

    def __post_init__(self) -> None:
        """Nothing is finished yet."""
        self._unsettled = Unsettled(self.store, self.directory.out)

    @property
    def terms(self) -> Terms:
        """What new claims fix."""
        settings = self.settings
        days = settings.dedup_window_days
        if days == "open_period":
            days = open_period_days(self.journal.stage_time(self.now()))
        return Terms(
            settings.block_bytes,
            None if days == "unlimited" else days,
            settings.file_bytes_max,
            settings.expansion_max,
        )

    @property
    def sources(self) -> list[str]:
        """The sources of the active catalog."""
        return sorted(self.active.catalog.sources) if self.active else []

    # ---- the log

    def recover(self) -> list[ClaimReport]:
        """Bring the state to the end of the journal, emitting again what the store misses.

        Raises:
            UnableToReadJournal: when snapshot or store know of entries that the journal does not have.
        """
        self.state = agreed_state(self.journal, self.state, self.store, self.report)
        if self.state.image:
            self.active = recompile(self.directory, self.state.image, self.state)
        charging = self.state.charging
        self.complete = self.store.completeness(*self.state.position, (charging.segment, charging.block)).complete
        self.abandoned = abandoned(self.journal.entries)
        self.charging.load(self)
        known = self.store.query(
            "SELECT sha256, min(claim) AS claim FROM fact_claim WHERE kind = 'file' GROUP BY sha256"
        )
        self._hashes = {row["sha256"]: row["claim"] for row in known.to_pylist()}
        reports = [self.process(entry) for entry in self.journal.entries[self.state.claim - 1 :]]
        self.charging.recovered(self)
        self.complete = frozenset()
        return reports

    def put_into_force(self, prepared: PreparedActivation) -> ClaimReport:
        """Journal and process the activation of a catalog that is archived, and that was prepared for what is in force now."""
        entry = ImageClaim(
            claim=self.journal.next_claim,
            received_at=self.journal.stage_time(self.now()),
            content_hash=prepared.prepared.catalog.content_hash,
        )
        self.journal.append(entry)
        self._prepared = prepared
        try:
            return self.process(entry)
        finally:
            self._prepared = None

    def process(self, entry: JournalEntry) -> ClaimReport:
        """Take the next entry of the log through the stages; the state moves past it."""
        if entry.claim != self.state.claim:
            raise ValueError(f"entry {entry.claim} cannot be processed: entry {self.state.claim} is next")
        self.charging.replay(self)
        expire_credit(self, entry)
        resumed = self._resume_block(entry) > 0
        if isinstance(entry, FileClaim | RecordRetry):
            report = self._process_records(entry)
        elif isinstance(entry, EdrRetry):
            report = ClaimReport(entry, tuple(self._emit_all(self._retried_edrs(entry), serving=True)))
        elif isinstance(entry, Cancel):
            report = ClaimReport(entry, tuple(self._emit_all(self._cancelled(entry))))
        elif isinstance(entry, Rerate):
            again = rerated_blocks(self.directory, entry, self.state, self._image(), self.settings.tenant)
            report = ClaimReport(entry, tuple(self._emit_all(again)))
        elif isinstance(entry, Tick):
            ended = timed_out_blocks(entry, self.state, self._image(), self.settings.tenant, self._resume_block(entry))
            report = ClaimReport(entry, tuple(self._emit_all(ended)))
        else:
            if isinstance(entry, ImageClaim):
                activation = activate(self.directory, entry, self.state, self.active, self._prepared)
                self.active = activation.active
                words, tenant = self.state.vocabulary, self.settings.tenant
                self.writer.then(partial(activation.store, self.store, entry, words, tenant=tenant))
            elif isinstance(entry, Renewal):
                revise(self.state.resource.assembly, open_renewal(self.directory.spool.archive, entry))
            elif isinstance(entry, WalletChange):
                change_wallets(self, entry)
            elif isinstance(entry, Discard):
                self.state.resource.versions.unsee(entry.unseen)
            elif isinstance(entry, Charging):
                self.charging.begin(self, entry)
            report = ClaimReport(entry)
        store_events(self.store, entry, self.directory.spool.archive)
        if isinstance(entry, FileClaim) and (resumed or report.total("rejected") or report.total("parked")):
            self._unsettled.refusals.append((entry, self._image().catalog.sources[entry.source].format))
        self._finish(report)
        self.state.claim, self.state.block = entry.claim + 1, 0
        self.snapshots.claims += 1
        self.snapshots.between(self)
        return report

    # ---- records

    def _process_records(self, entry: FileClaim | RecordRetry) -> ClaimReport:
        root = self._root(entry)
        path = self.directory.spool.archive / root.stored
        left = self.abandoned.get(entry.claim)
        unread = left is not None and left.block == 0
        digest = FileDigest(path, root.size) if isinstance(entry, FileClaim) and not unread else None
        with naming(root, self.writer.flush):
            file = self.inspect(root)
            if isinstance(file, QuarantinedFile):
                self.report(f"{root.name} ({root.source}) is quarantined: {file.code}: {file.message}")
                return self._file_report(entry, digest, quarantine=file)
            headers = tuple(self._emit_all(self._output_blocks(entry, root, file), serving=True))
        if left is not None:
            return self._file_report(entry, digest, headers=headers, quarantine=refusal_of(left))
        grown = path.stat().st_size - root.size
        if grown > 0:
            self.report(
                f"{root.name} ({root.source}) was still being written when it was taken: {grown:,} bytes that came later are "
                "not read; drop the whole file again: what is known is then a duplicate"
            )
        return self._file_report(entry, digest, headers=headers)

    def _root(self, entry: FileClaim | RecordRetry) -> FileClaim:
        if isinstance(entry, FileClaim):
            return entry
        root = self.journal.entries[entry.file_claim - 1]
        if not isinstance(root, FileClaim):
            raise UnableToReadArchive(f"claim {entry.claim} retries claim {entry.file_claim}, which is no file")
        return root

    def replaced(self, entry: Rerate) -> tuple[Int64Array, Int64Array]:
        """Return what a rerating replaced, as `pipelines.spool.family.Replaced`."""
        return replaced_places(self.directory.spool.archive, entry)

    def inspect(self, root: FileClaim, under: ActiveImage | None = None) -> ReadableFile | QuarantinedFile:
        """Return whether a claimed file can be decoded under an image, the active one unless told otherwise.

        Raises:
            UnableToReadArchive: when its bytes cannot be read.
        """
        started = time.monotonic()
        active, left = under or self._image(), self.abandoned.get(root.claim)
        if left is not None and left.block == 0:
            return refusal_of(left)
        if root.source not in active.catalog.sources:
            return unknown_source(root.source, active)
        context = active.decode_context(root.source, self.state, tenant=self.settings.tenant, secret=self.secret)
        found = inspect_file(
            self.directory.spool.archive / root.stored,
            context,
            size=root.size,
            bytes_max=root.bytes_max,
            ratio_max=root.expansion_max,
            block_bytes=root.block_bytes,
            blocks_max=None if left is None else left.block,
            sealed=root.sealed,
        )
        self.times.verify += time.monotonic() - started
        return found

    def decoded(
        self, entry: FileClaim | RecordRetry, root: FileClaim, file: ReadableFile, first_block: int = 0
    ) -> Iterator[CdrBlock]:
        """Yield the blocks of an entry that the state does not include, numbered from `first_block` on."""
        wanted = np.array(sorted(entry.records), np.int64) if isinstance(entry, RecordRetry) else None
        blocks = file.blocks(claim=entry.claim, block_bytes=root.block_bytes)
        resume = self._resume_block(entry)
        while True:
            started = time.monotonic()
            cdrs = next(blocks, None)
            self.times.decode += time.monotonic() - started
            if cdrs is None:
                return
            position = cdrs.position
            if position.block + first_block < resume:
                continue
            if first_block:
                cdrs = replace(cdrs, position=replace(position, block=position.block + first_block))
            if wanted is not None:
                rows = np.flatnonzero(np.isin(cdrs.record, wanted))
                if len(rows) == 0:
                    continue
                cdrs = select_records(cdrs, rows)
            yield cdrs

    def _output_blocks(
        self, entry: FileClaim | RecordRetry, root: FileClaim, file: ReadableFile, first_block: int = 0
    ) -> Iterator[OutputBlock]:
        active = self._image()
        self.state.resource.dedup.take_terms(root.window_days, again=entry is not root)
        source = active.catalog.sources[root.source]
        superseding = root.claim if source.on_same_key in ("supersede", "reverse") else 0
        context = self._context(entry, root.source)
        say = partial(describe, file.decoder)
        decoded = held(self.decoded(entry, root, file, first_block), source, entry)
        for cdrs in decoded if root.size <= SMALL_BYTES else Ahead(decoded, DECODE_AHEAD):
            started = time.monotonic()
            result = process(
                cdrs,
                active.image.access,
                self.state.resource,
                stage_time=entry.received_at,
                conflict_is_duplicate=source.on_same_key == "duplicate",
                superseding_file=superseding,
                source=context.source,
                tolerance_us=source.tolerance_us,
                sent_once=source == FEE_SOURCE,
            )
            self.newer_came |= result.settles
            between = time.monotonic()
            output = finish_records(
                cdrs,
                result.reason,
                result.edrs,
                active.image,
                self.state.account,
                self.state.vocabulary,
                context,
                say,
                result.assembled,
            )
            self.times.resource += between - started
            self.times.account += time.monotonic() - between
            self.watch(file.decoder, cdrs, result.reason, output)
            yield output

    def _cancelled(self, entry: Cancel) -> Iterator[OutputBlock]:
        commands = open_commands(self.directory.spool.archive, entry)
        context = ClaimContext(
            self.settings.tenant, self.state.vocabulary.sources.id(entry.source), entry.received_at, 1
        )
        yield from cancelled_blocks(commands, entry, self.state, context, resume=self._resume_block(entry))
        retry = entry.retried()
        if retry is not None:
            root = self._root(retry)
            file = self.inspect(root)
            if isinstance(file, QuarantinedFile):
                raise UnableToReadArchive(f"{root.stored} can no longer be decoded; the log needs it: {file.message}")
            yield from self._output_blocks(retry, root, file, commands.blocks)

    def _resume_block(self, entry: JournalEntry) -> int:
        """Return the first block of an entry that the state does not include yet."""
        return self.state.block if self.state.claim == entry.claim else 0

    def _context(self, entry: FileClaim | RecordRetry | EdrRetry, source: str) -> ClaimContext:
        return ClaimContext(
            self.settings.tenant, self.state.vocabulary.sources.id(source), entry.received_at, entry.retry_count
        )

    def _retried_edrs(self, entry: EdrRetry) -> Iterator[OutputBlock]:
        context = self._context(entry, entry.source)
        archive, resume = self.directory.spool.archive, self._resume_block(entry)
        return retried_blocks(archive, entry, self.state, self._image(), context, resume)

    def _emit_all(self, blocks: Iterator[OutputBlock], *, serving: bool = False) -> Iterator[BlockHeader]:
        """Yield the headers of blocks that were given to the store; `serving`: what is charged online may come in between.

        A replay may begin behind blocks of those, and of others that count records; what comes of a rerating is taken whole.
        """
        for output in blocks:
            header = output.header
            self.emit(output)
            self.state.claim, self.state.block = header.claim, header.block + 1
            self.snapshots.records += header.received
            self.progress(header.received)
            if serving:
                self.charging.between(self)
            if serving or header.received:
                self.snapshots.between(self)
            yield header

    def emit(self, output: OutputBlock) -> None:
        """Give a block to the store, unless it holds it."""
        if (output.header.claim, output.header.block) not in self.complete:
            self.writer.put(output)

    # ---- what is known of claims

    def _file_report(
        self,
        entry: FileClaim | RecordRetry,
        digest: FileDigest | None,
        *,
        headers: tuple[BlockHeader, ...] = (),
        quarantine: QuarantinedFile | None = None,
    ) -> ClaimReport:
        if digest is None:
            return ClaimReport(entry, headers, quarantine)
        sha256 = digest.result()
        first = self._hashes.setdefault(sha256, entry.claim)
        return ClaimReport(entry, headers, quarantine, sha256, first if first < entry.claim else 0)

    def _finish(self, report: ClaimReport) -> None:
        self._unsettled.ends.append(finished_claim(report, self.state.vocabulary.sources, self.settings.tenant))
        if len(self._unsettled.ends) >= CLAIMS_PER_WRITE:
            self.flush()

    # ---- durability

    @property
    def is_unsettled(self) -> bool:
        """Whether an entry was finished that the store has not been told of."""
        return bool(self._unsettled)

    def flush(self, *, serving: bool = False) -> None:
        """Wait until everything processed so far is stored; `serving`: take what is charged online meanwhile."""
        self.writer.flush((lambda: self.charging.serve(self)) if serving else None)
        self._unsettled.settle(self.journal.next_claim)
        self.times.store = self.writer.figures.busy_s

    def settling(self) -> Callable[[], None]:
        """Return what waits, in another thread, until the store holds everything processed so far."""
        given, claim = self.writer.given, self.state.claim

        def settle() -> None:
            self.writer.reach(given)
            self._unsettled.settle(claim)

        return settle

    def snapshot(self) -> None:
        """Store everything, then write the state down, before anything else is done."""
        self.snapshots.take(self)

    def _image(self) -> ActiveImage:
        if self.active is None:
            raise UnableToReadArchive("the journal has usage before any tariff image")
        return self.active

    def close(self) -> None:
        """Let go of the directory."""
        self.snapshots.close()
        self.charging.close()
        self.writer.close()
        self.store.close()
        self.journal.close()


def open_engine(
    directory: DataDirectory,
    settings: Settings,
    store: FactStore,
    *,
    now: Callable[[], int],
    report: Callable[[str], None],
) -> Engine:
    """Open the rest of a data directory whose lock the caller holds; call `recover` next.

    Raises:
        UnableToUseDataDirectory, UnableToReadJournal: with the reason in words.
    """
    directory.prepare()
    directory.bind(settings.tenant)
    secret = directory.secret()
    journal = Journal(directory.journal)
    state = read_latest_snapshot(directory.snapshots, report, set_aside=True) or StageState.empty()
    return Engine(directory, settings, journal, state, store, start_writer(store, settings), secret, now, report)
