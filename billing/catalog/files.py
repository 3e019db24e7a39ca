"""The bytes of a catalog: which files make it up, read once, bounded."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import Any

from billing.catalog.documents import add_document
from billing.catalog.models import Documents, Entry, Fault, Problems
from billing.catalog.yaml_text import read_nodes
from schemas.exchange import ExchangeRates
from schemas.price_table import DestinationTable, LookupTable, PriceMatrix, PriceTable

YAML_BYTES_MAX = 64 * 2**20
TABLE_BYTES_MAX = 2**30
_SUFFIXES = (".yaml", ".yml")


@dataclass(slots=True)
class CatalogFiles:
    """Every file that a catalog was read from.

    Attributes:
        data: bytes by name relative to the directory, with "/" between folders.
        documents: the valid documents of its YAML files.
        tables: (display name, relative name) of every table that could be read, once each.
        price_tables: likewise, by code, of the price tables whose rows are in files.
    """

    data: dict[str, bytes] = field(default_factory=dict)
    documents: Documents = field(default_factory=Documents)
    tables: list[tuple[str, str]] = field(default_factory=list)
    price_tables: dict[str, tuple[str, str]] = field(default_factory=dict)


def content_hash(files: Mapping[str, bytes]) -> str:
    """Return SHA-256 (hex) over name and bytes of every file in order of name, each after its length."""
    digest = sha256()
    for name, data in sorted(files.items()):
        for part in (name.encode(), data):
            digest.update(len(part).to_bytes(8, "big"))
            digest.update(part)
    return digest.hexdigest()


def read_files(directory: Path, problems: Problems) -> CatalogFiles:
    """Return all files of the catalog in a directory: YAML files below it, and the tables that they name."""
    files = CatalogFiles()
    for name in sorted(yaml_names(directory, problems)):
        shown = (directory / name).as_posix()
        try:
            data = _read(directory / name, YAML_BYTES_MAX)
        except _Unreadable as error:
            problems.add(shown, 0, "", f"the file {error.message}", error.fix, Fault.UNREADABLE)
            files.documents.complete = False
            continue
        files.data[name] = data
        nodes, whole = read_nodes(data, shown, problems)
        files.documents.complete &= whole
        for node in nodes:
            add_document(node, shown, files.documents, problems)
    if not files.data and not problems:
        fix = "add a document with `kind: offer`, its charges and their price plans"
        problems.add(directory.as_posix(), 0, "", "there is nothing to sell: no .yaml file", fix, Fault.MISSING)
    for entry in files.documents.files:
        found = _read_table(entry, entry.document.file, directory, files, problems)
        if found is None:
            files.documents.complete = False
        else:
            files.tables.append(found)
    priced: tuple[type[PriceTable], ...] = (DestinationTable, PriceMatrix, LookupTable, ExchangeRates)
    for code, table in ((code, entry) for model in priced for code, entry in files.documents.of(model).items()):
        if table.document.file is not None:
            found = _read_table(table, table.document.file, directory, files, problems)
            if found is not None:
                files.price_tables[code] = found
    return files


def yaml_names(directory: Path, problems: Problems) -> Iterator[str]:
    """Yield the YAML files below a directory, but none whose name, or folder's name, starts with a dot."""

    def unreadable(error: OSError) -> None:
        message = f"the directory cannot be read: {error.strerror}"
        problems.add(
            Path(error.filename).as_posix(), 0, "", message, "check the name and the permissions", Fault.UNREADABLE
        )

    for folder, folders, names in os.walk(directory, onerror=unreadable):
        folders[:] = [name for name in folders if not name.startswith(".")]
        below = Path(folder).relative_to(directory)
        for name in names:
            if name.endswith(_SUFFIXES) and not name.startswith("."):
                yield (below / name).as_posix()


class _Unreadable(Exception):
    """A file cannot be read."""

    def __init__(self, message: str, fix: str) -> None:
        super().__init__(message)
        self.message = message
        self.fix = fix


def _read(path: Path, limit: int) -> bytes:
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise _Unreadable("is not a regular file", "replace it by a file")
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except OSError as error:
        raise _Unreadable(f"cannot be read: {error.strerror}", "check the name and the permissions") from error
    if len(data) > limit:
        fix = "split it; many subscriptions belong into the CSV file of a `subscription_table`"
        raise _Unreadable(f"is larger than {limit >> 20} MiB", fix)
    return data


def _read_table(
    entry: Entry[Any], written: str, directory: Path, files: CatalogFiles, problems: Problems
) -> tuple[str, str] | None:
    """Read the CSV file that a document names, relative to its YAML file; return its display and its relative name."""
    path = Path(entry.file).parent / written
    name = PurePosixPath(os.path.relpath(path, directory)).as_posix()
    try:
        if not path.resolve().is_relative_to(directory.resolve()):
            raise _Unreadable("is outside the catalog", "move it below the catalog's directory")
        if name in files.data:
            raise _Unreadable("is read already", "remove this document, or name another file")
        files.data[name] = _read(path, TABLE_BYTES_MAX)
    except (_Unreadable, OSError, ValueError, RuntimeError) as failure:  # the last three: resolving odd paths
        error = failure if isinstance(failure, _Unreadable) else _Unreadable("has no usable path", "rename it")
        problems.at(entry, ("file",), f'the table "{written}" {error.message}', error.fix, Fault.UNREADABLE)
        return None
    return path.as_posix(), name
