"""One connection of a peer: capabilities, watchdog, requests and answers, the end (RFC 6733 §5, RFC 3539)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress

from connectors.diameter.base import (
    applications_of,
    capabilities,
    encode_answer,
    encode_request,
    refusal,
    refused,
)
from connectors.diameter.hub import Hub
from connectors.diameter.identity import Answer, PeerSheet, Request
from pipelines.mediation.diameter.codes import Application, Command, Result
from pipelines.mediation.diameter.fields import Group, write
from pipelines.mediation.diameter.grammar import check_request
from pipelines.mediation.diameter.messages import (
    Avp,
    Message,
    UnableToReadMessage,
    decode_message,
    message_length,
)

_LENGTH_BYTES = 4
_BASE = (Command.CAPABILITIES_EXCHANGE, Command.DEVICE_WATCHDOG, Command.DISCONNECT_PEER)


class ConnectionOver(Exception):
    """Nothing more comes, or should; why, in words."""


class UnableToAsk(Exception):
    """A peer did not answer a request of ours."""


class Connection:
    """A connection, from its first byte to its last.

    Attributes:
        host: Origin-Host of the peer, "" before it said so. suspect: it did not answer the watchdog yet.
    """

    def __init__(self, hub: Hub, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take the ends."""
        self.hub, self._reader, self._writer = hub, reader, writer
        self.host = ""
        self.suspect = False
        self.leaving = False
        self.sheet = PeerSheet()
        self.state_id: int | None = None
        self.address = str(writer.get_extra_info("peername")[0])
        self._own_address = str(writer.get_extra_info("sockname")[0])
        self._asked: dict[int, asyncio.Future[Message]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def in_flight(self) -> int:
        """Requests of the peer that are not answered yet."""
        return len(self._tasks)

    async def run(self) -> str:
        """Serve the peer until the connection is over; return why it is."""
        why = "it ended"
        try:
            await self._greet()
            while True:
                await self._take(await self._next())
        except ConnectionOver as error:
            why = str(error)
        except UnableToReadMessage as error:
            why = f"what it sends is no Diameter: {error}"
        except (OSError, asyncio.IncompleteReadError):
            why = "the connection was lost"
        finally:
            self._end()
        return why

    def _end(self) -> None:
        self.hub.left(self)
        for future in self._asked.values():
            if not future.done():
                future.set_exception(UnableToAsk("the connection is over"))
        with suppress(OSError, RuntimeError):
            self._writer.close()

    # ---- what comes

    async def _next(self) -> bytes:
        """Return the next message; ask by the watchdog whether the peer is there when nothing comes."""
        limits = self.hub.limits
        while True:
            try:
                async with asyncio.timeout(limits.watchdog_s + self.hub.jitter()):
                    head = await self._reader.readexactly(_LENGTH_BYTES)
                break
            except TimeoutError:
                if self.suspect:
                    raise ConnectionOver("it does not answer the watchdog") from None
                self.suspect = True
                self._send_request(
                    Command.DEVICE_WATCHDOG, [write("Origin-State-Id", self.hub.identity.origin_state_id)]
                )
        try:
            async with asyncio.timeout(limits.message_s):
                return await self._rest(head)
        except TimeoutError:
            raise ConnectionOver(f"a message was not whole after {limits.message_s:g} s") from None

    async def _rest(self, head: bytes) -> bytes:
        try:
            length = message_length(head, self.hub.limits.message_bytes_max)
        except UnableToReadMessage as error:
            await self._blame(head, error)
            raise
        data = head + await self._reader.readexactly(length - _LENGTH_BYTES)
        self.suspect = False
        self.sheet.bytes_in += length
        return data

    async def _blame(self, head: bytes, error: UnableToReadMessage) -> None:
        """Answer a message whose length cannot be, where its header says to whom; the connection ends after it."""
        rest = await self._reader.readexactly(16)
        with suppress(UnableToReadMessage):
            message = decode_message(b"\x01\0\0\x14" + rest)
            if message.header.is_request:
                self._send_answer(message, refusal(error))

    async def _greet(self) -> None:
        """Take the capabilities exchange: the first message, within its time.

        Raises:
            ConnectionOver: when the peer may not come, or has no application that is served.
        """
        try:
            async with asyncio.timeout(self.hub.limits.hello_s):
                data = await self._rest(await self._reader.readexactly(_LENGTH_BYTES))
        except TimeoutError:
            raise ConnectionOver("it said nothing") from None
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

    async def _take(self, data: bytes) -> None:
        try:
            message = decode_message(data, self.hub.limits.message_bytes_max)
        except UnableToReadMessage as error:
            self.sheet.errors += 1
            if error.header is not None and error.header.is_request:
                self._send_answer(Message(error.header, ()), refusal(error))
            return
        if not message.header.is_request:
            self._answered(message)
            return
        self.sheet.requests += 1
        if message.header.command in _BASE:
            await self._take_base(message)
            return
        limits = self.hub.limits
        if self.in_flight >= limits.requests_of_peer_max or self.hub.in_flight >= limits.requests_max or self.leaving:
            self.sheet.busy += 1
            self._send_answer(message, refused(Result.TOO_BUSY, "too many requests are on their way"))
            return
        self.hub.in_flight += 1
        task = asyncio.ensure_future(self._handle(message))
        self._tasks.add(task)
        task.add_done_callback(self._done)
        if not self.in_flight % 64:
            await asyncio.sleep(0)  # whoever floods lets others have their turn

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self.hub.in_flight -= 1
        if not task.cancelled() and (error := task.exception()) is not None:
            self.hub.failed(error)

    async def _take_base(self, message: Message) -> None:
        try:
            check_request(message)
        except UnableToReadMessage as error:
            self.sheet.errors += 1
            self._send_answer(message, refusal(error))
            return
        state = [write("Origin-State-Id", self.hub.identity.origin_state_id)]
        if message.header.command == Command.CAPABILITIES_EXCHANGE:
            raise ConnectionOver("it said its capabilities twice")
        self._send_answer(message, Answer(Result.SUCCESS, state))
        if message.header.command == Command.DISCONNECT_PEER:
            self.leaving = True
            await self.finish()
            raise ConnectionOver("it said good-bye")

    async def _handle(self, message: Message) -> None:
        try:
            said = check_request(message)
            self._route(said)
            answer = await self.hub.handler(Request(self.host, message.header, said))
        except UnableToReadMessage as error:
            self.sheet.errors += 1
            answer = refusal(error)
        except Exception as error:
            self._send_answer(message, refused(Result.UNABLE_TO_COMPLY, "a defect: it is reported where octroi runs"))
            raise error
        self._send_answer(message, answer)

    def _route(self, said: Group) -> None:
        """Refuse what is not for us (RFC 6733 §6.1).

        Raises:
            UnableToReadMessage: LOOP_DETECTED, REALM_NOT_SERVED or UNABLE_TO_DELIVER.
        """
        identity = self.hub.identity
        if identity.host.lower() in (host.lower() for host in said.all("Route-Record")):
            raise UnableToReadMessage(Result.LOOP_DETECTED, "it was here before")
        realm, host = said.need("Destination-Realm"), said.get("Destination-Host")
        if not identity.serves(realm):
            raise UnableToReadMessage(Result.REALM_NOT_SERVED, f"realm {realm} is not served")
        if host is not None and host.lower() != identity.host.lower():
            raise UnableToReadMessage(Result.UNABLE_TO_DELIVER, f"{host} is not known")

    # ---- what goes

    def _send(self, data: bytes) -> None:
        if self._writer.transport.is_closing():
            return
        self._writer.write(data)
        self.sheet.bytes_out += len(data)
        if self._writer.transport.get_write_buffer_size() > self.hub.limits.waiting_bytes_max:
            self._writer.transport.abort()  # it does not read what it asks for

    def _send_answer(self, message: Message, answer: Answer) -> None:
        self.sheet.answers += 1
        self.sheet.by_result[answer.result] = self.sheet.by_result.get(answer.result, 0) + 1
        self._send(encode_answer(self.hub.identity, message.header, message.avps, answer))

    def _send_request(self, command: Command, avps: Sequence[Avp], *, application: int = 0) -> int:
        ids = self.hub.next_ids()
        self._send(encode_request(self.hub.identity, command, ids, avps, application=application))
        return ids[0]

    async def ask(self, command: Command, avps: Sequence[Avp], *, application: int = 0, within_s: float) -> Message:
        """Send a request of ours, and return its answer; of an application, `avps` begin with Session-Id.

        Raises:
            UnableToAsk: when no answer comes in time.
        """
        future: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
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
        """Let what is on its way end, within its time, and let the peer have the answers."""
        with suppress(TimeoutError, OSError):
            async with asyncio.timeout(self.hub.limits.leave_s):
                while self._tasks:
                    await asyncio.wait(set(self._tasks))
                await self._writer.drain()

    async def leave(self, cause: int) -> None:
        """Say good-bye, and end the connection."""
        self.leaving = True
        await self.finish()
        with suppress(UnableToAsk):
            await self.ask(
                Command.DISCONNECT_PEER, [write("Disconnect-Cause", cause)], within_s=self.hub.limits.leave_s
            )
        self._writer.close()

    def drop(self) -> None:
        """End the connection at once."""
        self._writer.transport.abort()
