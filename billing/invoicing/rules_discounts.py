"""What discounts take off a bill: lines in, negative lines out.

Amounts are integers in billionths, as the prices are, net or gross. A percentage is computed on the sum of all lines that an
item applies to, rounded once, and shared among them by the largest remainder; so is a fixed amount. Hence the parts add up to
the whole, each with the tax of its own line. What is taken back (a negative line) mirrors what was billed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from rating.amounts import allocate, rounded
from schemas.discount import PERCENT_DECIMALS, DiscountItem, DiscountPlan
from schemas.money import AMOUNT_DECIMALS, to_scaled
from schemas.price_plan import Rounding

_PERCENT = 10 ** (PERCENT_DECIMALS + 2)


@dataclass(frozen=True, slots=True, order=True)
class BillLine:
    """What is sold for one price basis and tax: items summed.

    Attributes:
        account, subscription, offer, charge, event_type: what it is, for targets and conditions.
        part: what else tells it from other lines, such as its tax.
        active: the assigned discounts that hold for it. amount: billionths; negative where something is taken back.
    """

    account: str
    subscription: str
    offer: str
    charge: str
    event_type: str
    part: int
    active: tuple[str, ...]
    amount: int


@dataclass(frozen=True, slots=True)
class Assigned:
    """A discount plan as one holder has it: its name, and how often and how much of it was used before, in billionths."""

    name: str
    plan: DiscountPlan
    applications: int = 0
    amount: int = 0


@dataclass(frozen=True, slots=True)
class DiscountLine:
    """What one item of a plan takes off one line: `line` is its place, `amount` is negative for a positive line."""

    assigned: str
    plan: str
    item: str
    line: int
    amount: int


@dataclass(frozen=True, slots=True)
class Discounted:
    """Discount lines in the order in which they were taken off, and the assigned plans as they are used now."""

    lines: tuple[DiscountLine, ...]
    used: tuple[Assigned, ...]


Holds = Callable[[DiscountItem, BillLine], bool]
"""Whether the condition of an item holds for a line."""


def discount(
    lines: Sequence[BillLine], assigned: Iterable[Assigned], rounding: Rounding, holds: Holds = lambda item, line: True
) -> Discounted:
    """Return what the assigned plans take off the lines of one bill.

    The order of `lines` and `assigned` changes nothing but places.
    """
    order = sorted(range(len(lines)), key=lambda place: lines[place])
    left = {place: lines[place].amount for place in order}
    ended: set[int] = set()
    found: list[DiscountLine] = []
    used = []
    for each in sorted(assigned, key=lambda one: (one.plan.sequence, one.plan.code, one.name)):
        limits = each.plan.limits
        if limits.applications is not None and each.applications >= limits.applications:
            used.append(each)
            continue
        taken = _take(each, lines, order, left, ended, rounding, holds)
        taken = _limited(taken, each)
        for one in taken:
            left[one.line] += one.amount
        found += [one for one in taken if one.amount]
        amount = each.amount - sum(one.amount for one in taken)
        applied = any(one.amount for one in taken)
        used.append(replace(each, applications=each.applications + applied, amount=amount))
    return Discounted(tuple(found), tuple(used))


def _take(
    each: Assigned,
    lines: Sequence[BillLine],
    order: list[int],
    before: Mapping[int, int],
    ended: set[int],
    rounding: Rounding,
    holds: Holds,
) -> list[DiscountLine]:
    """Return what one plan takes off, without regard to its limit; lines that an item ends are added to `ended`."""
    plan, left = each.plan, dict(before)
    chosen = _chosen(each, lines, [place for place in order if place not in ended], holds)
    taken: list[DiscountLine] = []
    for item in sorted(plan.items, key=lambda item: item.sequence):
        places = [place for place in chosen.get(item.code, ()) if place not in ended]
        bases = {place: left[place] if plan.cascading else lines[place].amount for place in places}
        shares = _percentage(item, bases, rounding) if item.type == "percentage" else _fixed(item, places, left)
        for place, share in shares.items():
            if not item.allow_to_negate:
                share = min(share, max(left[place], 0)) if share > 0 else max(share, min(left[place], 0))
            left[place] -= share
            taken.append(DiscountLine(each.name, plan.code, item.code, place, -share))
        if item.last:
            ended.update(places)
    return taken


def _chosen(each: Assigned, lines: Sequence[BillLine], places: list[int], holds: Holds) -> dict[str, list[int]]:
    """Return the lines to which each item applies: of those that match a line, the ones with the lowest priority."""
    chosen: dict[str, list[int]] = {}
    for place in places:
        line = lines[place]
        if each.name not in line.active:
            continue
        matching = [item for item in each.plan.items if _targets(item, line) and holds(item, line)]
        lowest = min((item.priority for item in matching), default=0)
        for item in matching:
            if item.priority == lowest:
                chosen.setdefault(item.code, []).append(place)
    return chosen


def _targets(item: DiscountItem, line: BillLine) -> bool:
    return (
        (not item.charges or line.charge in item.charges)
        and (not item.offers or line.offer in item.offers)
        and (not item.event_types or line.event_type in item.event_types)
    )


def _percentage(item: DiscountItem, bases: Mapping[int, int], rounding: Rounding) -> dict[int, int]:
    """Return what is taken off each line: the percentage of what is billed, and of what is taken back, each rounded once."""
    percent = to_scaled(item.value, PERCENT_DECIMALS)
    shares: dict[int, int] = {}
    for some in (
        {place: base for place, base in bases.items() if base > 0},
        {place: base for place, base in bases.items() if base < 0},
    ):
        if some:
            whole = rounded(sum(some.values()) * percent, _PERCENT, rounding)
            shares |= zip(some, allocate(whole, [abs(base) for base in some.values()]), strict=True)
    return shares


def _fixed(item: DiscountItem, places: list[int], left: Mapping[int, int]) -> dict[int, int]:
    """Return the shares of a fixed amount, by what is left of each line."""
    weights = [max(left[place], 0) for place in places]
    whole = to_scaled(item.value, AMOUNT_DECIMALS)
    return dict(zip(places, allocate(whole, weights), strict=True)) if places else {}


def _limited(taken: list[DiscountLine], each: Assigned) -> list[DiscountLine]:
    """Return the discounts of a plan cut down to what its limit leaves, each in proportion."""
    limit = each.plan.limits.amount
    if limit is None:
        return taken
    off = [one for one in taken if one.amount < 0]
    given_back = sum(one.amount for one in taken if one.amount > 0)
    room = max(0, to_scaled(limit, AMOUNT_DECIMALS) - each.amount + given_back)
    if -sum(one.amount for one in off) <= room:
        return taken
    shares = iter(allocate(room, [-one.amount for one in off]))
    return [replace(one, amount=-next(shares)) if one.amount < 0 else one for one in taken]
