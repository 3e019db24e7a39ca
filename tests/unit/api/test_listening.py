"""No answer waits for the acknowledgement of its first part."""

from __future__ import annotations

import socket

from apps.api.server import listening


def test_what_is_accepted_sends_at_once() -> None:
    with listening("127.0.0.1", 0) as listener, socket.create_connection(listener.getsockname()[:2]) as client:
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            assert client.getpeername()[1] == listener.getsockname()[1]
