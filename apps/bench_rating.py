"""`octroi bench rating`: how many records one core rates by each pricing shape, in CPU time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from apps.bench_image import measure_images
from apps.bench_results import hand_over, tell
from benchmarks.bench_rating import measure_all
from benchmarks.report import Result

RECORDS = 1_000_000
SUBSCRIPTIONS = 1_000_000
RATING_SUITES = ("shapes", "image")


def bench_rating(*, only: list[str], records: int | None, seed: int, runs: int, json_file: Path | None) -> bool:
    """Run the suites, `shapes` unless told otherwise, and print them; return whether each sample had its prices."""
    results = [tell(result) for result in _measured(only or ["shapes"], records, seed, runs)]
    return hand_over(results, json_file)


def _measured(suites: list[str], records: int | None, seed: int, runs: int) -> Iterator[Result]:
    count = records or RECORDS
    if "shapes" in suites:
        yield from measure_all(records=count, subscriptions=min(count, SUBSCRIPTIONS), seed=seed, runs=runs)
    if "image" in suites:
        yield from measure_images(size=records, seed=seed, runs=runs)
