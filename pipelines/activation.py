"""A catalog takes effect: its image, and what it changes in the state of the stages."""

from __future__ import annotations

from dataclasses import dataclass

from pipelines.mediation.context import DecodeContext
from pipelines.snapshot import StageState
from rating.image_accounts import OpeningCredits
from rating.tariff_image import TariffImage, compile_image
from rating.vocabulary import Counts, Names, Vocabulary
from schemas.catalog import Catalog
from schemas.wallets import WalletMovement


@dataclass(frozen=True, slots=True)
class PreparedImage:
    """A catalog that was compiled, beside whatever goes on: nothing has changed yet.

    Attributes:
        known: how many names there were. added: those that the catalog brings, which get the next ids.
    """

    catalog: Catalog
    image: TariffImage
    known: Counts
    added: Names


def prepare(catalog: Catalog, vocabulary: Vocabulary) -> PreparedImage:
    """Compile a catalog as the next one after those that gave `vocabulary` its names, which stays as it is.

    Raises:
        UnableToCompileImage, rating.zones.UnableToReadZone: as `rating.tariff_image.compile_image` does.
    """
    words = vocabulary.copied()
    image, known = compile_image(catalog, words), vocabulary.counts()
    return PreparedImage(catalog, image, known, words.beyond(known))


def bring_in(prepared: PreparedImage, state: StageState) -> OpeningCredits:
    """Make a prepared image the active one of `state`, opening balances and registers included.

    It takes as long as there are new names and opening balances, however large the catalog is. Returns the credits of wallets
    that were seen for the first time.

    Raises:
        ValueError: when another image took effect since it was prepared; nothing changed.
    """
    if state.vocabulary.counts() != prepared.known:
        raise ValueError(f"image {prepared.image.content_hash} was prepared for other names than there are")
    image = prepared.image
    state.vocabulary.append(prepared.added)
    state.account.grow(state.vocabulary)
    opening = image.opening_credits(prepared.known["wallets"])
    state.account.credit(opening.wallet, opening.amount)
    state.account.allow(*image.overdrafts())
    readings = image.opening_readings
    if len(readings.series_hi):
        state.resource.registers.open(readings.series_hi, readings.series_lo, readings.at, readings.index)
    state.image = image.content_hash
    return opening


def opening_movements(opening: OpeningCredits, claim: int, at: int) -> tuple[WalletMovement, ...]:
    """Return the opening credits that an entry brought as movements of wallets; at: microseconds UTC."""
    moved = zip(opening.account.tolist(), opening.wallet.tolist(), opening.amount.tolist(), strict=True)
    return tuple(
        WalletMovement(claim, row, account, wallet, amount, amount, at)
        for row, (account, wallet, amount) in enumerate(moved)
        if amount
    )


def decode_context(catalog: Catalog, source: str, state: StageState, *, tenant: str, secret: bytes) -> DecodeContext:
    """Return what the decoder of one source needs to know.

    Raises:
        KeyError: when the catalog has no such source.
    """
    words = state.vocabulary
    return DecodeContext(
        tenant=tenant,
        source=catalog.sources[source],
        event_types=catalog.event_types,
        event_type_codes={code: words.event_types.id(code) for code in catalog.event_types},
        units=catalog.units,
        attribute_codes={name: index for index, name in enumerate(words.attribute_values.names.to_list())},
        secret=secret,
    )
