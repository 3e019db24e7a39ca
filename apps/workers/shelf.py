"""The shelf of catalogs: numbered in the order in which they took effect, kept in the object store for as long as logs are."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable
from pathlib import Path, PurePosixPath

import numpy as np

from apps.embedded.source_check import check_sources
from apps.workers.objects import Objects
from billing.catalog.models import UnableToLoadCatalog
from billing.catalog.store import copy_catalog, load_catalog
from pipelines.partitions.decoding import ONE_BY_ONE
from pipelines.partitions.images import ImageInForce, Shelf, UnableToReadShelf, in_force
from pipelines.partitions.keys import partitions_of_accounts
from pipelines.snapshot import StageState
from rating.image_holders import NO_ACCOUNT
from schemas.catalog import Catalog
from schemas.log_place import activation_claim
from schemas.source import DelimitedSource, FixedWidthSource, SourceBase
from schemas.source_binary import Ts32298Source

_ENTRY = "images/{number:06d}.json"


class UnableToStream(Exception):
    """A catalog asks for what the streaming mode does not do."""


def publish(objects: Objects, directory: Path, scratch: Path, now: int, *, tenant: str, partitions: int) -> int:
    """Put the catalog in a directory on the shelf and return its number; the latest one again is the same.

    Args:
        directory: of its documents. scratch: where a copy may be made. now: microseconds UTC.
        tenant, partitions: of log 2; where balances lie depends on them.

    Raises:
        billing.catalog.models.UnableToLoadCatalog: when it is invalid.
        UnableToStream: when it asks for what the streaming mode does not do.
    """
    catalog = load_catalog(directory)
    check_sources(catalog)
    check_streamable(catalog)
    while True:
        number = latest(objects)
        if number and objects.read_json(_ENTRY.format(number=number))["hash"] == catalog.content_hash:
            return number
        claim = activation_claim(number + 1)
        check_homes(shelf(objects, scratch), catalog, claim, tenant=tenant, partitions=partitions)
        copy = scratch / catalog.content_hash
        copy_catalog(directory, catalog, copy)
        files = sorted(path for path in copy.rglob("*") if path.is_file())
        named = [path.relative_to(copy).as_posix() for path in files]
        for path, name in zip(files, named, strict=True):
            objects.create_file(f"images/{catalog.content_hash}/{name}", path)
        entry = json.dumps({"hash": catalog.content_hash, "at": now, "files": named})
        if objects.create(_ENTRY.format(number=claim), entry.encode()):  # else somebody else's took the number
            return claim


def latest(objects: Objects) -> int:
    """Return the number of the latest catalog, 0 when there is none."""
    numbers = [
        int(PurePosixPath(name).stem)
        for name in objects.names("images")
        if name.endswith(".json") and name.count("/") == 1
    ]
    return max(numbers, default=0)


def took_effect_at(objects: Objects, number: int) -> int:
    """Return when a catalog was put on the shelf, microseconds UTC."""
    return int(objects.read_json(_ENTRY.format(number=number))["at"])


def shelf(objects: Objects, cache: Path) -> Callable[[int], Catalog]:
    """Return what returns catalogs by their numbers; copies are kept in the directory `cache`."""
    known: dict[int, Catalog] = {}

    def catalog(number: int) -> Catalog:
        if number not in known:
            known[number] = _read(objects, cache, number)
        return known[number]

    return catalog


def _read(objects: Objects, cache: Path, number: int) -> Catalog:
    try:
        entry = objects.read_json(_ENTRY.format(number=number))
        target = cache / entry["hash"]
        for name in entry["files"]:
            _keep(target / name, objects.read(f"images/{entry['hash']}/{name}"), cache)
        catalog = load_catalog(target)
    except (FileNotFoundError, UnableToLoadCatalog) as error:
        raise UnableToReadShelf(f"catalog {number} cannot be read from the object store: {error}") from error
    if catalog.content_hash != entry["hash"]:
        raise UnableToReadShelf(
            f"catalog {number} in the object store is not the one that took effect; restore its files"
        )
    return catalog


def _keep(path: Path, content: bytes, cache: Path) -> None:
    """Write a file whole or not at all: other workers of the machine may be reading it."""
    if path.exists() and path.read_bytes() == content:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = cache / f"{os.getpid()}-{threading.get_ident()}.part"
    beside.write_bytes(content)
    beside.replace(path)


def streamed(catalog: Catalog) -> list[str]:
    """Return the sources whose records come as messages."""
    return sorted(code for code, source in catalog.sources.items() if objection(source) is None)


def objection(source: SourceBase) -> str | None:
    """Return why the records of a source cannot come as messages, None when they can."""
    if source.format not in ONE_BY_ONE:
        return f"its format, {source.format}, is one of whole files"
    if isinstance(source, DelimitedSource) and (source.header or not source.columns):
        return "a message has no header: it needs `header: false` and `columns`"
    if isinstance(source, FixedWidthSource) and (source.header or source.trailer or not source.lines):
        return "a message has neither header nor trailer, and is a line"
    if isinstance(source, Ts32298Source) and source.file_header:
        return "a message has no file header"
    if source.on_same_key in ("supersede", "reverse"):
        return f"`on_same_key: {source.on_same_key}` withdraws earlier EDRs, which only the embedded mode does"
    mapping = getattr(source, "mapping", None)
    if mapping is not None and mapping.assembly is not None:
        return "sessions in parts end by a tick of the log, which only the embedded mode writes"
    if mapping is not None and mapping.sequence is not None:
        return "numbers of records are followed over files"
    return None


def check_streamable(catalog: Catalog) -> None:
    """Check that at least one source of a catalog can be streamed.

    Raises:
        UnableToStream: when none can, with the reason of each.
    """
    if not streamed(catalog):
        told = "; ".join(f"{code}: {objection(source)}" for code, source in sorted(catalog.sources.items()))
        raise UnableToStream(f"no source of the catalog has records that may come as messages: {told or 'it has none'}")


def check_homes(shelf: Shelf, catalog: Catalog, number: int, *, tenant: str, partitions: int) -> None:
    """Check that the balances of every account stay on the partition of log 2 where they are.

    Args:
        shelf: has the catalogs before. catalog: the one that is to take effect as `number`. tenant, partitions: of log 2.

    Raises:
        UnableToStream: when accounts would move with nothing of what they have used and paid.
    """
    state, home = StageState.empty(), np.full(0, -1, np.int32)
    found: ImageInForce | None = None
    for each in range(1, number + 1):
        found = in_force(found, each, state, lambda known: catalog if known == number else shelf(known))
        group, names = found.image.charge_group, state.vocabulary.accounts.names
        target = partitions_of_accounts(names, group, tenant, partitions)
        there = group != NO_ACCOUNT
        before = np.append(home, np.full(len(target) - len(home), -1, np.int32))
        moved = np.flatnonzero(there & (before >= 0) & (before != target))
        home = np.where(there, target, before)
    if number > 1 and len(moved):
        told = ", ".join(names[row] for row in moved[:10].tolist())
        raise UnableToStream(
            f"{len(moved)} accounts would be of another charge group, whose usage is rated on another partition than "
            f"the one that has their balances and counters: {told}. Leave shared wallets and counters of accounts that are "
            "in force as they are; new accounts may join each other, and those whose partition is the same"
        )
