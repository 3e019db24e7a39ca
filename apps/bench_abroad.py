"""Suites nem12 and espi of `octroi bench energy`: what they measure, and the process that is measured."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from apps.bench import measured_process
from apps.bench_keys import peak_mib
from apps.cli.failures import say
from benchmarks.energy_abroad import recount_espi, recount_nem12, write_espi, write_nem12
from benchmarks.report import Result
from pipelines.mediation.intervals.flows import Asked, read_pieces
from pipelines.mediation.meters.steps import Steps

NEM12, ESPI = "nem12", "espi"
ABROAD = (NEM12, ESPI)
NEM12_VALUES, NEM12_TARGET = 10_000_000, 5_000_000
ESPI_BYTES, ESPI_TARGET, ESPI_MEMORY_MIB = 1_000_000_000, 50_000, 512
USAGE_BYTES = 12_000_000
"""Of a NEM12 file that is also decoded to usage."""


def bench_nem12(root: Path, values: int, seed: int, runs: int) -> Result:
    """Measure how fast values of NEM12 come out of a file, with times, qualities and versions, and how fast they are usage."""
    say(f"energy.{NEM12}: generating {values:,} values")
    path, few = root / "nem12.csv", root / "few.csv"
    write_nem12(path, values, seed)
    write_nem12(few, min(values, USAGE_BYTES // 6), seed)
    measured = measured_process(
        "apps.bench_abroad", json.dumps({"suite": NEM12, "file": str(path), "few": str(few), "passes": runs})
    )
    count, total = recount_nem12(path)
    agreed = (measured["values"], measured["total"]) == (count, total) and measured["usage"] == list(recount_nem12(few))
    usage = measured["usage"][0]
    return Result(
        name=f"energy.{NEM12}",
        unit="values/s per core",
        runs=[round(count / seconds) for seconds in measured["cpu_s"]],
        peak_memory_mib=measured["peak_memory_mib"],
        recount_ok=agreed,
        details={
            "target": NEM12_TARGET,
            "records": count,
            "bytes": path.stat().st_size,
            "seed": seed,
            "measures": "a file to columns of start, value, quality, version and line, in CPU time of all threads",
            "usage_runs": [round(usage / seconds) for seconds in measured["usage_cpu_s"]],
        },
    )


def bench_espi(root: Path, size: int, seed: int) -> Result:
    """Measure how fast, and in which memory, a large feed becomes usage."""
    say(f"energy.{ESPI}: generating {size:,} bytes")
    path, few = root / "feed.xml", root / "few.xml"
    write_espi(path, size, seed)
    write_espi(few, 1, seed)
    measured = measured_process("apps.bench_abroad", json.dumps({"suite": ESPI, "file": str(path), "few": str(few)}))
    count, total = recount_espi(path)
    peak = measured["peak_memory_mib"]
    if peak > ESPI_MEMORY_MIB:
        say(f"energy.{ESPI}: {peak} MiB are more than {ESPI_MEMORY_MIB}")
    details = {
        "target": ESPI_TARGET,
        "records": count,
        "bytes": path.stat().st_size,
        "seed": seed,
        "memory_max_mib": ESPI_MEMORY_MIB,
        "measures": "a feed to usage, in CPU time of all threads",
    }
    agreed = measured["usage"] == [count, total * 1000] and peak <= ESPI_MEMORY_MIB
    return Result(f"energy.{ESPI}", "readings/s per core", [round(count / measured["cpu_s"])], peak, agreed, details)


# ---- in the process that is measured


def measure_nem12(path: Path) -> tuple[int, int]:
    """Return how many values a file has, and their sum in millionths of a Wh."""
    count = total = 0
    with path.open("rb") as stream:
        for piece in read_pieces(stream, Asked("intervals")):
            if not isinstance(piece, Steps):
                raise AssertionError("a generated file is unusual")
            count += len(piece)
            total += int(piece.value.sum())
    return count, total


def measure(job: dict[str, Any], directory: Path) -> dict[str, Any]:
    """Return the figures of a job: sums, and CPU seconds; the first pass, which compiles, is none."""
    from apps.bench_energy import decode_all, energy_decoder

    if job["suite"] == ESPI:
        decoder = energy_decoder("green_button", directory)
        decode_all(decoder, [Path(job["few"])])
        begun = time.process_time()
        found = decode_all(decoder, [Path(job["file"])])
        cpu_s = time.process_time() - begun
        return {"usage": [found["records"], found["total"]], "cpu_s": cpu_s, "peak_memory_mib": peak_mib()}
    decoder, few = energy_decoder("nem12", directory), Path(job["few"])
    values = total = 0
    measure_nem12(few)
    found = decode_all(decoder, [few])
    cpu, usage_cpu = list[float](), list[float]()
    for _ in range(job["passes"]):
        begun = time.process_time()
        values, total = measure_nem12(Path(job["file"]))
        cpu.append(time.process_time() - begun)
        begun = time.process_time()
        found = decode_all(decoder, [few])
        usage_cpu.append(time.process_time() - begun)
    return {"values": values, "total": total, "cpu_s": cpu, "usage": [found["records"], found["total"] * 1000],
            "usage_cpu_s": usage_cpu, "peak_memory_mib": peak_mib()}  # fmt: skip


def main() -> None:
    """Do the job that the command line names, and print its figures."""
    from apps.jit import prepare_cache

    prepare_cache()
    with tempfile.TemporaryDirectory(prefix="octroi-bench-") as directory:
        print(json.dumps(measure(json.loads(sys.argv[1]), Path(directory))))


if __name__ == "__main__":
    main()
