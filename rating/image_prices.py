"""One price version as integers: exact prices on the smallest scale that serves, and one divisor."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from math import gcd

from schemas.catalog import TIME_MAX, Catalog
from schemas.money import AMOUNT_DECIMALS, EXACT, ROUNDING_CODES
from schemas.price_plan import Calendar, PriceVersion, utc_microseconds
from schemas.quantity import QUANTITY_MAX, Unit, parse_quantity

INT64_MAX = 2**63 - 1
TIERS_MAX = 255
"""A rated item stores the index of its tier in one byte."""


class UnableToCompileImage(ValueError):
    """A document of the catalog asks for something that the kernels cannot hold exactly."""


@dataclass(frozen=True, slots=True)
class CompiledVersion:
    """A price version in integers.

    The amount of an item, in billionths, is
    `round((sum(part * price) + fee) / (divisor * extra), mode) * factor`, and this is exact up to the one
    rounding.

    Attributes:
        start, end: microseconds UTC, half-open.
        divisor, extra: int64; `extra` is 1 unless their product exceeds 64 bits.
        factor: power of ten from the rounding's scale to billionths.
        mode: `schemas.money.RoundingCode`.
        fee: connection fee on the scale of part * price, up to 126 bits.
        first, next: increments in base steps.
        bands: how many prices each tier has.
        tier_upper: exclusive upper bounds, empty for the flat model.
        price: tier by tier, band by band.
    """

    start: int
    end: int
    divisor: int
    extra: int
    factor: int
    mode: int
    fee: int
    first: int
    next: int
    bands: int
    tier_upper: tuple[int, ...]
    price: tuple[int, ...]


def compile_version(version: PriceVersion, *, unit: Unit, catalog: Catalog, where: str) -> CompiledVersion:
    """Return a price version in integers.

    Args:
        version: the document.
        unit: the unit of the event type that it prices.
        catalog: where its calendar and units are.
        where: what error messages call it.

    Raises:
        UnableToCompileImage: when a quantity has another dimension, a band has no price, or a number is too
        large.
    """
    calendar = catalog.calendars[version.calendar] if version.calendar is not None else None
    per = _steps(version.per, unit, catalog, where)
    prices = [price for tier in _tier_prices(version, where) for price in _band_prices(tier, calendar, where)]
    fee = version.connection_fee or Decimal(0)
    decimals = version.rounding.decimals
    scale = max([decimals, *(_decimals(price) for price in [*prices, fee])])
    scaled = [_scaled(price, scale, where) for price in prices]
    scaled_fee = _scaled(fee, scale, where) * per
    tenths = 10 ** (scale - decimals)
    common = gcd(per * tenths, scaled_fee, *scaled)
    # common divides per * tenths, hence what is left of it after per divides tenths
    divisor, extra = per // gcd(per, common), tenths // (common // gcd(per, common))
    if divisor * extra <= INT64_MAX:
        divisor, extra = divisor * extra, 1
    first = _steps(version.increments.first, unit, catalog, where) if version.increments else 1
    following = _steps(version.increments.next, unit, catalog, where) if version.increments else 1
    return CompiledVersion(
        start=utc_microseconds(version.start),
        end=utc_microseconds(version.end) if version.end is not None else TIME_MAX,
        divisor=divisor,
        extra=extra,
        factor=10 ** (AMOUNT_DECIMALS - decimals),
        mode=int(ROUNDING_CODES[version.rounding.mode]),
        fee=scaled_fee // common,
        first=first,
        next=following,
        bands=len(calendar.bands) if calendar is not None else 1,
        tier_upper=_tier_bounds(version, unit, catalog, where),
        price=tuple(price // common for price in scaled),
    )


def _steps(text: str, unit: Unit, catalog: Catalog, where: str) -> int:
    """Return a quantity above zero in base steps of the dimension of `unit`."""
    try:
        steps, own = parse_quantity(text, catalog.units)
    except (KeyError, ValueError) as error:
        raise UnableToCompileImage(f"{where}: {text!r} is no quantity: {error}") from error
    if own.dimension != unit.dimension:
        raise UnableToCompileImage(f"{where}: {text!r} measures {own.dimension}, the usage {unit.dimension}")
    if not 0 < steps <= QUANTITY_MAX:
        raise UnableToCompileImage(f"{where}: {text!r} must be above zero")
    return steps


def _tier_prices(version: PriceVersion, where: str) -> list[Decimal | dict[str, Decimal]]:
    if version.model == "graduated" and version.tiers:
        return [tier.price for tier in version.tiers]
    if version.model == "flat" and version.price is not None:
        return [version.price]
    raise UnableToCompileImage(f"{where}: a {version.model} version without its price")


def _band_prices(price: Decimal | dict[str, Decimal], calendar: Calendar | None, where: str) -> list[Decimal]:
    if not isinstance(price, dict):
        return [price] * (len(calendar.bands) if calendar is not None else 1)
    names = [band.name for band in calendar.bands] if calendar is not None else []
    if sorted(set(names)) != sorted(price):
        raise UnableToCompileImage(f"{where}: prices for {sorted(price)} where the time bands are {names}")
    return [price[name] for name in names]


def _tier_bounds(version: PriceVersion, unit: Unit, catalog: Catalog, where: str) -> tuple[int, ...]:
    if version.model == "flat" or not version.tiers:
        return ()
    if len(version.tiers) > TIERS_MAX:
        raise UnableToCompileImage(f"{where}: more than {TIERS_MAX} tiers")
    *closed, last = version.tiers
    if last.up_to is not None or any(tier.up_to is None for tier in closed):
        raise UnableToCompileImage(f"{where}: exactly the last tier must be open")
    bounds = [_steps(tier.up_to, unit, catalog, where) for tier in closed if tier.up_to is not None]
    if any(low >= high for low, high in pairwise(bounds)):
        raise UnableToCompileImage(f"{where}: tiers must ascend")
    return (*bounds, INT64_MAX)


def _decimals(value: Decimal) -> int:
    exponent = value.normalize(EXACT).as_tuple().exponent
    assert isinstance(exponent, int)
    return max(0, -exponent)


def _scaled(price: Decimal, scale: int, where: str) -> int:
    scaled = int(price.scaleb(scale, EXACT))
    if scaled > INT64_MAX:
        raise UnableToCompileImage(f"{where}: the price {price} is too large for its {scale} decimals")
    return scaled
