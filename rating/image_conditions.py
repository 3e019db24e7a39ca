"""The conditions of charges as programs, and the texts that conditions and formulas compare attributes with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rating.image_formulas import compile_formulas
from rating.image_items import compile_follow_ups
from rating.image_prices import UnableToCompileImage
from rating.image_programs import Program, compile_condition
from rating.image_scopes import WrongExpression, condition_scope
from rating.image_triggers import compile_trigger_programs
from rating.vocabulary import Vocabulary
from schemas.catalog import Catalog
from schemas.expressions import UnableToParse
from schemas.price_plan import EventType
from schemas.quantity import Unit


def compile_conditions(catalog: Catalog, code_of: Callable[[str], int]) -> dict[str, Program]:
    """Return the programs of the conditions by the codes of their charges.

    Raises:
        UnableToCompileImage: when a condition is none.
    """
    programs = {}
    for code, charge in sorted(catalog.charges.items()):
        if charge.condition is None:
            continue
        event_type = catalog.event_types[charge.event_type]
        scope = condition_scope(event_type, catalog.units[event_type.unit], code_of)
        try:
            programs[code] = compile_condition(charge.condition, scope)
        except (UnableToParse, WrongExpression) as error:
            raise UnableToCompileImage(f"charge {code}: {error}") from error
    return programs


@dataclass(frozen=True, slots=True)
class Asked:
    """What may be asked of usage of one event type: what it says in which unit, and the charges with conditions, with them."""

    event_type: EventType
    unit: Unit
    conditions: tuple[tuple[str, str], ...]


def asked_of(catalog: Catalog, vocabulary: Vocabulary) -> dict[int, Asked]:
    """Return what may be asked of usage by the ids of event types."""
    conditions: dict[str, list[tuple[str, str]]] = {}
    for _, charge in sorted(catalog.charges.items()):
        if charge.condition is not None:
            conditions.setdefault(charge.event_type, []).append((charge.code, charge.condition))
    return {
        vocabulary.event_types.id(code): Asked(
            event_type, catalog.units[event_type.unit], tuple(conditions.get(code, ()))
        )
        for code, event_type in sorted(catalog.event_types.items())
    }


def expression_codes(catalog: Catalog) -> set[str]:
    """Return the texts with which conditions and formulas compare attributes."""
    texts: set[str] = set()

    def collect(text: str) -> int:
        texts.add(text)
        return 0

    compile_conditions(catalog, collect)
    compile_follow_ups(catalog, collect)
    compile_trigger_programs(catalog, collect)
    for charge in catalog.charges.values():
        event_type = catalog.event_types[charge.event_type]
        for version in catalog.price_plans[charge.price_plan].versions:
            if version.formula is not None:
                calendar = catalog.calendars[version.calendar] if version.calendar is not None else None
                compile_formulas(version, event_type, catalog.units[event_type.unit], calendar, collect)
    return texts
