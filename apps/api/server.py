"""The HTTP server: uvicorn in a thread of its own, beside the owner's main loop."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version

import uvicorn

from apps.api.access_log import AccessLog
from apps.api.app import make_app
from apps.api.gate import Gate
from apps.settings import Settings

_BACKLOG = 2048
_KEEP_ALIVE_S = 30
_FINISH_S = 5
"""How long answers may take to reach their readers once the main loop has ended."""


def listening(host: str, port: int) -> socket.socket:
    """Return a socket that listens; what it accepts sends each part of an answer at once.

    The event loop says so only of sockets that name their protocol, and `create_server` names none: then the body of an answer
    waits for the acknowledgement of its head, 40 ms on a connection that is kept (RFC 9293 §3.7.4).

    Raises:
        OSError: when the address cannot be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, port), family=family, backlog=_BACKLOG)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # those that are accepted inherit it
    return listener


@contextmanager
def serving(
    settings: Settings, host: str, port: int, *, say: Callable[[str], None], quiet: bool
) -> Iterator[tuple[Gate, str]]:
    """Yield the gate of a server that listens, and its address; every request is refused until the gate is opened.

    Args:
        port: 0 for a free one. say: told a line per request unless `quiet`.

    Raises:
        OSError: when the address cannot be had.
    """
    gate = Gate(settings)
    app = make_app(settings, gate, version=version("octroi"))
    with listening(host, port) as listener:
        taken = listener.getsockname()[1]
        config = uvicorn.Config(
            AccessLog(app, say, quiet=quiet),
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=_KEEP_ALIVE_S,
            timeout_graceful_shutdown=_FINISH_S,
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="http", daemon=True)
        thread.start()
        try:
            yield gate, f"http://{f'[{host}]' if ':' in host else host}:{taken}"
        finally:
            gate.abandon()
            server.should_exit = True
            thread.join(timeout=2 * _FINISH_S)
