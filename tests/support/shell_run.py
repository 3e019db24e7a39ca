"""Runs the shell scripts of documents, which start a server on a port of their own and end it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def run_shell(script: str, directory: Path, timeout_s: float) -> tuple[str, str]:
    """What a script of bash, with job control, printed on stdout and stderr once all that it started has ended."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OCTROI_DATA")}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    process = subprocess.Popen(
        ["bash", "-m", "-c", script + "wait\n"],
        cwd=directory,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        return process.communicate(timeout=timeout_s)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
