"""`octroi bench diameter`: data sessions charged over Gy by network elements, against `octroi diameter serve`, recounted."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from apps.bench import UnableToMeasure
from apps.bench_results import hand_over, tell
from apps.bench_stream import cpu_seconds
from apps.bench_wallets import recounted, write_charging_catalog
from apps.cli.failures import say
from apps.embedded.layout import DataDirectory
from apps.settings import Settings
from benchmarks.gy import MEGABYTE, QUOTA_MB, Drawn, Element, charge
from benchmarks.report import Result, median_of, percentile_ms

REQUESTS = 60_000
ACCOUNTS = 20_000
ELEMENTS, IN_FLIGHT = 2, 32
WARM_UP = 200
START_S = 120.0
_SERVER = {"host": "octroi.bench", "realm": "bench", "port": 0, "peers": [{"host": "*.bench"}]}
_SERVICE = f"""
---
{{kind: charging_service, code: internet, service_context: 32251@3gpp.org, event_type: data, measured_in: total_octets,
  quota: {QUOTA_MB} MB, validity_s: 600}}
"""


def bench_diameter(*, records: int | None, seed: int, runs: int, json_file: Path | None) -> bool:
    """Run the benchmark and print it; return whether every run agreed with what the elements used."""
    measured = [_run_once(records or REQUESTS, seed + number) for number in range(runs)]
    problems = [problem for run in measured for problem in run["problems"]]
    for problem in problems:
        say(problem)
    result = Result(
        name="diameter.gy",
        unit="requests/s",
        runs=[round(run["requests"] / run["wall_s"], 1) for run in measured],
        peak_memory_mib=max(run["peak_memory_mib"] for run in measured),
        recount_ok=not problems,
        details={
            "requests": [run["requests"] for run in measured],
            "sessions": [run["sessions"] for run in measured],
            "accounts": ACCOUNTS,
            "elements": ELEMENTS,
            "in_flight": ELEMENTS * IN_FLIGHT,
            "seed": seed,
            "measures": "CCR-I, -U and -T over loopback, each answered once it is synced; the elements share the cores",
            **{f"latency_p{q}_ms": median_of(percentile_ms(run["latency_s"], q) for run in measured) for q in (50, 99)},
            "cpu_us_per_record": median_of(run["cpu_s"] / run["requests"] * 1e6 for run in measured),
            "elements_cpu_us_per_record": median_of(run["elements_cpu_s"] / run["requests"] * 1e6 for run in measured),
            "problems": problems,
        },
    )
    return hand_over([tell(result)], json_file)


def _run_once(requests: int, seed: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="octroi-bench-") as temporary:
        directory = DataDirectory(Path(temporary))
        write_charging_catalog(directory.catalog, accounts=ACCOUNTS, more=_SERVICE)
        settings = Settings(data_dir=directory.root, dedup_window_days="unlimited")
        with _serving(directory.root) as (server, port):
            warm = Drawn.of(WARM_UP, ACCOUNTS, seed)
            drawn = Drawn.of(max(requests * len(warm.used_mb) // warm.requests, 1), ACCOUNTS, seed + 1)
            _, first = asyncio.run(charge(port, warm, prefix="warm", elements=ELEMENTS, in_flight=IN_FLIGHT))
            before, spent = cpu_seconds(server.pid), time.process_time()
            wall_s, elements = asyncio.run(charge(port, drawn, prefix="pgw", elements=ELEMENTS, in_flight=IN_FLIGHT))
            cpu_s, elements_cpu_s = cpu_seconds(server.pid) - before, time.process_time() - spent
            peak_kib = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{server.pid}/status").read_text())
        every = [*first, *elements]
        problems = recounted(
            directory,
            settings,
            items=sum(element.items for element in every),
            used=sum(element.used_mb for element in every) * MEGABYTE,
            refused=sum(sum(element.refused.values()) for element in every),
            accounts=ACCOUNTS,
        )
    problems += _against_draws(elements, drawn)
    return {
        "wall_s": wall_s,
        "cpu_s": cpu_s,
        "elements_cpu_s": elements_cpu_s,
        "requests": drawn.requests,
        "sessions": len(drawn.used_mb),
        "latency_s": [each for element in elements for each in element.latency_s],
        "peak_memory_mib": int(peak_kib[1]) // 1024 if peak_kib else None,
        "problems": problems,
    }


def _against_draws(elements: list[Element], drawn: Drawn) -> list[str]:
    """Say where elements did not do what was drawn: a load that asked for less would look fast."""
    asked, used = sum(len(each.latency_s) for each in elements), sum(each.used_mb for each in elements)
    told = [] if asked == drawn.requests else [f"{asked} requests were answered, {drawn.requests} drawn"]
    wanted = sum(map(sum, drawn.used_mb))
    return told + ([] if used == wanted else [f"{used} MB were used, {wanted} drawn"])


@contextmanager
def _serving(data: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Yield a server in a process of its own and its port; it is stopped in good order.

    Raises:
        UnableToMeasure: when it does not listen, or ends with an error.
    """
    command = [sys.executable, "-m", "apps.cli", "diameter", "serve", "--data", str(data)]
    given = {"OCTROI_DIAMETER": json.dumps(_SERVER), "OCTROI_DEDUP_WINDOW_DAYS": "unlimited"}
    log = data / "server.log"
    with log.open("w") as said:
        server = subprocess.Popen(command, env=os.environ | given, stdout=said, stderr=said, text=True)
    try:
        deadline, found = time.monotonic() + START_S, None
        while (found := re.search(r"listening on \S+:(\d+)", log.read_text())) is None:
            if server.poll() is not None or time.monotonic() > deadline:
                raise UnableToMeasure(f"the Diameter server does not listen: {log.read_text()[-2000:]}")
            time.sleep(0.05)
        yield server, int(found[1])
        server.send_signal(signal.SIGTERM)
        if server.wait(START_S):
            raise UnableToMeasure(f"the Diameter server ended with {server.returncode}: {log.read_text()[-2000:]}")
    finally:
        server.kill()
        server.wait()
