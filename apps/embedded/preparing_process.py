"""`python -m apps.embedded.preparing_process`: loads, checks and compiles a catalog, for `apps.embedded.preparing`."""

from __future__ import annotations

import os
import sys
import threading
from contextlib import suppress
from typing import IO

from apps.jit import prepare_cache

prepare_cache()

from apps.embedded.images import PreparedActivation, prepare_activation  # noqa: E402
from apps.embedded.layout import DataDirectory  # noqa: E402
from apps.embedded.preparing_words import Wanted, read_wanted, write_prepared  # noqa: E402
from apps.embedded.source_check import check_sources  # noqa: E402
from billing.catalog.store import load_catalog  # noqa: E402
from rating.vocabulary import Vocabulary  # noqa: E402

_NICE = 10
"""Behind the engine, which has deadlines."""


def prepared(wanted: Wanted, words: Vocabulary) -> PreparedActivation | None:
    """Load, check and compile the catalog of a data directory; None when it is the one in force.

    Raises:
        UnableToLoadCatalog, UnableToCompileSource, UnableToUsePlugin, UnableToCompileImage: when it
            cannot take effect.
    """
    directory = DataDirectory(wanted.root)
    catalog = load_catalog(directory.catalog)
    if catalog.content_hash == wanted.known:
        return None
    check_sources(catalog)
    return prepare_activation(catalog, words, wanted.points)


def end_with(stream: IO[bytes]) -> None:
    """End this process once the other side of a stream is gone: whoever asked is."""

    def wait() -> None:
        with suppress(OSError):
            stream.read(1)
        os._exit(1)

    threading.Thread(target=wait, name="asker", daemon=True).start()


def main(asked: IO[bytes], answer: IO[bytes]) -> None:
    """Answer what is asked on one stream on the other one."""
    os.nice(_NICE)
    wanted, words = read_wanted(asked)
    end_with(asked)
    made: PreparedActivation | Exception | None
    try:
        made = prepared(wanted, words)
    except Exception as error:
        made = error
    write_prepared(answer, made)


if __name__ == "__main__":
    sys.stdout.flush()
    with os.fdopen(os.dup(1), "wb") as told:
        os.dup2(2, 1)  # whatever else is printed must not get between
        main(sys.stdin.buffer, told)
    os._exit(0)
