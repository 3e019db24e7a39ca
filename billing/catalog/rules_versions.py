"""Rules of price versions: which model has which fields, and that tiers, prices, limits and crossings make sense."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise

from billing.catalog.checking import Context, fits
from billing.catalog.models import Entry, Fault, Path
from billing.catalog.rules_counters import check_allowance, check_ceiling
from billing.catalog.rules_expressions import check_formula
from billing.catalog.rules_rounding import check_price_rounding
from billing.catalog.rules_tables import PRICE_MAX, check_table_use
from billing.catalog.wording import choose
from schemas.money import AMOUNT_DECIMALS
from schemas.price_plan import Calendar, Counter, PricePlan, PriceVersion, Tier

__all__ = ["PRICE_MAX", "check_version", "priced_quantity"]

TIERS_MAX = 255
"""A rated item keeps the index of its tier in one byte."""
NEEDED = {
    "flat": ("per", "price"),
    "graduated": ("per", "tiers"),
    "volume": ("per", "tiers"),
    "package": ("per", "price"),
    "stair_step": ("tiers",),
    "event": ("price",),
    "value": ("value", "price"),
    "formula": ("formula",),
    "plugin": ("plugin",),
}
"""Fields that a version of each model must have."""
OPTIONAL = {
    "flat": ("free", "crossing", "prices"),
    "graduated": ("zero_usage", "crossing"),
    "volume": ("bounds", "zero_usage", "crossing"),
    "package": ("free", "blocks", "prices"),
    "stair_step": ("bounds", "zero_usage"),
    "event": ("zero_usage", "prices"),
    "value": ("free_value", "prices"),
    "formula": ("constants", "zero_usage"),
    "plugin": (),
}
"""Fields of `OF_MODELS` that it may have besides."""
OF_MODELS = (
    "per",
    "price",
    "prices",
    "value",
    "free_value",
    "formula",
    "constants",
    "plugin",
    "tiers",
    "free",
    "blocks",
    "bounds",
    "zero_usage",
    "crossing",
)
"""Fields that not every model has."""
ANOTHER_MODEL = {
    "tiers": "remove it, or write `model: graduated`",
    "price": "remove it, or write `model: flat`",
}


def priced_quantity(version: PriceVersion) -> tuple[str, Path] | None:
    """Return a quantity of a version, which tells what it measures, and where it stands; None when it has none."""
    increments = version.increments
    places: list[tuple[str | None, Path]] = [
        (version.per, ("per",)),
        (version.free, ("free",)),
        (version.minimum_quantity, ("minimum_quantity",)),
        (increments.first if increments is not None else None, ("increments", "first")),
        *((tier.up_to, ("tiers", index, "up_to")) for index, tier in enumerate(version.tiers or ())),
    ]
    return next(((text, path) for text, path in places if text is not None), None)


def check_version(ctx: Context, entry: Entry[PricePlan], path: Path, version: PriceVersion) -> None:
    """Check one version of a price plan."""
    ctx.period(entry, path, version.start, version.end)
    quantity = priced_quantity(version)
    dimension = ctx.dimension(quantity[0]) if quantity is not None else None
    _check_fields(ctx, entry, path, version)
    for name in ("per", "free", "minimum_quantity"):
        text = getattr(version, name)
        if text is not None:
            ctx.positive(entry, (*path, name), text, None if name == "per" else dimension)
    _check_tiers(ctx, entry, path, version, dimension)
    if version.price is not None:
        _check_prices(ctx, entry, (*path, "price"), version.price, version)
    if version.increments is not None:
        ctx.positive(entry, (*path, "increments", "first"), version.increments.first, dimension)
        ctx.positive(entry, (*path, "increments", "next"), version.increments.next, dimension)
    _check_amounts(ctx, entry, path, version)
    if version.calendar is not None:
        ctx.reference(entry, (*path, "calendar"), Calendar, "calendar", version.calendar)
    check_table_use(ctx, entry, path, version, dimension)
    check_formula(ctx, entry, path, version)
    check_price_rounding(ctx, entry, path, version, dimension)
    _check_crossing(ctx, entry, path, version, dimension)
    _check_counter_unit(ctx, entry, path, version, dimension)


def _check_fields(ctx: Context, entry: Entry[PricePlan], path: Path, version: PriceVersion) -> None:
    """Check that a version has the fields of its model and no others."""
    needed, optional = NEEDED[version.model], OPTIONAL[version.model]
    article = "an" if version.model == "event" else "a"
    for name in OF_MODELS:
        value = getattr(version, name)
        given = value != PriceVersion.model_fields[name].default
        if name not in needed and name not in optional and given:
            fix = ANOTHER_MODEL.get(name, "remove it") if version.model in ("flat", "graduated") else "remove it"
            message = f"{article} {version.model} version has no {name}"
            ctx.problems.at(entry, (*path, name), message, fix, key=True)
        # no price for any band is told by the bands
        if name == "price" and version.prices is not None:
            if value is not None and "prices" in optional:
                message = "the version has a price, and prices from a table"
                ctx.problems.at(entry, (*path, "prices"), message, "remove one of them", key=True)
            continue
        if name in needed and (not value if name == "tiers" else value is None):
            message = f"{article} {version.model} version needs {name}"
            ctx.problems.at(entry, (*path, name), message, f"add `{name}: …`")
    charged = version.zero_usage == "charged" and "zero_usage" in optional
    if charged and version.counter is not None and version.model not in ("event", "formula"):
        fix = "remove `zero_usage`, or the counter"
        message = "whether the first tier was paid already is not known when nothing is counted"
        ctx.problems.at(entry, (*path, "zero_usage"), message, fix)


def _check_tiers(
    ctx: Context, entry: Entry[PricePlan], path: Path, version: PriceVersion, dimension: str | None
) -> None:
    tiers = version.tiers or ()
    if len(tiers) > TIERS_MAX:
        ctx.problems.at(entry, (*path, "tiers"), f"there are more than {TIERS_MAX} tiers", "use fewer tiers")
    needed, foreign = ("amount", "price") if version.model == "stair_step" else ("price", None)
    for index, tier in enumerate(tiers):
        here: Path = (*path, "tiers", index)
        _check_up_to(ctx, entry, path, tiers, index, dimension)
        if getattr(tier, needed) is None:
            message = f'the field "{needed}" is missing'
            ctx.problems.at(entry, (*here, needed), message, f"add `{needed}: …`", Fault.MISSING)
        if foreign is not None and tier.price is not None:
            message = f"a tier of a {version.model} version has no price"
            ctx.problems.at(entry, (*here, foreign), message, "remove it; `amount` is what the tier costs", key=True)
        if tier.price is not None:
            _check_prices(ctx, entry, (*here, "price"), tier.price, version)
        if tier.amount is not None:
            _check_price(ctx, entry, (*here, "amount"), tier.amount, AMOUNT_DECIMALS)
    _check_tier_amounts(ctx, entry, path, version)
    _check_tier_increments(ctx, entry, path, version, dimension)


def _check_up_to(
    ctx: Context,
    entry: Entry[PricePlan],
    path: Path,
    tiers: tuple[Tier, ...],
    index: int,
    dimension: str | None,
) -> None:
    """Check the bound of one tier: above the one before; the last tier, and only it, is open."""
    here: Path = (*path, "tiers", index, "up_to")
    bound, last = tiers[index].up_to, index == len(tiers) - 1
    if bound is None:
        if not last:
            ctx.problems.at(entry, here, "only the last tier may be open", 'add `up_to: "NUMBER UNIT"`')
        return
    if last:
        ctx.problems.at(entry, here, "the last tier must be open", "remove `up_to`, or add a tier without it")
    steps = ctx.positive(entry, here, bound, dimension)
    before = tiers[index - 1].up_to if index else None
    if steps is None or before is None:
        return
    previous = ctx.steps(before)
    if previous is not None and steps <= previous:
        ctx.problems.at(entry, here, f'"{bound}" is not above "{before}", where the tier before ends', "sort the tiers")


def _check_tier_amounts(ctx: Context, entry: Entry[PricePlan], path: Path, version: PriceVersion) -> None:
    """Check the fixed amounts of tiers together: their sum is bounded, and what a counter paid for never falls."""
    amounts = [tier.amount or Decimal(0) for tier in version.tiers or ()]
    if sum(amounts) > PRICE_MAX >= max(amounts, default=Decimal(0)):
        message = f"the amounts of the tiers are {sum(amounts)} together"
        ctx.problems.at(entry, (*path, "tiers"), message, f"write at most {PRICE_MAX} in all")
    if version.counter is None:
        return
    if version.model == "volume" and any(amounts):
        index = next(place for place, amount in enumerate(amounts) if amount)
        message = "with a counter, nobody knows which usage of the period pays the amount of the tier"
        fix = "remove the counter or the amount, or write `model: stair_step`"
        ctx.problems.at(entry, (*path, "tiers", index, "amount"), message, fix, key=True)
    if version.model == "stair_step":
        for index, (low, high) in enumerate(pairwise(amounts), 1):
            if high < low:
                message = f"{high} is less than {low}, which the tier before has cost by then"
                ctx.problems.at(entry, (*path, "tiers", index, "amount"), message, "let amounts rise with a counter")


def _check_tier_increments(
    ctx: Context, entry: Entry[PricePlan], path: Path, version: PriceVersion, dimension: str | None
) -> None:
    """Check the increments of tiers: all tiers have one, in whole numbers, and nothing else rounds or counts."""
    tiers = version.tiers or ()
    if all(tier.increment is None for tier in tiers):
        return
    first = next(index for index, tier in enumerate(tiers) if tier.increment is not None)
    here: Path = (*path, "tiers", first, "increment")
    if version.model != "graduated":
        ctx.problems.at(entry, here, f"a tier of a {version.model} version has no increment", "remove it", key=True)
    if version.counter is not None:
        fix = "remove the increments of tiers, or the counter"
        ctx.problems.at(entry, here, "increments of tiers go by the position in one usage, not by a counter", fix)
    if version.increments is not None:
        fix = "remove the increments of the version, or those of its tiers"
        ctx.problems.at(entry, (*path, "increments"), "the tiers have increments of their own", fix, key=True)
    low = 0
    for index, tier in enumerate(tiers):
        place: Path = (*path, "tiers", index, "increment")
        if tier.increment is None:
            ctx.problems.at(entry, place, "other tiers have an increment", 'add `increment: "NUMBER UNIT"`')
            return
        step = ctx.positive(entry, place, tier.increment, dimension)
        high = ctx.steps(tier.up_to) if tier.up_to is not None else None
        if step and high is not None and (high - low) % step:
            message = f'the tier is no whole number of increments of "{tier.increment}"'
            ctx.problems.at(entry, place, message, "choose an increment that divides the length of the tier")
        low = high if high is not None else low


def _check_amounts(ctx: Context, entry: Entry[PricePlan], path: Path, version: PriceVersion) -> None:
    """Check connection fee, floor and cap: the limits are amounts as they are rounded, and in order."""
    if version.connection_fee is not None:
        _check_price(ctx, entry, (*path, "connection_fee"), version.connection_fee, AMOUNT_DECIMALS)
    for name in ("floor", "cap"):
        limit = getattr(version, name)
        if limit is None:
            continue
        _check_price(ctx, entry, (*path, name), limit, None)
        if not fits(limit, version.rounding.decimals):
            message = f"{limit} has more decimals than the amount, which is rounded to {version.rounding.decimals}"
            ctx.problems.at(entry, (*path, name), message, f"write at most {version.rounding.decimals} decimals")
    if version.floor is not None and version.cap is not None and version.floor > version.cap:
        message = f"the floor {version.floor} is above the cap {version.cap}"
        ctx.problems.at(entry, (*path, "floor"), message, "exchange them")


def _check_crossing(
    ctx: Context, entry: Entry[PricePlan], path: Path, version: PriceVersion, dimension: str | None
) -> None:
    if version.crossing == "start" or "crossing" not in OPTIONAL[version.model]:
        return
    here: Path = (*path, "crossing")
    if version.calendar is None:
        fix = "add `calendar: …`, or remove `crossing`"
        ctx.problems.at(entry, here, "without a calendar there are no bands to cross", fix)
    if dimension is not None and dimension != "time":
        message = f"only time can be split over bands; the version prices {dimension}"
        ctx.problems.at(entry, here, message, "write `crossing: start`")
    if version.crossing == "split_then_round" and any(tier.increment is not None for tier in version.tiers or ()):
        message = "increments of tiers go by the position in the whole usage, which is split before it is rounded"
        ctx.problems.at(entry, here, message, "write `crossing: each_increment` or `per_second`")


def _check_prices(
    ctx: Context,
    entry: Entry[PricePlan],
    path: Path,
    price: Decimal | dict[str, Decimal],
    version: PriceVersion,
) -> None:
    """Check one price, or that there is one for every band of the calendar and for no other."""
    if not isinstance(price, dict):
        _check_price(ctx, entry, path, price, None)
        return
    for band, value in price.items():
        _check_price(ctx, entry, (*path, band), value, None)
    if version.calendar is None:
        fix = "add `calendar: …` to the version, or write one price"
        ctx.problems.at(entry, path, "prices by band need a calendar", fix)
        return
    calendar = ctx.documents.of(Calendar).get(version.calendar)
    if calendar is None:
        return
    names = list(dict.fromkeys(band.name for band in calendar.document.bands))
    for band in price:
        if band not in names:
            message = f'the calendar "{version.calendar}" has no band "{band}"'
            ctx.problems.at(entry, (*path, band), message, choose(band, names), key=True)
    for name in names:
        if name not in price:
            ctx.problems.at(entry, path, f'the band "{name}" has no price', f'add `{name}: "…"`')


def _check_price(ctx: Context, entry: Entry[PricePlan], path: Path, price: Decimal, decimals: int | None) -> None:
    if price > PRICE_MAX:
        fix = f"write at most {PRICE_MAX}; price a smaller `per`"
        ctx.problems.at(entry, path, f"{price} is too large", fix)
    elif decimals is not None and not fits(price, decimals):
        ctx.problems.at(entry, path, f"{price} has too many decimals", f"write at most {decimals}")


def _check_counter_unit(
    ctx: Context, entry: Entry[PricePlan], path: Path, version: PriceVersion, dimension: str | None
) -> None:
    if version.counter is None:
        return
    counter = ctx.reference(entry, (*path, "counter"), Counter, "counter", version.counter)
    if counter is not None and counter.function == "max":
        _check_peak(ctx, entry, path, version)
    if counter is not None and counter.function == "amount":
        message = f'"{version.counter}" counts amounts, by which nothing is priced'
        ctx.problems.at(entry, (*path, "counter"), message, "list it under `accumulate` of a charge or an offer")
        return
    if counter is not None and counter.by is not None:
        message = f'"{version.counter}" counts by {counter.by}, and prices have one counter'
        ctx.problems.at(entry, (*path, "counter"), message, "list it under `accumulate` of a charge or an offer")
        return
    unit = ctx.units.get(counter.unit) if counter is not None else None
    if unit is not None and dimension is not None and unit.dimension != dimension:
        message = f'the counter "{version.counter}" counts {unit.dimension}, but the version prices {dimension}'
        ctx.problems.at(entry, (*path, "counter"), message, f"use a counter whose unit measures {dimension}")
    elif counter is not None:
        check_allowance(ctx, entry, path, version, counter)
        check_ceiling(ctx, entry, path, version, counter)


def _check_peak(ctx: Context, entry: Entry[PricePlan], path: Path, version: PriceVersion) -> None:
    """Check a version whose counter holds a maximum: it prices what a usage raises it by, and nothing else."""
    if version.model in ("event", "value", "plugin"):
        message = f'"{version.counter}" holds the largest usage, of which the model {version.model} prices nothing'
        ctx.problems.at(entry, (*path, "counter"), message, "remove the counter, or use another model", key=True)
    for name in ("increments", "minimum_quantity"):
        if getattr(version, name) is not None:
            message = f'what a usage raises "{version.counter}" by is not rounded'
            fix = "remove it; `model: package` prices begun blocks of the largest usage"
            ctx.problems.at(entry, (*path, name), message, fix, key=True)
    if version.crossing != "start":
        message = f'what a usage raises "{version.counter}" by lies at no time that could be split'
        ctx.problems.at(entry, (*path, "crossing"), message, "write `crossing: start`")
