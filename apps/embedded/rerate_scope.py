"""Which EDRs a rerating is about: those that are meant, and all others in the counter periods that they touch.

Tiers and allowances depend on everything that a counter counts, so a period is rated again as a whole or not at all.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
import polars as pl

from apps.embedded.cancel import Withdrawal
from apps.embedded.engine import Engine
from apps.embedded.images import ActiveImage
from apps.embedded.renewal import renew_all
from apps.embedded.selection import UnableToSelect, instant
from apps.embedded.stored_edrs import StoredEdrs, first_of_each, join, read_rated, read_unrated
from rating.history import begin
from rating.image_charges import COMPANION
from rating.kernels.layout import ACCOUNT
from rating.periods import cells_of, extent_of, owners_of_slots, rolling_slots, shared_slots
from rating.rate import account_of, rate
from rating.reversal import find_counters
from rating.state import AccountState
from rating.triggers import triggering
from schemas.arrays import BoolArray, Int32Array, Int64Array
from schemas.cdr import BlockPosition
from schemas.edr import EdrBlock, select_edrs, unpack
from schemas.rated_item import usage_of

EDRS_MAX = 2_000_000
"""EDRs that one rerating may hold."""
ASKED_MAX = 5_000
"""Subscriptions that one statement names at most; of more, everything in the period is read."""
NOWHERE = BlockPosition(0, 0, 0)
EVER = (-2_208_988_800_000_000, 10_413_791_999_000_000)
"""From the first to the last instant that the store knows, microseconds UTC."""
PERIOD = (
    "event_at >= fromUnixTimestamp64Micro({since:Int64}, 'UTC') "
    "AND event_at < fromUnixTimestamp64Micro({until:Int64}, 'UTC')"
)
"""A predicate over a table with instants of events."""
_IMAGES = f"SELECT DISTINCT image FROM fact_usage WHERE {PERIOD} ORDER BY image"


@dataclass(frozen=True, slots=True)
class UsageSelection:
    """Which usage is meant; every given criterion must hold.

    Attributes:
        since, until: ISO 8601, event time from, and before; UTC unless it has an offset.
        offer, charge, price_plan, account, subscription, source: codes. Unrated usage has no charge yet: of it, a charge means
            all of the event types that it prices.
    """

    since: str
    until: str
    offer: str | None = None
    charge: str | None = None
    price_plan: str | None = None
    account: str | None = None
    subscription: str | None = None
    source: str | None = None

    @classmethod
    def from_request(cls, value: dict[str, Any]) -> UsageSelection:
        """Return what a request selects.

        Raises:
            TypeError, ValueError: when it is none of ours.
        """
        unknown = set(value) - {item.name for item in fields(cls)}
        if unknown:
            raise ValueError(f"no criterion {', '.join(sorted(unknown))}")
        return cls(**value)

    def period(self) -> tuple[int, int]:
        """Return from when until when, microseconds UTC.

        Raises:
            UnableToSelect: when one is no instant, or the period is empty.
        """
        since, until = instant(self.since), instant(self.until)
        if since is None or until is None or since >= until:
            raise UnableToSelect(f"the period from {self.since} to {self.until} is empty")
        return since, until


@dataclass(slots=True)
class Chosen:
    """Which ids a selection means; None where it says nothing.

    Attributes:
        subscriptions: (subscriptions,) bool by id. versions: ids of charge versions; event_types: those that they price.
        source: id.
    """

    subscriptions: BoolArray
    versions: Int32Array | None = None
    event_types: Int32Array | None = None
    source: int | None = None

    def where(self) -> str:
        """Return a predicate over fact_usage that holds for everything that it means."""
        terms = [of_subscriptions(np.flatnonzero(self.subscriptions))]
        if self.versions is not None:  # and the other items of their EDRs
            priced = f"{PERIOD} AND {one_of('charge_version', self.versions)}"
            terms.append(f"(claim, record, branch) IN (SELECT claim, record, branch FROM fact_usage WHERE {priced})")
        return " AND ".join(terms)

    def means(self, edrs: StoredEdrs) -> BoolArray:
        """Return (n,) which of some EDRs it means: all rows of one of which any row is meant."""
        found: BoolArray = self.subscriptions[edrs.subscription]
        if self.source is not None:
            found &= edrs.source == self.source
        if self.versions is not None:
            assert self.event_types is not None
            of_charge = np.where(
                edrs.rated, np.isin(edrs.charge_version, self.versions), np.isin(edrs.event_type, self.event_types)
            )
            found &= of_charge
        edr = edrs.edr
        meant = np.zeros(int(edr.max(initial=-1)) + 1, np.bool_)
        meant[edr[found]] = True
        return meant[edr]


def one_of(column: str, ids: Any) -> str:
    """Return a predicate that holds where a column is one of some ids: for all where these are too many to be named."""
    if len(ids) > ASKED_MAX:
        return "1"
    return f"{column} IN ({', '.join(map(str, ids.tolist()))})" if len(ids) else "0"


def of_subscriptions(ids: Any) -> str:
    """Return a predicate over fact_usage that holds for all items of EDRs of which any is of one of some subscriptions."""
    named = one_of("subscription", ids)
    if named in ("0", "1"):
        return named
    edrs = f"(claim, record, branch) IN (SELECT claim, record, branch FROM fact_usage WHERE {PERIOD} AND"
    return f"({named} OR {edrs} {named} AND {edrs} triggered_by > 0)))"


def chosen_by(engine: Engine, selection: UsageSelection, image: ActiveImage) -> Chosen:
    """Return the ids that a selection means.

    Raises:
        UnableToSelect: when a code is unknown.
    """
    words = engine.state.vocabulary
    row = image.image.tariff.subscription_row
    wanted: BoolArray = np.ones(len(row), np.bool_)
    if selection.subscription is not None:
        wanted &= np.arange(len(row)) == _known(
            words.subscriptions.id(selection.subscription), "subscription", selection
        )
    if selection.account is not None:
        wanted &= row[:, ACCOUNT] == _known(words.accounts.id(selection.account), "account", selection)
    if selection.offer is not None:
        of_offer = image.catalog.subscriptions.filter(pl.col("offer") == selection.offer)["subscription"]
        if selection.offer not in image.catalog.offers:
            raise UnableToSelect(f"there is no offer {selection.offer}")
        wanted &= np.isin(np.arange(len(row)), words.subscriptions.ids(of_offer))
    found = Chosen(wanted)
    if selection.source is not None:
        found.source = _known(words.sources.id(selection.source), "source", selection)
    if selection.charge is not None or selection.price_plan is not None:
        found.versions, found.event_types = _versions(engine, selection, image)
    return found


def _known(number: int, what: str, selection: UsageSelection) -> int:
    if number < 0:
        raise UnableToSelect(f"there is no {what} {getattr(selection, what)}")
    return number


def _versions(engine: Engine, selection: UsageSelection, image: ActiveImage) -> tuple[Int32Array, Int32Array]:
    """Return the charge versions, of whatever image, that a selection means, and the event types that they price."""
    given = {name: getattr(selection, name) for name in ("charge", "price_plan")}
    terms = {name: value for name, value in given.items() if value is not None}
    where = " AND ".join(f"{name} = {{{name}:String}}" for name in terms)
    rows = engine.store.query(f"SELECT id, event_type FROM dim_charge_version WHERE {where}", terms)
    of_image = [
        version
        for version in image.image.charge_versions
        if all(getattr(version, name) == value for name, value in terms.items())
    ]
    types: set[Any] = {*rows["event_type"].to_pylist(), *(version.event_type for version in of_image)} | {
        charge.event_type
        for charge in image.catalog.charges.values()
        if selection.charge in (None, charge.code) and selection.price_plan in (None, charge.price_plan)
    }
    if not types:
        raise UnableToSelect(f"there is no {' with '.join(f'{name} {value}' for name, value in terms.items())}")
    words = engine.state.vocabulary.event_types
    ids = np.union1d(rows["id"].to_numpy(), [version.id for version in of_image])
    return ids.astype(np.int32), np.array([words.id(code) for code in types], np.int32)


@dataclass(slots=True)
class Cells:
    """The counters and periods that EDRs have to do with, NO_CELL for none.

    Attributes:
        old: (n,) of each row, what it counted in. new: (m,) of each item that would be, what it would count in;
            of: (m,) of which EDR that is, numbered as `StoredEdrs.edr` does. payer: (m,) who would pay it.
    """

    old: Int64Array
    new: Int64Array
    of: Int64Array
    payer: Int32Array


@dataclass(slots=True)
class Scope:
    """What is rated again, in the order of events.

    Attributes:
        edrs: with the attributes and values that the image understands. meant: how many EDRs were meant. cells: theirs.
    """

    edrs: StoredEdrs
    meant: int
    cells: Cells


@dataclass(slots=True)
class ScopeReader:
    """Reads EDRs and what counters have to do with them."""

    engine: Engine
    image: ActiveImage
    withdrawal: Withdrawal
    _tariffs: dict[int, ActiveImage] = field(default_factory=dict)

    def read(self, selection: UsageSelection) -> Scope:
        """Return what a selection means, and everything else in the counter periods that it touches.

        Raises:
            UnableToSelect: when a code is unknown, or a period is empty. UnableToReadEdrs: when it is too much.
            UnableToReadArchive: when a file that usage is read from again is gone.
        """
        since, until = selection.period()
        chosen = chosen_by(self.engine, selection, self.image)
        found = self._read(since, until, chosen.where())
        found = self._renewed(found.take(np.flatnonzero(chosen.means(found))))
        meant = int(np.count_nonzero(found.item == 0))
        cells = self.cells(found)
        while True:
            touched = np.unique(np.concatenate([cells.old, cells.new]))
            touched = touched[touched >= 0]
            if not len(touched):
                break
            wider = first_of_each(join([found, self._beside(touched)]))
            wider = join([found, self._renewed(wider.take(slice(len(found), None)))])
            inside = _closed(self.cells(wider), wider.edr, len(found))
            if int(inside.sum()) == len(found):
                break
            found = wider.take(np.flatnonzero(inside))
            cells = self.cells(found)
        found = found.take(in_order(found))
        return Scope(found, meant, self.cells(found))

    def _read(self, since: int, until: int, where: str) -> StoredEdrs:
        given = {"since": since, "until": until}
        rated = read_rated(self.engine, f"{PERIOD} AND {where}", given, EDRS_MAX)
        unrated = read_unrated(self.engine, PERIOD.replace("event_at", "f.event_at"), given)
        return join([rated, unrated])

    def _renewed(self, edrs: StoredEdrs) -> StoredEdrs:
        own = np.flatnonzero(edrs.triggered_by == 0)  # what others trigger says nothing of its own
        if len(own):
            edrs.packed[own] = renew_all(self.engine, edrs.place[own], edrs.packed[own], self.image)
        return edrs

    def _beside(self, touched: Int64Array) -> StoredEdrs:
        """Return everything of those who count in some cells, in the periods of these."""
        slots = np.unique(touched >> 32)
        extent = extent_of(touched, months_may_begin_late=self._may_begin_late(slots))
        since, until = extent if extent is not None else EVER
        if shared_slots(self.engine.state.vocabulary.counters, slots):
            # whoever shared them then may not share them any more
            for image in (
                self.engine.store.query(_IMAGES, {"since": since, "until": until})["image"].to_numpy().tolist()
            ):
                self.tariff(image)
        owners = [owners_of_slots(image.image.tariff, slots) for image in (self.image, *self._tariffs.values())]
        owners += [triggering(image.image, np.concatenate(owners)) for image in (self.image, *self._tariffs.values())]
        subscriptions = np.unique(np.concatenate(owners))
        found = self._read(since, until, of_subscriptions(subscriptions))
        return found.take(np.flatnonzero(np.isin(found.edr, found.edr[np.isin(found.subscription, subscriptions)])))

    def _may_begin_late(self, slots: Int64Array) -> bool:
        """Return whether months of a counter in some slots begin later than those of the calendar, or that is not known."""
        names = self.engine.state.vocabulary.counters.names.gather(slots).str.strip_suffix(COMPANION)
        known = self.image.catalog.counters
        codes = names.str.split("/").list.last().unique().to_list()
        return any(code not in known or known[code].first_day != 1 for code in codes)

    # ---- counters

    def cells(self, edrs: StoredEdrs) -> Cells:
        """Return the counters and periods that EDRs counted in, and those that they would count in."""
        rolling = rolling_slots(self.engine.state.vocabulary.counters)
        old = np.full(len(edrs), -1, np.int64)
        for image in np.unique(edrs.image[edrs.rated]).tolist():
            rows = np.flatnonzero(edrs.rated & (edrs.image == image))
            tariff = self.tariff(image).image.tariff
            some = edrs.take(rows)
            slot, _, period = find_counters(some.event_at.copy(), some.subscription, some.charge_version, tariff)
            old[rows] = cells_of(slot, period, rolling)
        row, version, usage = self._versions(edrs)
        slot, _, period = find_counters(usage.event_at, usage.subscription, version, self.image.image.tariff)
        return Cells(old, cells_of(slot, period, rolling), edrs.edr[row], account_of(usage, self.image.image))

    def tariff(self, image: int) -> ActiveImage:
        """Return the image with an id."""
        if image not in self._tariffs:
            self._tariffs[image] = self.withdrawal.image(self.engine.state.vocabulary.images.name(image))
        return self._tariffs[image]

    def _versions(self, edrs: StoredEdrs) -> tuple[Int64Array, Int32Array, EdrBlock]:
        """Return (row, charge version, usage), (m,) each: what would price what of the EDRs, whatever becomes of them then."""
        state = self.engine.state.account
        scratch = begin(AccountState.from_arrays(state.to_arrays()))
        order = in_order(edrs)
        order = order[edrs.item[order] == 0]
        block = edr_block(edrs.take(order))
        rated = rate(block, self.image.image, scratch)
        row = order if rated.items is None else order[rated.items.row]
        priced = rated.charge_version >= 0
        usage = usage_of(block, rated.items)
        triggered = None if rated.items is None else rated.items.triggered
        if triggered is not None:
            # a charge that refuses triggered usage counts on nothing of the EDR's own
            priced &= triggered.fault[:, 0] < 0
        usage = select_edrs(usage, np.flatnonzero(priced))
        return row[priced], rated.charge_version[priced], usage


def edr_block(edrs: StoredEdrs) -> EdrBlock:
    """Return EDRs as a block that nobody stores."""
    return unpack(edrs.packed, NOWHERE)


def in_order(edrs: StoredEdrs) -> Int64Array:
    """Return (n,) rows in the order of events; usage of one instant by what it says, whatever came first.

    What usage triggers follows it.
    """
    words = edrs.packed
    if edrs.triggered_by.any():
        first, number = np.flatnonzero(edrs.item == 0), edrs.edr
        place = np.zeros(int(number.max()) + 1, np.int64)
        place[number[first]] = first
        words = words[place[number]]
    keys: list[Int64Array] = [words[:, column] for column in (*range(words.shape[1] - 1, 0, -1), 0)]
    return np.lexsort([edrs.item.astype(np.int64), edrs.branch.astype(np.int64), edrs.place, *keys])


def _closed(cells: Cells, edr: Int64Array, count: int) -> BoolArray:
    """Return (n,) which rows are of EDRs that count in cells of the first `count` rows, or of those that count in theirs, ….

    Args:
        edr: (n,) of which EDR each row is.
    """
    inside = np.zeros(int(edr.max(initial=-1)) + 1, np.bool_)
    inside[edr[:count]] = True
    while True:
        touched = np.unique(np.concatenate([cells.old[inside[edr]], cells.new[inside[cells.of]]]))
        touched = touched[touched >= 0]
        wider = inside.copy()
        wider[edr[np.isin(cells.old, touched)]] = True
        wider[cells.of[np.isin(cells.new, touched)]] = True
        if np.array_equal(wider, inside):
            return inside[edr]
        inside = wider
