"""Where the counters of a virtual rating begin: what was used already in a period, from a CSV file."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from io import StringIO

import polars as pl

from rating.image_holders import with_holders
from rating.kernels.layout import PERIOD_DAY, PERIOD_EVER, PERIOD_MONTH, PERIOD_YEAR, PERIODS_KEPT
from rating.reference import PeriodKind, period_at
from rating.reference_block import Cell, ReferenceState
from rating.state import AccountState
from rating.vocabulary import Vocabulary
from schemas.catalog import Catalog
from schemas.price_plan import Counter
from schemas.quantity import Unit, parse_quantity

COLUMNS = ("subscription", "counter", "period", "used")
KINDS: dict[str, int] = {"day": PERIOD_DAY, "month": PERIOD_MONTH, "year": PERIOD_YEAR, "ever": PERIOD_EVER}
FORMS: dict[str, str] = {"day": "YYYY-MM-DD", "month": "YYYY-MM", "year": "YYYY", "ever": "ever"}
_PATTERNS = {"day": r"\d{4}-\d{2}-\d{2}", "month": r"\d{4}-\d{2}", "year": r"\d{4}"}


class UnableToReadCounters(Exception):
    """The file of counters is not what it should be."""


@dataclass(frozen=True, slots=True)
class CounterStart:
    """What one counter of a subscription has in one period, as it is written, and the line that says so."""

    subscription: str
    counter: str
    period: str
    used: str
    line: int


def read_counters(data: bytes) -> tuple[CounterStart, ...]:
    """Return the lines of a file with the columns subscription, counter, period and used.

    Raises:
        UnableToReadCounters: when it is another file.
    """
    try:
        reader = csv.DictReader(StringIO(data.decode("utf-8-sig"), newline=""), strict=True)
        missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
        if missing:
            raise UnableToReadCounters(f"the file of counters has no column {', '.join(map(repr, missing))}")
        return tuple(
            CounterStart(
                row["subscription"] or "", row["counter"] or "", row["period"] or "", row["used"] or "", reader.line_num
            )
            for row in reader
        )
    except (UnicodeDecodeError, csv.Error) as error:
        raise UnableToReadCounters(f"the file of counters cannot be read: {error}") from error


def set_counters(
    starts: tuple[CounterStart, ...],
    catalog: Catalog,
    vocabulary: Vocabulary,
    state: AccountState,
    twin_state: ReferenceState,
) -> None:
    """Set counters of a state, and of the twin's; a counter that is shared may be set through any who shares it.

    Raises:
        UnableToReadCounters: for the first line that names no counter of a subscription, no period or no quantity, or
            a period that another line has replaced.
    """
    seen: dict[tuple[int, int], int] = {}
    holders = _holders(starts, catalog)
    for start in starts:
        holder = holders.get((start.subscription, start.counter))
        slot = vocabulary.counters.id(f"{holder}/{start.counter}")
        counter = catalog.counters.get(start.counter)
        if slot < 0 or holder is None or counter is None:
            raise _wrong(start, f"subscription {start.subscription!r} has no counter {start.counter!r}")
        period = _period(start, counter)
        used = _used(start, counter, catalog.units)
        cell = period % PERIODS_KEPT
        if (slot, cell) in seen:
            raise _wrong(start, f"line {seen[slot, cell]} says so already, or names a period of which only one is kept")
        seen[slot, cell] = start.line
        state.counter_period[slot, cell] = period * PERIODS_KEPT + KINDS[counter.period]
        state.counter_used[slot, cell] = used
        twin_state.counters[holder, start.counter, cell] = Cell(counter.period, period, used)
        if counter.roll_over is not None:
            twin_state.counted.setdefault((holder, start.counter, counter.period), {})[period] = used


def _holders(starts: tuple[CounterStart, ...], catalog: Catalog) -> dict[tuple[str, str], str | None]:
    """Return who has the counters that lines name, by subscription and counter, as far as there are any."""
    asked = [
        (start.subscription, start.counter, catalog.counters[start.counter].shared_by)
        for start in starts
        if start.counter in catalog.counters
    ]
    schema = {"subscription": pl.String, "counter": pl.String, "shared_by": pl.String}
    named = pl.DataFrame(asked, schema=schema, orient="row").unique()
    bought = named.join(catalog.subscriptions, on="subscription")
    held = with_holders(bought, catalog.account_tree, catalog.subscription_groups)
    return {(row["subscription"], row["counter"]): row["holder"] for row in held.to_dicts()}


def _period(start: CounterStart, counter: Counter) -> int:
    kind: PeriodKind = counter.period
    if kind == "ever":
        if start.period in ("", "ever"):
            return 0
    elif re.fullmatch(_PATTERNS[kind], start.period):
        text = start.period + "0001-01-01"[len(start.period) :]
        try:
            return period_at(kind, datetime.fromisoformat(text).replace(tzinfo=UTC))
        except ValueError:
            pass
    raise _wrong(start, f"{start.period!r} is no {kind} ({FORMS[kind]}), as counter {start.counter} counts by")


def _used(start: CounterStart, counter: Counter, units: Mapping[str, Unit]) -> int:
    """Return base steps; a bare number is in the counter's unit."""
    text = start.used if " " in start.used else f"{start.used} {counter.unit}"
    try:
        steps, unit = parse_quantity(text, units)
    except (KeyError, ValueError):
        raise _wrong(start, f"{start.used!r} is no quantity, such as 40 {counter.unit}") from None
    if unit.dimension != units[counter.unit].dimension or steps < 0:
        raise _wrong(start, f"{start.used!r} is not what counter {start.counter} counts, in {counter.unit}")
    return steps


def _wrong(start: CounterStart, message: str) -> UnableToReadCounters:
    return UnableToReadCounters(f"line {start.line} of the file of counters: {message}")
