"""Backing a file out: everything that came of it is withdrawn by one entry of the log, prepared outside the stages at a cut."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Any

import numpy as np
import pyarrow as pa

from apps.embedded.cancel import NO_KEYS, Tally, Withdrawal, key_batch, keys_in, midnight_keys_in, write_commands
from apps.embedded.cancelled import open_commands, read_commands
from apps.embedded.engine import Engine
from apps.embedded.files import QuarantinedFile, UnableToReadArchive, sha256_of
from apps.embedded.later_items import LaterItems
from apps.embedded.reopen import Reopening, standing, unrated_of, without
from apps.embedded.reports import ClaimReport
from apps.embedded.stored_edrs import any_taken_back
from pipelines.account.cancel import expect_applicable
from pipelines.spool.family import Family, family_of, image_before
from pipelines.spool.journal import Cancel, FileClaim, RecordRetry, Refusal, refusal
from pipelines.spool.lifecycle import Decisions, Status, decisions
from rating.reversal import UnableToReverse
from schemas.cancellation import CancelledKind
from schemas.money import AMOUNT_DECIMALS, from_scaled
from schemas.rejection import Reason
from schemas.reopening import REOPENING_SCHEMA

SQL_CLAIMS_MAX = 10_000
"""Claims that one statement names at most."""


class UnableToBackOut(Exception):
    """A file cannot be backed out; nothing changed."""


@dataclass(frozen=True, slots=True)
class BackOut:
    """What backing a file out takes back, or took back.

    Attributes:
        claim, name, source: the file. entry: the journal entry that did it, 0 for a preview.
        records: the record sheet of the file and of the retries of its records. tally: EDRs, money, accounts, counters.
        rejections: how many that nobody answered are closed. refusals: why it is not possible, in sentences.
        reopened: how many are open again, because what is taken out is their correction.
        sessions: how many go on waiting without the parts that the file brought. later_items: how many items that stand were
            priced later on a counter that included what is taken back.
    """

    claim: int
    name: str
    source: str
    entry: int = 0
    records: dict[str, int] = field(default_factory=dict)
    tally: Tally = field(default_factory=Tally)
    rejections: int = 0
    reopened: int = 0
    refusals: tuple[str, ...] = ()
    sessions: int = 0
    later_items: int = 0

    def as_dict(self, engine: Engine) -> dict[str, Any]:
        """Return everything for JSON; ids become names."""
        words = engine.state.vocabulary
        return {
            "claim": self.claim,
            "name": self.name,
            "source": self.source,
            "entry": self.entry,
            "records": self.records,
            "rated": self.tally.items,
            "unrated": self.tally.unrated,
            "amounts": [
                {
                    "charge": words.charge_versions.name(version).partition("/")[0],
                    "charge_version": words.charge_versions.name(version),
                    "currency": words.currencies.name(currency),
                    "items": items,
                    "amount": str(from_scaled(money, AMOUNT_DECIMALS)),
                }
                for (version, currency), (items, money) in sorted(self.tally.amounts.items())
            ],
            "accounts": sorted(words.accounts.name(account) for account in self.tally.accounts),
            "counters_left": self.tally.counters_left,
            "rejections": self.rejections,
            "reopened": self.reopened,
            "sessions": self.sessions,
            "later_items": self.later_items,
            "refusals": list(self.refusals),
        }


def find_file(engine: Engine, wanted: str) -> FileClaim:
    """Return the file that a claim number or a file's name means.

    Raises:
        UnableToBackOut: when no file has it, or several have and are not backed out.
    """
    files = [entry for entry in engine.journal.entries if isinstance(entry, FileClaim)]
    if wanted.isdecimal():
        found = [entry for entry in files if entry.claim == int(wanted)]
    else:
        withdrawn = decisions(engine.journal.entries).withdrawn
        named = [entry for entry in files if entry.name == wanted]
        found = [entry for entry in named if entry.claim not in withdrawn] or named[-1:]
    if not found:
        raise UnableToBackOut(f"no file {wanted}; `octroi files list` shows them")
    if len(found) > 1:
        claims = ", ".join(str(entry.claim) for entry in found)
        raise UnableToBackOut(f"{len(found)} files are named {wanted}: say which claim ({claims})")
    return found[0]


def back_out(engine: Engine, wanted: str, reason: str, *, preview: bool) -> dict[str, Any]:
    """Withdraw all that came of a file, or say what that would do.

    Raises:
        UnableToBackOut: when the file is unknown, the reason is empty, or (unless previewing) something refuses it.
        UnableToReadArchive: when its bytes, or a catalog of then, are gone.
    """
    if not preview and not reason.strip():
        raise UnableToBackOut("a back-out needs a reason")
    engine.flush()
    file = find_file(engine, wanted)
    decided = decisions(engine.journal.entries)
    family = family_of(engine.journal.entries, file.claim, engine.replaced)
    withdrawal = Withdrawal(engine, decided)
    told = BackOut(file.claim, file.name, file.source, 0, _sheet(engine, family), withdrawal.tally)
    refusals = tuple(_refusals(engine, file, family, decided))
    plan = None
    if not refusals:
        plan = without(engine, withdrawal, family.records - decided.withdrawn)
        refusals = tuple(_refused_sessions(engine, plan))
    if refusals and not preview:
        raise UnableToBackOut(f"{file.name} (claim {file.claim}) cannot be backed out: {'; '.join(refusals)}")
    if refusals:
        return replace(told, refusals=refusals).as_dict(engine)
    others = [] if plan is None else list(plan.withdrawals(engine, withdrawal))
    closed = _besides(engine, family, decided) + list(unrated_of(others))
    reopened = tuple(_corrected(engine, family, decided))
    told = replace(
        told,
        reopened=len(reopened),
        rejections=_open_rejections(engine, family, decided) + len(closed),
        sessions=0 if plan is None else plan.shrunk,
    )
    batches = chain(_commands(engine, family, withdrawal), others, [] if plan is None else plan.keys)
    if preview:
        later = LaterItems(engine, withdrawal)
        try:
            for batch in batches:
                later.add(batch)
        except UnableToBackOut as error:
            return replace(told, refusals=(str(error),)).as_dict(engine)
        return replace(told, later_items=later.count()).as_dict(engine)
    report = journal_cancel(
        engine,
        batches,
        None if plan is None else plan.table(),
        cause="back_out",
        reason=reason.strip(),
        source=file.source,
        claims=tuple(sorted(family.records)),
        refused=tuple(closed),
        reopened=reopened,
    )
    engine.newer_came = True  # newer records may wait that were older than one that is gone
    return replace(told, entry=report.entry.claim).as_dict(engine)


def journal_cancel(
    engine: Engine, batches: Iterator[pa.RecordBatch], reopening: pa.RecordBatch | None = None, **terms: Any
) -> ClaimReport:
    """Keep commands in the archive, journal the entry that applies them, and process it; return what came of it.

    `reopening`: what becomes of sessions, rows of REOPENING_SCHEMA, None for nothing.

    Raises:
        UnableToBackOut: when the account state cannot give back what is to be withdrawn; nothing changed.
    """
    journal, archive = engine.journal, engine.directory.spool.archive
    stored = "cancel-" + engine.directory.spool.stored_name(journal.next_claim, terms["source"], "commands.arrow")
    path = archive / stored
    write_commands(path, batches)
    try:
        expect_applicable(read_commands(path), engine.state.account, below_zero=any_taken_back(engine))
    except UnableToReverse as error:
        path.unlink()
        raise UnableToBackOut(f"state and store do not agree: {error}; restore both from one backup") from error
    if reopening is not None:
        name = "cancel-" + engine.directory.spool.stored_name(journal.next_claim, terms["source"], "sessions.arrow")
        write_commands(archive / name, iter([reopening]), REOPENING_SCHEMA)
        terms |= {"reopening": name, "reopening_sha256": sha256_of(archive / name, (archive / name).stat().st_size)}
    entry = Cancel(
        claim=journal.next_claim,
        received_at=journal.stage_time(engine.now()),
        stored=stored,
        sha256=sha256_of(path, path.stat().st_size),
        **terms,
    )
    journal.append(entry)
    report = engine.process(entry)
    engine.flush()
    return report


def _refusals(engine: Engine, file: FileClaim, family: Family, decided: Decisions) -> Iterator[str]:
    if file.claim in decided.withdrawn:
        yield "it was backed out already"
    status = engine.store.query("SELECT status, code, (SELECT count() FROM fact_block WHERE claim = {claim:UInt32}) AS blocks "
                                "FROM fact_claim WHERE claim = {claim:UInt32}", {"claim": file.claim}).to_pylist()  # fmt: skip
    if status and status[0]["status"] == "quarantined" and not status[0]["blocks"]:
        yield f"it was refused whole ({status[0]['code']}), so nothing came of it"
    billed = sum(_billed(engine, claims, None) for claims in _chunks(sorted(family.records)))
    billed += sum(_billed(engine, [claim], records) for claim, records in family.edrs.items())
    if billed:
        yield f"{billed:,} of its rated items are billed; credit the invoice instead"


def _refused_sessions(engine: Engine, plan: Reopening | None) -> Iterator[str]:
    if plan is not None and plan.anew:
        yield (
            f"{len(plan.anew):,} sessions with parts from it and from other files were begun anew under the same key since: "
            "what would be left of them cannot wait again"
        )
    billed = billed_places(engine, set() if plan is None else standing(engine, plan.edrs))
    if billed:
        yield (
            f"{len(billed):,} rated items of sessions that have parts from it and from other files are billed; credit the "
            "invoice instead"
        )


def billed_places(engine: Engine, places: set[tuple[int, int]]) -> set[tuple[int, int]]:
    """Return which claims and records of `places` have rated items that are billed."""
    found: set[tuple[int, int]] = set()
    for claims in _chunks(sorted({claim for claim, _ in places})):
        rows = engine.store.query(
            f"SELECT DISTINCT claim, record FROM fact_billed WHERE claim IN ({', '.join(map(str, claims))})"
        )
        found.update((row["claim"], row["record"]) for row in rows.to_pylist())
    return found & places


def _billed(engine: Engine, claims: list[int], records: set[int] | None) -> int:
    found = engine.store.query(
        f"SELECT DISTINCT claim, record, branch, item FROM fact_billed WHERE claim IN ({', '.join(map(str, claims))})"
    )
    return sum(records is None or record in records for record in found["record"].to_pylist())


def _chunks(claims: list[int]) -> Iterator[list[int]]:
    for start in range(0, len(claims), SQL_CLAIMS_MAX):
        yield claims[start : start + SQL_CLAIMS_MAX]


def _commands(engine: Engine, family: Family, withdrawal: Withdrawal) -> Iterator[pa.RecordBatch]:
    # of a correction that was backed out before nothing stands, and others may hold the identities of its records
    for claim in sorted(family.records - withdrawal.decisions.withdrawn):
        yield from _of_records(engine, claim, withdrawal)
    for claim, records in sorted(family.edrs.items()):
        for block in withdrawal.blocks(claim):
            yield from withdrawal.commands(claim, block, NO_KEYS, records)


def _of_records(engine: Engine, claim: int, withdrawal: Withdrawal) -> Iterator[pa.RecordBatch]:
    """Yield what withdraws the EDRs of a claim of records: its file is decoded again, as it was then, for their keys."""
    entries = engine.journal.entries
    entry = entries[claim - 1]
    first_block = 0
    if isinstance(entry, Cancel):
        first_block = open_commands(engine.directory.spool.archive, entry).blocks
        retry = entry.retried()
        assert retry is not None
        entry = retry
    assert isinstance(entry, FileClaim | RecordRetry)
    root = entry if isinstance(entry, FileClaim) else entries[entry.file_claim - 1]
    assert isinstance(root, FileClaim)
    active = withdrawal.image(image_before(entries, claim))
    file = engine.inspect(root, active)
    if isinstance(file, QuarantinedFile):
        return  # nothing came of it
    if not (engine.directory.spool.archive / root.stored).is_file():
        raise UnableToReadArchive(f"archive/{root.stored} is gone: its identities are not known without it")
    wanted = set(withdrawal.blocks(claim))
    parked = _parked_versions(engine, claim, withdrawal.decisions)
    for cdrs in engine.decoded(entry, root, file, first_block):
        readings = np.count_nonzero((cdrs.reason == 0) & ((cdrs.series_hi != 0) | (cdrs.series_lo != 0)))
        if readings:
            raise UnableToBackOut(
                "it holds cumulative readings, from which later consumption was measured: taking them out would not undo "
                "that. Send corrected readings instead"
            )
        source = active.catalog.sources[root.source]
        newer = np.flatnonzero((cdrs.reason == 0) & np.isin(cdrs.record, parked))
        if len(newer):
            yield key_batch(claim, keys_in(cdrs, newer, source, engine.state), CancelledKind.VERSION)
        if cdrs.position.block in wanted:
            rows = np.arange(len(cdrs))
            keys = keys_in(cdrs, rows, source, engine.state)
            withdrawn = list(withdrawal.commands(claim, cdrs.position.block, keys))
            yield from withdrawn
            gone = [batch.column("record").to_numpy() for batch in withdrawn]
            rows = np.flatnonzero(np.isin(cdrs.record, np.concatenate([np.zeros(0, np.uint32), *gone])))
            midnight = midnight_keys_in(cdrs, rows, source)
            if len(midnight.record):
                yield key_batch(claim, midnight)


def _parked_versions(engine: Engine, claim: int, decided: Decisions) -> list[int]:
    """Return the records of a claim that are parked because they are newer than others."""
    rows = engine.store.query(
        f"SELECT record FROM fact_rejection WHERE claim = {{claim:UInt32}} AND reason = {int(Reason.SUPERSEDES_EARLIER)}",
        {"claim": claim},
    )
    records = rows["record"].to_numpy().tolist()
    return [record for record in records if decided.status((claim, record, 0)) is not Status.REPLAYED]


def _besides(engine: Engine, family: Family, decided: Decisions) -> list[Refusal]:
    """Return the rejections of retried EDRs of the family that nobody answered: their claims hold others' EDRs, too."""
    found: list[Refusal] = []
    for claim, records in sorted(family.edrs.items()):
        rows = engine.store.query(
            "SELECT record, branch FROM fact_rejection WHERE claim = {claim:UInt32} ORDER BY record, branch",
            {"claim": claim},
        )
        for row in rows.to_pylist():
            status = decided.status((claim, row["record"], row["branch"]))
            if row["record"] in records and status not in (Status.REPLAYED, Status.CANCELLED):
                found.append(refusal(claim, row["record"], row["branch"]))
    return found


def _corrected(engine: Engine, family: Family, decided: Decisions) -> Iterator[Refusal]:
    """Yield the rejections of other files that a file of the family answered, as their correction."""
    for claim in sorted(family.files - decided.withdrawn):
        file = engine.journal.entries[claim - 1]
        if isinstance(file, FileClaim) and file.corrects not in family.files:
            left = engine.abandoned.get(claim)
            yield from file.refused[: len(file.refused) - len(left.reopened) if left else None]


def _open_rejections(engine: Engine, family: Family, decided: Decisions) -> int:
    total = 0
    for claims in _chunks(sorted(family.records)):
        (row,) = engine.store.query(
            f"SELECT count() AS n FROM rejection WHERE claim IN ({', '.join(map(str, claims))}) "
            "AND status NOT IN ('REPLAYED', 'CANCELLED')"
        ).to_pylist()
        total += row["n"]
    return total


def _sheet(engine: Engine, family: Family) -> dict[str, int]:
    names = ("received", "accepted", "absorbed", "duplicate", "superseded", "filtered", "rejected", "parked")
    sums = ", ".join(f"sum({name}) AS {name}" for name in names)
    (row,) = engine.store.query(
        f"SELECT {sums} FROM fact_block WHERE claim IN ({', '.join(map(str, sorted(family.files)))})"
    ).to_pylist()
    return {name: row[name] for name in names}
