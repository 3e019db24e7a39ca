"""How every benchmark ends: one shape of file, a line for each result, and whether all recounts agreed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from apps.cli.failures import say
from apps.cli.output import print_json
from benchmarks.report import Result, report, write_report

SHOWN_WHOLE = 100
"""Figures from here on are shown without decimals."""


def tell(result: Result) -> Result:
    """Say a result as soon as it is known; return it."""
    value = f"{result.value:,.0f}" if result.value >= SHOWN_WHOLE else f"{result.value:.3g}"
    agreed = {None: "no recount", True: "recount ok", False: "recount DIFFERS"}[result.recount_ok]
    say(f"{result.name}: {value} {result.unit}, {agreed}")
    return result


def hand_over(results: Sequence[Result], json_file: Path | None) -> bool:
    """Print results as JSON, or write them to a file; return whether no recount differs."""
    if json_file is None:
        print_json(report(results))
    else:
        write_report(json_file, results)
    return agreed(results)


def agreed(results: Sequence[Result]) -> bool:
    """Return whether no recount differs; where there is none, nothing can."""
    return all(result.recount_ok is not False for result in results)
