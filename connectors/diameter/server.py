"""A server for peers of Diameter: it listens, and stops in good order."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from connectors.diameter.connection import Connection
from connectors.diameter.hub import Hub

REBOOTING = 0
_BACKLOG = 1024


@asynccontextmanager
async def listening(
    hub: Hub, hosts: Sequence[str], port: int, tls: ssl.SSLContext | None = None
) -> AsyncIterator[list[str]]:
    """Listen, and yield the addresses; at the end every peer is told good-bye.

    Args:
        hosts: of IPv4 or IPv6. port: 0 for a free one.

    Raises:
        OSError: when an address cannot be had.
    """
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(hub), list(hosts), port, ssl=tls, backlog=_BACKLOG)
    try:
        found = [listener.getsockname() for listener in server.sockets]
        yield [f"[{host[0]}]:{host[1]}" if ":" in host[0] else f"{host[0]}:{host[1]}" for host in found]
    finally:
        server.close()
        await asyncio.gather(*(peer.leave(REBOOTING) for peer in list(hub.peers.values())))
        for connection in list(hub.connections):
            connection.drop()
        await server.wait_closed()
