"""What no later catalog may change: what usage is measured in, as quantities are stored, counted and waiting in base steps, and
how indexes and intervals of a source become usage, as it would be usage again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from apps.embedded.ports import FactStore
from rating.levels import unit_of
from schemas.catalog import Catalog
from schemas.quantity import BUILT_IN_UNITS, Unit
from schemas.source import EnedisSource, SourceBase
from schemas.source_meters import MeterDataSource

CUTTING = (EnedisSource, MeterDataSource)
"""Sources whose intervals may be cut into grains."""
_MEASURED = "SELECT code, unit, step_count FROM dim_event_type ORDER BY code"


class UnableToActivate(Exception):
    """A catalog contradicts the ones before; it does not take effect."""


Former = Callable[[str], Catalog | None]
"""Return the latest catalog that had a counter, None for none; asked of counters that the one in force does not have."""


Sources = Callable[[str], Iterable[SourceBase]]
"""Yield what a source ever was in catalogs before the one in force; asked of those that begin to keep indexes."""


def nothing_before(code: str) -> Catalog | None:
    """Know no catalog before the one in force."""
    return None


def no_sources_before(code: str) -> Iterable[SourceBase]:
    """Know no source of a catalog before the one in force."""
    return ()


def check_measures(
    catalog: Catalog,
    active: Catalog | None,
    store: FactStore,
    former: Former = nothing_before,
    sources: Sources = no_sources_before,
) -> None:
    """Check that event types and counters still measure in the base steps in which they ever did.

    Args:
        active: the catalog in force, None for none. store: knows the event types of all catalogs.
        former: knows the counters of those before: what they counted is kept. sources: knows their sources: what a source
            billed stays billed, also when a catalog in between did not have it.

    Raises:
        UnableToActivate: with every event type and counter that does not; and with sources that would bill their history
            again, or whose files would have other records.
    """
    told = []
    for row in store.query(_MEASURED).to_pylist():
        code, before = row["code"], _unit(row["unit"], row["step_count"], (catalog, active))
        if code in catalog.event_types:
            told += _told(f'the event type "{code}"', before, catalog.units[catalog.event_types[code].unit])
    for code, counter in catalog.counters.items():
        last = active if active is not None and code in active.counters else former(code)
        if last is not None:
            known = last.counters[code]
            before, now = unit_of(known, last.units), unit_of(counter, catalog.units)
            if "amount" not in (known.function, counter.function):
                before = _unit(before.code, before.step_count, (catalog, last))
            told += _told(f'the counter "{code}"', before, now)
            if known.period == counter.period and known.first_day != counter.first_day:
                told.append(
                    f'the months of the counter "{code}" began on day {known.first_day}, not on day {counter.first_day}: what '
                    "is counted would be of other months. Give it another code"
                )
    for code, source in catalog.sources.items():
        earlier = active.sources.get(code) if active is not None else None
        if not _keeps(source) or (earlier is not None and _keeps(earlier)):
            continue
        if any(map(_has_billed_differences, [*([earlier] if earlier is not None else []), *sources(code)])):
            told.append(
                f'the source "{code}" made usage of what its indexes differ by (`cumulative`), and with `differences_to` '
                "all of it would be usage once more. Give the source that keeps indexes another code, and drop later files in"
            )
    told += _cut_otherwise(catalog, active, sources)
    if told:
        raise UnableToActivate("; ".join(told))


def _cut_otherwise(catalog: Catalog, active: Catalog | None, sources: Sources) -> Iterator[str]:
    """Yield sources of files that have other records now, as their intervals are cut otherwise: retries would find others."""
    for code, source in catalog.sources.items():
        if not isinstance(source, CUTTING) or source.records != "intervals":
            continue
        known = active.sources.get(code) if active is not None else None
        for before in [known] if known is not None else sources(code):
            if not isinstance(before, CUTTING) or before.records != "intervals":
                continue
            if before.cut_minutes != source.cut_minutes:
                yield (
                    f'intervals of the source "{code}" were {_how(before.cut_minutes)}, not {_how(source.cut_minutes)}: its '
                    "files would have other records than those that wait. Leave it, give a new source another code and "
                    f"`identity_space: {source.identity_space or code}`, and drop later files in there"
                )
            break


def _how(minutes: int | None) -> str:
    return "not cut" if minutes is None else f"cut into grains of {minutes} minutes"


def _keeps(source: SourceBase) -> bool:
    return isinstance(source, EnedisSource) and source.differences_to is not None


def _has_billed_differences(source: SourceBase) -> bool:
    return isinstance(source, EnedisSource) and source.mapping.quantity.cumulative is not None


def _unit(code: str, step_count: int, catalogs: Iterable[Catalog | None]) -> Unit:
    """Return a unit as it was, of the dimension that the first of `catalogs` says that has it worth so many steps.

    One that none has is a dimension of its own.
    """
    for catalog in catalogs:
        known = catalog.units.get(code) if catalog is not None else None
        if known is not None and known.step_count == step_count:
            return known
    return BUILT_IN_UNITS.get(code, Unit(code, f"unit/{code}", step_count))


def _told(what: str, before: Unit, now: Unit) -> list[str]:
    other_step = before.code == now.code and before.step_count != now.step_count
    if before.dimension == now.dimension and not other_step:
        return []
    if not other_step:
        how = f"in {before.code}, not in {now.code}"
    elif before.of is None and now.of is None:
        how = f"in {before.code} with another number of decimals"
    else:
        how = f"in {before.code} of another worth ({before.step_count} steps, not {now.step_count})"
    return [f"{what} was measured {how}: what is stored and counted would mean something else. Give it another code"]
