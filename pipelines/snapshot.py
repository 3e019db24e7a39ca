"""Snapshots of stage state: a manifest of immutable, checksummed array files, published by one rename.

A snapshot is written only when the store holds everything up to its position, so that what lies after it can always be
emitted again by replaying the log. The latest three are kept; a damaged one falls back to the one before and a longer
replay. Arrays that did not change since the previous snapshot are linked, not written again.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from pipelines.account.charging import ChargingState
from pipelines.account.kept import KeptRequests
from pipelines.key_files import VERIFY_MARK, DamagedKeys, adopt_keys, read_keys, write_keys
from pipelines.key_files_v1 import read_keys_v1
from pipelines.resource.assembly import AssemblyTable, Parts, Sessions, parts_of
from pipelines.resource.dedup import StoredKeys
from pipelines.resource.series import COLUMNS as REGISTER_COLUMNS
from pipelines.resource.series import RegisterTable
from pipelines.resource.stage import ResourceState
from pipelines.resource.versions import COLUMNS as VERSION_COLUMNS
from pipelines.resource.versions import VersionTable
from pipelines.spool.files import sync_directory, write_durably
from rating.lines import zeros
from rating.lots import Lots, lots_of
from rating.state import AccountState
from rating.vocabulary import NameTable, Vocabulary

KEPT = 3
CHARGING_NUMBERS = ("segment", "frame", "record", "block", "at")
FORMAT = 3
FORMAT_WALLETS = 5
"""Of a snapshot that holds credit that expires, or wallets that may be overdrawn: earlier releases know nothing of it."""
FORMAT_CHARGING = 6
"""Of a snapshot that holds requests of online charging, each with all of its items, likewise."""
READABLE = (1, 2, 3, 4, 5, 6)
"""Formats that this release reads: its own, and those of the releases before."""
NAMES_SCHEMA = pa.schema([("name", pa.large_utf8())])
NAMES_ROWS = 1 << 17
"""Names that are written at once: others wait for the interpreter no longer than those take."""
_NAME = re.compile(r"\d{10}-\d{8}(-\d{10}-\d{10})?")
AnyArray = np.ndarray[Any, np.dtype[Any]]


class UnableToReadSnapshot(Exception):
    """A snapshot is damaged, incomplete or of another format."""


@dataclass(slots=True)
class StageState:
    """Everything that the log determines, after `position` = (claim, next block) was reached.

    Attributes:
        claim: the claim being processed; block: how many of its blocks are included (claims before it are complete).
        image: content hash of the active image, "" before the first activation.
        charging: what online charging knows, after the frames of its log that were applied up to here.
        lots: the credit of wallets that expires.
    """

    vocabulary: Vocabulary
    resource: ResourceState
    account: AccountState
    claim: int = 1
    block: int = 0
    image: str = ""
    charging: ChargingState = field(default_factory=ChargingState)
    lots: Lots = field(default_factory=Lots)

    @property
    def position(self) -> tuple[int, int]:
        """Claim and block that come next."""
        return self.claim, self.block

    @classmethod
    def empty(cls) -> StageState:
        """Return the state before the first entry of the log."""
        vocabulary = Vocabulary()
        return cls(vocabulary, ResourceState(), AccountState())


def _arrays(state: StageState) -> dict[str, AnyArray]:
    registers = state.resource.registers
    arrays: dict[str, AnyArray] = {f"account.{name}": array for name, array in state.account.to_arrays().items()}
    assembly = state.resource.assembly
    if not assembly.is_new:  # most installations have no sessions, and each array is a file to be synced
        arrays |= {f"session.{name}": array for name, array in assembly.sessions._asdict().items()}
        arrays |= {f"part.{name}": array for name, array in assembly.parts._asdict().items()}
        arrays["assembly.heap"] = assembly.heap
    arrays |= {f"register.{name}": getattr(registers, name) for name in REGISTER_COLUMNS}
    arrays |= {f"charging.{name}": array for name, array in state.charging.kept.to_arrays().items()}
    if len(state.lots):
        arrays["lots"] = np.frombuffer(state.lots.to_array().tobytes(), np.uint8)
    arrays |= {f"version.{name}": getattr(state.resource.versions, name) for name in VERSION_COLUMNS}
    return arrays


def _format(state: StageState) -> int:
    if state.charging.segment:
        return FORMAT_CHARGING
    return FORMAT_WALLETS if len(state.lots) or state.account.overdraft is not None else FORMAT


def _facts(state: StageState) -> dict[str, Any]:
    return {
        "format": _format(state),
        "claim": state.claim,
        "block": state.block,
        "image": state.image,
        "register_count": state.resource.registers.count,
        "register_forgotten": {str(space): at for space, at in state.resource.registers.forgotten.items()},
        "version_count": state.resource.versions.count,
        "session_count": state.resource.assembly.used,
        "charging": {name: getattr(state.charging, name) for name in CHARGING_NUMBERS},
    }


@dataclass(frozen=True, slots=True)
class Published:
    """A snapshot that is there: its path, and what it holds of the keys that were written."""

    path: Path
    keys: Mapping[int, StoredKeys] = field(default_factory=dict)


def write_snapshot(directory: Path, state: StageState) -> Path:
    """Write a snapshot of `state` below `directory` and return its path; older ones beyond the latest three go.

    Raises:
        OSError: when it cannot be written; the previous snapshots are untouched.
    """
    published = publish_snapshot(directory, state)
    window = state.resource.dedup
    adopt_keys(window, published.keys, published.path, window.buckets)
    return published.path


def _at_once() -> None:
    """Wait for nothing."""


def publish_snapshot(
    directory: Path,
    state: StageState,
    before_file: Callable[[], None] = _at_once,
    before_publishing: Callable[[], None] = _at_once,
) -> Published:
    """Write a snapshot, as `write_snapshot` does, of a state that nobody changes meanwhile; `adopt_keys` is the caller's.

    Args:
        before_file, before_publishing: called before each file is written, and before the snapshot gets its name; what they
            raise is raised, and there is no snapshot.
    """
    state.resource.settle()
    directory.mkdir(parents=True, exist_ok=True)
    name = f"{state.claim:010d}-{state.block:08d}"
    if state.charging.segment:  # frames move it on while the journal stands still
        name += f"-{state.charging.segment:010d}-{state.charging.frame:010d}"
    target, temporary = directory / name, directory / f".{name}.tmp"
    if target.exists():
        return Published(target)
    for leftover in directory.glob(".*.tmp"):
        shutil.rmtree(leftover)
    previous = _manifest_of_latest(directory)
    temporary.mkdir()
    try:
        files: dict[str, dict[str, Any]] = {}
        dedup, small, stored = write_keys(temporary, state.resource.dedup)
        for key, array in (_arrays(state) | {"dedup.small": small}).items():
            before_file()
            files[key] = _write_array(temporary, key, array, previous)
        for key, table in state.vocabulary.tables().items():
            before_file()
            files[f"names.{key}"] = _write_names(temporary, f"names.{key}", table, previous)
        write_durably(temporary / "manifest.json", _sealed(_facts(state) | {"dedup": dedup, "files": files}))
        sync_directory(temporary)
        before_publishing()
        temporary.rename(target)
    except BaseException as error:
        shutil.rmtree(temporary, ignore_errors=True)
        if isinstance(error, OSError):
            raise OSError(error.errno, error.strerror, str(target)) from error
        raise
    sync_directory(directory)
    for old in _names(directory)[KEPT:]:
        if old != name:
            shutil.rmtree(directory / old)
    return Published(target, stored)


def _names(directory: Path) -> list[str]:
    if not directory.exists():
        return []
    return sorted((path.name for path in directory.iterdir() if _NAME.fullmatch(path.name)), reverse=True)


def _sealed(manifest: dict[str, Any]) -> bytes:
    """Return a manifest with its checksum: a wrong position is worse than a wrong array."""
    return json.dumps({"sha256": _checksum_of(manifest), "manifest": manifest}).encode()


def _unsealed(content: bytes) -> dict[str, Any]:
    sealed = json.loads(content)
    manifest: dict[str, Any] = sealed["manifest"]
    if sealed["sha256"] != _checksum_of(manifest):
        raise UnableToReadSnapshot("its manifest does not match its checksum")
    return manifest


def _checksum_of(manifest: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()


def _manifest_of_latest(directory: Path) -> tuple[Path, dict[str, Any]] | None:
    for name in _names(directory)[:1]:
        try:
            return directory / name, _unsealed((directory / name / "manifest.json").read_bytes())
        except (OSError, ValueError, TypeError, KeyError, UnableToReadSnapshot):
            return None
    return None


def _checksum(array: AnyArray) -> str:
    """SHA-256, not a CRC: an unchanged file is recognised by it, and a collision would keep a stale balance."""
    return hashlib.sha256(array.data.cast("B") if array.size else b"").hexdigest()


def _write_array(
    directory: Path, key: str, array: AnyArray, previous: tuple[Path, dict[str, Any]] | None
) -> dict[str, Any]:
    entry = {"sha256": _checksum(array), "dtype": array.dtype.str, "shape": list(array.shape)}
    path = directory / f"{key}.bin"
    if previous is not None and previous[1]["files"].get(key) == entry and _linked(previous[0], path):
        return entry
    with path.open("wb") as handle:
        handle.write(array.data.cast("B") if array.size else b"")
        handle.flush()
        os.fsync(handle.fileno())
    return entry


def _linked(previous: Path, path: Path) -> bool:
    try:
        os.link(previous / path.name, path)
    except OSError:  # a file system without links: write it again
        return False
    return True


def _write_names(
    directory: Path, key: str, names: NameTable, previous: tuple[Path, dict[str, Any]] | None
) -> dict[str, Any]:
    """Write names, some at a time, or link those of the snapshot before: names are only ever added, so as many are the same."""
    path = directory / f"{key}.arrow"
    before = previous[1]["files"].get(key, {}) if previous is not None else {}
    if previous is not None and before.get("names") == len(names) and _linked(previous[0], path):
        return dict(before)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, NAMES_SCHEMA) as writer:
        for first in range(0, max(len(names), 1), NAMES_ROWS):
            writer.write_table(names.names.slice(first, NAMES_ROWS).to_frame().to_arrow().cast(NAMES_SCHEMA))
    content = memoryview(sink.getvalue())
    write_durably(path, content)
    return {"sha256": hashlib.sha256(content).hexdigest(), "names": len(names)}


def read_latest_snapshot(
    directory: Path, report: Callable[[str], None], *, set_aside: bool = False
) -> StageState | None:
    """Return the newest readable snapshot, or None when there is none.

    Args:
        directory: where snapshots are. report: told, in a sentence, of each damaged one that is passed over.
        set_aside: give damaged ones a hidden name, so that no later snapshot is linked to them or gives way to them; for
            the owner of the directory only.
    """
    for name in _names(directory):
        try:
            state = _read(directory / name)
            if set_aside:
                (directory / VERIFY_MARK).unlink(missing_ok=True)
            return state
        except UnableToReadSnapshot as error:
            report(f"snapshot {name} is passed over: {error}; an older one and a longer replay take its place")
            if set_aside:
                _set_aside(directory / name)
    return None


def _set_aside(snapshot: Path) -> None:
    aside = snapshot.with_name(f".{snapshot.name}.damaged")
    shutil.rmtree(aside, ignore_errors=True)
    snapshot.rename(aside)


def _read(directory: Path) -> StageState:
    try:
        manifest = _unsealed((directory / "manifest.json").read_bytes())
        if manifest["format"] not in READABLE:
            told = f"{', '.join(str(known) for known in READABLE[:-1])} and {READABLE[-1]}"
            raise UnableToReadSnapshot(f"its format is {manifest['format']}, this release reads {told}")
        arrays = {
            key: _read_array(directory / f"{key}.bin", entry, grows=key.startswith("part."))
            for key, entry in manifest["files"].items()
            if not key.startswith("names.")
        }
        tables = {
            key.removeprefix("names."): _read_table(directory / f"{key}.arrow", entry)
            for key, entry in manifest["files"].items()
            if key.startswith("names.")
        }
        return _rebuild(directory, manifest, arrays, tables)
    except (OSError, ValueError, TypeError, KeyError, pa.ArrowInvalid, DamagedKeys) as error:
        raise UnableToReadSnapshot(f"{type(error).__name__}: {error}") from error


def _read_array(path: Path, entry: dict[str, Any], *, grows: bool) -> AnyArray:
    """Return an array of a snapshot; with `grows`, in memory that has room for more rows."""
    kind, shape = np.dtype(entry["dtype"]), tuple(entry["shape"])
    if grows and path.stat().st_size == kind.itemsize * math.prod(shape):
        array = zeros(shape, kind, grows=True)
        with path.open("rb") as handle:
            handle.readinto(array.data.cast("B") if array.size else bytearray())
    else:
        array = np.fromfile(path, kind).reshape(shape)
    if path.stat().st_size != array.nbytes or _checksum(array) != entry["sha256"]:
        raise UnableToReadSnapshot(f"{path.name} does not match its checksum")
    return array


def _read_table(path: Path, entry: dict[str, Any]) -> pa.Table:
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != entry["sha256"]:
        raise UnableToReadSnapshot(f"{path.name} does not match its checksum")
    return pa.ipc.open_file(pa.py_buffer(content)).read_all()


def _rebuild(
    directory: Path, manifest: dict[str, Any], arrays: dict[str, AnyArray], tables: dict[str, pa.Table]
) -> StageState:
    registers = RegisterTable(
        **{name: arrays[key] for name in REGISTER_COLUMNS if (key := f"register.{name}") in arrays},
        count=manifest["register_count"],
        forgotten={int(space): at for space, at in manifest.get("register_forgotten", {}).items()},
    )
    if "register_forgotten_until" in manifest:  # written before it was known whose they were
        registers.forgotten[0] = manifest["register_forgotten_until"]
    if "register.keep_days" not in arrays:  # written before series could be over
        registers.keep_days = np.zeros(len(registers.key_hi), np.uint16)
    if "register.space" not in arrays:  # written before it was known whose rule it is
        registers.space = np.zeros(len(registers.key_hi), np.uint32)
    if manifest["format"] == 1:
        window = read_keys_v1(manifest, arrays)
    else:
        window = read_keys(directory, manifest["dedup"], arrays["dedup.small"])
    assembly = AssemblyTable()
    if "assembly.heap" in arrays:  # snapshots from before there was assembly have none
        assembly = AssemblyTable(
            Sessions(**{name: arrays[f"session.{name}"] for name in Sessions._fields}),
            parts_of({name: arrays[key] for name in Parts._fields if (key := f"part.{name}") in arrays}),
            arrays["assembly.heap"],
            manifest["session_count"],
            next_deadline=0,  # looked for again
        )
    account = AccountState.from_arrays(
        {key.removeprefix("account."): array for key, array in arrays.items() if key.startswith("account.")}
    )
    return StageState(
        Vocabulary.from_tables(tables),
        ResourceState(window, registers, _versions(manifest, arrays), assembly),
        account,
        manifest["claim"],
        manifest["block"],
        manifest["image"],
        _charging(manifest, arrays, account),
        lots_of(arrays),
    )


def _charging(manifest: dict[str, Any], arrays: dict[str, AnyArray], account: AccountState) -> ChargingState:
    """Return what online charging knew, and say in the account state what its reservations hold."""
    numbers = manifest.get("charging", {})  # snapshots from before there was online charging have none
    pages = {key.removeprefix("charging."): array for key, array in arrays.items() if key.startswith("charging.")}
    kept = KeptRequests.from_arrays(pages)
    kept.reserve_in(account)
    return ChargingState(kept, **numbers)


def _versions(manifest: dict[str, Any], arrays: dict[str, AnyArray]) -> VersionTable:
    """Return the table of versions, empty when the snapshot was written before there were any."""
    if "version_count" not in manifest:
        return VersionTable()
    return VersionTable(
        **{name: arrays[f"version.{name}"] for name in VERSION_COLUMNS}, count=manifest["version_count"]
    )
