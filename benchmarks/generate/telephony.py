"""Telephone usage as CSV: calls, messages and data sessions of one month, as switches write them.

A record is a function of (seed, number), so that an exact repetition is the same number again.
"""

from __future__ import annotations

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
from schemas.arrays import Int64Array, UInt64Array

COLUMNS = (
    "record_id", "switch_id", "record_type", "direction", "msisdn", "imsi", "imei", "called_number", "cell_id", "zone",
    "start_time", "duration_s", "bytes_up", "bytes_down", "quantity", "release_cause", "call_reference",
)  # fmt: skip
"""`quantity` is in the unit of the record type: seconds of a voice call, 1 message, bytes of data."""
BLOCK = 1 << 15
"""Records made at a time: their matrix stays in the processor's cache."""
LAG_MAX = 200_000
"""A repetition follows its original by at most this many records."""
BAD_EVERY = 1000
BAD_AT = 550
BAD_KINDS = (
    "quantity_text", "no_zone", "unknown_number", "unknown_type", "cut", "no_such_day", "negative", "too_precise",
    "no_identity", "nul", "not_utf8", "conflict", "no_time",
)  # fmt: skip
"""What is wrong with bad records, in turn."""
SUBSCRIBERS_MAX = 10_000_000

_VOICE, _SMS, _DATA = 0, 1, 2
_LAYOUT = Layout.of(
    *number("record", 4), ",msc-paris-", ("switch", 2), ",", ("type", 8), ",", ("direction", 4),
    ",336", *number("msisdn", 2), ",2080100", *number("imsi", 2), ",35", *number("imei", 3), "7,", ("called", 4),
    *number("called_digits", 2), ",208-01-", *number("cell", 2), ",", ("zone", 8), ",", *INSTANT, "Z,",
    *number("duration", 2), ",", *number("up", 3), ",", *number("down", 3), ",", *number("quantity", 3), ",",
    ("cause", 4), ",ref", *number("reference", 4), "\n", slack=8,
)  # fmt: skip
_SWITCHES = words([f"{switch:02d}" for switch in range(100)], 2)
_TYPES = words(["voice", "sms", "data"], 8)
_DIRECTIONS = words(["out", "in"], 4)
_ZONES = words(["national", "eu", "world"], 8)
_CALLED = words(["336", "4420", "1415", "apn-"], 4)
_CAUSES = words(["16", "31", "127"], 4)


def subscriber_number(subscriber: Int64Array) -> Int64Array:
    """Return (n,) the eight last digits of each subscriber's telephone number, all different, in no visible order."""
    return (subscriber * 61_803_399 + 12_345_678) % 100_000_000


def write_telephony(
    directory: Path,
    *,
    records: int,
    subscribers: int,
    seed: int,
    files: int = 4,
    duplicate_every: int = 100,
    bad: bool = False,
    on_records: Callable[[int], None] | None = None,
) -> list[Path]:
    """Write `telephony-NNNN.csv` files with a header each; return them in the order in which they are to be read.

    Args:
        directory: made when absent.
        records: lines of all files together, repetitions and bad ones included.
        subscribers: how many; a few use far more than most.
        seed: the same seed gives the same bytes.
        files: how many files share the records.
        duplicate_every: each so-many-th record repeats an earlier one, often of another file; 0 for none.
        bad: spoil one record in a thousand, each of BAD_KINDS in turn.
        on_records: told how many records were written since the last call.
    """
    assert 0 < subscribers <= SUBSCRIBERS_MAX
    assert records < 10**12
    return write_sequence(
        [directory / f"telephony-{part + 1:04d}.csv" for part in range(files)],
        records=records,
        header=(",".join(COLUMNS) + "\n").encode(),
        block_records=BLOCK,
        block=_Month(records, subscribers, seed, duplicate_every, bad=bad).block,
        on_records=on_records,
    )


class _Month:
    """The month's usage, made block by block."""

    def __init__(self, records: int, subscribers: int, seed: int, duplicate_every: int, *, bad: bool) -> None:
        self._records = records
        self._subscribers = subscribers
        self._seed = seed
        self._duplicate_every = duplicate_every
        self._bad = bad

    def block(self, position: Int64Array) -> bytes:
        """Return the lines at `position` (n,)."""
        index = repeat_some(self._seed, position, every=self._duplicate_every, lag_max=LAG_MAX)
        rows = self._rows(index)
        if self._bad:
            for row in np.flatnonzero(index % BAD_EVERY == BAD_AT):
                self._spoil(rows, int(row), int(index[row]))
        return text_of(rows)

    def _rows(self, index: Int64Array) -> Rows:
        rows = _LAYOUT.rows(len(index))
        who, what, size = (draw(self._seed, stream, index) for stream in range(3))
        subscriber = self._subscriber(who)
        usage = bits(who, 0, 8)
        kind = np.where(usage < 115, _VOICE, np.where(usage < 154, _SMS, _DATA))
        put_padded(rows, "record", index + self._seed % 10_000 * 10**12)
        rows["switch"] = _SWITCHES[bits(what, 0, 5)]
        rows["type"] = _TYPES[kind]
        rows["direction"] = _DIRECTIONS[(bits(what, 5, 6) == 0).view(np.int8)]
        put_padded(rows, "msisdn", subscriber_number(subscriber))
        put_padded(rows, "imsi", subscriber)
        put_padded(rows, "imei", subscriber * 77_003 % 10**12)
        where = bits(what, 11, 8)
        zone = (where > 230).view(np.int8) + (where > 248).view(np.int8)
        rows["zone"] = _ZONES[zone]
        rows["called"] = _CALLED[np.where(kind == _DATA, 3, zone)]
        put_padded(rows, "called_digits", bits(what, 19, 26))
        put_padded(rows, "cell", bits(what, 45, 17))
        put_instant(rows, self._instant(index, size))
        self._measures(rows, kind, what, size)
        rows["cause"] = _CAUSES[bits(who, 8, 1) + bits(who, 9, 1)]
        put_padded(rows, "reference", bits(what, 12, 52))
        return rows

    def _subscriber(self, who: UInt64Array) -> Int64Array:
        share = who >> np.uint64(32)
        return below(share * share, self._subscribers)  # density 1 / (2 * sqrt(rank))

    def _instant(self, index: Int64Array, size: UInt64Array) -> Int64Array:
        """Return seconds since 1970: records come in the order of their ends, so starts run up to an hour back."""
        end = MONTH_START_S + index * (MONTH_END_S - MONTH_START_S) // self._records
        start: Int64Array = np.maximum(end - bits(size, 48, 12), MONTH_START_S)
        return start

    @staticmethod
    def _measures(
        rows: Rows,
        kind: Int64Array,
        what: UInt64Array,
        size: UInt64Array,
    ) -> None:
        a, b, c = bits(size, 0, 16), bits(size, 16, 16), bits(size, 32, 16)
        duration = np.where(kind == _SMS, 0, ((a * b) >> 16) * c * 3600 >> 32)
        is_data = kind == _DATA
        down = np.where(is_data, (a * b * c) >> 18, 0)
        up = np.where(is_data, (bits(what, 0, 16) * bits(what, 16, 16)) >> 10, 0)
        quantity = np.where(kind == _VOICE, duration, np.where(kind == _SMS, 1, up + down))
        put_number(rows, "duration", duration)
        put_number(rows, "up", up)
        put_number(rows, "down", down)
        put_number(rows, "quantity", quantity)

    def _spoil(self, rows: Rows, row: int, index: int) -> None:
        """Make the record at `row` wrong in one way, which depends on its number only."""
        kind = BAD_KINDS[index // BAD_EVERY % len(BAD_KINDS)]
        source = rows if kind != "conflict" else self._rows(np.array([index - 1], np.int64))
        fields = row_text(source, row if source is rows else 0).rstrip(b"\n").split(b",")
        cell = {name: COLUMNS.index(name) for name in COLUMNS}
        match kind:
            case "quantity_text":
                fields[cell["quantity"]] = b"many"
            case "no_zone":
                fields[cell["start_time"]] = fields[cell["start_time"]].rstrip(b"Z")
            case "unknown_number":
                fields[cell["msisdn"]] = b"337" + fields[cell["msisdn"]][3:]
            case "unknown_type":
                fields[cell["record_type"]] = b"fax"
            case "cut":
                fields = fields[:9]
            case "no_such_day":
                fields[cell["start_time"]] = b"2026-10-32T00:00:00Z"
            case "negative":
                fields[cell["quantity"]] = b"-1"
            case "too_precise":
                fields[cell["quantity"]] = b"1.00005"
            case "no_identity":
                fields[cell["record_id"]] = b""
            case "nul":
                fields[cell["cell_id"]] = b"208\0"
            case "not_utf8":
                fields[cell["called_number"]] = b"\xc3("
            case "conflict":
                fields[cell["quantity"]] = b"7777"
            case "no_time":
                fields[cell["start_time"]] = b""
        replace_row(rows, row, b",".join(fields) + b"\n")
