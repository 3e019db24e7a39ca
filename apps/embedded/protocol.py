"""What an owner and its clients say to each other over the local socket.

Each way a frame: 4 bytes of length (big endian), then one JSON object; an answer with `arrow` true is followed by a second
frame, an Arrow IPC stream. One request per connection.
"""

from __future__ import annotations

import json
import os
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa

FRAME_MAX = 1 << 31
_HEAD = struct.Struct(">I")
_PATH_MAX = 100


class UnableToTalk(Exception):
    """The other side is gone, or says something that is not our protocol."""


@contextmanager
def reachable(path: Path) -> Iterator[str]:
    """Yield an address for a socket at `path`, however long the path is (the kernel allows about 100 bytes)."""
    if len(os.fsencode(path)) <= _PATH_MAX:
        yield str(path)
        return
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{directory}/{path.name}"
    finally:
        os.close(directory)


def send_frame(connection: socket.socket, payload: bytes) -> None:
    """Send one frame."""
    connection.sendall(_HEAD.pack(len(payload)) + payload)


def receive_frame(connection: socket.socket, bytes_max: int = FRAME_MAX) -> bytes:
    """Receive one frame of at most `bytes_max` bytes.

    Raises:
        UnableToTalk: when the connection ends early or the frame is too large.
    """
    (length,) = _HEAD.unpack(_receive(connection, _HEAD.size))
    if length > bytes_max:
        raise UnableToTalk(f"a frame of {length} bytes is too large")
    return _receive(connection, length)


def _receive(connection: socket.socket, length: int) -> bytes:
    parts = bytearray()
    while len(parts) < length:
        chunk = connection.recv(min(length - len(parts), 1 << 20))
        if not chunk:
            raise UnableToTalk("the connection ended early")
        parts += chunk
    return bytes(parts)


def send_answer(connection: socket.socket, answer: dict[str, Any], table: pa.Table | None = None) -> None:
    """Send an answer, and a table with it; a table too large for a frame becomes an error."""
    payload = None if table is None else _stream_of(table)
    if payload is not None and len(payload) > FRAME_MAX:
        answer, payload = {"error": f"the result has {len(payload)} bytes, more than {FRAME_MAX}; ask for less"}, None
    send_frame(connection, json.dumps(answer | {"arrow": payload is not None}).encode())
    if payload is not None:
        send_frame(connection, payload)


def _stream_of(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()


def receive_answer(connection: socket.socket) -> tuple[dict[str, Any], pa.Table | None]:
    """Receive an answer and the table that may come with it.

    Raises:
        UnableToTalk: when what comes is not an answer.
    """
    try:
        answer: dict[str, Any] = json.loads(receive_frame(connection))
        table = pa.ipc.open_stream(receive_frame(connection)).read_all() if answer["arrow"] else None
    except (ValueError, KeyError, TypeError) as error:
        raise UnableToTalk("the answer is not one of our protocol") from error
    return answer, table
