"""Snapshots of one partition's state in the object store: under epoch and offset, whole or not there, never overwritten.

A worker that got a partition first takes the next epoch, by creating an object that only one can create. Whoever had the
partition before may go on writing, but under an older epoch, which is passed over.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from apps.workers.objects import Objects
from pipelines.snapshot import StageState, read_latest_snapshot, write_snapshot
from schemas.log_place import Log, LogPlace

KEPT = 3
FORMAT = 1
_NAME = re.compile(r"(?P<epoch>\d{10})-(?P<offset>\d{20})/manifest\.json$")


class UnableToReplay(Exception):
    """No state can be had for a partition; the message says what to do."""


class Partition(Protocol):
    """A stage on one partition."""

    @property
    def partition(self) -> int:
        """Its number."""

    @property
    def offset(self) -> int:
        """The offset that comes next."""

    @property
    def state(self) -> StageState:
        """What its log determined so far."""

    def facts(self) -> dict[str, Any]:
        """Return everything but the state."""

    def restore(self, state: StageState, facts: dict[str, Any]) -> None:
        """Take what a snapshot holds."""


@dataclass(frozen=True, slots=True)
class PartitionSnapshots:
    """The snapshots of one partition of one stage.

    Attributes:
        stage: "resource" or "account". directory: local, for the files of this process; nobody else's.
    """

    objects: Objects
    stage: str
    partition: int
    directory: Path

    @property
    def _root(self) -> str:
        return f"snapshots/{self.stage}/{self.partition:04d}"

    def take_epoch(self) -> int:
        """Return an epoch that is higher than any before, and nobody else's."""
        while True:
            epoch = self.epoch() + 1
            if self.objects.create(f"epochs/{self.stage}/{self.partition:04d}/{epoch:010d}", b""):
                return epoch

    def epoch(self) -> int:
        """Return the latest epoch, 0 before the first."""
        names = self.objects.names(f"epochs/{self.stage}/{self.partition:04d}")
        return int(names[-1].rsplit("/", 1)[1]) if names else 0

    def save(self, partition: Partition, epoch: int) -> int | None:
        """Write the state down, and return the offset below which the log may be trimmed; None when the epoch has passed.

        Everything that the state made must be acknowledged before.
        """
        if self.epoch() != epoch:
            return None
        name = f"{self._root}/{epoch:010d}-{partition.offset:020d}"
        # a snapshot is named by the position of its state: the same name would be taken for the same state
        position = LogPlace(Log[self.stage.upper()], partition.partition, partition.offset).position
        partition.state.claim, partition.state.block = position.claim, position.block
        written = write_snapshot(self.directory, partition.state)
        files = {}
        for path in sorted(written.iterdir()):
            self.objects.create_file(f"{name}/files/{path.name}", path)
            files[path.name] = hashlib.sha256(path.read_bytes()).hexdigest()
        manifest = {"format": FORMAT, "facts": partition.facts(), "snapshot": written.name, "files": files}
        self.objects.create(f"{name}/manifest.json", _sealed(manifest))
        return self._prune()

    def _prune(self) -> int:
        found = self._found()
        kept = found[:KEPT]
        for epoch, offset in found[KEPT:]:
            prefix = f"{self._root}/{epoch:010d}-{offset:020d}"
            names = self.objects.names(prefix)
            # the manifest goes first: what has none is no snapshot
            self.objects.delete(sorted(names, key=lambda name: not name.endswith("/manifest.json")))
        return min(offset for _, offset in kept)

    def _found(self) -> list[tuple[int, int]]:
        """Return (epoch, offset) of all snapshots, the best first."""
        matches = map(_NAME.search, self.objects.names(self._root))
        return sorted(((int(match["epoch"]), int(match["offset"])) for match in matches if match), reverse=True)

    def load(self, partition: Partition, log: tuple[int, int]) -> int:
        """Restore the best snapshot and return the offset from which the log is to be replayed.

        Args:
            partition: of no state yet. log: the first offset that the log still has, and the one that comes next.

        Raises:
            UnableToReplay: when the log is trimmed past every snapshot, or shorter than one.
        """
        start, end = log
        for epoch, offset in self._found():
            if not self._restored(partition, f"{self._root}/{epoch:010d}-{offset:020d}"):
                continue
            if not start <= partition.offset <= end:
                break
            return partition.offset
        else:
            if start == 0:
                return 0
        raise UnableToReplay(
            f"{self.stage} partition {self.partition}: the log holds offsets {start} to {end - 1}, the latest snapshot ends at "
            f"{partition.offset}: what lies between is gone. Restore the object store's snapshots, or the log, from a backup; "
            "docs/operations.md, 'A log that was trimmed too far', says what to do without either"
        )

    def _restored(self, partition: Partition, name: str) -> bool:
        try:
            manifest = _unsealed(self.objects.read(f"{name}/manifest.json"))
            target = self.directory / manifest["snapshot"]
            shutil.rmtree(self.directory, ignore_errors=True)
            target.mkdir(parents=True)
            for file, digest in manifest["files"].items():
                content = self.objects.read(f"{name}/files/{file}")
                if hashlib.sha256(content).hexdigest() != digest:
                    return False
                (target / file).write_bytes(content)
        except (FileNotFoundError, ValueError, KeyError):
            return False
        state = read_latest_snapshot(self.directory, lambda _: None)
        if state is None:
            return False
        partition.restore(state, manifest["facts"])
        return True


def _sealed(manifest: dict[str, Any]) -> bytes:
    content = json.dumps(manifest, sort_keys=True)
    return json.dumps({"sha256": hashlib.sha256(content.encode()).hexdigest(), "manifest": manifest}).encode()


def _unsealed(content: bytes) -> dict[str, Any]:
    sealed = json.loads(content)
    manifest: dict[str, Any] = sealed["manifest"]
    if sealed["sha256"] != hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest():
        raise ValueError("a manifest does not match its checksum")
    if manifest["format"] != FORMAT:
        raise ValueError(f"a snapshot has format {manifest['format']}")
    return manifest
