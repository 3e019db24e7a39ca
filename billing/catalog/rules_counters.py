"""Rules of counters: their units, periods and levels, and that plans have the allowance that rolls over."""

from __future__ import annotations

from billing.catalog.checking import Context
from billing.catalog.models import Entry, Path
from billing.catalog.wording import choose
from rating.levels import PERCENT, level_of, unit_of, whole_of
from schemas.money import CURRENCY_DECIMALS
from schemas.price_plan import Charge, Counter, PricePlan, PriceVersion, RollOver

ALLOWANCE_MAX = 2**60
"""Base steps of an allowance that rolls over: three of them and a quantity fit into 64 bits."""
ALLOWING = ("flat", "graduated", "package")
"""Models that can have a free part."""


def check_counter(ctx: Context, entry: Entry[Counter]) -> None:
    """Check a counter: its unit and zone are known; levels and what rolls over are quantities of its unit."""
    counter = entry.document
    ctx.zone(entry, ("zone",), counter.zone)
    ctx.unique(entry, ("values",), counter.values, "value")
    if (counter.by is None) == bool(counter.values):
        message = "what is counted by has values that are counted each for itself"
        ctx.problems.at(entry, ("by",), message, "write both `by: …` and `values: […]`, or neither")
    if counter.function == "amount":
        if counter.unit not in CURRENCY_DECIMALS:
            message = f'the counter counts amounts, and octroi does not bill in the currency "{counter.unit}"'
            ctx.problems.at(entry, ("unit",), message, choose(counter.unit, CURRENCY_DECIMALS))
            return
        dimension = None
    else:
        unit = ctx.unit(entry, ("unit",), counter.unit)
        dimension = unit.dimension if unit is not None else None
    if counter.first_day != 1 and counter.period != "month":
        message = f"a {counter.period} has no day of the month on which it begins"
        if counter.period == "ever":
            message = "a counter without periods has no day on which they begin"
        ctx.problems.at(entry, ("first_day",), message, "write `period: month`, or remove it", key=True)
    if counter.ceiling is not None:
        _check_ceiling(ctx, entry, counter, dimension)
    if counter.roll_over is not None:
        _check_roll_over(ctx, entry, counter, counter.roll_over, dimension)
    if counter.function == "amount" or dimension is not None:
        _check_levels(ctx, entry, counter)


def _check_ceiling(ctx: Context, entry: Entry[Counter], counter: Counter, dimension: str | None) -> None:
    """Check that a ceiling is a quantity, of a counter that adds up usage and nothing else."""
    if counter.function != "sum" or counter.roll_over is not None:
        what = {"max": "a largest usage", "amount": "an amount"}.get(counter.function, "what is carried over")
        ctx.problems.at(entry, ("ceiling",), f"{what} has no ceiling", "remove `ceiling`", key=True)
    if counter.function != "amount":
        ctx.positive(entry, ("ceiling",), counter.ceiling or "", dimension)


def _check_levels(ctx: Context, entry: Entry[Counter], counter: Counter) -> None:
    """Check that every level is above zero, of the counter's unit, and written once."""
    unit = unit_of(counter, ctx.units)
    seen: dict[int, str] = {}
    for index, text in enumerate(counter.notify):
        here: Path = ("notify", index)
        whole = _whole(ctx, counter)
        if text.endswith(PERCENT) and whole is None:
            message = (
                f'nobody knows what "{text}" is of: plans on the counter have no free part or first tier, or several'
            )
            ctx.problems.at(entry, here, message, f'write a quantity, such as "5 {counter.unit}"')
            continue
        try:
            level = level_of(text, whole, unit, ctx.units)
        except KeyError:
            other = text.partition(" ")[2]
            codes = [code for code in ctx.units if ctx.units[code].dimension == unit.dimension] or [unit.code]
            ctx.problems.at(entry, here, f'the counter does not count "{other}"', choose(other, codes))
            continue
        except ValueError as error:
            ctx.problems.at(entry, here, str(error), f'write a quantity, such as "5 {counter.unit}"')
            continue
        if level == 0:
            ctx.problems.at(entry, here, f'"{text}" is zero', "write a level above zero")
        elif level in seen:
            message = f'"{text}" is the level "{seen[level]}" once more'
            ctx.problems.at(entry, here, message, "remove one of them")
        seen.setdefault(level, text)


def _whole(ctx: Context, counter: Counter) -> int | None:
    plans = ctx.documents.of(PricePlan).values()
    try:
        return whole_of(counter, (version for plan in plans for version in plan.document.versions), ctx.units)
    except (KeyError, ValueError):
        return None


def _check_roll_over(
    ctx: Context, entry: Entry[Counter], counter: Counter, rule: RollOver, dimension: str | None
) -> None:
    """Check that what rolls over is a quantity of the counter's unit, and ends sometime."""
    if counter.function != "sum":
        what = "a largest usage" if counter.function == "max" else "an amount"
        fix = "remove `roll_over`, or write `function: sum`"
        ctx.problems.at(entry, ("roll_over",), f"{what} leaves nothing of an allowance", fix, key=True)
    if counter.function == "amount":
        return
    allowance = ctx.positive(entry, ("roll_over", "of"), rule.of, dimension)
    limit = ctx.positive(entry, ("roll_over", "limit"), rule.limit, dimension) if rule.limit is not None else None
    if allowance is not None and allowance > ALLOWANCE_MAX:
        ctx.problems.at(entry, ("roll_over", "of"), f'"{rule.of}" is too large', f"write at most {ALLOWANCE_MAX} steps")
    if allowance is not None and limit is not None and limit > allowance:
        message = f'"{rule.limit}" is more than the allowance of "{rule.of}"'
        ctx.problems.at(entry, ("roll_over", "limit"), message, "write a smaller limit, or none")
    if counter.period == "ever":
        fix = "choose a period, or remove `roll_over`"
        ctx.problems.at(entry, ("roll_over",), "a counter without periods has nothing to carry over", fix, key=True)


def check_ceiling(ctx: Context, entry: Entry[PricePlan], path: Path, version: PriceVersion, counter: Counter) -> None:
    """Check that what fits under the ceiling of a counter can be told from the price of a version."""
    if counter.ceiling is None:
        return
    if version.crossing == "split_then_round":
        message = (
            f'the counter "{counter.code}" has a ceiling, and how much fits cannot be told of parts rounded one by one'
        )
        ctx.problems.at(entry, (*path, "crossing"), message, "choose another crossing")
    if version.plugin is not None:
        message = f'the counter "{counter.code}" has a ceiling, but a plug-in prices whole usage'
        ctx.problems.at(entry, (*path, "counter"), message, "use a counter without a ceiling")


def check_used_up(ctx: Context, entry: Entry[Charge], plan: PricePlan) -> None:
    """Check that a charge whose usage goes on to the next one has a counter that can be used up."""
    counters = ctx.documents.of(Counter)
    used = [version.counter for version in plan.versions if version.counter is not None]
    known = [counters[code].document for code in used if code in counters]
    if (
        entry.document.when_used_up == "next"
        and not plan.in_units
        and len(known) == len(used)
        and all(each.ceiling is None for each in known)
    ):
        message = f'no version of the price plan "{plan.code}" runs on a counter with a ceiling'
        fix = "add `ceiling: …` to the counter, or remove `when_used_up`"
        ctx.problems.at(entry, ("when_used_up",), message, fix, key=True)


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
