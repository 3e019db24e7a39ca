"""Records of text columns as JSON objects, where no text needs an escape. The twin is `columns.text.as_json`."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from pipelines.mediation.kernels.words import controls, matches, repeat
from pipelines.resource.kernels.words import store64
from rating.kernels.hashing import load64

U = np.uint64


@njit(cache=True, nogil=True)
def needs_escapes(text: Any, size: Any) -> Any:
    """Return whether there is a double quote, a backslash or a control character in the first `size` bytes.

    Args:
        text: (b,) uint8, with 8 readable bytes behind `size`.
    """
    base = text.ctypes.data
    quote, backslash = repeat(34), repeat(92)
    at = np.int64(0)
    while at + 8 <= size:
        word = load64(base + at)
        if matches(word, quote) | matches(word, backslash) | controls(word) != U(0):
            return True
        at += 8
    for i in range(at, size):
        byte = text[i]
        if byte == 34 or byte == 92 or byte < 32:
            return True
    return False


@njit(cache=True, nogil=True)
def write_objects(text: Any, start: Any, end: Any, keys: Any, bounds: Any, out: Any, edges: Any) -> None:
    """Write each record as an object.

    Args:
        text: (b,) uint8 with 8 readable bytes behind it. start, end: (f, >= n) int32 offsets into it: a row per field.
        keys: (k,) uint8: what stands before each value and behind the last one, joined, with 8 bytes more; bounds: (f + 2,)
            int64: where each of them begins.
        out: uint8, written, with room for everything and 8 bytes, which are 0. edges: (n + 1,) int64, written: where each
            object begins.
    """
    fields = len(bounds) - 2
    text_base, key_base, out_base = text.ctypes.data, keys.ctypes.data, out.ctypes.data
    to = np.int64(0)
    for i in range(len(edges) - 1):
        edges[i] = to
        for j in range(fields):
            length = bounds[j + 1] - bounds[j]
            _copy(key_base + bounds[j], out_base + to, length)
            to += length
            begin = np.int64(start[j, i])
            length = np.int64(end[j, i]) - begin
            _copy(text_base + begin, out_base + to, length)
            to += length
        length = bounds[fields + 1] - bounds[fields]
        _copy(key_base + bounds[fields], out_base + to, length)
        to += length
    edges[len(edges) - 1] = to
    out[to : to + 8] = 0


@njit(cache=True, nogil=True)
def _copy(source: Any, target: Any, length: Any) -> None:
    """Copy bytes from one address to another, in words: up to 7 bytes more are written."""
    at = np.int64(0)
    while at < length:
        store64(target + at, load64(source + at))
        at += 8
