"""A seeded storm over the streaming mode: workers killed, paused past their session, joined and removed while usage flows."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_calls import ANA, BOB, call, write_catalog
from shared_broker import SharedBroker
from stream_world import FACTS, REFUSED, SHEET, STREAMED, Stream, contents

BALANCES = "SELECT account, wallet, balance, latest_balance FROM account_balance ORDER BY ALL"
RECORDS = int(os.environ.get("OCTROI_STORM_RECORDS", "3000000"))
SECONDS = max(RECORDS / 40_000, 20.0)


@pytest.fixture
def stream(tmp_path: Path, broker: SharedBroker) -> Iterator[Stream]:
    found = Stream(write_catalog(tmp_path / "storm", STREAMED), broker.address, partitions=4, snapshot_s=2.0)
    yield found
    found.stop()


@pytest.mark.soak
@pytest.mark.parametrize("seed", [1, 2])
def test_a_storm_changes_nothing(stream: Stream, seed: int) -> None:
    chance = random.Random(seed)
    stream.activate()
    roles = [("collect",), ("stages",), ("stages",), ("sink",)]
    workers = {number: stream.start(*role) for number, role in enumerate(roles)}
    sleeping: dict[int, float] = {}
    started, sent = time.monotonic(), 0
    while sent < RECORDS:
        some = range(sent, min(sent + RECORDS // 100, RECORDS))
        stream.produce(
            "calls", [((ANA, BOB)[n % 2], call(n - n % 50 // 49, 60, (ANA, BOB)[n % 2]).encode()) for n in some]
        )
        sent = some.stop
        _disturb(stream, workers, roles, sleeping, chance)
        time.sleep(max(started + SECONDS * sent / RECORDS - time.monotonic(), 0.0))
    for number in sleeping:
        workers[number].send_signal(signal.SIGCONT)
    for number, worker in workers.items():
        if worker.poll() is not None:
            workers[number] = stream.start(*roles[number])
    stream.await_sheet(workers[3], 1, within_s=SECONDS * 5)
    stream.stop()
    (sheet,), refused, balances = contents(stream.data, (SHEET, REFUSED, BALANCES))
    (facts,) = contents(stream.data, (f"SELECT count() AS n, uniqExact(*) AS different FROM ({FACTS})",))
    repeated = sum(n % 50 == 49 for n in range(RECORDS))
    # a repetition is of the other caller: the same identity with another content is refused, and counted
    assert sheet["received"] == RECORDS
    assert sheet["rejected"] == repeated == sum(row["n"] for row in refused)
    assert sheet["accepted"] == sheet["rated"] == facts[0]["n"] == RECORDS - repeated
    assert all(row["balance"] == row["latest_balance"] for row in balances)
    assert -sum(row["balance"] for row in balances) * 5 == 3 * sheet["rated"]


def _disturb(
    stream: Stream,
    workers: dict[int, subprocess.Popen[bytes]],
    roles: list[tuple[str, ...]],
    sleeping: dict[int, float],
    chance: random.Random,
) -> None:
    now = time.monotonic()
    for number, until in list(sleeping.items()):
        if now >= until:
            workers[number].send_signal(signal.SIGCONT)
            del sleeping[number]
    for number, worker in workers.items():
        if worker.poll() is not None:  # killed, or it found out that it had lost its partitions
            workers[number] = stream.start(*roles[number])
    if chance.random() > 0.15:
        return
    number = chance.choice([number for number in workers if number not in sleeping])
    what = chance.choice(["kill", "leave", "sleep"])
    if what == "kill":
        stream.kill(workers[number])
    elif what == "leave":
        workers[number].send_signal(signal.SIGTERM)
    else:
        workers[number].send_signal(signal.SIGSTOP)
        sleeping[number] = now + 2 * stream.session_ms / 1000
