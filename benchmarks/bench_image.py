"""How long it takes until a large catalog is in force: loading it, and compiling it, the first time and again."""

from __future__ import annotations

import csv
import resource
import time
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import numpy as np
from numpy.random import Generator

from benchmarks.generate.large_catalog import CHANGE, START
from billing.catalog.store import load_catalog
from rating.rate import rate
from rating.reference_block import ReferenceRater, ReferenceState
from rating.state import AccountState
from rating.tariff_image import TariffImage, compile_image
from rating.vocabulary import Vocabulary
from schemas.catalog import Catalog
from schemas.cdr import ATTRIBUTE_SLOTS, BlockPosition
from schemas.edr import EdrBlock
from schemas.price_plan import utc_microseconds
from schemas.values import VALUE_ABSENT, VALUE_SLOTS, pack_digits

T = TypeVar("T")
SAMPLE = 200
"""How many calls to prefixes, and how many uses of data, are priced to see whether the image is right."""
CALL_S = 90
DATA_BYTES = 7_000_000_000
DAY_US = 86_400_000_000


def measure_image(directory: Path, seed: int) -> dict[str, Any]:
    """Load and compile the catalog in a directory twice; return seconds, peak memory, and whether a sample has its prices."""
    figures: dict[str, Any] = {}
    vocabulary = Vocabulary()
    catalog = _timed(figures, "load", lambda: load_catalog(directory))
    image = _timed(figures, "compile", lambda: compile_image(catalog, vocabulary))
    figures["peak_memory_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    again = _timed(figures, "load_again", lambda: load_catalog(directory))
    _timed(figures, "compile_again", lambda: compile_image(again, vocabulary))
    figures["agrees"] = sample_agrees(directory, catalog, image, vocabulary, seed)
    return figures


def _timed(figures: dict[str, Any], name: str, work: Callable[[], T]) -> T:
    wall, cpu = time.perf_counter(), time.process_time()
    done = work()
    figures[name] = {"seconds": time.perf_counter() - wall, "cpu_s": time.process_time() - cpu}
    return done


def sample_agrees(directory: Path, catalog: Catalog, image: TariffImage, vocabulary: Vocabulary, seed: int) -> bool:
    """Return whether usage has its price: calls by the rows of the file, read here by other code, data as the twin says."""
    draw = np.random.default_rng(seed)
    state = AccountState()
    state.grow(vocabulary)
    with (directory / "world.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    by_prefix: dict[str, list[dict[str, str]]] = {}
    for row in rows:
        by_prefix.setdefault(row["prefix"], []).append(row)
    chosen = [rows[place]["prefix"] for place in draw.integers(0, len(rows), SAMPLE).tolist()]
    numbers = [f"{prefix}{more:06d}" for prefix, more in zip(chosen, draw.integers(0, 10**6, SAMPLE), strict=True)]
    calls = _usage(vocabulary, draw, "call", CALL_S * 1000)
    calls.values[:, 0] = [pack_digits(number) for number in numbers]  # type: ignore[index]
    rated = rate(calls, image, state)
    expected = [_amount(by_prefix, number, at) for number, at in zip(numbers, calls.event_at.tolist(), strict=True)]
    if rated.reason.any() or rated.amount.tolist() != expected:
        return False
    data = _usage(vocabulary, draw, "data", DATA_BYTES)
    told = ReferenceRater(catalog, vocabulary, ReferenceState()).rate(data)
    found = rate(data, image, state)
    return [(item.reason, item.amount) for item in told] == list(zip(found.reason, found.amount, strict=True))


def _usage(vocabulary: Vocabulary, draw: Generator, event_type: str, quantity: int) -> EdrBlock:
    """Return SAMPLE usages of this year's first eleven months by any subscriptions."""
    return EdrBlock(
        position=BlockPosition(1, 0, 0),
        record=np.arange(SAMPLE, dtype=np.int64),
        branch=np.zeros(SAMPLE, np.uint8),
        event_at=draw.integers(_us(START), _us(CHANGE) + 150 * DAY_US, SAMPLE),
        span_s=np.zeros(SAMPLE, np.int64),
        quantity=np.full(SAMPLE, quantity, np.int64),
        event_type=np.full(SAMPLE, vocabulary.event_types.id(event_type), np.uint16),
        attributes=np.zeros((SAMPLE, ATTRIBUTE_SLOTS), np.int32),
        access_point=np.zeros(SAMPLE, np.int32),
        subscription=draw.integers(0, len(vocabulary.subscriptions), SAMPLE).astype(np.int32),
        values=np.full((SAMPLE, VALUE_SLOTS), VALUE_ABSENT, np.int64),
    )


def _amount(by_prefix: dict[str, list[dict[str, str]]], number: str, at: int) -> int:
    """Return what CALL_S seconds cost in billionths: the longest prefix, the row of the time, the band of the hour."""
    moment = datetime.fromtimestamp(at / 1e6, UTC).astimezone(ZoneInfo("Europe/Paris"))
    peak = moment.weekday() < 5 and (8, 0) <= (moment.hour, moment.minute) < (19, 30)
    for size in range(len(number), 0, -1):
        for row in by_prefix.get(number[:size], ()):
            if (not row["start"] or _us(row["start"]) <= at) and (not row["end"] or at < _us(row["end"])):
                exact = Decimal(row["price.peak" if peak else "price.offpeak"]) * CALL_S / 60
                return int(exact.quantize(Decimal("0.000001"), ROUND_HALF_UP).scaleb(9))
    raise LookupError(number)


def _us(instant: str) -> int:
    return utc_microseconds(datetime.fromisoformat(instant))
