"""`kill -9` while usage is posted: what was acknowledged is there, nothing is there twice, and a key has one answer."""

from __future__ import annotations

import random
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cli_octroi
import httpx
import pytest
from cli_calls import STRANGER, call, calls
from cli_octroi import balanced, query, until
from http_world import KEY, Server, api_keys, serving, write_http_catalog
from kill_points import DIED
from kill_world import Content, Nursery, content, nursery

SENDERS, BODIES, ROUNDS = 4, 12, 4


def _body(sender: int, number: int) -> str:
    """A body of three records: one is rated, one nobody owns, one is wrong."""
    name = f"{sender}-{number}"
    return calls([call(name, 1), call(f"{name}-x", 1, STRANGER), call(f"{name}-y", "x")])


def _send(server: Server, sender: int, numbers: list[int], acknowledged: dict[tuple[int, int], Any]) -> None:
    """Send bodies until they are through or the server is gone; every other one has an idempotency key."""
    for number in numbers:
        headers = {"idempotency_key": f"{sender}-{number}"} if number % 2 else {}
        try:
            answer = server.post(_body(sender, number), "text/csv", **headers)
        except httpx.TransportError:
            return
        assert answer.status_code in (202, 409, 503), answer.text
        if answer.status_code == 202:
            acknowledged[sender, number] = answer.json()


def test_killed_under_load_it_loses_and_doubles_nothing(tmp_path: Path) -> None:
    chance = random.Random(7)
    data = write_http_catalog(tmp_path / "data")
    acknowledged: dict[tuple[int, int], Any] = {}
    for number in range(ROUNDS):
        last = number == ROUNDS - 1
        with serving(data, tmp_path, snapshot_records=50) as server:
            left = {
                sender: [number for number in range(BODIES) if (sender, number) not in acknowledged]
                for sender in range(SENDERS)
            }
            threads = [
                threading.Thread(target=_send, args=(server, sender, left[sender], acknowledged)) for sender in left
            ]
            for thread in threads:
                thread.start()
            if not last:
                want = len(acknowledged) + chance.randint(2, SENDERS * BODIES // ROUNDS)
                until(lambda want=want: len(acknowledged) >= want, "some answers")
                time.sleep(chance.uniform(0, 0.05))
                server.process.kill()
            for thread in threads:
                thread.join(timeout=120)
            if last:
                for (sender, sent), told in acknowledged.items():
                    if sent % 2:
                        again = server.post(_body(sender, sent), "text/csv", idempotency_key=f"{sender}-{sent}")
                        assert again.json() == told
    assert set(acknowledged) == {(sender, number) for sender in range(SENDERS) for number in range(BODIES)}
    cli_octroi.octroi("run", data).ok()  # the last server was killed, too: what it logged last may not have been stored
    everything = SENDERS * BODIES
    assert query(data, "SELECT count() AS n, sum(quantity_steps) AS ms FROM rated_item") == [
        {"n": everything, "ms": everything * 1000}
    ]
    for told in acknowledged.values():
        assert (told["received"], told["accepted"] + told["duplicates"], len(told["rejected"])) == (3, 1, 2)
        (row,) = query(data, f"SELECT sum(received) AS n FROM fact_block WHERE claim = {told['claim']}")
        assert row["n"] == 3
    balanced(data)


# ---- at each boundary

POINTS = (
    "before journal files", "half journal files", "after journal files", "before block", "before insert fact_usage",
    "after insert fact_usage", "before insert fact_block", "after insert fact_block", "before insert fact_claim",
    "after insert fact_claim",
)  # fmt: skip


@pytest.fixture(scope="module")
def octroi(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nursery]:
    with nursery(tmp_path_factory.mktemp("nursery"), api_keys=api_keys()) as started:
        yield started


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def _until_answered(address: str, body: str, key: str) -> dict[str, Any]:
    """Send one body again and again, as a sender does whose server comes and goes."""
    headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "text/csv", "Idempotency-Key": key}
    while True:
        try:
            answer = httpx.post(f"{address}/v1/events?source=calls", content=body, headers=headers, trust_env=False)
        except httpx.TransportError:
            time.sleep(0.05)
            continue
        if answer.status_code != 503:
            assert answer.status_code == 202, answer.text
            found: dict[str, Any] = answer.json()
            return found
        time.sleep(0.05)


def _run(octroi: Nursery, data: Path, points: tuple[str, ...]) -> tuple[list[dict[str, Any]], Content]:
    """Send three bodies to a server that dies at each of `points` and is started again; return answers and content."""
    port = _free_port()
    answers: list[dict[str, Any]] = []

    def send() -> None:
        for number in range(3):
            answers.append(_until_answered(f"http://127.0.0.1:{port}", _body(0, number), f"k{number}"))

    sender = threading.Thread(target=send, daemon=True)
    sender.start()
    for point in points:
        ended = octroi.run("serve", "--data", data, "--port", port, fault={"die_at": point, "nth": 1}, kill_after_s=120)
        assert ended.code == DIED, (point, ended)
    with serving(data, data.parent, port=port) as server:
        sender.join(timeout=120)
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(timeout=60) == 0
    return answers, content(data)


def test_dying_at_a_boundary_changes_no_answer_and_no_fact(octroi: Nursery, tmp_path: Path) -> None:
    plain, dying = (write_http_catalog(tmp_path / name / "data") for name in ("plain", "dying"))
    for directory in (plain, dying):
        (directory / "secret").write_text("5e" * 16)  # it keys the names of bodies
    expected = _run(octroi, plain, ())
    assert [told["claim"] for told in expected[0]] == [2, 3, 4]
    assert _run(octroi, dying, POINTS) == expected
