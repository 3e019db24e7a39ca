"""Which usage may draw a wallet: what wallets pay for, as a table of filters by candidates."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from rating.contracts import own_code
from rating.image_prices import UnableToCompileImage
from rating.image_programs import Program, compile_condition
from rating.image_scopes import WrongExpression, condition_scope
from rating.kernels.layout import ALWAYS, NEVER
from schemas.account import PaysFor, any_of
from schemas.arrays import BoolArray, Int32Array
from schemas.catalog import Catalog
from schemas.expressions import UnableToParse
from schemas.price_plan import PricePlan

Terms = tuple[tuple[PaysFor, ...], str]
"""What a wallet pays for, and the unit that it holds, "" for money."""
ANYTHING: Terms = (), ""
"""Of a wallet that says nothing of either."""


@dataclass(frozen=True, slots=True)
class WalletFilters:
    """What wallets pay for.

    Attributes:
        places: what wallets say of it -> row of `draws`; ANYTHING is the first. in_units: (offers,) whether an offer has a
            charge that prices in units.
        draws: (filters, candidates) int32: NEVER, ALWAYS, or the program that says whether a usage may draw such a wallet.
        programs: the last programs of the image.
    """

    places: dict[Terms, int]
    in_units: BoolArray
    draws: Int32Array
    programs: tuple[Program, ...]


def compile_filters(
    catalog: Catalog,
    offers: tuple[str, ...],
    charges: tuple[str, ...],
    cell_ptr: Int32Array,
    candidate_charge: Int32Array,
    code_of: Callable[[str], int],
    first_program: int,
) -> WalletFilters:
    """Return what the wallets of a catalog pay for.

    Args:
        catalog: with the variants of contracts. offers, charges: codes in the order of their index.
        cell_ptr, candidate_charge: of `layout.Tariff`. first_program: how many programs come before.

    Raises:
        UnableToCompileImage: when a condition is none.
    """
    places = {ANYTHING: 0}
    for _, terms in sorted(catalog.wallet_terms.items()):
        places.setdefault((terms.pays_for, terms.unit or ""), len(places))
    draws = np.full((len(places), len(candidate_charge)), ALWAYS, np.int32)
    programs: dict[tuple[str, str], Program] = {}
    types = (len(cell_ptr) - 1) // max(1, len(offers))
    offer_of = np.repeat(np.arange(len(cell_ptr) - 1) // max(1, types), np.diff(cell_ptr)).tolist()
    sold = list(zip(offer_of, candidate_charge.tolist(), strict=True))
    units = [_unit_of(catalog.price_plans[catalog.charges[code].price_plan]) for code in charges]
    in_units = np.zeros(len(offers), np.bool_)
    in_units[[offer for offer, charge in sold if units[charge]]] = True
    for (pays_for, unit), place in places.items():
        for candidate, (offer, charge) in enumerate(sold if place or any(units) else ()):
            condition = _condition(pays_for, offers[offer], charges[charge], catalog) if pays_for else ""
            condition = condition if units[charge] == unit else None
            draws[place, candidate] = NEVER if condition is None else ALWAYS
            if condition:
                key = catalog.charges[charges[charge]].event_type, condition
                if key not in programs:
                    programs[key] = _compiled(*key, catalog, code_of)
                draws[place, candidate] = first_program + list(programs).index(key)
    return WalletFilters(places, in_units, draws, tuple(programs.values()))


def _unit_of(plan: PricePlan) -> str:
    return plan.currency if plan.in_units else ""


def wallet_codes(catalog: Catalog) -> set[str]:
    """Return the texts with which conditions of wallets compare attributes."""
    found: set[str] = set()

    def collect(text: str) -> int:
        found.add(text)
        return 0

    for terms in catalog.wallet_terms.values():
        for pays_for in terms.pays_for:
            if pays_for.condition is not None:
                event_type = pays_for.event_type or catalog.charges[pays_for.charge or ""].event_type
                _compiled(event_type, pays_for.condition, catalog, collect)
    return found


def _condition(pays_for: tuple[PaysFor, ...], offer: str, code: str, catalog: Catalog) -> str | None:
    """Return the condition on which a charge of an offer may draw; "" for none, None where it never may."""
    charge = catalog.charges[own_code(code)]
    sold = own_code(offer), charge.code, charge.event_type, charge.price_plan
    conditions = [each.condition for each in pays_for if each.matches(*sold)]
    if not conditions:
        return None
    return "" if None in conditions else any_of(condition for condition in conditions if condition is not None)


def _compiled(event_type: str, condition: str, catalog: Catalog, code_of: Callable[[str], int]) -> Program:
    usage = catalog.event_types[event_type]
    try:
        return compile_condition(condition, condition_scope(usage, catalog.units[usage.unit], code_of))
    except (UnableToParse, WrongExpression) as error:
        raise UnableToCompileImage(f"a wallet that pays for {event_type}: {error}") from error
