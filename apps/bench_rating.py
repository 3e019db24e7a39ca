"""`octroi bench rating`: how many records one core rates by each pricing shape, in CPU time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from apps.bench_image import measure_images
from apps.cli.failures import say
from apps.cli.output import print_json
from benchmarks.bench_rating import measure_all
from benchmarks.report import Result, report, write_report

RECORDS = 1_000_000
SUBSCRIPTIONS = 1_000_000
RATING_SUITES = ("shapes", "image")


def bench_rating(*, only: list[str], records: int | None, seed: int, runs: int, json_file: Path | None) -> bool:
    """Run the suites, `shapes` unless told otherwise, and print them; return whether each sample had its prices."""
    results: list[Result] = []
    for result in _measured(only or ["shapes"], records, seed, runs):
        value = f"{result.value:,.0f}" if result.value >= 100 else f"{result.value:.2f}"
        say(f"{result.name}: {value} {result.unit}, twin {'agrees' if result.recount_ok else 'DIFFERS'}")
        results.append(result)
    if json_file is None:
        print_json(report(results))
    else:
        write_report(json_file, results)
    return all(result.recount_ok for result in results)


def _measured(suites: list[str], records: int | None, seed: int, runs: int) -> Iterator[Result]:
    count = records or RECORDS
    if "shapes" in suites:
        yield from measure_all(records=count, subscriptions=min(count, SUBSCRIPTIONS), seed=seed, runs=runs)
    if "image" in suites:
        yield from measure_images(size=records, seed=seed, runs=runs)
