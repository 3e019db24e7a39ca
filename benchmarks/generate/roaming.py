"""Usage of roamers as a visited network sends it: TAP 3.12 files whose sums are right.

An event is a function of (seed, number). Elements are written by application tag (`pipelines.mediation.tap.tags` has what they
are called); whole numbers are drawn from ranges in which their shortest form has one length, so that events of a kind are
equally long and are made by the thousand.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from benchmarks.generate.draws import below, draw
from schemas.arrays import Int64Array, UInt8Array

BLOCK = 1 << 13
"""Groups of events made at a time."""
GROUP = 5
"""How many events stand together: two calls made, one received, two data sessions."""
START_S = 1_777_593_600
"""2026-05-01T00:00:00Z."""
PERIOD_S = 31 * 86_400
PLACES = 5
TOTAL = b"00"
IMSI_PREFIX = "208010"
"""Of imsis of fifteen digits; eight of the subscriber and a zero follow."""
SUBSCRIBERS_MAX = 10_000_000


def tlv(tag: int, *contents: bytes, indefinite: bool = False, held: bool | None = None) -> bytes:
    """Return the element of an application tag.

    Args:
        tag: its number.
        contents: what it holds, joined.
        indefinite: give it an indefinite length.
        held: it holds other elements (constructed); by default several contents mean that.
    """
    body = b"".join(contents)
    constructed = len(contents) > 1 if held is None else held
    first = 0x40 | (0x20 if constructed else 0)
    if tag < 31:
        head = bytes([first | tag])
    else:
        septets = [tag & 127]
        while tag := tag >> 7:
            septets.append(128 | (tag & 127))
        head = bytes([first | 31, *reversed(septets)])
    if indefinite:
        return head + b"\x80" + body + b"\0\0"
    if len(body) < 128:
        return head + bytes([len(body)]) + body
    size = len(body).to_bytes((len(body).bit_length() + 7) // 8, "big")
    return head + bytes([128 | len(size)]) + size + body


def number(tag: int, value: int) -> bytes:
    """Return an INTEGER in its shortest form."""
    size = (value + (value < 0)).bit_length() // 8 + 1
    return tlv(tag, value.to_bytes(size, "big", signed=True))


def bcd(tag: int, digits: str) -> bytes:
    """Return a string of digits, two in an octet, filled up with F."""
    return tlv(tag, bytes.fromhex(digits + "f" * (len(digits) % 2)))


def time_of(tag: int, seconds: int, code: int = 0) -> bytes:
    """Return a local time with the code of its offset; `seconds` since 1970 are local."""
    text = datetime.fromtimestamp(seconds, UTC).strftime("%Y%m%d%H%M%S").encode()
    return tlv(tag, tlv(16, text), number(232, code))


def stamp(tag: int, seconds: int) -> bytes:
    """Return a time of the file itself, in UTC."""
    text = datetime.fromtimestamp(seconds, UTC).strftime("%Y%m%d%H%M%S").encode()
    return tlv(tag, tlv(16, text), tlv(231, b"+0000"))


def head_of(sender: str, recipient: str, sequence: int, *, test: bool = False) -> bytes:
    """Return what comes before the events: who, in which money, where."""
    kind = [tlv(110, b"T")] if test else []
    control = tlv(
        4,
        tlv(196, sender.encode()),
        tlv(182, recipient.encode()),
        tlv(109, b"%05d" % (sequence % 100_000)),
        stamp(108, START_S + PERIOD_S),
        stamp(227, START_S + PERIOD_S),
        stamp(107, START_S + PERIOD_S),
        number(201, 3),
        number(189, 12),
        *kind,
    )
    rate = tlv(106, number(105, 0), number(159, 5), number(104, 116_203))
    accounting = tlv(5, tlv(135, b"GBP"), tlv(210, b"SDR"), tlv(80, rate, held=True), number(244, PLACES))
    offset = tlv(233, number(232, 0), tlv(231, b"+0100"))
    entities = [
        tlv(183, number(184, code), number(186, kind), tlv(400, name))
        for code, kind, name in ((0, 1, b"447785000001"), (1, 3, b"192.0.2.20"))
    ]
    network = tlv(6, tlv(234, offset, held=True), tlv(188, *entities))
    return control + accounting + network


def audit_of(count: int, charge: int, tax: int, earliest: int, latest: int) -> bytes:
    """Return what comes after the events."""
    return tlv(
        15,
        stamp(101, earliest),
        stamp(133, latest),
        number(415, charge),
        number(226, tax),
        number(225, 0),
        number(43, count),
    )


MARKS = {
    "imsi": b"\xa1" * 4, "msisdn": b"\xa2" * 5, "called": b"\xa3" * 4, "time": b"\xa4" * 14, "duration": b"\xa5" * 2,
    "charge": b"\xa6" * 3, "tax": b"\xa7" * 2, "reference": b"\xa8" * 4, "down": b"\xa9" * 4, "up": b"\xaa" * 3,
    "cell": b"\xab" * 2,
}  # fmt: skip
"""What stands for a value in a template."""


@dataclass(frozen=True, slots=True)
class Template:
    """One event as bytes.

    Attributes:
        octets: the event with marks in it; places: where the values of each mark begin.
    """

    octets: bytes
    places: dict[str, list[int]]


def _template(octets: bytes) -> Template:
    places = {
        name: [place for place in range(len(octets)) if octets.startswith(mark, place)] for name, mark in MARKS.items()
    }
    return Template(octets, {name: found for name, found in places.items() if found})


def _templates(*, indefinite: bool) -> list[Template]:
    """Return a group of events: two calls made, one received, two data sessions."""

    def held(tag: int, *contents: bytes) -> bytes:
        return tlv(tag, *contents, indefinite=indefinite, held=True)

    imsi = tlv(129, bytes.fromhex(IMSI_PREFIX) + MARKS["imsi"] + b"\x0f")
    msisdn = tlv(152, b"\x33" + MARKS["msisdn"])
    subscriber = held(427, held(199, imsi, msisdn))
    start = held(44, tlv(16, MARKS["time"]), number(232, 0))
    detail = held(63, tlv(71, TOTAL), tlv(62, MARKS["charge"]), tlv(65, MARKS["duration"]), tlv(68, MARKS["duration"]))
    airtime = held(63, tlv(71, b"01"), number(62, 7))
    tax = held(214, held(213, number(212, 1), tlv(397, MARKS["tax"])))
    charged = held(70, held(69, tlv(66, b"D"), number(105, 0), held(64, detail, airtime), tax))
    service = held(38, held(39, held(36, held(426, tlv(218, b"11"))), charged))
    network = held(
        138, held(156, number(184, 0), tlv(45, MARKS["reference"]), number(136, 1234), tlv(59, MARKS["cell"]))
    )
    called = held(89, tlv(407, b"\x44\x16\x32" + MARKS["called"]), tlv(279, b"0044163296"))
    made = held(9, held(147, subscriber, called, start, tlv(223, MARKS["duration"])), network, service)
    calling = held(41, tlv(405, b"\x44\x16\x32" + MARKS["called"]))
    received = held(10, held(153, subscriber, calling, start, tlv(223, MARKS["duration"])), network, service)
    volume = held(63, tlv(71, TOTAL), tlv(62, MARKS["charge"]), tlv(65, MARKS["down"]), tlv(68, MARKS["down"]))
    session = held(
        14,
        held(
            114,
            held(115, subscriber, tlv(167, b"10.40.93.32")),
            held(116, tlv(261, b"internet")),
            start,
            tlv(223, MARKS["duration"]),
            tlv(72, MARKS["reference"]),
        ),
        held(117, held(118, held(185, number(184, 0), number(184, 1)), number(136, 1234), tlv(59, MARKS["cell"]))),
        held(
            121,
            tlv(250, MARKS["down"]),
            tlv(251, MARKS["up"]),
            held(70, held(69, tlv(66, b"X"), number(105, 0), held(64, volume))),
        ),
    )
    return [_template(item) for item in (made, session, received, made, session)]


def _put(rows: UInt8Array, places: list[int], value: Int64Array, size: int) -> None:
    for place in places:
        for i in range(size):
            rows[:, place + i] = (value >> (8 * (size - 1 - i))) & 255


def _put_digits(rows: UInt8Array, places: list[int], value: Int64Array, digits: int) -> None:
    for place in places:
        for i in range(0, digits, 2):
            pair = value // 10 ** (digits - 2 - i) % 100
            rows[:, place + i // 2] = (pair // 10 << 4) | pair % 10


def _clock_digits(seconds: Int64Array) -> UInt8Array:
    """Return (n, 14) the digits of local times."""
    text = np.datetime_as_string(seconds.astype("datetime64[s]"), unit="s")
    characters = np.array(text, "S19").view(np.uint8).reshape(-1, 19)
    return characters[:, [0, 1, 2, 3, 5, 6, 8, 9, 11, 12, 14, 15, 17, 18]]


def _fill(
    rows: UInt8Array, template: Template, index: Int64Array, seed: int, subscribers: int
) -> tuple[Int64Array, ...]:
    """Write the values of events `index` over a template's marks; return (charge, tax, local start)."""
    places = template.places
    words = [draw(seed, 40 + stream, index) for stream in range(7)]
    subscriber = below(words[0], subscribers)
    _put_digits(rows, places["imsi"], subscriber, 8)
    _put_digits(rows, places["msisdn"], (600_000_000 + subscriber) * 10, 10)
    rows[:, places["msisdn"][0] + 4] |= 15
    local = START_S + below(words[1], PERIOD_S)
    for place in places["time"]:
        rows[:, place : place + 14] = _clock_digits(local)
    charge, tax = 65_536 + below(words[2], 1_000_000), np.zeros(len(index), np.int64)
    _put(rows, places["charge"], charge, 3)
    _put(rows, places["duration"], 256 + below(words[3], 30_000), 2)
    if "tax" in places:
        tax = 256 + below(words[4], 30_000)
        _put(rows, places["tax"], tax, 2)
    for name, size, stream, bound in (("reference", 4, 5, 1 << 30), ("cell", 2, 6, 30_000)):
        _put(rows, places[name], 1 << (8 * size - 2) | below(words[stream], bound), size)
    if "called" in places:
        _put_digits(rows, places["called"], below(words[6], 100_000_000), 8)
    if "down" in places:
        for name, size, stream in (("down", 4, 4), ("up", 3, 3)):
            _put(rows, places[name], 1 << (8 * size - 3) | below(words[stream], 1 << (8 * size - 4)), size)
    return charge, tax, local


def roamer_number(subscriber: Int64Array) -> Int64Array:
    """Return (n,) the imsi of each subscriber."""
    return int(IMSI_PREFIX) * 10**9 + subscriber * 10


def write_roaming(directory: Path, *, records: int, subscribers: int, seed: int) -> list[Path]:
    """Write two files, the second of which begins with events that the first has already: one in a hundred."""
    directory.mkdir(parents=True, exist_ok=True)
    half = records // 2 // GROUP * GROUP
    again = max(GROUP, half // 50 // GROUP * GROUP)
    return [
        write_tap(
            directory / f"CDGBRAAFRAF1{sequence:05d}",
            records=count,
            subscribers=subscribers,
            seed=seed,
            sequence=sequence,
            first=first,
        )
        for sequence, count, first in ((1, half, 0), (2, records - half, max(half - again, 0)))
    ]


def write_tap(
    path: Path,
    *,
    records: int,
    subscribers: int,
    seed: int,
    sequence: int = 1,
    first: int = 0,
    indefinite: bool = False,
    test: bool = False,
) -> Path:
    """Write one file of `records` events: the events `first`, … of the seed.

    Args:
        path: the file to write.
        records: events: calls made and received, data sessions.
        subscribers: how many of the recipient's subscribers roamed.
        seed: the same seed gives the same bytes.
        sequence: the file's number from its sender to its recipient.
        first: a multiple of `GROUP`.
        indefinite: all that holds other elements has an indefinite length.
        test: mark it as a test file.
    """
    assert 0 < subscribers <= SUBSCRIBERS_MAX
    assert first % GROUP == 0
    templates = _templates(indefinite=indefinite)
    group = np.frombuffer(b"".join(template.octets for template in templates), np.uint8)
    bounds = np.cumsum([0, *(len(template.octets) for template in templates)])
    size = records // len(templates) * len(group) + int(bounds[records % len(templates)])
    head = head_of("GBRAA", "FRAF1", sequence, test=test)
    charge = tax = 0
    span = [START_S + PERIOD_S, START_S]
    with path.open("wb") as file:
        begin = b"\x61\x80" + head + b"\x63"
        file.write(begin + (b"\x80" if indefinite else b"\x88" + size.to_bytes(8, "big")))
        for begun in range(0, records, BLOCK * len(templates)):
            count = min(BLOCK * len(templates), records - begun)
            groups = -(-count // len(templates))
            rows = np.tile(group, (groups, 1))
            for kind, template in enumerate(templates):
                place = begun + kind + len(templates) * np.arange(groups, dtype=np.int64)
                part = rows[:, bounds[kind] : bounds[kind + 1]]
                charges, taxes, local = _fill(part, template, first + place, seed, subscribers)
                real = place < records
                charge, tax = charge + int(charges[real].sum()), tax + int(taxes[real].sum())
                if real.any():
                    span = [min(span[0], int(local[real].min())), max(span[1], int(local[real].max()))]
            whole = rows.tobytes()
            file.write(whole[: count // len(templates) * len(group) + int(bounds[count % len(templates)])])
        file.write(b"\0\0" if indefinite else b"")
        earliest, latest = (span[0] - 3_600, span[1] - 3_600) if records else (START_S, START_S)
        file.write(audit_of(records, charge, tax, earliest, latest) + b"\0\0")
    return path
