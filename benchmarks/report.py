"""The shape of every benchmark file: where it was measured, and each result with its single runs."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.environment import describe_environment
from benchmarks.generate.rows import write_atomically


@dataclass(frozen=True, slots=True)
class Result:
    """One measured quantity.

    Attributes:
        name: what was measured, such as "end_to_end.csv". unit: of `runs`, such as "records/s".
        runs: every run, in order; the reported value is their median.
        peak_memory_mib: largest resident size of the process over the runs.
        recount_ok: whether the independent recount agreed with the totals of every run; None where there is none.
        details: more figures, such as records, seed, seconds and checksums by stage.
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

    def as_dict(self) -> dict[str, Any]:
        """Return the result as it stands in the file; figures that were not measured are left out."""
        measured = {"peak_memory_mib": self.peak_memory_mib, "recount_ok": self.recount_ok}
        return {
            "name": self.name,
            "unit": self.unit,
            "value": self.value,
            "runs": list(self.runs),
            **{name: value for name, value in measured.items() if value is not None},
            **self.details,
        }


def report(results: Sequence[Result], *, environment: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return a whole benchmark file; `environment` is that of this process unless given."""
    return {
        "environment": describe_environment() if environment is None else environment,
        "results": [result.as_dict() for result in results],
    }


def write_report(path: Path, results: Sequence[Result], *, environment: dict[str, Any] | None = None) -> None:
    """Write a benchmark file as indented JSON, whole or not at all."""
    text = json.dumps(report(results, environment=environment), indent=2, ensure_ascii=False)
    write_atomically(path, [text.encode(), b"\n"])
