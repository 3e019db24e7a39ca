"""Frames between an owner and its clients."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from apps.embedded import protocol
from apps.embedded.protocol import (
    FRAME_MAX,
    UnableToTalk,
    reachable,
    receive_answer,
    receive_frame,
    send_answer,
    send_frame,
)


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    left, right = socket.socketpair()
    left.settimeout(30)
    right.settimeout(30)
    with left, right:
        yield left, right


def sending(connection: socket.socket, answer: dict[str, Any], table: pa.Table | None = None) -> threading.Thread:
    """Send in a thread: a large frame does not fit the kernel's buffers."""
    thread = threading.Thread(target=send_answer, args=(connection, answer, table), daemon=True)
    thread.start()
    return thread


@pytest.mark.parametrize("payload", [b"", b"x", b"\0" * 70_000, bytes(range(256)) * 20_000])
def test_a_frame_arrives_whole(pair: tuple[socket.socket, socket.socket], payload: bytes) -> None:
    thread = threading.Thread(target=send_frame, args=(pair[0], payload), daemon=True)
    thread.start()
    assert receive_frame(pair[1]) == payload
    thread.join(30)


def test_frames_follow_one_another(pair: tuple[socket.socket, socket.socket]) -> None:
    for payload in (b"one", b"", b"three"):
        send_frame(pair[0], payload)
    assert [receive_frame(pair[1]) for _ in range(3)] == [b"one", b"", b"three"]


@pytest.mark.parametrize("sent", [b"", b"\0\0", b"\0\0\0\x05", b"\0\0\0\x05four"])
def test_a_connection_that_ends_early_is_noticed(pair: tuple[socket.socket, socket.socket], sent: bytes) -> None:
    pair[0].sendall(sent)
    pair[0].shutdown(socket.SHUT_WR)
    with pytest.raises(UnableToTalk, match="ended early"):
        receive_frame(pair[1])


def test_a_frame_too_large_is_refused_before_it_is_read(pair: tuple[socket.socket, socket.socket]) -> None:
    pair[0].sendall(struct.pack(">I", FRAME_MAX + 1))
    with pytest.raises(UnableToTalk, match="too large"):
        receive_frame(pair[1])


TABLES = {
    "rows": pa.table({"n": pa.array([1, None, 3], pa.int64()), "text": ["é", "", None]}),
    "none": pa.table({"n": pa.array([], pa.uint8())}),
    "no columns": pa.table({}),
    "large": pa.table({"n": pa.array(range(300_000), pa.int64())}),
}


@pytest.mark.parametrize("name", TABLES)
def test_an_answer_brings_its_table(pair: tuple[socket.socket, socket.socket], name: str) -> None:
    thread = sending(pair[0], {"more": 1}, TABLES[name])
    answer, table = receive_answer(pair[1])
    thread.join(30)
    assert answer == {"more": 1, "arrow": True}
    assert table is not None
    assert table.equals(TABLES[name])


def test_an_answer_may_have_no_table(pair: tuple[socket.socket, socket.socket]) -> None:
    send_answer(pair[0], {"result": {"n": 1, "text": "déjà \udcff"}})
    assert receive_answer(pair[1]) == ({"result": {"n": 1, "text": "déjà \udcff"}, "arrow": False}, None)


def test_a_result_too_large_becomes_an_error(
    pair: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "FRAME_MAX", 1000)
    send_answer(pair[0], {}, pa.table({"n": list(range(1000))}))
    answer, table = receive_answer(pair[1])
    assert table is None
    assert "more than 1000; ask for less" in answer["error"]


@pytest.mark.parametrize("frames", [[b"not json"], [b"[]"], [b"{}"], [b"\xff"], [b'{"arrow": true}', b"not arrow"]])
def test_what_is_not_our_protocol_is_refused(pair: tuple[socket.socket, socket.socket], frames: list[bytes]) -> None:
    for frame in frames:
        send_frame(pair[0], frame)
    with pytest.raises(UnableToTalk, match="not one of our protocol"):
        receive_answer(pair[1])


@pytest.mark.parametrize("depth", [0, 30])
def test_a_socket_is_reachable_however_long_its_path(tmp_path: Path, depth: int) -> None:
    folder = tmp_path.joinpath(*["a-rather-long-name"] * depth)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "owner.sock"
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as client:
        with reachable(path) as address:
            listener.bind(address)
        listener.listen(1)
        with reachable(path) as address:
            client.connect(address)
        server, _ = listener.accept()
        with server:
            send_frame(server, b"hello")
            assert receive_frame(client) == b"hello"
    assert path.exists()
