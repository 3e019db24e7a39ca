"""One price version as integers: exact prices on the smallest scale that serves, and one divisor."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from math import gcd

import numpy as np

from rating.image_programs import Program
from rating.image_rounding import common_quantity, rounded_for, rounded_price
from rating.kernels import layout
from schemas.arrays import Int64Array
from schemas.catalog import TIME_MAX, Catalog
from schemas.money import AMOUNT_DECIMALS, EXACT, PRICE_DECIMALS_MAX, ROUNDING_CODES, RoundingMode, from_scaled
from schemas.price_plan import Calendar, PriceVersion, Tier, utc_microseconds
from schemas.quantity import QUANTITY_MAX, Unit, parse_quantity

INT64_MAX = 2**63 - 1
WIDE_MAX = 2**127 - 1
TIERS_MAX = 255
"""A rated item stores the index of its tier in one byte."""
PRICED_BY_QUANTITY = ("flat", "graduated", "volume")
"""Models whose price is for `per`; those of the others are for one block, tier or event."""
TIERED = ("graduated", "volume", "stair_step")
MODELS = {
    "flat": layout.MODEL_FLAT,
    "graduated": layout.MODEL_GRADUATED,
    "volume": layout.MODEL_VOLUME,
    "package": layout.MODEL_PACKAGE,
    "stair_step": layout.MODEL_STAIR_STEP,
    "event": layout.MODEL_EVENT,
    "value": layout.MODEL_VALUE,
    "formula": layout.MODEL_FORMULA,
    "plugin": layout.MODEL_VALUE,
}
CROSSINGS = {
    "start": layout.CROSSING_START,
    "split_then_round": layout.CROSSING_SPLIT,
    "each_increment": layout.CROSSING_INCREMENT,
    "per_second": layout.CROSSING_SECOND,
}


@dataclass(frozen=True, slots=True)
class TablePrices:
    """The prices of a price table for one version.

    Attributes:
        pico: (rows, bands) int64 in 10**-12 currency units.
        fees: every connection fee that one of its rows may have.
    """

    pico: Int64Array
    fees: tuple[Decimal, ...]


class UnableToCompileImage(ValueError):
    """A document of the catalog asks for something that the kernels cannot hold exactly."""


@dataclass(frozen=True, slots=True)
class CompiledVersion:
    """A price version in integers.

    The amount of an item, in billionths, is
    `round(min(max(sum(part * price) + fixed amounts, floor), cap) / (divisor * extra), mode) * factor`, and this is
    exact up to the one rounding.

    Attributes:
        start, end: microseconds UTC, half-open.
        model, crossing: as `rating.kernels.layout` numbers them. plain: whether nothing below `next` is asked for.
        divisor, extra: int64; `extra` is 1 unless their product exceeds 64 bits.
        factor: power of ten from the rounding's scale to billionths.
        mode: `schemas.money.RoundingCode`.
        fee: connection fee on the scale of part * price, up to 126 bits.
        first, next: increments in base steps. increment_mode: `schemas.money.RoundingCode`.
        minimum: base steps that usage above zero counts at least.
        floor, cap: on the scale of part * price. zero_charged: whether usage of zero has fixed amounts.
        size, free, round_down: package: base steps of a block and of the free part, whether a begun block is free.
        bands: how many prices each tier has.
        tier_upper: exclusive upper bounds, empty for the flat model and those without tiers.
        tier_amount: tier by tier on the scale of part * price. tier_step: increments of tiers, 0 without.
        price: tier by tier, band by band; empty where prices come from a table.
        table_unit: what the prices of the table are divided by, 1 without one.
        programs: of a formula, one for each band; their results are on the scale of part * price, see `image_formulas`.
    """

    start: int
    end: int
    model: int
    crossing: int
    plain: bool
    divisor: int
    extra: int
    factor: int
    mode: int
    fee: int
    first: int
    next: int
    increment_mode: int
    minimum: int
    floor: int
    cap: int
    zero_charged: bool
    size: int
    free: int
    round_down: bool
    bands: int
    tier_upper: tuple[int, ...]
    tier_amount: tuple[int, ...]
    tier_step: tuple[int, ...]
    price: tuple[int, ...]
    table_unit: int = 1
    programs: tuple[Program, ...] = ()


def period_of(version: PriceVersion) -> tuple[int, int]:
    """Return when a version is in force: [start, end) in microseconds UTC."""
    return utc_microseconds(version.start), TIME_MAX if version.end is None else utc_microseconds(version.end)


def effective_tiers(version: PriceVersion) -> tuple[Tier, ...]:
    """Return the tiers of a version: a free part is a first tier of its own that costs nothing."""
    if version.model == "flat" and version.free is not None:
        return (Tier(up_to=version.free, price=Decimal(0)), Tier(price=version.price))
    return (version.tiers or ()) if version.model in TIERED else ()


def compile_version(
    version: PriceVersion,
    *,
    unit: Unit,
    catalog: Catalog,
    where: str,
    table: TablePrices | None = None,
    decimals_of: Mapping[str, int] | None = None,
) -> CompiledVersion:
    """Return a price version in integers.

    Args:
        version: the document.
        unit: the unit of the event type that it prices.
        catalog: where its calendar and units are.
        where: what error messages call it.
        table: the prices of its price table, if it has one.
        decimals_of: decimals of the numbers among the values of the event type.

    Raises:
        UnableToCompileImage: when a quantity has another dimension, a band has no price, or a number is too
        large.
    """

    def steps(text: str | None, otherwise: int) -> int:
        return otherwise if text is None else _steps(text, unit, catalog, where)

    calendar = catalog.calendars[version.calendar] if version.calendar is not None else None
    tiers = effective_tiers(version)
    by_quantity = version.model in PRICED_BY_QUANTITY
    value_one = 10 ** _value_decimals(version, decimals_of or {}, where)
    per = steps(_needed(version.per, version, where), 1) if by_quantity else value_one
    priced = _tier_prices(version, tiers, where) if table is None else []
    banded = [_band_prices(tier, calendar, where) for tier in priced]
    if by_quantity:
        per, banded = _rounded(version, tiers, per, banded, lambda text: steps(text, 1), where)
    prices = [price for tier in banded for price in tier]
    fees = table.fees if table is not None else ()
    fixed = [version.connection_fee, version.floor, version.cap, *(tier.amount for tier in tiers), *fees]
    amounts = [amount or Decimal(0) for amount in fixed]
    decimals = version.rounding.decimals
    all_pico = int(np.gcd.reduce(table.pico, axis=None)) if table is not None and table.pico.size else 0
    finest = _decimals(from_scaled(all_pico, PRICE_DECIMALS_MAX))
    scale = max([decimals, finest, *(_decimals(price) for price in [*prices, *amounts])])
    pico_unit = 10 ** (PRICE_DECIMALS_MAX - scale)
    scaled = [_scaled(price, scale, where) for price in prices]
    scaled_amounts = [_scaled(amount, scale, where) * per for amount in amounts]
    tenths = 10 ** (scale - decimals)
    common = gcd(per * tenths, *scaled_amounts, *scaled, all_pico // pico_unit)
    # common divides per * tenths, hence what is left of it after per divides tenths
    divisor, extra = per // gcd(per, common), tenths // (common // gcd(per, common))
    if divisor * extra <= INT64_MAX:
        divisor, extra = divisor * extra, 1
    fee, floor, cap, *tier_amount = (amount // common for amount in scaled_amounts[: 3 + len(tiers)])
    increments = version.increments
    compiled = CompiledVersion(
        start=period_of(version)[0],
        end=period_of(version)[1],
        model=layout.MODEL_GRADUATED if version.model == "flat" and tiers else MODELS[version.model],
        crossing=CROSSINGS[version.crossing],
        plain=_is_plain(version),
        divisor=divisor,
        extra=extra,
        factor=10 ** (AMOUNT_DECIMALS - decimals),
        mode=int(ROUNDING_CODES[version.rounding.mode]),
        fee=fee,
        first=steps(increments.first, 1) if increments else 1,
        next=steps(increments.next, 1) if increments else 1,
        increment_mode=int(ROUNDING_CODES[increments.mode if increments else RoundingMode.UP]),
        minimum=steps(version.minimum_quantity, 0),
        floor=floor,
        cap=WIDE_MAX if version.cap is None else cap,
        zero_charged=version.zero_usage == "charged",
        size=steps(_needed(version.per, version, where), 1) if version.model == "package" else 1,
        free=steps(version.free, 0) if version.model != "value" else int((version.free_value or 0) * value_one),
        round_down=version.blocks == "down",
        bands=len(calendar.bands) if calendar is not None else 1,
        tier_upper=_tier_bounds(version, tiers, unit, catalog, where),
        tier_amount=tuple(tier_amount),
        tier_step=tuple(steps(tier.increment, 0) for tier in tiers),
        price=tuple(price // common for price in scaled),
        table_unit=pico_unit * common,
    )
    _require_headroom(compiled, where)
    return compiled


def _rounded(
    version: PriceVersion,
    tiers: tuple[Tier, ...],
    per: int,
    prices: list[list[Decimal]],
    steps: Callable[[str], int],
    where: str,
) -> tuple[int, list[list[Decimal]]]:
    """Return what prices are for, in base steps, and the prices by tier and band, rounded where the version asks for it."""
    try:
        sold = rounded_for(version, tiers, steps)
        if sold is None:
            return per, prices
        common = common_quantity(sold)
        found = [
            [rounded_price(version, price, per, of, common) for price in tier]
            for tier, of in zip(prices, sold, strict=False)
        ]
    except ValueError as error:
        raise UnableToCompileImage(f"{where}: {error}") from error
    return common, found


def _value_decimals(version: PriceVersion, decimals_of: Mapping[str, int], where: str) -> int:
    if version.model == "plugin":
        return AMOUNT_DECIMALS
    if version.model != "value":
        return 0
    if version.value is None or version.value not in decimals_of:
        raise UnableToCompileImage(f"{where}: usage has no number {version.value!r}")
    return decimals_of[version.value]


def _is_plain(version: PriceVersion) -> bool:
    """Return whether the model is the first or second, with nothing asked for that kernels need not do for most."""
    return (
        version.model in ("flat", "graduated")
        and version.crossing == "start"
        and version.minimum_quantity is None
        and version.floor is None
        and version.cap is None
        and (version.increments is None or version.increments.mode is RoundingMode.UP)
        and version.zero_usage == "free"
        and all(tier.amount is None and tier.increment is None for tier in version.tiers or ())
    )


def _require_headroom(compiled: CompiledVersion, where: str) -> None:
    """Raise when the largest sum of an item could exceed 127 bits: parts below 2**125, amounts below 2**126."""
    if sum(compiled.tier_amount) + compiled.fee > 2**126:
        raise UnableToCompileImage(f"{where}: the amounts of the tiers are too large together")


def _needed(text: str | None, version: PriceVersion, where: str) -> str:
    if text is None:
        raise UnableToCompileImage(f"{where}: a {version.model} version without `per`")
    return text


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


def _tier_prices(version: PriceVersion, tiers: tuple[Tier, ...], where: str) -> list[Decimal | dict[str, Decimal]]:
    if version.model == "stair_step" and tiers and all(tier.amount is not None for tier in tiers):
        return [Decimal(0) for _ in tiers]
    if version.model in ("formula", "plugin"):
        return [Decimal(version.model == "plugin")]
    prices = [tier.price for tier in tiers] or [version.price]
    if (version.model in TIERED and not tiers) or any(price is None for price in prices):
        raise UnableToCompileImage(f"{where}: a {version.model} version without its price")
    return [price for price in prices if price is not None]


def _band_prices(price: Decimal | dict[str, Decimal], calendar: Calendar | None, where: str) -> list[Decimal]:
    if not isinstance(price, dict):
        return [price] * (len(calendar.bands) if calendar is not None else 1)
    names = [band.name for band in calendar.bands] if calendar is not None else []
    if sorted(set(names)) != sorted(price):
        raise UnableToCompileImage(f"{where}: prices for {sorted(price)} where the time bands are {names}")
    return [price[name] for name in names]


def _tier_bounds(
    version: PriceVersion, tiers: tuple[Tier, ...], unit: Unit, catalog: Catalog, where: str
) -> tuple[int, ...]:
    """Return exclusive bounds; an inclusive bound lies one base step higher, quantities being whole base steps."""
    if not tiers:
        return ()
    if len(tiers) > TIERS_MAX:
        raise UnableToCompileImage(f"{where}: more than {TIERS_MAX} tiers")
    *closed, last = tiers
    if last.up_to is not None or any(tier.up_to is None for tier in closed):
        raise UnableToCompileImage(f"{where}: exactly the last tier must be open")
    more = 1 if version.bounds == "inclusive" else 0
    bounds = [_steps(tier.up_to, unit, catalog, where) + more for tier in closed if tier.up_to is not None]
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
