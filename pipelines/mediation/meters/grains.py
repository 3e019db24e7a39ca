"""Intervals as arrays, cut into grains; see `pipelines.mediation.enedis.grains`, which has the twin."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from pipelines.mediation.enedis.grains import ABOVE_WHOLE, DAY_S, has_parts
from pipelines.mediation.kernels.nem12 import NO_VALUE
from pipelines.mediation.meters.steps import Steps
from schemas.arrays import BoolArray, Int64Array

MILLION, GRAINS_AT_ONCE = 1_000_000, 1 << 16


def cut_steps(steps: Steps, minutes: int) -> Iterator[Steps] | None:
    """Return intervals cut into grains, some at once; None where one is doubted for its ends, which arrays cannot say."""
    grain_s = 60 * minutes
    of_head = np.array([has_parts(head) for head in steps.heads], np.bool_)
    divided = of_head[steps.head]
    is_between = (
        (steps.start % grain_s != 0) | (steps.step_s % grain_s != 0) | (steps.step_s <= 0) | (steps.step_s >= DAY_S)
    )
    if (is_between & divided).any():
        return None
    return _cut(steps, np.where(divided, steps.step_s // grain_s, 1), divided, grain_s)


def _cut(steps: Steps, counts: Int64Array, divided: BoolArray, grain_s: int) -> Iterator[Steps]:
    edges = np.append(0, np.cumsum(counts))
    low = 0
    while low < len(steps):
        high = max(low + 1, int(np.searchsorted(edges, edges[low] + GRAINS_AT_ONCE, side="right")) - 1)
        row = np.repeat(np.arange(low, high), counts[low:high])
        place = np.arange(len(row)) - (edges[row] - edges[low])
        found = steps.of(row)
        step_s = np.where(divided[row], grain_s, found.step_s)
        value = np.where(counts[row] > 1, _shares(found.value, counts[row], place), found.value)
        version = found.version + np.where(found.version < ABOVE_WHOLE, ABOVE_WHOLE, 0)
        yield replace(found, start=found.start + place * grain_s, step_s=step_s, value=value, version=version)
        low = high


def _shares(value: Int64Array, counts: Int64Array, place: Int64Array) -> Int64Array:
    """Return parts of values (n,) in millionths, as `shares` does; `NO_VALUE` stays."""
    whole, rest = np.divmod(np.abs(value), MILLION)
    part = (whole * (place + 1) // counts - whole * place // counts) * MILLION
    part += np.where(place == counts - 1, rest, 0)
    found: Int64Array = np.where(value == NO_VALUE, NO_VALUE, np.sign(value) * part)
    return found
