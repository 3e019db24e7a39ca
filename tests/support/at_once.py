"""The tables of the resource stage as they grow obviously: everything moves at once, and what is over goes."""

from __future__ import annotations

from typing import Any

import numpy as np

from pipelines.resource import assembly, series, versions
from pipelines.resource.assembly import AssemblyTable, Sessions
from pipelines.resource.kernels.assembly import CLOSED, OPEN, find_session
from pipelines.resource.kernels.series import DAY_US, open_registers
from pipelines.resource.kernels.versions import find_version
from pipelines.resource.series import COLUMNS as REGISTER_COLUMNS
from pipelines.resource.series import RegisterTable
from pipelines.resource.stage import ResourceState
from pipelines.resource.versions import COLUMNS as VERSION_COLUMNS
from pipelines.resource.versions import VersionTable


class AtOnceRegisters(RegisterTable):
    """Registers whose table is replaced by a wider one when it is full."""

    def _make_room(self, rows: int, stage_time: int, hi: Any, lo: Any) -> None:
        if self.count + rows <= len(self.key_hi) * series.LOAD_MAX:
            return
        columns = {name: getattr(self, name) for name in REGISTER_COLUMNS}
        there = (self.key_hi != 0) | (self.key_lo != 0)
        keep_us = self.keep_days.astype(np.int64) * DAY_US
        over = there & (keep_us > 0) & (self.last_at + keep_us < stage_time)
        for space in np.unique(self.space[over]).tolist():
            latest = int(self.last_at[over & (self.space == space)].max())
            self.forgotten[space] = max(self.forgotten.get(space, 0), latest)
        held = np.flatnonzero(there & ~over)
        capacity = max(series.CAPACITY_MIN, 1 << (int((len(held) + rows) * 4) - 1).bit_length())
        for name, column in columns.items():
            setattr(self, name, np.zeros(capacity, column.dtype))
        self.count = open_registers(
            *(getattr(self, name) for name in REGISTER_COLUMNS), *(column[held] for column in columns.values())
        )


class AtOnceVersions(VersionTable):
    """Versions, likewise."""

    def _make_room(self, rows: int, first_day: int) -> None:
        if self.count + rows <= len(self.key_hi) * versions.LOAD_MAX:
            return
        there = (self.key_hi != 0) | (self.key_lo != 0)
        old = [getattr(self, name)[there & (self.key_day >= first_day)] for name in VERSION_COLUMNS]
        self.count = len(old[0])
        capacity = 1 << (int((self.count + rows) * 4) - 1).bit_length()
        for name, values in zip(VERSION_COLUMNS, old, strict=True):
            setattr(self, name, np.full(capacity, -1 if name in ("held", "highest") else 0, values.dtype))
        for row in zip(*old, strict=True):
            slot = ~find_version(self.key_hi, self.key_lo, self.key_day, *row[:3])
            for name, value in zip(VERSION_COLUMNS, row, strict=True):
                getattr(self, name)[slot] = value


class AtOnceSessions(AssemblyTable):
    """Sessions, likewise; their parts grow as they do."""

    def make_room(self, rows: int, owners: int, window_start: int, value_slots: int) -> None:
        if self.used + rows > len(self.sessions.key_hi) * assembly.LOAD_MAX:
            old = self.sessions
            keep = np.flatnonzero((old.status == OPEN) | ((old.status == CLOSED) & (old.latest >= window_start)))
            capacity = max(assembly.CAPACITY_MIN, 1 << (int((len(keep) + rows) * 2) - 1).bit_length())
            self.sessions = Sessions(*(np.zeros(capacity, column.dtype) for column in old))
            for at in keep.tolist():
                slot = find_session(self.sessions, old.key_hi[at], old.key_lo[at])
                for mine, its in zip(self.sessions, old, strict=True):
                    mine[slot] = its[at]
            self.used = len(keep)
        super().make_room(0, owners, window_start, value_slots)


def at_once_state() -> ResourceState:
    """Return the state of a resource partition whose tables grow at once."""
    return ResourceState(registers=AtOnceRegisters(), versions=AtOnceVersions(), assembly=AtOnceSessions())
