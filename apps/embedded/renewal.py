"""What stored EDRs say, read again from the archive before they are rated once more.

An EDR has its attributes and values as the catalog under which it came understood them: a text that nothing in that
catalog named has no code, and slots and decimals were those of its event types. Another catalog may name the text, and
price it; and of rated EDRs neither is stored.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from apps.embedded.charging_said import said_in_log
from apps.embedded.engine import Engine
from apps.embedded.files import QuarantinedFile, UnableToReadArchive
from apps.embedded.images import ActiveImage
from pipelines.spool.family import RECORD
from pipelines.spool.journal import Cancel, Charging, EdrRetry, FileClaim, RecordRetry, Rerate
from rating.accumulate import NOTHING_SAID, asks_for_values, said_by
from rating.triggers import Tree, with_triggered
from schemas.arrays import BoolArray, Int32Array, Int64Array
from schemas.cdr import ATTRIBUTE_UNREAD, BlockPosition
from schemas.edr import BRANCH_SHIFT, EVENT_TYPE_MASK, PACKED_WORDS, PACKED_WORDS_VALUED, unpack
from schemas.values import VALUE_ABSENT

CLAIMS_ASKED_MAX = 10_000
"""Claims that one statement names at most."""
_PARTS = """
SELECT claim, record, part_claim, part_record FROM fact_assembled_part
WHERE claim IN ({claims}) ORDER BY claim, record, part_claim, part_record
"""


def renew(engine: Engine, place: Int64Array, packed: Int64Array) -> Int64Array:
    """Return packed EDRs with the attributes and values that their records have under the catalog in force.

    Args:
        place: (n,) where they stand, claim and record in one number. packed: (n, PACKED_WORDS or PACKED_WORDS_VALUED).

    Raises:
        UnableToReadArchive: when the file of an EDR whose event type has attributes or values is gone or no longer reads.
    """
    renewed = _renewed(engine, place, packed, engine.active)
    return renewed if (renewed[:, PACKED_WORDS:] != VALUE_ABSENT).any() else renewed[:, :PACKED_WORDS]


def renew_all(engine: Engine, place: Int64Array, packed: Int64Array, under: ActiveImage) -> Int64Array:
    """Return (n, PACKED_WORDS_VALUED) the same under any image; what is not known is not rated as if it had said nothing.

    Raises:
        UnableToReadArchive: as `renew`, and when a record is read as other usage, or not at all, under that image.
    """
    renewed = _renewed(engine, place, packed, under)
    unread = int(np.count_nonzero(renewed[:, 6] == ATTRIBUTE_UNREAD))
    if unread:
        raise UnableToReadArchive(
            f"usage of {unread:,} EDRs cannot be read again as what it was: its source reads something else by now"
        )
    return renewed


def packed_unread(column: Mapping[str, Any]) -> Int64Array:
    """Return (n, PACKED_WORDS_VALUED) `schemas.edr.pack` of rows of fact_usage, whose attributes and values nobody has read."""
    packed = np.full((len(column["event_at"]), PACKED_WORDS_VALUED), VALUE_ABSENT, np.int64)
    packed[:, 0], packed[:, 1], packed[:, 2] = column["event_at"], column["span_s"], column["quantity"] + column["rest"]
    packed[:, 3] = column["event_type"].astype(np.int64) | column["branch"].astype(np.int64) << BRANCH_SHIFT
    packed[:, 4], packed[:, 5] = column["access_point"], column["subscription"]
    packed[:, 6:PACKED_WORDS] = ATTRIBUTE_UNREAD
    return packed


def said_then(engine: Engine, place: Int64Array, packed: Int64Array, tree: Tree, image: ActiveImage) -> Int32Array:
    """Return what accumulators counted rated EDRs by under the image that rated them, as `rating.accumulate.said_by`.

    Nothing is read where its accumulators ask for no values.

    Args:
        place, packed: as in `renew`; what they say is read again from their records.
        tree: of the items, as the image rated them.

    Raises:
        UnableToReadArchive: as `renew_all`.
    """
    if not asks_for_values(image.image):
        return NOTHING_SAID
    said, own = packed.copy(), np.flatnonzero(tree.by == 0)
    said[own] = renew_all(engine, place[own], packed[own], image)
    usage = unpack(said, BlockPosition(0, 0, 0))
    attributes = with_triggered(usage.attributes, tree, image.image, image.catalog)
    return said_by(replace(usage, attributes=attributes), image.image)


def _renewed(engine: Engine, place: Int64Array, packed: Int64Array, active: ActiveImage | None) -> Int64Array:
    types = (
        [] if active is None else [one for one in active.catalog.event_types.values() if one.attributes or one.values]
    )
    ids = [engine.state.vocabulary.event_types.id(one.code) for one in types]
    renewed = np.full((len(packed), PACKED_WORDS_VALUED), VALUE_ABSENT, np.int64)
    renewed[:, : packed.shape[1]] = packed
    says_nothing = ~np.isin(packed[:, 3] & EVENT_TYPE_MASK, ids)
    renewed[says_nothing, 6:PACKED_WORDS] = np.maximum(renewed[says_nothing, 6:PACKED_WORDS], 0)  # unread or not
    wanted = np.flatnonzero(np.isin(packed[:, 3] & EVENT_TYPE_MASK, ids))
    if len(wanted):
        at, origin, several = _with_parts(engine, wanted, _firsts(engine, place[wanted]))
        order = np.argsort(origin, kind="stable")
        at, origin, several = at[order], origin[order], several[order]
        claims, starts = np.unique(origin >> 32, return_index=True)
        for claim, start, end in zip(
            claims.tolist(), starts.tolist(), [*starts[1:].tolist(), len(origin)], strict=True
        ):
            rows = slice(start, end)
            _renew_from(engine, claim, at[rows], origin[rows] & RECORD, several[rows], renewed, active)
    return renewed


def _firsts(engine: Engine, place: Int64Array) -> Int64Array:
    """Return (n,) which EDRs they were before they were tried or rated again."""
    first = place.copy()
    for entry in reversed(engine.journal.entries):  # what an entry repeated is of an earlier one
        if isinstance(entry, EdrRetry | Rerate):
            rows = np.flatnonzero(first >> 32 == entry.claim)
            if len(rows):
                first[rows] = _before(engine, entry)[first[rows] & RECORD]
    return first


def _before(engine: Engine, entry: EdrRetry | Rerate) -> Int64Array:
    """Return (n,) where record i of an entry stood before."""
    if isinstance(entry, Rerate):
        return engine.replaced(entry)[0]
    return np.array([named[0] << 32 | named[1] for named in entry.refused], np.int64)


def _with_parts(engine: Engine, wanted: Int64Array, first: Int64Array) -> tuple[Int64Array, Int64Array, BoolArray]:
    """Return (row, record that it may have come from, whether there are several), each (k,); first ones first.

    Records are those of their files: claim of the file and record in one number. What the clock made has none of its own.
    """
    edr, part = _parts(engine, np.unique(first >> 32).tolist())
    low, high = np.searchsorted(edr, first, "left"), np.searchsorted(edr, first, "right")
    alone = np.flatnonzero(low == high)
    joined = np.flatnonzero(low < high)
    count = (high - low)[joined]
    place = np.repeat(low[joined] - np.cumsum(count) + count, count) + np.arange(int(count.sum()))
    row = np.concatenate([wanted[alone], np.repeat(wanted[joined], count)])
    origin = np.concatenate([first[alone], part[place]])
    several = np.arange(len(row)) >= len(alone)
    file_of = {claim: _file_of(engine, claim) for claim in np.unique(origin >> 32).tolist()}
    files = np.array([file_of[claim] for claim in (origin >> 32).tolist()], np.int64)
    known = files > 0
    return row[known], (files << np.int64(32) | origin & RECORD)[known], several[known]


def _file_of(engine: Engine, claim: int) -> int:
    """Return the claim of the file, or segment, that the records of a claim are in, 0 where it brought none."""
    entry = engine.journal.entries[claim - 1]
    if isinstance(entry, RecordRetry | Cancel):
        return entry.file_claim
    return claim if isinstance(entry, FileClaim | Charging) else 0


def _parts(engine: Engine, claims: list[int]) -> tuple[Int64Array, Int64Array]:
    """Return (EDR, part), each (k,) in the order of EDRs: the records that EDRs were put together from."""
    found: dict[str, list[Int64Array]] = {"": [np.zeros(0, np.int64)], "part_": [np.zeros(0, np.int64)]}
    for first in range(0, len(claims), CLAIMS_ASKED_MAX):
        some = ", ".join(map(str, claims[first : first + CLAIMS_ASKED_MAX]))
        rows = engine.store.query(_PARTS.format(claims=some), {})
        for prefix, chunks in found.items():
            claim, record = (rows[f"{prefix}{name}"].to_numpy().astype(np.int64) for name in ("claim", "record"))
            chunks.append(claim << np.int64(32) | record)
    return np.concatenate(found[""]), np.concatenate(found["part_"])


def _renew_from(
    engine: Engine,
    claim: int,
    at: Int64Array,
    record: Int64Array,
    several: BoolArray,
    renewed: Int64Array,
    under: ActiveImage | None,
) -> None:
    """Write what records (k,) of one file, ascending, say into the EDRs `at`; of several, the first with the EDR's time."""
    root = engine.journal.entries[claim - 1]
    if isinstance(root, Charging):
        renewed[at, 6:] = said_in_log(engine.directory.charging, engine.journal.entries, claim, record)
        return
    assert isinstance(root, FileClaim)
    if not (engine.directory.spool.archive / root.stored).is_file():
        raise UnableToReadArchive(f"archive/{root.stored} is gone: what its usage says cannot be read again")
    file = engine.inspect(root, under)
    if isinstance(file, QuarantinedFile):
        raise UnableToReadArchive(f"{root.stored} cannot be decoded now: {file.code}: {file.message}")
    done = np.zeros(len(renewed), np.bool_)
    for block in file.blocks(claim=claim, block_bytes=root.block_bytes):
        if not len(block.record):
            continue
        low = int(np.searchsorted(record, block.record[0], "left"))
        high = int(np.searchsorted(record, block.record[-1], "right"))
        row = np.searchsorted(block.record, record[low:high])
        there = row < len(block.record)
        there[there] = block.record[row[there]] == record[low:high][there]
        rows, into = row[there], at[low:high][there]
        fits = block.event_type[rows] == renewed[into, 3] & EVENT_TYPE_MASK
        fits &= ~several[low:high][there] | (block.event_at[rows] == renewed[into, 0])
        fits &= ~done[into]
        # of one EDR's records the first: writing backwards lets it be the last word
        rows, into = rows[fits][::-1], into[fits][::-1]
        done[into] = True
        renewed[into, 6:PACKED_WORDS] = block.attributes[rows]
        renewed[into, PACKED_WORDS:] = VALUE_ABSENT if block.values is None else block.values[rows]
