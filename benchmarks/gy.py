"""A network element that charges data sessions over Gy (RFC 8506, TS 32.299), with an encoding of its own.

Nothing of the product is in here: what it reads wrongly, a server that writes wrongly would not hide.
"""

from __future__ import annotations

import asyncio
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

MEGABYTE = 1_000_000
QUOTA_MB = 20
UPDATES_MAX = 3
"""A session has one to so many updates between its first request and its last."""
CAPABILITIES, CREDIT_CONTROL, WATCHDOG = 257, 272, 280
SUCCESS = 2001
_REQUEST, _PROXIABLE, _MANDATORY = 0x80, 0x40, 0x40
_HEADER = struct.Struct(">IIIII")
_RESULT_CODE, _SERVICES, _GRANTED, _OCTETS = 268, 456, 431, 421


def avp(code: int, data: bytes | int | str, size: int = 4) -> bytes:
    """Return one AVP without vendor, padded (RFC 6733 §4.1)."""
    content = data.to_bytes(size, "big") if isinstance(data, int) else data.encode() if isinstance(data, str) else data
    return struct.pack(">II", code, _MANDATORY << 24 | 8 + len(content)) + content + bytes(-len(content) % 4)


def message(command: int, application: int, ids: tuple[int, int], avps: bytes, flags: int = _REQUEST) -> bytes:
    """Return a message (RFC 6733 §3)."""
    return _HEADER.pack(1 << 24 | 20 + len(avps), flags << 24 | command, application, *ids) + avps


def avps_of(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Return the AVPs of a message's body or of a group: code and data."""
    at = 0
    while at < len(data):
        code, rest = struct.unpack_from(">II", data, at)
        length, head = rest & 0xFFFFFF, 12 if rest >> 31 else 8
        yield code, data[at + head : at + length]
        at += length + -length % 4


def answer_of(body: bytes) -> tuple[int, int]:
    """Return what a Credit-Control-Answer says: its worst result, and the octets that it grants."""
    results, granted = [], 0
    for code, data in avps_of(body):
        if code == _RESULT_CODE:
            results.append(int.from_bytes(data, "big"))
        elif code == _SERVICES:
            for inner, value in avps_of(data):
                if inner == _RESULT_CODE:
                    results.append(int.from_bytes(value, "big"))
                elif inner == _GRANTED:
                    granted += sum(int.from_bytes(octets, "big") for unit, octets in avps_of(value) if unit == _OCTETS)
    return max(results, default=0), granted


@dataclass(slots=True)
class Element:
    """One peer with one connection, and what came of its sessions.

    Attributes:
        host: its Origin-Host. latency_s: of each request. items: reports of usage. used_mb: all that was used.
        refused: results other than success, by which.
    """

    host: str
    latency_s: list[float] = field(default_factory=list)
    items: int = 0
    used_mb: int = 0
    refused: dict[int, int] = field(default_factory=dict)
    _writer: asyncio.StreamWriter | None = None
    _waiting: dict[int, asyncio.Future[bytes]] = field(default_factory=dict)
    _number: int = 0

    @property
    def _origin(self) -> bytes:
        return avp(264, self.host) + avp(296, "bench")

    async def connect(self, port: int) -> asyncio.Task[None]:
        """Connect and exchange capabilities; return the task that reads what comes."""
        reader, self._writer = await asyncio.open_connection("127.0.0.1", port)
        reading = asyncio.create_task(self._read(reader))
        address = avp(257, b"\0\1\x7f\0\0\1") + avp(266, 10415) + avp(269, "bench") + avp(258, 4)
        result, _ = answer_of(await self._ask(CAPABILITIES, 0, self._origin + address))
        if result != SUCCESS:
            raise ConnectionError(f"the server answers {result} to our capabilities")
        return reading

    async def sessions(self, numbers: Iterator[int], subscriber: list[str], used_mb: list[list[int]]) -> None:
        """Charge sessions, one after another, until there is none left: first request, updates, last request."""
        for number in numbers:
            name = avp(263, f"{self.host};{number}")
            for step, used in enumerate([None, *used_mb[number]]):
                is_last = step == len(used_mb[number])
                report = b"" if used is None else avp(446, avp(_OCTETS, used * MEGABYTE, 8))
                ask = b"" if is_last else avp(437, avp(_OCTETS, QUOTA_MB * MEGABYTE, 8))
                kind = 3 if is_last else 1 if used is None else 2
                whose = avp(443, avp(450, 0) + avp(444, subscriber[number]))
                head = name + self._origin + avp(283, "bench") + avp(258, 4) + avp(461, "32251@3gpp.org")
                body = head + avp(416, kind) + avp(415, step) + whose + avp(_SERVICES, ask + report + avp(432, 1))
                started = time.perf_counter()
                result, granted = answer_of(await self._ask(CREDIT_CONTROL, 4, body, _REQUEST | _PROXIABLE))
                self.latency_s.append(time.perf_counter() - started)
                if result != SUCCESS or (granted != QUOTA_MB * MEGABYTE and not is_last):
                    self.refused[result] = self.refused.get(result, 0) + 1
                self.items += used is not None
                self.used_mb += used or 0

    async def _ask(self, command: int, application: int, body: bytes, flags: int = _REQUEST) -> bytes:
        assert self._writer is not None
        self._number += 1
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._waiting[self._number] = answer
        self._writer.write(message(command, application, (self._number, self._number), body, flags))
        return await answer

    async def _read(self, reader: asyncio.StreamReader) -> None:
        assert self._writer is not None
        try:
            while True:
                head = await reader.readexactly(20)
                length, command, application, hop, end = _HEADER.unpack(head)
                body = await reader.readexactly((length & 0xFFFFFF) - 20)
                if command >> 31 and command & 0xFFFFFF == WATCHDOG:
                    alive = avp(_RESULT_CODE, SUCCESS) + self._origin
                    self._writer.write(message(WATCHDOG, application, (hop, end), alive, 0))
                elif not command >> 31:
                    self._waiting.pop(hop).set_result(body)
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            for waiting in self._waiting.values():
                waiting.set_exception(ConnectionError(f"the server ended the connection: {error}"))


@dataclass(frozen=True, slots=True)
class Drawn:
    """Sessions of one load: whose each is, and what is reported as used by each request after the first."""

    subscriber: list[str]
    used_mb: list[list[int]]

    @classmethod
    def of(cls, sessions: int, accounts: int, seed: int) -> Drawn:
        """Draw sessions; `accounts` have access points "0", "1" and so on."""
        chance = np.random.default_rng(seed)
        requests = chance.integers(2, UPDATES_MAX + 2, sessions)
        used = [chance.integers(1, QUOTA_MB + 1, count).tolist() for count in requests]
        return cls([str(number) for number in chance.integers(0, accounts, sessions)], used)

    @property
    def requests(self) -> int:
        """How many requests all sessions make."""
        return len(self.used_mb) + sum(map(len, self.used_mb))


async def charge(port: int, drawn: Drawn, *, prefix: str, elements: int, in_flight: int) -> tuple[float, list[Element]]:
    """Charge drawn sessions by so many elements, each with so many sessions at a time; return seconds and elements."""
    peers = [Element(f"{prefix}{number}.bench") for number in range(elements)]
    reading = [await peer.connect(port) for peer in peers]
    numbers = iter(range(len(drawn.used_mb)))
    started = time.perf_counter()
    every = [peer.sessions(numbers, drawn.subscriber, drawn.used_mb) for peer in peers for _ in range(in_flight)]
    await asyncio.gather(*every)
    seconds = time.perf_counter() - started
    for task in reading:
        task.cancel()
    return seconds, peers
