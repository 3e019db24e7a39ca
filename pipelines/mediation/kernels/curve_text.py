"""Columns of load curves as text: instants, and energies of steps."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from pipelines.mediation.kernels.curves import DAY_S, HOUR_S, NO_POWER

INSTANT_BYTES = 20
VALUE_BYTES_MAX = 24
MICRO = 1_000_000


@njit(cache=True, nogil=True)
def write_instants(at: Any, out: Any) -> None:
    """Write instants as `YYYY-MM-DDThh:mm:ssZ`, 20 bytes each.

    Args:
        at: (n,) int64 seconds since 1970, of the years 1996 to 2199. out: (20 n,) uint8, written.
    """
    last, year, month, day = np.int64(-1), 0, 0, 0
    for i in range(len(at)):
        days = at[i] // DAY_S
        if days != last:
            last = days
            shifted = days + 719_468
            era = shifted // 146_097
            of_era = shifted - era * 146_097
            of_years = (of_era - of_era // 1460 + of_era // 36_524 - of_era // 146_096) // 365
            of_year = of_era - (365 * of_years + of_years // 4 - of_years // 100)
            turn = (5 * of_year + 2) // 153
            day = of_year - (153 * turn + 2) // 5 + 1
            month = turn + 3 if turn < 10 else turn - 9
            year = of_years + era * 400 + (1 if month <= 2 else 0)
        seconds = at[i] - days * DAY_S
        hour = seconds // HOUR_S
        minute = seconds % HOUR_S // 60
        second = seconds % 60
        to = i * INSTANT_BYTES
        _two(out, to, year // 100)
        _two(out, to + 2, year % 100)
        out[to + 4] = 45
        _two(out, to + 5, month)
        out[to + 7] = 45
        _two(out, to + 8, day)
        out[to + 10] = 84
        _two(out, to + 11, hour)
        out[to + 13] = 58
        _two(out, to + 14, minute)
        out[to + 16] = 58
        _two(out, to + 17, second)
        out[to + 19] = 90


@njit(cache=True, nogil=True)
def _two(out: Any, at: Any, number: Any) -> None:
    out[at] = 48 + number // 10
    out[at + 1] = 48 + number % 10


@njit(cache=True, nogil=True)
def write_values(power: Any, step_s: Any, out: Any, edges: Any) -> None:
    """Write what powers come to in their steps: power * step / 3600, to six decimals half to even, without zeros at the end.

    Args:
        power: (n,) int64 of at most 12 digits, NO_POWER for none, which is no text. step_s: (n,) int64, at most a day.
        out: (24 n,) uint8, written; edges: (n + 1,) int32, written: where each text begins in it, and where the last one ends.
    """
    to = 0
    edges[0] = 0
    for i in range(len(power)):
        watts = power[i]
        if watts != NO_POWER:
            if watts < 0:
                out[to] = 45
                to += 1
                watts = -watts
            product = watts * step_s[i]
            whole = product // HOUR_S
            scaled = (product - whole * HOUR_S) * MICRO
            micros = scaled // HOUR_S
            rest = scaled - micros * HOUR_S
            if 2 * rest > HOUR_S or (2 * rest == HOUR_S and micros % 2 == 1):
                micros += 1
            if micros == MICRO:
                whole, micros = whole + 1, np.int64(0)
            digits = 1
            bound = np.int64(10)
            while whole >= bound:
                bound *= 10
                digits += 1
            for place in range(digits):
                out[to + digits - 1 - place] = 48 + whole % 10
                whole //= 10
            to += digits
            if micros:
                out[to] = 46
                kept = 6
                while micros % 10 == 0:
                    micros //= 10
                    kept -= 1
                for place in range(kept):
                    out[to + kept - place] = 48 + micros % 10
                    micros //= 10
                to += kept + 1
        edges[i + 1] = to
