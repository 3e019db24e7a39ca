"""Credit-Control-Requests of many messages at once, as columns: those that say nothing unusual."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from pipelines.mediation.diameter.codes import THREE_GPP
from pipelines.mediation.diameter.dictionary import NUMBERED
from pipelines.mediation.diameter.grammar import ONCE, SERVICE_INFORMATION
from pipelines.mediation.kernels import diameter_credit as kernels
from schemas.arrays import Int64Array, UInt8Array


@cache
def _tables() -> tuple[UInt8Array, NDArray[np.int8]]:
    known = np.zeros((2, kernels.NEAR), np.uint8)
    once = np.full((2, kernels.NEAR), -1, np.int8)
    for (vendor, code), found in NUMBERED.items():
        if code < kernels.NEAR and vendor in (0, THREE_GPP):
            is_group = found.kind == "grouped"
            opaque = kernels.OPAQUE if found.name == SERVICE_INFORMATION else kernels.GROUP
            known[int(vendor != 0), code] = opaque if is_group else kernels.LEAF
    for number, (vendor, code) in enumerate(sorted(ONCE)):
        once[int(vendor != 0), code] = number
    assert len(ONCE) < 63
    return known, once


def read_credit_columns(messages: Sequence[bytes], bytes_max: int) -> tuple[bytes, Int64Array, Int64Array]:
    """Return what whole messages say.

    Returns:
        All bytes; (n, 28) int64 of `kernels.MESSAGE`, COUNT -1 where one is not plain; (p, 14) int64 of `kernels.PART`.
    """
    text = b"".join(messages)
    bounds = np.zeros(len(messages) + 1, np.int64)
    np.cumsum(np.fromiter(map(len, messages), np.int64, len(messages)), out=bounds[1:])
    rows = np.empty((len(messages), len(kernels.MESSAGE)), np.int64)
    parts = np.empty((4 * len(messages) + kernels.PARTS_MAX, len(kernels.PART)), np.int64)
    frames, units = np.empty((kernels.DEPTH_MAX, 3), np.int64), np.full(5, -1, np.int64)
    used = kernels.read_requests(
        np.frombuffer(text, np.uint8), bounds, bytes_max, *_tables(), frames, units, rows, parts
    )
    return text, rows, parts[:used]
