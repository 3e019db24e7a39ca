"""`octroi bench guard`: whether octroi became slower, told by ratios to other programs that run in the same rounds."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from apps.bench import UnableToMeasure
from apps.bench_all import run_apart
from apps.bench_results import hand_over, tell
from apps.cli.failures import MISMATCH, say
from benchmarks.guard import guarded

RECORDS = 500_000
ROUND: dict[str, tuple[str, float]] = {
    "limits": ("", 1),
    "rating": ("", 1),
    "mediation": ("csv", 1),
    "wallets": ("debits,reserve_confirm", 0.1),
    "store": ("insert", 4),
    "baselines": ("octroi,python_rater", 1),
}
"""What a round measures: by benchmark, its parts, and the share of the records that they get."""


def bench_guard(*, records: int | None, seed: int, runs: int, json_file: Path | None) -> bool:
    """Measure so many rounds; return whether every ratio was kept in the best of them, and no recount differs.

    Raises:
        UnableToMeasure: when a benchmark ended otherwise.
    """
    rounds, recounted = [], True
    for number in range(runs):
        say(f"round {number + 1} of {runs}")
        results, ok = _round(records or RECORDS, seed + number)
        rounds.append(results)
        recounted = recounted and ok
    found = [tell(result) for result in guarded(rounds)]
    for result in found:
        if not result.details["kept"]:
            say(f"{result.name}: {result.details['best']} at best, at least {result.details['at_least']} was expected")
    handed_over = hand_over(found, json_file)
    return handed_over and recounted and all(result.details["kept"] for result in found)


def _round(records: int, seed: int) -> tuple[dict[str, dict[str, Any]], bool]:
    found: dict[str, dict[str, Any]] = {}
    ok = True
    with tempfile.TemporaryDirectory(prefix="octroi-bench-") as temporary:
        for name, (parts, share) in ROUND.items():
            path = Path(temporary) / f"{name}.json"
            given = {"--records": int(records * share), "--seed": seed, "--runs": 1, "--json": path}
            code = run_apart(name, given | ({"--only": parts} if parts else {}))
            if code not in (0, MISMATCH):
                raise UnableToMeasure(f"{name} ended with {code}")
            ok = ok and code == 0
            found |= {result["name"]: result for result in json.loads(path.read_text())["results"]}
    return found, ok
