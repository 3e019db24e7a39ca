"""Schedules: the periods of a contract that are billed, and the usage that each of them collects."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from billing.subscriptions.rules_periods import Cycle, Period, first_instant
from schemas.arrays import Int64Array


@dataclass(frozen=True, slots=True)
class Schedule:
    """One period of a contract, and the quantity of usage in it, in base steps; 0 where there is none."""

    period: Period
    quantity: int


@dataclass(frozen=True, slots=True)
class Scheduled:
    """The schedules of a contract in order, and the rows of usage that lie in none of them."""

    schedules: tuple[Schedule, ...]
    outside: Int64Array


def schedule(cycle: Cycle, first: int, count: int, zone: str, at: Int64Array, quantity: Int64Array) -> Scheduled:
    """Return the schedules of `count` periods from the one with number `first` on: usage is in that in which it starts.

    Args:
        zone: in which days begin. at: (n,) microseconds UTC, in any order. quantity: (n,) base steps; sums are exact.
    """
    periods = [cycle.period(number) for number in range(first, first + count)]
    edges = np.array([first_instant(period.start, zone) for period in periods], np.int64)
    edges = np.append(edges, first_instant(cycle.boundary(first + count), zone))
    place = np.searchsorted(edges, at, side="right") - 1
    inside = (place >= 0) & (place < count)
    sums = (
        pl.DataFrame({"place": place[inside], "quantity": pl.Series(quantity[inside]).cast(pl.Int128)})
        .group_by("place")
        .agg(pl.col("quantity").sum())
    )
    held = dict(sums.iter_rows())
    told = tuple(Schedule(period, int(held.get(number, 0))) for number, period in enumerate(periods))
    return Scheduled(told, np.flatnonzero(~inside).astype(np.int64))
