"""The streaming mode on a real broker: rows identical to those of the embedded mode, exactly once under kill -9."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_calls import ANA, BOB, STRANGER, call, write_catalog
from cli_octroi import octroi
from shared_broker import SharedBroker
from stream_world import STREAMED, Stream, contents

PLAN = (
    STREAMED.replace(
        '{start: "2026-01-01T00:00:00Z", model: flat, per: "1 min", price: "0.60"}',
        '{start: "2026-01-01T00:00:00Z", model: graduated, per: "1 min", counter: month, '
        'tiers: [{up_to: "20 h", price: "0.60"}, {price: "0.10"}]}',
    ).replace(
        "{kind: account, code: bob, currency: EUR}",
        '{kind: account, code: bob, currency: EUR, wallets: [{code: credit, type: prepaid, opening_balance: "300"}]}',
    )
    + "---\n{kind: counter, code: month, unit: s, period: month, zone: Europe/Paris}\n"
)
"""Every price depends on what came before, and what Bob can pay too."""
CALLS = 3000


def _messages(count: int = CALLS) -> list[tuple[str, bytes]]:
    found = [
        (caller, call(number, 60 + number % 7, caller).encode())
        for number in range(count)
        for caller in (ANA, BOB)[number % 2 :][:1]
    ]
    found += [(ANA, call(number, 60 + number % 7, ANA).encode()) for number in range(0, 200, 2)]  # came before
    found += [(STRANGER, call(f"s{number}", 10, STRANGER).encode()) for number in range(3)]
    return [*found, (ANA, b'"never closed'), (ANA, call("last", 61).encode()), (BOB, b"too,few"), (BOB, b"")]


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> list[list[dict[str, object]]]:
    """What the embedded mode stores of the same records."""
    directory = tmp_path_factory.mktemp("embedded")
    data = write_catalog(directory / "data", PLAN)
    lines = [value for _, value in _messages()]
    (directory / "calls.csv").write_bytes(b"\n".join(line.replace(b'"never', b"never") for line in lines) + b"\n")
    octroi("ingest", directory / "calls.csv", "--source", "calls", "--data", data)
    return contents(data)


@pytest.fixture
def stream(tmp_path: Path, broker: SharedBroker) -> Iterator[Stream]:
    found = Stream(write_catalog(tmp_path / "data", PLAN), broker.address)
    yield found
    found.stop()


def test_rows_are_those_of_the_embedded_mode_and_kills_change_nothing(
    stream: Stream, expected: list[list[dict[str, object]]]
) -> None:
    stream.activate()
    messages = _messages()
    stream.snapshot_s = 0.3
    workers = [stream.start("collect"), stream.start("stages"), stream.start("sink")]
    stream.produce("calls", messages[:1000])
    stream.await_some(2)
    for start in range(1000, len(messages), 300):
        stream.produce("calls", messages[start : start + 300])
        time.sleep(0.06)
        if start == 1900:
            for worker in workers:
                stream.kill(worker)
            workers = [stream.start("collect"), stream.start("stages"), stream.start("sink")]
    stream.await_sheet(workers[-1], 2)
    stream.stop()
    assert contents(stream.data) == expected
