"""What usage is measured in, which no later catalog may change: quantities are stored, counted and waiting in base steps."""

from __future__ import annotations

from apps.embedded.ports import FactStore
from rating.levels import unit_of
from schemas.catalog import Catalog
from schemas.quantity import BUILT_IN_UNITS, Unit

_MEASURED = "SELECT code, unit, step_count FROM dim_event_type ORDER BY code"


class UnableToActivate(Exception):
    """A catalog contradicts the ones before; it does not take effect."""


def check_measures(catalog: Catalog, active: Catalog | None, store: FactStore) -> None:
    """Check that event types and counters still measure in the base steps in which they ever did.

    Args:
        active: the catalog in force, None for none. store: knows the event types of all catalogs.

    Raises:
        UnableToActivate: with every event type and counter that does not.
    """
    told = []
    for row in store.query(_MEASURED).to_pylist():
        code, before = row["code"], _unit(row["unit"], row["step_count"])
        if code in catalog.event_types:
            told += _told(f'the event type "{code}"', before, catalog.units[catalog.event_types[code].unit])
    for code, counter in catalog.counters.items():
        known = active.counters.get(code) if active is not None else None
        if active is not None and known is not None:
            before, now = unit_of(known, active.units), unit_of(counter, catalog.units)
            told += _told(f'the counter "{code}"', before, now)
    if told:
        raise UnableToActivate("; ".join(told))


def _unit(code: str, step_count: int) -> Unit:
    """Return a unit as it was: one that a catalog declared is a dimension of its own."""
    return BUILT_IN_UNITS.get(code, Unit(code, f"unit/{code}", step_count))


def _told(what: str, before: Unit, now: Unit) -> list[str]:
    other_step = before.code == now.code and before.step_count != now.step_count
    if before.dimension == now.dimension and not other_step:
        return []
    how = f"in {before.code} with another number of decimals" if other_step else f"in {before.code}, not in {now.code}"
    return [f"{what} was measured {how}: what is stored and counted would mean something else. Give it another code"]
