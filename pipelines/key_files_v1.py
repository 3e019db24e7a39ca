"""The keys of the deduplication window as releases before 0.2 wrote them into a snapshot (format 1): to be read only.

A day had open-addressing tables: `dedup.DAY.N.table`, (2 * slots,) interleaved halves of keys, and `dedup.DAY.N.contents`,
(slots,) with 0 for an empty slot or a void key. Tables of fewer than 4096 slots lay one after another in `dedup.small`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from pipelines.resource.dedup import Bucket, DedupWindow
from pipelines.resource.key_log import KeyLog

SMALL_SLOTS = 4096


def read_keys_v1(manifest: Mapping[str, Any], arrays: Mapping[str, np.ndarray[Any, np.dtype[Any]]]) -> DedupWindow:
    """Return the window of a snapshot of format 1.

    Raises:
        KeyError, ValueError: when arrays are missing or too short.
    """
    window = DedupWindow(manifest["window_days"], manifest["first_day"])
    small = 0
    for day, segments in manifest["segments"].items():
        parts = [np.zeros((0, 3), np.uint64)]
        for number, (slots, _) in enumerate(segments):
            if slots < SMALL_SLOTS:
                table = arrays["dedup.small.table"][2 * small : 2 * (small + slots)]
                contents = arrays["dedup.small.contents"][small : small + slots]
                small += slots
            else:
                table, contents = arrays[f"dedup.{day}.{number}.table"], arrays[f"dedup.{day}.{number}.contents"]
            held = contents != 0
            parts.append(np.column_stack([table.reshape(-1, 2)[held], contents[held]]))
        window.buckets[int(day)] = Bucket(KeyLog.from_entries(np.ascontiguousarray(np.concatenate(parts))))
    return window
