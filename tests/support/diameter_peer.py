"""A peer of Diameter for tests: it connects, asks, and sees what comes back."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from connectors.diameter.hub import Hub
from connectors.diameter.identity import Answer, Identity, Limits, PeerRule, Request
from connectors.diameter.server import listening
from pipelines.mediation.diameter.codes import PROXIABLE, REQUEST, RETRANSMITTED
from pipelines.mediation.diameter.fields import Group, write_all
from pipelines.mediation.diameter.messages import Header, Message, decode_message, encode_message

IDENTITY = Identity("ocs.test", "test", 7)
CREDIT: dict[str, Any] = {
    "Session-Id": "pgw;1;1", "Origin-Host": "pgw.epc", "Origin-Realm": "epc", "Destination-Realm": "test",
    "Auth-Application-Id": 4, "Service-Context-Id": "32251@3gpp.org", "CC-Request-Type": 1, "CC-Request-Number": 0,
}  # fmt: skip
HELLO: dict[str, Any] = {
    "Origin-Host": "pgw.epc", "Origin-Realm": "epc", "Host-IP-Address": "127.0.0.1", "Vendor-Id": 10415,
    "Product-Name": "pgw", "Auth-Application-Id": 4, "Origin-State-Id": 1,
}  # fmt: skip
FAST = Limits(hello_s=0.3, message_s=0.3, watchdog_s=0.2, leave_s=0.3, waiting_bytes_max=50_000)


class Wire:
    """One connection of a peer."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.number = 0

    def send(
        self,
        command: int,
        said: Mapping[str, Any],
        *,
        application: int = 0,
        ids: tuple[int, int] = (0, 0),
        again: bool = False,
    ) -> int:
        self.number += 1
        hop, end = ids if ids != (0, 0) else (self.number, self.number)
        flags = REQUEST | (PROXIABLE if application else 0) | (RETRANSMITTED if again else 0)
        self.writer.write(
            encode_message(Message(Header(flags, command, application, hop, end), tuple(write_all(said))))
        )
        return hop

    def answer(self, request: Header, said: Mapping[str, Any]) -> None:
        header = request._replace(flags=request.flags & PROXIABLE)
        self.writer.write(encode_message(Message(header, tuple(write_all(said)))))

    async def next(self, within_s: float = 60.0) -> tuple[Header, Group]:
        async with asyncio.timeout(within_s):
            head = await self.reader.readexactly(4)
            data = head + await self.reader.readexactly(int.from_bytes(head[1:]) - 4)
        header, avps = decode_message(data)
        return header, Group(avps)

    async def ask(self, command: int, said: Mapping[str, Any], **options: Any) -> tuple[Header, Group]:
        hop = self.send(command, said, **options)
        header, group = await self.next()
        assert (header.command, header.hop_by_hop, header.is_request) == (command, hop, False)
        return header, group

    async def hello(self, **said: Any) -> Group:
        _, group = await self.ask(257, {**HELLO, **said})
        return group

    async def credit(self, **said: Any) -> Group:
        return (await self.ask(272, {**CREDIT, **said}, application=4))[1]

    async def is_over(self, within_s: float = 60.0) -> bool:
        """Whether the other side ends the connection and says nothing before."""
        async with asyncio.timeout(within_s):
            try:
                return await self.reader.read(1) == b""
            except ConnectionError:
                return True


async def connect(address: str, tls: ssl.SSLContext | None = None) -> Wire:
    host, _, port = address.rpartition(":")
    reader, writer = await asyncio.open_connection(host.strip("[]"), int(port), ssl=tls)
    return Wire(reader, writer)


async def agree(request: Request) -> Answer:
    return Answer(2001, write_all({"Auth-Application-Id": 4}))


def with_server(
    act: Callable[[Hub, str], Awaitable[None]],
    *,
    host: str = "127.0.0.1",
    tls: ssl.SSLContext | None = None,
    **options: Any,
) -> Hub:
    """Run something beside a server; return its hub afterwards."""
    settings: dict[str, Any] = {
        "identity": IDENTITY, "handler": agree, "rules": [PeerRule("*")], "limits": FAST, **options,
    }  # fmt: skip
    hub = Hub(**settings)

    async def run() -> None:
        async with listening(hub, [host], 0, tls) as addresses:
            await act(hub, addresses[0])

    asyncio.run(run())
    return hub
