"""Simulation: stored usage priced by two catalogs side by side, leaving no trace.

Usage is read from the store window by window in the order of events, and rated by the kernels on two states of their own.
Counters begin empty where the counter periods begin in which the simulated period lies, or with the first usage where they roll
over; wallets of money can always pay, those of units begin the period with what they hold now.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from apps.embedded.engine import Engine
from apps.embedded.images import ActiveImage
from apps.embedded.kept_catalogs import find_catalog
from apps.embedded.renewal import renew_all
from apps.embedded.rerate_scope import (
    EVER,
    PERIOD,
    Chosen,
    UsageSelection,
    chosen_by,
    edr_block,
    in_order,
    of_subscriptions,
)
from apps.embedded.selection import UnableToSelect
from apps.embedded.simulate_sums import Ledger, Side, told
from apps.embedded.stored_edrs import StoredEdrs, join, read_rated, read_unrated
from billing.catalog.store import load_catalog
from rating.image_accounts import UNLIMITED
from rating.periods import owners_of_slots, period_start, slots_of
from rating.rate import rate
from rating.state import AccountState
from rating.tariff_image import compile_image
from rating.triggers import triggering
from rating.vocabulary import Vocabulary
from schemas.arrays import BoolArray, Int32Array
from schemas.money import CURRENCY_DECIMALS
from schemas.rated_item import RatedBlock, usage_of

WINDOW_ROWS = 500_000
"""EDRs that are held at a time, unless more of them start within one second."""
PURSE = 2**62
"""What is in a prepaid wallet, billionths: more than anybody uses."""
_COUNTS = f"""
SELECT intDiv(toInt64(toUnixTimestamp64Micro(event_at)), {{size:Int64}}) AS bucket, count() AS n FROM fact_usage
WHERE {PERIOD} AND {{where}} GROUP BY bucket ORDER BY bucket
"""
SIZES_US = (3_600_000_000, 60_000_000, 1_000_000)


@dataclass(slots=True)
class _Run:
    """What a simulation has: the engine with names of its own, both images, and what was added up."""

    engine: Engine
    old: ActiveImage
    new: ActiveImage
    chosen: Chosen
    ledger: Ledger
    states: list[AccountState] = field(default_factory=list)

    @property
    def images(self) -> tuple[ActiveImage, ActiveImage]:
        """Old and new."""
        return self.old, self.new

    @property
    def reads_alike(self) -> bool:
        """Whether both catalogs read the same attributes and values from records."""
        old, new = self.old.catalog, self.new.catalog
        return old.sources == new.sources and old.event_types == new.event_types and old.units == new.units


def simulate(
    engine: Engine, selection: UsageSelection, *, old: str, new: str, top: int, csv: str | None, drafts: bool = False
) -> dict[str, Any]:
    """Price the usage of a period by two catalogs; return what each comes to.

    Args:
        old, new: `current`, the beginning of a kept image's hash, or the path of a directory with a catalog.
        top: how many winners and losers to tell. csv: where to write every account, None for nowhere.
        drafts: whether the new catalog is taken with its draft versions, as if they were published.

    Raises:
        UnableToSelect, UnableToReadEdrs: when it is not known which usage is meant, or too much starts in one second.
        UnableToFindCatalog: when there is no such catalog. UnableToLoadCatalog, UnableToCompileImage: when one is invalid.
        UnableToReadArchive: when a file that usage is read from again is gone. OSError: when the CSV cannot be written.
    """
    engine.flush()
    since, until = selection.period()
    run = _run(engine, selection, old, new, drafts=drafts)
    start = _warm_up(run, since)
    for low, high in ((start, since), (since, until)):
        _fill_units(run)
        for window in _windows(run, low, high) if low < high else ():
            _price(run, window, since)
    result = told(run.ledger, top=top)
    if csv is not None:
        run.ledger.accounts().write_csv(Path(csv))
    return {"old": run.old.catalog.content_hash, "new": run.new.catalog.content_hash, **result}


def _run(engine: Engine, selection: UsageSelection, old: str, new: str, *, drafts: bool) -> _Run:
    vocabulary = engine.state.vocabulary.copied()
    images_at, current = engine.directory.images, engine.state.image
    places = [find_catalog(images_at, wanted, current) for wanted in (old, new)]
    catalogs = [load_catalog(places[0]), load_catalog(places[1], drafts=drafts)]
    for catalog in catalogs:
        compile_image(catalog, vocabulary)  # so that both images know all names
    images = [ActiveImage(catalog, compile_image(catalog, vocabulary)) for catalog in catalogs]
    scratch = replace(engine, state=replace(engine.state, vocabulary=vocabulary))
    chosen = _chosen(scratch, selection, images)
    sides = [Side.of(image, vocabulary) for image in images]
    run = _Run(scratch, images[0], images[1], chosen, Ledger(vocabulary, sides[0], sides[1]))
    for image in images:
        state = AccountState()
        state.grow(vocabulary)
        # wallets of money never run out
        limited = _holds_money(image, vocabulary) & (image.image.wallet_overdraft != UNLIMITED)
        limited = np.unique(image.image.account_wallet[limited]).astype(np.int32)
        state.credit(limited, np.full(len(limited), PURSE, np.int64))
        run.states.append(state)
    return run


def _holds_money(image: ActiveImage, vocabulary: Vocabulary) -> BoolArray:
    """Return which of the wallets in an image's order hold money: the others hold units."""
    money = [vocabulary.currencies.name(each) in CURRENCY_DECIMALS for each in range(len(vocabulary.currencies))]
    holds: BoolArray = np.array(money, np.bool_)[image.image.wallet_currency]
    return holds


def _fill_units(run: _Run) -> None:
    """Have wallets of units hold what may be drawn of them now."""
    now = run.engine.state.account
    for image, state in zip(run.images, run.states, strict=True):
        units = np.unique(image.image.account_wallet[~_holds_money(image, run.engine.state.vocabulary)]).astype(
            np.int32
        )
        held = [now.balance(wallet) if wallet < now.wallet_count else 0 for wallet in units.tolist()]
        change = [
            min(max(one, 0), PURSE) - state.balance(wallet) for one, wallet in zip(held, units.tolist(), strict=True)
        ]
        state.credit(units, np.array(change, np.int64))


def _chosen(engine: Engine, selection: UsageSelection, images: list[ActiveImage]) -> Chosen:
    """Return what either catalog says of a selection: of its offer, its charge and its accounts."""
    found: list[Chosen] = []
    for image in images:
        try:
            found.append(chosen_by(engine, selection, image))
        except UnableToSelect:  # what is meant may be in the other one
            if image is images[1] and not found:
                raise
    merged = found[0]
    merged.subscriptions = found[0].subscriptions | found[-1].subscriptions
    if merged.versions is not None:
        merged.versions = np.union1d(merged.versions, found[-1].versions).astype(np.int32)  # type: ignore[arg-type]
        merged.event_types = np.union1d(merged.event_types, found[-1].event_types).astype(np.int32)  # type: ignore[arg-type]
    return merged


# ---- which usage


def _warm_up(run: _Run, since: int) -> int:
    """Return from when usage must be read, so that counters are right at `since`."""
    start = since
    for image in run.images:
        catalog = image.catalog
        used = {version.counter for plan in catalog.price_plans.values() for version in plan.versions}
        for code in sorted(name for name in used if name is not None):
            counter = catalog.counters[code]
            asked = since, counter.period, counter.zone, counter.first_day
            begins = period_start(*asked) if counter.roll_over is None else None
            start = min(start, EVER[0] if begins is None else begins)
    return max(start, EVER[0])


def _readable(run: _Run) -> str:
    """Return a predicate over fact_usage for those that are meant, and those that count together with them."""
    meant = np.flatnonzero(run.chosen.subscriptions)
    if len(meant) == len(run.chosen.subscriptions):
        return "1"
    beside = [owners_of_slots(image.image.tariff, slots_of(image.image.tariff, meant)) for image in run.images]
    beside = [np.unique(np.concatenate([meant, *beside])).astype(np.int32)]
    beside += [triggering(image.image, beside[0]) for image in run.images]
    return of_subscriptions(np.unique(np.concatenate(beside)))


def _windows(run: _Run, since: int, until: int) -> Iterator[StoredEdrs]:
    """Yield all usage that stands, in the order of events, so much at a time as may be held."""
    where = _readable(run)
    terms = PERIOD.replace("event_at", "f.event_at")
    unrated = read_unrated(run.engine, terms, {"since": since, "until": until})
    for low, high in _bounds(run.engine, since, until, where):
        found = read_rated(run.engine, f"{PERIOD} AND {where}", {"since": low, "until": high}, 4 * WINDOW_ROWS)
        inside = (unrated.event_at >= low) & (unrated.event_at < high)
        found = join([found, unrated.take(np.flatnonzero(inside))])
        if len(found):
            order = in_order(found)
            yield found.take(order[found.item[order] == 0])


def _bounds(engine: Engine, since: int, until: int, where: str) -> Iterator[tuple[int, int]]:
    """Yield half-open periods that cover all of [since, until), each with as much usage as may be held."""
    low, held = since, 0
    for start, count in _counted(engine, since, until, where, SIZES_US):
        if held and held + count > WINDOW_ROWS and start > low:
            yield low, start
            low, held = start, 0
        held += count
    yield low, until


def _counted(engine: Engine, since: int, until: int, where: str, sizes: tuple[int, ...]) -> Iterator[tuple[int, int]]:
    size, finer = sizes[0], sizes[1:]
    parameters = {"size": size, "since": since, "until": until}
    for row in engine.store.query(_COUNTS.replace("{where}", where), parameters).to_pylist():
        start = row["bucket"] * size
        if row["n"] > WINDOW_ROWS and finer:
            yield from _counted(engine, max(start, since), min(start + size, until), where, finer)
        else:
            yield max(start, since), row["n"]


# ---- what it costs


def _price(run: _Run, edrs: StoredEdrs, since: int) -> None:
    """Rate a window of usage by both catalogs, and add up what of it lies in the period and is meant."""
    rated: list[RatedBlock] = []
    whose: list[Int32Array] = []
    stored = edrs.packed.copy()
    for image, state in zip(run.images, run.states, strict=True):
        if not rated or not run.reads_alike:
            edrs.packed[:] = renew_all(run.engine, edrs.place, stored, image)
        block = edr_block(edrs)
        rated.append(rate(block, image.image, state))
        whose.append(usage_of(block, rated[-1].items).subscription)
    chosen = [run.chosen.subscriptions[owner] for owner in whose]
    of_some = [any_of(side, of, len(edrs)) for side, of in zip(rated, chosen, strict=True)]
    meant: BoolArray = (of_some[0] | of_some[1]) & (edrs.event_at >= since)
    if run.chosen.source is not None:
        meant &= edrs.source == run.chosen.source
    if run.chosen.versions is not None:
        versions, count = run.chosen.versions, len(edrs)
        priced = [any_of(side, np.isin(side.charge_version, versions), count) for side in rated]
        known = [any_of(side, side.charge_version >= 0, count) for side in rated]
        neither = ~(known[0] | known[1])
        assert run.chosen.event_types is not None
        meant &= priced[0] | priced[1] | (neither & np.isin(edrs.event_type, run.chosen.event_types))
    run.ledger.edrs += int(np.count_nonzero(meant))
    for side, one, owner, of in zip((run.ledger.old, run.ledger.new), rated, whose, chosen, strict=True):
        side.add(owner, one, of & (meant if one.items is None else meant[one.items.row]), run.ledger.vocabulary)


def any_of(rated: RatedBlock, holds: BoolArray, count: int) -> BoolArray:
    """Return (count,) of which EDRs any item is one for which something holds, (n,)."""
    if rated.items is None:
        return holds
    found = np.zeros(count, np.bool_)
    found[rated.items.row[holds]] = True
    return found
