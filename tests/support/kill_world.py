"""Usage to be processed by processes that die, and everything that such a run leaves, in a form that can be compared."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from benchmarks.catalogs.write import write_cloud_catalog, write_electricity_catalog, write_telephony_catalog
from benchmarks.generate.cloud import write_cloud
from benchmarks.generate.meters import write_meters
from benchmarks.generate.telephony import write_telephony
from sinks.clickhouse.migrations import FACTS
from sinks.clickhouse.store import Store
from sinks.clickhouse.table import Table
from sinks.clickhouse.tables.dimensions import DIMENSIONS

ROOT = Path(__file__).resolve().parents[2]
NURSERY = Path(__file__).with_name("kill_nursery.py")
LIMIT_S = 300.0
METERS, DEVICES = 40, 60
_WHEN = frozenset({"received_at", "day"})
"""Columns that tell when a process ran, not what it made."""


def make_usage(directory: Path, *, telephony: int, subscribers: int, cloud: int, days: int, seed: int = 5) -> int:
    """Write catalog/ and spool/ of a data directory; return how many records the readable files hold.

    There are duplicates, within files and across them, records that are wrong in every way, a compressed file, a file that
    comes again under another name, and one that nobody can read.
    """
    catalog, spool = directory / "catalog", directory / "spool"
    write_telephony_catalog(catalog, subscribers=subscribers)
    _add_levels(catalog / "telephony.yaml")
    write_electricity_catalog(catalog, meters=METERS)
    write_cloud_catalog(catalog, devices=DEVICES, projects=6)
    calls = write_telephony(
        spool / "telephony",
        records=telephony,
        subscribers=subscribers,
        seed=seed,
        files=4,
        duplicate_every=20,
        bad=True,
    )
    calls[1].with_suffix(".csv.gz").write_bytes(gzip.compress(calls[1].read_bytes(), 1, mtime=0))
    calls[1].unlink()
    (spool / "telephony" / "telephony-9999.csv").write_bytes(b"no,such,columns\n1,2,3\n")
    readings = write_meters(spool / "meters", meters=METERS, days=days, seed=seed, faults=False)
    shutil.copy(readings[-1], readings[-1].with_name("R151_again.xml"))
    write_cloud(spool / "events", records=cloud, devices=DEVICES, projects=6, seed=seed, bad=True)
    return telephony + cloud + (days + 2) * METERS * 7


def _add_levels(documents: Path) -> None:
    """Let the mobile operator tell of data used, and of what is spent a day."""
    text = documents.read_text()
    text = text.replace("code: data-month\n", 'code: data-month\nnotify: ["10 MB", "0.5 GB"]\n', 1)
    text = text.replace("kind: offer\n", "kind: offer\naccumulate: [spent]\n")
    counter = "code: spent, unit: EUR, function: amount, period: day, shared_by: account, notify: ['0.5 EUR', '2 EUR']"
    documents.write_text(f"{text}---\n{{kind: counter, {counter}}}\n")


def fresh(template: Path, directory: Path) -> Path:
    """Return a new data directory with the template's catalog and usage; usage files are never written to."""
    shutil.copytree(template / "catalog", directory / "catalog")
    shutil.copytree(template / "spool", directory / "spool", copy_function=os.link)
    return directory


@dataclass(frozen=True)
class Ended:
    """How a process ended: its exit code or minus the signal, what it printed, and the last boundary that it passed."""

    code: int
    out: str
    err: str
    wall_s: float
    cpu_s: float
    phase: str


class Nursery:
    """Runs command lines in processes that can be killed. Its settings are those of all of them."""

    def __init__(self, process: subprocess.Popen[str], scratch: Path) -> None:
        self._process = process
        self._scratch = scratch

    def run(
        self,
        *arguments: object,
        kill_after_s: float = LIMIT_S,
        fault: dict[str, Any] | None = None,
        later_s: int = 0,
    ) -> Ended:
        """Run `octroi` with `arguments`, killed after some time unless it ends before; see kill_nursery for faults.

        Its clock is `later_s` seconds ahead.
        """
        out, err, phase = (self._scratch / name for name in ("out", "err", "phase"))
        phase.unlink(missing_ok=True)
        request = {
            "arguments": [str(argument) for argument in arguments],
            "kill_after_s": kill_after_s,
            "fault": fault,
            "later_s": later_s,
            "out": str(out),
            "err": str(err),
            "phase": str(phase),
        }
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        texts = [path.read_text() if path.exists() else "" for path in (out, err, phase)]
        return Ended(answer["code"], texts[0], texts[1], answer["wall_s"], answer["cpu_s"], texts[2].strip())


@contextmanager
def nursery(scratch: Path, **settings: object) -> Iterator[Nursery]:
    """Yield a nursery whose processes have `settings`."""
    process = subprocess.Popen(
        [sys.executable, str(NURSERY)],
        cwd=scratch,
        env=environment(**settings),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield Nursery(process, scratch)
    finally:
        process.communicate(timeout=60)


def environment(**settings: object) -> dict[str, str]:
    """Return an environment with these settings of ours, a window that never ends (usage of tests is old), and no others."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OCTROI_")}
    cache = {"OCTROI_CACHE_DIR": os.environ["OCTROI_CACHE_DIR"]} if "OCTROI_CACHE_DIR" in os.environ else {}
    settings = {"dedup_window_days": "unlimited"} | settings
    chosen = {f"OCTROI_{name.upper()}": str(value) for name, value in settings.items()}
    return kept | cache | chosen | {"PYTHONPATH": str(ROOT)}


@dataclass(frozen=True)
class Content:
    """Everything that a store holds: totals for people, and a hash over the sorted rows of every table."""

    totals: dict[str, Any]
    hashes: dict[str, tuple[int, str]]


_TOTALS = {
    "outcomes": """SELECT sum(received) AS received, sum(accepted) AS accepted, sum(absorbed) AS absorbed,
        sum(duplicate) AS duplicate, sum(superseded) AS superseded, sum(filtered) AS filtered, sum(rejected) AS rejected,
        sum(parked) AS parked, sum(edrs) AS edrs, sum(rated) AS rated, sum(unrated) AS unrated FROM fact_block""",
    "money": """SELECT event_type, currency, count() AS items, sum(quantity_steps) AS quantity, sum(amount) AS amount
        FROM rated_item GROUP BY event_type, currency ORDER BY event_type, currency""",
    "wallets": "SELECT account, wallet, balance, operations FROM account_balance ORDER BY account, wallet",
    "rejections": """SELECT stage, reason, status, count() AS n FROM rejection GROUP BY stage, reason, status
        ORDER BY stage, reason, status""",
    "claims": "SELECT kind, status, count() AS n FROM fact_claim GROUP BY kind, status ORDER BY kind, status",
}


def content(directory: Path) -> Content:
    """Return what the store of a data directory holds, after checking that it balances."""
    store = Store.open(directory / "store")
    try:
        assert store.balance_check() == []
        totals = {name: store.query(sql).to_pylist() for name, sql in _TOTALS.items()}
        hashes = {table.name: _hash(store, table) for table in (*FACTS, *DIMENSIONS.values())}
        return Content(totals, hashes | {"out": _files(directory / "out")})
    finally:
        store.close()


def _files(directory: Path) -> tuple[int, str]:
    """Return how many files there are, and a hash over their names and contents."""
    paths = sorted(directory.iterdir())
    return len(paths), hashlib.sha256(b"".join(path.name.encode() + path.read_bytes() for path in paths)).hexdigest()


def _hash(store: Store, table: Table) -> tuple[int, str]:
    columns = {name: f"`{name}`" for name in table.names if name not in _WHEN}
    if table.name == "fact_wallet_operation":
        columns["at"] = "if(kind = 1, toDateTime64(0, 6, 'UTC'), at) AS at"  # a credit's instant is its claim's
    elif table.name in ("fact_rejection_event", "fact_claim_event", "fact_access_transfer", "dim_image"):
        del columns["at"]
    order = [str(place) for place, name in enumerate(columns, start=1) if name != "amounts"]
    rows = store.query(f"SELECT {', '.join(columns.values())} FROM {table.name} ORDER BY {', '.join(order)}")
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rows.schema) as writer:
        writer.write_table(rows.combine_chunks())
    return rows.num_rows, hashlib.sha256(sink.getvalue()).hexdigest()
