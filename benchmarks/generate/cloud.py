"""CloudEvents 1.0, one JSON object per line: messages and bytes of devices, computing and storage of projects.

An event is a function of (seed, number), so that a redelivery is the same number again.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.generate.draws import below, bits, draw
from benchmarks.generate.period import INSTANT, MONTH_END_S, MONTH_START_S, put_instant
from benchmarks.generate.rows import (
    Layout,
    Rows,
    number,
    put_number,
    put_padded,
    replace_row,
    row_text,
    text_of,
    words,
)
from benchmarks.generate.sequence import repeat_some, write_sequence
from schemas.arrays import Int64Array

TYPES = (
    "com.example.lpwan.messages",
    "com.example.lpwan.bytes",
    "com.example.compute.vcpu",
    "com.example.storage.gbh",
)
"""`data.quantity` is, by type: messages, bytes, vCPU-seconds with 3 decimals, GB-hours with 6 decimals."""
BLOCK = 1 << 14
LAG_MAX = 50_000
BAD_EVERY = 1000
BAD_AT = 550
BAD_KINDS = ("not_json", "no_subject", "unknown_subject", "unknown_type", "text_quantity", "no_zone", "truncated")
NAMES_MAX = 10_000_000

_LAYOUT = Layout.of(
    '{"specversion":"1.0","id":"', *number("id", 4), '","source":"/', ("gateway", 8), "/", *number("place", 1),
    '","type":"com.example.', ("type", 16), '","subject":"', ("subject", 8), *number("subject_number", 2),
    '","time":"', *INSTANT, ".", ("millis", 4), 'Z","datacontenttype":"application/json","data":{"quantity":',
    *number("whole", 3), ("point", 1), ("decimals", 4), ("decimals_2", 4), ',"region":"', ("region", 2),
    '","sequence":', *number("sequence", 2), "}}\n", slack=16,
)  # fmt: skip
_GATEWAYS = words(["lpwan", "lpwan", "platform", "platform"], 8)
_TYPE_TAILS = words([name.removeprefix("com.example.") for name in TYPES], 16)
_SUBJECTS = words(["dev-", "project-"], 8)
_REGIONS = words(["eu", "us"], 2)
_POINT = words(["", "", ".", "."], 1)
_THOUSANDTHS = words([f"{value:03d}" for value in range(1000)] + [""], 4)


def device_names(count: int) -> list[str]:
    """Return the subjects of devices 0 .. count - 1."""
    return [f"dev-{device:08d}" for device in range(count)]


def project_names(count: int) -> list[str]:
    """Return the subjects of projects 0 .. count - 1."""
    return [f"project-{project:08d}" for project in range(count)]


def write_cloud(
    directory: Path,
    *,
    records: int,
    devices: int,
    projects: int,
    seed: int,
    files: int = 2,
    duplicate_every: int = 100,
    bad: bool = False,
    on_records: Callable[[int], None] | None = None,
) -> list[Path]:
    """Write `events-NNNN.ndjson` files; return them in the order in which they are to be read.

    Args:
        directory: made when absent.
        records: lines of all files together, redeliveries and bad ones included.
        devices: how many subjects send three events in four.
        projects: how many subjects send the others.
        seed: the same seed gives the same bytes.
        files: how many files share the records.
        duplicate_every: each so-many-th event is a redelivery of an earlier one; 0 for none.
        bad: spoil one event in a thousand, each of BAD_KINDS in turn.
        on_records: told how many events were written since the last call.
    """
    assert 0 < devices <= NAMES_MAX
    assert 0 < projects <= NAMES_MAX
    assert records < 10**12
    return write_sequence(
        [directory / f"events-{part + 1:04d}.ndjson" for part in range(files)],
        records=records,
        header=b"",
        block_records=BLOCK,
        block=_Stream(records, devices, projects, seed, duplicate_every, bad=bad).block,
        on_records=on_records,
    )


class _Stream:
    """The month's events, made block by block."""

    def __init__(
        self, records: int, devices: int, projects: int, seed: int, duplicate_every: int, *, bad: bool
    ) -> None:
        self._records = records
        self._devices = devices
        self._projects = projects
        self._seed = seed
        self._duplicate_every = duplicate_every
        self._bad = bad

    def block(self, position: Int64Array) -> bytes:
        """Return the lines at `position` (n,)."""
        index = repeat_some(self._seed, position, every=self._duplicate_every, lag_max=LAG_MAX)
        rows = self._rows(index)
        if self._bad:
            for row in np.flatnonzero(index % BAD_EVERY == BAD_AT):
                kind = BAD_KINDS[int(index[row]) // BAD_EVERY % len(BAD_KINDS)]
                replace_row(rows, int(row), _spoil(row_text(rows, int(row)), kind))
        return text_of(rows)

    def _rows(self, index: Int64Array) -> Rows:
        rows = _LAYOUT.rows(len(index))
        who, size = draw(self._seed, 30, index), draw(self._seed, 31, index)
        kind = np.array([0, 1, 0, 1, 0, 1, 2, 3])[bits(who, 0, 3)]
        is_device = kind < 2
        put_padded(rows, "id", index + self._seed % 10_000 * 10**12)
        rows["gateway"] = _GATEWAYS[kind]
        put_padded(rows, "place", bits(who, 3, 6))
        rows["type"] = _TYPE_TAILS[kind]
        rows["subject"] = _SUBJECTS[(~is_device).view(np.int8)]
        put_padded(rows, "subject_number", np.where(is_device, below(who, self._devices), below(who, self._projects)))
        rows["region"] = _REGIONS[(bits(who, 9, 2) == 0).view(np.int8)]
        put_number(rows, "sequence", bits(who, 11, 16))
        start = MONTH_START_S + index * (MONTH_END_S - MONTH_START_S) // self._records
        put_instant(rows, np.maximum(start - bits(size, 0, 6), MONTH_START_S))
        rows["millis"] = _THOUSANDTHS[bits(size, 6, 10) % 1000]
        _put_quantity(rows, kind, bits(size, 16, 46))
        return rows


def _put_quantity(rows: Rows, kind: Int64Array, size: Int64Array) -> None:
    """Write the quantity of each event in the unit of its type: messages, bytes, milliseconds, millionths of a GBh."""
    bound = np.array([3, 222, 3_600_001, 200_000_000])[kind]
    steps = 1 + size % bound
    places = np.array([1, 1, 1_000, 1_000_000])[kind]
    whole = steps // places
    rest = steps - whole * places
    put_number(rows, "whole", whole)
    rows["point"] = _POINT[kind]
    rows["decimals"] = _THOUSANDTHS[np.where(kind < 2, 1000, np.where(kind == 2, rest, rest // 1000))]
    rows["decimals_2"] = _THOUSANDTHS[np.where(kind < 3, 1000, rest % 1000)]


def _spoil(line: bytes, kind: str) -> bytes:
    """Return the line, wrong in one way."""
    match kind:
        case "not_json":
            return line.replace(b'"id":', b'"id"=')
        case "no_subject":
            return re.sub(rb'"subject":"[^"]*",', b"", line)
        case "unknown_subject":
            return line.replace(b'"subject":"', b'"subject":"x-')
        case "unknown_type":
            return line.replace(b'"com.example.', b'"com.other.')
        case "text_quantity":
            return re.sub(rb'"quantity":[0-9.]+', b'"quantity":"many"', line)
        case "no_zone":
            return line.replace(b'Z","datacontenttype"', b'","datacontenttype"')
        case _:
            return line[: len(line) // 2] + b"\n"
