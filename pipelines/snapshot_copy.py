"""A copy of the state of the stages that is made beside them, and is exact at one position of the log.

A thread copies everything while blocks are processed; what changed meanwhile is copied again with the blocks that follow, and
the last of it between two of them. What is only ever appended to is not copied at all: names, and keys of the deduplication
window.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pipelines.account.charging import ChargingState
from pipelines.account.kept import KeptRequests
from pipelines.key_files import copied_keys
from pipelines.resource.assembly import AssemblyTable, Parts, Sessions
from pipelines.resource.dedup import Bucket
from pipelines.resource.series import COLUMNS as REGISTER_COLUMNS
from pipelines.resource.series import RegisterTable
from pipelines.resource.stage import ResourceState
from pipelines.resource.versions import COLUMNS as VERSION_COLUMNS
from pipelines.resource.versions import VersionTable
from pipelines.snapshot import StageState
from rating.following import AT_ONCE, PIECE_BYTES, Following, copy_rows

AnyArray = np.ndarray[Any, Any]


def _nothing() -> dict[str, AnyArray]:
    return {}


@dataclass(slots=True)
class StateCopy:
    """One copy of a state in the making.

    Attributes:
        state: what is copied. following: its counters, wallets and accumulators. kept: the requests of online charging.
        tables: the other tables, by name: as they were once, so that their memory is there when they are copied again.
        buckets: of the deduplication window, those that were copied.
        sizes: of the tables when it began: a large one that grew is another one.
    """

    state: StageState
    following: Following
    kept: KeptRequests = field(default_factory=KeptRequests)
    tables: dict[str, AnyArray] = field(default_factory=_nothing)
    buckets: Mapping[int, Bucket] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict[str, int])

    @classmethod
    def begin(cls, state: StageState) -> StateCopy:
        """Begin one: from now on what changes is known. No table is moving: whoever begins one waits until none is."""
        sizes = {name: len(array) for name, array in _tables(state).items()}
        return cls(state, state.account.follow(), sizes=sizes)

    @property
    def _changed_as_a_whole(self) -> bool:
        if self.state.account.following is not self.following or self.state.resource.is_moving:
            return True
        large = ((name, array) for name, array in _tables(self.state).items() if array.nbytes > PIECE_BYTES)
        return any(len(array) != self.sizes[name] for name, array in large)

    def run(self, is_wanted: Callable[[], bool]) -> None:
        """Copy everything once in a thread, beside whoever changes the state, unless it is no longer wanted."""
        for name, array in _tables(self.state).items():
            self.tables[name] = np.empty_like(array)
            if not copy_rows(array, self.tables[name], is_wanted):
                return
        self.kept.copy_pages(self.state.charging.kept)
        self.following.run(is_wanted)
        self.kept.copy_pages(self.state.charging.kept)

    def is_near(self) -> bool:
        """Copy some of what changed again; return whether little of it is left. Not while anything changes."""
        self.following.catch_up(AT_ONCE)
        return self.following.is_near or self._changed_as_a_whole

    def finish(self) -> StageState | None:
        """Return the copy as of now, between two blocks; None when the state changed as a whole: another one is to be begun."""
        state = self.state
        if self._changed_as_a_whole:
            self.give_up()
            return None
        account = state.account.followed(self.following.finish())
        charging = state.charging
        self.kept.copy_pages(charging.kept)
        tables = {name: self._copied(name, array) for name, array in _tables(state).items()}
        self.buckets = dict(state.resource.dedup.buckets)
        return StageState(
            state.vocabulary.copied(),
            ResourceState(copied_keys(state.resource.dedup), *_resource(state.resource, tables)),
            account,
            state.claim,
            state.block,
            state.image,
            ChargingState(self.kept, charging.segment, charging.frame, charging.record, charging.block, charging.at),
            state.lots.copied(tables["lots"]),
        )

    def give_up(self) -> None:
        """Let the state change unnoticed again."""
        if self.state.account.following is self.following:
            self.state.account.following = None

    def _copied(self, name: str, array: AnyArray) -> AnyArray:
        copy = self.tables.get(name)
        if copy is None or copy.shape != array.shape:
            return array.copy()
        np.copyto(copy, array)
        return copy


def _tables(state: StageState) -> dict[str, AnyArray]:
    """Return the arrays that are copied as a whole."""
    resource = state.resource
    arrays = {f"register.{name}": getattr(resource.registers, name) for name in REGISTER_COLUMNS}
    arrays |= {f"version.{name}": getattr(resource.versions, name) for name in VERSION_COLUMNS}
    arrays |= {f"session.{name}": array for name, array in resource.assembly.sessions._asdict().items()}
    arrays |= {f"part.{name}": array for name, array in resource.assembly.parts._asdict().items()}
    return arrays | {"heap": resource.assembly.heap, "lots": state.lots.rows}


def _resource(
    resource: ResourceState, tables: Mapping[str, AnyArray]
) -> tuple[RegisterTable, VersionTable, AssemblyTable]:
    registers = RegisterTable(
        **{name: tables[f"register.{name}"] for name in REGISTER_COLUMNS},
        count=resource.registers.count,
        forgotten=dict(resource.registers.forgotten),
    )
    versions = VersionTable(
        **{name: tables[f"version.{name}"] for name in VERSION_COLUMNS}, count=resource.versions.count
    )
    assembly = AssemblyTable(
        Sessions(**{name: tables[f"session.{name}"] for name in Sessions._fields}),
        Parts(**{name: tables[f"part.{name}"] for name in Parts._fields}),
        tables["heap"],
        resource.assembly.used,
    )
    return registers, versions, assembly
