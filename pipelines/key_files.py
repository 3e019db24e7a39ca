"""The keys of the deduplication window in a snapshot: immutable, checksummed files, written once and linked from then on.

A day's log is a file for each chunk, `dedup.DAY.CHUNK.keys`; full chunks never change, so only the last one is written
again; the others give way, in memory, to their files, which are mapped. Days with few keys share one array. A day that is
over, and of which no key came since the snapshot before, sleeps: it has an index in a file beside its chunks,
`dedup.DAY.index`, and both are mapped when a record of that day comes, so that memory does not grow with the window.

What is unchanged is recognised by the number of its keys: entries are only ever appended.
"""

from __future__ import annotations

import hashlib
import mmap
import os
import shutil
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.resource import key_log
from pipelines.resource.dedup import Bucket, DedupWindow, StoredIndex, StoredKeys
from pipelines.resource.kernels.index import ENTRY_BYTES
from pipelines.resource.kernels.words import LINE
from pipelines.resource.key_index import KeyIndex, Layout
from pipelines.resource.key_log import KeyLog, new_chunk
from schemas.arrays import UInt64Array

SMALL_KEYS = 4096
"""Days with fewer keys share one array: usage may be strewn over tens of thousands of days."""
AWAKE_DAYS = 3
"""Days before stage time that stay in memory: usage is seldom later."""
VERIFY_BYTES = 1 << 30
"""Sleeping files are verified at the start when they are no more than this, and else when they wake."""
VERIFY_MARK = ".verify"
"""Written when a file turns out to be damaged as it wakes: the next start verifies everything, and passes it over."""
STALE = 1.1
"""A stored index is written again when the day has this many times its keys."""
READERS = 2
POPULATE = getattr(mmap, "MAP_POPULATE", 0)
"""Map all pages at once: one by one they cost more than to hash them."""


class DamagedKeys(Exception):
    """A file of keys is missing, or does not match its checksum."""


def copied_keys(window: DedupWindow) -> DedupWindow:
    """Return the keys as of now, to be written while more are taken: keys are only ever appended to, so none is copied."""
    buckets = {day: _copied_bucket(day, bucket) for day, bucket in window.buckets.items()}
    return DedupWindow(window.window_days, window.first_day, buckets, window.stage_day)


def _copied_bucket(day: int, bucket: Bucket) -> Bucket:
    if bucket.is_awake:
        log = bucket.log
        copy = Bucket(KeyLog(list(log.chunks), log.count, log.index))
    else:
        copy = Bucket()
        copy.sleep(bucket.count, partial(_wake, copy, day))
    copy.stored = bucket.stored
    return copy


def write_keys(directory: Path, window: DedupWindow) -> tuple[dict[str, Any], UInt64Array, dict[int, StoredKeys]]:
    """Write the keys into a snapshot's directory.

    Returns:
        (what the manifest says of them, (k, 3) entries of the small days, what was written of the others: for `adopt_keys`).

    Raises:
        OSError: when it cannot be written; the window is as it was.
    """
    small: dict[str, int] = {}
    entries = [np.zeros((0, 3), np.uint64)]
    stored: dict[int, StoredKeys] = {}
    for day, bucket in window.buckets.items():
        if bucket.count < SMALL_KEYS:
            small[str(day)] = bucket.count
            entries += bucket.log.entries()
            continue
        sleeps = day < window.stage_day - AWAKE_DAYS and _is_quiet(bucket)
        stored[day] = _write_bucket(directory, day, bucket, sleeps=sleeps)
    facts = {
        "window_days": window.window_days,
        "first_day": window.first_day,
        "stage_day": window.stage_day,
        "small": small,
        "days": {str(day): _as_manifest(keys) for day, keys in stored.items()},
    }
    return facts, np.concatenate(entries), stored


def adopt_keys(
    window: DedupWindow, stored: Mapping[int, StoredKeys], directory: Path, written: Mapping[int, Bucket]
) -> None:
    """Know what a published snapshot holds: days that are over and quiet go to sleep, full chunks of the others are mapped.

    Args:
        stored: what `write_keys` returned. directory: of the snapshot. written: day -> bucket of the window that was written;
            one that another took the place of since, or that got more keys, stays as it is.
    """
    for day, keys in stored.items():
        bucket = window.buckets.get(day)
        if bucket is None or bucket is not written.get(day):
            continue
        bucket.stored = replace(keys, directory=directory)
        if bucket.count == keys.count or not keys.asleep:
            _adopt(bucket, bucket.stored, day)


def _is_quiet(bucket: Bucket) -> bool:
    """Return whether no key came since the snapshot before: where many days are in use, none is put to sleep for a block."""
    return not bucket.is_awake or (bucket.stored is not None and bucket.stored.count == bucket.count)


def _adopt(bucket: Bucket, keys: StoredKeys, day: int) -> None:
    bucket.stored = keys
    if keys.asleep:
        bucket.sleep(keys.count, partial(_wake, bucket, day))
    else:
        _map_full_chunks(bucket.log, keys, day)


def _map_full_chunks(log: KeyLog, keys: StoredKeys, day: int) -> None:
    """Map the chunks that were just written and will not change: what is in memory twice could be elsewhere of use."""
    for number in range(keys.count >> key_log.CHUNK_BITS):
        if not log.chunks[number].flags.writeable:  # mapped by an earlier snapshot
            continue
        path = keys.directory / _chunk_name(day, number)
        try:
            log.replace(number, np.asarray(np.memmap(path, np.uint64, "r", shape=(1 << key_log.CHUNK_BITS, 3))))
        except (OSError, ValueError):  # it stays in memory
            return


def _as_manifest(keys: StoredKeys) -> dict[str, Any]:
    index = keys.index
    return {
        "count": keys.count,
        "chunks": list(keys.chunks),
        "asleep": keys.asleep,
        "index": index and [index.sha256, index.count, index.capacity, index.words],
    }


def _chunk_name(day: int, chunk: int) -> str:
    return f"dedup.{day}.{chunk}.keys"


def _index_name(day: int) -> str:
    return f"dedup.{day}.index"


def _keys_in(count: int, chunk: int) -> int:
    """Return how many of a log's keys are in one chunk of it."""
    return max(0, min(1 << key_log.CHUNK_BITS, count - (chunk << key_log.CHUNK_BITS)))


# ---- writing


def _write_bucket(directory: Path, day: int, bucket: Bucket, *, sleeps: bool) -> StoredKeys:
    before, count = bucket.stored, bucket.count
    chunks = []
    for chunk in range(-(-count // (1 << key_log.CHUNK_BITS))):
        path = directory / _chunk_name(day, chunk)
        held = _keys_in(count, chunk)
        if before is not None and _keys_in(before.count, chunk) == held and _linked(bucket, before.directory, path):
            chunks.append(before.chunks[chunk])
        else:
            chunks.append(_write(path, [bucket.log.chunks[chunk][:held]]))
    index = None
    if sleeps and (bucket.is_awake or (before is not None and before.index is not None)):
        index = _write_index(directory / _index_name(day), bucket)
    verified = bucket.is_awake or (before is not None and before.verified)
    return StoredKeys(directory, count, tuple(chunks), sleeps, index, verified)


def _linked(bucket: Bucket, source: Path, path: Path) -> bool:
    """Link a file of the snapshot before; without links what sleeps is copied, and what is in memory written again."""
    try:
        os.link(source / path.name, path)
    except OSError:
        if bucket.is_awake:
            return False
        shutil.copyfile(source / path.name, path)
        with path.open("rb") as handle:
            os.fsync(handle.fileno())
    return True


def _write_index(path: Path, bucket: Bucket) -> StoredIndex:
    before = bucket.stored and bucket.stored.index
    if (
        before
        and bucket.stored
        and bucket.count <= STALE * before.count
        and _linked(bucket, bucket.stored.directory, path)
    ):
        return before
    log = bucket.log
    index = KeyIndex.build(list(log.entries()), int(STALE * log.count) + 1)
    return StoredIndex(_write(path, index.old.pages), log.count, index.old.capacity, LINE * index.old.total)


def _write(path: Path, parts: list[UInt64Array]) -> str:
    """Write arrays one after another, durably; return the SHA-256 of the file."""
    digest = hashlib.sha256()
    with path.open("wb") as handle:
        for part in parts:
            data = part.reshape(-1).data.cast("B")
            handle.write(data)
            digest.update(data)
        handle.flush()
        os.fsync(handle.fileno())
    return digest.hexdigest()


# ---- reading


def read_keys(directory: Path, facts: dict[str, Any], small: UInt64Array) -> DedupWindow:
    """Return the window of a snapshot (arguments as `write_keys` gave them).

    Raises:
        DamagedKeys: when a file is missing or damaged. Sleeping files beyond VERIFY_BYTES are verified as they wake.
    """
    window = DedupWindow(facts["window_days"], facts["first_day"], stage_day=facts["stage_day"])
    first = 0
    for day, count in facts["small"].items():
        window.buckets[int(day)] = Bucket(KeyLog.from_entries(small[first : first + count]))
        first += count
    sleeping = []
    for name, told in facts["days"].items():
        day, index = int(name), told["index"]
        asleep = told.get("asleep", index is not None)
        if "asleep" not in told:  # format 2: its index is built anew as the bucket wakes, for homes were slots
            index = None
        keys = StoredKeys(directory, told["count"], tuple(told["chunks"]), asleep, index and StoredIndex(*index))
        if not asleep:
            window.buckets[day] = Bucket(_load(day, keys))
            window.buckets[day].stored = keys
        else:
            window.buckets[day] = Bucket()
            _adopt(window.buckets[day], keys, day)
            sleeping.append((day, keys))
    sizes = [size for day, keys in sleeping for _, size, _ in _files(day, keys)]
    if sum(sizes) <= VERIFY_BYTES or (directory.parent / VERIFY_MARK).exists():
        for day, keys in sleeping:
            _verify(day, keys)
            window.buckets[day].stored = replace(keys, verified=True)
    else:
        for day, keys in sleeping:
            for path, size, _ in _files(day, keys):
                _check_size(path, size)
    return window


def _files(day: int, keys: StoredKeys) -> Iterator[tuple[Path, int, str]]:
    """Yield (path, bytes, SHA-256) of the files of a bucket."""
    for chunk, sha256 in enumerate(keys.chunks):
        yield keys.directory / _chunk_name(day, chunk), ENTRY_BYTES * _keys_in(keys.count, chunk), sha256
    if keys.index is not None:
        yield keys.directory / _index_name(day), 8 * keys.index.words, keys.index.sha256


def _check_size(path: Path, size: int) -> None:
    try:
        found = path.stat().st_size
    except OSError as error:
        raise DamagedKeys(f"{path.name}: {error.strerror}") from error
    if found != size:
        raise DamagedKeys(f"{path.name} has {found} bytes, not {size}")


def _verify(day: int, keys: StoredKeys) -> None:
    with ThreadPoolExecutor(READERS) as pool:
        for _ in pool.map(_verify_file, *zip(*_files(day, keys), strict=True)):
            pass


def _verify_file(path: Path, size: int, sha256: str) -> None:
    _check_size(path, size)
    with path.open("rb") as handle:
        if hashlib.file_digest(handle, "sha256").hexdigest() != sha256:
            raise DamagedKeys(f"{path.name} does not match its checksum")


def _load(day: int, keys: StoredKeys) -> KeyLog:
    """Return the keys of a bucket, verified: full chunks are mapped, the last one is read, and the index built anew."""
    with ThreadPoolExecutor(READERS) as pool:
        chunks = list(pool.map(_chunk_of, *zip(*_files(day, replace(keys, index=None)), strict=True)))
    held = [chunk[: _keys_in(keys.count, number)] for number, chunk in enumerate(chunks)]
    return KeyLog(chunks, keys.count, KeyIndex.build(held, keys.count))


def _chunk_of(path: Path, size: int, sha256: str) -> UInt64Array:
    return (
        _map_chunk(path, size, sha256) if size == ENTRY_BYTES << key_log.CHUNK_BITS else _read_chunk(path, size, sha256)
    )


def _map_chunk(path: Path, size: int, sha256: str) -> UInt64Array:
    """Map a full chunk, which never changes: it costs no copy, and no memory that the page cache does not hold already."""
    _check_size(path, size)
    with path.open("rb", buffering=0) as handle:
        memory = mmap.mmap(handle.fileno(), size, flags=mmap.MAP_SHARED | POPULATE, prot=mmap.PROT_READ)
    if hashlib.sha256(memory).hexdigest() != sha256:
        raise DamagedKeys(f"{path.name} does not match its checksum")
    return np.frombuffer(memory, np.uint64).reshape(-1, 3)


def _read_chunk(path: Path, size: int, sha256: str) -> UInt64Array:
    _check_size(path, size)
    chunk = new_chunk(size // ENTRY_BYTES)
    data = chunk.reshape(-1).data.cast("B")[:size]
    with path.open("rb", buffering=0) as handle:
        done = 0
        while done < size and (got := handle.readinto(data[done:])):
            done += got
    if done != size or hashlib.sha256(data).hexdigest() != sha256:
        raise DamagedKeys(f"{path.name} does not match its checksum")
    return chunk


def _wake(bucket: Bucket, day: int) -> KeyLog:
    """Map the files of a sleeping bucket; pages that nobody looks at stay on disk."""
    keys = bucket.stored
    assert keys is not None
    try:
        if keys.index is None:
            log = _load(day, keys)
            bucket.stored = replace(keys, verified=True)
            return log
        if not keys.verified:
            _verify(day, keys)
            bucket.stored = replace(keys, verified=True)
        chunks = [
            np.memmap(path, np.uint64, "r", shape=(size // ENTRY_BYTES, 3))
            for path, size, _ in list(_files(day, keys))[:-1]
        ]
        words = np.memmap(keys.directory / _index_name(day), np.uint64, "c", shape=(keys.index.words,))
    except (DamagedKeys, OSError, ValueError) as error:
        mark = keys.directory.parent / VERIFY_MARK
        mark.touch()
        raise DamagedKeys(
            f"keys of day {day} in {keys.directory.name}: {error}; start again: the snapshot is then verified and passed over"
        ) from error
    index = KeyIndex(Layout.of(keys.index.capacity, np.asarray(words)), used=keys.index.count)
    last = np.asarray(chunks[-1])
    plain = [np.asarray(chunk) for chunk in chunks[:-1]]
    if len(last) < 1 << key_log.CHUNK_BITS:  # entries will be appended to it
        grown = new_chunk(len(last))
        grown[: len(last)] = last
        last = grown
    return KeyLog.of([*plain, last], keys.count, index, keys.index.count)
