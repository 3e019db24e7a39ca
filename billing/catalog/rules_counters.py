"""Rules of counters: their units and periods, and that plans have the allowance that rolls over."""

from __future__ import annotations

from billing.catalog.checking import Context
from billing.catalog.models import Entry, Path
from schemas.price_plan import Counter, PricePlan, PriceVersion, RollOver

ALLOWANCE_MAX = 2**60
"""Base steps of an allowance that rolls over: three of them and a quantity fit into 64 bits."""
ALLOWING = ("flat", "graduated", "package")
"""Models that can have a free part."""


def check_counter(ctx: Context, entry: Entry[Counter]) -> None:
    """Check a counter: its unit and zone are known; what rolls over is a quantity of its unit, and ends sometime."""
    counter = entry.document
    unit = ctx.unit(entry, ("unit",), counter.unit)
    ctx.zone(entry, ("zone",), counter.zone)
    rule = counter.roll_over
    if rule is None:
        return
    dimension = unit.dimension if unit is not None else None
    allowance = ctx.positive(entry, ("roll_over", "of"), rule.of, dimension)
    limit = ctx.positive(entry, ("roll_over", "limit"), rule.limit, dimension) if rule.limit is not None else None
    if allowance is not None and allowance > ALLOWANCE_MAX:
        ctx.problems.at(entry, ("roll_over", "of"), f'"{rule.of}" is too large', f"write at most {ALLOWANCE_MAX} steps")
    if allowance is not None and limit is not None and limit > allowance:
        message = f'"{rule.limit}" is more than the allowance of "{rule.of}"'
        ctx.problems.at(entry, ("roll_over", "limit"), message, "write a smaller limit, or none")
    if counter.function == "max":
        fix = "remove `roll_over`, or write `function: sum`"
        ctx.problems.at(entry, ("roll_over",), "a largest usage leaves nothing of an allowance", fix, key=True)
    if counter.period == "ever":
        fix = "choose a period, or remove `roll_over`"
        ctx.problems.at(entry, ("roll_over",), "a counter without periods has nothing to carry over", fix, key=True)


def check_allowance(ctx: Context, entry: Entry[PricePlan], path: Path, version: PriceVersion, counter: Counter) -> None:
    """Check that a version on a counter that rolls over is free up to the allowance."""
    rule = counter.roll_over
    if rule is None:
        return
    article = "an" if version.model == "event" else "a"
    if version.model not in ALLOWING:
        message = (
            f'the counter "{counter.code}" rolls over an allowance, and {article} {version.model} version has none'
        )
        fix = "write `model: flat` or `package` with `free`, or `graduated` with a first tier that is free"
        ctx.problems.at(entry, (*path, "counter"), message, fix)
    elif version.model == "graduated":
        _check_tier(ctx, entry, path, version, rule)
    elif version.free is None or ctx.steps(version.free) != ctx.steps(rule.of):
        where: Path = (*path, "free") if version.free is not None else (*path, "counter")
        message = (
            f'the counter "{counter.code}" rolls over an allowance of "{rule.of}", which the version does not have'
        )
        ctx.problems.at(entry, where, message, f'write `free: "{rule.of}"`')


def _check_tier(ctx: Context, entry: Entry[PricePlan], path: Path, version: PriceVersion, rule: RollOver) -> None:
    first = version.tiers[0] if version.tiers else None
    if first is None or first.up_to is None:
        free = False
    else:
        prices = first.price.values() if isinstance(first.price, dict) else [first.price]
        free = ctx.steps(first.up_to) == ctx.steps(rule.of) and not any(prices) and not first.amount
    if not free:
        message = f'the counter rolls over an allowance of "{rule.of}", which the first tier is not'
        fix = f'start with the tier `{{up_to: "{rule.of}", price: "0"}}`'
        ctx.problems.at(entry, (*path, "tiers"), message, fix)
