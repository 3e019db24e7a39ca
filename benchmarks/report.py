"""The shape of every benchmark file: where it was measured, and each result with its single runs."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.environment import describe_environment
from benchmarks.generate.rows import write_atomically

FIGURES = ("cpu_us_per_record", "block_latency_p50_ms", "block_latency_p99_ms", "bytes_per_record")
"""What a result may say besides, each by one name and as one number."""


@dataclass(frozen=True, slots=True)
class Result:
    """One measured quantity.

    Attributes:
        name: what was measured, such as "end_to_end.csv". unit: of `runs`, such as "records/s".
        runs: every run, in order; the reported value is their median.
        peak_memory_mib: largest resident size of the process over the runs.
        recount_ok: whether the independent recount agreed with the totals of every run; None where there is none.
        details: more figures, such as records, seed, seconds and checksums by stage; FIGURES are numbers.
    """

    name: str
    unit: str
    runs: Sequence[float]
    peak_memory_mib: float | None = None
    recount_ok: bool | None = None
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def value(self) -> float:
        """The median of the runs."""
        return statistics.median(self.runs)

    @property
    def spread(self) -> float:
        """From the least run to the largest, as a share of the median; 0 of a single run."""
        return round((max(self.runs) - min(self.runs)) / abs(self.value), 3) if self.value else 0.0

    def as_dict(self) -> dict[str, Any]:
        """Return the result as it stands in the file; figures that were not measured are left out."""
        measured = {"peak_memory_mib": self.peak_memory_mib, "recount_ok": self.recount_ok}
        return {
            "name": self.name,
            "unit": self.unit,
            "value": self.value,
            "spread": self.spread,
            "runs": list(self.runs),
            **{name: value for name, value in measured.items() if value is not None},
            **self.details,
        }


def median_of(values: Iterable[float]) -> float:
    """Return the median of one figure over the runs, to the thousandth."""
    return round(statistics.median(values), 3)


def percentile_ms(seconds: Sequence[float], percent: float) -> float:
    """Return a percentile of durations, in milliseconds."""
    return float(np.percentile(seconds, percent)) * 1000


def report(results: Sequence[Result], *, environment: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return a whole benchmark file; `environment` is that of this process unless given."""
    return {
        "environment": describe_environment() if environment is None else environment,
        "results": [result.as_dict() for result in results],
    }


def write_report(path: Path, results: Sequence[Result], *, environment: dict[str, Any] | None = None) -> None:
    """Write a benchmark file as indented JSON, whole or not at all."""
    write_json(path, report(results, environment=environment))


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write indented JSON, whole or not at all."""
    write_atomically(path, [json.dumps(content, indent=2, ensure_ascii=False).encode(), b"\n"])


def shape_problems(written: dict[str, Any]) -> list[str]:
    """Return, in words, where a benchmark file is not of the one shape that all suites have."""
    told = [] if set(written) == {"environment", "results"} else [f"a file has {', '.join(sorted(written))}"]
    names = [result.get("name") for result in written.get("results", [])]
    told += [f"{name} is there twice" for name in sorted({name for name in names if names.count(name) > 1})]
    for result in written.get("results", []):
        for key, kind in (("name", str), ("unit", str), ("value", float), ("spread", float), ("runs", list)):
            if not _is(result.get(key), kind):
                told.append(f"{result.get('name')}: {key} is {result.get(key)!r}")
        told += [f"{result['name']}: {key} is {result[key]!r}" for key in FIGURES if not _is(result.get(key, 0), float)]
        if result.get("runs") and statistics.median(result["runs"]) != result.get("value"):
            told.append(f"{result['name']}: the value is not the median of its runs")
    return told


def _is(value: object, kind: type) -> bool:
    return isinstance(value, (float, int) if kind is float else kind) and not isinstance(value, bool)
