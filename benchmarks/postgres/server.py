"""Starting and stopping a server: the one at OCTROI_TEST_POSTGRES, else one of this machine's programs.

It listens on a Unix socket in its own directory and nowhere else. Its programs refuse to run as root: there they run as
whoever the package made for them, or as nobody.
"""

from __future__ import annotations

import os
import pwd
import re
import shutil
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

VERSION_MIN = 13
START_S = 60.0
_USER = "octroi"
_DEBIAN = Path("/usr/lib/postgresql")
_OPTIONS = {
    "listen_addresses": "",
    # what is lost with the machine is of no use to anybody
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "shared_buffers": "64MB",
    "max_connections": "60",
    "autovacuum": "off",
}


class UnableToStartServer(Exception):
    """There is no PostgreSQL here, and none can be started; the message says what is missing."""


def programs() -> Path:
    """Return the directory of `initdb` and `postgres`.

    Raises:
        UnableToStartServer: when they are not installed, or too old.
    """
    on_path = shutil.which("postgres")
    numbered = sorted(_DEBIAN.glob("[0-9]*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    found = [path for path in (numbered[-1] if numbered else None, on_path and Path(on_path)) if path]
    for path in found:
        folder = path.resolve().parent
        said = subprocess.run([path, "--version"], capture_output=True, text=True, check=False).stdout
        version = re.search(r"\b(\d+)", said)
        if (folder / "initdb").exists() and version is not None and int(version[1]) >= VERSION_MIN:
            return folder
    raise UnableToStartServer(
        f"PostgreSQL {VERSION_MIN} or newer is not installed; tests need it: `apt-get install postgresql`, or the address of a "
        "server in OCTROI_TEST_POSTGRES"
    )


@dataclass(slots=True)
class Server:
    """A running server. `address`: where clients find it. `pid`: its process, 0 of one that somebody else runs."""

    address: str
    directory: Path
    pid: int = 0

    def stop(self) -> None:
        """End it and forget what it wrote."""
        stop(self.pid, self.directory)


def stop(pid: int, directory: Path) -> None:
    """End a server that `start_server` began, at once."""
    if pid:
        os.kill(pid, signal.SIGQUIT)
        end = time.monotonic() + START_S
        while (directory / "data" / "postmaster.pid").exists() and time.monotonic() < end:
            time.sleep(0.02)
        shutil.rmtree(directory, ignore_errors=True)


def _as_somebody() -> dict[str, Any]:
    """Return how a process is started that is not root's."""
    if os.geteuid() != 0:
        return {}
    for name in ("postgres", "nobody"):
        try:
            found = pwd.getpwnam(name)
        except KeyError:
            continue
        return {"user": found.pw_uid, "group": found.pw_gid, "extra_groups": []}
    raise UnableToStartServer("PostgreSQL does not run as root, and there is no user postgres or nobody here")


def start_server() -> Server:
    """Return a running server, whose databases and users are its own.

    Raises:
        UnableToStartServer: when there is none, with what is missing.
    """
    if address := os.environ.get("OCTROI_TEST_POSTGRES"):
        return Server(address, Path())
    folder = programs()
    somebody = _as_somebody()
    # a socket's path has at most 107 bytes, whatever TMPDIR is
    directory = Path(
        tempfile.mkdtemp(prefix="octroi-pg-", dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else "/tmp")
    )
    if somebody:
        os.chown(directory, somebody["user"], somebody["group"])
    data = directory / "data"
    made = subprocess.run(
        [folder / "initdb", "-D", data, "-U", _USER, "--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C"],
        capture_output=True,
        text=True,
        check=False,
        cwd=directory,
        **somebody,
    )
    if made.returncode:
        raise UnableToStartServer(f"no database can be made:\n{made.stdout}{made.stderr}")
    options = [word for name, value in _OPTIONS.items() for word in ("-c", f"{name}={value}")]
    command = [str(word) for word in (folder / "postgres", "-D", data, "-k", directory, *options)]
    with (directory / "server.out").open("ab") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out, cwd=directory, start_new_session=True, **somebody)
    server = Server(f"postgresql://{_USER}@/postgres?host={directory}", directory, process.pid)
    _await(server, process)
    return server


def _await(server: Server, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + START_S
    ready = server.directory / "data" / "postmaster.pid"
    while time.monotonic() < end:
        if process.poll() is not None:
            told = (server.directory / "server.out").read_text(errors="replace")[-2000:]
            raise UnableToStartServer(f"the server ended:\n{told}")
        # its last line says in which state it is
        if ready.exists() and ready.read_text(errors="replace").rstrip().endswith("ready"):
            return
        time.sleep(0.02)
    raise UnableToStartServer(f"no server answers within {START_S:g} s")
