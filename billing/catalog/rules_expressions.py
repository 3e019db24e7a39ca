"""Rules of conditions and formulas: they can be read, and what they ask for is there and goes together."""

from __future__ import annotations

from typing import Any

from billing.catalog.checking import Context
from billing.catalog.models import Entry, Path
from billing.catalog.wording import choose
from rating.image_formulas import bands_of, compile_formulas
from rating.image_programs import compile_condition
from rating.image_scopes import WrongExpression, condition_scope
from rating.reference_conditions import cel_accepts
from schemas.expressions import RESERVED, USAGE, UnableToParse, names_of, parse_expression
from schemas.price_plan import Calendar, Charge, EventType, PricePlan, PriceVersion

FIX = "correct the expression"
OWN_NAMES = frozenset({"at", "quantity", "counted", USAGE})


def check_conditions(ctx: Context, entry: Entry[Charge], event_type: EventType) -> None:
    """Check the conditions of a charge: they are CEL, of the part that rating compiles, and name what usage says."""
    if entry.document.condition is not None:
        check_condition(ctx, entry, event_type, ("condition",), entry.document.condition)
    if isinstance(entry.document.then_next, str):
        check_condition(ctx, entry, event_type, ("then_next",), entry.document.then_next)


def check_condition(ctx: Context, entry: Entry[Any], event_type: EventType, path: Path, condition: str) -> None:
    """Check a condition over usage of an event type, written at `path`."""
    unit = ctx.units.get(event_type.unit)
    if unit is None:
        return
    try:
        asked = names_of(parse_expression(condition))
        scope = condition_scope(event_type, unit)
        if "quantity" in asked and "quantity" not in scope.names:
            message = f'"{event_type.code}" is measured in {unit.code}, of which quantities are no decimal fractions'
            fix = "let the event type have a unit such as s, B or Wh, or use a value in the place of `quantity`"
            ctx.problems.at(entry, path, message, fix)
            return
        compile_condition(condition, scope)
    except (UnableToParse, WrongExpression) as error:
        ctx.problems.at(entry, path, str(error), FIX)
        return
    refused = cel_accepts(condition)
    if refused is not None:
        ctx.problems.at(entry, path, refused, FIX)


def check_formula(ctx: Context, entry: Entry[PricePlan], path: Path, version: PriceVersion) -> None:
    """Check the formula of a version by itself, and its constants: their names, and that they have every band's number."""
    if version.formula is None:
        return
    try:
        asked = names_of(parse_expression(version.formula))
    except UnableToParse as error:
        ctx.problems.at(entry, (*path, "formula"), str(error), FIX)
        return
    calendar = ctx.documents.of(Calendar).get(version.calendar) if version.calendar is not None else None
    names = list(dict.fromkeys(name for name in bands_of(calendar.document if calendar is not None else None) if name))
    for name, value in version.constants.items():
        here: Path = (*path, "constants", name)
        if name in RESERVED or name in OWN_NAMES:
            message = f'"{name}" has a meaning of its own in formulas'
            ctx.problems.at(entry, here, message, "rename it", key=True)
        if name not in asked:
            ctx.problems.at(entry, here, f'the formula does not use "{name}"', "remove it", key=True)
        if not isinstance(value, dict):
            continue
        if version.calendar is None:
            fix = "add `calendar: …` to the version, or write one number"
            ctx.problems.at(entry, here, "numbers by band need a calendar", fix)
        elif names:
            for band in set(value) - set(names):
                message = f'the calendar "{version.calendar}" has no band "{band}"'
                ctx.problems.at(entry, (*here, band), message, choose(band, names), key=True)
            for band in names:
                if band not in value:
                    ctx.problems.at(entry, here, f'the band "{band}" has no number', f'add `{band}: "…"`')


def check_formula_use(ctx: Context, entry: Entry[Charge], event_type: EventType, plan: PricePlan) -> None:
    """Check that the event type of a charge has what the formulas of its plan read."""
    unit = ctx.units.get(event_type.unit)
    for index, version in enumerate(plan.versions):
        if version.formula is None or unit is None:
            continue
        taken = sorted({*event_type.values, *event_type.attributes} & set(version.constants))
        calendar = ctx.documents.of(Calendar).get(version.calendar) if version.calendar is not None else None
        try:
            if taken:
                raise WrongExpression(f'"{taken[0]}" is a constant, and said by "{event_type.code}", too', 1)
            compile_formulas(
                version, event_type, unit, calendar.document if calendar is not None else None, lambda text: 0
            )
        except WrongExpression as error:
            place = ctx.documents.of(PricePlan)[plan.code].place(("versions", index, "formula"))
            message = f'the formula of version {index} of "{plan.code}" ({place}) for "{event_type.code}": {error}'
            ctx.problems.at(entry, ("price_plan",), message, FIX)
        except (UnableToParse, KeyError):
            continue  # told of the plan
