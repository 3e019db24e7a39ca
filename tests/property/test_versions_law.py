"""Newer records in the place of earlier ones: whatever the order, the cut and the moment, the same record stands at the end."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from resource_world import ALWAYS, DAY_US, START_US, Row, access_index, cdr_block

from pipelines.mediation.kernels.versions import read_versions
from pipelines.resource.kernels import dedup as verdicts
from pipelines.resource.release import release_keys
from pipelines.resource.stage import ResourceState, process
from pipelines.resource.versions import UnableToOrder, VersionTable, arrival
from pipelines.snapshot import StageState, read_latest_snapshot, write_snapshot
from schemas.cdr import BlockPosition
from schemas.rejection import Reason

NOBODYS = 9


@dataclass(frozen=True)
class Said:
    """One record: what it says about an identity, and which statement about it this is."""

    key: int
    content: int
    version: int = 0

    @property
    def owned(self) -> bool:
        """Whether its access point, which is a part of its content, belongs to anybody."""
        return self.content != NOBODYS


@dataclass
class Feed:
    """A source whose newer records replace earlier ones, with what stands of it."""

    by_field: bool
    state: ResourceState = field(default_factory=ResourceState)
    standing: dict[tuple[int, int], Said] = field(default_factory=dict)
    outcomes: list[str] = field(default_factory=list)
    claim: int = 0

    def take(self, said: list[Said], cuts: list[int]) -> None:
        """Take a file, cut into blocks, then settle what it parked."""
        self.claim += 1
        file = self.claim
        records = list(enumerate(said))
        bounds = [0, *sorted(min(cut, len(said)) for cut in cuts), len(said)]
        parked = [
            pair
            for start, end in pairwise(bounds)
            for pair in self._block(file, file, records[start:end], settled=False)
        ]
        for _ in range(2):
            if not parked:
                break
            self._withdraw(parked)
            self.claim += 1
            parked = self._block(self.claim, file, parked, settled=True)
        assert parked == [], "what was settled is parked again"

    def _withdraw(self, parked: list[tuple[int, Said]]) -> None:
        table = self.state.versions
        for holder in {table.holder(0, said.key, START_US) for _, said in parked} - {None}:
            del self.standing[holder]  # type: ignore[arg-type]
        keys = sorted({said.key for _, said in parked})
        columns = np.zeros(len(keys), np.uint64), np.array(keys, np.uint64), np.full(len(keys), START_US, np.int64)
        release_keys(self.state.dedup, *columns)
        table.vacate(*columns, forget=False)

    def _block(
        self, claim: int, file: int, records: list[tuple[int, Said]], *, settled: bool
    ) -> list[tuple[int, Said]]:
        rows = [Row(key=said.key, content=said.content, access=1 if said.owned else 2) for _, said in records]
        cdrs = replace(
            cdr_block(rows, BlockPosition(claim, 0, 0)),
            record=np.array([record for record, _ in records], np.int64),
            version=np.array([said.version for _, said in records], np.int64) if self.by_field else None,
        )
        result = process(
            cdrs, access_index(ALWAYS), self.state, stage_time=1, conflict_is_duplicate=False, superseding_file=file
        )
        assert result.edrs.record.tolist() == cdrs.record[result.reason == 0].tolist()
        parked = []
        for (record, said), reason in zip(records, result.reason.tolist(), strict=True):
            if reason == 0:
                self.standing[claim, record] = said
            if reason == Reason.SUPERSEDES_EARLIER:
                assert not settled
                parked.append((record, said))
            else:
                self.outcomes.append(Reason(reason).name)
        return parked


def newest(said: list[Said], *, by_field: bool) -> dict[int, int]:
    """Return the content that counts for each identity: of the highest version the first to come, or the last to come."""
    found: dict[int, Said] = {}
    for one in said:
        if one.owned and (one.key not in found or not by_field or one.version > found[one.key].version):
            found[one.key] = one
    return {key: one.content for key, one in found.items()}


statements = st.builds(Said, st.integers(1, 4), st.sampled_from([1, 2, 3, NOBODYS]), st.integers(0, 4))
files = st.lists(st.tuples(st.lists(statements, max_size=8), st.lists(st.integers(0, 8), max_size=2)), max_size=5)


@pytest.mark.parametrize("by_field", [True, False])
@settings(max_examples=150)
@given(files=files)
def test_the_newest_statement_stands_whatever_the_files_and_blocks(
    by_field: bool, files: list[tuple[list[Said], list[int]]]
) -> None:
    feed = Feed(by_field)
    for said, cuts in files:
        feed.take(said, cuts)
    everything = [one for said, _ in files for one in said]
    assert {said.key: said.content for said in feed.standing.values()} == newest(everything, by_field=by_field)
    assert len(feed.standing) == len(newest(everything, by_field=by_field)), "two stand for one identity"
    # each record ended in exactly one outcome, and none is left waiting
    assert len(feed.outcomes) == len(everything)
    assert set(feed.outcomes) <= {"NONE", "DUPLICATE", "NEWER_VERSION_KNOWN", "UNKNOWN_ACCESS_POINT"}
    assert not (feed.state.versions.highest > feed.state.versions.held).any()


@settings(max_examples=100)
@given(versions=st.permutations(range(6)), order=st.permutations(range(6)), cut=st.integers(0, 6))
def test_versions_in_any_order_end_in_the_same_record(versions: list[int], order: list[int], cut: int) -> None:
    said = [Said(1, content=number + 1, version=versions[number]) for number in order]
    feed = Feed(by_field=True)
    feed.take(said[:cut], [2])
    feed.take(said[cut:], [1])
    (stands,) = feed.standing.values()
    assert stands.version == 5


@settings(max_examples=60)
@given(count=st.integers(0, 300), room=st.integers(1, 60))
def test_the_table_grows_and_forgets_days_that_the_window_left(count: int, room: int) -> None:
    state = ResourceState()
    state.dedup.window_days = 10
    day = START_US // DAY_US
    for start in range(0, count, room):
        rows = [
            Row(key=number + 1, at=START_US + number % 3 * DAY_US) for number in range(start, min(start + room, count))
        ]
        process(
            cdr_block(rows, BlockPosition(1, 0, start)), access_index(ALWAYS), state,
            stage_time=START_US, conflict_is_duplicate=False, superseding_file=1,
        )  # fmt: skip
    table = state.versions
    assert table.count == count
    assert [table.holder(0, number + 1, START_US + number % 3 * DAY_US) for number in range(count)] == [
        (1, number) for number in range(count)
    ]
    table._make_room(10_000, first_day=day + 1)
    assert table.count == sum(number % 3 > 0 for number in range(count))
    assert table.holder(0, 1, START_US) is None


def test_what_was_known_before_versions_were_kept_is_a_conflict() -> None:
    state = ResourceState()
    plain = cdr_block([Row(key=1), Row(key=2)], BlockPosition(1, 0, 0))
    process(plain, access_index(ALWAYS), state, stage_time=1, conflict_is_duplicate=False)
    later = cdr_block([Row(key=1, content=2), Row(key=2), Row(key=3)], BlockPosition(2, 0, 0))
    result = process(later, access_index(ALWAYS), state, stage_time=1, conflict_is_duplicate=False, superseding_file=2)
    assert [Reason(code).name for code in result.reason] == ["SAME_KEY_OTHER_CONTENT", "DUPLICATE", "NONE"]


def test_a_withdrawn_identity_takes_any_version_again() -> None:
    table = VersionTable()
    feed = Feed(by_field=True, state=ResourceState(versions=table))
    feed.take([Said(1, 1, version=7)], [])
    key = np.zeros(1, np.uint64), np.ones(1, np.uint64), np.full(1, START_US, np.int64)
    release_keys(feed.state.dedup, *key)
    table.vacate(*key, forget=True)
    feed.standing.clear()
    feed.take([Said(1, 2, version=3)], [])
    assert [said.version for said in feed.standing.values()] == [3]


def test_a_snapshot_keeps_who_holds_what(tmp_path: Path) -> None:
    feed = Feed(by_field=True)
    feed.take([Said(key, 1, version=key) for key in range(1, 90)], [40])
    state = StageState.empty()
    state.resource = feed.state
    write_snapshot(tmp_path, state)
    again = read_latest_snapshot(tmp_path, print)
    assert again is not None
    read = again.resource.versions
    assert read.count == 89
    assert [read.holder(0, key, START_US) for key in range(1, 91)] == [(1, key - 1) for key in range(1, 90)] + [None]
    again_feed = Feed(by_field=True, state=again.resource, standing=feed.standing, claim=feed.claim)
    again_feed.take([Said(7, 2, version=6), Said(8, 2, version=9)], [])
    assert {said.key: said.content for said in feed.standing.values()}[8] == 2
    assert again_feed.outcomes == ["NEWER_VERSION_KNOWN", "NONE"]


def test_the_order_of_arrival_is_the_file_then_the_record() -> None:
    assert arrival(2, np.array([0, 5], np.int64)).tolist() == [2 << 32, (2 << 32) + 5]
    with pytest.raises(UnableToOrder):
        arrival(1 << 31, np.zeros(1, np.int64))


@given(
    texts=st.lists(st.text("0123456789 -+.x", max_size=20), max_size=10),
    reasons=st.lists(st.integers(0, 1), min_size=10),
)
def test_versions_are_read_like_plain_python_reads_them(texts: list[str], reasons: list[int]) -> None:
    ends = np.cumsum([len(text) for text in texts], dtype=np.int64).astype(np.int32)
    starts = (ends - np.array([len(text) for text in texts], np.int32)).astype(np.int32)
    version = np.empty(len(texts), np.int64)
    reason = np.array(reasons[: len(texts)], np.uint16)
    read_versions(np.frombuffer("".join(texts).encode() + bytes(8), np.uint8).copy(), starts, ends, version, reason)
    good = [text.isdecimal() and len(text) <= 18 for text in texts]
    before = reasons[: len(texts)]
    assert reason.tolist() == [
        known or (0 if fine else Reason.INVALID_VERSION) for known, fine in zip(before, good, strict=True)
    ]
    assert version.tolist() == [
        int(text) if fine and not known else 0 for text, fine, known in zip(texts, good, before, strict=True)
    ]


def test_verdicts_are_those_of_the_dedup_kernels() -> None:
    from pipelines.resource.kernels import versions

    assert versions.CONFLICT == verdicts.CONFLICT
