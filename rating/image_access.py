"""Access points as a hash table from identifier to validity windows, and opening readings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from rating.image_prices import UnableToCompileImage
from rating.kernels.hashing import hash_ranges
from rating.kernels.index import fill_slots, hash_chained
from rating.vocabulary import Vocabulary
from schemas.arrays import Int64Array, UInt8Array, UInt64Array
from schemas.catalog import Catalog

CAPACITY_MIN = 16
SHARED = 1 << 32
"""Added to the number of an identifier's windows when some of them overlap."""
PADDING = 16
"""Bytes that the hash may read after a range."""


@dataclass(frozen=True, slots=True)
class AccessIndex:
    """Hash table from an access point's identifier to the windows in which it belongs to a subscription.

    What is read of a slot, and of a window, lies together: a look-up waits for two lines of memory, not for eight.

    Attributes:
        slots: (cap, 4) uint64: hi and lo of the hash of the identifier's UTF-8 bytes, (0, 0) empty; the first of its
            windows; how many there are, plus `SHARED` when some of them overlap. cap is a power of two, at most half
            full; open addressing: probing starts at lo & (cap - 1) and is linear.
        windows: (w, 4) int64: start and end in microseconds UTC, half-open; subscription id; access point id. Those of an
            identifier are ordered by start, then by subscription id.
    """

    slots: UInt64Array
    windows: Int64Array


@dataclass(frozen=True, slots=True)
class OpeningReadings:
    """The indexes from which consumption of k registers is measured, in the order of the catalog.

    Attributes:
        series_hi, series_lo: (k,) hash of the series' text, seeded with the hash of the access point's
            identifier.
        at: (k,) microseconds UTC. index: (k,) base steps.
    """

    series_hi: UInt64Array
    series_lo: UInt64Array
    at: Int64Array
    index: Int64Array


def compile_access(catalog: Catalog, vocabulary: Vocabulary) -> AccessIndex:
    """Return the index of all access points, extending the vocabulary.

    Raises:
        UnableToCompileImage: when two identifiers have the same 128-bit hash.
    """
    frame = catalog.access_points.sort("access_point", "start_at", maintain_order=True)
    vocabulary.access_points.extend(frame["access_point"])
    groups = frame["access_point"].rle_id().to_numpy() if len(frame) else np.zeros(0, np.int64)
    starts = np.flatnonzero(np.diff(groups, prepend=-1))
    identifiers = frame["access_point"].gather(starts)
    hi, lo = hash_identifiers(identifiers)
    capacity = max(CAPACITY_MIN, 1 << (2 * len(identifiers) - 1).bit_length())
    slots = np.zeros((capacity, 4), np.uint64)
    counts = np.diff(np.append(starts, len(frame)))
    windows = np.empty((len(frame), 4), np.int64)
    start, end = np.array(frame["start_at"].to_numpy(), np.int64), np.array(frame["end_at"].to_numpy(), np.int64)
    subscription = vocabulary.subscriptions.ids(frame["subscription"])
    access_point = vocabulary.access_points.ids(frame["access_point"])
    shared = _shared(groups, start, end)
    if len(shared):
        order = np.lexsort((subscription, start, groups))
        start, end, subscription = start[order], end[order], subscription[order]
        counts[shared] += SHARED
    windows[:, 0], windows[:, 1], windows[:, 2], windows[:, 3] = start, end, subscription, access_point
    clash = int(fill_slots(hi, lo, starts.astype(np.uint64), counts.astype(np.uint64), slots))
    if clash >= 0:
        raise UnableToCompileImage(f"access point {identifiers[clash]} has the hash of another one; rename it")
    return AccessIndex(slots, windows)


def _shared(groups: Int64Array, start: Int64Array, end: Int64Array) -> Int64Array:
    """Return the entries of which windows overlap; windows come by entry and start, so neighbours tell."""
    again = (groups[1:] == groups[:-1]) & (start[1:] < end[:-1])
    return np.unique(groups[1:][again].astype(np.int64))


def compile_opening_readings(catalog: Catalog) -> OpeningReadings:
    """Return the opening readings of all registers."""
    frame = catalog.opening_readings
    seed_hi, seed_lo = hash_identifiers(frame["access_point"])
    data, start, end = _bytes(frame["series"])
    hi, lo = np.zeros(len(frame), np.uint64), np.zeros(len(frame), np.uint64)
    hash_chained(data, start, end, seed_hi, seed_lo, hi, lo)
    return OpeningReadings(
        hi, lo, np.array(frame["at"].to_numpy(), np.int64), np.array(frame["index"].to_numpy(), np.int64)
    )


def hash_identifiers(texts: pl.Series) -> tuple[UInt64Array, UInt64Array]:
    """Return (hi, lo), each (n,), the hashes by which an `AccessIndex` knows identifiers."""
    data, start, end = _bytes(texts)
    hi, lo = np.zeros(len(texts), np.uint64), np.zeros(len(texts), np.uint64)
    hash_ranges(data, start, end, np.uint64(0), np.uint64(0), hi, lo)
    return hi, lo


def hash_texts(texts: Sequence[str]) -> tuple[UInt64Array, UInt64Array]:
    """Return what `hash_identifiers` does, of a few texts: without what it takes to begin with a column."""
    encoded = [text.encode() for text in texts]
    end = np.cumsum([len(text) for text in encoded], dtype=np.int64)
    start = np.zeros(len(texts), np.int64)
    start[1:] = end[:-1]
    data = np.frombuffer(bytearray(b"".join(encoded) + bytes(PADDING)), np.uint8)
    hi, lo = np.zeros(len(texts), np.uint64), np.zeros(len(texts), np.uint64)
    hash_ranges(data, start, end, np.uint64(0), np.uint64(0), hi, lo)
    return hi, lo


def _bytes(texts: pl.Series) -> tuple[UInt8Array, Int64Array, Int64Array]:
    """Return (padded UTF-8 bytes of all texts, starts, ends)."""
    length = np.array(texts.str.len_bytes().to_numpy(), np.int64)
    end = np.cumsum(length)
    joined = texts.str.join("").item().encode() if len(texts) else b""
    data = np.zeros(len(joined) + PADDING, np.uint8)
    data[: len(joined)] = np.frombuffer(joined, np.uint8)
    return data, np.ascontiguousarray(end - length), np.ascontiguousarray(end)
