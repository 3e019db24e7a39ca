"""One run of the embedded engine, from lock to snapshot."""

from __future__ import annotations

import gc
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from apps.embedded.access import open_owned, take_over
from apps.embedded.activation import take_catalog
from apps.embedded.billing_issue import complete_marks
from apps.embedded.commands import SUMMED
from apps.embedded.engine import Engine
from apps.embedded.heal import heal
from apps.embedded.intake import Intake
from apps.embedded.layout import DataDirectory
from apps.embedded.notified import telling
from apps.embedded.owner import OwnerServer
from apps.embedded.reports import ClaimReport, StageTimes
from apps.settings import Settings
from pipelines.mediation.plugins import check_plugins
from pipelines.spool.journal import FileClaim
from pipelines.spool.lifecycle import answered
from rating.vocabulary import NameTable
from schemas.fees import FEES
from schemas.money import AMOUNT_DECIMALS, from_scaled

CLAIMS_KEPT_FOLLOWING = 1000


@dataclass(slots=True)
class RunReport:
    """What one run did.

    Attributes:
        claims: the entries finished in this run, replayed ones included; of a run that follows, the latest only.
        sums: header columns summed over all of them. amounts: rated amounts by currency code, in billionths.
        settled: how many of those refused in this run were answered in it already, such as newer records that took the place
            of earlier ones. quarantined: how many files were refused whole. failures: files that could not be taken, in words.
        open_s: seconds until the engine was ready; replay_s: spent replaying the log; process_s: spent on files until every
            row was readable; close_s: for the last snapshot.
        times: seconds inside each stage.
        interrupted: whether somebody stopped it before its end.
    """

    claims: deque[ClaimReport] = field(default_factory=deque)
    sums: Counter[str] = field(default_factory=Counter)
    amounts: Counter[str] = field(default_factory=Counter)
    settled: int = 0
    quarantined: int = 0
    failures: list[str] = field(default_factory=list)
    open_s: float = 0.0
    replay_s: float = 0.0
    process_s: float = 0.0
    close_s: float = 0.0
    times: StageTimes = field(default_factory=StageTimes)
    interrupted: bool = False
    _first_claim: int = 0

    def add(self, claim: ClaimReport, currencies: NameTable) -> None:
        """Count one finished claim."""
        self.claims.append(claim)
        self.sums.update({column: claim.total(column) for column in SUMMED})
        self._first_claim = self._first_claim or claim.entry.claim
        self.settled += sum(named[0] >= self._first_claim for named in answered(claim.entry))
        self.quarantined += claim.quarantine is not None
        self.amounts.update(claim.amounts(currencies))

    def total(self, column: str) -> int:
        """Return the sum of a header column over all claims."""
        return self.sums[column]

    @property
    def refused(self) -> int:
        """How many records and EDRs wait because of this run."""
        return self.total("rejected") + self.total("parked") + self.total("unrated") - self.settled

    def as_dict(self) -> dict[str, Any]:
        """Return everything for JSON."""
        seconds = ("open_s", "replay_s", "process_s", "close_s")
        return {
            "files": [_file_as_dict(claim) for claim in self.claims if isinstance(claim.entry, FileClaim)],
            "totals": {column: self.total(column) for column in SUMMED},
            "amounts": {code: str(from_scaled(value, AMOUNT_DECIMALS)) for code, value in self.amounts.items()},
            "settled": self.settled,
            "failures": self.failures,
            "interrupted": self.interrupted,
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


class Attendant(Protocol):
    """Whoever else brings usage while a run follows its spool."""

    def opened(self, intake: Intake) -> None:
        """Begin to submit commands: the log is recovered, and commands run between two claims from now on."""

    def closing(self) -> None:
        """End: run the commands that are still needed; nothing runs any after that."""


def run_session(
    directory: DataDirectory,
    settings: Settings,
    files: Sequence[tuple[str, Path]],
    *,
    follow: bool,
    stop: threading.Event,
    say: Callable[[str], None],
    progress: Callable[[int], None],
    attendant: Attendant | None = None,
) -> RunReport:
    """Own the data directory, finish its log, take the catalog, then the named files, then the spool.

    Args:
        files: (source, path) of files to copy in. follow: keep watching the spool until `stop` is set.
        say: told sentences that an operator must see. progress: told records as they pass.
        attendant: brings usage in other ways than the spool.

    Raises:
        DirectoryIsOwned: when another process owns the directory.
        Exception: whatever the engine raises; the next run continues from the journal.
    """
    directory.prepare()
    report = RunReport(claims=deque(maxlen=CLAIMS_KEPT_FOLLOWING if follow else None))
    started = time.monotonic()
    with take_over(directory):
        engine, store = open_owned(directory, settings, say)
        engine.progress = progress
        if follow:
            engine.writer.store = telling(engine.writer.store, lambda: engine.state.vocabulary, say)

        def claimed(claim: ClaimReport) -> None:
            report.add(claim, engine.state.vocabulary.currencies)

        intake = Intake(engine, claimed, stop, failures=report.failures)
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
                    attendant=attendant,
                )
            finally:
                intake.shut()
                server.close()
        finally:
            gc.unfreeze()
            engine.close()
    report.times = engine.times
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
    attendant: Attendant | None,
) -> None:
    opened = time.monotonic()
    report.open_s = opened - started
    for claim in engine.recover():
        intake.claimed(claim)
    complete_marks(engine)  # before anything asks what is billed
    replayed = time.monotonic()
    report.replay_s = replayed - opened
    take_catalog(engine)
    if engine.active is not None:
        check_plugins(engine.active.catalog.sources)
    for claim in heal(engine):
        intake.claimed(claim)
    spool = engine.directory.spool
    spool.prepare(engine.sources)
    for name in spool.unknown(engine.sources):
        if name == FEES and not any((spool.incoming / FEES).iterdir()):
            continue  # octroi made it, for fees that are there no more
        say(f"spool/{name} belongs to no source of the catalog; it waits")
    ready = time.monotonic()
    report.open_s += ready - replayed
    intake.tick()
    intake.adopt()
    intake.take(files)
    gc.freeze()  # what was opened stays: the collector would look through all of it again and again
    if attendant is not None:
        attendant.opened(intake)
    intake.drain()
    engine.flush()
    report.process_s = time.monotonic() - ready
    if follow:
        intake.follow(poll_s)
    if attendant is not None:
        attendant.closing()
    intake.tick()
    closing = time.monotonic()
    engine.snapshot()
    report.close_s = time.monotonic() - closing
