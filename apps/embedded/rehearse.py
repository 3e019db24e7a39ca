"""A dry run: files go through every stage on the state of the latest snapshot, and nothing is kept."""

from __future__ import annotations

import os
import secrets
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from apps.clock import now_us
from apps.embedded.engine import Engine
from apps.embedded.images import recompile
from apps.embedded.layout import DataDirectory
from apps.embedded.ports import NoStore
from apps.embedded.reports import ClaimReport
from apps.embedded.sealed import archive_files
from apps.embedded.session import RunReport
from apps.embedded.source_check import check_sources
from apps.embedded.threads import start_writer
from apps.settings import Settings
from billing.catalog.store import copy_catalog, load_catalog
from pipelines.snapshot import StageState, read_latest_snapshot
from pipelines.spool.claims import Arrival, UnableToClaim
from pipelines.spool.journal import FileClaim, ImageClaim, Journal

NEVER = 2**62


def rehearse(
    directory: DataDirectory, settings: Settings, files: Sequence[tuple[str, Path]], *, say: Callable[[str], None]
) -> RunReport:
    """Return what processing the files would do, under the catalog of the next start and the latest snapshot's state.

    Raises:
        UnableToClaim: when a file cannot be read; and whatever `rehearsing` raises.
    """
    report = RunReport()
    with rehearsing(directory, settings, say=say) as engine:
        started = time.monotonic()
        for source, path in files:
            for claim in rehearse_file(engine, source, path):
                report.add(claim, engine.state.vocabulary.currencies)
        engine.flush()
        report.process_s = time.monotonic() - started
        report.times = engine.times
    return report


@contextmanager
def rehearsing(directory: DataDirectory, settings: Settings, *, say: Callable[[str], None]) -> Iterator[Engine]:
    """Yield an engine with the catalog of the next start and the latest snapshot's state, which keeps nothing.

    Raises:
        UnableToLoadCatalog, UnableToCompileSource: when the catalog is invalid.
        TenantDiffers: when the data is another tenant's.
    """
    catalog = load_catalog(directory.catalog)
    check_sources(catalog)
    if directory.journal.exists():
        directory.bind(settings.tenant)
    state = read_latest_snapshot(directory.snapshots, say) or StageState.empty()
    with tempfile.TemporaryDirectory(prefix="octroi-dry-run-") as temporary:
        scratch = DataDirectory(Path(temporary))
        scratch.prepare()
        copy_catalog(directory.catalog, catalog, scratch.images / catalog.content_hash)
        secret = directory.secret() if directory.journal.exists() else secrets.token_bytes(16)
        store = NoStore()
        engine = Engine(
            scratch,
            settings.model_copy(update={"snapshot_records": NEVER}),
            Journal(scratch.journal),
            state,
            store,
            start_writer(store, settings),
            secret,
            now_us,
            say,
        )
        try:
            if state.image == catalog.content_hash:
                engine.active = recompile(scratch, state.image, state)
            else:
                engine.process(ImageClaim(claim=state.claim, received_at=now_us(), content_hash=catalog.content_hash))
            yield engine
        finally:
            engine.close()


def rehearse_file(engine: Engine, source: str, path: Path) -> Iterator[ClaimReport]:
    """Take one file, or each of the files in an archive, through the stages of an engine that keeps nothing.

    Raises:
        UnableToClaim: when it cannot be read, or there is no room for what is in it.
    """
    if path.exists() and not path.is_file():
        raise UnableToClaim(f"cannot take {path}: a dry run reads a file more than once, and this is no regular file")
    try:
        with path.open("rb"):
            pass
    except OSError as error:
        raise UnableToClaim(f"cannot take {path}: {error.strerror}") from error
    name = os.fsencode(path.name).decode("utf-8", "replace")
    files = archive_files(engine)
    with files.extracted(source, path, name, engine.terms) as arrivals:
        sealed = not arrivals and files.is_sealed(source, path)
        for arrival in arrivals or [Arrival(source, name, path)]:
            yield engine.process(_as_claim(engine, source, arrival.path, arrival.name, sealed=sealed))
        engine.flush()


def _as_claim(engine: Engine, source: str, path: Path, name: str, *, sealed: bool) -> FileClaim:
    """Return the claim that a file would become; in the archive of the dry run is a link to the file."""
    try:
        size = path.stat().st_size
        spool = engine.directory.spool
        stored = spool.stored_name(engine.state.claim, source, name)
        (spool.archive / stored).symlink_to(path.resolve())
    except OSError as error:
        raise UnableToClaim(f"cannot take {path}: {error.strerror}") from error
    terms = engine.terms
    return FileClaim(
        claim=engine.state.claim,
        received_at=engine.now(),
        source=source,
        name=name,
        stored=stored,
        size=size,
        block_bytes=terms.block_bytes,
        window_days=terms.window_days,
        bytes_max=terms.bytes_max,
        expansion_max=terms.expansion_max,
        sealed=sealed,
    )
