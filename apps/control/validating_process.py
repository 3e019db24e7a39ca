"""`python -m apps.control.validating_process`: tries catalog documents, within so much time and memory."""

from __future__ import annotations

import os
import resource
from typing import IO

from apps.jit import prepare_cache

prepare_cache()

from apps.control.validating import MEMORY_BYTES, SECONDS, Trial, Tried, tried  # noqa: E402
from apps.embedded.beside import end_with, serve  # noqa: E402
from apps.embedded.packing import read_piece, write_piece  # noqa: E402


def main(asked: IO[bytes], answer: IO[bytes]) -> None:
    """Answer what is wrong with the documents that are asked about; end without an answer where they take too much."""
    trial: Trial = read_piece(asked)
    end_with(asked)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # libraries that give up print what they read, and stderr is a log
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    found: Tried | Exception
    try:
        found = tried(trial)
    except MemoryError:
        return
    except Exception as error:
        found = error
    write_piece(answer, found)


if __name__ == "__main__":
    serve(main)
