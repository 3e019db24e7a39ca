"""What refused EDRs say, read again from the archive before they are tried again.

An EDR has its attributes and values as the catalog under which it came understood them: a text that nothing in that
catalog named has no code, and slots and decimals were those of its event types. The catalog now in force may name the
text, and price it.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np

from apps.embedded.engine import Engine
from apps.embedded.files import QuarantinedFile, UnableToReadArchive
from apps.embedded.recollect import Place, UnableToRecollect, first_place, origin_of
from pipelines.spool.journal import FileClaim
from schemas.arrays import Int64Array
from schemas.edr import EVENT_TYPE_MASK, PACKED_WORDS, PACKED_WORDS_VALUED
from schemas.values import VALUE_ABSENT

CLAIMS_ASKED_MAX = 10_000
"""Claims that one statement names at most."""
_PARTS = """
SELECT claim, record, part_claim, part_record FROM assembled_part
WHERE claim IN ({claims}) ORDER BY claim, record, part_claim, part_record
"""


def renew(engine: Engine, rows: list[dict[str, Any]], packed: Int64Array) -> Int64Array:
    """Return packed EDRs with the attributes and values that their records have under the catalog now in force.

    Args:
        rows: the rejections. packed: (n, PACKED_WORDS or PACKED_WORDS_VALUED) their EDRs.

    Raises:
        UnableToReadArchive: when the file of an EDR whose event type has attributes or values is gone or no longer reads.
    """
    catalog = engine.active.catalog if engine.active is not None else None
    types = [] if catalog is None else [one for one in catalog.event_types.values() if one.attributes or one.values]
    ids = [engine.state.vocabulary.event_types.id(one.code) for one in types]
    event_type = packed[:, 3] & EVENT_TYPE_MASK
    wanted = np.flatnonzero(np.isin(event_type, ids)).tolist()
    entries = engine.journal.entries
    firsts = {at: first_place(entries, rows[at]["claim"], rows[at]["record"]) for at in wanted}
    parts = _parts(engine, set(firsts.values()))
    sought: dict[int, dict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
    several = {at for at, place in firsts.items() if place in parts}
    for at, place in firsts.items():
        for part in parts.get(place, [place]):
            try:
                root, record = origin_of(entries, *part)
            except UnableToRecollect:
                continue  # made by the clock
            sought[root.claim][record].append(at)
    renewed = np.full((len(packed), PACKED_WORDS_VALUED), VALUE_ABSENT, np.int64)
    renewed[:, : packed.shape[1]] = packed
    done: set[int] = set()
    for claim, records in sorted(sought.items()):
        _renew_from(engine, claim, records, several, done, renewed)
    return renewed if (renewed[:, PACKED_WORDS:] != VALUE_ABSENT).any() else renewed[:, :PACKED_WORDS]


def _parts(engine: Engine, places: set[Place]) -> dict[Place, list[Place]]:
    """Return the records that EDRs were put together from."""
    claims = sorted({claim for claim, _ in places})
    found: dict[Place, list[Place]] = defaultdict(list)
    for first in range(0, len(claims), CLAIMS_ASKED_MAX):
        some = ", ".join(map(str, claims[first : first + CLAIMS_ASKED_MAX]))
        for row in engine.store.query(_PARTS.format(claims=some), {}).to_pylist():
            if (row["claim"], row["record"]) in places:
                found[row["claim"], row["record"]].append((row["part_claim"], row["part_record"]))
    return found


def _renew_from(
    engine: Engine, claim: int, records: dict[int, list[int]], several: set[int], done: set[int], renewed: Int64Array
) -> None:
    """Write what the records of one file say into their EDRs; of several records, the first with the EDR's time."""
    root = engine.journal.entries[claim - 1]
    assert isinstance(root, FileClaim)
    if not (engine.directory.spool.archive / root.stored).is_file():
        raise UnableToReadArchive(f"archive/{root.stored} is gone: what its usage says cannot be read again")
    file = engine.inspect(root)
    if isinstance(file, QuarantinedFile):
        raise UnableToReadArchive(f"{root.stored} cannot be decoded now: {file.code}: {file.message}")
    numbers = np.array(sorted(records), np.int64)
    for block in file.blocks(claim=claim, block_bytes=root.block_bytes):
        for row in np.flatnonzero(np.isin(block.record, numbers)).tolist():
            for at in records[int(block.record[row])]:
                other = at in several and block.event_at[row] != renewed[at, 0]
                if other or at in done or block.event_type[row] != renewed[at, 3] & EVENT_TYPE_MASK:
                    continue
                done.add(at)
                renewed[at, 6:PACKED_WORDS] = block.attributes[row]
                renewed[at, PACKED_WORDS:] = VALUE_ABSENT if block.values is None else block.values[row]
