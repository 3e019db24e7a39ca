"""Tariff images in the order in which they took effect: the same vocabulary, and the same ids, on every partition."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pipelines.activation import bring_in, prepare
from pipelines.snapshot import StageState
from rating.tariff_image import TariffImage, compile_image
from schemas.catalog import Catalog

Shelf = Callable[[int], Catalog]
"""Returns the catalog with this number, from 1; raises UnableToReadShelf."""


class UnableToReadShelf(Exception):
    """A catalog that a log names is not on the shelf, or is not the one that it was."""


@dataclass(frozen=True, slots=True)
class ImageInForce:
    """The image with a number, and the catalog it was compiled from."""

    number: int
    catalog: Catalog
    image: TariffImage


def in_force(current: ImageInForce | None, number: int, state: StageState, shelf: Shelf) -> ImageInForce:
    """Return the image in force once a block comes that was made under image `number`.

    Those that took effect in between are brought into the state first, so that names get the same ids everywhere. A block
    that was made under an earlier image changes nothing: ids stay what they are.

    Raises:
        UnableToReadShelf: when one is not there.
    """
    while current is None or current.number < number:
        following = 1 if current is None else current.number + 1
        prepared = prepare(shelf(following), state.vocabulary)
        bring_in(prepared, state)
        current = ImageInForce(following, prepared.catalog, prepared.image)
    return current


def restored(number: int, state: StageState, shelf: Shelf) -> ImageInForce | None:
    """Return the image that was in force at a snapshot; the state has everything it brought. None before the first."""
    if not number:
        return None
    catalog = shelf(number)
    return ImageInForce(number, catalog, compile_image(catalog, state.vocabulary))
