"""Rules of triggers: what they make is usage that the catalog knows, and no usage triggers itself."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import polars as pl

from billing.catalog.checking import Context
from billing.catalog.models import Entry, Fault, Path
from billing.catalog.rows import Check
from billing.catalog.rules_expressions import FIX, check_condition
from billing.catalog.wording import choose
from rating.image_programs import compile_formula
from rating.image_scopes import WrongExpression, trigger_scope
from schemas.expressions import UnableToParse
from schemas.price_plan import Charge, EventType, Offer, PricePlan
from schemas.trigger import TREE_ITEMS_MAX, TRIGGER_DEPTH_MAX, Trigger

Chain = list[tuple[str, str]]
"""Event types, each with the charge of it that triggers the next one; the last one has none."""
Edges = dict[str, dict[str, str]]
"""Of an event type, those that its usage may trigger, each with a charge that does."""


def check_triggers(ctx: Context, entry: Entry[Charge], event_type: EventType) -> None:
    """Check the triggers of a charge of an event type, each alone."""
    for index, trigger in enumerate(entry.document.triggers):
        path = ("triggers", index)
        made = ctx.reference(entry, (*path, "event_type"), EventType, "event_type", trigger.event_type)
        if trigger.when is not None:
            check_condition(ctx, entry, event_type, (*path, "when"), trigger.when)
        _check_choice(ctx, entry, index, trigger, event_type)
        if made is None:
            continue
        _check_quantity(ctx, entry, index, trigger, event_type, made)
        _check_plugins(ctx, entry, index, made)
        for name, of in trigger.attributes.items():
            if name not in made.attributes:
                message = f'the event type "{made.code}" has no attribute "{name}"'
                fix = choose(name, made.attributes, otherwise=f"add it: `attributes: [{name}]`")
                ctx.problems.at(entry, (*path, "attributes", name), message, fix, key=True)
            if of not in event_type.attributes:
                message = f'the event type "{event_type.code}" has no attribute "{of}"'
                fix = choose(of, event_type.attributes, otherwise=f"add it: `attributes: [{of}]`")
                ctx.problems.at(entry, (*path, "attributes", name), message, fix)


def _check_choice(ctx: Context, entry: Entry[Charge], index: int, trigger: Trigger, event_type: EventType) -> None:
    path = ("triggers", index)
    if (trigger.by is None) != (not trigger.subscriptions):
        fix = 'write both, such as `by: network`, `subscriptions: {"20801": partner}`, or none'
        ctx.problems.at(entry, path, "`by` and `subscriptions` go together", fix)
    elif trigger.by is not None and trigger.by not in event_type.attributes:
        message = f'the event type "{event_type.code}" has no attribute "{trigger.by}"'
        fix = choose(trigger.by, event_type.attributes, otherwise=f"add it: `attributes: [{trigger.by}]`")
        ctx.problems.at(entry, (*path, "by"), message, fix)


def _check_quantity(
    ctx: Context, entry: Entry[Charge], index: int, trigger: Trigger, event_type: EventType, made: EventType
) -> None:
    units = ctx.units.get(event_type.unit), ctx.units.get(made.unit)
    if units[0] is None or units[1] is None:
        return
    here = ("triggers", index, "quantity")
    if trigger.quantity is None:
        if units[0].dimension != units[1].dimension:
            message = (
                f'"{made.code}" measures {units[1].dimension}, but "{event_type.code}" measures {units[0].dimension}'
            )
            ctx.problems.at(entry, here[:2], message, f'add `quantity: "1"`, or another formula in {made.unit}')
        return
    try:
        compile_formula(trigger.quantity, trigger_scope(event_type, units[0]))
    except (UnableToParse, WrongExpression) as error:
        ctx.problems.at(entry, here, str(error), FIX)


def _check_plugins(ctx: Context, entry: Entry[Charge], index: int, made: EventType) -> None:
    """Check that no plug-in prices what is triggered: it computes amounts before anybody knows how much there will be."""
    plans = ctx.documents.of(PricePlan)
    for code, other in ctx.documents.of(Charge).items():
        plan = plans.get(other.document.price_plan)
        if other.document.event_type != made.code or plan is None:
            continue
        if any(version.model == "plugin" for version in plan.document.versions):
            message = f'the charge "{code}" prices "{made.code}" by a plug-in, which triggered usage cannot have'
            ctx.problems.at(entry, ("triggers", index, "event_type"), message, "let a formula price it")


# ---- one after another


def check_chains(ctx: Context) -> None:
    """Check that no usage triggers itself, however far away, and that not too much is triggered in a row."""
    edges: Edges = {}
    charges = ctx.documents.of(Charge)
    for code, entry in charges.items():
        for trigger in entry.document.triggers:
            edges.setdefault(entry.document.event_type, {}).setdefault(trigger.event_type, code)
    for code, entry in charges.items():
        for index, trigger in enumerate(entry.document.triggers):
            chain = _longest([(entry.document.event_type, code), (trigger.event_type, "")], edges)
            told = " → ".join(event_type for event_type, _ in chain)
            here = ("triggers", index, "event_type")
            if _is_circle(chain):
                by = ", ".join(dict.fromkeys(charge for _, charge in chain if charge))
                message = f"usage would trigger itself without end: {told} (charges {by})"
                ctx.problems.at(entry, here, message, "let one of them trigger an event type that triggers nothing")
            elif len(chain) - 1 > TRIGGER_DEPTH_MAX:
                message = f"usage triggers usage more than {TRIGGER_DEPTH_MAX} times in a row: {told}"
                ctx.problems.at(entry, here, message, "let one charge have several triggers")


def _longest(chain: Chain, edges: Edges) -> Chain:
    """Return the longest chain that goes on from one, or one that comes back; none is followed further than it may go."""
    if _is_circle(chain) or len(chain) - 1 > TRIGGER_DEPTH_MAX:
        return chain
    last = chain[-1][0]
    found = [chain]
    for event_type, charge in edges.get(last, {}).items():
        found.append(_longest([*chain[:-1], (last, charge), (event_type, "")], edges))
        if _is_circle(found[-1]):
            return found[-1]
    return max(found, key=len)


def _is_circle(chain: Chain) -> bool:
    return chain[-1][0] in {event_type for event_type, _ in chain[:-1]}


# ---- whose, and how much


def check_triggered(check: Check, subscriptions: pl.DataFrame) -> None:
    """Check that triggers name subscriptions that there are, and that one usage does not come to too many items.

    Args:
        subscriptions: subscription and offer of all of them.
    """
    ctx = check.ctx
    named: list[tuple[str, Path, str]] = []
    for code, entry in ctx.documents.of(Charge).items():
        for index, trigger in enumerate(entry.document.triggers):
            alone = [("subscription", trigger.subscription)] if trigger.subscription is not None else []
            named += [(code, ("triggers", index, name), subscription) for name, subscription in alone]
            chosen = trigger.subscriptions.items()
            named += [(code, ("triggers", index, "subscriptions", text), subscription) for text, subscription in chosen]
    bought = subscriptions.filter(pl.col("subscription").is_in([subscription for *_, subscription in named]))
    offer_of = dict(bought.select("subscription", "offer").iter_rows())
    for code, path, subscription in named:
        if subscription not in offer_of and not ctx.documents.may_be("subscription", subscription):
            fix = choose(subscription, subscriptions["subscription"].head(1000).to_list(), otherwise="declare it")
            message = f'the subscription "{subscription}" is unknown'
            ctx.problems.at(ctx.documents.of(Charge)[code], path, message, fix, Fault.UNKNOWN_NAME)
    if any(entry.document.triggers for entry in ctx.documents.of(Charge).values()) and not ctx.problems:
        _check_sizes(ctx, offer_of)


def _check_sizes(ctx: Context, offer_of: dict[str, str]) -> None:
    offers, charges = ctx.documents.of(Offer), ctx.documents.of(Charge)

    def of(offer: str, event_type: str) -> Iterator[Charge]:
        sold = (charges[code].document for code in offers[offer].document.charges)
        return (charge for charge in sold if charge.event_type == event_type)

    @lru_cache(None)
    def items(offer: str, event_type: str) -> int:
        """Return how many items usage of an offer comes to at most, with all that it triggers."""
        return max(1, sum(1 + sum(made(offer, each) for each in charge.triggers) for charge in of(offer, event_type)))

    def made(offer: str, trigger: Trigger) -> int:
        at = {offer_of[name] for name in trigger.named} | ({offer} if trigger.subscription is None else set())
        return max(items(each, trigger.event_type) for each in at)

    for code, entry in offers.items():
        for event_type in {charges[each].document.event_type for each in entry.document.charges}:
            count = items(code, event_type)
            if count > TREE_ITEMS_MAX and any(charge.triggers for charge in of(code, event_type)):
                message = f'one usage of "{event_type}" may come to {count} items, {TREE_ITEMS_MAX} at most'
                ctx.problems.at(
                    entry, ("charges",), message, "let charges trigger less, or the offer have fewer of them"
                )
