"""Versions of records against a dictionary: blocks, withdrawals, days, and identities that crowd in the table."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from resource_world import ALWAYS, DAY_US, START_US, Row, access_index, cdr_block

from pipelines.resource.release import release_keys
from pipelines.resource.stage import ResourceState, process
from schemas.cdr import BlockPosition
from schemas.rejection import Reason

Identity = tuple[int, int]
"""Key and day."""
KEYS = (1, 2, 1 + 64, 1 + 128, 63, 63 + 64, 63 + 128, (5 << 64) + 1)
DAYS = (0, 1, 64)
"""The smallest table has 64 slots: some keys begin at the same one, on two of the days too; two differ in their upper half only."""
identities = st.tuples(st.sampled_from(KEYS), st.sampled_from(DAYS))


@dataclass(frozen=True)
class Said:
    """A record: what it says about an identity, and which version of it this is; nobody may own it."""

    identity: Identity
    content: int
    version: int
    owned: bool


@dataclass
class Known:
    """What is known of an identity: the record that holds it, if any does, and the highest version seen."""

    holder: tuple[int, int] | None
    content: int
    held: int
    highest: int


@dataclass
class Twin:
    """The decisions, said plainly."""

    known: dict[Identity, Known] = field(default_factory=dict)

    def take(self, claim: int, record: int, said: Said) -> Reason:
        at = self.known.get(said.identity)
        if at is None or at.holder is None:
            if not said.owned:
                return Reason.UNKNOWN_ACCESS_POINT
            if at is not None and at.highest > said.version:
                return Reason.NEWER_VERSION_KNOWN
            self.known[said.identity] = Known((claim, record), said.content, said.version, said.version)
            return Reason.NONE
        waits = at.highest > at.held  # a newer record is parked
        if said.content == at.content and (said.version <= at.highest or not waits):
            if said.version > at.highest:
                at.held = at.highest = said.version
            return Reason.DUPLICATE
        if not said.owned:
            return Reason.UNKNOWN_ACCESS_POINT
        if said.version < at.highest or (said.version == at.highest and not waits):
            return Reason.NEWER_VERSION_KNOWN
        at.highest = said.version
        return Reason.SUPERSEDES_EARLIER

    def withdraw(self, identity: Identity, *, forget: bool) -> None:
        at = self.known.get(identity)
        if at is not None:
            at.holder, at.held = None, -1
            at.highest = -1 if forget else at.highest


records = st.builds(Said, identities, st.integers(1, 3), st.integers(0, 4), st.sampled_from([True, True, True, False]))
blocks = st.lists(records, min_size=1, max_size=12)
withdrawals = st.tuples(st.lists(identities, min_size=1, max_size=3, unique=True), st.booleans())


def _at(identity: Identity) -> int:
    return START_US + identity[1] * DAY_US


def _decide(state: ResourceState, claim: int, said: list[Said]) -> list[Reason]:
    rows = [
        Row(key=one.identity[0], at=_at(one.identity), content=one.content, access=1 if one.owned else 2)
        for one in said
    ]
    cdrs = replace(
        cdr_block(rows, BlockPosition(claim, 0, 0)), version=np.array([one.version for one in said], np.int64)
    )
    result = process(
        cdrs, access_index(ALWAYS), state, stage_time=1, conflict_is_duplicate=False, superseding_file=claim
    )
    reasons = [Reason(code) for code in result.reason.tolist()]
    assert result.settles == (Reason.SUPERSEDES_EARLIER in reasons)
    return reasons


@settings(max_examples=80)
@given(steps=st.lists(st.one_of(blocks, blocks, withdrawals), max_size=8))
def test_versions_are_decided_like_the_twin_decides_them(
    steps: list[list[Said] | tuple[list[Identity], bool]],
) -> None:
    state, twin = ResourceState(), Twin()
    for claim, step in enumerate(steps, start=1):
        if isinstance(step, tuple):
            gone, forget = step
            hi, lo = ([key >> 64 for key, _ in gone], [key % 2**64 for key, _ in gone])
            columns = np.array(hi, np.uint64), np.array(lo, np.uint64), np.array([_at(one) for one in gone], np.int64)
            release_keys(state.dedup, *columns)
            state.versions.vacate(*columns, forget=forget)
            for identity in gone:
                twin.withdraw(identity, forget=forget)
        else:
            expected = [twin.take(claim, record, said) for record, said in enumerate(step)]
            assert _decide(state, claim, step) == expected
        for identity in ((key, day) for key in KEYS for day in DAYS):
            known = twin.known.get(identity)
            holder = state.versions.holder(identity[0] >> 64, identity[0] % 2**64, _at(identity))
            assert holder == (known.holder if known else None), identity
        newer = int(np.count_nonzero(state.versions.highest > state.versions.held))
        assert newer == sum(known.highest > known.held for known in twin.known.values())
        assert state.versions.count == len(twin.known)
