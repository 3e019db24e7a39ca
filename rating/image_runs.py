"""Runs of a calendar: stretches of local time in bands of one name, and how much time of each name lies before them.

Usage that crosses bands is summed up from two of them, however long it lasts: see `rating.kernels.straight`.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from rating.kernels.layout import (
    CALENDAR_DAYS,
    QUARTERS_PER_DAY,
    RUN_BAND,
    RUN_BEFORE,
    RUN_COLUMNS,
    RUN_START,
)
from schemas.arrays import Int32Array, Int64Array, UInt8Array
from schemas.catalog import Catalog


def crossed_calendars(catalog: Catalog) -> set[str]:
    """Return the calendars over whose bands some version splits usage; the others need no runs."""
    versions = (version for plan in catalog.price_plans.values() for version in plan.versions)
    return {version.calendar for version in versions if version.calendar is not None and version.crossing != "start"}


def day_turns(named: UInt8Array) -> UInt8Array:
    """Return (patterns, QUARTERS_PER_DAY) how many names began since the day did. named: likewise, the names in force."""
    turns = np.zeros_like(named)
    turns[:, 1:] = np.cumsum(named[:, 1:] != named[:, :-1], axis=1)
    return turns


class Runs:
    """The runs of all calendars, one after the other."""

    def __init__(self) -> None:
        self._run: list[Int32Array] = []
        self._before: list[Int32Array] = []
        self._rows = self._words = 0

    def add(self, which: Int64Array, named: UInt8Array, bands: int) -> Int64Array:
        """Return (CALENDAR_DAYS,) the run in which each day of another calendar begins.

        Args:
            which: (CALENDAR_DAYS,) pattern of each day. named: (patterns, QUARTERS_PER_DAY) the first band of the name in
                force. bands: how many bands the calendar has.
        """
        names = named[which].reshape(-1)
        start = np.flatnonzero(np.append(True, names[1:] != names[:-1]))
        band = names[start]
        quarters = np.diff(np.append(start, len(names)))
        of_band = np.where(band[:, None] == np.arange(bands), quarters[:, None], 0)
        before = np.zeros_like(of_band)
        np.cumsum(of_band[:-1], axis=0, out=before[1:])
        # the last row only ends the one before it
        run = np.zeros((len(start) + 1, RUN_COLUMNS), np.int32)
        run[:, RUN_START] = np.append(start, len(names))
        run[:-1, RUN_BAND] = band
        run[:-1, RUN_BEFORE] = self._words + bands * np.arange(len(start))
        first = self._rows + np.searchsorted(start, np.arange(CALENDAR_DAYS) * QUARTERS_PER_DAY, side="right") - 1
        self._run.append(run)
        self._before.append(before.reshape(-1).astype(np.int32))
        self._rows += len(run)
        self._words += before.size
        return first

    def joined(self) -> tuple[Int32Array, Int32Array]:
        """Return `layout.Tariff.run` and `run_before`."""
        return _joined(self._run, RUN_COLUMNS).reshape(-1, RUN_COLUMNS), _joined(self._before)


def _joined(parts: Iterable[Int32Array], columns: int = 1) -> Int32Array:
    return np.concatenate([np.zeros(0, np.int32), *(part.reshape(-1) for part in parts)])
