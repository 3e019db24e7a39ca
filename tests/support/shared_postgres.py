"""One PostgreSQL for all processes of a test run: the first that needs it starts it, the last one ends it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from shared_broker import locked

from benchmarks.postgres.server import start_server, stop


@contextmanager
def shared_postgres(directory: Path) -> Iterator[str]:
    """Yield the address of the server of the run that has this directory."""
    directory.mkdir(exist_ok=True)
    users, found = directory / "users", directory / "server.json"
    with locked(directory / "start.lock"):
        if not found.exists():
            server = start_server()
            found.write_text(
                json.dumps({"address": server.address, "pid": server.pid, "directory": str(server.directory)})
            )
        known = json.loads(found.read_text())
        users.write_text(str(int(users.read_text()) + 1 if users.exists() else 1))
    try:
        yield known["address"]
    finally:
        with locked(directory / "start.lock"):
            left = int(users.read_text()) - 1
            users.write_text(str(left))
            if left == 0:
                found.unlink()
                stop(known["pid"], Path(known["directory"]))
