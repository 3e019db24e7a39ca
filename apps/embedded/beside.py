"""Work in a process beside an engine: what keeps the interpreter busy for seconds, takes much memory, or may fail alone."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import IO

from apps.embedded.packing import UnableToUnpack

_NICE = 10
"""Behind the engine, which has deadlines."""


class EndedBeside(Exception):
    """A process that worked beside an engine ended before it had answered."""


@contextmanager
def beside(
    module: str, begun: Callable[[subprocess.Popen[bytes]], None] = lambda _: None
) -> Iterator[tuple[IO[bytes], IO[bytes]]]:
    """Run a module that calls `serve`; yield where it is asked and where it answers. It ends with the block.

    Raises:
        EndedBeside: when it ends while the block writes or reads.
    """
    process = subprocess.Popen([sys.executable, "-m", module], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    begun(process)
    asked, answer = process.stdin, process.stdout
    assert asked is not None
    assert answer is not None
    try:
        yield asked, answer
    except (UnableToUnpack, BrokenPipeError) as error:
        process.kill()
        raise EndedBeside(
            f"the process beside octroi ended before it had answered (status {process.wait()})"
        ) from error
    finally:
        process.kill()
        with suppress(BrokenPipeError):
            asked.close()
        answer.close()
        process.wait()


def serve(work: Callable[[IO[bytes], IO[bytes]], None]) -> None:
    """Be such a process: do the work with what is asked and where to answer, and end, at the latest with whoever asked."""
    os.nice(_NICE)
    with os.fdopen(os.dup(1), "wb") as answer:
        os.dup2(2, 1)  # whatever else is printed must not get between
        work(sys.stdin.buffer, answer)
    sys.stderr.flush()
    os._exit(0)


def end_with(stream: IO[bytes]) -> None:
    """From now on, end this process once the other side of a stream is gone, of which all was read that is to come."""

    def wait() -> None:
        with suppress(OSError):
            stream.read(1)
        os._exit(1)

    threading.Thread(target=wait, name="asker", daemon=True).start()
