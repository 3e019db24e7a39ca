"""What records say under the catalog now in force, read again from the archive.

Attributes and values are kept as the catalog in force understood them when the record came: a text that nothing in it named has
no code, and slots and decimals were those of its event types. A later catalog may name the text, and price it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from apps.embedded.cancel import Withdrawal
from apps.embedded.engine import Engine
from apps.embedded.files import QuarantinedFile, ReadableFile, UnableToReadArchive
from apps.embedded.images import ActiveImage, UnableToReadImage
from pipelines.spool.family import image_before, root_of
from pipelines.spool.journal import FileClaim, RecordRetry
from schemas.arrays import BoolArray, Int32Array, Int64Array, UInt16Array
from schemas.catalog import Catalog
from schemas.cdr import ATTRIBUTE_SLOTS, ATTRIBUTE_UNREAD, CdrBlock
from schemas.values import VALUE_ABSENT, VALUE_SLOTS


class Said(NamedTuple):
    """What k records say: attributes (k, ATTRIBUTE_SLOTS), ATTRIBUTE_UNREAD where nobody can tell; values (k, VALUE_SLOTS)."""

    attributes: Int32Array
    values: Int64Array

    @property
    def is_read(self) -> BoolArray:
        """Whether it is known, (k,)."""
        read: BoolArray = self.attributes[:, 0] != ATTRIBUTE_UNREAD
        return read


def said_now(engine: Engine, withdrawal: Withdrawal, claim: int, record: Int64Array, event_type: UInt16Array) -> Said:
    """Return what records that a claim brought say.

    A record that the catalog in force cannot read, because the source reads other fields by now, says what it said under the
    one that it came under, as far as that means the same.

    Args:
        record: (k,) ascending, each once. event_type: (k,) what usage they are; read as another, they do not say anything.

    Raises:
        UnableToReadArchive: when their file is gone, or damaged.
    """
    entries = engine.journal.entries
    root = root_of(entries, claim)
    if not (engine.directory.spool.archive / root.stored).is_file():
        raise UnableToReadArchive(f"archive/{root.stored} is gone")
    said = Said(
        np.full((len(record), ATTRIBUTE_SLOTS), ATTRIBUTE_UNREAD, np.int32),
        np.full((len(record), VALUE_SLOTS), VALUE_ABSENT, np.int64),
    )
    _read(engine, root, engine.inspect(root), record, event_type, said)
    if said.is_read.all() or engine.active is None:
        return said
    try:
        then = withdrawal.image(image_before(entries, claim))
    except UnableToReadImage:
        return said
    alike = _alike(engine, then, engine.active)
    left = np.flatnonzero(~said.is_read & np.isin(event_type, alike))
    if len(left):
        before = Said(said.attributes[left], said.values[left])
        _read(engine, root, engine.inspect(root, then), record[left], event_type[left], before)
        said.attributes[left], said.values[left] = before
    return said


def _read(
    engine: Engine,
    root: FileClaim,
    file: ReadableFile | QuarantinedFile,
    record: Int64Array,
    event_type: UInt16Array,
    said: Said,
) -> None:
    if isinstance(file, QuarantinedFile):
        return
    for cdrs, rows in _blocks_of(engine, root, file, tuple(record.tolist())):
        place = np.searchsorted(record, cdrs.record[rows])
        same = cdrs.event_type[rows] == event_type[place]
        rows, place = rows[same], place[same]
        said.attributes[place] = cdrs.attributes[rows]
        if cdrs.values is not None:
            said.values[place] = cdrs.values[rows]


def records_of(
    engine: Engine, root: FileClaim, file: ReadableFile, records: set[int]
) -> Iterator[tuple[CdrBlock, int]]:
    """Yield (block, row) of those records of a file that can be read."""
    for cdrs, rows in _blocks_of(engine, root, file, tuple(sorted(records))):
        for row in rows.tolist():
            yield cdrs, row


def _blocks_of(
    engine: Engine, root: FileClaim, file: ReadableFile, records: tuple[int, ...]
) -> Iterator[tuple[CdrBlock, Int64Array]]:
    selection = RecordRetry(
        claim=engine.journal.next_claim,
        received_at=root.received_at,
        file_claim=root.claim,
        records=records,
        refused=(),
        retry_count=1,
    )
    for cdrs in engine.decoded(selection, root, file):
        yield cdrs, np.flatnonzero(cdrs.reason == 0).astype(np.int64)


def _alike(engine: Engine, then: ActiveImage, now: ActiveImage) -> list[int]:
    """Return the ids of the event types that had the same attributes and values."""
    words = engine.state.vocabulary.event_types
    slots, before = slots_of(now.catalog), slots_of(then.catalog)
    return [words.id(code) for code, declared in slots.items() if before.get(code) == declared]


def slots_of(catalog: Catalog) -> dict[str, tuple[tuple[str, ...], tuple[object, ...]]]:
    """Return, of each event type, its attributes and values in their slots."""
    return {code: (tuple(kind.attributes), tuple(kind.values.items())) for code, kind in catalog.event_types.items()}
