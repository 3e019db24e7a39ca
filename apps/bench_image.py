"""`octroi bench rating --only image`: how long a catalog of a million prefixes and subscriptions takes until it is in force."""

from __future__ import annotations

import json
import resource
import sys
import tempfile
from pathlib import Path
from typing import Any

from apps.bench import measured_process
from apps.memory import keep_freed_memory
from benchmarks.generate.large_catalog import write_large_catalog
from benchmarks.report import Result

PREFIXES, PLANS, SUBSCRIPTIONS = 1_000_000, 10_000, 1_000_000
RUN_TIMEOUT_S = 600
STEPS = ("load", "compile", "load_again", "compile_again")


def measure_images(*, size: int | None, seed: int, runs: int) -> list[Result]:
    """Return the seconds of each step, every run in a process of its own.

    Args:
        size: how many prefixes and subscriptions, and a hundredth of it plans; a million unless told otherwise.
    """
    prefixes, subscriptions = size or PREFIXES, size or SUBSCRIPTIONS
    plans = PLANS if size is None else max(10, size // 100)
    with tempfile.TemporaryDirectory(prefix="octroi-bench-") as folder:
        directory = Path(folder)
        write_large_catalog(directory, prefixes=prefixes, plans=plans, subscriptions=subscriptions, seed=seed)
        measured = [_run_once(directory, seed) for _ in range(runs)]
    details = {"prefixes": prefixes, "price_plans": plans, "subscriptions": subscriptions, "seed": seed}
    return [_result(step, measured, details) for step in STEPS] + [
        Result(
            f"image.{step}",
            "s",
            [round(run[step], 4) for run in measured],
            peak_memory_mib=max(run["activation_memory_mib"] for run in measured),
            details=details,
        )
        for step in ("activation", "activation_stop", "activation_gap")
    ]


def _result(step: str, measured: list[dict[str, Any]], details: dict[str, Any]) -> Result:
    return Result(
        f"image.{step}",
        "s",
        [round(run[step]["seconds"], 3) for run in measured],
        peak_memory_mib=max(run["peak_memory_mib"] for run in measured),
        recount_ok=all(run["agrees"] for run in measured),
        details={**details, "cpu_s": [round(run[step]["cpu_s"], 3) for run in measured]},
    )


def _run_once(directory: Path, seed: int) -> dict[str, Any]:
    """Return the figures of two processes: one that loads and compiles, and an engine that does it beside itself."""
    return {
        **measured_process("apps.bench_image", "steps", str(directory), str(seed), timeout_s=RUN_TIMEOUT_S),
        **measured_process("apps.bench_image", "activation", str(directory), str(seed), timeout_s=RUN_TIMEOUT_S),
    }


def _dearer(catalog: Path) -> None:
    """Change one price."""
    plans = catalog / "plans.yaml"
    plans.write_text(plans.read_text().replace('price: "0.', 'price: "1.', 1))


def main() -> None:
    """Be the process that `_run_once` measures."""
    keep_freed_memory()
    from apps.jit import prepare_cache

    prepare_cache()
    what, directory, seed = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    if what == "activation":
        from apps.bench_activation import measure_activation

        figures = measure_activation(directory, _dearer)
        figures["activation_memory_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps(figures))
        return
    from benchmarks.bench_image import measure_image

    print(json.dumps(measure_image(directory, seed)))


if __name__ == "__main__":
    main()
