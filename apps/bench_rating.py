"""`octroi bench rating`: how many records one core rates by each pricing shape, in CPU time."""

from __future__ import annotations

from pathlib import Path

from apps.cli.failures import say
from apps.cli.output import print_json
from benchmarks.bench_rating import measure_all
from benchmarks.report import Result, report, write_report

RECORDS = 1_000_000
SUBSCRIPTIONS = 1_000_000


def bench_rating(*, records: int | None, seed: int, runs: int, json_file: Path | None) -> bool:
    """Run the benchmark and print it; return whether the twin agreed on every shape's sample."""
    count = records or RECORDS
    results: list[Result] = []
    for result in measure_all(records=count, subscriptions=min(count, SUBSCRIPTIONS), seed=seed, runs=runs):
        say(f"{result.name}: {result.value:,.0f} {result.unit}, twin {'agrees' if result.recount_ok else 'DIFFERS'}")
        results.append(result)
    if json_file is None:
        print_json(report(results))
    else:
        write_report(json_file, results)
    return all(result.recount_ok for result in results)
