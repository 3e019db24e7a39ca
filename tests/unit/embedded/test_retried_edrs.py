"""Retried EDRs come from a file of the archive: all of them, or none."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from catalog_texts import CATALOG, write_catalog

from apps.embedded.activation import take_catalog
from apps.embedded.engine import Engine, open_engine
from apps.embedded.files import UnableToReadArchive
from apps.embedded.layout import DataDirectory
from apps.embedded.ports import NoStore
from apps.settings import Settings
from pipelines.spool.journal import EdrRetry
from schemas.edr import PACKED_WORDS, PACKED_WORDS_VALUED


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    directory = DataDirectory(tmp_path)
    write_catalog(directory.catalog, CATALOG)
    opened = open_engine(directory, Settings(), NoStore(), now=lambda: 1_775_001_600_000_000, report=print)
    take_catalog(opened)
    yield opened
    opened.close()


def retry(engine: Engine, count: int, words: int) -> EdrRetry:
    """Return a retry of `count` EDRs whose file holds `words` numbers."""
    (engine.directory.spool.archive / "edrs-x").write_bytes(np.zeros(words, np.int64).tobytes())
    entry = EdrRetry(
        claim=engine.journal.next_claim,
        received_at=engine.now(),
        source="cdr",
        stored="edrs-x",
        refused=tuple((1, record) for record in range(count)),
        retry_count=1,
    )
    engine.journal.append(entry)
    return entry


@pytest.mark.parametrize(
    ("count", "words"),
    [(3, 3 * PACKED_WORDS - 1), (3, 2 * PACKED_WORDS), (3, 4 * PACKED_WORDS), (1, 0), (1, PACKED_WORDS + 1)],
)
def test_a_file_of_another_length_stops_the_log(engine: Engine, count: int, words: int) -> None:
    with pytest.raises(UnableToReadArchive, match="edrs-x is damaged"):
        engine.process(retry(engine, count, words))
    assert engine.state.claim == 2


def test_a_file_that_is_gone_stops_the_log(engine: Engine) -> None:
    entry = retry(engine, 1, PACKED_WORDS)
    (engine.directory.spool.archive / "edrs-x").unlink()
    with pytest.raises(UnableToReadArchive, match="cannot read edrs-x: No such file"):
        engine.process(entry)


@pytest.mark.parametrize("width", [PACKED_WORDS, PACKED_WORDS_VALUED])
def test_every_edr_is_counted_as_accepted_again(engine: Engine, width: int) -> None:
    report = engine.process(retry(engine, 3, 3 * width))
    (header,) = report.headers
    assert (header.retry, header.received, header.accepted, header.edrs) == (True, 3, 3, 3)
    assert header.rated + header.unrated == 3
    assert engine.state.claim == 3


def test_entries_are_processed_in_their_order(engine: Engine) -> None:
    first, second = retry(engine, 1, PACKED_WORDS), retry(engine, 1, PACKED_WORDS)
    with pytest.raises(ValueError, match=f"entry {first.claim} is next"):
        engine.process(second)
    engine.process(first)
    with pytest.raises(ValueError, match=f"entry {second.claim} is next"):
        engine.process(first)
    engine.process(second)
