"""Tariff images of a data directory: the catalog of the next start, and those that the log needs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl
import pyarrow as pa

from apps.embedded.layout import DataDirectory
from apps.embedded.names import new_image, new_names
from apps.embedded.ports import FactStore
from apps.embedded.source_check import check_sources
from billing.catalog.models import UnableToLoadCatalog
from billing.catalog.store import copy_catalog, load_catalog
from pipelines.activation import PreparedImage, bring_in, decode_context, opening_movements, prepare
from pipelines.mediation.context import DecodeContext
from pipelines.resource.transfers import access_transfers
from pipelines.snapshot import StageState
from pipelines.spool.journal import ImageClaim
from rating.tariff_image import TariffImage, compile_image
from rating.vocabulary import Vocabulary
from schemas.catalog import Catalog
from schemas.source import SourceBase
from schemas.wallets import WalletMovement
from sinks.clickhouse.store import AccessTransfers


class UnableToReadImage(Exception):
    """An archived catalog is not the one that the log names."""


@dataclass(frozen=True, slots=True)
class ActiveImage:
    """The catalog in force and what it was compiled to."""

    catalog: Catalog
    image: TariffImage

    def decode_context(self, source: str, state: StageState, *, tenant: str, secret: bytes) -> DecodeContext:
        """Return what the decoder of one source needs to know.

        Raises:
            KeyError: when the catalog has no such source.
        """
        return decode_context(self.catalog, source, state, tenant=tenant, secret=secret)


def archive_catalog(directory: DataDirectory, catalog: Catalog) -> None:
    """Keep the catalog's files under its hash, so that its image can be compiled again.

    Raises:
        UnableToCopyCatalog: when the files changed since they were loaded, or cannot be copied.
        UnableToCompileSource: when a source cannot be decoded as it is defined, or its plug-in is not installed.
    """
    check_sources(catalog)
    copy_catalog(directory.catalog, catalog, directory.images / catalog.content_hash)


def archived_catalog(directory: DataDirectory, content_hash: str) -> Catalog:
    """Return a catalog that was in force.

    Raises:
        UnableToReadImage: when it is gone, or was changed since.
    """
    path = directory.images / content_hash
    try:
        catalog = load_catalog(path)
    except UnableToLoadCatalog as error:
        raise UnableToReadImage(f"{path} is needed to continue the log: restore it from a backup ({error})") from error
    if catalog.content_hash != content_hash:
        raise UnableToReadImage(f"{path} was changed since it was in force; restore its files")
    return catalog


def former_catalog(directory: DataDirectory, words: Vocabulary, counter: str) -> Catalog | None:
    """Return the latest of the catalogs that were in force and had a counter, None when none had.

    Args:
        words: the names of them all: they tell at once that there was none, which is the rule.

    Raises:
        UnableToReadImage: when one of them is gone, or was changed since.
    """
    slot = f"/{counter}"
    if not any(table.names.str.contains(slot, literal=True).any() for table in (words.counters, words.accumulators)):
        return None
    for content_hash in reversed(words.images.names.to_list()):
        catalog = archived_catalog(directory, content_hash)
        if counter in catalog.counters:
            return catalog
    return None


def former_sources(directory: DataDirectory, words: Vocabulary, code: str) -> Iterator[SourceBase]:
    """Yield what a source was in the catalogs that were in force, the latest first.

    Args:
        words: the names of them all: they tell at once that there was none, which is the rule.

    Raises:
        UnableToReadImage: when one of them is gone, or was changed since.
    """
    if not words.sources.names.eq(code).any():
        return
    for content_hash in reversed(words.images.names.to_list()):
        found = archived_catalog(directory, content_hash).sources.get(code)
        if found is not None:
            yield found


@dataclass(frozen=True, slots=True)
class PreparedActivation:
    """All that comes of a catalog's activation, before anything has changed.

    Attributes:
        names: rows of the store's dimensions for new names. transfers: the periods in which access points change hands, as
            `pipelines.resource.transfers.TRANSFER_FRAME`: none for the first catalog, which finds nothing to change.
    """

    prepared: PreparedImage
    names: dict[str, pa.Table]
    transfers: pl.DataFrame


def prepare_activation(catalog: Catalog, vocabulary: Vocabulary, before: pl.DataFrame | None) -> PreparedActivation:
    """Compile a catalog, and work out what it changes.

    Args:
        vocabulary: the names of all images that were in force, which it leaves as they are.
        before: access points of the catalog in force, in ACCESS_POINT_FRAME, None for the first one.

    Raises:
        UnableToCompileImage, rating.zones.UnableToReadZone: as `rating.tariff_image.compile_image` does.
    """
    prepared = prepare(catalog, vocabulary)
    words = vocabulary.copied()
    words.append(prepared.added)
    names = new_names(catalog, prepared.image, words, prepared.known)
    points = catalog.access_points
    return PreparedActivation(prepared, names, access_transfers(points if before is None else before, points))


@dataclass(frozen=True, slots=True)
class Activation:
    """What an activation brought: names, the opening credits of wallets seen for the first time, and transfers."""

    active: ActiveImage
    names: dict[str, pa.Table]
    credits: tuple[WalletMovement, ...]
    transfers: pl.DataFrame

    def store(self, store: FactStore, entry: ImageClaim, words: Vocabulary, *, tenant: str) -> None:
        """Store the names, the credits and the transfers, in any thread; what is stored already is left out."""
        store.write_names(self.names)
        store.write_movements(self.credits, tenant=tenant)
        moved = self.transfers
        store.write_transfers(
            AccessTransfers(
                entry.claim,
                tenant,
                entry.received_at,
                words.access_points.ids(moved["access_point"]),
                words.subscriptions.ids(moved["from_subscription"].fill_null("")),
                words.subscriptions.ids(moved["to_subscription"].fill_null("")),
                np.array(moved["start_at"].to_numpy(), np.int64),
                np.array(moved["end_at"].to_numpy(), np.int64),
            )
        )


def activate(
    directory: DataDirectory,
    entry: ImageClaim,
    state: StageState,
    previous: ActiveImage | None = None,
    found: PreparedActivation | None = None,
) -> Activation:
    """Make the image that an entry names the active one of `state`, opening balances and registers included.

    Args:
        previous: the image that was active before, None for the first one.
        found: what was prepared; if it is another image's, or there is none, the archived catalog is compiled.
    """
    if found is None or found.prepared.catalog.content_hash != entry.content_hash:
        catalog = archived_catalog(directory, entry.content_hash)
        found = prepare_activation(
            catalog, state.vocabulary, None if previous is None else previous.catalog.access_points
        )
    prepared = found.prepared
    opening = bring_in(prepared, state)
    credits = opening_movements(opening, entry.claim, entry.received_at)
    names = found.names | new_image(state.vocabulary, prepared.known, entry)
    return Activation(ActiveImage(prepared.catalog, prepared.image), names, credits, found.transfers)


def recompile(directory: DataDirectory, content_hash: str, state: StageState) -> ActiveImage:
    """Compile the image that was active at a snapshot; the state has everything it brought already."""
    catalog = archived_catalog(directory, content_hash)
    return ActiveImage(catalog, compile_image(catalog, state.vocabulary))
