"""Requests that are kept: their answers, to be given again, and what those that are open, or may be refunded, moved.

A page holds the requests of some time; it goes as a whole once all of them are old. A place is page and row in one number.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Any

import numpy as np

from pipelines.account.kernels import items as kernels
from pipelines.account.request_index import RequestIndex
from rating.reversal import RatedItems
from rating.state import AccountState
from rating.tariff_image import TariffImage
from schemas.arrays import Int64Array
from schemas.charging import ANSWER, REQUEST, Rows, Standing

PAGE_BITS = 14
"""Requests of a page: 2^14, about 4 MB."""
PAGE_ROWS = 1 << PAGE_BITS
SECOND_US = 1_000_000

KEPT = np.dtype(
    [
        ("request", REQUEST),
        ("answer", ANSWER),
        ("at", "<i8"),
        ("image", "<i4"),
        ("account", "<i4"),
        ("item_ptr", "<i4"),
        ("item_count", "<i4"),
        ("standing", "u1"),
        ("spare", "u1", (7,)),
    ]
)
"""A request that was taken. `request.event_at` is never 0. `at`: when, stage time. `image`, `account`: ids, of what
rated it and of who pays. `item_ptr`, `item_count`: its items in the page. `standing`: `schemas.charging.Standing`."""
ITEM = np.dtype(
    [
        ("charge_version", "<i4"),
        ("tier", "u1"),
        ("band", "u1"),
        ("quantity", "<i8"),
        ("rated_quantity", "<i8"),
        ("counter_before", "<i8"),
        ("amount", "<i8"),
        ("wallet", "<i4"),
        ("slot", "<i4"),
        ("cell", "<i4"),
        ("period", "<i4"),
        ("part_ptr", "<i4"),
        ("part_count", "<i4"),
    ]
)
"""A rated item and where it moved things, as `rating.reversal.RatedItems` says it; its parts are the page's. `quantity`: what
of the request's it prices."""
ITEM_V4 = np.dtype([(name, ITEM[name]) for name in ITEM.names or () if name != "quantity"])
PART = np.dtype([("wallet", "<i4"), ("amount", "<i8")])
_WHOLE = np.dtype((np.void, KEPT.itemsize))
"""A row of KEPT as bytes: they are copied at once, not field by field."""
_OPEN = int(Standing.OPEN)


@dataclass(slots=True)
class Page:
    """The requests of some time. `items` and `parts` are longer than what is used of them.

    `changes` is another number after each change, for who copies the page meanwhile.
    """

    rows: Rows = field(default_factory=lambda: np.zeros(PAGE_ROWS, KEPT))
    items: Rows = field(default_factory=lambda: np.zeros(64, ITEM))
    parts: Rows = field(default_factory=lambda: np.zeros(16, PART))
    count: int = 0
    item_count: int = 0
    part_count: int = 0
    changes: int = 0


@dataclass(frozen=True, slots=True)
class Items:
    """The items of n requests: those of request i are rows ptr[i] .. ptr[i + 1] of `rows`; their parts likewise in order."""

    ptr: Int64Array
    rows: Rows
    parts: Rows

    @classmethod
    def none(cls, requests: int) -> Items:
        """Return no items of some requests."""
        return cls(np.zeros(requests + 1, np.int64), np.zeros(0, ITEM), np.zeros(0, PART))

    @classmethod
    def join(cls, runs: Sequence[Items]) -> Items:
        """Return the items of the requests of several runs, one after another."""
        runs = [run for run in runs if len(run.ptr) > 1] or runs[:1]
        if len(runs) == 1:
            return runs[0]
        ends = np.cumsum([0] + [len(run.rows) for run in runs])
        ptr = np.concatenate([ends[:1], *(run.ptr[1:] + first for run, first in zip(runs, ends[:-1], strict=True))])
        return cls(ptr, _one_after_another([run.rows for run in runs]), _one_after_another([run.parts for run in runs]))

    def take(self, requests: Int64Array) -> Items:
        """Return the items of some requests (k,), in that order."""
        first = self.ptr[requests]
        rows, ptr = _spread(first, self.ptr[requests + 1] - first)
        if not len(self.parts):
            return Items(ptr, self.rows.take(rows), self.parts)
        part_ptr = np.zeros(len(self.rows) + 1, np.int64)
        np.cumsum(self.rows["part_count"], out=part_ptr[1:])
        parts, _ = _spread(part_ptr[rows], self.rows["part_count"][rows])
        return Items(ptr, self.rows.take(rows), self.parts.take(parts))

    def amounts(self, image: TariffImage) -> Int64Array:
        """Return (n,) what the items of each request come to in money."""
        total = np.empty(len(self.ptr) - 1, np.int64)
        kernels.sums(self.ptr, np.array(self.rows["amount"]), image.in_money(self.rows["charge_version"]), total)
        return total

    def rated(self) -> RatedItems:
        """Return them as they are taken back."""
        rows = self.rows
        split_ptr = np.zeros(len(rows) + 1, np.int64)
        np.cumsum(rows["part_count"], out=split_ptr[1:])
        return RatedItems(
            rated_quantity=np.array(rows["rated_quantity"]),
            amount=np.array(rows["amount"]),
            wallet=np.array(rows["wallet"]),
            counter_slot=np.array(rows["slot"]),
            counter_cell=np.array(rows["cell"]),
            counter_period=np.array(rows["period"]),
            split_ptr=split_ptr,
            split_wallet=np.array(self.parts["wallet"]),
            split_amount=np.array(self.parts["amount"]),
        )

    def movements(self) -> tuple[Int64Array, Int64Array]:
        """Return (wallet, amount) of everything that they drew, each (k,)."""
        wallet, amount = self.rows["wallet"].astype(np.int64), np.array(self.rows["amount"])
        alone = wallet >= 0
        if not alone.all():
            wallet, amount = wallet[alone], amount[alone]
        if len(self.parts):
            wallet = np.concatenate([wallet, self.parts["wallet"]], dtype=np.int64)
            amount = np.concatenate([amount, self.parts["amount"]])
        return wallet, amount


class KeptRequests:
    """All requests that are kept.

    Attributes:
        pages: by number, ascending. index: from ids to places. next_page: number of the page that is opened next.
        due: second of stage time -> places of reservations that may be held until then; some may have ended before.
        seconds: those of `due`, a heap.
    """

    __slots__ = ("_count", "due", "index", "next_page", "pages", "seconds")

    def __init__(self) -> None:
        """Keep nothing."""
        self.pages: dict[int, Page] = {}
        self.index = RequestIndex()
        self.next_page = 0
        self.due: dict[int, list[Int64Array]] = {}
        self.seconds: list[int] = []
        self._count = 0

    def __len__(self) -> int:
        """Return how many requests are kept."""
        return self._count

    # ---- reading

    def rows(self, places: Int64Array) -> Rows:
        """Return (n,) of KEPT, copies, at places (n,)."""
        pages = list(self._by_page(places))
        if len(pages) == 1:
            return pages[0][0].rows.take(pages[0][2])
        found = np.zeros(len(places), KEPT)
        for page, where, rows in pages:
            found[where] = page.rows.take(rows)
        return found

    def items(self, places: Int64Array) -> Items:
        """Return the items of the requests at places (n,)."""
        found: list[Items] = []
        order: list[Int64Array] = []
        for page, where, rows in self._by_page(places):
            drawn, ptr = _spread(page.rows["item_ptr"][rows], page.rows["item_count"][rows])
            items = page.items.take(drawn)
            parts, _ = _spread(items["part_ptr"], items["part_count"])
            found.append(Items(ptr, items, page.parts.take(parts)))
            order.append(where)
        if len(found) < 2:
            return found[0] if found else Items.none(0)
        return Items.join(found).take(np.argsort(np.concatenate(order)))

    # ---- writing

    def keep(self, rows: Rows, items: Items) -> Int64Array:
        """Keep requests (n,), new ones, and return their places; `item_ptr` and `item_count` are set here."""
        places = np.empty(len(rows), np.int64)
        first = 0
        while first < len(rows):
            number, page = self._page(int(rows["at"][first]))
            count = min(len(rows) - first, PAGE_ROWS - page.count)
            part = slice(first, first + count)
            self._keep_in(page, rows[part], items, part)
            places[part] = (number << PAGE_BITS) + page.count + np.arange(count)
            page.count += count
            page.changes += 1
            first += count
        self._count += len(rows)
        request = rows["request"]
        self.index.put(np.array(request["hi"]), np.array(request["lo"]), places)
        self.hold(places, rows)
        return places

    def hold(self, places: Int64Array, rows: Rows) -> None:
        """Remember when reservations among requests (n,) are due."""
        opened = rows["standing"] == _OPEN
        if opened.any():
            second = -(-rows["answer"]["expires_at"][opened] // SECOND_US)
            opened_places = places[opened]
            for due in sorted(set(second.tolist())):
                if due not in self.due:
                    self.due[due] = []
                    heappush(self.seconds, due)
                self.due[due].append(opened_places[second == due])

    def set_standing(self, places: Int64Array, standing: Standing) -> None:
        """Say what became of requests (n,)."""
        for page, _, rows in self._by_page(places):
            page.rows["standing"][rows] = standing
            page.changes += 1

    def withdraw(self, claim: Int64Array, record: Int64Array) -> None:
        """Say of charges whose items, (k,), are taken back otherwise that there is nothing to refund."""
        if not len(claim):
            return
        gone = np.unique(claim << np.int64(32) | record)
        for page in self.pages.values():
            rows = page.rows[: page.count]
            item = rows["answer"]["claim"].astype(np.int64) << np.int64(32) | rows["answer"]["record"]
            found = gone[np.minimum(np.searchsorted(gone, item), len(gone) - 1)] == item
            rows["standing"][found & (rows["standing"] == Standing.CHARGED)] = Standing.REFUNDED
            page.changes += 1

    # ---- time

    def is_due(self, now: int) -> bool:
        """Return whether a reservation may be held no longer at an instant, microseconds UTC."""
        return bool(self.seconds) and self.seconds[0] <= now // SECOND_US

    def expired(self, now: int) -> Int64Array:
        """Return (k,) the places of open reservations that may be held no longer, ascending; they are due no more."""
        if not self.is_due(now):
            return np.zeros(0, np.int64)
        over: list[Int64Array] = []
        while self.is_due(now):
            over += self.due.pop(heappop(self.seconds))
        places = np.sort(np.concatenate(over))
        places = places[places >= self.index.dead]  # those that ended, and were forgotten since
        still: Int64Array = places[self.rows(places)["standing"] == _OPEN]
        return still

    def forget(self, horizon: int) -> None:
        """Forget pages all of whose requests came before an instant, microseconds UTC, and none of which is open."""
        for number, page in list(self.pages.items()):
            if number == self.next_page - 1 or page.rows["at"][page.count - 1] >= horizon:
                break
            if (page.rows["standing"] == _OPEN).any():  # it was taken when requests were kept for longer
                break
            del self.pages[number]
            self._count -= page.count
            self.index.forget((number + 1) << PAGE_BITS, page.count)

    def open_places(self) -> Int64Array:
        """Return (k,) the places of all open reservations."""
        found = [
            (number << PAGE_BITS) + np.flatnonzero(page.rows["standing"][: page.count] == _OPEN)
            for number, page in self.pages.items()
        ]
        places: Int64Array = np.concatenate([np.zeros(0, np.int64), *found])
        return places

    def reserve_in(self, account: AccountState) -> None:
        """Say in an account state, which knows of no reservation, what the open ones hold."""
        places = self.open_places()
        if len(places):
            wallet, amount = self.items(places).movements()
            account.reserve(wallet, amount)

    # ---- snapshots

    def copy_pages(self, other: KeptRequests) -> None:
        """Have the pages of other requests, as copies, for a snapshot: those that changed since the last time are copied.

        It may be in another thread than the changes, which need not be in a copy until it is made again without any.
        """
        pages = dict(other.pages)
        for number, page in pages.items():
            copy = self.pages.setdefault(number, Page(changes=-1))
            if copy.changes != page.changes:
                _copy_page(page, copy)
        for number in self.pages.keys() - pages.keys():
            del self.pages[number]

    def to_arrays(self) -> dict[str, Rows]:
        """Return everything by name, for a snapshot: bytes of rows, items and parts of each page."""
        arrays = {}
        for number, page in self.pages.items():
            used = (page.rows[: page.count], page.items[: page.item_count], page.parts[: page.part_count])
            for name, array in zip(("rows", "priced", "parts"), used, strict=True):
                arrays[f"{number:010d}.{name}"] = np.frombuffer(array.tobytes(), np.uint8)
        return arrays

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Rows]) -> KeptRequests:
        """Return what `to_arrays` wrote."""
        kept = cls()
        for number in sorted({int(name.partition(".")[0]) for name in arrays}):
            page = Page()
            rows, parts = (
                np.frombuffer(arrays[f"{number:010d}.{name}"].tobytes(), dtype)
                for name, dtype in (("rows", KEPT), ("parts", PART))
            )
            single = arrays.get(f"{number:010d}.items")
            if single is None:
                items = np.frombuffer(arrays[f"{number:010d}.priced"].tobytes(), ITEM)
            else:
                items = _of_one_each(np.frombuffer(single.tobytes(), ITEM_V4), rows)
            page.rows[: len(rows)] = rows
            page.items, page.parts = _longer(page.items, items, 0), _longer(page.parts, parts, 0)
            page.count, page.item_count, page.part_count = len(rows), len(items), len(parts)
            kept.pages[number] = page
            kept._count += page.count
            kept.next_page = number + 1
            places = (number << PAGE_BITS) + np.arange(len(rows), dtype=np.int64)
            kept.index.put(np.array(rows["request"]["hi"]), np.array(rows["request"]["lo"]), places)
            kept.hold(places, page.rows[: page.count])
        return kept

    # ---- pages

    def _by_page(self, places: Int64Array) -> Iterator[tuple[Page, Any, Int64Array]]:
        """Yield pages with which of the places are in them, and at which rows."""
        numbers = places >> PAGE_BITS
        rows = places & (PAGE_ROWS - 1)
        if not len(places):
            return
        if numbers[0] == numbers[-1] and (numbers == numbers[0]).all():
            yield self.pages[int(numbers[0])], slice(None), rows
            return
        for number in np.unique(numbers).tolist():
            where = np.flatnonzero(numbers == number)
            yield self.pages[number], where, rows[where]

    def _page(self, at: int) -> tuple[int, Page]:
        number = self.next_page - 1
        page = self.pages.get(number)
        if page is None or page.count == PAGE_ROWS:
            number = self.next_page
            page = self.pages[number] = Page()
            self.next_page += 1
        return number, page

    @staticmethod
    def _keep_in(page: Page, rows: Rows, items: Items, part: slice) -> None:
        ptr = items.ptr[part.start : part.stop + 1]
        first, end = int(ptr[0]), int(ptr[-1])
        mine = items.rows[first:end]
        page.items = _longer(page.items, mine, page.item_count)
        part_ptr = page.items["part_ptr"][page.item_count : page.item_count + len(mine)]
        part_ptr[:] = page.part_count
        if len(items.parts):
            drawn_before, drawn = int(items.rows["part_count"][:first].sum()), mine["part_count"]
            part_ptr += np.cumsum(drawn) - drawn
            parts = items.parts[drawn_before : drawn_before + int(drawn.sum())]
            page.parts = _longer(page.parts, parts, page.part_count)
            page.part_count += len(parts)
        kept = page.rows[page.count : page.count + len(rows)]
        kept.view(_WHOLE)[:] = rows.view(_WHOLE)
        kept["item_ptr"] = page.item_count - first + ptr[:-1]
        kept["item_count"] = ptr[1:] - ptr[:-1]
        page.item_count += len(mine)


def _copy_page(page: Page, copy: Page) -> None:
    changes, count, items, parts = page.changes, page.count, page.items, page.parts
    copy.rows.view(_WHOLE)[:count] = page.rows.view(_WHOLE)[:count]
    if len(copy.items) != len(items):
        copy.items = items.copy()
    if len(copy.parts) != len(parts):
        copy.parts = parts.copy()
    copy.items[:], copy.parts[:] = items, parts
    copy.count, copy.item_count, copy.part_count, copy.changes = count, page.item_count, page.part_count, changes


def _spread(first: Any, count: Any) -> tuple[Int64Array, Int64Array]:
    """Return first[i] .. first[i] + count[i] of all i, one after another, and (n + 1,) where those of each i are."""
    ptr = np.empty(len(count) + 1, np.int64)
    rows = np.empty(kernels.ends(np.array(count, np.int64), ptr), np.int64)
    kernels.spread(np.array(first, np.int64), ptr, rows)
    return rows, ptr


def _one_after_another(runs: Sequence[Rows]) -> Rows:
    """Return what `numpy.concatenate` does; that works out for each run anew what type of rows they all have."""
    some = [run for run in runs if len(run)]
    if len(some) < 2:
        return some[0] if some else runs[0]
    joined = np.empty(sum(map(len, some)), some[0].dtype)
    at = 0
    for run in some:
        joined[at : at + len(run)] = run
        at += len(run)
    return joined


def _of_one_each(found: Rows, rows: Rows) -> Rows:
    """Return items as a snapshot of format 4 has them, when a request had one at most, which priced all of it."""
    items = np.zeros(len(found), ITEM)
    for name in ITEM_V4.names or ():
        items[name] = found[name]
    with_one = rows[rows["item_count"] == 1]
    items["quantity"][with_one["item_ptr"]] = with_one["answer"]["granted"]
    return items


def _longer(array: Rows, more: Rows, used: int) -> Rows:
    """Return `array` with `more` behind what is used of it, longer if it has to be."""
    wanted = used + len(more)
    if wanted > len(array):
        longer = np.zeros(1 << (wanted - 1).bit_length(), array.dtype)
        longer[:used] = array[:used]
        array = longer
    array[used:wanted] = more
    return array
