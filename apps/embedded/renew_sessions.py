"""Sessions that wait while a catalog takes effect: what their parts say is read again, as one entry of the log."""

from __future__ import annotations

from functools import cache

import numpy as np

from apps.embedded.cancel import Withdrawal, write_commands
from apps.embedded.engine import Engine
from apps.embedded.files import UnableToReadArchive, sha256_of
from apps.embedded.images import UnableToReadImage, archived_catalog
from apps.embedded.reports import ClaimReport
from apps.embedded.say_again import Said, said_now, slots_of
from pipelines.resource.reopening import open_parts, revision_of
from pipelines.spool.family import root_of
from pipelines.spool.journal import ImageClaim, Renewal
from pipelines.spool.lifecycle import Decisions
from rating.image_charges import texts_named
from schemas.arrays import BoolArray, Int32Array, Int64Array, UInt16Array
from schemas.catalog import Catalog
from schemas.cdr import ATTRIBUTE_UNREAD
from schemas.reopening import RENEWAL_SCHEMA
from schemas.values import VALUE_ABSENT, VALUE_SLOTS


def renew_sessions(engine: Engine) -> ClaimReport | None:
    """Read again what parts of sessions that wait say, if a catalog that took effect since may understand it otherwise.

    Parts whose file is gone keep what is beyond doubt; else they are unread, and their session ends unrated (USAGE_UNREAD)
    unless the file is there at a later start. An operator is told.
    """
    table = engine.state.resource.assembly
    parts = open_parts(table)
    if not len(parts.row) or engine.active is None:
        return None
    event_type = table.sessions.event_type[parts.slot]
    words = engine.state.vocabulary.event_types
    slots = slots_of(engine.active.catalog)
    saying = [words.id(code) for code, declared in slots.items() if any(declared)]
    doubted = _doubted(engine, np.unique(parts.claim)) if saying else {}
    was = Said(table.parts.attributes[parts.row], np.full((len(parts.row), VALUE_SLOTS), VALUE_ABSENT, np.int64))
    if table.parts.values.shape[1]:
        was.values[:] = table.parts.values[parts.row]
    old = np.isin(event_type, saying) & np.isin(parts.claim, sorted(doubted))
    wanted = np.flatnonzero(old | ~was.is_read)
    if not len(wanted):
        return None
    wanted = wanted[np.lexsort((parts.record[wanted], parts.claim[wanted]))]
    withdrawal = Withdrawal(engine, Decisions())
    now = Said(was.attributes[wanted], was.values[wanted])
    known = {words.id(code): len(declared[0]) for code, declared in slots.items()}
    for claim in np.unique(parts.claim[wanted]).tolist():
        rows = np.flatnonzero(parts.claim[wanted] == claim)
        at = wanted[rows]
        try:
            now.attributes[rows], now.values[rows] = said_now(
                engine, withdrawal, claim, parts.record[at], event_type[at]
            )
            why = "no catalog reads them as what they are"
        except UnableToReadArchive as error:
            sound = _beyond_doubt(was.attributes[at], event_type[at], known, doubted.get(claim, frozenset()))
            now.attributes[rows[~sound]] = ATTRIBUTE_UNREAD
            why = str(error)
        unread = int(np.count_nonzero(~now.is_read[rows]))
        if unread:
            engine.report(
                f"{unread:,} parts of sessions that wait cannot be read again under the catalog in force: {why}; "
                "unless they can at a later start, their sessions end unrated (USAGE_UNREAD)"
            )
    changed = (now.attributes != was.attributes[wanted]).any() or (now.values != was.values[wanted]).any()
    if not changed and not old.any():
        return None
    return _journal(engine, parts.claim[wanted], parts.record[wanted], now)


def _journal(engine: Engine, claim: Int64Array, record: Int64Array, said: Said) -> ClaimReport:
    journal, archive = engine.journal, engine.directory.spool.archive
    stored = "renewal-" + engine.directory.spool.stored_name(journal.next_claim, "sessions", "parts.arrow")
    write_commands(archive / stored, iter([revision_of(claim, record, *said)]), RENEWAL_SCHEMA)
    entry = Renewal(
        claim=journal.next_claim,
        received_at=journal.stage_time(engine.now()),
        stored=stored,
        sha256=sha256_of(archive / stored, (archive / stored).stat().st_size),
    )
    journal.append(entry)
    return engine.process(entry)


def _doubted(engine: Engine, claims: Int64Array) -> dict[int, frozenset[int]]:
    """Return the claims whose records may say something else under the catalog in force than under those since they were read.

    Each with the ids of the event types that had other attributes or values under one of those.
    """
    assert engine.active is not None
    entries = engine.journal.entries
    images = [entry for entry in entries if isinstance(entry, ImageClaim)]
    renewed = next((entry.claim for entry in reversed(entries) if isinstance(entry, Renewal)), 0)
    first = np.searchsorted([entry.claim for entry in images], np.maximum(claims, renewed)) - 1
    now, names = engine.active.catalog, texts_named(engine.active.catalog)
    words = engine.state.vocabulary.event_types

    @cache
    def then(content_hash: str) -> Catalog | None:
        try:
            return archived_catalog(engine.directory, content_hash)
        except UnableToReadImage:
            return None

    @cache
    def moved(content_hash: str) -> frozenset[str]:
        """Return the event types that had other slots."""
        catalog = then(content_hash)
        before = {} if catalog is None else slots_of(catalog)
        return frozenset(code for code, declared in slots_of(now).items() if before.get(code) != declared)

    @cache
    def differs(content_hash: str, source: str) -> bool:
        catalog = then(content_hash)
        return (
            catalog is None
            or bool(moved(content_hash))
            or catalog.sources.get(source) != now.sources.get(source)
            or not names <= texts_named(catalog)
        )

    found = {}
    for claim, place in zip(claims.tolist(), first.tolist(), strict=True):
        since = {entry.content_hash for entry in images[max(place, 0) :]} - {engine.state.image}
        if any(differs(content_hash, root_of(entries, claim).source) for content_hash in since):
            found[claim] = frozenset(words.id(code) for content_hash in since for code in moved(content_hash))
    return found


def _beyond_doubt(
    attributes: Int32Array, event_type: UInt16Array, slots: dict[int, int], moved: frozenset[int]
) -> BoolArray:
    """Return (k,) whether what parts said is the same by now: their slots did not move, and every text of theirs is named."""
    count = np.array([slots.get(kind, 0) for kind in event_type.tolist()], np.int64)
    empty = (attributes <= 0) & (np.arange(attributes.shape[1]) < count[:, None])
    sound: BoolArray = ~empty.any(axis=1) & ~np.isin(event_type, sorted(moved)) & (attributes[:, 0] != ATTRIBUTE_UNREAD)
    return sound
