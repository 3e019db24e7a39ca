"""State demand over all intervals that came, whatever files they came in: a file of windows, claimed as any other file is.

As with what indexes differ by, only what is new, other, or no more is stated. All files of the sources are read again, some
points at a time: arrays where a kernel reads the flow.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator

import numpy as np

from apps.embedded.differencing import decided_otherwise, own_files, part_of, remember, standing_claims, state
from apps.embedded.engine import Engine
from apps.embedded.files import UnableToReadArchive
from apps.embedded.retry import archived_file
from pipelines.mediation.columns.rows import Row
from pipelines.mediation.container import open_container
from pipelines.mediation.explain import raw_record
from pipelines.mediation.failures import UnableToDecodeFile
from pipelines.mediation.intervals.decoder import asked_by
from pipelines.mediation.intervals.demand import FLOW
from pipelines.mediation.intervals.flows import Piece, read_pieces
from pipelines.mediation.intervals.statements import read_statements, write_statements
from pipelines.mediation.intervals.windows import Intervals, demands, key_of, passes, restated
from pipelines.mediation.meters.steps import Steps
from pipelines.mediation.unpack import UnableToReadFile
from pipelines.spool.journal import FileClaim
from schemas.arrays import Int64Array
from schemas.rejection import Reason
from schemas.source import Filter
from schemas.source_meters import MeterDataSource

INTERVALS_AT_ONCE = 1_000_000
"""Intervals that are in memory at once, and a statement of a kilobyte for each at worst: beyond, points are taken in passes."""
NAME = "demand"


def demand_sources(engine: Engine) -> dict[str, list[str]]:
    """Return the sources that demand goes to, each with those whose intervals it is of."""
    into: dict[str, list[str]] = {}
    for code, source in ({} if engine.active is None else engine.active.catalog.sources).items():
        if isinstance(source, MeterDataSource) and source.demand_to is not None:
            into.setdefault(source.demand_to, []).append(code)
    return into


def state_demand(engine: Engine) -> tuple[int, int]:
    """State the demand of all windows; return how many statements were made, and how many of them replace others.

    Raises:
        UnableToReadArchive, UnableToRetry: when a file of intervals is gone, or cannot be decoded under the catalog in force.
    """
    again = Counter[str]()
    stated = sum(
        state(engine, target, NAME, write_statements(_statements(engine, target, codes, again)))
        for target, codes in sorted(demand_sources(engine).items())
    )
    return stated, again.total()


def _statements(engine: Engine, target: str, codes: list[str], again: Counter[str]) -> Iterator[Row]:
    assert engine.active is not None
    source = engine.active.catalog.sources[target]
    assert isinstance(source, MeterDataSource)
    assert source.demand_minutes is not None
    claims, version = standing_claims(engine, codes), engine.journal.next_claim
    passed = 1 + _count(engine, claims) // INTERVALS_AT_ONCE
    filters, decided = _filters(source), decided_otherwise(engine, claims)
    for part in range(passed):
        intervals = Intervals()
        for claim in claims:
            for piece in _pieces(engine, claim, decided):
                intervals.take(_of_part(piece, part, passed))
        wanted = demands(
            intervals,
            60 * source.demand_minutes,
            source.zone,
            fixed=source.demand_windows == "fixed",
            filters=filters,
        )
        stated = _stated(engine, target, part, passed)
        # what a filter left out since then stands as it was billed
        counts = {key: row for key, row in stated.items() if all(passes(one, row) for one in filters)}
        for row in restated(wanted, counts, version):
            again[target] += key_of(row) in counts
            yield row


def _filters(source: MeterDataSource) -> tuple[Filter, ...]:
    """Return the filters of a source that are of columns as they are: others decide once the statement is read."""
    if source.transform is not None:
        return ()
    return tuple(one for one in source.mapping.filters if one.field not in source.mapping.converters)


def _count(engine: Engine, claims: list[FileClaim]) -> int:
    """Return how many records files have."""
    counted = engine.store.query("SELECT claim, toInt64(received) AS received FROM record_sheet", {}).to_pylist()
    found = {row["claim"]: row["received"] for row in counted}
    return sum(found.get(claim.claim, 0) for claim in claims)


def _pieces(engine: Engine, claim: FileClaim, decided: set[tuple[int, int]]) -> Iterator[Piece]:
    """Yield the intervals of a file; of one that holds corrected records those that are right now."""
    root, file = archived_file(engine, claim.claim)
    if claim.corrects:
        for cdrs in file.blocks(claim=claim.claim, block_bytes=root.block_bytes):
            good = np.flatnonzero((cdrs.reason == 0) | (cdrs.reason == Reason.FILTERED_BY_SOURCE)).tolist()
            right = [row for row in good if (claim.claim, int(cdrs.record[row])) not in decided]
            yield [json.loads(raw_record(cdrs, row)) for row in right]
        return
    assert engine.active is not None
    source = engine.active.catalog.sources[claim.source]
    assert isinstance(source, MeterDataSource)
    try:
        with open_container(file.path, file.container.kind, size=file.container.stored_bytes) as stream:
            first, gone = 0, np.array([record for of, record in decided if of == claim.claim], np.int64)
            for piece in read_pieces(stream, asked_by(source)):  # records are numbered as they are read
                numbers = np.arange(first, first + len(piece))
                first += len(piece)
                yield _chosen(piece, np.flatnonzero(~np.isin(numbers, gone))) if len(gone) else piece
    except (UnableToReadFile, UnableToDecodeFile, OSError) as error:
        raise UnableToReadArchive(f"archive/{root.stored} changed after it was verified: {error}") from error


def _chosen(piece: Piece, rows: Int64Array) -> Piece:
    return piece.of(rows) if isinstance(piece, Steps) else [piece[row] for row in rows.tolist()]


def _of_part(piece: Piece, part: int, passed: int) -> Piece:
    """Return the intervals of the points of a pass."""
    if passed == 1:
        return piece
    if isinstance(piece, Steps):
        mine = np.array([part_of(known, passed) == part for known in piece.heads])
        return piece.of(np.flatnonzero(mine[piece.head]))
    return [row for row in piece if part_of(row, passed) == part]


def _stated(engine: Engine, target: str, part: int, passed: int) -> dict[tuple[str, ...], Row]:
    """Return the latest statement of each window that was made before."""
    found: dict[tuple[str, ...], Row] = {}
    for claim, stands in own_files(engine, target, NAME):
        try:
            with (engine.directory.spool.archive / claim.stored).open("rb") as handle:
                for row in read_statements(line.decode() for line in handle):
                    if row.get("flow") == FLOW and part_of(row, passed) == part:
                        remember(found, key_of(row), row, stands=stands)
        except (OSError, ValueError, UnableToDecodeFile) as error:
            told = f"archive/{claim.stored}, which says what demand was stated, cannot be read: {error}"
            raise UnableToReadArchive(told) from error
    return found
