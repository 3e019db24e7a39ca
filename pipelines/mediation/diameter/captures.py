"""Messages of Diameter in a capture: streams of TCP put together again, chunks of SCTP, whatever the ports."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO, NamedTuple

from pipelines.mediation.diameter.codes import VERSION
from pipelines.mediation.diameter.messages import HEADER_BYTES, LENGTH_MASK, MESSAGE_BYTES_MAX
from pipelines.mediation.diameter.packets import TCP, Segment, read_segments

STREAMS_MAX = 65_536
"""Directions of connections that are followed at once; the one that was silent longest is forgotten first."""
AHEAD_BYTES_MAX = 4 << 20
"""What a direction may hold of segments that came before their turn; then what is missing counts as lost."""
CHUNKS_KEPT = 1024
"""Numbers of chunks by which a direction knows that one comes again."""
_SYN = 0x02
_SEQUENCE = 2**32


class Captured(NamedTuple):
    """One message. `at`: microseconds UTC of the packet that completed it; ends are `ADDRESS:PORT`."""

    at: int
    source: str
    destination: str
    transport: str
    data: bytes


@dataclass(slots=True)
class CaptureSheet:
    """What a capture held: packets, and those of them that carried neither TCP nor SCTP whole."""

    packets: int = 0
    passed_over: int = 0
    lost: int = 0
    """Places where a stream went on without what should have come."""


def is_message(data: bytes) -> bool:
    """Whether bytes can begin a message: version, length, reserved flags."""
    if len(data) < 8:
        return False
    length = int.from_bytes(data[1:4])
    plausible = HEADER_BYTES <= length <= MESSAGE_BYTES_MAX and length % 4 == 0
    return data[0] == VERSION and plausible and not data[4] & 0x0F


def read_capture(stream: BinaryIO, sheet: CaptureSheet) -> Iterator[Captured]:
    """Yield the messages of a capture in the order in which they were complete; count in `sheet`.

    Raises:
        UnableToReadCapture: when it is no capture, or ends within a packet.
    """
    directions: OrderedDict[tuple[str, str, int], _Stream | _Chunks] = OrderedDict()
    for segment in read_segments(stream):
        sheet.packets += 1
        if segment is None or len(segment.data) < 12:
            sheet.passed_over += 1
            continue
        ports = (int.from_bytes(segment.data[:2]), int.from_bytes(segment.data[2:4]))
        source, destination = (
            f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
            for host, port in zip((segment.source, segment.destination), ports, strict=True)
        )
        key = (source, destination, segment.protocol)
        direction = directions.get(key)
        if direction is None:
            direction = directions[key] = _Stream() if segment.protocol == TCP else _Chunks()
            if len(directions) > STREAMS_MAX:
                directions.popitem(last=False)
        directions.move_to_end(key)
        transport = "TCP" if segment.protocol == TCP else "SCTP"
        for message in direction.take(segment, sheet):
            yield Captured(segment.at, source, destination, transport, message)


@dataclass(slots=True)
class _Stream:
    """One direction of a TCP connection.

    Attributes:
        next: the sequence number that comes next, -1 before the first. ahead: segments by number that came too early.
        held: bytes that are no whole message yet.
    """

    next: int = -1
    ahead: dict[int, bytes] = field(default_factory=dict)
    held: bytearray = field(default_factory=bytearray)

    def take(self, segment: Segment, sheet: CaptureSheet) -> Iterator[bytes]:
        data = segment.data
        if len(data) < 20 or (head := (data[12] >> 4) * 4) < 20:
            return
        sequence, payload = int.from_bytes(data[4:8]), data[head:]
        if data[13] & _SYN:
            self.next, self.ahead = (sequence + 1) % _SEQUENCE, {}
            self.held.clear()
            return
        if not payload:
            return
        if self.next < 0:
            if not is_message(payload):  # it was open before the capture began: wait for the start of a message
                return
            self.next = sequence
        self.ahead[sequence] = max(self.ahead.get(sequence, b""), payload, key=len)
        self._append_what_follows()
        if self.ahead and sum(map(len, self.ahead.values())) > AHEAD_BYTES_MAX:
            sheet.lost += 1
            self._skip()
        yield from self._messages(sheet)

    def _append_what_follows(self) -> None:
        found = True
        while found:
            found = False
            for sequence in list(self.ahead):
                behind = (self.next - sequence) % _SEQUENCE
                if behind < _SEQUENCE // 2:  # not ahead of what is known
                    payload = self.ahead.pop(sequence)
                    if behind < len(payload):
                        self.held += payload[behind:]
                        self.next = (sequence + len(payload)) % _SEQUENCE
                        found = True

    def _skip(self) -> None:
        """Go on behind what is missing, where a message begins."""
        self.held.clear()
        order = sorted(self.ahead, key=lambda sequence: (sequence - self.next) % _SEQUENCE)
        for sequence in order:
            if is_message(self.ahead[sequence]):
                self.next = sequence
                self._append_what_follows()
                return
            del self.ahead[sequence]
        self.next = -1

    def _messages(self, sheet: CaptureSheet) -> Iterator[bytes]:
        held = self.held
        while len(held) >= HEADER_BYTES:
            if not is_message(bytes(held[:8])):
                sheet.lost += 1
                held.clear()
                self.next, self.ahead = -1, {}
                return
            length = int.from_bytes(held[:4]) & LENGTH_MASK
            if len(held) < length:
                return
            yield bytes(held[:length])
            del held[:length]


@dataclass(slots=True)
class _Chunks:
    """One direction of an SCTP association.

    Attributes:
        seen: numbers of chunks that came. parts: of messages that are not whole: first number, bytes.
    """

    seen: OrderedDict[int, None] = field(default_factory=OrderedDict)
    parts: OrderedDict[int, tuple[int, bytes]] = field(default_factory=OrderedDict)

    def take(self, segment: Segment, sheet: CaptureSheet) -> Iterator[bytes]:
        data, at = segment.data, 12
        while at + 4 <= len(data):
            kind, flags, size = data[at], data[at + 1], int.from_bytes(data[at + 2 : at + 4])
            if size < 4 or at + size > len(data):
                return
            if kind == 0 and size > 16:
                number = int.from_bytes(data[at + 4 : at + 8])
                if number not in self.seen:
                    self.seen[number] = None
                    if len(self.seen) > CHUNKS_KEPT:
                        self.seen.popitem(last=False)
                    yield from self._data(number, flags, data[at + 16 : at + size])
            at += size + (-size & 3)

    def _data(self, number: int, flags: int, payload: bytes) -> Iterator[bytes]:
        begins, ends = flags & 2, flags & 1
        if begins and ends:
            whole = payload
        else:
            first, before = (number, b"") if begins else self.parts.pop(number - 1, (-1, b""))
            if first < 0:
                return  # its beginning was not captured
            whole = before + payload
            if not ends:
                if len(whole) <= MESSAGE_BYTES_MAX:
                    self.parts[number] = (first, whole)
                if len(self.parts) > CHUNKS_KEPT:
                    self.parts.popitem(last=False)
                return
        if is_message(whole) and int.from_bytes(whole[1:4]) == len(whole):
            yield whole
