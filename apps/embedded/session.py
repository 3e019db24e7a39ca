"""One run of the embedded engine, from lock to snapshot."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from apps.clock import now_us
from apps.embedded.commands import SUMMED
from apps.embedded.engine import ClaimReport, Engine, StageTimes, open_engine, open_store
from apps.embedded.intake import Intake
from apps.embedded.layout import DataDirectory
from apps.embedded.lock import OwnerLock
from apps.embedded.owner import OwnerServer
from apps.settings import Settings
from pipelines.spool.journal import FileClaim
from schemas.money import AMOUNT_DECIMALS, from_scaled


@dataclass(slots=True)
class RunReport:
    """What one run did.

    Attributes:
        claims: the entries finished in this run, replayed ones included.
        failures: files that could not be taken, in words.
        open_s: seconds until the engine was ready; replay_s: spent replaying the log; process_s: spent on files until every
            row was readable; close_s: for the last snapshot.
        times: seconds inside each stage.
    """

    claims: list[ClaimReport] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    open_s: float = 0.0
    replay_s: float = 0.0
    process_s: float = 0.0
    close_s: float = 0.0
    times: StageTimes = field(default_factory=StageTimes)
    amounts: dict[str, int] = field(default_factory=dict)

    def total(self, column: str) -> int:
        """Return the sum of a header column over all claims."""
        return sum(claim.total(column) for claim in self.claims)

    @property
    def quarantined(self) -> list[ClaimReport]:
        """Files that were refused whole."""
        return [claim for claim in self.claims if claim.quarantine is not None]

    def as_dict(self) -> dict[str, Any]:
        """Return everything for JSON."""
        seconds = ("open_s", "replay_s", "process_s", "close_s")
        return {
            "files": [_file_as_dict(claim) for claim in self.claims if isinstance(claim.entry, FileClaim)],
            "totals": {column: self.total(column) for column in SUMMED},
            "amounts": {code: str(from_scaled(value, AMOUNT_DECIMALS)) for code, value in self.amounts.items()},
            "failures": self.failures,
            "seconds": {name.removesuffix("_s"): round(getattr(self, name), 3) for name in seconds}
            | {f"stage_{name}": round(getattr(self.times, name), 3) for name in StageTimes.__slots__},
        }


def _file_as_dict(claim: ClaimReport) -> dict[str, Any]:
    entry = claim.entry
    assert isinstance(entry, FileClaim)
    refusal = claim.quarantine
    return {
        "claim": entry.claim,
        "source": entry.source,
        "name": entry.name,
        "bytes": entry.size,
        "sha256": claim.sha256,
        "duplicate_of": claim.duplicate_of,
        "quarantined": None if refusal is None else {"code": refusal.code, "message": refusal.message},
        **{column: claim.total(column) for column in SUMMED},
    }


@contextmanager
def stopping() -> Iterator[threading.Event]:
    """Yield an event that SIGTERM and the first SIGINT set: the claim in hand is finished, then the run ends well.

    A second SIGINT interrupts at once; the journal and the store are then brought together at the next start.
    """
    stop = threading.Event()

    def on_signal(number: int, frame: FrameType | None) -> None:
        if stop.is_set() and number == signal.SIGINT:
            raise KeyboardInterrupt
        stop.set()

    previous = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def run_session(
    directory: DataDirectory,
    settings: Settings,
    files: Sequence[tuple[str, Path]],
    *,
    follow: bool,
    stop: threading.Event,
    say: Callable[[str], None],
    progress: Callable[[int], None],
) -> RunReport:
    """Own the data directory, finish its log, take the catalog, then the named files, then the spool.

    Args:
        files: (source, path) of files to copy in. follow: keep watching the spool until `stop` is set.
        say: told sentences that an operator must see. progress: told records as they pass.

    Raises:
        DirectoryIsOwned: when another process owns the directory.
        Exception: whatever the engine raises; the next run continues from the journal.
    """
    directory.prepare()
    report = RunReport()
    started = time.monotonic()
    with OwnerLock(directory.lock):
        store = open_store(directory)
        engine = open_engine(directory, settings, store, now=now_us, report=say)
        engine.progress = progress
        intake = Intake(engine, report.claims.append, stop, failures=report.failures)
        try:
            server = OwnerServer(directory.socket, store, intake)
            try:
                _work(
                    engine,
                    intake,
                    report,
                    files,
                    follow=follow,
                    stop=stop,
                    poll_s=settings.poll_ms / 1000,
                    say=say,
                    started=started,
                )
            finally:
                server.close()
        finally:
            engine.close()
    report.times = engine.times
    report.amounts = amounts_of(engine, report)
    return report


def _work(
    engine: Engine,
    intake: Intake,
    report: RunReport,
    files: Sequence[tuple[str, Path]],
    *,
    follow: bool,
    stop: threading.Event,
    poll_s: float,
    say: Callable[[str], None],
    started: float,
) -> None:
    opened = time.monotonic()
    report.open_s = opened - started
    report.claims.extend(engine.recover())
    replayed = time.monotonic()
    report.replay_s = replayed - opened
    engine.take_catalog()
    spool = engine.directory.spool
    spool.prepare(engine.sources)
    for name in spool.unknown(engine.sources):
        say(f"spool/{name} belongs to no source of the catalog; its files wait")
    ready = time.monotonic()
    report.open_s += ready - replayed
    intake.adopt()
    intake.take(files)
    intake.drain()
    engine.flush()
    report.process_s = time.monotonic() - ready
    if follow:
        intake.follow(poll_s)
    closing = time.monotonic()
    engine.snapshot()
    report.close_s = time.monotonic() - closing


def amounts_of(engine: Engine, report: RunReport) -> dict[str, int]:
    """Return the rated amounts of a run by currency, in billionths."""
    sums: dict[str, int] = {}
    for claim in report.claims:
        for header in claim.headers:
            for currency, amount in header.amounts.items():
                code = engine.state.vocabulary.currencies.name(currency)
                sums[code] = sums.get(code, 0) + amount
    return sums
