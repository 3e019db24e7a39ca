"""Tariff images of a data directory: the catalog of the next start, and those that the log needs."""

from __future__ import annotations

from dataclasses import dataclass


from apps.embedded.layout import DataDirectory
from billing.catalog.store import copy_catalog, load_catalog
from pipelines.mediation.context import DecodeContext
from pipelines.snapshot import StageState
from rating.tariff_image import TariffImage, compile_image
from schemas.catalog import Catalog
from schemas.output import OpeningCredit


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
        words = state.vocabulary
        return DecodeContext(
            tenant=tenant,
            source=self.catalog.sources[source],
            event_types=self.catalog.event_types,
            event_type_codes={code: words.event_types.id(code) for code in self.catalog.event_types},
            units=self.catalog.units,
            attribute_codes={name: index for index, name in enumerate(words.attribute_values.names.to_list())},
            secret=secret,
        )


def archive_catalog(directory: DataDirectory, catalog: Catalog) -> None:
    """Keep the catalog's files under its hash, so that its image can be compiled again."""
    target = directory.images / catalog.content_hash
    if not target.exists():
        copy_catalog(directory.catalog, target)


def activate(directory: DataDirectory, content_hash: str, state: StageState) -> tuple[ActiveImage, list[tuple[int, int, int]]]:
    """Compile an archived catalog and make it the active image of `state`.

    Returns:
        The image, and the opening credits (account, wallet, amount) of wallets seen for the first time; they are already
        in the balances.
    """
    catalog = load_catalog(directory.images / content_hash)
    known_wallets = len(state.vocabulary.wallets)
    image = compile_image(catalog, state.vocabulary)
    state.account.grow(state.vocabulary)
    credits = [
        (int(account), int(wallet), int(amount))
        for account, wallet, amount in zip(*image.opening_credits(known_wallets), strict=True)
    ]
    for _, wallet, amount in credits:
        state.account.credit(wallet, amount)
    opening = image.opening_readings
    if len(opening.series_hi):
        state.resource.registers.open(opening.series_hi, opening.series_lo, opening.at, opening.index)
    state.image = content_hash
    return ActiveImage(catalog, image), credits


def recompile(directory: DataDirectory, content_hash: str, state: StageState) -> ActiveImage:
    """Compile the image that was active at a snapshot; the state has everything it brought already."""
    catalog = load_catalog(directory.images / content_hash)
    return ActiveImage(catalog, compile_image(catalog, state.vocabulary))


def opening_credit_rows(claim: int, at: int, credits: list[tuple[int, int, int]], state: StageState) -> list[OpeningCredit]:
    """Return the wallet operations of an activation."""
    return [
        OpeningCredit(claim, row, account, wallet, amount, state.account.balance(wallet), at)
        for row, (account, wallet, amount) in enumerate(credits)
    ]


