"""One connection of a peer: capabilities, watchdog, requests and answers, the end (RFC 6733 §5, RFC 3539).

Whatever a socket has is taken at once, and what is answered in one turn of the loop is written at once: each call of the system
lets another thread have the interpreter, and getting it back takes longer than a request.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Sequence
from contextlib import suppress

from connectors.diameter.asked import Asked
from connectors.diameter.base import (
    applications_of,
    capabilities,
    encode_answer,
    encode_request,
    refusal,
    refused,
)
from connectors.diameter.hub import Hub
from connectors.diameter.identity import Answer, PeerSheet
from pipelines.mediation.diameter.codes import REQUEST, Application, Command, Result
from pipelines.mediation.diameter.fields import Group, write
from pipelines.mediation.diameter.grammar import check_request
from pipelines.mediation.diameter.messages import (
    HEADER_BYTES,
    Avp,
    Header,
    Message,
    UnableToReadMessage,
    decode_message,
    message_length,
)

_HEADER = struct.Struct(">IIIII")
_LENGTH_BYTES = 4
_LENGTH_MASK = 0xFFFFFF
REFUSED_PER_TURN = 64
FLOOD_PAUSE_S = 0.02
"""A peer of which so many requests are refused in one turn of the loop, for being too many, is read on so much later."""
_BASE = frozenset({Command.CAPABILITIES_EXCHANGE, Command.DEVICE_WATCHDOG, Command.DISCONNECT_PEER})


class ConnectionOver(Exception):
    """Nothing more comes, or should; why, in words."""


class UnableToAsk(Exception):
    """A peer did not answer a request of ours."""


class Connection(asyncio.Protocol):
    """A connection, from its first byte to its last.

    Attributes:
        host: Origin-Host of the peer, "" before it said so. suspect: it did not answer the watchdog yet.
        in_flight: requests of the peer that are not answered yet.
    """

    def __init__(self, hub: Hub) -> None:
        """Wait for the ends."""
        self.hub = hub
        self.host = self.address = ""
        self.suspect = self.leaving = False
        self.in_flight = 0
        self.sheet = PeerSheet()
        self.state_id: int | None = None
        self._why = ""
        self._is_over = False
        self._buffer = bytearray()
        self._out: list[bytes] = []
        self._asked: dict[int, asyncio.Future[Message]] = {}
        self._quiet: asyncio.Future[None] | None = None
        self._leaves: asyncio.Task[None] | None = None

    # ---- the ends

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to expect the capabilities of the peer."""
        assert isinstance(transport, asyncio.Transport)
        self._transport, self._loop = transport, asyncio.get_running_loop()
        self.address = str((transport.get_extra_info("peername") or ("0.0.0.0",))[0])
        self._own_address = str((transport.get_extra_info("sockname") or ("0.0.0.0",))[0])
        if len(self.hub.connections) >= self.hub.limits.peers_max:
            self._is_over = True
            transport.abort()
            return
        self.hub.connections.add(self)
        self._since = self._heard = self._loop.time()
        self._begun: float | None = None
        self._silence_s = self.hub.limits.watchdog_s + self.hub.jitter()
        self._timer = self._loop.call_at(self._due(), self._look_up)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the peer."""
        self._is_over = True
        if self not in self.hub.connections:
            return
        self._timer.cancel()
        self.hub.left(self)
        self.hub.connections.discard(self)
        for future in self._asked.values():
            if not future.done():
                future.set_exception(UnableToAsk("the connection is over"))
        self.hub.say(f"{self.host or self.address} is gone: {self._why or 'the connection was lost'}")

    def _end(self, why: str) -> None:
        """End the connection, behind what is to be written."""
        self._why = self._why or why
        self._is_over = True
        self._write_out()
        self._transport.close()
        self._timer.cancel()
        self._timer = self._loop.call_later(self.hub.limits.leave_s, self._transport.abort)  # of one that does not read

    def drop(self) -> None:
        """End the connection at once."""
        self._is_over = True
        self._transport.abort()

    # ---- time

    def _due(self) -> float:
        """Return when there is next something to be done because nothing came."""
        limits = self.hub.limits
        if not self.host:
            return self._since + limits.hello_s
        silent = self._heard + self._silence_s
        return silent if self._begun is None else min(silent, self._begun + limits.message_s)

    def _look_up(self) -> None:
        """Ask by the watchdog whether the peer is there when nothing came; end what takes too long."""
        if self._is_over:
            return
        limits, now = self.hub.limits, self._loop.time()
        if now >= self._due():
            if not self.host:
                self._end("it said nothing")
                return
            if self._begun is not None and now >= self._begun + limits.message_s:
                self._end(f"a message was not whole after {limits.message_s:g} s")
                return
            if self.suspect:
                self._end("it does not answer the watchdog")
                return
            self.suspect, self._heard = True, now
            self._silence_s = limits.watchdog_s + self.hub.jitter()
            self._send_request(Command.DEVICE_WATCHDOG, [write("Origin-State-Id", self.hub.identity.origin_state_id)])
        self._timer = self._loop.call_at(self._due(), self._look_up)

    # ---- what comes

    def data_received(self, data: bytes) -> None:
        """Take all messages that are whole."""
        if self._is_over:
            return
        self.sheet.bytes_in += len(data)
        self._buffer += data
        busy = self.sheet.busy
        try:
            taken = self._take_all(self._buffer)
        except ConnectionOver as error:
            self._end(str(error))
            return
        except UnableToReadMessage as error:
            self._end(f"what it sends is no Diameter: {error}")
            return
        if self.sheet.busy - busy > REFUSED_PER_TURN and not self._is_over:
            self._transport.pause_reading()  # whoever floods lets others have their turn
            self._loop.call_later(FLOOD_PAUSE_S, self._read_on)
        if taken:
            self._heard, self.suspect, self._begun = self._loop.time(), False, None
            del self._buffer[:taken]
        if self._buffer and self._begun is None:
            self._begun = self._loop.time()
            if self._timer.when() > self._due():
                self._timer.cancel()
                self._timer = self._loop.call_at(self._due(), self._look_up)

    def _read_on(self) -> None:
        if not self._transport.is_closing():
            self._transport.resume_reading()

    def _take_all(self, buffer: bytearray) -> int:
        """Return how many bytes of whole messages were taken."""
        at, size, bytes_max = 0, len(buffer), self.hub.limits.message_bytes_max
        while size - at >= HEADER_BYTES and not self._is_over:
            _, command, application, hop, end = _HEADER.unpack_from(buffer, at)
            try:
                length = message_length(buffer[at : at + _LENGTH_BYTES], bytes_max)
            except UnableToReadMessage as error:
                self._blame(bytes(buffer[at + _LENGTH_BYTES : at + HEADER_BYTES]), error)
                raise
            if size - at < length:
                break
            data = bytes(buffer[at : at + length])
            at += length
            header = Header(command >> 24, command & _LENGTH_MASK, application, hop, end)
            if not self.host:
                self._greet(data)
            elif header.flags & REQUEST and header.command not in _BASE:
                self._take_request(header, data)
            else:
                self._take_base(header, data)
        return at

    def _blame(self, rest: bytes, error: UnableToReadMessage) -> None:
        """Answer a message whose length cannot be, where its header says to whom; the connection ends after it."""
        with suppress(UnableToReadMessage):
            message = decode_message(b"\x01\0\0\x14" + rest)
            if message.header.is_request:
                self._send_answer(message, refusal(error))

    def _greet(self, data: bytes) -> None:
        """Take the capabilities exchange: the first message.

        Raises:
            ConnectionOver: when the peer may not come, or has no application that is served.
            UnableToReadMessage: when it is none.
        """
        message = decode_message(data, self.hub.limits.message_bytes_max)
        if message.header.command != Command.CAPABILITIES_EXCHANGE or not message.header.is_request:
            raise ConnectionOver("it did not begin with its capabilities")
        try:
            said = check_request(message)
            host = said.need("Origin-Host")
            answer = self._admit(host, said)
        except UnableToReadMessage as error:
            answer, host = refusal(error), "?"
        if answer.result != Result.SUCCESS:
            self._send_answer(message, answer)
            raise ConnectionOver(f"{host} was refused: {Result(answer.result).name}")
        self.host, self.state_id = host, said.get("Origin-State-Id")
        self.hub.joined(self)
        self._send_answer(message, answer)

    def _admit(self, host: str, said: Group) -> Answer:
        hub = self.hub
        mine = capabilities(hub.identity, [self._own_address.partition("%")[0]])
        if not any(rule.allows(host, self.address) for rule in hub.rules):
            return refused(Result.UNKNOWN_PEER, f"{host} may not connect from {self.address}")
        theirs = applications_of(said)
        if not theirs & {*hub.identity.applications, Application.RELAY}:
            return Answer(Result.NO_COMMON_APPLICATION, mine)
        security = said.all("Inband-Security-Id")
        if security and 0 not in security:
            return Answer(Result.NO_COMMON_SECURITY, mine)
        if not hub.has_place(host):
            return refused(Result.UNABLE_TO_COMPLY, f"{host} is connected already")
        return Answer(Result.SUCCESS, mine)

    # ---- what is done with it

    def _take_request(self, header: Header, data: bytes) -> None:
        self.sheet.requests += 1
        limits, asked = self.hub.limits, Asked(self, header, data)
        if self.in_flight >= limits.requests_of_peer_max or self.hub.in_flight >= limits.requests_max or self.leaving:
            self.sheet.busy += 1
            asked.refuse(Result.TOO_BUSY, "too many requests are on their way")
            return
        self.in_flight += 1
        self.hub.in_flight += 1
        asked.is_counted = True
        self.hub.take(asked)

    def _take_base(self, header: Header, data: bytes) -> None:
        try:
            message = decode_message(data, self.hub.limits.message_bytes_max)
            if not header.is_request:
                self._answered(message)
                return
            self.sheet.requests += 1
            check_request(message)
        except UnableToReadMessage as error:
            self.sheet.errors += 1
            if header.is_request:
                self._send_answer(Message(header, ()), refusal(error))
            return
        state = [write("Origin-State-Id", self.hub.identity.origin_state_id)]
        if header.command == Command.CAPABILITIES_EXCHANGE:
            raise ConnectionOver("it said its capabilities twice")
        self._send_answer(message, Answer(Result.SUCCESS, state))
        if header.command == Command.DISCONNECT_PEER:
            self.leaving = True
            self._leaves = self._loop.create_task(self._leave_after_answers())

    async def _leave_after_answers(self) -> None:
        await self.finish()
        if not self._is_over:
            self._end("it said good-bye")

    # ---- what goes

    def _send(self, data: bytes) -> None:
        if self._is_over:
            return
        if not self._out:
            self._loop.call_soon(self._write_out)
        self._out.append(data)

    def _write_out(self) -> None:
        out, self._out = self._out, []
        if not out or self._transport.is_closing():
            return
        data = b"".join(out)
        self._transport.write(data)
        self.sheet.bytes_out += len(data)
        if self._transport.get_write_buffer_size() > self.hub.limits.waiting_bytes_max:
            self._why = "it does not read what it asks for"
            self.drop()

    def send_answer(self, data: bytes, result: int, *, counted: bool) -> None:
        """Send an answer that is encoded. `counted`: its request was on its way until now."""
        self.sheet.answers += 1
        self.sheet.by_result[result] = self.sheet.by_result.get(result, 0) + 1
        self._send(data)
        if counted:
            self.in_flight -= 1
            self.hub.in_flight -= 1
            if not self.in_flight and self._quiet is not None and not self._quiet.done():
                self._quiet.set_result(None)

    def _send_answer(self, message: Message, answer: Answer) -> None:
        data = encode_answer(self.hub.identity, message.header, message.avps, answer)
        self.send_answer(data, answer.result, counted=False)

    def _send_request(self, command: Command, avps: Sequence[Avp], *, application: int = 0) -> int:
        ids = self.hub.next_ids()
        self._send(encode_request(self.hub.identity, command, ids, avps, application=application))
        return ids[0]

    async def ask(self, command: Command, avps: Sequence[Avp], *, application: int = 0, within_s: float) -> Message:
        """Send a request of ours, and return its answer; of an application, `avps` begin with Session-Id.

        Raises:
            UnableToAsk: when no answer comes in time.
        """
        future: asyncio.Future[Message] = self._loop.create_future()
        number = self._send_request(command, avps, application=application)
        self._asked[number] = future
        try:
            async with asyncio.timeout(within_s):
                return await future
        except TimeoutError:
            raise UnableToAsk(f"{self.host} did not answer within {within_s:g} s") from None
        finally:
            del self._asked[number]

    def _answered(self, message: Message) -> None:
        future = self._asked.get(message.header.hop_by_hop)
        if future is not None and not future.done():
            future.set_result(message)

    async def finish(self) -> None:
        """Let what is on its way end, within its time."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self.hub.limits.leave_s):
                while self.in_flight:
                    self._quiet = self._loop.create_future()
                    await self._quiet

    async def leave(self, cause: int) -> None:
        """Say good-bye, and end the connection."""
        self.leaving = True
        await self.finish()
        with suppress(UnableToAsk):
            await self.ask(
                Command.DISCONNECT_PEER, [write("Disconnect-Cause", cause)], within_s=self.hub.limits.leave_s
            )
        self._end("octroi stops")
