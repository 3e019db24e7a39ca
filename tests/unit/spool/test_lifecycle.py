"""What the log says of rejections and families; and journals of the previous release, line by line."""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
import pytest

from pipelines.spool.family import family_of, image_before, moves_of
from pipelines.spool.journal import (
    Cancel,
    Discard,
    EdrRetry,
    FileClaim,
    ImageClaim,
    Journal,
    JournalEntry,
    Mark,
    RecordRetry,
    Reopen,
    Rerate,
)
from pipelines.spool.lifecycle import ALLOWED, Status, Step, decisions
from schemas.arrays import Int64Array

OLD = (
    '{"claim":1,"received_at":10,"kind":"image","content_hash":"abc"}',
    '{"claim":2,"received_at":11,"kind":"file","source":"calls","name":"a.csv","stored":"0000000002~calls~a.csv","size":7,'
    '"block_bytes":4096,"window_days":null,"bytes_max":100,"expansion_max":200}',
    '{"claim":3,"received_at":12,"kind":"retry_records","file_claim":2,"records":[1,4],"refused":[[2,1],[2,4]],"retry_count":1}',
    '{"claim":4,"received_at":13,"kind":"retry_edrs","source":"calls","stored":"edrs-x","refused":[[2,5]],"retry_count":1}',
    '{"claim":5,"received_at":14,"kind":"discard","refused":[[3,4]],"reason":"test call"}',
)
"""What the release before cancellations wrote."""


def file(claim: int, corrects: int = 0, refused: tuple = ()) -> FileClaim:
    return FileClaim(
        claim=claim, received_at=0, source="calls", name="a", stored="a", size=0, block_bytes=1, window_days=None,
        bytes_max=1, expansion_max=1, corrects=corrects, refused=refused,
    )  # fmt: skip


def records(claim: int, of: int, refused: tuple = ()) -> RecordRetry:
    return RecordRetry(claim=claim, received_at=0, file_claim=of, records=(), refused=refused, retry_count=1)


def edrs(claim: int, *refused: tuple[int, int]) -> EdrRetry:
    return EdrRetry(claim=claim, received_at=0, source="calls", stored="x", refused=refused, retry_count=1)


def cancel(claim: int, **terms: object) -> Cancel:
    given = {"cause": "back_out", "reason": "", "source": "calls", "stored": "x", "sha256": ""} | terms
    return Cancel(claim=claim, received_at=0, **given)  # type: ignore[arg-type]


def test_a_journal_of_the_previous_release_is_read(tmp_path: Path) -> None:
    path = tmp_path / "journal.log"
    path.write_bytes(b"".join(b"%08x %s\n" % (zlib.crc32(line.encode()), line.encode()) for line in OLD))
    journal = Journal(path)
    assert [entry.kind for entry in journal.entries] == ["image", "file", "retry_records", "retry_edrs", "discard"]
    decided = decisions(journal.entries)
    assert {place: str(status) for place, status in decided.named.items()} == {
        (2, 1, 0): "REPLAYED", (2, 4, 0): "REPLAYED", (2, 5, 0): "REPLAYED", (3, 4, 0): "DISCARDED",
    }  # fmt: skip
    journal.append(cancel(6, claims=(2, 3)).model_copy(update={"received_at": 15}))
    journal.close()
    again = Journal(path)
    assert again.entries[-1] == journal.entries[-1]
    again.close()


def test_decisions_follow_one_another() -> None:
    place = (2, 1, 0)
    log: list[JournalEntry] = [file(1), file(2)]
    seen = []
    for entry in (
        Mark(claim=3, received_at=0, refused=((2, 1),)),
        Reopen(claim=4, received_at=0, refused=((2, 1),)),
        Discard(claim=5, received_at=0, refused=((2, 1),), reason="no"),
        Reopen(claim=6, received_at=0, refused=((2, 1),)),
        records(7, 2, ((2, 1),)),
    ):
        log.append(entry)
        seen.append(str(decisions(log).status(place)))
    assert seen == ["TO_REPROCESS", "OPEN", "DISCARDED", "OPEN", "REPLAYED"]


def test_a_back_out_closes_all_that_is_not_answered() -> None:
    log = [file(1), file(2), records(3, 2, ((2, 1),)), Discard(claim=4, received_at=0, refused=((2, 2),), reason="no")]
    decided = decisions([*log, cancel(5, claims=(2, 3), refused=((4, 0),))])
    found = {
        place: str(decided.status(place))
        for place in ((2, 1, 0), (2, 2, 0), (2, 9, 0), (3, 0, 0), (4, 0, 0), (1, 0, 0))
    }
    assert found == {
        (2, 1, 0): "REPLAYED", (2, 2, 0): "CANCELLED", (2, 9, 0): "CANCELLED", (3, 0, 0): "CANCELLED",
        (4, 0, 0): "CANCELLED", (1, 0, 0): "OPEN",
    }  # fmt: skip


def test_newer_records_answer_their_own_rejections_and_cancel_others() -> None:
    entry = cancel(
        3, cause="superseded", refused=((1, 4),), replayed=((2, 0),), file_claim=2, records=(0,), retry_count=1
    )
    decided = decisions([file(1), file(2), entry])
    assert (decided.status((1, 4, 0)), decided.status((2, 0, 0))) == (Status.CANCELLED, Status.REPLAYED)
    retry = entry.retried()
    assert retry is not None
    assert (retry.claim, retry.file_claim, retry.records, retry.refused) == (3, 2, (0,), ((2, 0),))
    assert cancel(3).retried() is None


@pytest.mark.parametrize("step", Step)
def test_what_is_final_allows_no_step(step: Step) -> None:
    assert not ALLOWED[step] & {Status.REPLAYED, Status.CANCELLED}


REPLACED = {4: [(3, 0, 0), (2, 0, 0), (1, 9, 1)], 5: [(4, 2, 1), (4, 0, 0)]}
"""What reratings replaced."""


def rerate(claim: int) -> Rerate:
    return Rerate(
        claim=claim, received_at=0, after=claim - 1, image="", reason="", sources=(), stored="", sha256="", edrs="",
        edrs_sha256="",
    )  # fmt: skip


def replaced(entry: Rerate) -> tuple[Int64Array, Int64Array]:
    rows = REPLACED[entry.claim]
    return np.array([row[0] << 32 | row[1] for row in rows]), np.array([row[2] for row in rows])


def test_a_family_is_a_file_its_retries_and_its_corrections() -> None:
    log: list[JournalEntry] = [
        file(1), file(2), records(3, 1), edrs(4, (2, 0), (1, 7), (3, 1)), edrs(5, (4, 0), (4, 2)), file(6, corrects=1),
        records(7, 6), cancel(8, cause="superseded", file_claim=1, records=(1,)), records(9, 2),
    ]  # fmt: skip
    family = family_of(log, 1, replaced)
    assert family.files == {1, 6}
    assert family.records == {1, 3, 6, 7, 8}
    assert family.edrs == {4: {1, 2}, 5: {1}}
    assert family_of(log, 2, replaced).edrs == {4: {0}, 5: {0}}
    assert dict(moves_of(log, replaced, {(2, 0), (1, 7), (3, 1)})) == {
        (2, 0, 0): (4, 0),
        (1, 7, 0): (4, 1),
        (3, 1, 0): (4, 2),
        (4, 0, 0): (5, 0),
        (4, 2, 0): (5, 1),
    }


def test_what_is_rated_again_stays_of_its_family() -> None:
    log: list[JournalEntry] = [file(1), file(2), edrs(3, (1, 7)), rerate(4), rerate(5), edrs(6, (5, 1))]
    assert family_of(log, 1, replaced).edrs == {3: {0}, 4: {0, 2}, 5: {0, 1}, 6: {0}}
    assert family_of(log, 2, replaced).edrs == {4: {1}}
    assert list(moves_of(log, replaced, {(1, 7), (2, 0)})) == [
        ((1, 7, 0), (3, 0)), ((3, 0, 0), (4, 0)), ((2, 0, 0), (4, 1)), ((4, 0, 0), (5, 1)), ((5, 1, 0), (6, 0)),
    ]  # fmt: skip
    assert list(moves_of(log, replaced, {(1, 9)})) == [((1, 9, 1), (4, 2)), ((4, 2, 1), (5, 0))]
    assert list(moves_of(log, replaced, set())) == []


def test_the_image_of_a_claim_is_the_latest_before_it() -> None:
    log: list[JournalEntry] = [
        ImageClaim(claim=1, received_at=0, content_hash="one"), file(2), ImageClaim(claim=3, received_at=0, content_hash="two"),
        file(4),
    ]  # fmt: skip
    assert [image_before(log, claim) for claim in (1, 2, 3, 4)] == ["", "one", "one", "two"]
