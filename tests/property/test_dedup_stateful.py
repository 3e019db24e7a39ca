"""Deduplication against dictionaries, through anything that can happen to a window: blocks, time, snapshots, restarts."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import ExitStack
from pathlib import Path
from unittest import mock

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from resource_world import DAY_US, START_US, held_keys

from pipelines import key_files
from pipelines.resource import key_index, key_log
from pipelines.resource.kernels import dedup as verdicts
from pipelines.snapshot import StageState, read_latest_snapshot, write_snapshot

START_DAY = START_US // DAY_US


def key_of(order: int, hi: int) -> int:
    """Return the key with that order and that upper half: any number of them have one home in the index."""
    turned = (hi << 32 | hi >> 32) % 2**64
    return hi << 64 | (order * pow(0x9E3779B97F4A7C15, -1, 2**64) % 2**64 ^ turned)


# keys that crowd at a home, at the ends of the index and on both sides of its middle: more than a line has words
CROWD = [
    key_of(order, hi) for order in (0, 2**63 - 1, 2**63, 2**64 - 1) for hi in (0, 1, 2**32, *range(2**63, 2**63 + 9))
]
KEYS = [*CROWD, *range(1, 4)]
LOW64 = 2**64 - 1

rows = st.lists(
    st.tuples(
        st.sampled_from(KEYS),
        st.integers(-3, 0),  # days from the start
        st.sampled_from([1, 2, 2**64 - 1]),  # content
        st.sampled_from([True, True, True, False]),  # owned
        st.sampled_from([True, True, True, False]),  # kept when settled
    ),
    max_size=80,
)


def fail(told: str) -> None:
    raise AssertionError(told)


class DedupMachine(RuleBasedStateMachine):
    """A window and its twin."""

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        self.folder = Path(tempfile.mkdtemp())
        self.stack.callback(shutil.rmtree, self.folder)
        small = {"CAPACITY_MIN": 1, "SPARE": 1, "BUILD_ALONE": 1}
        for name, value in small.items():
            self.stack.enter_context(mock.patch.object(key_index, name, value))
        self.stack.enter_context(mock.patch.object(key_log, "ENTRIES_MIN", 1))
        self.stack.enter_context(mock.patch("os.fsync"))
        self.state = StageState.empty()
        self.time = START_US
        self.seen: dict[tuple[int, int], int] = {}
        self.first_day = 0

    @initialize(
        bits=st.sampled_from([2, 5]),
        few=st.sampled_from([1, 6, 4096]),
        awake=st.sampled_from([-100, 0, 2]),
        verify=st.sampled_from([0, 1 << 30]),
    )
    def choose(self, bits: int, few: int, awake: int, verify: int) -> None:
        self.stack.enter_context(mock.patch.object(key_log, "CHUNK_BITS", bits))
        for name, value in {"SMALL_KEYS": few, "AWAKE_DAYS": awake, "VERIFY_BYTES": verify}.items():
            self.stack.enter_context(mock.patch.object(key_files, name, value))

    @rule(block=rows, settles=st.booleans())
    def take(self, block: list[tuple[int, int, int, bool, bool]], settles: bool) -> None:
        """Decide a block; when it settles, some of the new keys are given back."""
        window = self.state.resource.dedup
        start = window.move_to(self.time)
        self.first_day = max(self.first_day, window.first_day)
        self.seen = {key: held for key, held in self.seen.items() if key[0] >= self.first_day}
        key = [row[0] for row in block]
        event_at = np.array([START_US + row[1] * DAY_US for row in block], np.int64)
        content = np.array([row[2] for row in block], np.uint64)
        owned = np.array([row[3] for row in block], bool)
        inside = event_at >= start
        decision = window.decide(
            np.array([value >> 64 for value in key], np.uint64),
            np.array([value & LOW64 for value in key], np.uint64),
            content,
            event_at,
            inside,
            owned,
        )
        taken: dict[tuple[int, int], int] = {}
        expected, first = [], []
        for row, (value, day, told, usable, _) in enumerate(block):
            name = (START_DAY + day, value)
            first.append(-1)
            if not inside[row]:
                expected.append(verdicts.UNSEEN)
            elif name in self.seen:
                expected.append(verdicts.DUPLICATE if self.seen[name] == told else verdicts.CONFLICT)
                first[row] = taken.get(name, -1)
            elif usable:
                expected.append(verdicts.NEW)
                self.seen[name], taken[name] = told, row
                first[row] = row
            else:
                expected.append(verdicts.UNUSABLE)
        assert decision.verdict.tolist() == expected
        assert decision.first_rows().tolist() == first
        if settles:
            held = np.where([row[4] for row in block], content, 0).astype(np.uint64)
            decision.settle(held)
            for name, row in taken.items():
                if not held[row]:
                    del self.seen[name]

    @rule(days=st.integers(1, 2))
    def later(self, days: int) -> None:
        self.time += days * DAY_US

    @rule(days=st.sampled_from([None, 0, 1, 3, 9]))
    def change_the_window(self, days: int | None) -> None:
        self.state.resource.dedup.window_days = days

    @rule()
    def snapshot(self) -> None:
        self.state.claim += 1
        write_snapshot(self.folder, self.state)

    @rule()
    def snapshot_without_links(self) -> None:
        self.state.claim += 1
        with mock.patch("os.link", side_effect=OSError(1, "Operation not permitted")):
            write_snapshot(self.folder, self.state)

    @rule(owner=st.booleans())
    def restart(self, owner: bool) -> None:
        """Snapshot, and go on from what is read back."""
        self.snapshot()
        read = read_latest_snapshot(self.folder, fail, set_aside=owner)
        assert read is not None
        assert read.resource.dedup.window_days == self.state.resource.dedup.window_days
        assert read.resource.dedup.first_day == self.state.resource.dedup.first_day
        self.state = read

    @invariant()
    def counts_agree(self) -> None:
        assert self.state.resource.dedup.key_count == len(self.seen)

    def teardown(self) -> None:
        try:
            assert held_keys(self.state.resource) == self.seen
        finally:
            self.stack.close()


TestDedup = DedupMachine.TestCase
EXAMPLES, STEPS = (8, 20) if os.environ.get("NUMBA_DISABLE_JIT") == "1" else (60, 30)
TestDedup.settings = settings(max_examples=EXAMPLES, stateful_step_count=STEPS, deadline=None)
