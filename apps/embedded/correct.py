"""Correct and replay: refused records with some fields replaced become a file of their source, a claim of its own.

The corrected file is in the archive and checked before the log says anything; one append then journals the corrections of
all files that are meant. Record i of a correction takes the place of the i-th rejection that its entry names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

from apps.embedded.engine import Engine
from apps.embedded.files import QuarantinedFile, ReadableFile, UnableToReadArchive
from apps.embedded.reports import ClaimReport
from apps.embedded.retry import UnableToRetry, archived_file
from apps.embedded.selection import Selection, UnableToSelect, by_file, place_of, select, written
from pipelines.mediation.container import open_container
from pipelines.mediation.decode import Decoder, check_file, decode_blocks, describe
from pipelines.mediation.failures import UnableToDecodeFile
from pipelines.mediation.rewrite.failures import UnableToRewrite, UnableToRewriteRecord
from pipelines.mediation.rewrite.rewriter import make_rewriter
from pipelines.spool.files import write_durably
from pipelines.spool.journal import FileClaim, refusal
from pipelines.spool.lifecycle import Step
from schemas.rejection import Reason, Stage

CORRECTED = "corrected-"
"""What the names of files of corrected records begin with, in the archive as well: no start adopts one without an entry."""
EXAMPLES_MAX = 10
SKIPPED_TOLD_MAX = 100
EXAMPLE_CHARACTERS = 2000


class UnableToCorrect(ValueError):
    """What is to be replaced cannot be, in any record; nothing changed."""


@dataclass(frozen=True, slots=True)
class Skipped:
    """A rejection that stays as it is, and why."""

    rejection: str
    why: str


@dataclass(slots=True)
class CorrectedFile:
    """The corrected records of one file.

    Attributes:
        root: the claim of the file that they came in. content: the file that takes their place.
        rows: the rejections, one per record. before, after: each record's bytes.
        refused: what the decoder still objects to in each, empty for nothing.
    """

    root: FileClaim
    decoder: Decoder
    rows: list[dict[str, Any]] = field(default_factory=list)
    before: list[bytes] = field(default_factory=list)
    after: list[bytes] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    content: bytes = b""


@dataclass(frozen=True, slots=True)
class Correction:
    """What a correction does, or would do.

    Attributes:
        files: of which records are corrected. skipped: what is meant and cannot be corrected. left: how many more match.
        reports: what became of the records, in the order of `files`; none of a preview.
    """

    source: str
    files: list[CorrectedFile]
    skipped: list[Skipped]
    left: int
    reports: list[ClaimReport] = field(default_factory=list)

    @property
    def corrected(self) -> int:
        """How many records are corrected."""
        return sum(len(file.rows) for file in self.files)


def correct(engine: Engine, selection: Selection | None, values: Mapping[str, str], *, preview: bool) -> Correction:
    """Replace fields of refused records and take them through the stages, or say what that would do.

    Raises:
        UnableToSelect: when none matches, or those that do are of several sources, or none of them can be corrected.
        UnableToDecide: when one that is named was decided.
        UnableToCorrect: when the source's format is not text, it reads no such field, or a value fits in no record.
        UnableToReadArchive, UnableToRetry: when a file is gone or cannot be decoded; nothing was tried.
    """
    if not values:
        raise UnableToCorrect("say what to replace: FIELD=VALUE")
    rows, left = select(engine, selection, Step.CORRECT)
    sources = sorted({row["source"] for row in rows})
    if len(sources) > 1:
        raise UnableToSelect(
            f"these rejections are of the sources {', '.join(sources)}: correct those of one (--source)"
        )
    sound, skipped = _correctable(rows)
    files = []
    for root, group in by_file(engine, sound):
        try:
            file, more = _rewritten(engine, archived_file(engine, root.claim), group, values)
        except UnableToRewrite as error:
            raise UnableToCorrect(str(error)) from error
        skipped += more
        files += [file] if file.rows else []
    if not files:
        raise UnableToSelect(f"none can be corrected: {skipped[0].rejection}: {skipped[0].why}")
    reports = [] if preview else _journal(engine, files)
    return Correction(sources[0], files, skipped, left, reports)


def _correctable(rows: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[Skipped]]:
    sound, skipped = [], []
    for row in rows:
        why = ""
        if row["stage"] == Stage.ACCOUNT:
            why = "its record was accepted, and is an EDR without price: correct the catalog, then replay it"
        elif row["raw_truncated"]:
            why = "only the beginning of its record is kept: let the sender send a corrected file"
        if why:
            skipped.append(Skipped(written(place_of(row)), why))
        else:
            sound.append(row)
    return sound, skipped


def _rewritten(
    engine: Engine, found: tuple[FileClaim, ReadableFile], rows: list[dict[str, Any]], values: Mapping[str, str]
) -> tuple[CorrectedFile, list[Skipped]]:
    """Return the records of one file with the new values, and those that cannot have them."""
    root, file = found
    with open_container(file.path, file.container.kind, size=file.container.stored_bytes) as stream:
        rewriter = make_rewriter(file.decoder, values, stream)
    result, skipped = CorrectedFile(root, file.decoder), []
    for row in rows:
        raw = row["raw"].encode() if isinstance(row["raw"], str) else bytes(row["raw"])
        try:
            after = rewriter.record(raw)
        except UnableToRewriteRecord as error:
            skipped.append(Skipped(written(place_of(row)), str(error)))
            continue
        result.rows.append(row)
        result.before.append(raw)
        result.after.append(after)
    if result.rows:
        result.content = rewriter.file(result.after)
        _expect_records(result, engine.terms.bytes_max)
    return result, skipped


def _expect_records(file: CorrectedFile, bytes_max: int) -> None:
    """Check that the source reads as many records from a corrected file as there should be."""
    if len(file.content) > bytes_max:
        raise UnableToRewrite(f"the corrected records have more than {bytes_max:,} bytes: select fewer")
    file.refused = _decoded(file)
    found = len(file.refused)
    if found != len(file.rows):
        raise UnableToRewrite(f"with these values the source reads {found:,} records instead of {len(file.rows):,}")


def _decoded(file: CorrectedFile) -> list[str]:
    """Return, of each record of a corrected file, what the decoder objects to, empty for nothing.

    Raises:
        UnableToRetry: when it is no file of its source.
    """
    told: list[str] = []
    try:
        check_file(file.decoder, BytesIO(file.content))
        for block in decode_blocks(file.decoder, BytesIO(file.content), claim=1):
            for row, reason in enumerate(block.reason.tolist()):
                told.append(f"{Reason(reason).name}: {describe(file.decoder, block, row)}" if reason else "")
    except UnableToDecodeFile as error:
        raise UnableToRetry(f"{file.root.name}: its corrected records cannot be decoded: {error}") from error
    return told


def _journal(engine: Engine, files: list[CorrectedFile]) -> list[ClaimReport]:
    """Archive the corrected files, journal them all, and take them through the stages."""
    journal = engine.journal
    received_at = journal.stage_time(engine.now())
    entries = [_entry(engine, file, journal.next_claim + place, received_at) for place, file in enumerate(files)]
    paths = [engine.directory.spool.archive / entry.stored for entry in entries]
    try:
        for path, file, entry in zip(paths, files, entries, strict=True):
            write_durably(path, file.content)
            checked = engine.inspect(entry)
            if isinstance(checked, QuarantinedFile):
                raise UnableToRetry(f"{entry.name} cannot be decoded: {checked.code}: {checked.message}")
        journal.append_all(entries)
    except (OSError, UnableToRetry, UnableToReadArchive):
        for path in paths:
            path.unlink(missing_ok=True)
        raise
    reports = [engine.process(entry) for entry in entries]
    engine.flush()
    return reports


def _entry(engine: Engine, file: CorrectedFile, claim: int, received_at: int) -> FileClaim:
    root, terms = file.root, engine.terms
    name = CORRECTED + root.name.removeprefix(CORRECTED)
    return FileClaim(
        claim=claim,
        received_at=received_at,
        source=root.source,
        name=name,
        stored=CORRECTED + engine.directory.spool.stored_name(claim, root.source, name),
        size=len(file.content),
        block_bytes=terms.block_bytes,
        window_days=terms.window_days,
        bytes_max=terms.bytes_max,
        expansion_max=terms.expansion_max,
        corrects=root.claim,
        refused=tuple(refusal(*place_of(row)) for row in file.rows),
        retry_count=max(row["retry_count"] for row in file.rows) + 1,
    )
