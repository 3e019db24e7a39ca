"""What the record of a stored item says, read again from the archive: its attributes and values are not stored with it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from apps.embedded.files import ReadableFile, UnableToReadArchive
from apps.embedded.layout import DataDirectory
from apps.embedded.rerated import replaced_places
from pipelines.mediation.container import check_container
from pipelines.mediation.context import SECRET_BYTES, DecodeContext
from pipelines.mediation.decode import make_decoder
from pipelines.mediation.failures import UnableToCompileSource, UnableToDecodeFile
from pipelines.mediation.plugins import UnableToUsePlugin
from pipelines.mediation.unpack import UnableToReadFile
from pipelines.spool.family import RECORD
from pipelines.spool.journal import EdrRetry, FileClaim, JournalEntry, Rerate, read_entries
from rating.image_conditions import expression_codes
from rating.image_derived import lookup_codes
from rating.image_matrix import matrix_codes
from rating.reference_tables import Said, values_said, with_lookups
from schemas.catalog import Catalog
from schemas.cdr import CdrBlock

Place = tuple[int, int]
"""A claim, and a record of it."""


class UnableToRecollect(LookupError):
    """The record cannot be read again."""


def what_was_said(
    directory: DataDirectory, catalog: Catalog, places: Sequence[Place], event_type: str, event_at: int
) -> dict[str, Said]:
    """Return the attributes and values of an EDR by name.

    Args:
        catalog: the one in force when it was rated. places: its record; or the records that were put together to it, of
            which the one with its time has its attributes and values.
        event_at: microseconds UTC.

    Raises:
        UnableToRecollect: when the file that the record came in is gone, or no longer reads as it did.
    """
    entries = read_entries(directory.journal)
    for place in places:
        root, record = origin_of(directory.spool.archive, entries, *place)
        block, row = _decoded(directory.spool.archive / root.stored, root, record, catalog)
        if len(places) > 1 and block.event_at[row] != event_at:
            continue
        declared = catalog.event_types[event_type]
        texts = _codes(catalog)
        codes = zip(declared.attributes, block.attributes[row].tolist(), strict=False)
        said: dict[str, Said] = {name: texts[code] for name, code in codes if code}
        said |= {} if block.values is None else values_said(declared, block.values[row].tolist())
        return with_lookups(catalog, declared, said, event_at)
    raise UnableToRecollect("none of the records that were put together has its time")


def first_place(archive: Path, entries: Sequence[JournalEntry], claim: int, record: int) -> Place:
    """Return which EDR it was before it was tried or rated again."""
    while isinstance(entry := entries[claim - 1], EdrRetry | Rerate):
        if isinstance(entry, EdrRetry):
            claim, record = entry.refused[record][:2]
        else:
            place = int(replaced_places(archive, entry)[0][record])
            claim, record = place >> 32, place & RECORD
    return claim, record


def origin_of(archive: Path, entries: Sequence[JournalEntry], claim: int, record: int) -> tuple[FileClaim, int]:
    """Return the file and the record in it that an EDR of a claim came from.

    Raises:
        UnableToRecollect: when it came from no file.
    """
    claim, record = first_place(archive, entries, claim, record)
    entry = entries[claim - 1]
    file_claim = getattr(entry, "file_claim", 0)
    root = entries[file_claim - 1] if file_claim else entry
    if not isinstance(root, FileClaim):
        raise UnableToRecollect(f"entry {claim} of the log brought no file")
    return root, record


def _codes(catalog: Catalog) -> list[str]:
    """Return the texts of attributes by the codes that records are decoded to here."""
    return ["", *sorted(matrix_codes(catalog) | expression_codes(catalog) | lookup_codes(catalog))]


def _decoded(path: Path, root: FileClaim, record: int, catalog: Catalog) -> tuple[CdrBlock, int]:
    if root.source not in catalog.sources:
        raise UnableToRecollect(f"the catalog has no source {root.source}")
    context = DecodeContext(
        tenant="",
        source=catalog.sources[root.source],
        event_types=catalog.event_types,
        event_type_codes={code: number for number, code in enumerate(sorted(catalog.event_types))},
        units=catalog.units,
        attribute_codes={text: code for code, text in enumerate(_codes(catalog))},
        secret=bytes(SECRET_BYTES),  # of keys, which nobody reads here
    )
    try:
        container = check_container(path, size=root.size, bytes_max=root.bytes_max, ratio_max=root.expansion_max)
        file = ReadableFile(path, container, make_decoder(context))
        for block in file.blocks(claim=root.claim, block_bytes=root.block_bytes):
            rows = np.flatnonzero(block.record == record)
            if len(rows):
                return block, int(rows[0])
    except (
        OSError,
        UnableToReadFile,
        UnableToDecodeFile,
        UnableToReadArchive,
        UnableToCompileSource,
        UnableToUsePlugin,
    ) as error:
        raise UnableToRecollect(f"{path.name} cannot be read as it was: {error}") from error
    raise UnableToRecollect(f"{path.name} has no record {record}")
