"""Charging data records of a P-GW (3GPP TS 32.298) in BER, back to back: data sessions of one month.

Every record has the same length: two elements in its list of services, one for each of two rating groups. A record is a
function of (seed, number), so that an exact repetition is the same number again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.generate.draws import below, bits, draw
from benchmarks.generate.period import MONTH_END_S, MONTH_START_S
from benchmarks.generate.sequence import repeat_some, write_sequence
from benchmarks.generate.telephony import LAG_MAX, SUBSCRIBERS_MAX, subscriber_number
from schemas.arrays import Int64Array, UInt8Array

BLOCK = 1 << 13
"""Records made at a time."""
RATING_GROUPS = (10, 20, 30, 40)
CAUSES = (0, 16, 17, 18)
"""Normal release, volume limit, time limit, change of serving node."""
RECORDS_MAX = 1 << 31
"""Local sequence numbers are positive integers of four octets."""


@dataclass(frozen=True)
class _Piece:
    """Octets, and where in them the values are that differ from record to record."""

    octets: bytes
    places: dict[str, tuple[int, int]]


def _value(tag: str, contents: str | int, name: str = "") -> _Piece:
    """Return a primitive: octets in hexadecimal, or so many that are filled in under `name`."""
    octets = bytes(contents) if isinstance(contents, int) else bytes.fromhex(contents)
    head = bytes.fromhex(tag) + bytes([len(octets)])
    return _Piece(head + octets, {name: (len(head), len(head) + len(octets))} if name else {})


def _joined(tag: str, *pieces: _Piece) -> _Piece:
    """Return pieces in a constructed value with two octets of length."""
    size = sum(len(piece.octets) for piece in pieces)
    octets = bytes.fromhex(tag) + b"\x82" + size.to_bytes(2, "big")
    places: dict[str, tuple[int, int]] = {}
    for piece in pieces:
        places |= {name: (start + len(octets), end + len(octets)) for name, (start, end) in piece.places.items()}
        octets += piece.octets
    return _Piece(octets, places)


def _service(number: int) -> _Piece:
    return _joined(
        "30",
        _value("81", 1, f"group{number}"),
        _value("84", f"{number:02x}"),
        _value("85", 9, f"first{number}"),
        _value("86", 9, f"last{number}"),
        _value("87", 2, f"time{number}"),
        _value("88", "058000000000"),
        _value("8c", 4, f"up{number}"),
        _value("8d", 5, f"down{number}"),
        _value("8e", 9, f"report{number}"),
        _value("91", "64"),
        _value("94", "8202f810000102f81000000101"),
        _value("9e", "06"),
    )


_RECORD = _joined(
    "bf4f",
    _value("80", "55"),
    _value("83", 8, "imsi"),
    _joined("a4", _value("80", "c0000214")),
    _value("85", 4, "charging"),
    _joined("a6", _value("80", "c000020a")),
    _value("87", b"internet".hex()),
    _value("88", "f121"),
    _joined("a9", _joined("a0", _value("80", 4, "address"))),
    _value("8b", "ff"),
    _value("8d", 9, "opened"),
    _value("8e", 2, "duration"),
    _value("8f", 1, "cause"),
    _value("91", 1, "partial"),
    _value("92", b"pgw1".hex()),
    _value("94", 4, "sequence"),
    _value("95", "00"),
    _value("96", 7, "msisdn"),
    _value("97", "0800"),
    _value("9b", "02f810"),
    _value("9d", "5396833065340819"),
    _value("9e", "06"),
    _value("9f1f", "4000"),
    _value("9f20", "8202f810000102f81000000101"),
    _joined("bf22", _service(1), _service(2)),
    _joined("bf23", _value("0a", "02")),
)
RECORD_BYTES = len(_RECORD.octets)


def write_network(
    directory: Path,
    *,
    records: int,
    subscribers: int,
    seed: int,
    files: int = 4,
    duplicate_every: int = 100,
    on_records: Callable[[int], None] | None = None,
) -> list[Path]:
    """Write `pgw-NNNN.ber` files; return them in the order in which they are to be read.

    Args:
        directory: made when absent.
        records: CDRs of all files together, repetitions included.
        subscribers: how many; a few use far more than most. Their numbers are those of `telephony`.
        seed: the same seed gives the same bytes.
        files: how many files share the records.
        duplicate_every: each so-many-th record repeats an earlier one, often of another file; 0 for none.
        on_records: told how many records were written since the last call.
    """
    assert 0 < subscribers <= SUBSCRIBERS_MAX
    assert records < RECORDS_MAX
    month = _Month(records, subscribers, seed, duplicate_every)
    return write_sequence(
        [directory / f"pgw-{part + 1:04d}.ber" for part in range(files)],
        records=records,
        header=b"",
        block_records=BLOCK,
        block=month.block,
        on_records=on_records,
    )


class _Month:
    """The month's sessions, made block by block."""

    def __init__(self, records: int, subscribers: int, seed: int, duplicate_every: int) -> None:
        self._records = records
        self._subscribers = subscribers
        self._seed = seed
        self._duplicate_every = duplicate_every

    def block(self, position: Int64Array) -> bytes:
        """Return the records at `position` (n,)."""
        index = repeat_some(self._seed, position, every=self._duplicate_every, lag_max=LAG_MAX)
        rows = np.tile(np.frombuffer(_RECORD.octets, np.uint8), (len(index), 1))
        who, what, size = (draw(self._seed, stream, index) for stream in range(10, 13))
        share = who >> np.uint64(32)
        subscriber = below(share * share, self._subscribers)
        opened = MONTH_START_S + index * (MONTH_END_S - MONTH_START_S) // self._records
        duration = bits(size, 0, 12)
        self._put(rows, "imsi", _swapped(_digits(208_010_000_000_000 + subscriber, 15)))
        self._put(rows, "msisdn", _numbered(_swapped(_digits(33_600_000_000 + subscriber_number(subscriber), 11))))
        self._put(rows, "charging", _octets(bits(what, 0, 31), 4))
        self._put(rows, "address", _octets((10 << 24) + bits(what, 31, 24), 4))
        self._put(rows, "opened", _stamp(opened))
        self._put(rows, "duration", _octets(duration, 2))
        self._put(rows, "cause", np.array(CAUSES, np.uint8)[bits(what, 55, 2)][:, None])
        self._put(rows, "partial", _octets(bits(what, 57, 6), 1))
        self._put(rows, "sequence", _octets(index, 4))
        for number, low in ((1, 12), (2, 30)):
            first = opened + duration * (number - 1) // 2
            group = np.array(RATING_GROUPS, np.uint8)[bits(size, low, 1) + 2 * (number - 1)]
            self._put(rows, f"group{number}", group[:, None])
            self._put(rows, f"first{number}", _stamp(first))
            self._put(rows, f"last{number}", _stamp(opened + duration))
            self._put(rows, f"report{number}", _stamp(opened + duration))
            self._put(rows, f"time{number}", _octets(opened + duration - first, 2))
            self._put(rows, f"up{number}", _octets(bits(size, low, 18) * bits(what, 8, 8), 4))
            self._put(rows, f"down{number}", _octets(bits(size, low, 18) * bits(what, 16, 14), 5))
        return rows.tobytes()

    @staticmethod
    def _put(rows: UInt8Array, name: str, octets: UInt8Array) -> None:
        start, end = _RECORD.places[name]
        rows[:, start:end] = octets


def _octets(values: Int64Array, count: int) -> UInt8Array:
    """Return (n, count) octets of non-negative numbers, the highest first."""
    shifts = np.arange(count - 1, -1, -1) * 8
    return (values[:, None] >> shifts & 255).astype(np.uint8)


def _digits(values: Int64Array, count: int) -> Int64Array:
    """Return (n, count) decimal digits."""
    powers = 10 ** np.arange(count - 1, -1, -1, dtype=np.int64)
    digits: Int64Array = values[:, None] // powers % 10
    return digits


def _swapped(digits: Int64Array) -> UInt8Array:
    """Return TBCD of digits of an odd number: two an octet, the low nibble first, then a filler."""
    filled = np.concatenate((digits, np.full((len(digits), 1), 15)), axis=1)
    octets: UInt8Array = (filled[:, 0::2] | filled[:, 1::2] << 4).astype(np.uint8)
    return octets


def _numbered(octets: UInt8Array) -> UInt8Array:
    """Return the digits of an international telephone number after their octet of type and plan."""
    return np.concatenate((np.full((len(octets), 1), 0x91, np.uint8), octets), axis=1)


def _stamp(seconds: Int64Array) -> UInt8Array:
    """Return (n, 9) time stamps in UTC."""
    days = seconds // 86_400
    date = days.astype("datetime64[D]")
    month = date.astype("datetime64[M]")
    year = date.astype("datetime64[Y]")
    parts = (
        year.astype(np.int64) + 1970 - 2000,
        (month - year.astype("datetime64[M]")).astype(np.int64) + 1,
        (date - month.astype("datetime64[D]")).astype(np.int64) + 1,
        seconds // 3600 % 24,
        seconds // 60 % 60,
        seconds % 60,
    )
    stamp = np.zeros((len(seconds), 9), np.uint8)
    stamp[:, :6] = np.stack([part // 10 << 4 | part % 10 for part in parts], axis=1)
    stamp[:, 6] = ord("+")
    return stamp
