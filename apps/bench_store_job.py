"""What `octroi bench store` measures, each in a process of its own: `python -m apps.bench_store_job JOB`, JSON in and out."""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from apps.bench_keys import peak_mib
from apps.cli.failures import say
from apps.embedded.access import reach
from apps.embedded.facts import open_store
from apps.embedded.layout import DataDirectory
from apps.embedded.trace import trace
from apps.settings import Settings
from benchmarks.store import INSERT_ROWS, START_US, Usage, names, recount
from pipelines.spool.journal import FileClaim, ImageClaim, Journal
from schemas.arrays import Int64Array
from sinks.clickhouse.store import Store

MERGE_WAIT_S = 0.05
QUIET_LOOKS = 10
"""Looks one after the other at which nothing is merged, until merging counts as over."""
LOOKED_AT = 7
"""How many accounts or items are looked up."""
_TOTALS = """
SELECT count() AS items, sum(quantity) AS quantity, toString(toInt128(sum(amount) * 1000000000)) AS amount FROM fact_usage
"""
_SIZE = """
SELECT sum(rows) AS rows, sum(bytes_on_disk) AS bytes, count() AS parts FROM system.parts
WHERE active AND database = 'octroi' AND table = 'fact_usage'
"""
_COLUMNS = """
SELECT column, sum(column_data_compressed_bytes) / sum(rows) AS share FROM system.parts_columns
WHERE active AND database = 'octroi' AND table = 'fact_usage' GROUP BY column ORDER BY share DESC, column
"""
MONTH = datetime(2026, 9, 30, 22, tzinfo=UTC), datetime(2026, 10, 31, 23, tzinfo=UTC)
"""October in Paris."""
_POINT = """
SELECT charge, count() AS items, sum(amount) AS amount FROM rated_item
WHERE account_id = {account:UInt32} AND event_at >= {start:DateTime64(6, 'UTC')} AND event_at < {end:DateTime64(6, 'UTC')}
GROUP BY charge ORDER BY charge
"""


def insert(directory: DataDirectory, usage: Usage, before: int) -> dict[str, Any]:
    """Write usage, from insert `before` on, and wait for the merges; return figures.

    Time and CPU are of writing, and of the merges that run meanwhile and after it; making the usage is told apart.
    """
    store = open_store(directory)
    store.write_names(names(usage))
    _write_journal(directory, usage)
    cpu, write_s, make_s, written, each = _cpu_s(), 0.0, 0.0, 0, list[float]()
    at = time.monotonic()
    for number, blocks in enumerate(usage.writes()):
        begun = time.monotonic()
        make_s += begun - at
        if number >= before:
            store.write(blocks)
            written += sum(block.header.usage_rows for block in blocks)
            each.append(time.monotonic() - begun)
            write_s += each[-1]
        at = time.monotonic()
    settle_s = _settle(store)
    cpu = _cpu_s() - cpu
    (size,) = store.query(_SIZE).to_pylist()
    (totals,) = store.query(_TOTALS).to_pylist()
    columns = {row["column"]: round(row["share"], 3) for row in store.query(_COLUMNS).to_pylist()}
    store.close()
    return {
        "rows": written,
        "write_s": round(write_s, 3),
        "make_s": round(make_s, 3),
        "settle_s": round(settle_s, 3),
        "slowest_write_s": round(max(each), 3),
        "cpu_us_per_record": round(cpu / written * 1e6, 3),
        "stored": int(size["rows"]),
        "bytes_per_row": round(size["bytes"] / size["rows"], 3),
        "parts": int(size["parts"]),
        "bytes_by_column": columns,
        "totals": [int(totals["items"]), int(totals["quantity"]), int(totals["amount"])],
    }


def _write_journal(directory: DataDirectory, usage: Usage) -> None:
    directory.journal.unlink(missing_ok=True)
    journal = Journal(directory.journal)
    journal.append(ImageClaim(claim=1, received_at=START_US, content_hash="c0ffee"))
    journal.append_all(
        [
            FileClaim(
                claim=number + 2,
                received_at=usage.received_at(number),
                source="calls",
                name=f"calls-{number}.csv",
                stored=f"{number + 2}-calls.csv",
                size=1,
                block_bytes=1 << 20,
                window_days=None,
                bytes_max=1 << 40,
                expansion_max=100,
            )
            for number in range(usage.inserts)
        ]
    )
    journal.close()


def _settle(store: Store) -> float:
    started, quiet = time.monotonic(), 0
    while quiet < QUIET_LOOKS:
        (merges,) = store.query("SELECT count() AS n FROM system.merges").to_pylist()
        quiet = 0 if merges["n"] else quiet + 1
        time.sleep(MERGE_WAIT_S)
    return time.monotonic() - started - QUIET_LOOKS * MERGE_WAIT_S


def keep(directory: DataDirectory, usage: Usage) -> dict[str, Any]:
    """Sum up all usage that is stored, as a session does; return how long that takes."""
    store = open_store(directory)
    cpu = _cpu_s()
    seconds, made = _timed(lambda: store.long.keep_usage(usage.inserts + 2, rows_min=1))
    cpu = _cpu_s() - cpu
    differences = [found.what for found in store.balance_check() if "kept" in found.what]
    (cells,) = store.query("SELECT count() AS n FROM kept_usage").to_pylist()
    store.close()
    return {
        "seconds": round(seconds, 3),
        "cells": cells["n"],
        "cpu_us_per_record": round(cpu / usage.rows * 1e6, 3),
        "agreed": made and not differences,
    }


def month_end(directory: DataDirectory, usage: Usage, *, cold: bool) -> dict[str, Any]:
    """Sum a month of Paris up by account and charge, all sums handed over as Arrow; compare each with the recount."""
    if cold:
        _forget(directory.store)
    store = open_store(directory)
    cpu = _cpu_s()
    seconds, found = _timed(lambda: pa.concat_tables(store.long.sums(*MONTH)))
    cpu = _cpu_s() - cpu
    store.close()
    start_us, end_us = _month_us()
    expected = recount(usage, start_us, end_us)
    items, quantity, amount = (np.zeros_like(expected.items) for _ in range(3))
    place = found["account"].to_numpy(), found["charge_version"].to_numpy()
    items[place] = found["items"].to_numpy()
    quantity[place] = _whole(found["quantity"], 0)
    amount[place] = _whole(found["amount"], 9)
    agreed = found.num_rows == int((expected.items > 0).sum())
    agreed = agreed and bool((items == expected.items).all() and (quantity == expected.quantity).all())
    agreed = agreed and bool((amount == expected.amount).all())
    return {"seconds": round(seconds, 3), "cpu_s": round(cpu, 3), "groups": found.num_rows, "agreed": agreed}


def _whole(column: Any, decimals: int) -> Int64Array:
    """Return the unscaled integers of decimals, all of which fit 64 bits."""
    parts = []
    for chunk in column.chunks:
        words = np.frombuffer(memoryview(chunk.buffers()[1]), np.int64)[
            2 * chunk.offset : 2 * (chunk.offset + len(chunk))
        ]
        assert chunk.type.scale == decimals
        assert (words[1::2] == words[::2] >> 63).all()
        parts.append(words[::2])
    return np.concatenate(parts)


def point(directory: DataDirectory, usage: Usage, seed: int) -> dict[str, Any]:
    """Look up the last month of accounts, one after the other, by charge; compare with the recount."""
    expected = recount(usage, *_month_us())
    accounts = np.random.default_rng(seed).integers(0, usage.accounts, LOOKED_AT + 1).tolist()
    store, bounds, measured, agreed = open_store(directory), _month(), list[float](), True
    for account in accounts:
        seconds, found = _timed(lambda: store.query(_POINT, {"account": account, **bounds}))  # noqa: B023
        measured.append(round(seconds, 4))
        agreed = agreed and sorted(found["items"].to_pylist()) == sorted(
            n for n in expected.items[account].tolist() if n
        )
        agreed = agreed and sum(int(m.scaleb(9)) for m in found["amount"].to_pylist()) == int(
            expected.amount[account].sum()
        )
    store.close()
    return {"first_s": measured[0], "seconds": measured[1:], "agreed": agreed}


def follow(directory: DataDirectory, usage: Usage, seed: int) -> dict[str, Any]:
    """Trace items, one after the other; compare file, account and amount with what was drawn."""
    rows = np.random.default_rng(seed).integers(0, usage.rows, LOOKED_AT + 1).tolist()
    measured, agreed = list[float](), True
    with reach(directory, Settings(data_dir=directory.root), say) as access:
        access.query("SELECT 1")  # opens the store
        for row in rows:
            number, record = divmod(row, INSERT_ROWS)
            seconds, found = _timed(lambda: trace(access, directory, f"ri-{number + 2}-{record}"))  # noqa: B023
            measured.append(round(seconds, 4))
            account, _, taken = usage.drawn(number)
            (item,) = found.rated_items
            agreed = agreed and item["account"] == f"{account[record]:08d}"
            agreed = agreed and int(item["amount"].scaleb(9)) == int(usage.pool(taken)[2][record])
            agreed = agreed and found.origins[0].file == f"calls-{number}.csv" and item["record"] == record
    return {"first_s": measured[0], "seconds": measured[1:], "agreed": agreed}


def _month() -> dict[str, str]:
    start, end = (f"{at:%Y-%m-%d %H:%M:%S}" for at in MONTH)
    return {"start": start, "end": end}


def _month_us() -> tuple[int, int]:
    start, end = (int(at.timestamp()) * 1_000_000 for at in MONTH)
    return start, end


def _timed(what: Callable[[], Any]) -> tuple[float, Any]:
    started = time.monotonic()
    found = what()
    return time.monotonic() - started, found


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _forget(directory: Path) -> None:
    for path in directory.rglob("*"):
        if path.is_file():
            with path.open("rb") as handle:
                os.fsync(handle.fileno())
                os.posix_fadvise(handle.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def measure(job: dict[str, Any]) -> dict[str, Any]:
    """Do one job and return its figures; `load` is how busy the machine was before it."""
    directory, usage = DataDirectory(Path(job["root"])), Usage(job["rows"], job["seed"], job["accounts"])
    load = round(os.getloadavg()[0], 2)
    if job["what"] == "insert":
        found = insert(directory, usage, job["before"])
    elif job["what"] == "keep":
        found = keep(directory, usage)
    elif job["what"] == "month_end":
        found = month_end(directory, usage, cold=job["cold"])
    elif job["what"] == "point":
        found = point(directory, usage, job["seed"])
    else:
        found = follow(directory, usage, job["seed"])
    return found | {"load_average": load, "peak_memory_mib": peak_mib()}


def main() -> None:
    """Do the job that the command line names, and print its figures."""
    from apps.jit import prepare_cache

    prepare_cache()
    print(json.dumps(measure(json.loads(sys.argv[1]))))


if __name__ == "__main__":
    main()
