"""A catalog takes effect: its image, and what it changes in the state of the stages."""

from __future__ import annotations

from dataclasses import dataclass

from pipelines.mediation.context import DecodeContext
from pipelines.snapshot import StageState
from rating.image_accounts import OpeningCredits
from rating.tariff_image import TariffImage, compile_image
from schemas.catalog import Catalog


@dataclass(frozen=True, slots=True)
class BroughtIn:
    """The image of a catalog that took effect, and the opening credits of wallets that were seen for the first time."""

    image: TariffImage
    opening: OpeningCredits


def bring_in(catalog: Catalog, state: StageState) -> BroughtIn:
    """Compile a catalog and make it the active image of `state`, opening balances and registers included."""
    known_wallets = len(state.vocabulary.wallets)
    image = compile_image(catalog, state.vocabulary)
    state.account.grow(state.vocabulary)
    opening = image.opening_credits(known_wallets)
    state.account.credit(opening.wallet, opening.amount)
    state.account.allow(*image.overdrafts())
    readings = image.opening_readings
    if len(readings.series_hi):
        state.resource.registers.open(readings.series_hi, readings.series_lo, readings.at, readings.index)
    state.image = catalog.content_hash
    return BroughtIn(image, opening)


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
