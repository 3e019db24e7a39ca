"""What an engine and the process that prepares a catalog for it say to each other."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import IO

import polars as pl

from apps.embedded.images import PreparedActivation
from apps.embedded.packing import read_fields, read_piece, write_fields, write_piece
from apps.embedded.release import RELEASE
from pipelines.activation import PreparedImage
from rating.tariff_image import TariffImage
from rating.vocabulary import NameTable, Vocabulary
from schemas.catalog import Catalog


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the process is told: the data directory, the image and access points in force, and whose kernels will read it."""

    root: Path
    known: str
    points: pl.DataFrame | None
    release: str = RELEASE


def write_wanted(stream: IO[bytes], wanted: Wanted, words: Vocabulary) -> None:
    """Ask a process, which is told the names that there are."""
    write_piece(stream, wanted)
    for kind, table in words.tables().items():
        write_piece(stream, (kind, table.names))
    write_piece(stream, None)
    stream.flush()


def read_wanted(stream: IO[bytes]) -> tuple[Wanted, Vocabulary]:
    """Return what a process is asked for, and the names that there are."""
    wanted, tables = read_piece(stream), {}
    while (found := read_piece(stream)) is not None:
        kind, names = found
        tables[kind] = NameTable(names)
    return wanted, Vocabulary(**tables)


def write_prepared(stream: IO[bytes], made: PreparedActivation | Exception | None) -> None:
    """Write an answer: what was prepared, that nothing differs, or why it cannot be."""
    if not isinstance(made, PreparedActivation):
        write_piece(stream, made)
        stream.flush()
        return
    prepared = made.prepared
    write_piece(
        stream, {"known": prepared.known, "added": prepared.added, "names": made.names, "moved": made.transfers}
    )
    write_fields(stream, prepared.catalog)
    write_fields(stream, prepared.image)
    stream.flush()


def read_prepared(stream: IO[bytes]) -> PreparedActivation | None:
    """Return what was prepared; raises what prevented it."""
    head = read_piece(stream)
    if isinstance(head, Exception):
        raise head
    if head is None:
        return None
    catalog, image = read_fields(stream, Catalog), read_fields(stream, TariffImage)
    prepared = PreparedImage(catalog, image, head["known"], head["added"])
    return PreparedActivation(prepared, head["names"], head["moved"])
