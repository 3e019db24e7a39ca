"""What this machine can do at most: one obvious program for each limit, so that a stage can be told as a share of its own.

None of them knows the product. Each returns bytes (or loads, or rows) per second of its best pass: a limit is what was
possible.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import tempfile
import threading
import time
import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import clickhouse_connect
import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv

PASSES = 3
MIB = 1 << 20
LOADS = 4_000_000
SYNCS = 100
INSERT_ROWS = 500_000
UNITS = {
    "memory_copy": "bytes/s", "memory_read": "bytes/s", "random_loads": "loads/s", "disk_write": "bytes/s",
    "disk_syncs": "syncs/s", "loopback": "bytes/s", "gunzip": "bytes/s", "unzstd": "bytes/s", "arrow_csv": "bytes/s",
    "arrow_write": "rows/s", "clickhouse_insert": "rows/s", "clickhouse_insert_cpu_us": "µs/row",
}  # fmt: skip


def best_rate(amount: float, once: Callable[[], object], passes: int = PASSES) -> float:
    """Return how much a second the quickest of several passes did."""
    return amount / min(_seconds(once) for _ in range(passes))


def _seconds(once: Callable[[], object]) -> float:
    started = time.perf_counter()
    once()
    return time.perf_counter() - started


def memory_copy(size: int) -> float:
    """Return bytes copied a second by one thread, from memory to memory: each is read and written."""
    source, target = np.ones(size, np.uint8), np.empty(size, np.uint8)
    return best_rate(size, lambda: np.copyto(target, source))


def memory_read(size: int) -> float:
    """Return bytes summed a second by one thread."""
    source = np.ones(size // 8, np.int64)
    return best_rate(size, source.sum)


def random_loads(size: int, loads: int) -> float:
    """Return independent loads of 8 bytes a second, anywhere in `size` bytes, by one thread."""
    table = np.ones(size // 8, np.int64)
    at = np.random.default_rng(7).integers(0, len(table), loads)
    found = np.empty(loads, np.int64)
    return best_rate(loads, lambda: table.take(at, out=found, mode="clip"))


def disk_write(directory: Path, size: int) -> float:
    """Return bytes a second written to a new file, synced at its end."""
    chunk, path = os.urandom(4 * MIB), directory / "limit.bin"

    def once() -> None:
        with path.open("wb", buffering=0) as file:
            for _ in range(-(-size // len(chunk))):
                file.write(chunk)
            os.fsync(file.fileno())

    rate = best_rate(-(-size // len(chunk)) * len(chunk), once)
    path.unlink()
    return rate


def disk_syncs(directory: Path, syncs: int) -> float:
    """Return how many times a second 4 KiB can be appended to a file and synced."""
    path, page = directory / "limit.log", bytes(4096)

    def once() -> None:
        with path.open("wb", buffering=0) as file:
            for _ in range(syncs):
                file.write(page)
                os.fdatasync(file.fileno())

    rate = best_rate(syncs, once)
    path.unlink()
    return rate


def loopback(size: int) -> float:
    """Return bytes a second from one thread to another over a TCP connection of this machine."""
    chunk = bytes(MIB)

    def once() -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            sender = threading.Thread(target=_send, args=(server.getsockname(), chunk, size), daemon=True)
            sender.start()
            connection, _ = server.accept()
            with connection:
                buffer = bytearray(MIB)
                while connection.recv_into(buffer):
                    pass
            sender.join()

    return best_rate(-(-size // len(chunk)) * len(chunk), once)


def _send(address: tuple[str, int], chunk: bytes, size: int) -> None:
    with socket.create_connection(address) as connection:
        for _ in range(-(-size // len(chunk))):
            connection.sendall(chunk)


def gunzip(content: bytes) -> float:
    """Return bytes a second that come out of gzip."""
    packed = zlib.compress(content, 6)
    return best_rate(len(content), lambda: zlib.decompress(packed))


def unzstd(content: bytes) -> float:
    """Return bytes a second that come out of Zstandard."""
    codec = pa.Codec("zstd")
    packed = codec.compress(content, asbytes=True)
    return best_rate(len(content), lambda: codec.decompress(packed, len(content)))


def arrow_csv(content: bytes) -> float:
    """Return bytes a second that Arrow reads of the same CSV, one thread, every column with a type of its own finding."""
    options = pa_csv.ReadOptions(use_threads=False)
    return best_rate(len(content), lambda: pa_csv.read_csv(BytesIO(content), read_options=options))


def arrow_write(directory: Path, rows: pa.Table) -> float:
    """Return rows a second that Arrow writes to a synced file as they are."""
    path = directory / "limit.arrow"

    def once() -> None:
        with path.open("wb") as file:
            with pa.ipc.new_file(file, rows.schema) as writer:
                writer.write_table(rows)
            file.flush()
            os.fsync(file.fileno())

    rate = best_rate(len(rows), once)
    path.unlink()
    return rate


def clickhouse_insert(directory: Path, rows: pa.Table, types: dict[str, str], insert_rows: int) -> tuple[float, float]:
    """Return rows a second, and CPU-µs a row, of inserting the same rows with chdb into a table that only keeps them.

    Args:
        directory: of a store that is made; one process can have one only.
        types: of each column. insert_rows: of one insert.
    """
    client = clickhouse_connect.get_client(interface="chdb", path=str(directory))
    columns = ", ".join(f"`{name}` {types[name]}" for name in rows.column_names)
    client.command(f"CREATE TABLE plain ({columns}) ENGINE = MergeTree ORDER BY tuple()")
    spent = time.process_time()

    def once() -> None:
        for first in range(0, len(rows), insert_rows):
            client.insert_arrow("plain", rows.slice(first, insert_rows))

    rate = best_rate(len(rows), once)
    cpu_us = (time.process_time() - spent) / (PASSES * len(rows)) * 1e6
    stored = client.query("SELECT count() FROM plain").result_rows[0][0]
    assert stored == PASSES * len(rows), f"{stored} of {PASSES * len(rows)} rows were kept"
    client.close()
    return rate, cpu_us


def measure_limits(rows: Path, types: dict[str, str], usage: Path, size: int) -> dict[str, float]:
    """Return every limit by its name.

    Args:
        rows: facts that octroi stored, an Arrow file. types: of their columns in ClickHouse. usage: the CSV that they
            came from.
        size: bytes that are copied, sent and written; loads reach over twice as much.
    """
    with pa.memory_map(str(rows)) as file:
        facts = pa.ipc.open_file(file).read_all()
    with usage.open("rb") as file:
        content = file.read(min(size, 64 * MIB))
    content = content[: content.rindex(b"\n") + 1]
    with tempfile.TemporaryDirectory(prefix="octroi-bench-") as temporary:
        directory = Path(temporary)
        inserted, cpu_us = clickhouse_insert(directory / "store", facts, types, INSERT_ROWS)
        return {
            "memory_copy": memory_copy(size),
            "memory_read": memory_read(size),
            "random_loads": random_loads(2 * size, LOADS),
            "disk_write": disk_write(directory, size),
            "disk_syncs": disk_syncs(directory, SYNCS),
            "loopback": loopback(size),
            "gunzip": gunzip(content),
            "unzstd": unzstd(content),
            "arrow_csv": arrow_csv(content),
            "arrow_write": arrow_write(directory, facts),
            "clickhouse_insert": inserted,
            "clickhouse_insert_cpu_us": cpu_us,
        }


if __name__ == "__main__":
    print(json.dumps(measure_limits(Path(sys.argv[1]), json.loads(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4]))))
