"""Which usage of an image may become several items: ceilings of counters, and charges after which the next one is asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from rating.image_prices import UnableToCompileImage
from rating.image_programs import Program, compile_condition
from rating.image_scopes import WrongExpression, condition_scope
from rating.kernels.layout import ALWAYS, CEILING_NONE, NEVER
from schemas.arrays import Int32Array, Int64Array, UInt8Array
from schemas.catalog import Catalog
from schemas.expressions import UnableToParse
from schemas.price_plan import Charge
from schemas.quantity import parse_quantity


@dataclass(frozen=True, slots=True)
class ItemTables:
    """What `rating.kernels.layout.Items` reads.

    Attributes:
        cell_several: (offers * event_types,) uint8. candidate_next: (candidates,) int32.
        candidate_refuses: (candidates,) uint8. ceiling: (counters,) int64. offer_slots: (offers,) int32.
    """

    cell_several: UInt8Array
    candidate_next: Int32Array
    candidate_refuses: UInt8Array
    ceiling: Int64Array
    offer_slots: Int32Array

    @property
    def any_several(self) -> bool:
        """Whether any usage may become several items."""
        return bool(self.cell_several.any())


def compile_follow_ups(catalog: Catalog, code_of: Callable[[str], int]) -> dict[str, Program]:
    """Return the programs of the conditions of `then_next` by the codes of their charges.

    Raises:
        UnableToCompileImage: when one is none.
    """
    programs = {}
    for code, charge in sorted(catalog.charges.items()):
        if isinstance(charge.then_next, bool):
            continue
        event_type = catalog.event_types[charge.event_type]
        scope = condition_scope(event_type, catalog.units[event_type.unit], code_of)
        try:
            programs[code] = compile_condition(charge.then_next, scope)
        except (UnableToParse, WrongExpression) as error:
            raise UnableToCompileImage(f"charge {code}: then_next: {error}") from error
    return programs


def compile_items(
    catalog: Catalog,
    charges: tuple[str, ...],
    counters: tuple[str, ...],
    offer_counters: dict[str, tuple[str, ...]],
    cell_ptr: Int32Array,
    candidate_charge: Int32Array,
    follow_ups: dict[str, int],
) -> ItemTables:
    """Return the tables of an image.

    Args:
        charges, counters: codes in the order of their index. offer_counters: of each offer, in the order of the slots.
        cell_ptr, candidate_charge: of `layout.Tariff`. follow_ups: charge: the program of its `then_next`.
    """
    documents = [catalog.charges[code] for code in charges]
    limited = np.array([is_limited(charge, catalog) or is_covered(charge, catalog) for charge in documents], np.bool_)
    following = np.array([_next(charge, follow_ups) for charge in documents], np.int32)
    triggering = np.array([len(charge.triggers) > 0 for charge in documents], np.bool_)
    several = (limited | triggering | (following != NEVER))[candidate_charge]
    hits = np.concatenate([[0], np.cumsum(several)])
    refuses = np.array([charge.when_used_up == "refuse" for charge in documents], np.uint8)
    return ItemTables(
        cell_several=(hits[cell_ptr[1:]] > hits[cell_ptr[:-1]]).astype(np.uint8),
        candidate_next=following[candidate_charge],
        candidate_refuses=refuses[candidate_charge],
        ceiling=np.array([_ceiling(code, catalog) for code in counters], np.int64),
        offer_slots=np.array([len(names) for names in offer_counters.values()], np.int32),
    )


def is_limited(charge: Charge, catalog: Catalog) -> bool:
    """Return whether a version of a charge's plan runs on a counter with a ceiling."""
    counters = (version.counter for version in catalog.price_plans[charge.price_plan].versions)
    return any(catalog.counters[code].ceiling is not None for code in counters if code is not None)


def is_covered(charge: Charge, catalog: Catalog) -> bool:
    """Return whether a charge prices in units what wallets hold of them, and leaves the rest to the next one."""
    return catalog.price_plans[charge.price_plan].in_units and charge.when_used_up == "next"


def _next(charge: Charge, follow_ups: dict[str, int]) -> int:
    if isinstance(charge.then_next, bool):
        return ALWAYS if charge.then_next else NEVER
    return follow_ups[charge.code]


def _ceiling(code: str, catalog: Catalog) -> int:
    ceiling = catalog.counters[code].ceiling
    return parse_quantity(ceiling, catalog.units)[0] if ceiling is not None else CEILING_NONE
