"""What `octroi bench mediation` measures, each in a process of its own: `python -m apps.bench_feed JOB`, JSON in and out.

A feed goes from files on disk through decoding, attribution and deduplication, as in a run: decoding is a thread ahead.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from apps.jit import prepare_cache

prepare_cache()

import numpy as np  # noqa: E402

from apps.bench_keys import measure_dedup, measure_restore, peak_mib  # noqa: E402
from apps.embedded.engine import DECODE_AHEAD  # noqa: E402
from apps.embedded.files import QuarantinedFile, inspect_file  # noqa: E402
from apps.embedded.images import ActiveImage, activate, archive_catalog  # noqa: E402
from apps.embedded.layout import DataDirectory  # noqa: E402
from apps.embedded.threads import Ahead  # noqa: E402
from apps.memory import keep_freed_memory  # noqa: E402
from apps.settings import Settings  # noqa: E402
from billing.catalog.store import load_catalog  # noqa: E402
from pipelines.resource.stage import ResourceResult, ResourceState, process  # noqa: E402
from pipelines.snapshot import StageState, write_snapshot  # noqa: E402
from pipelines.spool.journal import ImageClaim  # noqa: E402
from schemas.cdr import CdrBlock  # noqa: E402
from schemas.rejection import OUTCOMES, Outcome, Reason  # noqa: E402

SECRET = bytes(range(16))
STAGE_TIME = 1_793_750_400_000_000
"""2026-11-04T00:00:00Z: when a file of October, the month of most feeds, may come."""


@dataclass
class Tally:
    """What came of a feed's records."""

    records: int = 0
    accepted: int = 0
    duplicates: int = 0
    filtered: int = 0
    rejected_by_reason: dict[str, int] = field(default_factory=dict)
    quantity_by_event_type: dict[str, int] = field(default_factory=dict)

    def add(self, cdrs: CdrBlock, result: ResourceResult, codes: dict[int, str]) -> None:
        """Add a block; `codes` are the event types by their number."""
        self.records += len(cdrs)
        counts = np.bincount(result.reason)
        for number in np.flatnonzero(counts).tolist():
            reason, count = Reason(number), int(counts[number])
            if OUTCOMES[reason] == Outcome.ACCEPTED:
                self.accepted += count
            elif OUTCOMES[reason] == Outcome.DUPLICATE:
                self.duplicates += count
            elif OUTCOMES[reason] == Outcome.FILTERED:
                self.filtered += count
            else:
                self.rejected_by_reason[reason.name] = self.rejected_by_reason.get(reason.name, 0) + count
        for number, code in codes.items():
            quantity = result.edrs.quantity[result.edrs.event_type == number]
            if len(quantity):
                total = (int((quantity >> 31).sum()) << 31) + int((quantity & (2**31 - 1)).sum())
                self.quantity_by_event_type[code] = self.quantity_by_event_type.get(code, 0) + total


def measure_feed(root: Path, source: str, files: list[str], *, snapshot_records: int) -> dict[str, Any]:
    """Decode files and take their records through the resource stage; return figures.

    Without snapshots all of it is done twice, the second time from an empty state, and measured the second time: the first
    pays for memory that the machine gives the process (`first_s`), as a run that goes on does not.

    Args:
        root: a data directory that has a `catalog`. files: in order. source: of the catalog.
        snapshot_records: write the state down after so many records, as a run does; 0 for never.
    """
    directory, state, active = _prepare(root)
    tally = Tally()
    paths = [Path(name) for name in files]
    first_s = 0.0
    for _ in _take(paths[:1], source, active, state, Tally(), blocks_max=1):  # compiles what is not in the cache
        pass
    if not snapshot_records:
        state.resource = ResourceState()
        first_s = -time.monotonic()
        for _ in _take(paths, source, active, state, Tally()):
            pass
        first_s += time.monotonic()
    state.resource = ResourceState()
    before, started = resource.getrusage(resource.RUSAGE_SELF), time.monotonic()
    since, snapshot_s = 0, 0.0
    for _ in _take(paths, source, active, state, tally):
        if snapshot_records and tally.records - since >= snapshot_records:
            since, at = tally.records, time.monotonic()
            state.claim += 1
            write_snapshot(directory.snapshots, state)
            snapshot_s += time.monotonic() - at
    seconds, after = time.monotonic() - started, resource.getrusage(resource.RUSAGE_SELF)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {
        **asdict(tally),
        "seconds": round(seconds, 4),
        "first_s": round(first_s, 4),
        "cpu_s": round(cpu_s, 4),
        "snapshot_s": round(snapshot_s, 4),
        "peak_memory_mib": peak_mib(),
        "bytes": sum(path.stat().st_size for path in paths),
    }


def _prepare(root: Path) -> tuple[DataDirectory, StageState, ActiveImage]:
    directory, state = DataDirectory(root), StageState.empty()
    directory.prepare()
    catalog = load_catalog(root / "catalog")
    archive_catalog(directory, catalog)
    entry = ImageClaim(claim=1, received_at=STAGE_TIME, content_hash=catalog.content_hash)
    return directory, state, activate(directory, entry, state).active


def _take(
    paths: list[Path],
    source: str,
    active: ActiveImage,
    state: StageState,
    tally: Tally,
    *,
    blocks_max: int | None = None,
) -> Iterator[None]:
    settings = Settings(dedup_window_days="unlimited")
    drops = active.catalog.sources[source].on_same_key == "duplicate"
    codes = {state.vocabulary.event_types.id(code): code for code in active.catalog.event_types}
    for claim, path in enumerate(paths, start=2):
        context = active.decode_context(source, state, tenant="bench", secret=SECRET)
        size = path.stat().st_size
        file = inspect_file(path, context, size=size, bytes_max=1 << 40, ratio_max=settings.expansion_max)
        if isinstance(file, QuarantinedFile):
            raise ValueError(f"{path.name}: {file.code}: {file.message}")
        blocks: Iterator[CdrBlock] = file.blocks(claim=claim, block_bytes=settings.block_bytes)
        for number, cdrs in enumerate(Ahead(blocks, DECODE_AHEAD)):
            result = process(
                cdrs,
                active.image.access,
                state.resource,
                stage_time=STAGE_TIME,
                conflict_is_duplicate=drops,
            )
            tally.add(cdrs, result, codes)
            yield
            if blocks_max is not None and number + 1 >= blocks_max:
                return


def main() -> None:
    """Do the job that the first argument describes in JSON."""
    keep_freed_memory()
    job = json.loads(sys.argv[1])
    root = Path(job["root"])
    if job["what"] == "feed":
        found = measure_feed(root, job["source"], job["files"], snapshot_records=job["snapshot_records"])
    elif job["what"] == "dedup":
        found = measure_dedup(root, job["keys"], seed=job["seed"])
    else:
        found = measure_restore(root, job["keys"], seed=job["seed"], cold=job["cold"])
    print(json.dumps(found))


if __name__ == "__main__":
    main()
