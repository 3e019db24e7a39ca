"""The twin's pricing shapes: increments, tiers, blocks and amounts, from the documents in whole numbers and fractions."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

from rating.explanation import FixedAmount
from schemas.catalog import Catalog
from schemas.money import EXACT, RoundingMode
from schemas.price_plan import Increments, PriceVersion, Tier
from schemas.quantity import parse_quantity


class Part(NamedTuple):
    """The part of a quantity that falls in a tier."""

    tier: int
    quantity: int


def steps(text: str, catalog: Catalog) -> int:
    """Return "NUMBER UNIT" in base steps."""
    return parse_quantity(text, catalog.units)[0]


def tiers_of(version: PriceVersion) -> tuple[Tier, ...]:
    """Return the tiers of a version; a flat one has its free part, if any, and the rest."""
    if version.model in ("graduated", "volume", "stair_step"):
        return version.tiers or ()
    rest = Tier(price=version.price)
    return (Tier(up_to=version.free, price=Decimal(0)), rest) if version.model == "flat" and version.free else (rest,)


def round_fraction(value: Fraction, decimals: int, mode: RoundingMode) -> int:
    """Return a fraction in units of 10**-decimals, rounded; negative values mirror positive ones."""
    power: int = 10**decimals
    exact = abs(value) * power
    whole = exact.numerator // exact.denominator
    rest = exact - whole
    half = Fraction(1, 2)
    up = {
        RoundingMode.HALF_UP: rest >= half,
        RoundingMode.HALF_EVEN: rest > half or (rest == half and whole % 2 == 1),
        RoundingMode.UP: rest > 0,
        RoundingMode.DOWN: False,
    }[mode]
    magnitude = whole + 1 if up else whole
    return -magnitude if value < 0 else magnitude


def unit_price_of(version: PriceVersion, tier: Tier, price: Decimal, catalog: Catalog) -> tuple[Decimal, str]:
    """Return a price of a version with a `per`, and for what quantity it is: rounded where the version asks for it."""
    unit, increment = version.rounding.unit_price, version.rounding.increment
    assert version.per is not None
    if unit is not None:
        per, decimals, mode = unit.per, unit.decimals, unit.mode
    elif increment is not None:
        step = version.increments.next if version.increments is not None else None
        per, decimals, mode = tier.increment or step or version.per, increment.decimals, increment.mode
    else:
        return price, version.per
    exact = Fraction(price) * steps(per, catalog) / steps(version.per, catalog)
    return Decimal(round_fraction(exact, decimals, mode)).scaleb(-decimals, EXACT), per


def in_increments(quantity: int, increments: Increments | None, catalog: Catalog) -> int:
    """Return a quantity in whole increments: how many are used, as a fraction, and that rounded."""
    if quantity == 0 or increments is None:
        return quantity
    first, step = steps(increments.first, catalog), steps(increments.next, catalog)
    used = Fraction(quantity, first) if quantity < first else 1 + Fraction(quantity - first, step)
    count = round_fraction(used, 0, increments.mode)
    return first + (count - 1) * step if count else 0


def what_fits(quantity: int, room: int, version: PriceVersion, catalog: Catalog) -> int:
    """Return how much of a quantity above zero a counter with `room` left takes: all of it, or whole increments of it."""
    least = steps(version.minimum_quantity, catalog) if version.minimum_quantity is not None else 0
    if in_increments(max(quantity, least), version.increments, catalog) <= room:
        return quantity
    whole = (
        version.increments.model_copy(update={"mode": RoundingMode.DOWN}) if version.increments is not None else None
    )
    part = in_increments(max(room, 0), whole, catalog)
    return part if part >= least else 0


def may_be_taken_back(version: PriceVersion, catalog: Catalog) -> bool:
    """Return whether usage below zero has an exact price: less than none of it would be sold, limited or charged for itself."""
    counter = catalog.counters[version.counter] if version.counter is not None else None
    tiered = version.model == "graduated" or (version.model == "flat" and version.free is not None)
    steps_of = version.increments
    return (
        version.model in ("flat", "graduated", "formula")
        and (counter is None or version.model != "formula")
        and (counter is not None or not tiered)
        and (counter is None or (counter.function == "sum" and counter.roll_over is None))
        and not version.connection_fee
        and (version.minimum_quantity, version.floor, version.cap) == (None, None, None)
        and (version.crossing, version.zero_usage) == ("start", "free")
        and all(tier.amount is None and tier.increment is None for tier in version.tiers or ())
        and (
            steps_of is None
            or (
                steps_of.mode is RoundingMode.UP
                and steps(steps_of.first, catalog) == 1 == steps(steps_of.next, catalog)
            )
        )
    )


def in_tier_increments(quantity: int, tiers: tuple[Tier, ...], catalog: Catalog) -> int:
    """Return a quantity of which the part in each tier is rounded up to that tier's increments."""
    rounded = 0
    for part in tier_parts(quantity, 0, tiers, catalog):
        step = steps(tiers[part.tier].increment or "", catalog)
        rounded += -(-part.quantity // step) * step
    return rounded


def tier_parts(quantity: int, before: int, tiers: tuple[Tier, ...], catalog: Catalog) -> list[Part]:
    """Return what of the consumption from `before` to `before + quantity` lies within each tier's bounds."""
    parts = []
    low = min(0, before)  # what was carried over lies before the counter's own quantity
    for index, tier in enumerate(tiers):
        high = steps(tier.up_to, catalog) if tier.up_to is not None else max(low, before + quantity)
        parts.append(Part(index, max(0, min(high, before + quantity) - max(low, before))))
        low = high
    return parts


def tier_reached(position: int, version: PriceVersion, catalog: Catalog) -> int:
    """Return the tier in which a cumulated quantity lies."""
    bounds = [steps(tier.up_to, catalog) for tier in tiers_of(version) if tier.up_to is not None]
    inclusive = version.bounds == "inclusive"
    return sum(1 for bound in bounds if (position > bound if inclusive else position >= bound))


def blocks_taken(position: int, version: PriceVersion, catalog: Catalog) -> int:
    """Return how many blocks a cumulated quantity takes beyond the free part."""
    assert version.per is not None
    paid = max(0, position - (steps(version.free, catalog) if version.free is not None else 0))
    mode = RoundingMode.UP if version.blocks == "up" else RoundingMode.DOWN
    return round_fraction(Fraction(paid, steps(version.per, catalog)), 0, mode)


def fixed_amounts(
    version: PriceVersion, *, rated: int, before: int, price: Decimal, measured: Decimal, catalog: Catalog
) -> tuple[FixedAmount, ...]:
    """Return the amounts of a usage that are no price of its quantity, with their reasons.

    Args:
        rated, before: base steps: what is priced, and what the counter had before.
        price: of one block or of the event, in the band of the usage. measured: the value that is priced.
    """
    tiers = tiers_of(version)
    if version.model == "formula":
        return ()
    if rated == 0:
        return _zero_amounts(version, tiers, price)
    if version.model == "event":
        return (FixedAmount(reason="the event", amount=price),)
    if version.plugin is not None:
        reason = f"plug-in {version.plugin.name} {version.plugin.version}"
        return (FixedAmount(reason=reason, amount=measured),)
    if version.model == "value":
        free = version.free_value or Decimal(0)
        priced = max(Decimal(0), EXACT.subtract(measured, free))
        beyond = f" beyond {free:f}" if free else ""
        reason = f"{version.value} {measured:f}{beyond} at {price:f}"
        return (FixedAmount(reason=reason, amount=EXACT.multiply(priced, price)),)
    if version.model == "package":
        return _block_amounts(version, rated, before, price, catalog)
    reached = tier_reached(before + rated, version, catalog)
    amount = tiers[reached].amount or Decimal(0)
    if version.model == "stair_step":
        told = [FixedAmount(reason=f"tier {reached + 1} is reached", amount=amount)]
        if before > 0:
            paid = tier_reached(before, version, catalog)
            told.append(FixedAmount(reason=f"tier {paid + 1} was paid before", amount=-(tiers[paid].amount or 0)))
        return tuple(told)
    if version.model == "volume" and amount:
        return (FixedAmount(reason=f"tier {reached + 1} is reached", amount=amount),)
    if version.model == "graduated":
        lows = [0, *(steps(tier.up_to, catalog) for tier in tiers if tier.up_to is not None)]
        return tuple(
            FixedAmount(reason=f"tier {index + 1} begins", amount=tier.amount)
            for index, (low, tier) in enumerate(zip(lows, tiers, strict=True))
            if tier.amount and before <= low < before + rated
        )
    return ()


def _zero_amounts(version: PriceVersion, tiers: tuple[Tier, ...], price: Decimal) -> tuple[FixedAmount, ...]:
    if version.zero_usage == "free":
        return ()
    amount = price if version.model == "event" else tiers[0].amount
    return (FixedAmount(reason="usage of zero is charged", amount=amount or Decimal(0)),)


def _block_amounts(
    version: PriceVersion, rated: int, before: int, price: Decimal, catalog: Catalog
) -> tuple[FixedAmount, ...]:
    first, last = blocks_taken(before, version, catalog), blocks_taken(before + rated, version, catalog)
    begun = "begun ones count" if version.blocks == "up" else "begun ones do not count"
    free = f", free below {version.free}" if version.free is not None else ""
    counted = f", {first} before and {last} after" if version.counter is not None else ""
    blocks = "1 block" if last - first == 1 else f"{last - first} blocks"
    reason = f"{blocks} of {version.per} at {price:f} ({begun}{free}{counted})"
    return (FixedAmount(reason=reason, amount=(last - first) * price),)
