"""For how long what is kept stops a block while it grows: meters, versions, sessions, credit that expires, accounts."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from benchmarks.report import Result
from pipelines.resource.stage import ResourceResult, ResourceState, process
from rating.kernels.layout import PERIOD_NONE
from rating.lots import LOT, NO_LOT, Lots
from rating.state import AccountState
from rating.tariff_image import AccessIndex
from schemas.arrays import Int64Array, UInt64Array
from schemas.cdr import ATTRIBUTE_SLOTS, BlockPosition, CdrBlock, Part, PartColumns

ROWS = 8_000
LOTS = 100
"""Of credit that expires, which comes one at a time."""
ENTRIES = 10_000_000
WARM_UP = 150_000
"""Entries of a run that is not counted: kernels are compiled, and everything has grown a few times."""
START_US = 1_775_001_600_000_000
DAY_US = 86_400_000_000
KINDS = ("registers", "versions", "sessions", "lots", "accounts")


@dataclass(slots=True)
class _Blocks:
    """How long blocks took, milliseconds: by the clock, and of the thread's CPU."""

    wall: list[float] = field(default_factory=list[float])
    cpu: list[float] = field(default_factory=list[float])

    def time(self, block: Callable[[], Any]) -> Any:
        """Do a block and note how long it took."""
        wall, cpu = time.perf_counter(), time.thread_time()
        found = block()
        self.cpu.append((time.thread_time() - cpu) * 1000)
        self.wall.append((time.perf_counter() - wall) * 1000)
        return found


class Feed:
    """Blocks of one record for each of so many meters, identities or sessions, through the resource stage."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.state = ResourceState()
        slots = np.zeros((2, 4), np.uint64)
        slots[1] = (0, 1, 0, 1)
        self.access = AccessIndex(slots, np.array([[0, 2**62, 10, 100]], np.int64))

    def block(self, claim: int, numbers: Int64Array, quantity: int, part: Part) -> CdrBlock:
        """Return one record for each number."""
        n = len(numbers)
        hi, lo = _hashed(numbers + 1), _hashed(~numbers)
        nothing, none = np.zeros(n, np.int64), np.zeros(n, np.uint64)
        of_record = _hashed(numbers * 4 + claim) if self.kind != "versions" else lo
        reading = self.kind == "registers"
        block = CdrBlock(
            position=BlockPosition(claim, 0, 0),
            record=np.arange(n, dtype=np.int64),
            raw=np.zeros(1, np.uint8),
            raw_start=nothing,
            raw_end=nothing,
            reason=np.zeros(n, np.uint16),
            key_hi=hi,
            key_lo=of_record,
            content=np.full(n, claim + 1, np.uint64),
            access_hi=none,
            access_lo=np.ones(n, np.uint64),
            access_start=nothing,
            access_end=nothing,
            text=np.zeros(1, np.uint8),
            event_at=np.full(n, START_US + claim * 1_000_000, np.int64),
            quantity=numbers % 1000 + quantity,
            event_type=np.zeros(n, np.uint16),
            attributes=np.zeros((n, ATTRIBUTE_SLOTS), np.int32),
            series_hi=hi if reading else none,
            series_lo=lo if reading else none,
        )
        if self.kind == "versions":
            return replace(block, version=np.full(n, claim, np.int64))
        if self.kind == "sessions":
            parts = np.full(n, part, np.uint8)
            whole = PartColumns(hi, lo, parts, np.full(n, -1, np.int64), 30 * DAY_US, open_max=2**40)
            return replace(block, parts=whole)
        return block

    def take(self, cdrs: CdrBlock) -> ResourceResult:
        """Take a block through the stage."""
        return process(
            cdrs,
            self.access,
            self.state,
            stage_time=START_US + cdrs.position.claim * 1_000_000,
            conflict_is_duplicate=False,
            superseding_file=1 if self.kind == "versions" else 0,
        )

    def problems(self, entries: int) -> list[str]:
        """Say where what is held is not what was taken, by what some of it answers when it is asked again."""
        state = self.state
        counts = {"registers": state.registers.count, "versions": state.versions.count, "sessions": state.assembly.used}
        held = counts[self.kind]
        told = [f"{held} {self.kind} instead of {entries}"] if held != entries else []
        some = np.random.default_rng(entries).choice(entries, min(entries, ROWS), replace=False)
        edrs = self.take(self.block(2, some, 5, Part.LAST)).edrs
        if self.kind == "registers":
            right = len(edrs) == len(some) and (edrs.quantity == 4).all()
        elif self.kind == "sessions":
            right = len(edrs) == len(some) and int(edrs.quantity.sum()) == int((2 * (some % 1000) + 6).sum())
        else:  # each is a newer statement, and is parked until the one that holds the identity is withdrawn
            held_by = [
                self.state.versions.holder(int(hi), int(lo), START_US + 1_000_000)
                for hi, lo in zip(_hashed(some + 1)[:100], _hashed(~some)[:100], strict=True)
            ]
            right = not len(edrs) and all(place == (1, int(n) % ROWS) for place, n in zip(held_by, some, strict=False))
        if not right:
            told.append(f"{self.kind} do not answer what they took")
        return told


def _hashed(numbers: Int64Array) -> UInt64Array:
    """Return (n,) numbers that look like hashes of others, each another one (splitmix64)."""
    z = numbers.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def _pieces(entries: int) -> Iterator[Int64Array]:
    for first in range(0, entries, ROWS):
        yield np.arange(first, min(first + ROWS, entries), dtype=np.int64)


def _of_resources(kind: str, entries: int) -> tuple[_Blocks, list[str]]:
    feed, blocks = Feed(kind), _Blocks()
    for numbers in _pieces(entries):
        cdrs = feed.block(1, numbers, 1, Part.FIRST)
        blocks.time(lambda cdrs=cdrs: feed.take(cdrs))  # type: ignore[misc]
    return blocks, feed.problems(entries)


def _of_lots(entries: int) -> tuple[_Blocks, list[str]]:
    numbers = np.arange(entries)
    rows = np.zeros(entries, LOT)
    rows["wallet"] = rows["account"] = numbers
    rows["next"], rows["seen_lo"] = NO_LOT, 10
    rows["expires_at"], rows["left"] = START_US + numbers % 7 * DAY_US, 1 + numbers % 9
    lots, blocks = Lots.from_array(rows), _Blocks()

    def add(first: int) -> None:
        for number in range(first, first + LOTS):
            lots.add(number, number, 1 + number % 9, START_US + number % 7 * DAY_US, 10)

    for first in range(entries, entries + 20 * LOTS, LOTS):
        blocks.time(lambda first=first: add(first))  # type: ignore[misc]
        blocks.time(lots.look_ahead)
    count = entries + 20 * LOTS
    some = [*range(0, count, max(1, entries // 1000)), count - 1]
    wrong = sum(lots.of(n, 10) != [(START_US + n % 7 * DAY_US, 1 + n % 9)] for n in some)
    wrong += len(lots.due(START_US)) != len(range(0, count, 7))
    return blocks, [f"{wrong} lots are not what they were"] if wrong else []


@dataclass(slots=True)
class _Names:
    """As much of a vocabulary as says how many there are."""

    counters: range
    wallets: range
    accumulators: range


def _of_accounts(entries: int) -> tuple[_Blocks, list[str]]:
    state, blocks = AccountState(), _Blocks()

    def bring_in(numbers: Int64Array) -> None:
        count = range(int(numbers[-1]) + 1)
        state.grow(_Names(count, count, range(0)))  # type: ignore[arg-type]
        state.credit(numbers.astype(np.int32), numbers + 1)

    for numbers in _pieces(entries):
        blocks.time(lambda numbers=numbers: bring_in(numbers))  # type: ignore[misc]
    right = (state.balance_lo.astype(np.int64) == np.arange(entries) + 1).all() and not state.balance_hi.any()
    right = right and not state.counter_used.any() and (state.counter_period == PERIOD_NONE).all()
    return blocks, [] if right else ["balances or counters are not what they were"]


def measure_growing(*, entries: int, runs: int) -> list[Result]:
    """Return, for each kind of state, how long the longest block of `ROWS` was while it grew from nothing, milliseconds."""
    results = []
    for kind in KINDS:
        whole = {"lots": _of_lots, "accounts": _of_accounts}.get(kind)
        found: list[_Blocks] = []
        problems: list[str] = []
        for count in [min(WARM_UP, entries), *[entries] * runs]:
            gc.collect()
            blocks, told = whole(count) if whole else _of_resources(kind, count)
            found.append(blocks)
            problems += told
        details = {
            "entries": entries,
            "block_rows": LOTS if kind == "lots" else ROWS,
            "measures": f"the longest block while {kind} grow from none, each block as many new ones as it has rows",
            "longest_cpu_ms": [round(max(blocks.cpu), 1) for blocks in found[1:]],
            "median_ms": [round(float(np.median(blocks.wall)), 2) for blocks in found[1:]],
            "problems": problems,
        }
        longest = [round(max(blocks.wall), 1) for blocks in found[1:]]
        results.append(Result(f"wallets.growing_{kind}", "ms", longest, None, not problems, details))
    return results
