"""Preparing sessions to be opened again: what left them, what comes back, and which of their EDRs are withdrawn."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from apps.embedded.cancel import NO_KEYS, Withdrawal, key_batch, keys_in, midnight_keys_in
from apps.embedded.engine import Engine
from apps.embedded.files import QuarantinedFile, ReadableFile, UnableToReadArchive
from apps.embedded.images import ActiveImage
from apps.embedded.say_again import said_now
from pipelines.resource.attribution import Owners, attribute, owners_of
from pipelines.resource.kernels.attribute import NOT_VALID_AT, UNKNOWN
from pipelines.resource.reopening import Returned, batch_of, begun_anew, open_parts, saying
from pipelines.spool.family import image_before, moves_of, root_of
from pipelines.spool.journal import Cancel, FileClaim, RecordRetry, Refusal, refusal
from schemas.arrays import BoolArray, Int64Array
from schemas.cancellation import CancelledKind
from schemas.cdr import CdrBlock
from schemas.reopening import REOPENING_SCHEMA
from schemas.values import VALUE_ABSENT, VALUE_SLOTS

CLAIMS_ASKED_MAX = 10_000
"""Claims, or EDRs, that one statement names at most."""
_OF_PARTS = """
SELECT part_claim, part_record, argMax(claim, (claim, record)) AS claim, argMax(record, (claim, record)) AS record
FROM fact_assembled_part WHERE part_claim IN ({claims}) AND late = 0
GROUP BY part_claim, part_record ORDER BY part_claim, part_record
"""
_OF_EDRS = """
SELECT claim, record, part_claim, part_record FROM fact_assembled_part WHERE (claim, record) IN ({places}) AND late = 0
ORDER BY claim, record, part_claim, part_record
"""
RECORD = 0xFFFFFFFF
"""The record of a place that is one number; the claim lies above it."""
Place = tuple[int, int]
"""Claim and record."""


@dataclass(slots=True)
class Reopening:
    """What is done to sessions.

    Attributes:
        rows: of REOPENING_SCHEMA. keys: commands that let the parts that leave come again.
        edrs: places of the EDRs that are withdrawn besides those of the file itself.
        anew: EDRs of sessions that were forgotten, and whose key is another session's by now: what would be left of them
            cannot wait again. shrunk: sessions that lose parts and go on waiting with the others; ended: those that are
            forgotten.
    """

    rows: list[pa.RecordBatch] = field(default_factory=list)
    keys: list[pa.RecordBatch] = field(default_factory=list)
    edrs: set[Place] = field(default_factory=set)
    anew: set[Place] = field(default_factory=set)
    shrunk: int = 0
    ended: int = 0

    def table(self) -> pa.RecordBatch | None:
        """Return all rows as one batch, None when there are none."""
        rows = [batch for batch in self.rows if batch.num_rows]
        if not rows:
            return None
        return pa.Table.from_batches(rows, REOPENING_SCHEMA).combine_chunks().to_batches()[0]

    def withdrawals(self, engine: Engine, withdrawal: Withdrawal) -> Iterator[pa.RecordBatch]:
        """Yield the commands that withdraw `edrs`, wherever they stand by now."""
        wanted: dict[int, set[int]] = {}
        for claim, record in standing(engine, self.edrs):
            wanted.setdefault(claim, set()).add(record)
        for claim, records in sorted(wanted.items()):
            for block in withdrawal.blocks(claim, np.array(sorted(records), np.int64)):
                yield from withdrawal.commands(claim, block, NO_KEYS, records)


def standing(engine: Engine, places: set[Place]) -> set[Place]:
    """Return the places of EDRs and of the retries of those that were unrated."""
    return set().union(*standing_of_each(engine, places).values())


def standing_of_each(engine: Engine, places: set[Place]) -> dict[Place, set[Place]]:
    """Return, of each place of EDRs, where they may stand: it, and those where they were tried or rated again."""
    retried: dict[Place, list[Place]] = {}
    for (claim, record, _), place in moves_of(engine.journal.entries, engine.replaced, places):
        retried.setdefault((claim, record), []).append(place)
    found: dict[Place, set[Place]] = {}
    for place in places:
        chain = [place]
        for at in chain:
            chain += retried.get(at, [])
        found[place] = set(chain)
    return found


def unrated_of(batches: Sequence[pa.RecordBatch]) -> Iterator[Refusal]:
    """Yield the rejections of unrated EDRs that commands withdraw: they are closed."""
    for batch in batches:
        for row in batch.select(["kind", "claim", "record", "branch"]).to_pylist():
            if row["kind"] == CancelledKind.UNRATED:
                yield refusal(row["claim"], row["record"], row["branch"])


def without(engine: Engine, withdrawal: Withdrawal, claims: set[int]) -> Reopening | None:
    """Return what sessions become without the parts that some claims brought, None when they brought none.

    Raises:
        UnableToReadArchive: when a file that brought other parts of those sessions is gone.
    """
    table = engine.state.resource.assembly
    slot, open_claim, open_record, _ = open_parts(table)
    waits = np.isin(open_claim, sorted(claims))
    waiting = _packed(open_claim[waits], open_record[waits])
    part, edr = _of_parts(engine, sorted(claims))
    ended = ~np.isin(part, waiting)
    if not len(waiting) and not ended.any():
        return None
    found = Reopening()
    leaving = np.sort(np.concatenate([waiting, part[ended]]))
    sessions: set[tuple[int, int]] = set()
    anew: set[int] = set()
    for claim in sorted(claims):
        for cdrs, rows, active in _decoded(engine, withdrawal, claim, leaving[leaving >> 32 == claim] & RECORD):
            assert cdrs.parts is not None
            source = active.catalog.sources[_source(engine, claim)]
            found.keys.append(key_batch(claim, keys_in(cdrs, rows, source, engine.state)))
            found.keys.append(key_batch(claim, midnight_keys_in(cdrs, rows, source)))
            place = _packed(np.full(len(rows), claim), cdrs.record[rows])
            edr_of = edr[np.minimum(np.searchsorted(part, place), len(part) - 1)] if len(part) else place
            gone = ~np.isin(place, waiting)
            gone &= begun_anew(table, cdrs.parts.key_hi[rows], cdrs.parts.key_lo[rows], edr_of)
            anew.update(edr_of[gone].tolist())
            rows = rows[~gone]
            nobody = np.full(len(rows), -1, np.int32)
            found.rows.append(_batch(engine, claim, cdrs, rows, nobody, nobody, leaves=True))
            sessions.update(_keys(cdrs, rows))
    edrs = np.unique(edr[ended])
    pieces = _of_edrs(engine, edrs)
    found.edrs = {edr for edr in _unpacked(edrs) if edr[0] not in claims}
    found.anew = {
        (row["claim"], row["record"])
        for row in _parts_of(engine, np.array(sorted(anew), np.int64)).to_pylist()
        if row["part_claim"] not in claims
    }
    if found.anew:
        return found
    back = _bring_back(engine, withdrawal, found, pieces[~np.isin(pieces >> 32, sorted(claims))])
    others = slot[~waits]
    back |= set(zip(table.sessions.key_hi[others].tolist(), table.sessions.key_lo[others].tolist(), strict=True))
    found.shrunk = len(sessions & back)
    found.ended = len(sessions) - found.shrunk
    return found


def again(engine: Engine, withdrawal: Withdrawal, edrs: set[Place]) -> Reopening:
    """Return what opens the sessions again of which some EDRs were made.

    Raises:
        UnableToReadArchive: when a file that brought parts of them is gone.
    """
    found = Reopening(edrs=edrs)
    places = np.array(sorted(claim << 32 | record for claim, record in edrs), np.int64)
    found.shrunk = len(_bring_back(engine, withdrawal, found, _of_edrs(engine, places)))
    return found


def _bring_back(engine: Engine, withdrawal: Withdrawal, found: Reopening, parts: Int64Array) -> set[tuple[int, int]]:
    """Add rows for parts (k,) that come back; return their sessions."""
    sessions: set[tuple[int, int]] = set()
    for claim in np.unique(parts >> 32).tolist():
        said_then, batches = [], []
        for cdrs, rows, active in _decoded(engine, withdrawal, claim, np.sort(parts[parts >> 32 == claim] & RECORD)):
            owners = _owners(cdrs, rows, active)
            batches.append(
                _batch(engine, claim, cdrs, owners.row, owners.subscription, owners.access_point, leaves=False)
            )
            sessions.update(_keys(cdrs, rows))
            if active is not engine.active:
                said_then.append((cdrs.record[rows], cdrs.event_type[rows]))
        if said_then:
            record, event_type = (np.concatenate(columns) for columns in zip(*said_then, strict=True))
            said = said_now(engine, withdrawal, claim, record, event_type)
            batches = [saying(batch, record, *said) for batch in batches]
        found.rows += batches
    return sessions


def _keys(cdrs: CdrBlock, rows: Int64Array) -> Iterator[tuple[int, int]]:
    assert cdrs.parts is not None
    return zip(cdrs.parts.key_hi[rows].tolist(), cdrs.parts.key_lo[rows].tolist(), strict=True)


def _owners(cdrs: CdrBlock, rows: Int64Array, active: ActiveImage) -> Owners:
    """Return the owners that parts had when they came, one that is nobody for those that needed none."""
    access = active.image.access
    candidate: BoolArray = np.zeros(len(cdrs), np.bool_)
    candidate[rows] = True
    found = attribute(access, cdrs.access_hi, cdrs.access_lo, cdrs.event_at, candidate)
    nobodys = np.isin(found.answer[rows], (UNKNOWN, NOT_VALID_AT))
    owned = owners_of(access, cdrs.access_hi, cdrs.access_lo, cdrs.event_at, rows[~nobodys], found)
    nobody = np.full(int(nobodys.sum()), -1, np.int32)
    row = np.concatenate([owned.row, rows[nobodys]])
    order = np.argsort(row, kind="stable")
    return Owners(
        row[order],
        np.concatenate([owned.branch, np.zeros(len(nobody), np.uint8)])[order],
        np.concatenate([owned.subscription, nobody])[order],
        np.concatenate([owned.access_point, nobody])[order],
    )


def _decoded(
    engine: Engine, withdrawal: Withdrawal, claim: int, records: Int64Array
) -> Iterator[tuple[CdrBlock, Int64Array, ActiveImage]]:
    """Yield some records of a claim as they were decoded then: a block, the rows in it, and the image of then."""
    if not len(records):
        return
    root, active, file = file_of(engine, withdrawal, claim)
    entry = engine.journal.entries[claim - 1]
    if isinstance(entry, Cancel):
        retry = entry.retried()
        assert retry is not None
        entry = retry
    assert isinstance(entry, FileClaim | RecordRetry)
    for cdrs in engine.decoded(entry, root, file):
        rows = np.flatnonzero((cdrs.reason == 0) & np.isin(cdrs.record, records)).astype(np.int64)
        if len(rows) and cdrs.parts is not None:
            yield cdrs, rows, active


def file_of(engine: Engine, withdrawal: Withdrawal, claim: int) -> tuple[FileClaim, ActiveImage, ReadableFile]:
    """Return the file whose records a claim is about, and the image under which they were decoded.

    Raises:
        UnableToReadArchive: when it is gone, or no file.
    """
    root = root_of(engine.journal.entries, claim)
    if not (engine.directory.spool.archive / root.stored).is_file():
        raise UnableToReadArchive(f"archive/{root.stored} is gone: other parts of the same sessions are in it")
    active = withdrawal.image(image_before(engine.journal.entries, claim))
    file = engine.inspect(root, active)
    if isinstance(file, QuarantinedFile):
        raise UnableToReadArchive(f"archive/{root.stored} can no longer be decoded: {file.message}")
    return root, active, file


def _batch(
    engine: Engine, claim: int, cdrs: CdrBlock, rows: Int64Array, subscription: object, access: object, *, leaves: bool
) -> pa.RecordBatch:
    parts, k = cdrs.parts, len(rows)
    assert parts is not None
    values = np.full((k, VALUE_SLOTS), VALUE_ABSENT, np.int64)
    if cdrs.values is not None:
        values[:] = cdrs.values[rows]
    returned = Returned(
        parts.key_hi[rows],
        parts.key_lo[rows],
        np.full(k, engine.state.vocabulary.sources.id(_source(engine, claim)), np.int32),
        cdrs.event_type[rows],
        np.full(k, parts.mode, np.uint8),
        np.full(k, claim, np.int64),
        cdrs.record[rows],
        parts.sequence[rows],
        parts.part[rows],
        cdrs.event_at[rows],
        cdrs.quantity[rows],
        cdrs.attributes[rows],
        values,
        subscription,  # type: ignore[arg-type]
        access,  # type: ignore[arg-type]
    )
    return batch_of(returned, np.full(k, parts.time_out_us, np.int64), leaves=leaves)


def _source(engine: Engine, claim: int) -> str:
    return root_of(engine.journal.entries, claim).source


def _of_parts(engine: Engine, claims: list[int]) -> tuple[Int64Array, Int64Array]:
    """Return (part, EDR), each (k,) places: the latest EDR that was made of each part that some claims brought."""
    found: list[tuple[Int64Array, Int64Array]] = []
    for start in range(0, len(claims), CLAIMS_ASKED_MAX):
        some = ", ".join(map(str, claims[start : start + CLAIMS_ASKED_MAX]))
        rows = engine.store.query(_OF_PARTS.format(claims=some))
        found.append((_places(rows, "part_claim", "part_record"), _places(rows, "claim", "record")))
    return np.concatenate([part for part, _ in found]), np.concatenate([edr for _, edr in found])


def with_files_gone(engine: Engine, edrs: set[Place]) -> dict[Place, str]:
    """Return, of some EDRs, those that were put together from records of a file that is gone, and which one."""
    archive = engine.directory.spool.archive
    gone: dict[int, str] = {}
    found: dict[Place, str] = {}
    places = np.array(sorted(claim << 32 | record for claim, record in edrs), np.int64)
    for row in _parts_of(engine, places).to_pylist():
        claim = row["part_claim"]
        if claim not in gone:
            stored = root_of(engine.journal.entries, claim).stored
            gone[claim] = "" if (archive / stored).is_file() else f"archive/{stored} is gone"
        if gone[claim]:
            found[row["claim"], row["record"]] = gone[claim]
    return found


def _parts_of(engine: Engine, edrs: Int64Array) -> pa.Table:
    """Return the places (claim, record) of some EDRs (k,), and of the parts that each was made of (part_claim, part_record)."""
    found = [pa.table({name: pa.array([], pa.uint32()) for name in ("claim", "record", "part_claim", "part_record")})]
    for start in range(0, len(edrs), CLAIMS_ASKED_MAX):
        asked = edrs[start : start + CLAIMS_ASKED_MAX].tolist()
        some = ", ".join(f"({place >> 32}, {place & RECORD})" for place in asked)
        found.append(engine.store.query(_OF_EDRS.format(places=some)))
    return pa.concat_tables(found, promote_options="permissive")


def _of_edrs(engine: Engine, edrs: Int64Array) -> Int64Array:
    """Return (k,) the places of the parts of which some EDRs were made."""
    return _places(_parts_of(engine, edrs), "part_claim", "part_record")


def _places(rows: pa.Table, claim: str, record: str) -> Int64Array:
    return _packed(rows[claim].to_numpy().astype(np.int64), rows[record].to_numpy().astype(np.int64))


def _unpacked(places: Int64Array) -> set[Place]:
    return {(place >> 32, place & RECORD) for place in places.tolist()}


def _packed(claim: Int64Array, record: Int64Array) -> Int64Array:
    """Return places, (k,): claim and record in one number, claims of up to 31 bits."""
    return claim << np.int64(32) | record
