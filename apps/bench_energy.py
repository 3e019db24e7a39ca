"""`octroi bench energy`: flows of distributors from zipped files to usage, by CPU time of all threads, checked by a recount."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

import yaml

from apps.bench import measured_process
from apps.bench_abroad import ABROAD, ESPI, ESPI_BYTES, NEM12, NEM12_VALUES, bench_espi, bench_nem12
from apps.bench_keys import peak_mib
from apps.bench_results import hand_over
from apps.cli.failures import say
from apps.cli.output import print_table
from benchmarks.energy import FLOWS, EnergyFlow, write_large
from benchmarks.energy_abroad import READING_BYTES
from benchmarks.report import Result
from billing.catalog.store import load_catalog
from billing.catalog.templates import find_template
from pipelines.mediation.container import open_container
from pipelines.mediation.context import SECRET_BYTES, DecodeContext
from pipelines.mediation.decode import Decoder, decode_blocks, make_decoder
from schemas.rejection import Reason
from schemas.source_meters import MeterDataSource

LARGE = "large_file"
LARGE_MEMORY_MIB = 1024
ENERGY_SUITES = (*FLOWS, *ABROAD, LARGE)
R151 = """\
{kind: event_type, code: electricity, unit: kWh, attributes: [class]}
---
{kind: source, code: r151, format: r151, event_type: electricity}
"""


def bench_energy(
    *, only: Sequence[str], records: int | None, large_bytes: int, seed: int, runs: int, json_file: Path | None
) -> bool:
    """Run the suites named by `only` (all but the large file when empty); return whether all recounts agreed."""
    results = []
    for name in only or (*FLOWS, *ABROAD):
        with tempfile.TemporaryDirectory(prefix="octroi-bench-") as temporary:
            root = Path(temporary)
            if name == NEM12:
                results.append(bench_nem12(root, records or NEM12_VALUES, seed, runs))
            elif name == ESPI:
                results.append(bench_espi(root, READING_BYTES * records if records else ESPI_BYTES, seed))
            elif name == LARGE:
                results.append(_large_file(root, large_bytes, seed))
            else:
                results.append(_flow(root, FLOWS[name], records or FLOWS[name].records, seed, runs))
    if json_file is not None:
        rows = [
            (result.name, f"{result.value:,.0f}", result.unit, f"{result.details['target']:,}",
             f"{result.peak_memory_mib:,.0f}", "ok" if result.recount_ok else "DIFFERS")
            for result in results
        ]  # fmt: skip
        print_table("Energy", ("suite", "median", "unit", "target", "peak MiB", "recount"), rows)
    return hand_over(results, json_file)


def _flow(root: Path, flow: EnergyFlow, records: int, seed: int, runs: int) -> Result:
    say(f"energy.{flow.name}: generating {records:,} {flow.unit}")
    files = flow.write(root, records, seed)
    job = {"source": flow.source, "files": [str(path) for path in files], "passes": runs}
    measured = _child(job)
    count, total = flow.recount(files)
    seen = (measured["days"] if flow.name == "r151" else measured["records"], measured["total"])
    if seen != (count, total):
        say(f"energy.{flow.name}: measured {seen}, recounted {(count, total)}")
    return Result(
        name=f"energy.{flow.name}",
        unit=f"{flow.unit}/s per core",
        runs=[round(count / seconds) for seconds in measured["cpu_s"]],
        peak_memory_mib=measured["peak_memory_mib"],
        recount_ok=seen == (count, total),
        details={
            "target": flow.target,
            "records": count,
            "bytes": sum(path.stat().st_size for path in files),
            "seed": seed,
            "measures": "zipped files to usage, in CPU time of all threads; checking a file before is told apart",
            "check_runs": [round(count / seconds) for seconds in measured["check_cpu_s"]],
        },
    )


def _large_file(root: Path, size: int, seed: int) -> Result:
    say(f"energy.{LARGE}: generating {size:,} bytes of R63")
    path = root / "large.json"
    count, total = write_large(path, size, seed)
    measured = _child({"source": "enedis_curves", "files": [str(path)], "passes": 1})
    agreed = (measured["records"], measured["total"]) == (count, total)
    peak = measured["peak_memory_mib"]
    if peak > LARGE_MEMORY_MIB:
        say(f"energy.{LARGE}: {peak} MiB are more than {LARGE_MEMORY_MIB}")
    details = {"target": FLOWS["r63"].target, "records": count, "bytes": path.stat().st_size, "seed": seed,
               "memory_max_mib": LARGE_MEMORY_MIB}  # fmt: skip
    rate = round(count / measured["cpu_s"][0])
    return Result(f"energy.{LARGE}", "points/s per core", [rate], peak, agreed and peak <= LARGE_MEMORY_MIB, details)


def _child(job: dict[str, Any]) -> dict[str, Any]:
    """Do a job in a process of its own; return its figures."""
    return measured_process("apps.bench_energy", json.dumps(job))


# ---- in the process that is measured


def energy_decoder(source: str, directory: Path) -> Decoder:
    """Return the decoder of a ready-made source, "" for R151, in a catalog that sells what it measures."""
    text = find_template(source).text if source else R151
    documents = list(yaml.safe_load_all(text))
    [event_type] = [document for document in documents if document["kind"] == "event_type"]
    code, unit = event_type["code"], event_type["unit"]
    sold: list[dict[str, Any]] = [
        {"kind": "account", "code": "anna", "currency": "EUR"},
        {"kind": "offer", "code": "home", "charges": [code]},
        {"kind": "subscription", "code": "anna", "account": "anna", "offer": "home", "access_points": [{"id": "1"}]},
        {"kind": "charge", "code": code, "event_type": code, "price_plan": code},
        {"kind": "price_plan", "code": code, "currency": "EUR",
         "versions": [{"start": "2024-01-01T00:00:00Z", "model": "flat", "per": f"1 {unit}", "price": "0"}]},
    ]  # fmt: skip
    (directory / "source.yaml").write_text(text)
    (directory / "sold.yaml").write_text(yaml.safe_dump_all(sold))
    catalog = load_catalog(directory)
    codes = {name: number for number, name in enumerate(catalog.event_types, 1)}
    found = catalog.sources[source or "r151"]
    if isinstance(found, MeterDataSource):
        found = found.model_copy(
            update={"cut_minutes": None}
        )  # reading is measured: a file has as many records as values
    context = DecodeContext("bench", found, catalog.event_types, codes, catalog.units, {"": 0}, bytes(SECRET_BYTES))
    return make_decoder(context)


def measure(job: dict[str, Any], directory: Path) -> dict[str, Any]:
    """Return the figures of a job: counts, and CPU seconds of each pass; the first pass, which compiles, is none."""
    decoder, paths = energy_decoder(job["source"], directory), [Path(name) for name in job["files"]]
    counts = {"records": 0, "total": 0, "days": 0}
    cpu_s, check_cpu_s = list[float](), list[float]()
    decode_all(decoder, paths[:1])
    for _ in range(job["passes"]):
        begun = time.process_time()
        counts = decode_all(decoder, paths)
        cpu_s.append(time.process_time() - begun)
        begun = time.process_time()
        for path in paths:
            with _opened(path) as stream:
                decoder.check(stream)
        check_cpu_s.append(time.process_time() - begun)
    return counts | {"cpu_s": cpu_s, "check_cpu_s": check_cpu_s, "peak_memory_mib": peak_mib()}


def _opened(path: Path) -> Any:
    kind: Any = "zip" if path.suffix == ".zip" else "plain"
    return open_container(path, kind, size=path.stat().st_size)


def decode_all(decoder: Decoder, paths: Sequence[Path]) -> dict[str, int]:
    """Return how many records files have that are usage, their sum, and how many days R151 has."""
    records = total = days = 0
    for path in paths:
        with _opened(path) as stream:
            found: BinaryIO = stream
            for block in decode_blocks(decoder, found, claim=1):
                good = block.reason == Reason.NONE
                records += int(good.sum())
                total += int(block.quantity[good].sum())
                days += len(block) // DAY_RECORDS
    return {"records": records, "total": total if records else 0, "days": days}


DAY_RECORDS = 7
"""Records of a day of a point of generated R151: two indexes of the supplier, four of the distributor, a largest power."""


def main() -> None:
    """Do the job that the command line names, and print its figures."""
    from apps.jit import prepare_cache

    prepare_cache()
    with tempfile.TemporaryDirectory(prefix="octroi-bench-") as directory:
        print(json.dumps(measure(json.loads(sys.argv[1]), Path(directory))))


if __name__ == "__main__":
    main()
