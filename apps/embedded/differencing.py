"""State what indexes differ by: readings that were kept become a file of quantities, claimed as any other file is.

What was stated before is in the files that were claimed before and not backed out, as with fees: only what is new, other, or no
more is stated, so that a crash, a repeat and any order of files end alike. All readings are read again from the archive, some
points at a time.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any
from zlib import crc32

import numpy as np

from apps.embedded.engine import Engine
from apps.embedded.files import UnableToReadArchive
from apps.embedded.retry import archived_file
from pipelines.mediation.columns.rows import Row
from pipelines.mediation.enedis.differences import FLOW, Key, as_asked, differences, key_of, restated
from pipelines.mediation.explain import raw_record
from pipelines.spool.claims import Arrival
from pipelines.spool.family import root_of
from pipelines.spool.files import durable_file
from pipelines.spool.journal import FileClaim, RecordRetry, with_branch
from pipelines.spool.lifecycle import decisions
from schemas.rejection import Reason
from schemas.source_energy import EnedisSource

READINGS_AT_ONCE = 1_000_000
"""Readings that are in memory at once, about a kilobyte each: beyond, points are taken in several passes."""
_DISCARDED = """
SELECT claim, record FROM rejection WHERE status = 'DISCARDED' AND source IN {sources:Array(String)}
"""
_CAME_TO_NOTHING = """
SELECT claim FROM fact_claim WHERE status = 'quarantined' AND claim NOT IN (SELECT claim FROM fact_block)
"""


def state_differences(engine: Engine) -> dict[str, int]:
    """State what the kept readings of all sources differ by; return how many statements were made, by source.

    Raises:
        UnableToReadArchive, UnableToRetry: when a file of readings is gone, or cannot be decoded under the catalog in force.
    """
    catalog = engine.active.catalog if engine.active is not None else None
    into: dict[str, list[str]] = {}
    for code, source in ({} if catalog is None else catalog.sources).items():
        if isinstance(source, EnedisSource) and source.differences_to is not None:
            into.setdefault(source.differences_to, []).append(code)
    return {target: _state(engine, target, codes) for target, codes in sorted(into.items())}


def _state(engine: Engine, target: str, codes: list[str]) -> int:
    assert engine.active is not None
    source = engine.active.catalog.sources[target]
    assert isinstance(source, EnedisSource)
    claims = standing_claims(engine, codes)
    passes = 1 + _readings(engine, claims) // READINGS_AT_ONCE
    return state(engine, target, "differences", _file(engine, source, claims, passes))


def _file(engine: Engine, source: EnedisSource, claims: list[FileClaim], passes: int) -> Iterator[bytes]:
    """Yield, in pieces, the file of what has to be stated; nothing where that is nothing."""
    version, count = engine.journal.next_claim, 0
    for part in range(passes):
        readings = (row for _, _, row in kept(engine, claims) if part_of(row, passes) == part)
        wanted = as_asked(differences(readings), source)
        for row in restated(wanted, _stated(engine, source.code, part, passes), version):
            yield (b",\n" if count else b'{"quantities": [\n') + json.dumps(row, ensure_ascii=False).encode()
            count += 1
    if count:
        yield b"\n]}\n"


def state(engine: Engine, target: str, name: str, pieces: Iterator[bytes]) -> int:
    """Claim a file of statements, as any other file is; return how many records it has, 0 without a file for no pieces."""
    spool = engine.directory.spool
    path = spool.incoming / target / f".{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    size = 0
    with durable_file(path) as handle:
        for piece in pieces:
            size += handle.write(piece)
    if not size:
        path.unlink()
        return 0
    arrival = Arrival(target, f"{name}-{engine.journal.next_claim}.json", path)
    (entry,) = spool.claim_all(engine.journal, [arrival], now=engine.now(), terms=engine.terms)
    report = engine.process(entry)
    engine.flush()
    return report.total("received")


def standing_claims(engine: Engine, codes: list[str]) -> list[FileClaim]:
    """Return the files of some sources that stand: not backed out, not refused whole."""
    gone = _withdrawn(engine) | _refused(engine)
    return [claim for claim in _files(engine, codes) if claim.claim not in gone]


def kept(engine: Engine, claims: list[FileClaim]) -> Iterator[tuple[FileClaim, int, Row]]:
    """Yield (file, record, columns) of the readings that are kept of some files, without what is empty.

    One that was refused once, and then discarded or corrected, is none of them, though the catalog in force would keep it.

    Raises:
        UnableToReadArchive, UnableToRetry: when a file is gone, or cannot be decoded under the catalog in force.
    """
    decided = decided_otherwise(engine, claims)
    for claim in claims:
        root, file = archived_file(engine, claim.claim)
        for cdrs in file.blocks(claim=claim.claim, block_bytes=root.block_bytes):
            for row in np.flatnonzero(cdrs.reason == Reason.KEPT_READING).tolist():
                record = int(cdrs.record[row])
                if (claim.claim, record) not in decided:
                    said = json.loads(raw_record(cdrs, row))
                    yield claim, record, {name: text for name, text in said.items() if text}


def decided_otherwise(engine: Engine, claims: list[FileClaim]) -> set[tuple[int, int]]:
    """Return (file, record) of what was refused of some files, and then discarded, or corrected by a file that stands."""
    entries = engine.journal.entries
    asked = {"sources": sorted({claim.source for claim in claims})}
    places = [(row["claim"], row["record"]) for row in engine.store.query(_DISCARDED, asked).to_pylist()]
    for claim in claims:
        places += [with_branch(one)[:2] for one in claim.refused] if claim.corrects else []
    # what was decided once it was usage, of entries that bring no file, is no reading
    files = [(claim, record) for claim, record in places if isinstance(entries[claim - 1], FileClaim | RecordRetry)]
    return {(root_of(entries, claim).claim, record) for claim, record in files}


def _files(engine: Engine, codes: list[str]) -> Iterator[FileClaim]:
    return (entry for entry in engine.journal.entries if isinstance(entry, FileClaim) and entry.source in codes)


def _withdrawn(engine: Engine) -> set[int]:
    return set(decisions(engine.journal.entries).withdrawn)


def _refused(engine: Engine) -> set[int]:
    claims: list[Any] = engine.store.query(_CAME_TO_NOTHING, {})["claim"].to_pylist()
    return set(claims)


def part_of(row: Row, passes: int) -> int:
    """Return in which of several passes the point of a row is taken."""
    return crc32(row.get("point", "").encode()) % passes


def _readings(engine: Engine, claims: list[FileClaim]) -> int:
    counted = engine.store.query("SELECT claim, toInt64(absorbed) AS kept FROM record_sheet", {}).to_pylist()
    found = Counter({row["claim"]: row["kept"] for row in counted})
    return sum(found[claim.claim] for claim in claims)


def _stated(engine: Engine, target: str, part: int, passes: int) -> dict[Key, Row]:
    """Return the latest statement of each difference that was made before; what was backed out has to be stated again."""
    found: dict[Key, Row] = {}
    for claim, stands in own_files(engine, target, "differences"):
        for row in _own_rows(engine, claim):
            if row.get("flow") == FLOW and part_of(row, passes) == part:
                remember(found, key_of(row), row, stands=stands)
    return found


def own_files(engine: Engine, target: str, name: str) -> Iterator[tuple[FileClaim, bool]]:
    """Yield (file, whether it stands) of the files in which octroi stated something, in the order of the log."""
    named = re.compile(rf"{name}-(\d{{1,10}})\.json")
    withdrawn, refused = _withdrawn(engine), _refused(engine)
    for claim in _files(engine, [target]):
        if named.fullmatch(claim.name) and not claim.corrects and claim.claim not in refused:
            yield claim, claim.claim not in withdrawn


def remember(found: dict[Key, Row], key: Key, row: Row, *, stands: bool) -> None:
    """Keep a statement as the latest of its key; of one that was backed out there is none, so that it is stated again."""
    if stands:
        found[key] = row
    else:
        found.pop(key, None)


def _own_rows(engine: Engine, claim: FileClaim) -> list[Row]:
    try:
        text = (engine.directory.spool.archive / claim.stored).read_bytes()
        rows: list[Row] = json.loads(text)["quantities"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        told = f"archive/{claim.stored}, which says what was stated of indexes, cannot be read: {error}"
        raise UnableToReadArchive(told) from error
    return rows
